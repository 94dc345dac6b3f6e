// tests/native/tensor_test.cpp: the top of the core (src/tensor.hpp). Every element type reduces as
// its widened elements do, and rewriting agrees with formats.hpp, one element at a time.
//
// What lies behind the elements is poisoned; with -DGRADNORM_SANITIZE=ON their allocation ends at
// the multiple of four that may be read and written.
#include "tensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "bits.hpp"
#include "compare.hpp"
#include "formats.hpp"
#include "identical.hpp"
#include "kernels.hpp"
#include "random.hpp"
#include "reference.hpp"

namespace gradnorm::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

template <class Element>
struct DtypeOf;
template <Dtype kCode>
struct DtypeIs {
  static constexpr Dtype kDtype = kCode;
};
template <>
struct DtypeOf<float> : DtypeIs<Dtype::kFloat32> {};
template <>
struct DtypeOf<double> : DtypeIs<Dtype::kFloat64> {};
template <>
struct DtypeOf<Float16> : DtypeIs<Dtype::kFloat16> {};
template <>
struct DtypeOf<BFloat16> : DtypeIs<Dtype::kBFloat16> {};
template <>
struct DtypeOf<int8_t> : DtypeIs<Dtype::kInt8> {};
template <>
struct DtypeOf<uint8_t> : DtypeIs<Dtype::kUint8> {};
template <>
struct DtypeOf<int16_t> : DtypeIs<Dtype::kInt16> {};
template <>
struct DtypeOf<uint16_t> : DtypeIs<Dtype::kUint16> {};
template <>
struct DtypeOf<int32_t> : DtypeIs<Dtype::kInt32> {};
template <>
struct DtypeOf<uint32_t> : DtypeIs<Dtype::kUint32> {};

// All bits set: NaN in every floating-point type, -1 or the largest number in the others.
template <class Element>
Element poison() {
  Element element;
  std::memset(&element, 0xFF, sizeof element);
  return element;
}

constexpr size_t round_up(size_t count) { return (count + 3) / 4 * 4; }

// With room for a multiple of four.
template <class Element>
std::vector<Element> with_room(std::vector<Element> x) {
  x.resize(round_up(x.size()), poison<Element>());
  return x;
}

template <class Element>
Element random_bits(Random& random) {
  const uint64_t bits = random.bits();
  Element element;
  std::memcpy(&element, &bits, sizeof element);
  return element;
}

// Any finite number, each exponent as likely as any other.
template <class Element>
std::vector<Element> random_elements(Random& random, size_t count) {
  std::vector<Element> result(count);
  for (Element& element : result) {
    do element = random_bits<Element>(random);
    while (!std::isfinite(value_of(element)));
  }
  return result;
}

template <class Element>
std::vector<Element> random_patterns(Random& random, size_t count) {
  std::vector<Element> result(count);
  for (Element& element : result) element = random_bits<Element>(random);
  return result;
}

std::vector<size_t> lengths() {
  std::vector<size_t> result;
  for (size_t length = 0; length <= 70; ++length) result.push_back(length);
  for (size_t blocks = 1; blocks <= 3; ++blocks) {
    for (size_t i = 0; i < 3; ++i) result.push_back(blocks * kBlockElements + i - 1);
  }
  return result;
}

template <class Element>
class Tensors : public ::testing::Test {
 protected:
  static constexpr Dtype kDtype = DtypeOf<Element>::kDtype;
  using Wide =
      std::conditional_t<(sizeof(Element) < 4) || std::is_same_v<Element, float>, float, double>;

  static std::vector<Wide> widened(const std::vector<Element>& x) {
    std::vector<Wide> result;
    for (const Element element : x) result.push_back(static_cast<Wide>(value_of(element)));
    return result;
  }

