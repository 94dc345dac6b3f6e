// src/health.hpp: what a report tells about elements beside their norm: how large they are, how
// many are zero, and which are not finite.
#pragma once

#include <cstddef>

#include "partial.hpp"

namespace gradnorm {

// Everything a health knows, for those who keep it elsewhere.
struct HealthState {
  PartialState magnitudes;  // their sum, their number, and the largest
  double zeros;
  double nans;
  double infinities;
  double first_nonfinite;
};

class Health {
 public:
  // Adds the next count elements of a tensor. T is float or double.
  template <class T>
  void inspect(const T* x, size_t count);

  // The position of the first offender stays this one's.
  void merge(const Health& other);

  // The state as plain words, and back.
  HealthState state() const;
  static Health of(const HealthState& state);

  // All counts are exact up to 2^53.
  double elements() const { return magnitudes_.elements(); }
  double zeros() const { return zeros_; }
  double nans() const { return nans_; }
  double infinities() const { return infinities_; }
  // Position of the first NaN or infinity; -1 if there is none.
  double first_nonfinite() const { return first_nonfinite_; }
  // Of the finite elements, 0 if there are none: the largest magnitude, and the mean magnitude
  // within 2^-22, whatever their order and size.
  double largest() const { return magnitudes_.largest(); }
  double mean() const;

 private:
  template <class T>
  void inspect_block(const T* x, size_t count);
  template <class T>
  size_t count_nonfinite(const T* x, size_t count, double before);
  void add_one_by_one(const float* x, size_t count);
  void add_one_by_one(const double* x, size_t count);

  Partial magnitudes_;
  double zeros_ = 0;
  double nans_ = 0;
  double infinities_ = 0;
  double first_nonfinite_ = -1;
};

}  // namespace gradnorm
