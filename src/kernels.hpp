// src/kernels.hpp: the sum of |x|^p over one block, and its largest magnitude.
//
// A kernel is a leaf, the sum of |x|^p over a few consecutive elements, below one fixed tree that
// all kernels share. A block's sum depends on its elements alone, so it has the same bits wherever
// the block lies in memory and whatever was summed before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "bits.hpp"
#include "elementary.hpp"
#include "elements.hpp"
#include "lanes.hpp"

namespace gradnorm {

// Elements of a tensor, counted from its start, whose powers are added in floating point. Block
// sums are added exactly, so a tensor may be cut at multiples of this without changing a bit of the
// result.
inline constexpr size_t kBlockElements = 4096;

// Copies the last `rest` elements of a block, fewer than kCount, and fills up with zeros. Shared by
// the kernels, which would otherwise carry a copy of this each. In vectors as far as they go:
// reading one that was written in smaller pieces just before would stall.
template <size_t kCount, class T>
[[gnu::noinline]] void pad_with_zeros(const T* x, size_t rest, T (&padded)[kCount]) {
  constexpr size_t kVector = 16 / sizeof(T);
  static_assert(kCount % kVector == 0);
  for (size_t i = 0; i < kCount; i += kVector) {
    const size_t left = i < rest ? rest - i : 0;
    if (left >= kVector) {
      copy_16_bytes(x + i, padded + i);
    } else {
      copy_with_zeros(x + rest - left, left, padded + i);
    }
  }
}

// Widens a block of floats.
[[gnu::noinline]] inline void widen_block(const float* x, size_t count, double* to) {
  const size_t whole = count & ~size_t{3};
  widen_all(x, whole, to);
  if (whole == count) return;
  alignas(16) float padded[16];
  pad_with_zeros(x + whole, count - whole, padded);
  widen_all(padded, 4, to + whole);
}

// Calls leaf(pointer) for every Leaf::kElements elements of x, the last of them padded with zeros,
// which add +0, and folds the results with a cascade of sums: 8 leaves, 8 such sums, then the rest
// of the block. With leaves of 16 no term takes part in more than 7 + 7 + 4 additions here, plus
// one that joins the two lanes: 19 roundings at most.
template <class T, class Leaf>
inline double sum_block(const T* x, size_t count, Leaf&& leaf) {
  constexpr size_t kLeaf = std::remove_reference_t<Leaf>::kElements;
  static_assert(kBlockElements % kLeaf == 0 && kBlockElements / kLeaf <= 8 * 8 * 8);
  alignas(16) T padded[kLeaf];
  size_t leaves = count / kLeaf;
  size_t rest = count % kLeaf;
  F64x2 total = splat(0.0);
  for (;;) {
    while (leaves > 0) {
      F64x2 outer = splat(0.0);
      for (int i = 0; i < 8 && leaves > 0; ++i) {
        F64x2 inner = splat(0.0);
        size_t run = leaves < 8 ? leaves : 8;
        leaves -= run;
        for (; run > 0; --run, x += kLeaf) inner = inner + leaf(x);
        outer = outer + inner;
      }
      total = total + outer;
    }
    if (rest == 0) break;
    // Once more round for the tail, so that the leaf's code is there once.
    pad_with_zeros(x, rest, padded);
    x = padded;
    leaves = 1;
    rest = 0;
  }
  return lane0(total) + lane1(total);
}

// Leaf: power(|x|) of 16 elements in double. A cheap power is written out and added as a tree of
// depth 3; of a long one there is a loop, whose chain of additions costs nothing beside it.
template <class Power>
struct PowerLeaf {
  static constexpr size_t kElements = 16;
  Power power;

  template <class T>
  F64x2 operator()(const T* x) const {
    if constexpr (Power::kCheap) {
      return (four(x) + four(x + 4)) + (four(x + 8) + four(x + 12));
    } else {
      F64x2 sum = splat(0.0);
      for (size_t i = 0; i < kElements; i += kStep<T>) sum = sum + few(x + i);
      return sum;
    }
  }

 private:
  template <class T>
  static constexpr size_t kStep = 16 / sizeof(T);
  F64x2 few(const float* x) const { return four(x); }
  F64x2 few(const double* x) const { return power(absolute(load_vector(x))); }

