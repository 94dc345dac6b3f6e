// src/lanes.hpp: the floor of the core. 128-bit lanes, the only place that knows the target.
//
// Every kernel is written once over these types. With WebAssembly SIMD a type is one v128 register;
// elsewhere it is a pair or a quad of scalars that does the same IEEE 754 operation lane by lane.
// Each operation here is exact or correctly rounded on both targets, so that both give the same
// bits. Nothing here may fuse a multiplication with an addition: build with -ffp-contract=off.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef __wasm_simd128__
#include <wasm_simd128.h>
#else
#include <cmath>
#include <cstring>
#include <type_traits>

#include "bits.hpp"
#endif

namespace gradnorm {

// Constants that loops splat are declared in headers and defined in another file, here and above.
// V8 assembles a 128-bit literal anew, in four instructions, each time that it is used; what the
// compiler does not know it loads, in one.
extern const int32_t kMagnitudeOfFloat;  // the bits of the magnitude
extern const int64_t kMagnitudeOfDouble;

#ifdef __wasm_simd128__

struct F64x2 {
  v128_t v;
};
struct F32x4 {
  v128_t v;
};
struct I64x2 {
  v128_t v;
};
struct I32x4 {
  v128_t v;
};

inline F64x2 splat(double x) { return {wasm_f64x2_splat(x)}; }
inline I64x2 splat(int64_t x) { return {wasm_i64x2_splat(x)}; }
inline I32x4 splat(int32_t x) { return {wasm_i32x4_splat(x)}; }
inline F32x4 splat(float x) { return {wasm_f32x4_splat(x)}; }

inline F64x2 load_vector(const double* x) { return {wasm_v128_load(x)}; }
inline F32x4 load_vector(const float* x) { return {wasm_v128_load(x)}; }
inline I64x2 load_bits(const double* x) { return {wasm_v128_load(x)}; }
inline I32x4 load_bits(const float* x) { return {wasm_v128_load(x)}; }
// Four integers, each widened with its sign, or without one with zeros.
inline I32x4 load_integers(const int8_t* x) {
  return {wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(x)))};
}
inline I32x4 load_integers(const uint8_t* x) {
  return {wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(x)))};
}
inline I32x4 load_integers(const int16_t* x) { return {wasm_i32x4_load16x4(x)}; }
inline I32x4 load_integers(const uint16_t* x) { return {wasm_u32x4_load16x4(x)}; }
inline I32x4 load_integers(const int32_t* x) { return {wasm_v128_load(x)}; }

inline void store_vector(F32x4 a, float* x) { wasm_v128_store(x, a.v); }
inline void store_vector(F64x2 a, double* x) { wasm_v128_store(x, a.v); }
// The low 16 bits of each lane.
inline void store_low_halves(I32x4 a, uint16_t* x) {
  const v128_t halves =
      wasm_i8x16_shuffle(a.v, a.v, 0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13);
  wasm_v128_store64_lane(x, halves, 0);
}

inline void copy_16_bytes(const void* from, void* to) { wasm_v128_store(to, wasm_v128_load(from)); }
// The first `count` elements, fewer than 16 bytes of them, and zeros; in one store.
inline void copy_with_zeros(const float* from, size_t count, void* to) {
  v128_t v = wasm_i32x4_splat(0);
  if (count == 1) {
    v = wasm_v128_load32_zero(from);
  } else if (count >= 2) {
    v = wasm_v128_load64_zero(from);
    if (count == 3) v = wasm_v128_load32_lane(from + 2, v, 2);
  }
  wasm_v128_store(to, v);
}
inline void copy_with_zeros(const double* from, size_t count, void* to) {
  wasm_v128_store(to, count == 1 ? wasm_v128_load64_zero(from) : wasm_i32x4_splat(0));
}

