// src/norm.hpp: the global p-norm. Chooses the kernel, reduces tensors to a partial, takes the
// root.
//
//   norm = (sum |x|^p)^(1/p), p > 0;   max |x| for p = infinity
//
// Bounds on the relative error (kernels.hpp and elementary.hpp derive the parts; tests/norm.test.js
// compares with an exact oracle), where the norm is a normal double:
//   float32 elements, any p                                    2^-23
//   float64 elements, p >= 1 and 2p whole                      2^-48
//   float64 elements, any other p                              2^-40 * max(1, 1/p)
// A norm beyond the largest double by no more than its bound is returned as the largest double.
// NaN if any element is NaN; otherwise infinity if any is infinite. Subnormals count in full.
#pragma once

#include <cstddef>

#include "elementary.hpp"
#include "partial.hpp"

namespace gradnorm {

class Norm {
 public:
  // p > 0, infinity included; anything else is the caller's mistake and is not checked here.
  explicit Norm(double p);

  // Adds count elements to the partial. Pieces of one tensor must be cut at multiples of
  // kBlockElements for the result to have the same bits as the whole. T is float or double.
  template <class T>
  void reduce(const T* x, size_t count, Partial& partial) const;

  // The norm of everything that was added; +0 for nothing at all.
  double finish(const Partial& partial) const { return finish(partial, partial.rounded()); }
  // The same, for those who have rounded the sum already.
  double finish(const Partial& partial, RoundedSum sum) const;

 private:
  enum class Kind {
    kMaximum,
    kFirstPower,
    kSquare,
    kCube,
    kProduct,
    kRealPower,
  };
  static Kind kind_of(double p);

  void reduce_block(const float* x, size_t count, Partial& partial) const;
  void reduce_block(const double* x, size_t count, Partial& partial) const;
  bool reduce_in_float(const float* x, size_t count, Partial& partial) const;
  double sum_of_powers(const double* x, size_t count) const;
  double sum_of_products(const double* x, size_t count, double factor) const;
  ScaledSum scaled_products(const double* x, size_t count, double maximum) const;
  template <class Power, class T>
  ScaledSum scaled_real_powers(const T* x, size_t count, double maximum) const;
  double root(RoundedSum sum) const;

  double p_;
  int whole_;  // floor(p) for the powers that are products
  Kind kind_;
};

}  // namespace gradnorm
