// src/elements.hpp: the element types of gradients, four elements at a time.
//
// Whatever a gradient holds is widened exactly, to float where that is enough and to double
// elsewhere, and the kernels see nothing else. Gradients that may be written are rounded back to
// the nearest value of their type, ties to even.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "lanes.hpp"

namespace gradnorm {

// IEEE 754 binary16, and the upper half of a binary32.
struct Float16 {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

// The codes are those of web/core/dtypes.js.
enum class Dtype : uint32_t {
  kFloat32,
  kFloat64,
  kFloat16,
  kBFloat16,
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
};

// The size of an element.
constexpr size_t bytes_of(Dtype dtype) {
  constexpr size_t kBytes[] = {4, 8, 2, 2, 1, 1, 2, 2, 4, 4};
  return kBytes[static_cast<uint32_t>(dtype)];
}

// Four elements as doubles: 0 and 1, 2 and 3.
struct Doubles {
  F64x2 low;
  F64x2 high;
};
inline Doubles promote(F32x4 x) { return {promote_low(x), promote_high(x)}; }

// In the bits of a half, and of the float that it is widened to.
namespace float16 {
extern const int32_t kSign;
extern const int32_t kMagnitude;
extern const int32_t kNormal;   // the smallest normal half
extern const int32_t kLargest;  // the largest finite half
extern const int32_t kNaN;
extern const int32_t kRebias;          // between the exponents, in a float
extern const int32_t kSmallestNormal;  // 2^-14
extern const int32_t kOneHalf;
extern const int32_t kInfinity;
}  // namespace float16

// What four elements are widened to: F32x4 or Doubles. For every type but uint32 and double.
inline F32x4 widen(const BFloat16* x) { return as_floats(shift_left<16>(load_integers(&x->bits))); }
// Without arithmetic on subnormal floats, for which many processors take a hundred times as long:
// a subnormal's bits become the fraction of 2^-14, which is then subtracted.
inline F32x4 widen(const Float16* x) {
  const I32x4 half = load_integers(&x->bits);
  const I32x4 magnitude = half & splat(float16::kMagnitude);
  const I32x4 shifted = shift_left<13>(magnitude);
  const I32x4 rebias = splat(float16::kRebias);
  const I32x4 nonfinite = greater_mask(magnitude, splat(float16::kLargest));
  const I32x4 number = shifted + rebias + (nonfinite & rebias);
  const F32x4 smallest = as_floats(splat(float16::kSmallestNormal));
  const I32x4 subnormal = as_bits(as_floats(shifted + as_bits(smallest)) - smallest);
  const I32x4 bits = where_less(magnitude, splat(float16::kNormal), subnormal, number);
  return as_floats(bits | shift_left<16>(half & splat(float16::kSign)));
}
template <class Integer, class = std::enable_if_t<std::is_integral_v<Integer>>>
inline F32x4 widen(const Integer* x) {
  static_assert(sizeof(Integer) <= 2);
  return to_floats(load_integers(x));
}
inline Doubles widen(const float* x) { return promote(load_vector(x)); }
inline Doubles widen(const int32_t* x) {
  const I32x4 integers = load_integers(x);
  return {to_doubles_low(integers), to_doubles_high(integers)};
}

inline Doubles widen(const uint32_t* x) {
  const I32x4 shifted = load_integers(reinterpret_cast<const int32_t*>(x)) ^ splat(INT32_MIN);
  return {to_doubles_low(shifted) + splat(0x1p31), to_doubles_high(shifted) + splat(0x1p31)};
}

// A format to round doubles to, given by the bits of doubles.
struct Format {
  int64_t smallest;  // the smallest normal number
  int64_t overflow;  // the power of two from which on everything is infinite; it stands for that
  int64_t shift;     // the exponent of 2^52 times the unit in the last place of 1
};
extern const Format kFloat16Format;
extern const Format kBFloat16Format;
extern const int64_t kExponentOfDouble;
extern const int64_t kSignOfDouble;

// x in that format, ties to even. Adding 2^52 times the unit in the last place leaves the processor
// nothing but the bits to keep.
[[gnu::noinline]] inline F64x2 round_to(const Format& format, F64x2 x) {
  const F64x2 magnitude = smaller(absolute(x), as_doubles(splat(format.overflow)));
  const I64x2 exponent =
      larger(as_bits(magnitude) & splat(kExponentOfDouble), splat(format.smallest));
  const F64x2 shifter = as_doubles(exponent + splat(format.shift));
  const F64x2 rounded = (magnitude + shifter) - shifter;
  return as_doubles(as_bits(rounded) | (as_bits(x) & splat(kSignOfDouble)));
}
inline I32x4 round_to(const Format& format, Doubles x) {
  return as_bits(demote(round_to(format, x.low), round_to(format, x.high)));
}

inline void narrow(Doubles x, float* to) { store_vector(demote(x.low, x.high), to); }
inline void narrow(Doubles x, BFloat16* to) {
  store_low_halves(shift_right<16>(round_to(kBFloat16Format, x)), &to->bits);
}
inline void narrow(Doubles x, Float16* to) {
  const I32x4 bits = round_to(kFloat16Format, x);
  const I32x4 magnitude = bits & splat(kMagnitudeOfFloat);
  const I32x4 normal = shift_right<13>(magnitude - splat(float16::kRebias));
  // Added to 1/2, whose last bit is worth 2^-24, a subnormal's own bits are the last ones.
  const I32x4 one_half = splat(float16::kOneHalf);
  const I32x4 subnormal = as_bits(as_floats(magnitude) + as_floats(one_half)) - one_half;
  const I32x4 number = where_less(magnitude, splat(float16::kSmallestNormal), subnormal, normal);
  const I32x4 half = where_less(splat(float16::kInfinity), magnitude, splat(float16::kNaN), number);
  store_low_halves(half | (shift_right<16>(bits) & splat(float16::kSign)), &to->bits);
}

// What the elements of a type are widened to.
template <class Element>
using Widened = std::conditional_t<(sizeof(Element) < 4), float, double>;

inline void store(F32x4 x, float* to) { store_vector(x, to); }
inline void store(Doubles x, double* to) {
  store_vector(x.low, to);
  store_vector(x.high, to + 2);
}

// Widens `count` elements, a multiple of four.
template <class Element>
inline void widen_all(const Element* x, size_t count, Widened<Element>* to) {
  for (size_t i = 0; i < count; i += 4) store(widen(x + i), to + i);
}

}  // namespace gradnorm