inline F64x2 operator+(F64x2 a, F64x2 b) { return {wasm_f64x2_add(a.v, b.v)}; }
inline F64x2 operator-(F64x2 a, F64x2 b) { return {wasm_f64x2_sub(a.v, b.v)}; }
inline F64x2 operator*(F64x2 a, F64x2 b) { return {wasm_f64x2_mul(a.v, b.v)}; }
inline F64x2 operator/(F64x2 a, F64x2 b) { return {wasm_f64x2_div(a.v, b.v)}; }
// By a mask: V8 on x86 compiles its own abs instruction to three.
inline F64x2 absolute(F64x2 a) {
  return {wasm_v128_and(a.v, wasm_i64x2_splat(kMagnitudeOfDouble))};
}
inline F64x2 square_root(F64x2 a) { return {wasm_f64x2_sqrt(a.v)}; }
// The larger or smaller of each lane; `a` where it is NaN. `b` may not be.
inline F64x2 larger(F64x2 a, F64x2 b) { return {wasm_f64x2_pmax(a.v, b.v)}; }
inline F64x2 smaller(F64x2 a, F64x2 b) { return {wasm_f64x2_pmin(a.v, b.v)}; }
// The same of numbers that are neither negative nor NaN.
inline F64x2 larger_magnitude(F64x2 a, F64x2 b) { return larger(a, b); }
inline F64x2 smaller_magnitude(F64x2 a, F64x2 b) { return smaller(a, b); }
// `a` where `test` is not zero, +0 elsewhere.
inline F64x2 where_nonzero(F64x2 test, F64x2 a) {
  return {wasm_v128_and(a.v, wasm_f64x2_ne(test.v, wasm_f64x2_splat(0)))};
}
// `a` where x < y, `b` elsewhere.
inline F64x2 where_less(F64x2 x, F64x2 y, F64x2 a, F64x2 b) {
  return {wasm_v128_bitselect(a.v, b.v, wasm_f64x2_lt(x.v, y.v))};
}
inline double lane0(F64x2 a) { return wasm_f64x2_extract_lane(a.v, 0); }
inline double lane1(F64x2 a) { return wasm_f64x2_extract_lane(a.v, 1); }
// Of lanes that are not NaN.
inline double largest_lane(F64x2 a) { return lane0(a) < lane1(a) ? lane1(a) : lane0(a); }

inline F32x4 operator+(F32x4 a, F32x4 b) { return {wasm_f32x4_add(a.v, b.v)}; }
inline F32x4 operator-(F32x4 a, F32x4 b) { return {wasm_f32x4_sub(a.v, b.v)}; }
inline F32x4 operator*(F32x4 a, F32x4 b) { return {wasm_f32x4_mul(a.v, b.v)}; }
// As integers, which magnitudes are ordered as and more units of a processor compare.
inline F32x4 larger_magnitude(F32x4 a, F32x4 b) { return {wasm_i32x4_max(a.v, b.v)}; }
inline F32x4 smaller_magnitude(F32x4 a, F32x4 b) { return {wasm_i32x4_min(a.v, b.v)}; }
inline F32x4 absolute(F32x4 a) { return {wasm_v128_and(a.v, wasm_i32x4_splat(kMagnitudeOfFloat))}; }
inline F64x2 promote_low(F32x4 a) { return {wasm_f64x2_promote_low_f32x4(a.v)}; }
inline F64x2 promote_high(F32x4 a) {
  return {wasm_f64x2_promote_low_f32x4(wasm_i32x4_shuffle(a.v, a.v, 2, 3, 2, 3))};
}

inline double largest_lane(F32x4 a) {
  return largest_lane(larger(promote_low(a), promote_high(a)));
}
inline F32x4 demote(F64x2 low, F64x2 high) {
  return {wasm_i32x4_shuffle(wasm_f32x4_demote_f64x2_zero(low.v),
                             wasm_f32x4_demote_f64x2_zero(high.v), 0, 1, 4, 5)};
}