  static void expect_reduced_as_widened(const std::vector<Element>& x, double p) {
    const Norm norm(p);
    const auto wide = widened(x);
    Partial expected, with_health, alone;
    Health expected_health, health;
    norm.reduce(wide.data(), wide.size(), expected);
    expected_health.inspect(wide.data(), wide.size());

    const auto memory = with_room(x);
    reduce(norm, kDtype, memory.data(), x.size(), with_health, &health);
    reduce(norm, kDtype, memory.data(), x.size(), alone, nullptr);
    for (const Partial& partial : {with_health, alone}) {
      EXPECT_TRUE(same_sums(partial, expected)) << "p = " << p << ", " << x.size();
      EXPECT_TRUE(same_bits(norm.finish(partial), norm.finish(expected)))
          << "p = " << p << ", " << x.size();
    }
    EXPECT_TRUE(identical(health, expected_health)) << "; p = " << p << ", " << x.size();
  }
};
using AllTypes = ::testing::Types<float, double, Float16, BFloat16, int8_t, uint8_t, int16_t,
                                  uint16_t, int32_t, uint32_t>;
TYPED_TEST_SUITE(Tensors, AllTypes);

// One p for every kernel.
const std::vector<double> kEveryKernel = {0x1p-13, 0.3, 0.5, 1,    1.5,  2,
                                          2.7,     3,   4,   66.6, 1000, kInfinity};

TYPED_TEST(Tensors, ReduceToTheBitsOfTheirWidenedElements) {
  Random random(401);
  for (const size_t length : lengths()) {
    const auto x = random_elements<TypeParam>(random, length);
    for (const double p : kEveryKernel) TestFixture::expect_reduced_as_widened(x, p);
  }
}

TYPED_TEST(Tensors, ReduceToTheBitsOfTheirWidenedElementsWithNaNAndInfinitiesToo) {
  Random random(402);
  for (const size_t length : lengths()) {
    const auto x = random_patterns<TypeParam>(random, length);
    for (const double p : {1.0, 2.0, 2.7, kInfinity}) TestFixture::expect_reduced_as_widened(x, p);
  }
}

TYPED_TEST(Tensors, ReduceToTheSameBitsForAnyCutAtBlocks) {
  Random random(403);
  const auto x = with_room(random_patterns<TypeParam>(random, 7 * kBlockElements + 77));
  const size_t count = x.size() - 2;  // amid a vector
  for (const double p : kEveryKernel) {
    const Norm norm(p);
    Partial whole, pieces;
    Health whole_health, pieces_health;
    reduce(norm, TestFixture::kDtype, x.data(), count, whole, &whole_health);
    for (size_t start = 0; start < count;) {
      const size_t step = std::min(count - start, kBlockElements * (1 + random.below(3)));
      reduce(norm, TestFixture::kDtype, &x[start], step, pieces, &pieces_health);
      start += step;
    }
    EXPECT_TRUE(same_sums(pieces, whole)) << "p = " << p;
    EXPECT_TRUE(identical(pieces_health, whole_health)) << "; p = " << p;
  }
}

TYPED_TEST(Tensors, AreNotWrittenByReducing) {
  Random random(404);
  const auto x = with_room(random_patterns<TypeParam>(random, 5003));
  const auto before = x;
  Partial partial;
  Health health;
  reduce(Norm(2.5), TestFixture::kDtype, x.data(), 5001, partial, &health);
  EXPECT_EQ(std::memcmp(x.data(), before.data(), x.size() * sizeof x[0]), 0);
}

// What a single element must become.
template <class Element>
double rewritten(Element x, double factor, double limit) {
  const double product = value_of(x) * factor;
  if (std::isnan(product)) return kNaN;
  if (product > limit) return nearest<Element>(limit);
  if (product < -limit) return nearest<Element>(-limit);
  return nearest<Element>(product);
}

template <class Element>
class Rewriting : public ::testing::Test {
 protected:
  static constexpr Dtype kDtype = DtypeOf<Element>::kDtype;

  // All halves; of the others, the ends of the range and random bits.
  static std::vector<Element> many_elements() {
    Random random(405);
    std::vector<Element> result;
    if constexpr (sizeof(Element) == 2) {
      for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        result.push_back({static_cast<uint16_t>(bits)});
      }
    } else {
      using Limits = std::numeric_limits<Element>;
      result = random_patterns<Element>(random, 20'000);
      for (const Element x : {Element{0}, Limits::denorm_min(), Limits::min(), Element{1},
                              Limits::max(), Limits::infinity(), Limits::quiet_NaN()}) {
        result.insert(result.end(), {x, -x});
      }
    }
    // Neighbours of all kinds in every vector.
    random.shuffle(result);
    return result;
  }

