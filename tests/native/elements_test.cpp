// tests/native/elements_test.cpp: widening and narrowing of the element types (src/elements.hpp),
// in every lane of a vector, against formats.hpp.
#include "elements.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "bits.hpp"
#include "compare.hpp"
#include "formats.hpp"
#include "random.hpp"

namespace gradnorm::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kLargest = std::numeric_limits<double>::max();
constexpr size_t kLanes = 4;

constexpr size_t round_up(size_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

// The items from the given lane on, with others before and behind them.
template <class Item>
std::vector<Item> shifted_to(size_t lane, const std::vector<Item>& items) {
  std::vector<Item> result(lane, items.back());
  result.insert(result.end(), items.begin(), items.end());
  result.resize(round_up(result.size()), items.front());
  return result;
}

template <class Element>
using Bits = std::conditional_t<sizeof(Element) == 1, uint8_t,
                                std::conditional_t<sizeof(Element) == 2, uint16_t, uint32_t>>;

template <class Element>
std::vector<Element> every_pattern() {
  std::vector<Element> result(size_t{1} << 8 * sizeof(Element));
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = bits_as<Element>(static_cast<Bits<Element>>(i));
  }
  return result;
}

template <class Element>
void expect_widened_exactly(const std::vector<Element>& x) {
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const auto from = shifted_to(lane, x);
    std::vector<Widened<Element>> to(from.size());
    widen_all(from.data(), from.size(), to.data());
    for (size_t i = 0; i < from.size(); ++i) {
      EXPECT_TRUE(same_bits(to[i], value_of(from[i]))) << "lane " << i % kLanes;
    }
  }
}

template <class Element>
class SmallElements : public ::testing::Test {};
using SmallTypes = ::testing::Types<Float16, BFloat16, int8_t, uint8_t, int16_t, uint16_t>;
TYPED_TEST_SUITE(SmallElements, SmallTypes);

// In order, neighbours in a vector are alike; shuffled, they are of all kinds.
TYPED_TEST(SmallElements, OfEveryPatternAreWidenedExactlyInEveryLane) {
  auto patterns = every_pattern<TypeParam>();
  expect_widened_exactly(patterns);
  Random random(201);
  random.shuffle(patterns);
  expect_widened_exactly(patterns);
}

template <class Integer>
class WideIntegers : public ::testing::Test {};
using WideTypes = ::testing::Types<int32_t, uint32_t>;
TYPED_TEST_SUITE(WideIntegers, WideTypes);

TYPED_TEST(WideIntegers, AreWidenedExactlyInEveryLane) {
  std::vector<TypeParam> x;
  for (const uint32_t edge : {0u, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFFFu, 1u << 24, 1u << 25}) {
    for (uint32_t i = 0; i < 5; ++i) x.push_back(static_cast<TypeParam>(edge + i - 2));
  }
  Random random(202);
  for (int i = 0; i < 10'000; ++i) x.push_back(static_cast<TypeParam>(random.bits()));
  expect_widened_exactly(x);
}

template <class Element>
class AllElements : public ::testing::Test {};
using AllTypes = ::testing::Types<Float16, BFloat16, int8_t, uint8_t, int16_t, uint16_t, int32_t,
                                  uint32_t, float>;
TYPED_TEST_SUITE(AllElements, AllTypes);

// The elements end where their allocation ends, for the sanitizers; what is written is poisoned
// beyond.
TYPED_TEST(AllElements, AreWidenedUpToAMultipleOfFourAndNoFurther) {
  Random random(203);
  for (size_t count = 0; count <= 70; ++count) {
    std::vector<TypeParam> x(round_up(count));
    for (auto& element : x)
      element = bits_as<TypeParam>(static_cast<Bits<TypeParam>>(random.bits()));
    std::vector<Widened<TypeParam>> to(x.size() + 8, -7);
    widen_all(x.data(), count, to.data());
    for (size_t i = 0; i < count; ++i) EXPECT_TRUE(same_bits(to[i], value_of(x[i]))) << i;
    for (size_t i = x.size(); i < to.size(); ++i) EXPECT_TRUE(same_bits(to[i], -7)) << i;
  }
}

// A number, and the value that narrowing must give it.
struct Case {
  double x;
  double expected;
};

template <class Element>
std::vector<Element> narrow_all(const std::vector<double>& x) {
  std::vector<Element> result(x.size());
  for (size_t i = 0; i < x.size(); i += kLanes) {
    narrow({load_vector(&x[i]), load_vector(&x[i + 2])}, &result[i]);
  }
  return result;
}

// Of both signs, in every lane.
template <class Element>
void expect_narrowed(const std::vector<Case>& cases) {
  std::vector<Case> all = cases;
  for (const Case& c : cases) all.push_back({-c.x, -c.expected});
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const auto shifted = shifted_to(lane, all);
    std::vector<double> x;
    for (const Case& c : shifted) x.push_back(c.x);
    const auto narrowed = narrow_all<Element>(x);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_TRUE(same_bits(value_of(narrowed[i]), shifted[i].expected))
          << "for " << hex(x[i]) << " in lane " << i % kLanes;
    }
  }
}

