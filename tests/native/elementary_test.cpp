// tests/native/elementary_test.cpp: log2 and exp2 (src/elementary.hpp) against long double, within
// the bounds stated there.
#include "elementary.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>

#include "compare.hpp"
#include "random.hpp"
#include "reference.hpp"

namespace gradnorm::testing {
namespace {

constexpr int kRandomNumbers = 100'000;

// The bounds of elementary.hpp. 2^-31.4 and 2^-28.7 are rounded up in their 6th digit.
constexpr long double kFullBound = 0x1p-51L;
constexpr long double kShortLogBound = 0x1p-31L * 0.757859L;
constexpr long double kShortExpBound = 0x1p-28L * 0.615573L;

// The long double functions err by up to one unit in the last place of a number up to 1.
constexpr long double kReferenceError = 2 * kReferenceEpsilon;

ScalarLog2 lane_of(const Log2& log, int lane) {
  if (lane == 0) return {lane0(log.exponent), lane0(log.fraction)};
  return {lane1(log.exponent), lane1(log.fraction)};
}

// The exponent is whole, the fraction at most 1/2 in magnitude, and right within the bound.
::testing::AssertionResult is_log2(ScalarLog2 log, double x, long double bound) {
  if (log.exponent != std::floor(log.exponent) || !(std::fabs(log.fraction) <= 0.5 + bound)) {
    return ::testing::AssertionFailure() << hex(log.exponent) << " + " << hex(log.fraction)
                                         << " is not in normal form; x = " << hex(x);
  }
  // Scaling by a power of two is exact, so the reference is of a number near 1 and loses nothing.
  const long double mantissa =
      std::ldexp(static_cast<long double>(x), -static_cast<int>(log.exponent));
  return within(log.fraction, std::log2(mantissa), bound + kReferenceError) << "; x = " << hex(x);
}

::testing::AssertionResult is_exp2(double actual, double t, long double bound) {
  // 2^whole is exact, so the reference loses nothing to a large t.
  const double whole = std::floor(t);
  const long double expected =
      std::ldexp(std::exp2(static_cast<long double>(t - whole)), static_cast<int>(whole));
  return within(actual, expected, (bound + kReferenceError) * expected) << "; t = " << hex(t);
}

template <Precision kPrecision>
::testing::AssertionResult normal_log2_is_right(double x, double y, long double bound) {
  const double pair[2] = {x, y};
  const Log2 log = log2_of_normal<kPrecision>(load_vector(pair));
  if (auto result = is_log2(lane_of(log, 0), x, bound); !result) return result;
  return is_log2(lane_of(log, 1), y, bound);
}

TEST(Log2, IsWithinItsBoundForEveryExponent) {
  Random random(11);
  for (int exponent = -1022; exponent <= 1023; ++exponent) {
    for (int i = 0; i < 16; ++i) {
      const double x = random.magnitude<double>(exponent, exponent);
      const double y = random.magnitude<double>(exponent, exponent);
      EXPECT_TRUE(normal_log2_is_right<Precision::kFull>(x, y, kFullBound));
      EXPECT_TRUE(normal_log2_is_right<Precision::kShort>(x, y, kShortLogBound));
      EXPECT_TRUE(is_log2(log2_of(x), x, kFullBound));
    }
  }
}

TEST(Log2, IsWithinItsBoundForRandomMantissas) {
  Random random(12);
  for (int i = 0; i < kRandomNumbers; ++i) {
    const double x = random.magnitude<double>(-1, 0), y = random.magnitude<double>(-1, 0);
    ASSERT_TRUE(normal_log2_is_right<Precision::kFull>(x, y, kFullBound));
    ASSERT_TRUE(normal_log2_is_right<Precision::kShort>(x, y, kShortLogBound));
  }
}

// The polynomials are worst at the ends of their interval and the fraction changes sign in its
// middle.
TEST(Log2, IsWithinItsBoundAroundOneAndTheSquareRootOfAHalf) {
  for (const double centre : {std::sqrt(0.5), 1.0, std::sqrt(2.0)}) {
    double below = centre, above = centre;
    for (int i = 0; i < 1000; ++i) {
      EXPECT_TRUE(normal_log2_is_right<Precision::kFull>(below, above, kFullBound));
      EXPECT_TRUE(normal_log2_is_right<Precision::kShort>(below, above, kShortLogBound));
      below = std::nextafter(below, 0);
      above = std::nextafter(above, 2);
    }
  }
}

TEST(Log2, OfSubnormalsIsAsGood) {
  Random random(13);
  for (int exponent = -1074; exponent < -1022; ++exponent) {
    for (int i = 0; i < 100; ++i) {
      const double x = random.magnitude<double>(exponent, exponent);
      EXPECT_TRUE(is_log2(log2_of(x), x, kFullBound));
      const Log2 full = log2_of<Precision::kFull>(splat(x));
      EXPECT_TRUE(is_log2(lane_of(full, 1), x, kFullBound));
      const Log2 cut = log2_of<Precision::kShort>(splat(x));
      EXPECT_TRUE(is_log2(lane_of(cut, 0), x, kShortLogBound));
    }
  }
  for (const double x : {0x1p-1074, 0x1.fffffffffffffp-1023, 0x1p-1022, 0x1.fffffffffffffp1023}) {
    EXPECT_TRUE(is_log2(log2_of(x), x, kFullBound));
  }
}

TEST(Log2, OfPowersOfTwoIsExact) {
  for (int exponent = -1074; exponent <= 1023; ++exponent) {
    const ScalarLog2 log = log2_of(std::ldexp(1.0, exponent));
    EXPECT_TRUE(same_bits(log.exponent, exponent + 0.0));
    EXPECT_EQ(log.fraction, 0) << "2^" << exponent;
    if (exponent < -1022) continue;
    const Log2 cut = log2_of_normal<Precision::kShort>(splat(std::ldexp(1.0, exponent)));
    EXPECT_TRUE(same_bits(lane0(cut.exponent), exponent + 0.0));
    EXPECT_EQ(lane0(cut.fraction), 0) << "2^" << exponent;
  }
}

TEST(Log2, OfZeroIsFinite) {
  EXPECT_TRUE(std::isfinite(log2_of(0.0).exponent + log2_of(0.0).fraction));
  const Log2 cut = log2_of_normal<Precision::kShort>(splat(0.0));
  // The zeros of ShortRelativePower rely on this: 873 below the smallest float32.
  EXPECT_LE(lane0(cut.exponent) + lane0(cut.fraction), -149.0 - 873.0);
}

TEST(Exp2, IsWithinItsBoundForEveryWholePart) {
  Random random(14);
  for (int whole = -1022; whole <= 1022; ++whole) {
    for (int i = 0; i < 16; ++i) {
      const double t = std::fmin(1022, whole + (random.magnitude<double>(0, 0) - 1));
      EXPECT_TRUE(is_exp2(exp2_of(t), t, kFullBound));
      EXPECT_TRUE(is_exp2(lane1(exp2_of<Precision::kFull>(splat(t))), t, kFullBound));
      EXPECT_TRUE(is_exp2(lane0(exp2_of<Precision::kShort>(splat(t))), t, kShortExpBound));
    }
  }
}

TEST(Exp2, IsWithinItsBoundForRandomFractions) {
  Random random(15);
  for (int i = 0; i < kRandomNumbers; ++i) {
    const double t = random.number<double>(-60, -1) + (random.coin() ? 0.5 : 0);
    ASSERT_TRUE(is_exp2(exp2_of(t), t, kFullBound));
    ASSERT_TRUE(is_exp2(lane0(exp2_of<Precision::kShort>(splat(t))), t, kShortExpBound));
  }
}

TEST(Exp2, IsWithinItsBoundWhereTheRoundingChangesSides) {
  for (const double centre : {-1021.5, -3.5, -0.5, 0.5, 2.5, 1021.5}) {
    double below = centre, above = centre;
    for (int i = 0; i < 1000; ++i) {
      for (const double t : {below, above}) {
        EXPECT_TRUE(is_exp2(exp2_of(t), t, kFullBound));
        EXPECT_TRUE(is_exp2(lane0(exp2_of<Precision::kShort>(splat(t))), t, kShortExpBound));
      }
      below = std::nextafter(below, -2000);
      above = std::nextafter(above, 2000);
    }
  }
}

TEST(Exp2, OfWholeNumbersIsExact) {
  for (int t = -1022; t <= 1022; ++t) {
    EXPECT_TRUE(same_bits(exp2_of(t), std::ldexp(1.0, t)));
    EXPECT_TRUE(same_bits(lane0(exp2_of<Precision::kShort>(splat(double(t)))), std::ldexp(1.0, t)));
  }
}

TEST(Exp2, BelowItsDomainIsTwoToTheMinus1022) {
  for (const double t : {-1022.0, -1022.1, -1023.0, -1e4, -1e300}) {
    EXPECT_TRUE(same_bits(lane0(exp2_of<Precision::kFull>(splat(t))), 0x1p-1022)) << hex(t);
    EXPECT_TRUE(same_bits(lane1(exp2_of<Precision::kShort>(splat(t))), 0x1p-1022)) << hex(t);
  }
}

TEST(Exp2, UndoesLog2) {
  Random random(16);
  // log2 errs by 2^-51 and is rounded once more in the sum, by 2^-43 for exponents up to 1022;
  // exp2 multiplies that by ln 2 and adds its own error.
  const long double tolerance = (kFullBound + 0x1p-43L) * 0.6932L + kFullBound;
  for (int i = 0; i < kRandomNumbers; ++i) {
    const double x = random.magnitude<double>(-1021, 1021);
    const ScalarLog2 log = log2_of(x);
    ASSERT_TRUE(within(exp2_of(log.exponent + log.fraction) / x, 1, tolerance)) << hex(x);
  }
}

}  // namespace
}  // namespace gradnorm::testing