  static void expect_rewritten(const std::vector<Element>& x, double factor, double limit) {
    auto actual = with_room(x);
    rewrite(kDtype, actual.data(), x.size(), factor, limit);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_TRUE(same_bits(value_of(actual[i]), rewritten(x[i], factor, limit)))
          << hex(value_of(x[i])) << " * " << hex(factor) << ", at most " << hex(limit);
    }
  }
};
using WritableTypes = ::testing::Types<float, double, Float16, BFloat16>;
TYPED_TEST_SUITE(Rewriting, WritableTypes);

// Floats as factors and others, down to those whose products are subnormal or vanish.
const std::vector<double> kFactors = {1,         0.5,         0x1.fffffep-1, 0.1f,     1.0 / 3,
                                      0.9999999, 1e-3,        0x1p-20,       0x1p-100, 0x1p-126f,
                                      1.1e-38,   0x1.8p-127f, 0x1p-149,      1e-300,   5e-324,
                                      0,         3,           -0.7,          kNaN};
const std::vector<double> kLimits = {0, 1e-310, 1e-40, 0x1p-24, 1e-7, 0.1, 1, 65504, 65520, 1e300};

TYPED_TEST(Rewriting, RoundsEveryProductOnceToTheNearest) {
  const auto x = TestFixture::many_elements();
  for (const double factor : kFactors) TestFixture::expect_rewritten(x, factor, kInfinity);
}

TYPED_TEST(Rewriting, ClampsToTheLimitRoundedToTheType) {
  const auto x = TestFixture::many_elements();
  for (const double limit : kLimits) TestFixture::expect_rewritten(x, 1, limit);
}

TYPED_TEST(Rewriting, ClampsTheProductNotTheElement) {
  const auto x = TestFixture::many_elements();
  for (const double factor : {0.5, 1.0 / 3, 1e-3, -0.7, kNaN}) {
    for (const double limit : {0.0, 0x1p-24, 0.1, 65504.0}) {
      TestFixture::expect_rewritten(x, factor, limit);
    }
  }
}

// The count is rounded up to a multiple of four, and nothing before or behind that is written.
template <class Element>
void expect_written_within(size_t count, double factor, double limit) {
  constexpr size_t kBefore = 4, kBehind = 8;
  Random random(406);
  auto x = random_elements<Element>(random, kBefore + round_up(count) + kBehind);
  const auto before = x;
  rewrite(DtypeOf<Element>::kDtype, &x[kBefore], count, factor, limit);
  for (size_t i = 0; i < count; ++i) {
    EXPECT_TRUE(same_bits(value_of(x[kBefore + i]), rewritten(before[kBefore + i], factor, limit)));
  }
  const size_t behind = kBefore + round_up(count);
  EXPECT_EQ(std::memcmp(x.data(), before.data(), kBefore * sizeof x[0]), 0) << count;
  EXPECT_EQ(std::memcmp(&x[behind], &before[behind], kBehind * sizeof x[0]), 0) << count;
}

