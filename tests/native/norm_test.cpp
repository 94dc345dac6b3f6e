// tests/native/norm_test.cpp: the norm end to end (src/norm.hpp): special values, exactness, bounds
// near every threshold, and the same bits for every order and cut.
#include "norm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "compare.hpp"
#include "random.hpp"
#include "reference.hpp"
#include "tensors.hpp"

namespace gradnorm::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kLargest = std::numeric_limits<double>::max();

// One p at least for every kernel, and both sides of every border between them.
const std::vector<double> kAllP = {0x1p-1074, 1e-300, 0x1p-13, 0x1.fffffffffffffp-13,
                                   0x1p-12,   1e-3,   0.1,     0.3,
                                   0.5,       0.999,  1,       1.5,
                                   2,         2.5,    2.7,     3,
                                   3.5,       4,      7,       8,
                                   10,        50,     63.9,    64,
                                   64.5,      65,     66.6,    1000,
                                   1e10,      0x1p52, 0x1p53,  1e300,
                                   kInfinity};
// Those at which a handful of equal elements has a norm that is a double.
const std::vector<double> kUsualP = {0.1, 0.3, 0.5, 1,  1.5,  2,  2.5,  2.7,  3,    3.5, 4,
                                     7,   8,   10,  50, 63.9, 64, 64.5, 66.6, 1000, 1e10};

template <class T>
double norm_of_one(const std::vector<T>& x, double p) {
  return norm_of({x}, p);
}

template <class T>
::testing::AssertionResult norm_is_right(const std::vector<T>& x, double p) {
  const long double expected = reference_norm(x, p);
  const long double error = promised_error<T>(p) + reference_error(x.size(), p);
  return within(norm_of_one(x, p), expected, error * expected + kSubnormalError)
         << "; p = " << p << ", " << x.size() << " elements";
}

template <class T>
class Norms : public ::testing::Test {};
using FloatingPointTypes = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Norms, FloatingPointTypes);

TYPED_TEST(Norms, OfNothingAreZeroForEveryP) {
  for (const double p : kAllP) {
    EXPECT_TRUE(same_bits(norm_of({}, p), 0.0)) << "p = " << p;
    EXPECT_TRUE(same_bits(norm_of_one(std::vector<TypeParam>(), p), 0.0)) << "p = " << p;
  }
}

TYPED_TEST(Norms, OfZerosOfBothSignsArePlusZero) {
  for (const double p : kAllP) {
    for (const size_t length : {1, 2, 31, 4096, 4097}) {
      for (const TypeParam zero : {TypeParam{0.0}, TypeParam{-0.0}}) {
        const std::vector<TypeParam> zeros(length, zero);
        EXPECT_TRUE(same_bits(norm_of_one(zeros, p), 0.0)) << "p = " << p << ", " << length;
      }
    }
  }
}

TYPED_TEST(Norms, OfASingleElementAreItsMagnitudeForEveryP) {
  using Limits = std::numeric_limits<TypeParam>;
  const std::vector<TypeParam> elements = {
      Limits::denorm_min(), Limits::min() - Limits::denorm_min(),
      Limits::min(),        TypeParam(0.1),
      TypeParam(1),         TypeParam(3e37),
      Limits::max()};
  const std::vector<TypeParam> none;
  for (const double p : kAllP) {
    for (const TypeParam element : elements) {
      for (const TypeParam x : {element, -element}) {
        EXPECT_TRUE(same_bits(norm_of_one(std::vector{x}, p), element)) << "p = " << p;
        EXPECT_TRUE(same_bits(norm_of({none, std::vector{x}, none}, p), element)) << "p = " << p;
      }
    }
  }
}

TEST(Norm, OfASingleElementIsExactAtTheEndsOfTheRange) {
  for (const double p : kAllP) {
    for (const double x : {5e-324, 1e-300, 1e300}) {
      EXPECT_TRUE(same_bits(norm_of_one<double>({x}, p), x)) << "p = " << p;
      EXPECT_TRUE(same_bits(norm_of_one<double>({-x}, p), x)) << "p = " << p;
    }
  }
}

