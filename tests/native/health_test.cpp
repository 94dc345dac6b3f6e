// tests/native/health_test.cpp: counts, largest and mean magnitude (src/health.hpp), against a sum
// in long double; and the same bits for every cut and order.
//
// The buffers around the elements are poisoned; with -DGRADNORM_SANITIZE=ON the elements also end
// where their allocation ends.
#include "health.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "compare.hpp"
#include "identical.hpp"
#include "kernels.hpp"
#include "random.hpp"
#include "reference.hpp"

namespace gradnorm::testing {
namespace {

struct Expected {
  double elements = 0;
  double zeros = 0;
  double nans = 0;
  double infinities = 0;
  double first_nonfinite = -1;
  double largest = 0;
  long double mean = 0;
};

// The mean in parts of the largest, which neither overflow nor, where they count, underflow.
template <class T>
Expected expected_of(const std::vector<T>& x) {
  Expected result;
  for (const T element : x) {
    const bool finite = std::isfinite(element);
    if (!finite && result.first_nonfinite < 0) result.first_nonfinite = result.elements;
    result.nans += std::isnan(element);
    result.infinities += std::isinf(element);
    result.zeros += element == 0;
    if (finite) result.largest = std::max<double>(result.largest, std::fabs(element));
    ++result.elements;
  }
  if (result.largest == 0) return result;
  LongSum parts;
  for (const T element : x) {
    if (std::isfinite(element)) {
      parts.add(std::fabs(static_cast<long double>(element)) / result.largest);
    }
  }
  result.mean =
      result.largest * (parts.value() / (result.elements - result.nans - result.infinities));
  return result;
}

::testing::AssertionResult counts_are(const Health& health, const Expected& expected) {
  const std::pair<double, double> pairs[] = {{health.elements(), expected.elements},
                                             {health.zeros(), expected.zeros},
                                             {health.nans(), expected.nans},
                                             {health.infinities(), expected.infinities},
                                             {health.first_nonfinite(), expected.first_nonfinite},
                                             {health.largest(), expected.largest}};
  const char* const names[] = {"elements",   "zeros",           "nans",
                               "infinities", "first_nonfinite", "largest"};
  for (size_t i = 0; i < std::size(pairs); ++i) {
    if (auto result = same_bits(pairs[i].first, pairs[i].second); !result) {
      return result << " as " << names[i];
    }
  }
  return ::testing::AssertionSuccess();
}

::testing::AssertionResult mean_is(const Health& health, const Expected& expected) {
  const long double error = 0x1p-22L + 8 * kReferenceEpsilon;
  return within(health.mean(), expected.mean, error * expected.mean + kSubnormalError);
}

template <class T>
Health health_of(const std::vector<T>& x) {
  Health health;
  health.inspect(x.data(), x.size());
  return health;
}

template <class T>
::testing::AssertionResult health_is_right(const std::vector<T>& x) {
  const Health health = health_of(x);
  const Expected expected = expected_of(x);
  if (auto result = counts_are(health, expected); !result) return result << "; of " << x.size();
  return mean_is(health, expected) << "; of " << x.size();
}

// Lengths about every multiple of a leaf, and about those of a block.
std::vector<size_t> lengths() {
  std::vector<size_t> result;
  for (size_t length = 0; length <= 300; ++length) result.push_back(length);
  for (size_t blocks = 1; blocks <= 3; ++blocks) {
    for (size_t i = 0; i < 3; ++i) result.push_back(blocks * kBlockElements + i - 1);
  }
  return result;
}

template <class T>
void replace_some(Random& random, std::vector<T>& x, T value) {
  if (x.empty()) return;
  for (size_t count = random.below(x.size() / 2 + 2); count > 0; --count) {
    x[random.below(x.size())] = value;
  }
}

template <class T>
class HealthOf : public ::testing::Test {
 protected:
  using Limits = std::numeric_limits<T>;
  static constexpr int kSmallest = Limits::min_exponent - Limits::digits;
  static constexpr int kLargest = Limits::max_exponent - 1;