inline I64x2 as_bits(F64x2 a) { return {a.v}; }
inline F64x2 as_doubles(I64x2 a) { return {a.v}; }
inline I32x4 as_bits(F32x4 a) { return {a.v}; }
inline F32x4 as_floats(I32x4 a) { return {a.v}; }
inline I64x2 operator+(I64x2 a, I64x2 b) { return {wasm_i64x2_add(a.v, b.v)}; }
inline I64x2 operator&(I64x2 a, I64x2 b) { return {wasm_v128_and(a.v, b.v)}; }
inline I64x2 operator|(I64x2 a, I64x2 b) { return {wasm_v128_or(a.v, b.v)}; }
inline I64x2 shift_right_52(I64x2 a) { return {wasm_u64x2_shr(a.v, 52)}; }
inline I64x2 shift_left_52(I64x2 a) { return {wasm_i64x2_shl(a.v, 52)}; }
// -1 in the lanes where it is true, 0 elsewhere.
inline I64x2 greater_mask(I64x2 a, I64x2 b) { return {wasm_i64x2_gt(a.v, b.v)}; }
// All bits where a lane is 0 or -0.
inline I64x2 zero_mask(F64x2 a) { return {wasm_f64x2_eq(a.v, wasm_f64x2_splat(0))}; }
inline int64_t sum_of_lanes(I64x2 a) {
  return wasm_i64x2_extract_lane(a.v, 0) + wasm_i64x2_extract_lane(a.v, 1);
}
inline I64x2 larger(I64x2 a, I64x2 b) {
  return {wasm_v128_bitselect(a.v, b.v, wasm_i64x2_gt(a.v, b.v))};
}
inline int64_t largest_lane(I64x2 a) {
  const int64_t x = wasm_i64x2_extract_lane(a.v, 0);
  const int64_t y = wasm_i64x2_extract_lane(a.v, 1);
  return x > y ? x : y;
}

// Exact for magnitudes up to 2^24.
inline F32x4 to_floats(I32x4 a) { return {wasm_f32x4_convert_i32x4(a.v)}; }
inline F64x2 to_doubles_low(I32x4 a) { return {wasm_f64x2_convert_low_i32x4(a.v)}; }
inline F64x2 to_doubles_high(I32x4 a) {
  return {wasm_f64x2_convert_low_i32x4(wasm_i32x4_shuffle(a.v, a.v, 2, 3, 2, 3))};
}
inline I32x4 operator+(I32x4 a, I32x4 b) { return {wasm_i32x4_add(a.v, b.v)}; }
inline I32x4 operator-(I32x4 a, I32x4 b) { return {wasm_i32x4_sub(a.v, b.v)}; }
inline I32x4 operator&(I32x4 a, I32x4 b) { return {wasm_v128_and(a.v, b.v)}; }
inline I32x4 operator|(I32x4 a, I32x4 b) { return {wasm_v128_or(a.v, b.v)}; }
inline I32x4 operator^(I32x4 a, I32x4 b) { return {wasm_v128_xor(a.v, b.v)}; }
template <int kBits>
inline I32x4 shift_left(I32x4 a) {
  return {wasm_i32x4_shl(a.v, kBits)};
}
template <int kBits>
inline I32x4 shift_right(I32x4 a) {
  return {wasm_u32x4_shr(a.v, kBits)};
}
// `a` where x < y, `b` elsewhere.
inline I32x4 where_less(I32x4 x, I32x4 y, I32x4 a, I32x4 b) {
  return {wasm_v128_bitselect(a.v, b.v, wasm_i32x4_lt(x.v, y.v))};
}
// -1 in the lanes where it is true, 0 elsewhere.
inline I32x4 greater_mask(I32x4 a, I32x4 b) { return {wasm_i32x4_gt(a.v, b.v)}; }
inline I32x4 zero_mask(F32x4 a) { return {wasm_f32x4_eq(a.v, wasm_f32x4_splat(0))}; }
inline int32_t sum_of_lanes(I32x4 a) {
  return wasm_i32x4_extract_lane(a.v, 0) + wasm_i32x4_extract_lane(a.v, 1) +
         wasm_i32x4_extract_lane(a.v, 2) + wasm_i32x4_extract_lane(a.v, 3);
}
inline I32x4 smaller_unsigned(I32x4 a, I32x4 b) { return {wasm_u32x4_min(a.v, b.v)}; }
inline uint32_t smallest_lane_unsigned(I32x4 a) {
  const v128_t pairs = wasm_u32x4_min(a.v, wasm_i32x4_shuffle(a.v, a.v, 2, 3, 0, 1));
  const auto x = static_cast<uint32_t>(wasm_i32x4_extract_lane(pairs, 0));
  const auto y = static_cast<uint32_t>(wasm_i32x4_extract_lane(pairs, 1));
  return x < y ? x : y;
}
inline I32x4 larger(I32x4 a, I32x4 b) { return {wasm_i32x4_max(a.v, b.v)}; }
inline int32_t largest_lane(I32x4 a) {
  const v128_t pairs = wasm_i32x4_max(a.v, wasm_i32x4_shuffle(a.v, a.v, 2, 3, 0, 1));
  const int32_t x = wasm_i32x4_extract_lane(pairs, 0);
  const int32_t y = wasm_i32x4_extract_lane(pairs, 1);
  return x > y ? x : y;
}