TYPED_TEST(Norms, NaNBeatsInfinityWhereverTheyStand) {
  Random random(91);
  for (const double p : kAllP) {
    for (const size_t length : {2, 5, 33, 4096, 4100, 9000}) {
      auto x = random.numbers<TypeParam>(length, -9, 9);
      const size_t first = random.below(length),
                   second = (first + 1 + random.below(length - 1)) % length;
      x[first] = static_cast<TypeParam>(-kInfinity);
      EXPECT_TRUE(same_bits(norm_of_one(x, p), kInfinity)) << "p = " << p << ", " << length;
      x[second] = static_cast<TypeParam>(kNaN);
      EXPECT_TRUE(same_bits(norm_of_one(x, p), kNaN)) << "p = " << p << ", " << length;
    }
  }
}

TYPED_TEST(Norms, OfOneNaNOrInfinityAreThatMagnitude) {
  for (const double p : kAllP) {
    const auto nan = static_cast<TypeParam>(kNaN), infinity = static_cast<TypeParam>(kInfinity);
    EXPECT_TRUE(same_bits(norm_of_one<TypeParam>({nan}, p), kNaN)) << "p = " << p;
    EXPECT_TRUE(same_bits(norm_of_one<TypeParam>({-infinity}, p), kInfinity)) << "p = " << p;
    EXPECT_TRUE(same_bits(norm_of({std::vector{infinity}, std::vector{nan}}, p), kNaN));
    EXPECT_TRUE(same_bits(norm_of({std::vector{nan}, std::vector{infinity}}, p), kNaN));
  }
}

TYPED_TEST(Norms, ForInfinitePAndBeyond2To53AreTheMaximum) {
  Random random(92);
  for (const size_t length : {1, 2, 17, 4095, 4097, 10000}) {
    auto x = random.numbers<TypeParam>(length, -20, 19);
    x[random.below(length)] = -0x1.234p20f;
    for (const double p : {kInfinity, 0x1p53, 1e300}) {
      EXPECT_TRUE(same_bits(norm_of_one(x, p), 0x1.234p20)) << "p = " << p << ", " << length;
    }
  }
}

// For p < 2^-12 two nonzero elements have a norm beyond the doubles, whatever they are.
TYPED_TEST(Norms, ForTinyPCountElements) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const double p : {0x1p-1074, 1e-300, 1e-5, 0x1.fffffffffffffp-13}) {
    for (const TypeParam x : {Limits::denorm_min(), TypeParam(1), Limits::max()}) {
      EXPECT_TRUE(same_bits(norm_of_one<TypeParam>({0, -x, 0}, p), x)) << "p = " << p;
      EXPECT_TRUE(same_bits(norm_of_one<TypeParam>({x, x}, p), kInfinity)) << "p = " << p;
      EXPECT_TRUE(same_bits(norm_of_one<TypeParam>({x, 0, Limits::denorm_min()}, p), kInfinity));
    }
  }
}