  // The same numbers without and with zeros of both signs, infinities and NaN among them.
  static void expect_right_with_and_without_offenders(Random& random, std::vector<T> x) {
    EXPECT_TRUE(health_is_right(x));
    replace_some(random, x, T{-0.0});
    replace_some(random, x, T{0});
    EXPECT_TRUE(health_is_right(x));
    replace_some(random, x, -Limits::infinity());
    EXPECT_TRUE(health_is_right(x));
    replace_some(random, x, Limits::quiet_NaN());
    EXPECT_TRUE(health_is_right(x));
  }
  static void expect_right_for_every_length(uint64_t seed, int lowest, int highest) {
    Random random(seed);
    for (const size_t length : lengths()) {
      expect_right_with_and_without_offenders(random, random.numbers<T>(length, lowest, highest));
    }
  }
};
using FloatingPointTypes = ::testing::Types<float, double>;
TYPED_TEST_SUITE(HealthOf, FloatingPointTypes);

TYPED_TEST(HealthOf, NumbersIsExactAndTheMeanWithin2ToTheMinus22) {
  TestFixture::expect_right_for_every_length(301, -8, 8);
}
TYPED_TEST(HealthOf, NumbersOfAllSizesIsExactAndTheMeanWithin2ToTheMinus22) {
  TestFixture::expect_right_for_every_length(302, TestFixture::kSmallest, TestFixture::kLargest);
}
TYPED_TEST(HealthOf, SubnormalsIsExactAndTheMeanWithin2ToTheMinus22) {
  TestFixture::expect_right_for_every_length(303, TestFixture::kSmallest,
                                             TestFixture::Limits::min_exponent - 2);
}
TYPED_TEST(HealthOf, HugeNumbersIsExactAndTheMeanWithin2ToTheMinus22) {
  TestFixture::expect_right_for_every_length(304, TestFixture::kLargest, TestFixture::kLargest);
}

// Where sums in double come near the ends of the range, and magnitudes change hands.
TEST(Health, OfDoublesIsRightAboutEveryThreshold) {
  Random random(305);
  for (const int exponent : {-1022, -901, -900, -644, 644, 888, 899, 900, 1012}) {
    for (const size_t length : {1, 2, 7, 100, 4096, 5000}) {
      EXPECT_TRUE(health_is_right(random.numbers<double>(length, exponent - 2, exponent + 1)));
      EXPECT_TRUE(health_is_right(random.numbers<double>(length, exponent - 60, exponent + 11)));
    }
  }
}

// Some of all three sizes in one block, none of which may be lost: the small ones count where there
// are no others, the large ones alone if there are.
TEST(Health, OfDoublesOfThreeSizesIsRight) {
  for (const double small : {0.0, 0x1p-1074, 0x1.8p-902}) {
    for (const double medium : {0.0, 0x1p-900, 1.5, 0x1p900}) {
      for (const double large : {0.0, 0x1.8p900, 0x1.8p1023}) {
        EXPECT_TRUE(health_is_right<double>({small, -medium, large, -small, medium, -large}));
      }
    }
  }
}

// Among them the largest of all: the sum of many is beyond the range, their mean is not.
TYPED_TEST(HealthOf, EqualMagnitudesHasAMeanWithin2ToTheMinus22OfIt) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const TypeParam x : {Limits::max(), Limits::denorm_min(), Limits::min(), TypeParam(0.1),
                            TypeParam(-1.7), Limits::min() - Limits::denorm_min()}) {
    for (const size_t length : lengths()) {
      EXPECT_TRUE(health_is_right(std::vector<TypeParam>(length, x)));
    }
    EXPECT_TRUE(health_is_right(std::vector<TypeParam>(100'000, x)));
  }
}

// Every position is added once and only once.
TYPED_TEST(HealthOf, EqualPowersOfTwoHasThatMeanExactly) {
  for (const int exponent : {TestFixture::kSmallest, -3, 0, TestFixture::kLargest}) {
    const auto x = static_cast<TypeParam>(std::ldexp(-1.0, exponent));
    for (const size_t length : lengths()) {
      if (length == 0) continue;
      const Health health = health_of(std::vector<TypeParam>(length, x));
      EXPECT_TRUE(same_bits(health.mean(), std::fabs(x))) << length;
    }
  }
}

TYPED_TEST(HealthOf, AnOffenderIsFoundAtEveryPosition) {
  using Limits = std::numeric_limits<TypeParam>;
  std::vector<TypeParam> x(2 * kBlockElements + 9, TypeParam(2));
  for (size_t i = 0; i < x.size(); i += i % kBlockElements < 70 ? 1 : 61) {
    for (const TypeParam offender : {Limits::quiet_NaN(), -Limits::infinity(), Limits::infinity(),
                                     TypeParam{-0.0}, TypeParam{3}}) {
      x[i] = offender;
      EXPECT_TRUE(health_is_right(x)) << "; position " << i << ", " << offender;
    }
    x[i] = 2;
  }
}

TYPED_TEST(HealthOf, TheFirstOffenderIsTheFirstOfEitherKind) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const size_t second : {1, 2, 63, 64, 4095, 4096, 9000}) {
    std::vector<TypeParam> x(9001, TypeParam(1));
    x[0] = Limits::infinity();
    x[second] = Limits::quiet_NaN();
    EXPECT_TRUE(same_bits(health_of(x).first_nonfinite(), 0)) << second;
    std::swap(x[0], x[second]);
    EXPECT_TRUE(same_bits(health_of(x).first_nonfinite(), 0)) << second;
    x[0] = 1;
    EXPECT_TRUE(same_bits(health_of(x).first_nonfinite(), static_cast<double>(second))) << second;
  }
}

TYPED_TEST(HealthOf, NothingButOffendersOrZerosHasZeroAsMeanAndLargest) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const size_t length : {1, 2, 15, 16, 17, 4097}) {
    for (const TypeParam x : {Limits::quiet_NaN(), -Limits::infinity(), TypeParam{-0.0}}) {
      const Health health = health_of(std::vector<TypeParam>(length, x));
      EXPECT_TRUE(same_bits(health.largest(), 0)) << x;
      EXPECT_TRUE(same_bits(health.mean(), 0)) << x;
    }
  }
}