#else

template <class T, int kLanes>
struct Lanes {
  T lane[kLanes];
};
using F64x2 = Lanes<double, 2>;
using F32x4 = Lanes<float, 4>;
using I64x2 = Lanes<int64_t, 2>;
using I32x4 = Lanes<int32_t, 4>;

template <class T, int kLanes, class Operation>
inline Lanes<T, kLanes> each(Lanes<T, kLanes> a, Lanes<T, kLanes> b, Operation operation) {
  Lanes<T, kLanes> result;
  for (int i = 0; i < kLanes; ++i) result.lane[i] = static_cast<T>(operation(a.lane[i], b.lane[i]));
  return result;
}
// Integers wrap around, as in vectors.
template <class T, int kLanes>
inline Lanes<T, kLanes> operator+(Lanes<T, kLanes> a, Lanes<T, kLanes> b) {
  return each(a, b, [](T x, T y) {
    if constexpr (std::is_integral_v<T>) {
      using Unsigned = std::make_unsigned_t<T>;
      return static_cast<T>(static_cast<Unsigned>(x) + static_cast<Unsigned>(y));
    } else {
      return x + y;
    }
  });
}
template <class T, int kLanes>
inline Lanes<T, kLanes> operator-(Lanes<T, kLanes> a, Lanes<T, kLanes> b) {
  return each(a, b, [](T x, T y) { return x - y; });
}
template <class T, int kLanes>
inline Lanes<T, kLanes> operator*(Lanes<T, kLanes> a, Lanes<T, kLanes> b) {
  return each(a, b, [](T x, T y) { return x * y; });
}
template <class T, int kLanes>
inline Lanes<T, kLanes> operator/(Lanes<T, kLanes> a, Lanes<T, kLanes> b) {
  return each(a, b, [](T x, T y) { return x / y; });
}
template <class T, int kLanes>
inline Lanes<T, kLanes> operator&(Lanes<T, kLanes> a, Lanes<T, kLanes> b) {
  return each(a, b, [](T x, T y) { return x & y; });
}
template <class T, int kLanes>
inline Lanes<T, kLanes> operator|(Lanes<T, kLanes> a, Lanes<T, kLanes> b) {
  return each(a, b, [](T x, T y) { return x | y; });
}
template <class T, int kLanes>
inline Lanes<T, kLanes> operator^(Lanes<T, kLanes> a, Lanes<T, kLanes> b) {
  return each(a, b, [](T x, T y) { return x ^ y; });
}
template <class T, int kLanes>
inline Lanes<T, kLanes> larger(Lanes<T, kLanes> a, Lanes<T, kLanes> b) {
  return each(a, b, [](T x, T y) { return x < y ? y : x; });
}
template <class T, int kLanes>
inline Lanes<T, kLanes> smaller(Lanes<T, kLanes> a, Lanes<T, kLanes> b) {
  return each(a, b, [](T x, T y) { return y < x ? y : x; });
}
template <class T, int kLanes>
inline Lanes<T, kLanes> larger_magnitude(Lanes<T, kLanes> a, Lanes<T, kLanes> b) {
  return larger(a, b);
}
template <class T, int kLanes>
inline Lanes<T, kLanes> smaller_magnitude(Lanes<T, kLanes> a, Lanes<T, kLanes> b) {
  return smaller(a, b);
}
template <class T, int kLanes>
inline Lanes<T, kLanes> absolute(Lanes<T, kLanes> a) {
  return each(a, a, [](T x, T) { return std::fabs(x); });
}
template <class T, int kLanes>
inline T largest_lane(Lanes<T, kLanes> a) {
  T result = a.lane[0];
  for (int i = 1; i < kLanes; ++i) result = result < a.lane[i] ? a.lane[i] : result;
  return result;
}