template <class Element>
class Narrowing : public ::testing::Test {
 protected:
  static constexpr FormatSpec kSpec = FormatOf<Element>::kSpec;
  static constexpr uint32_t kInfinityBits =
      static_cast<uint32_t>(kSpec.largest_exponent - kSpec.smallest_exponent + 2)
      << kSpec.fraction_bits;

  static double value(uint32_t bits) {
    return value_of(bits_as<Element>(static_cast<Bits<Element>>(bits)));
  }

  // The bits of every magnitude below infinity; of floats, those about the borders and random ones.
  static std::vector<uint32_t> finite_magnitudes() {
    std::vector<uint32_t> result;
    if (sizeof(Element) == 2) {
      for (uint32_t bits = 0; bits < kInfinityBits; ++bits) result.push_back(bits);
      return result;
    }
    const uint32_t smallest_normal = uint32_t{1} << kSpec.fraction_bits;
    for (uint32_t i = 0; i < 100; ++i) {
      result.insert(result.end(), {i, smallest_normal - 50 + i, kInfinityBits - 1 - i});
    }
    Random random(204);
    for (int i = 0; i < 50'000; ++i) {
      result.push_back(static_cast<uint32_t>(random.below(kInfinityBits)));
    }
    return result;
  }

  // Halfway to the next magnitude; infinity counts as the power of two that it stands for.
  static double midpoint_above(uint32_t bits) {
    const bool last = bits + 1 == kInfinityBits;
    return (value(bits) + (last ? std::ldexp(1.0, kSpec.largest_exponent + 1) : value(bits + 1))) /
           2;
  }
};
using WritableTypes = ::testing::Types<Float16, BFloat16, float>;
TYPED_TEST_SUITE(Narrowing, WritableTypes);

TYPED_TEST(Narrowing, LeavesValuesOfTheTypeAsTheyAre) {
  std::vector<Case> cases = {{kInfinity, kInfinity}, {kNaN, kNaN}};
  for (const uint32_t bits : TestFixture::finite_magnitudes()) {
    cases.push_back({TestFixture::value(bits), TestFixture::value(bits)});
  }
  expect_narrowed<TypeParam>(cases);
}

TYPED_TEST(Narrowing, RoundsMidpointsToEvenAndTheirNeighboursToTheNearest) {
  std::vector<Case> cases;
  for (const uint32_t bits : TestFixture::finite_magnitudes()) {
    const double middle = TestFixture::midpoint_above(bits);
    const double below = TestFixture::value(bits), above = TestFixture::value(bits + 1);
    cases.push_back({middle, bits % 2 == 0 ? below : above});
    cases.push_back({std::nextafter(middle, 0), below});
    cases.push_back({std::nextafter(middle, kInfinity), above});
  }
  expect_narrowed<TypeParam>(cases);
}

TYPED_TEST(Narrowing, RoundsDoublesOfAllExponentsToTheNearest) {
  Random random(205);
  std::vector<Case> cases;
  const auto add = [&](double x) { cases.push_back({x, nearest<TypeParam>(x)}); };
  constexpr FormatSpec kSpec = TestFixture::kSpec;
  for (int i = 0; i < 50'000; ++i) {
    add(random.magnitude<double>(-1074, 1023));
    add(random.magnitude<double>(kSpec.smallest_exponent, kSpec.largest_exponent + 1));
    add(random.magnitude<double>(kSpec.smallest_exponent - kSpec.fraction_bits - 3,
                                 kSpec.smallest_exponent));
  }
  expect_narrowed<TypeParam>(cases);
}