// The elements in the middle of NaNs, from 0 to 7 of them before.
TYPED_TEST(HealthOf, WhatLiesAroundTheElementsDoesNotCount) {
  Random random(306);
  for (const size_t length : lengths()) {
    const auto x = random.numbers<TypeParam>(length, -8, 8);
    const Health expected = health_of(x);
    std::vector<TypeParam> buffer(length + 64);
    for (size_t offset = 0; offset < 8; ++offset) {
      std::fill(buffer.begin(), buffer.end(), std::numeric_limits<TypeParam>::quiet_NaN());
      std::copy(x.begin(), x.end(), buffer.begin() + static_cast<std::ptrdiff_t>(offset));
      Health health;
      health.inspect(buffer.data() + offset, length);
      EXPECT_TRUE(identical(health, expected)) << "; length " << length << ", offset " << offset;
    }
  }
}

template <class T>
std::vector<std::vector<T>> cut_at_blocks(Random& random, const std::vector<T>& x) {
  std::vector<std::vector<T>> pieces;
  for (size_t start = 0; start < x.size();) {
    const size_t end = std::min(x.size(), start + kBlockElements * (1 + random.below(3)));
    pieces.emplace_back(&x[start], &x[start] + (end - start));
    start = end;
  }
  return pieces;
}

// With and without offenders, in one block or in several.
template <class T>
std::vector<std::vector<T>> tensors_to_cut(Random& random) {
  using Limits = std::numeric_limits<T>;
  std::vector<std::vector<T>> result;
  for (const size_t length : {1, 4096, 4097, 20'000, 40'001}) {
    auto x = random.numbers<T>(length, Limits::min_exponent, Limits::max_exponent - 1);
    result.push_back(x);
    x[random.below(length)] = Limits::infinity();
    x[random.below(length)] = Limits::quiet_NaN();
    replace_some(random, x, T{0});
    result.push_back(x);
  }
  return result;
}

TYPED_TEST(HealthOf, AnyCutAtBlocksGivesTheSameBits) {
  Random random(307);
  for (const auto& x : tensors_to_cut<TypeParam>(random)) {
    for (int round = 0; round < 10; ++round) {
      Health health;
      for (const auto& piece : cut_at_blocks(random, x)) {
        health.inspect(piece.data(), piece.size());
      }
      EXPECT_TRUE(identical(health, health_of(x))) << "; length " << x.size();
    }
  }
}

// Joined in a random tree, whose order has no say in anything but the position.
Health merge_by_random_tree(Random& random, std::vector<Health> healths) {
  while (healths.size() > 1) {
    random.shuffle(healths);
    const Health last = healths.back();
    healths.pop_back();
    healths.back().merge(last);
  }
  return healths.front();
}

TYPED_TEST(HealthOf, AnyOrderAndAnyTreeOfMergesGivesTheSameBits) {
  Random random(308);
  for (const auto& x : tensors_to_cut<TypeParam>(random)) {
    const Health expected = health_of(x);
    for (int round = 0; round < 10; ++round) {
      std::vector<Health> healths(1);
      for (const auto& piece : cut_at_blocks(random, x)) healths.push_back(health_of(piece));
      const Health merged = merge_by_random_tree(random, healths);
      Expected counts = expected_of(x);
      counts.first_nonfinite = merged.first_nonfinite();
      EXPECT_TRUE(counts_are(merged, counts));
      EXPECT_TRUE(same_bits(merged.mean(), expected.mean()));
    }
  }
}

TEST(Health, OfFloatsAndDoublesMergesToTheSameBitsInEitherOrder) {
  Random random(309);
  const Health a = health_of(random.numbers<float>(5000, -99, 99));
  const Health b = health_of(random.numbers<double>(5000, -99, 999));
  Health ab = a, ba = b;
  ab.merge(b);
  ba.merge(a);
  EXPECT_TRUE(identical(ab, ba));
  EXPECT_TRUE(same_bits(ab.elements(), 10'000));
}

TEST(Health, OfNothingIsAllZerosAndMergingItChangesNothing) {
  const Health empty;
  EXPECT_TRUE(counts_are(empty, Expected()));
  EXPECT_TRUE(same_bits(empty.mean(), 0));
  const Health full = health_of<float>({1, 0, -3, std::numeric_limits<float>::quiet_NaN()});
  Health merged = full;
  merged.merge(empty);
  EXPECT_TRUE(identical(merged, full));
  merged.inspect(static_cast<const double*>(nullptr), 0);
  EXPECT_TRUE(identical(merged, full));
}

TEST(Health, MergingLeavesTheFirstOffenderWhereItWas) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Health healthy = health_of<float>({1, 2}), ill = health_of<float>({1, 2, nan});
  Health health = healthy;
  health.merge(ill);
  EXPECT_TRUE(same_bits(health.first_nonfinite(), -1));
  health = ill;
  health.merge(health_of<float>({nan}));
  EXPECT_TRUE(same_bits(health.first_nonfinite(), 2));
  EXPECT_TRUE(same_bits(health.nans(), 2));
}

}  // namespace
}  // namespace gradnorm::testing