template <class T, int kLanes>
inline T sum_of_lanes(Lanes<T, kLanes> a) {
  T result = 0;
  for (const T lane : a.lane) result += lane;
  return result;
}

inline F64x2 splat(double x) { return {{x, x}}; }
inline I64x2 splat(int64_t x) { return {{x, x}}; }
inline I32x4 splat(int32_t x) { return {{x, x, x, x}}; }
inline F32x4 splat(float x) { return {{x, x, x, x}}; }
inline F64x2 load_vector(const double* x) { return {{x[0], x[1]}}; }
inline F32x4 load_vector(const float* x) { return {{x[0], x[1], x[2], x[3]}}; }
inline I64x2 load_bits(const double* x) {
  return {{bits_as<int64_t>(x[0]), bits_as<int64_t>(x[1])}};
}
inline I32x4 load_bits(const float* x) {
  return {{bits_as<int32_t>(x[0]), bits_as<int32_t>(x[1]), bits_as<int32_t>(x[2]),
           bits_as<int32_t>(x[3])}};
}

template <class T>
inline I32x4 load_integers(const T* x) {
  return {{x[0], x[1], x[2], x[3]}};
}

inline void store_vector(F32x4 a, float* x) { std::memcpy(x, a.lane, sizeof a.lane); }
inline void store_vector(F64x2 a, double* x) { std::memcpy(x, a.lane, sizeof a.lane); }
inline void store_low_halves(I32x4 a, uint16_t* x) {
  for (int i = 0; i < 4; ++i) x[i] = static_cast<uint16_t>(a.lane[i]);
}

inline void copy_16_bytes(const void* from, void* to) { std::memcpy(to, from, 16); }
template <class T>
inline void copy_with_zeros(const T* from, size_t count, void* to) {
  std::memset(to, 0, 16);
  std::memcpy(to, from, count * sizeof(T));
}