TYPED_TEST(Norms, AreWithinTheirBoundForEveryLength) {
  Random random(93);
  for (const double p : kUsualP) {
    for (const size_t length : {1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 100, 300, 4095, 4096, 4097}) {
      EXPECT_TRUE(norm_is_right(random.numbers<TypeParam>(length, -3, 3), p));
      EXPECT_TRUE(norm_is_right(random.numbers<TypeParam>(length, -120, 120), p));
    }
    EXPECT_TRUE(norm_is_right(random.numbers<TypeParam>(20'000, -6, 6), p));
  }
}

TYPED_TEST(Norms, AreWithinTheirBoundAtTheEndsOfTheRange) {
  using Limits = std::numeric_limits<TypeParam>;
  Random random(94);
  constexpr int kSmallest = Limits::min_exponent - Limits::digits;
  for (const double p : kUsualP) {
    for (const size_t length : {2, 17, 300}) {
      EXPECT_TRUE(norm_is_right(random.numbers<TypeParam>(length, kSmallest, kSmallest + 40), p));
      // For p < 1 the norm of large numbers is beyond the doubles.
      if (p >= 1) {
        const int top = Limits::max_exponent - 12;
        EXPECT_TRUE(norm_is_right(random.numbers<TypeParam>(length, top - 40, top), p));
      }
    }
  }
}

// n^(1/p) is hardly more than 1, but more.
TYPED_TEST(Norms, OfEqualElementsAreWithinTheirBoundForLargeP) {
  for (const double p : {100.0, 1000.0, 1e6, 1e10, 0x1p40, 0x1p46, 0x1p52, 0x1p53}) {
    for (const size_t length : {2, 100, 4096, 10'000}) {
      EXPECT_TRUE(norm_is_right(std::vector<TypeParam>(length, TypeParam(-1.7)), p));
    }
  }
}

// n equal elements have the norm n^(1/p) times one of them; these are small enough for a double.
TYPED_TEST(Norms, AreWithinTheirBoundForSmallP) {
  if (std::numeric_limits<long double>::max_exponent < 16384) {
    GTEST_SKIP() << "the reference needs the range of an 80-bit or 128-bit long double";
  }
  using Limits = std::numeric_limits<TypeParam>;
  Random random(106);
  for (const double p : {0.0015, 0.002, 0.005, 0.01, 0.03, 0.09}) {
    for (const size_t length : {2, 3, 5, 50, 4097}) {
      const auto exponent = static_cast<int>(-std::log2(length) / p);
      const int from = std::max(exponent, Limits::min_exponent);
      if (from - exponent > 900) continue;
      EXPECT_TRUE(norm_is_right(random.numbers<TypeParam>(length, from, from + 2), p));
    }
  }
}

TEST(Norm, OfSubnormalDoublesHonoursThem) {
  constexpr double kSmallest = 0x1p-1074;
  for (const double p : {1.0, 2.0, 3.0, 1.5, 2.7, 1000.0}) {
    for (const double n : {1.0, 2.0, 3.0, 1000.0}) {
      const double x = n * kSmallest;
      // The norm of 2 equal numbers is 2^(1/p) times one of them, up to one rounding of a
      // subnormal and the error before it.
      EXPECT_TRUE(within(norm_of_one<double>({x, -x}, p), std::pow(2.0L, 1.0L / p) * x,
                         0.5001L * kSmallest))
          << "p = " << p << ", n = " << n;
    }
  }
  EXPECT_TRUE(same_bits(norm_of_one<double>({kSmallest, kSmallest}, 1), 2 * kSmallest));
  EXPECT_TRUE(same_bits(norm_of_one<double>({3 * kSmallest, 4 * kSmallest}, 2), 5 * kSmallest));
}

TEST(Norm, OfNumbersWhoseSquaresOverflowIsFinite) {
  EXPECT_TRUE(norm_is_right<float>({1e20f, 1, 1}, 2));
  EXPECT_TRUE(norm_is_right<float>(std::vector<float>(5000, 3e38f), 2));
  EXPECT_TRUE(norm_is_right<float>(std::vector<float>(5000, 3e38f), 1));
  EXPECT_TRUE(norm_is_right<double>({3e200, 4e200}, 2));
}

// An element and zeros: the norm is the element, the largest double included.
TYPED_TEST(Norms, OfOneElementAmongZerosAreWithinTheirBoundOfIt) {
  using Limits = std::numeric_limits<TypeParam>;
  Random random(95);
  for (const double p : kUsualP) {
    for (int i = 0; i < 40; ++i) {
      std::vector<TypeParam> x(2 + random.below(100));
      x[random.below(x.size())] =
          random.number<TypeParam>(Limits::min_exponent, Limits::max_exponent - 2);
      EXPECT_TRUE(norm_is_right(x, p));
    }
  }
}

// The error of the root, though within its bound, must not carry the result over the end of the
// range.
TEST(Norm, OfTheLargestDoubleAmongZerosIsFinite) {
  for (const double p : kAllP) {
    const double norm = norm_of_one<double>({0, kLargest, 0}, p);
    EXPECT_TRUE(within(norm, kLargest, promised_error<double>(p) * kLargest)) << "p = " << p;
  }
}

// The thresholds of norm.cpp, where one kernel hands over to another. Blocks of 4096 elements with
// sums within a factor of 2^8 of the threshold; most elements are smaller than the largest by such
// a factor that their powers underflow or nearly do.
struct Threshold {
  double p;
  double log2_of_sum;
  int underflow;  // powers below 2^underflow lose bits in the fast kernel
};

template <class T>
void check_around(Random& random, const Threshold& threshold, size_t large_elements) {
  for (double offset = -8; offset <= 8; ++offset) {
    const double large = (threshold.log2_of_sum + offset - std::log2(large_elements)) / threshold.p;
    const double small = threshold.underflow / threshold.p;
    std::vector<T> x(4096);
    for (size_t i = 0; i < x.size(); ++i) {
      const double exponent = i < large_elements ? large : small;
      x[i] = static_cast<T>(std::exp2(exponent) * random.number<double>(0, 0));
    }
    // In order, the first elements of the block are large.
    if (random.coin()) random.shuffle(x);
    EXPECT_TRUE(norm_is_right(x, threshold.p))
        << "sum about 2^" << threshold.log2_of_sum + offset << ", " << large_elements << " large";
  }
}

TEST(Norm, OfDoublesIsWithinItsBoundAroundTheSmallestSafeSum) {
  Random random(96);
  for (const double p : {1.5, 2.0, 2.5, 3.0, 4.0, 7.0, 33.0, 64.0, 64.5}) {
    for (const size_t large_elements : {1, 3, 64, 4096}) {
      check_around<double>(random, {p, -960, -1074}, large_elements);
      check_around<double>(random, {p, -1022, -1074}, large_elements);
      check_around<double>(random, {p, -1060, -1074}, large_elements);
    }
  }
}

TEST(Norm, OfDoublesIsWithinItsBoundAroundTheOverflowOfSums) {
  Random random(97);
  for (const double p : {1.5, 2.0, 2.5, 3.0, 4.0, 7.0, 33.0, 64.0, 64.5}) {
    for (const size_t large_elements : {1, 3, 64, 4096}) {
      check_around<double>(random, {p, 1024, 960}, large_elements);
    }
  }
}

TEST(Norm, OfFloatsIsWithinItsBoundAroundTheSmallestSafeSum) {
  Random random(98);
  for (const size_t large_elements : {1, 3, 64, 4096}) {
    for (const int threshold : {-88, -100, -126, -149}) {
      check_around<float>(random, {2, static_cast<double>(threshold), -150}, large_elements);
      check_around<float>(random, {2, static_cast<double>(threshold), -127}, large_elements);
    }
    check_around<float>(random, {1, -126, -149}, large_elements);
    check_around<float>(random, {10, -960, -1074}, large_elements);
    check_around<float>(random, {64.5, -960, -1074}, large_elements);
  }
}

TEST(Norm, OfFloatsIsWithinItsBoundAroundTheOverflowOfSums) {
  Random random(99);
  for (const size_t large_elements : {1, 3, 64, 4096}) {
    check_around<float>(random, {2, 128, 100}, large_elements);
    check_around<float>(random, {8, 1000, 960}, large_elements);
    check_around<float>(random, {64.5, 1024, 960}, large_elements);
    // No element above 2^127.
    check_around<float>(random, {1, 118 + std::log2(large_elements), 100}, large_elements);
  }
}

// Squares in float32 that all but underflow, beside a sum that is just large enough to be believed.
// The first elements are zeros, which say nothing about the size of the others.
TEST(Norm, OfFloatsIsWithinItsBoundWhereEverySquareLosesItsLastBit) {
  for (const float small : {0x1.8p-75f, 0x1.7ffffep-75f, 0x1.000002p-75f, 0x1.fffffep-76f}) {
    for (const float large : {0x1p-44f, 0x1.002p-44f, 0x1.fffffep-45f, 0x1p-50f}) {
      std::vector<float> x(4096, small);
      std::fill_n(x.begin(), 64, 0.0f);
      x[77] = large;
      EXPECT_TRUE(norm_is_right(x, 2)) << hex(small) << ", " << hex(large);
    }
  }
}

TEST(Norm, OfFloatsIsWithinItsBoundWhereNoSquareIsExact) {
  for (int exponent = -76; exponent <= -40; ++exponent) {
    for (const float mantissa : {0x1.6a3d7ap0f, 0x1.123456p0f, 0x1.9abcdep0f, 0x1.fffffep0f}) {
      std::vector<float> x(4096, std::ldexp(mantissa, exponent));
      std::fill_n(x.begin(), 64, 0.0f);
      EXPECT_TRUE(norm_is_right(x, 2)) << hex(x.back());
    }
  }
}

// Where float32 does not suffice a block is widened as a whole: then floats are doubles, to the
// bit.
void expect_floats_like_doubles(const std::vector<float>& x, double p) {
  const std::vector<double> widened(x.begin(), x.end());
  EXPECT_TRUE(same_bits(norm_of_one(x, p), norm_of_one(widened, p)))
      << "p = " << p << ", " << x.size() << " elements";
}

TEST(Norm, OfFloatsForPThatNeedDoublesHasTheBitsOfTheSameDoubles) {
  Random random(107);
  for (const double p : {0.1, 0.5, 0.7, 1.5, 2.5, 3.5, 4.0, 7.0, 33.0, 64.5, 65.0, 66.6, 1000.0}) {
    for (const size_t length : {1, 2, 3, 4, 5, 15, 16, 17, 33, 100, 4095, 4096, 4097, 9000}) {
      expect_floats_like_doubles(random.numbers<float>(length, -8, 8), p);
      expect_floats_like_doubles(random.numbers<float>(length, -149, 127), p);
    }
  }
}

// One block whose float32 sum overflows, or whose first squares would underflow, is widened alone.
TEST(Norm, OfFloatsBeyondFloat32HasTheBitsOfTheSameDoubles) {
  Random random(108);
  for (const size_t length : {2, 16, 17, 31, 32, 33, 100, 4095, 4096}) {
    auto x = random.numbers<float>(length, -10, 10);
    x[0] = x[1] = std::numeric_limits<float>::max();
    expect_floats_like_doubles(x, 2);
    if (length < 32) continue;
    expect_floats_like_doubles(random.numbers<float>(length, -149, -64), 2);
    std::fill(x.begin(), x.end(), std::numeric_limits<float>::max());
    expect_floats_like_doubles(x, 1);
  }
}

// Beside a first sign of squares that are subnormal in float32, large elements do not make the
// block's float32 sum believed.
TEST(Norm, OfFloatsOneOfWhoseFirst32HasASubnormalSquareHasTheBitsOfTheSameDoubles) {
  Random random(109);
  for (const size_t length : {32, 33, 100, 4096}) {
    for (const size_t position : {0, 5, 31}) {
      auto x = random.numbers<float>(length, -8, 8);
      x[position] = 0x1.8p-64f;
      expect_floats_like_doubles(x, 2);
    }
  }
}

// 4096 squares, each off by up to 2^-150, spoil no more than 2^-50 of a float32 sum from 2^-88 on.
TEST(Norm, OfFloatsWithASumOfSquaresBelow2ToTheMinus88HasTheBitsOfTheSameDoubles) {
  Random random(110);
  for (const size_t length : {17, 100, 1000, 4096}) {
    for (const int exponent : {-62, -58, -53}) {
      const double sum = std::ldexp(static_cast<double>(length), 2 * exponent + 4);
      if (sum < 0x1p-88) {
        expect_floats_like_doubles(random.numbers<float>(length, exponent, exponent + 1), 2);
      }
    }
  }
}

// Real powers of floats take the short polynomials, and so other bits than those of the same
// doubles, for 1 <= p <= 64 alone.
TEST(Norm, OfFloatsTakesRealPowersInShortPrecisionFrom1To64AndInFullOutside) {
  Random random(113);
  const auto x = random.numbers<float>(1000, -8, 8);
  const std::vector<double> widened(x.begin(), x.end());
  for (const double p : {0.9, 0.999, 64.001, 64.9}) expect_floats_like_doubles(x, p);
  for (const double p : {1.001, 1.1, 2.7, 63.3, 63.999}) {
    EXPECT_NE(norm_of_one(x, p), norm_of_one(widened, p)) << "p = " << p;
    EXPECT_TRUE(norm_is_right(x, p));
  }
}

// No more than the bound of its p makes a norm beyond the doubles the largest of them.
TEST(Norm, BeyondTheLargestDoubleByMoreThanItsBoundIsInfinite) {
  EXPECT_TRUE(same_bits(norm_of_one<double>({kLargest, kLargest * 0x1p-46}, 1), kInfinity));
  EXPECT_TRUE(same_bits(norm_of_one<double>({kLargest, kLargest * 0x1p-22}, 2), kInfinity));
  EXPECT_TRUE(same_bits(norm_of_one<double>({kLargest, kLargest * 0x1p-15}, 3), kInfinity));
  EXPECT_TRUE(same_bits(norm_of_one<double>({kLargest, kLargest * 0x1p-52}, 2), kLargest));
}

// From there on, and with no smaller element at its start, it is summed in float32, which is
// faster.
TEST(Norm, OfFloatsWithASumOfSquaresFrom2ToTheMinus88OnIsThatOfTheFloat32Kernel) {
  Random random(112);
  for (const size_t length : {17, 33, 100, 1000, 4096}) {
    for (const int exponent : {-44, -42, -30}) {
      auto x = random.numbers<float>(length, exponent, exponent + 1);
      for (const size_t i : {0, 7, 16}) x[i] = -0x1p-63f;
      const double sum = sum_block(x.data(), length, FloatSquareLeaf{});
      ASSERT_GE(sum, 0x1p-88);
      EXPECT_TRUE(same_bits(norm_of_one(x, 2), std::sqrt(sum))) << length << ", " << exponent;
    }
  }
}

// 2^2050 times the smallest double is a double again.
TEST(Norm, OfTwoOfTheSmallestDoublesIsFiniteForPNotFarBelow2ToTheMinus11) {
  if (std::numeric_limits<long double>::max_exponent < 16384) {
    GTEST_SKIP() << "the reference needs the range of an 80-bit or 128-bit long double";
  }
  for (const double p : {0x1.ff8p-12, 0x1.fffp-12, 0x1p-11}) {
    EXPECT_TRUE(norm_is_right<double>({0x1p-1074, 0, -0x1p-1074}, p)) << "p = " << p;
  }
}

// What a block leaves in the state tells which kernel it took, and the state has to be the same
// wherever and by whatever version it was made: a maximum is noted by those that scale by it.
template <class T>
double noted(const std::vector<T>& x, double p) {
  Partial partial;
  Norm(p).reduce(x.data(), x.size(), partial);
  return partial.largest();
}

TYPED_TEST(Norms, TakePowersUpTo64AndAHalfAsProductsAndOthersRelativeToTheMaximum) {
  const std::vector<TypeParam> x = {1, TypeParam(-1.5), TypeParam(0.75)};
  for (double p = 0.5; p <= 64.5; p += 0.5) EXPECT_EQ(noted(x, p), 0) << "p = " << p;
  for (const double p : {0.25, 0.75, 1.25, 2.7, 64.25, 64.75, 65.0, 65.5, 66.0, 100.0, 0x1p53}) {
    EXPECT_EQ(noted(x, p), 1.5) << "p = " << p;
  }
}

TEST(Norm, OfDoublesScalesByTheMaximumFromASumBelow2ToTheMinus960On) {
  EXPECT_EQ(noted<double>({0x1p-480, 0}, 2), 0);
  for (const double p : {1.0, 2.0, 3.0, 4.0, 0.5, 1.5}) {
    const double least = std::exp2(-960 / p);
    for (const double zoom : {1.01, 1.5, 2.0}) {
      EXPECT_EQ(noted<double>({least * zoom, 0}, p), 0) << "p = " << p;
      EXPECT_EQ(noted<double>({least / zoom, 0}, p), least / zoom) << "p = " << p;
    }
  }
}

// Zeros, and offenders among zeros, are told without a sum; they leave what a sum would.
TYPED_TEST(Norms, OfBlocksThatEndInZerosOrOffendersAreThoseOfTheirOtherElements) {
  using Limits = std::numeric_limits<TypeParam>;
  const TypeParam infinity = Limits::infinity(), nan = Limits::quiet_NaN();
  Random random(111);
  for (const double p : kAllP) {
    for (const size_t length : {3, 16, 33, 4096}) {
      for (const TypeParam end : {TypeParam{0}, TypeParam{-0.0}, infinity, -infinity, nan}) {
        std::vector<TypeParam> x(length, TypeParam{-0.0});
        x.front() = x.back() = end;
        const double expected = std::fabs(static_cast<double>(end));
        EXPECT_TRUE(same_bits(norm_of_one(x, p), expected)) << "p = " << p;
        EXPECT_EQ(noted(x, p), 0);
        x[length / 2] = TypeParam(-1.5);
        EXPECT_TRUE(expected == 0 ? norm_is_right(x, p) : same_bits(norm_of_one(x, p), expected))
            << "p = " << p;
        x[length / 2] = nan;
        EXPECT_TRUE(same_bits(norm_of_one(x, p), nan)) << "p = " << p;
        x[length / 2] = -infinity;
        EXPECT_TRUE(same_bits(norm_of_one(x, p), std::isnan(end) ? nan : infinity)) << "p = " << p;
      }
    }
  }
}

// n^(1/p) is 1 + 2^-50 for p just below, which is not the maximum yet.
TYPED_TEST(Norms, OfEqualElementsAreTheMaximumFrom2To53OnAndAboveItUnderThat) {
  const std::vector<TypeParam> ones(4096, TypeParam(1));
  EXPECT_TRUE(same_bits(norm_of_one(ones, 0x1p53), 1));
  EXPECT_GT(norm_of_one(ones, 0x1.fffffffffffffp52), 1);
}

Tensors random_tensors(Random& random) {
  Tensors tensors;
  for (const size_t length : {1, 0, 5, 4096, 33, 4097, 12'288, 9001, 1}) {
    tensors.emplace_back(random.numbers<float>(length, -30, 30));
    tensors.emplace_back(random.numbers<double>(length, -300, 30));
  }
  return tensors;
}

TEST(Norm, AnyOrderOfTheTensorsGivesTheSameBits) {
  Random random(101);
  for (const double p : kAllP) {
    Tensors tensors = random_tensors(random);
    const double expected = norm_of(tensors, p);
    for (int round = 0; round < 3; ++round) {
      random.shuffle(tensors);
      EXPECT_TRUE(same_bits(norm_of(tensors, p), expected)) << "p = " << p;
    }
  }
}

TEST(Norm, AnyCutAtBlocksAndAnyTreeOfMergesGivesTheSameBits) {
  Random random(102);
  for (const double p : kAllP) {
    const Tensors tensors = random_tensors(random);
    const double expected = norm_of(tensors, p);
    for (int round = 0; round < 3; ++round) {
      EXPECT_TRUE(same_bits(norm_of_pieces(random, tensors, p), expected)) << "p = " << p;
    }
  }
}

TEST(Norm, SignsAndTensorsOfZerosDoNotChangeABit) {
  Random random(103);
  for (const double p : kAllP) {
    const auto x = random.numbers<double>(5000, -9, 9);
    auto negated = x;
    for (double& element : negated) element = -element;
    const double expected = norm_of({x}, p);
    EXPECT_TRUE(same_bits(norm_of({negated}, p), expected)) << "p = " << p;
    const std::vector<float> zeros(777, -0.0f);
    EXPECT_TRUE(same_bits(norm_of({zeros, x, zeros}, p), expected)) << "p = " << p;
  }
}

// The bits themselves, so that another compiler, another machine or a change of the kernels that
// was not meant to change results shows. After one that was meant to, the failures print the new
// lines.
struct Golden {
  double p;
  double norms[4];  // of golden_tensors()
};
const std::vector<Golden> kGolden = {
    {0.1,
     {0x1.ff8a237324451p+67, 0x1.637c86f990904p+68, 0x1.eb870d7e5f00ep+129,
      0x1.e831b23a24facp+129}},
    {0.3,
     {0x1.14a2b6e9a9875p+25, 0x1.7655105a805cep+25, 0x1.91e6f316172ep+45, 0x1.972f5c9c32b56p+45}},
    {0.5,
     {0x1.3fed8b9a8f237p+17, 0x1.982f6399718fdp+17, 0x1.80777def33939p+29, 0x1.89675f1b7daeep+29}},
    {0.7,
     {0x1.3ae5698308cfcp+14, 0x1.7b705a423db8cp+14, 0x1.02bf2f7cde06bp+23, 0x1.09b1e525912d6p+23}},
    {1, {0x1.2faee3fe6cp+12, 0x1.579505f2adc12p+12, 0x1.3b4b58ed7e598p+18, 0x1.440659ccaa65ap+18}},
    {1.5,
     {0x1.c8c1bdb301986p+10, 0x1.e67fdafda8cadp+10, 0x1.c3d782d8eef88p+14, 0x1.cfcaad0388b46p+14}},
    {2,
     {0x1.296c7bc7c1017p+10, 0x1.3236d8199fea5p+10, 0x1.1f33fcb29b841p+13, 0x1.26525aac16c42p+13}},
    {2.5,
     {0x1.d80515ae29d8cp+9, 0x1.db372a791278bp+9, 0x1.285ebd7248126p+12, 0x1.2f3b279554e62p+12}},
    {2.7,
     {0x1.bab9d50b998efp+9, 0x1.ba96c9c7bb15dp+9, 0x1.e96c5733706f3p+11, 0x1.f473fd6abc1c7p+11}},
    {3, {0x1.99f108d3a01b7p+9, 0x1.96141500d7922p+9, 0x1.827f52e85d286p+11, 0x1.8ae003ab37cf6p+11}},
    {4, {0x1.5d97e950326acp+9, 0x1.52b1f8371d12ap+9, 0x1.cd7397b7856dfp+10, 0x1.d662d84ad1ac9p+10}},
    {5.3,
     {0x1.3b1d97968009fp+9, 0x1.2be202a52fa42p+9, 0x1.40def611e6df2p+10, 0x1.467272962937cp+10}},
    {7, {0x1.25f65345c3e86p+9, 0x1.13cc4cd747ddap+9, 0x1.eec09b8c7ca14p+9, 0x1.f68c2bbe5cb28p+9}},
    {8, {0x1.1eb5169fe6e2cp+9, 0x1.0b70d992caa53p+9, 0x1.c080f479d28e5p+9, 0x1.c742f101ff19ep+9}},
    {10, {0x1.157f0f5fd2a73p+9, 0x1.00b00dba24e22p+9, 0x1.8865629a020d3p+9, 0x1.8de2f32941cb7p+9}},
    {50, {0x1.00e5c75c93453p+9, 0x1.cf3a5d7c3748ap+8, 0x1.0db0d75ff9735p+9, 0x1.0f88bf533350fp+9}},
    {66.6,
     {0x1.000249a9a45bcp+9, 0x1.cd68bb10e374ap+8, 0x1.08f48980f16e8p+9, 0x1.0a7c9aefe595fp+9}},
    {1000, {0x1.fb1c77353e9a6p+8, 0x1.ca0f8f6078546p+8, 0x1.ff824d8d6e0fdp+8, 0x1.00007eeb9a85p+9}},
};

// Few elements, whose sum shows a change of the order of additions best; and a whole block with one
// that ends amid every level of the tree.
Tensors golden_tensors() {
  constexpr size_t kFew = 100, kMany = kBlockElements + 3333;
  Random random(104);
  return {random.numbers<float>(kFew, -8, 8), random.numbers<double>(kFew, -8, 8),
          random.numbers<float>(kMany, -8, 8), random.numbers<double>(kMany, -8, 8)};
}

TEST(Norm, HasTheSameBitsOnEveryMachine) {
  const Tensors tensors = golden_tensors();
  for (const Golden& golden : kGolden) {
    bool same = true;
    std::string line;
    for (size_t i = 0; i < tensors.size(); ++i) {
      const double norm = norm_of({tensors[i]}, golden.p);
      same = same && same_bits(norm, golden.norms[i]);
      line += (i == 0 ? "" : ", ") + hex(norm);
      std::visit([&](const auto& x) { EXPECT_TRUE(norm_is_right(x, golden.p)); }, tensors[i]);
    }
    EXPECT_TRUE(same) << "{" << golden.p << ", {" << line << "}},";
  }
}

}  // namespace
}  // namespace gradnorm::testing