TYPED_TEST(Rewriting, WritesNoFurtherThanToAMultipleOfFour) {
  for (size_t count = 0; count <= 70; ++count) {
    expect_written_within<TypeParam>(count, 0.25, kInfinity);
    expect_written_within<TypeParam>(count, 1.0 / 3, kInfinity);
    expect_written_within<TypeParam>(count, 1, 1e-3);
  }
  expect_written_within<TypeParam>(10'001, 0.25, kInfinity);
  expect_written_within<TypeParam>(10'001, 1.0 / 3, 1.0);
}

// NaN stays NaN whatever its payload, quiet or signalling.
TYPED_TEST(Rewriting, KeepsEveryNaN) {
  Random random(407);
  std::vector<TypeParam> nans;
  while (nans.size() < 100) {
    TypeParam x = random_bits<TypeParam>(random);
    // The exponent's bits are all ones within the upper half.
    uint16_t upper;
    char* const end = reinterpret_cast<char*>(&x + 1);
    std::memcpy(&upper, end - sizeof upper, sizeof upper);
    upper |= 0x7FF0;
    std::memcpy(end - sizeof upper, &upper, sizeof upper);
    if (std::isnan(value_of(x))) nans.push_back(x);
  }
  for (const double factor : kFactors) TestFixture::expect_rewritten(nans, factor, kInfinity);
  for (const double limit : kLimits) TestFixture::expect_rewritten(nans, 1, limit);
}

template <class Integer>
class IntegerTensors : public ::testing::Test {};
using IntegerTypes = ::testing::Types<int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t>;
TYPED_TEST_SUITE(IntegerTensors, IntegerTypes);

TYPED_TEST(IntegerTensors, AreNotRewritten) {
  Random random(408);
  auto x = random_patterns<TypeParam>(random, 100);
  const auto before = x;
  rewrite(DtypeOf<TypeParam>::kDtype, x.data(), x.size(), 0.5, kInfinity);
  rewrite(DtypeOf<TypeParam>::kDtype, x.data(), x.size(), 1, 0);
  EXPECT_EQ(x, before);
}

template <class Element>
Summary summary_of(const std::vector<Element>& x, double p) {
  const Norm norm(p);
  Partial partial;
  Health health;
  const auto memory = with_room(x);
  reduce(norm, DtypeOf<Element>::kDtype, memory.data(), x.size(), partial, &health);
  return summarise(norm, partial, health);
}

TEST(Summary, HasEveryFieldInItsPlace) {
  const Summary finite = summary_of<float>({3, 0, -4, -0.0f}, 2);
  EXPECT_TRUE(same_bits(finite.norm, 5));
  EXPECT_TRUE(same_bits(finite.mantissa, 25.0 / 16));
  EXPECT_TRUE(same_bits(finite.exponent, 4));
  EXPECT_TRUE(same_bits(finite.elements, 4));
  EXPECT_TRUE(same_bits(finite.largest, 4));
  EXPECT_TRUE(same_bits(finite.mean, 1.75));
  EXPECT_TRUE(same_bits(finite.zeros, 2));
  EXPECT_TRUE(same_bits(finite.nans, 0));
  EXPECT_TRUE(same_bits(finite.infinities, 0));
  EXPECT_TRUE(same_bits(finite.first_nonfinite, -1));
}

TEST(Summary, HasEveryFieldInItsPlaceForOffenders) {
  const Summary ill = summary_of<double>({-2, -kInfinity, kInfinity, kNaN, 6, 0}, 1);
  EXPECT_TRUE(same_bits(ill.norm, kNaN));
  EXPECT_TRUE(same_bits(ill.elements, 6));
  EXPECT_TRUE(same_bits(ill.largest, 6));
  EXPECT_TRUE(within(ill.mean, 8 / 3.0L, 0x1p-22L * 8 / 3));
  EXPECT_TRUE(same_bits(ill.zeros, 1));
  EXPECT_TRUE(same_bits(ill.nans, 1));
  EXPECT_TRUE(same_bits(ill.infinities, 2));
  EXPECT_TRUE(same_bits(ill.first_nonfinite, 1));
}

TEST(Summary, OfNothingIsZeros) {
  const Summary empty = summary_of<Float16>({}, 2);
  for (const double field :
       {empty.norm, empty.mantissa, empty.exponent, empty.elements, empty.largest, empty.mean,
        empty.zeros, empty.nans, empty.infinities}) {
    EXPECT_TRUE(same_bits(field, 0));
  }
  EXPECT_TRUE(same_bits(empty.first_nonfinite, -1));
}

// log2 of the sum of n equal powers, x^p each, is p * log2(x) + log2(n).
TEST(Summary, HoldsSumsFarBeyondTheDoubles) {
  for (const double p : {2.0, 3.0, 64.5, 66.6, 1000.0, 1e6, 1e10}) {
    for (const double x : {5e-324, 1e-300, 0.75, 1.5, 1e300}) {
      const Summary summary = summary_of<double>({x, -x, x, 0}, p);
      const long double expected = p * std::log2(static_cast<long double>(x)) + std::log2(3.0L);
      EXPECT_GE(summary.mantissa, 1);
      EXPECT_LE(summary.mantissa, 2);
      EXPECT_TRUE(within(summary.exponent + std::log2(static_cast<long double>(summary.mantissa)),
                         expected, p * 0x1p-40L))
          << "p = " << p << ", x = " << hex(x);
    }
  }
}

}  // namespace
}  // namespace gradnorm::testing