// From the smallest double up to half the smallest subnormal, whose even neighbour is zero; and
// from the overflow on.
TYPED_TEST(Narrowing, TurnsTinyNumbersToZerosOfTheirSignAndHugeOnesToInfinities) {
  constexpr FormatSpec kSpec = TestFixture::kSpec;
  const double smallest = std::ldexp(1.0, kSpec.smallest_exponent - kSpec.fraction_bits);
  std::vector<Case> cases = {{0, 0}};
  for (double x = 0x1p-1074; x <= smallest / 2; x *= 2) cases.push_back({x, 0});
  for (double x = smallest; x < 2; x *= 2) cases.push_back({x, x});
  for (int exponent = kSpec.largest_exponent + 1; exponent <= 1023; ++exponent) {
    cases.push_back({std::ldexp(1.0, exponent), kInfinity});
    cases.push_back({std::ldexp(0x1.fffffffffffffp0, exponent), kInfinity});
  }
  expect_narrowed<TypeParam>(cases);
}

TYPED_TEST(Narrowing, KeepsEveryNaN) {
  const std::vector<uint64_t> payloads = {1,
                                          uint64_t{1} << 29,
                                          uint64_t{1} << 42,
                                          uint64_t{1} << 51,
                                          (uint64_t{1} << 51) - 1,
                                          (uint64_t{1} << 52) - 1};
  for (const uint64_t payload : payloads) {
    for (const uint64_t sign : {uint64_t{0}, uint64_t{1} << 63}) {
      // As bits: a conversion would make a signalling NaN quiet.
      const auto bits = bits_as<int64_t>(sign | 0x7FF0000000000000 | payload);
      TypeParam narrowed[kLanes];
      narrow({as_doubles(splat(bits)), as_doubles(splat(bits))}, narrowed);
      for (const TypeParam x : narrowed) EXPECT_TRUE(std::isnan(value_of(x))) << std::hex << bits;
    }
  }
}

TEST(NarrowingToFloat16, OverflowsFrom65520OnAndUnderflowsUpTo2ToTheMinus25) {
  expect_narrowed<Float16>({{65504, 65504},
                            {std::nextafter(65520, 0), 65504},
                            {65520, kInfinity},
                            {65536, kInfinity},
                            {kLargest, kInfinity},
                            {0x1p-25, 0},
                            {std::nextafter(0x1p-25, 1), 0x1p-24},
                            {0x1.8p-24, 0x1p-23},
                            {std::nextafter(0x1.ffcp-15, 0), 0x1.ff8p-15},
                            {0x1.ffcp-15, 0x1p-14},
                            {0x1p-1074, 0}});
}

TEST(NarrowingToBFloat16, OverflowsAndUnderflowsHalfAUnitBeyondItsRange) {
  expect_narrowed<BFloat16>({{0x1.fep127, 0x1.fep127},
                             {std::nextafter(0x1.ffp127, 0), 0x1.fep127},
                             {0x1.ffp127, kInfinity},
                             {0x1p128, kInfinity},
                             {kLargest, kInfinity},
                             {0x1p-134, 0},
                             {std::nextafter(0x1p-134, 1), 0x1p-133},
                             {0x1.8p-133, 0x1p-132},
                             {0x1p-1074, 0}});
}

template <class Half>
class Halves : public ::testing::Test {};
using HalfTypes = ::testing::Types<Float16, BFloat16>;
TYPED_TEST_SUITE(Halves, HalfTypes);

TYPED_TEST(Halves, OfEveryPatternComeBackFromWideningBitForBitAndNaNAsNaN) {
  const auto patterns = every_pattern<TypeParam>();
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const auto x = shifted_to(lane, patterns);
    std::vector<TypeParam> back(x.size());
    for (size_t i = 0; i < x.size(); i += kLanes) narrow(promote(widen(&x[i])), &back[i]);
    for (size_t i = 0; i < x.size(); ++i) {
      const bool nans = std::isnan(value_of(x[i])) && std::isnan(value_of(back[i]));
      EXPECT_TRUE(nans || back[i].bits == x[i].bits)
          << std::hex << x[i].bits << " came back as " << back[i].bits;
    }
  }
}

}  // namespace
}  // namespace gradnorm::testing