inline F64x2 square_root(F64x2 a) { return {{std::sqrt(a.lane[0]), std::sqrt(a.lane[1])}}; }
inline F64x2 where_nonzero(F64x2 test, F64x2 a) {
  return each(test, a, [](double t, double x) { return t != 0 ? x : 0.0; });
}
inline F64x2 where_less(F64x2 x, F64x2 y, F64x2 a, F64x2 b) {
  return {{x.lane[0] < y.lane[0] ? a.lane[0] : b.lane[0],
           x.lane[1] < y.lane[1] ? a.lane[1] : b.lane[1]}};
}
inline double lane0(F64x2 a) { return a.lane[0]; }
inline double lane1(F64x2 a) { return a.lane[1]; }
inline F64x2 promote_low(F32x4 a) { return {{a.lane[0], a.lane[1]}}; }
inline F64x2 promote_high(F32x4 a) { return {{a.lane[2], a.lane[3]}}; }
inline F32x4 demote(F64x2 low, F64x2 high) {
  return {{static_cast<float>(low.lane[0]), static_cast<float>(low.lane[1]),
           static_cast<float>(high.lane[0]), static_cast<float>(high.lane[1])}};
}
inline F32x4 to_floats(I32x4 a) {
  F32x4 result;
  for (int i = 0; i < 4; ++i) result.lane[i] = static_cast<float>(a.lane[i]);
  return result;
}
inline F64x2 to_doubles_low(I32x4 a) { return {{double(a.lane[0]), double(a.lane[1])}}; }
inline F64x2 to_doubles_high(I32x4 a) { return {{double(a.lane[2]), double(a.lane[3])}}; }

inline I32x4 smaller_unsigned(I32x4 a, I32x4 b) {
  return each(a, b, [](int32_t x, int32_t y) {
    return static_cast<uint32_t>(x) < static_cast<uint32_t>(y) ? x : y;
  });
}
inline uint32_t smallest_lane_unsigned(I32x4 a) {
  uint32_t result = UINT32_MAX;
  for (const int32_t lane : a.lane) {
    if (static_cast<uint32_t>(lane) < result) result = static_cast<uint32_t>(lane);
  }
  return result;
}

inline I64x2 zero_mask(F64x2 a) { return {{a.lane[0] == 0 ? -1 : 0, a.lane[1] == 0 ? -1 : 0}}; }
inline I32x4 zero_mask(F32x4 a) {
  I32x4 result;
  for (int i = 0; i < 4; ++i) result.lane[i] = a.lane[i] == 0 ? -1 : 0;
  return result;
}

inline I32x4 as_bits(F32x4 a) { return load_bits(a.lane); }
inline F32x4 as_floats(I32x4 a) {
  return {{bits_as<float>(a.lane[0]), bits_as<float>(a.lane[1]), bits_as<float>(a.lane[2]),
           bits_as<float>(a.lane[3])}};
}
template <int kBits>
inline I32x4 shift_left(I32x4 a) {
  return each(a, a, [](int32_t x, int32_t) { return static_cast<uint32_t>(x) << kBits; });
}
template <int kBits>
inline I32x4 shift_right(I32x4 a) {
  return each(a, a, [](int32_t x, int32_t) { return static_cast<uint32_t>(x) >> kBits; });
}
template <class T, int kLanes>
inline Lanes<T, kLanes> greater_mask(Lanes<T, kLanes> a, Lanes<T, kLanes> b) {
  return each(a, b, [](T x, T y) { return x > y ? -1 : 0; });
}
inline I32x4 where_less(I32x4 x, I32x4 y, I32x4 a, I32x4 b) {
  I32x4 result;
  for (int i = 0; i < 4; ++i) result.lane[i] = x.lane[i] < y.lane[i] ? a.lane[i] : b.lane[i];
  return result;
}

inline I64x2 as_bits(F64x2 a) {
  return {{bits_as<int64_t>(a.lane[0]), bits_as<int64_t>(a.lane[1])}};
}
inline F64x2 as_doubles(I64x2 a) {
  return {{bits_as<double>(a.lane[0]), bits_as<double>(a.lane[1])}};
}
inline I64x2 shift_right_52(I64x2 a) {
  return each(a, a, [](int64_t x, int64_t) { return static_cast<uint64_t>(x) >> 52; });
}
inline I64x2 shift_left_52(I64x2 a) {
  return each(a, a, [](int64_t x, int64_t) { return static_cast<uint64_t>(x) << 52; });
}

#endif

}  // namespace gradnorm
