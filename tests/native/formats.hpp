// tests/native/formats.hpp: the floating-point formats of gradients from their definition, one
// value at a time: the oracle of widening and narrowing. Arithmetic only, no bits are moved about.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "elements.hpp"

namespace gradnorm::testing {

// Normal numbers are 1.fraction * 2^exponent, smallest_exponent <= exponent <= largest_exponent.
struct FormatSpec {
  int fraction_bits;
  int smallest_exponent;
  int largest_exponent;
};

template <class Element>
struct FormatOf;
template <>
struct FormatOf<Float16> {
  static constexpr FormatSpec kSpec = {10, -14, 15};
};
template <>
struct FormatOf<BFloat16> {
  static constexpr FormatSpec kSpec = {7, -126, 127};
};
template <>
struct FormatOf<float> {
  static constexpr FormatSpec kSpec = {23, -126, 127};
};
template <>
struct FormatOf<double> {
  static constexpr FormatSpec kSpec = {52, -1022, 1023};
};

// The value of a half: sign, exponent and fraction, from the top.
inline double decode(uint16_t bits, FormatSpec format) {
  const int fractions = 1 << format.fraction_bits, exponents = 0x8000 / fractions;
  const double sign = bits >= 0x8000 ? -1 : 1;
  const int fraction = bits % fractions, exponent = bits / fractions % exponents;
  const int unit = format.smallest_exponent - format.fraction_bits;
  if (exponent == 0) return sign * std::ldexp(fraction, unit);
  if (exponent < exponents - 1) return sign * std::ldexp(fractions + fraction, unit + exponent - 1);
  return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                       : std::numeric_limits<double>::quiet_NaN();
}
template <class Half>
double decode(Half half) {
  return decode(half.bits, FormatOf<Half>::kSpec);
}

// The value of the format that is nearest to x, ties to even. Every step but nearbyint is exact.
inline double nearest(double x, FormatSpec format) {
  if (x == 0 || !std::isfinite(x)) return x;
  const int unit = std::max(std::ilogb(x), format.smallest_exponent) - format.fraction_bits;
  const double rounded = std::ldexp(std::nearbyint(std::ldexp(x, -unit)), unit);
  const bool overflows = std::fabs(rounded) >= std::ldexp(1.0, format.largest_exponent + 1);
  return overflows ? std::copysign(std::numeric_limits<double>::infinity(), x) : rounded;
}
template <class Element>
double nearest(double x) {
  return nearest(x, FormatOf<Element>::kSpec);
}

// The value of any element.
inline double value_of(Float16 x) { return decode(x); }
inline double value_of(BFloat16 x) { return decode(x); }
template <class Number>
double value_of(Number x) {
  return static_cast<double>(x);
}

}  // namespace gradnorm::testing