  F64x2 four(const float* x) const {
    const F32x4 magnitudes = absolute(load_vector(x));
    return power(promote_low(magnitudes)) + power(promote_high(magnitudes));
  }
  F64x2 four(const double* x) const {
    return power(absolute(load_vector(x))) + power(absolute(load_vector(x + 2)));
  }
};

// Leaf: sum of |x|, four float32 magnitudes added in float32 before they are widened.
//
// Error: with u = 2^-24 an addition errs by at most u / (1 + u) (Jeannerod and Rump 2018,
// doi:10.1017/S0962492918000058), two in a row by less than 2u - u^2 = 2^-23 - 2^-48. The 21
// roundings in double that follow, the last one of the result included, add less than 2^-48: 2^-23
// in all.
struct FloatMagnitudeLeaf {
  static constexpr size_t kElements = 16;
  F64x2 operator()(const float* x) const {
    const F32x4 sum = (absolute(load_vector(x)) + absolute(load_vector(x + 4))) +
                      (absolute(load_vector(x + 8)) + absolute(load_vector(x + 12)));
    return promote_low(sum) + promote_high(sum);
  }
};

// Leaf: sum of x^2, the squares and three levels of additions in float32.
//
// Error: four float32 roundings in the sum, half of that in its root, so as above less than
// 2^-23 - 2^-48, and the roundings in double add less than 2^-49: 2^-23 in all.
struct FloatSquareLeaf {
  static constexpr size_t kElements = 32;
  F64x2 operator()(const float* x) const {
    const F32x4 sum = sum_of_four(x) + sum_of_four(x + 16);
    return promote_low(sum) + promote_high(sum);
  }

  static F32x4 sum_of_four(const float* x) {
    const F32x4 a = load_vector(x), b = load_vector(x + 4), c = load_vector(x + 8),
                d = load_vector(x + 12);
    return (a * a + b * b) + (c * c + d * d);
  }
};

// The sum of squares of a whole block of at most kShort elements, which would be mostly padding and
// loops. The bits are those of a FloatSquareLeaf padded with zeros: where to switch is a matter of
// speed alone.
inline constexpr size_t kShort = 16;
inline double sum_short_squares(const float* x, size_t count) {
  alignas(16) float padded[kShort];
  if (count < kShort) {
    pad_with_zeros(x, count, padded);
    x = padded;
  }
  const F32x4 sum = FloatSquareLeaf::sum_of_four(x);
  const F64x2 sums = promote_low(sum) + promote_high(sum);
  return lane0(sums) + lane1(sums);
}

struct Square {
  static constexpr bool kCheap = true;
  F64x2 operator()(F64x2 x) const { return x * x; }
};
struct Cube {
  static constexpr bool kCheap = true;
  F64x2 operator()(F64x2 x) const { return x * x * x; }
};

// y^n, or y^(n + 1/2) if half_odd, of y = x * factor * factor, n >= 0. By repeated squaring, so
// fewer than n + 2 roundings: less than 2^-52 in the root. The factor is a power of two and the
// scaling exact; it is applied in two steps because the factor that lifts the smallest double to 1
// is not itself a double.
struct ProductPower {
  static constexpr bool kCheap = false;
  int n;
  bool half_odd;
  double factor;
  F64x2 operator()(F64x2 x) const {
    F64x2 base = x * splat(factor) * splat(factor);
    F64x2 result = half_odd ? square_root(base) : splat(1.0);
    for (int bits = n;;) {
      if (bits & 1) result = result * base;
      bits >>= 1;
      if (bits == 0) return result;
      base = base * base;
    }
  }
};

// (x / maximum)^p = 2^(p * (log2 x - log2 maximum)), 0 for zero.
struct RelativePower {
  static constexpr bool kCheap = false;
  double p;
  ScalarLog2 maximum;

  F64x2 operator()(F64x2 x) const {
    const F64x2 log2_ratio = difference(log2_of<Precision::kFull>(x), maximum);
    return where_nonzero(x, exp2_in_full(log2_ratio * splat(p)));
  }
};

// The same for float32 and p >= 1, in short precision. Every float32 but 0 is normal as a double;
// of 0 the logarithm comes out near -1023, at least 873 below that of any other, and the power
// below 2^-873.
struct ShortRelativePower {
  static constexpr bool kCheap = false;
  double p;
  ScalarLog2 maximum;

