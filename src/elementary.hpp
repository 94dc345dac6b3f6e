// src/elementary.hpp: log2 and exp2 over two doubles, the elementary functions of the real powers.
//
// The same polynomials serve the vector kernels and, through lane 0, the root at the end: there is
// no call into a C library whose last bit could differ from one machine to the next.
//
// Source of the coefficients: Sollya's fpminimax, relative error, double coefficients, on
// z in [0, 0.02944] for log2 and f in [-0.5001, 0.5001] for exp2; the errors are its supnorm.
#pragma once

#include <cstdint>

#include "lanes.hpp"

namespace gradnorm {

// How far the polynomials go; evaluated in double in either case.
//
//           error of log2, on the fraction     relative error of exp2
//   kFull   2^-51, roundings included          2^-51, roundings included
//   kShort  2^-31.4                            2^-28.7
enum class Precision { kFull, kShort };

// The coefficients, defined in elementary.cpp: a kernel loads each as it needs it, which is shorter
// and faster in WebAssembly than 128-bit literals.
extern const double kLog2Full[8];
extern const double kLog2Short[4];
extern const double kExp2Full[12];
extern const double kExp2Short[7];

// The others, of which int64_t are the bits of doubles.
namespace elementary {
extern const double kOne;
extern const int64_t kSqrtHalf;
extern const int64_t kOneOverSqrtHalf;  // difference of the bits
extern const int64_t kMantissa;
extern const int64_t kTwo52;
extern const double kTwo52AndBias;  // 2^52 + 1023
extern const double kRound;         // adding it rounds to an integer, held in the low bits
extern const double kSmallestExponent;
extern const int64_t kBias;
extern const double kSmallestNormal;
extern const double kTwo54;
}  // namespace elementary

// Horner's rule from coefficient kFrom up, written out by recursion.
template <int kFrom = 0, int kCount>
inline F64x2 polynomial(const double (&coefficients)[kCount], F64x2 x) {
  const F64x2 coefficient = splat(coefficients[kFrom]);
  if constexpr (kFrom == kCount - 1) {
    return coefficient;
  } else {
    return polynomial<kFrom + 1>(coefficients, x) * x + coefficient;
  }
}

// log2(x) = exponent + fraction, with an integral exponent and |fraction| <= 1/2.
// Kept apart because their sum would lose up to 10 of the fraction's bits.
struct Log2 {
  F64x2 exponent;
  F64x2 fraction;
};

// Domain: positive and normal. Zero gives a finite value of no meaning.
template <Precision kPrecision>
inline Log2 log2_of_normal(F64x2 x) {
  // Mantissas are taken in [sqrt(1/2), sqrt 2); 2^52 adds an integer below it in its low bits.
  const I64x2 shifted = as_bits(x) + splat(elementary::kOneOverSqrtHalf);
  const F64x2 exponent = as_doubles(shift_right_52(shifted) | splat(elementary::kTwo52)) -
                         splat(elementary::kTwo52AndBias);
  const F64x2 m =
      as_doubles((shifted & splat(elementary::kMantissa)) + splat(elementary::kSqrtHalf));
  const F64x2 one = splat(elementary::kOne);
  const F64x2 s = (m - one) / (m + one);
  const F64x2 z = s * s;
  if constexpr (kPrecision == Precision::kFull) {
    return {exponent, polynomial(kLog2Full, z) * s};
  } else {
    return {exponent, polynomial(kLog2Short, z) * s};
  }
}

// Domain: positive. Zero gives a finite value of no meaning. Not inlined: with full precision it is
// long, and is needed in several places.
template <Precision kPrecision>
[[gnu::noinline]] Log2 log2_of(F64x2 x) {
  const F64x2 smallest_normal = splat(elementary::kSmallestNormal);
  const Log2 result =
      log2_of_normal<kPrecision>(where_less(x, smallest_normal, x * splat(elementary::kTwo54), x));
  const F64x2 correction = where_less(x, smallest_normal, splat(54.0), splat(0.0));
  return {result.exponent - correction, result.fraction};
}

// 2^t for t <= 1022. Below -1022 the result is about 2^-1022 instead of smaller: the sums that use
// it hold a term near 1, beside which neither counts.
template <Precision kPrecision>
inline F64x2 exp2_of(F64x2 t) {
  const F64x2 round = splat(elementary::kRound);
  const F64x2 bounded = larger(t, splat(elementary::kSmallestExponent));
  const F64x2 rounded = bounded + round;
  const F64x2 f = bounded - (rounded - round);
  const F64x2 power = as_doubles(shift_left_52(as_bits(rounded) + splat(elementary::kBias)));
  if constexpr (kPrecision == Precision::kFull) {
    return polynomial(kExp2Full, f) * power;
  } else {
    return polynomial(kExp2Short, f) * power;
  }
}

// 2^t with full precision, not inlined either.
[[gnu::noinline]] inline F64x2 exp2_in_full(F64x2 t) { return exp2_of<Precision::kFull>(t); }

// 2^t with full precision, -1022 <= t <= 1022.
double exp2_of(double t);

// log2 of one positive number, subnormal or not, with full precision.
struct ScalarLog2 {
  double exponent;
  double fraction;
};
ScalarLog2 log2_of(double x);

// a - b, part by part, so that neither loses bits to the other.
inline F64x2 difference(Log2 a, ScalarLog2 b) {
  return (a.exponent - splat(b.exponent)) + (a.fraction - splat(b.fraction));
}

}  // namespace gradnorm
