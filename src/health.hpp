// src/health.hpp: what a report tells about elements beside their norm: how large they are, how
// many are zero, and which are not finite.
#pragma once

#include <cstddef>

#include "partial.hpp"

namespace gradnorm {

// Everything a health knows, as words.
struct HealthState {
  Partial magnitudes;  // their sum, their number, and the largest
  double zeros = 0;
  double nans = 0;
  double infinities = 0;
  double first_nonfinite = -1;
};

class Health {
 public:
  // Adds the next count elements of a tensor. T is float or double.
  template <class T>
  void inspect(const T* x, size_t count);

  // The position of the first offender stays this one's.
  void merge(const Health& other);

  // All counts are exact up to 2^53.
  double elements() const { return state_.magnitudes.elements(); }
  double zeros() const { return state_.zeros; }
  double nans() const { return state_.nans; }
  double infinities() const { return state_.infinities; }
  // Position of the first NaN or infinity; -1 if there is none.
  double first_nonfinite() const { return state_.first_nonfinite; }
  // Of the finite elements, 0 if there are none: the largest magnitude, and the mean magnitude
  // within 2^-22, whatever their order and size.
  double largest() const { return state_.magnitudes.largest(); }
  double mean() const;

 private:
  template <class T>
  void inspect_block(const T* x, size_t count);
  template <class T>
  size_t count_nonfinite(const T* x, size_t count, double before);
  void add_one_by_one(const float* x, size_t count);
  void add_one_by_one(const double* x, size_t count);

  HealthState state_;
};

}  // namespace gradnorm