  F64x2 operator()(F64x2 x) const {
    const F64x2 log2_ratio = difference(log2_of_normal<Precision::kShort>(x), maximum);
    return exp2_of<Precision::kShort>(log2_ratio * splat(p));
  }
};

inline I32x4 magnitude_mask(int32_t) { return splat(kMagnitudeOfFloat); }
inline I64x2 magnitude_mask(int64_t) { return splat(kMagnitudeOfDouble); }

// Calls fold(pointer) for every kFold elements of a block, the last of them padded with zeros.
template <size_t kFold, class T, class Fold>
inline void for_each_fold(const T* x, size_t count, Fold&& fold) {
  size_t folds = count / kFold;
  for (; folds > 0; --folds, x += kFold) fold(x);
  const size_t rest = count % kFold;
  if (rest > 0) {
    alignas(16) T padded[kFold];
    pad_with_zeros(x, rest, padded);
    fold(padded);
  }
}

// The bits of the largest magnitude. As integers, magnitudes are ordered as their values are, with
// infinity above every finite one and NaN above infinity.
template <class T>
inline auto largest_bits(const T* x, size_t count) {
  constexpr bool kFloat = sizeof(T) == sizeof(float);
  using Integer = std::conditional_t<kFloat, int32_t, int64_t>;
  constexpr size_t kStep = 16 / sizeof(T);
  const auto magnitude = magnitude_mask(Integer{});
  auto a = splat(Integer{0}), b = a, c = a, d = a;
  const auto fold = [&](const T* leaf) {
    a = larger(a, load_bits(leaf) & magnitude);
    b = larger(b, load_bits(leaf + kStep) & magnitude);
    c = larger(c, load_bits(leaf + 2 * kStep) & magnitude);
    d = larger(d, load_bits(leaf + 3 * kStep) & magnitude);
  };
  for_each_fold<4 * kStep>(x, count, fold);
  return largest_lane(larger(larger(a, b), larger(c, d)));
}

// Leaf: sum of |x|, with an eye on the largest and the smallest magnitude. The sum serves a mean:
// eight float32 magnitudes are added in float32 before they are widened. With a NaN in the block
// the sum is NaN, and the others mean nothing. The tail of a block is padded with zeros.
template <class T>
struct HealthLeaf {
  static constexpr size_t kElements = sizeof(T) == sizeof(float) ? 32 : 8;
  using Vector = decltype(load_vector(static_cast<const T*>(nullptr)));
  Vector largest = {};
  Vector smallest = splat(std::numeric_limits<T>::max());

  F64x2 operator()(const float* x) {
    const F32x4 sum = look_at_four(x) + look_at_four(x + 16);
    return promote_low(sum) + promote_high(sum);
  }
  F64x2 operator()(const double* x) { return look_at_four(x); }

  bool has_zero() const { return sum_of_lanes(zero_mask(smallest)) != 0; }

 private:
  Vector look_at_four(const T* x) {
    constexpr size_t kStep = 16 / sizeof(T);
    const Vector a = absolute(load_vector(x));
    const Vector b = absolute(load_vector(x + kStep));
    const Vector c = absolute(load_vector(x + 2 * kStep));
    const Vector d = absolute(load_vector(x + 3 * kStep));
    largest =
        larger_magnitude(largest, larger_magnitude(larger_magnitude(a, b), larger_magnitude(c, d)));
    smallest = smaller_magnitude(
        smallest, smaller_magnitude(smaller_magnitude(a, b), smaller_magnitude(c, d)));
    return (a + b) + (c + d);
  }
};

// How many magnitudes are above one, as integers, which they are ordered as: above the bits of 0
// the elements that are not zero, above those of infinity the NaN.
template <class T, class Integer>
[[gnu::noinline]] size_t count_above(Integer bits, const T* x, size_t count) {
  constexpr size_t kStep = 16 / sizeof(T);
  const auto magnitude = magnitude_mask(Integer{});
  auto above = splat(Integer{0});  // counted downwards
  const auto fold = [&](const T* leaf) {
    const auto mask = [&](size_t i) {
      return greater_mask(load_bits(leaf + i) & magnitude, splat(bits));
    };
    above = above + ((mask(0) + mask(kStep)) + (mask(2 * kStep) + mask(3 * kStep)));
  };
  for_each_fold<4 * kStep>(x, count, fold);
  return static_cast<size_t>(-sum_of_lanes(above));
}

// Whether one of the first elements, a sample for the whole block, is smaller than `limit` but not
// 0.
inline bool starts_small(const float* x, size_t count, float limit) {
  constexpr size_t kSample = 32;
  if (count < kSample) return false;
  // One less than its bits makes the largest integer of a zero.
  I32x4 smallest = splat(int32_t{-1});
  for (size_t i = 0; i < kSample; i += 4) {
    smallest = smaller_unsigned(
        smallest, (load_bits(x + i) & splat(int32_t{0x7FFFFFFF})) - splat(int32_t{1}));
  }
  return smallest_lane_unsigned(smallest) < bits_as<uint32_t>(limit) - 1;
}

}  // namespace gradnorm
