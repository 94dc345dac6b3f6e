// tests/native/tensor_test.cpp: elements of any type (src/tensor.hpp). Every element type reduces
// as its widened elements do, and rewriting agrees with formats.hpp, one element at a time.
//
// With -DGRADNORM_SANITIZE=ON a byte that is read or written behind the elements is an error: their
// allocation ends with them.
#include "tensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
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

// In an allocation of no more than that.
template <class Element>
std::unique_ptr<Element[]> exactly(const std::vector<Element>& x) {
  std::unique_ptr<Element[]> memory(new Element[x.size()]);
  std::copy(x.begin(), x.end(), memory.get());
  return memory;
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

    const auto memory = exactly(x);
    reduce(norm, kDtype, memory.get(), x.size(), with_health, &health);
    reduce(norm, kDtype, memory.get(), x.size(), alone, nullptr);
    for (const Partial& partial : {with_health, alone}) {
      EXPECT_TRUE(identical(partial, expected)) << "p = " << p << ", " << x.size();
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

// The last piece ends amid a vector, or is a single element.
TYPED_TEST(Tensors, ReduceToTheSameBitsForAnyCutAtBlocks) {
  Random random(403);
  const auto x = random_patterns<TypeParam>(random, 7 * kBlockElements + 77);
  for (const size_t count : {7 * kBlockElements + 75, 5 * kBlockElements + 1}) {
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
      EXPECT_TRUE(identical(pieces, whole)) << "p = " << p << ", " << count;
      EXPECT_TRUE(identical(pieces_health, whole_health)) << "; p = " << p << ", " << count;
    }
  }
}

TYPED_TEST(Tensors, AreNotWrittenByReducing) {
  Random random(404);
  const auto x = random_patterns<TypeParam>(random, 5003);
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
    const auto actual = exactly(x);
    rewrite(kDtype, actual.get(), x.size(), factor, limit);
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

// Nothing before or behind the elements is written: their neighbours are canaries.
template <class Element>
void expect_written_within(size_t count, double factor, double limit) {
  constexpr size_t kBefore = 4, kBehind = 8;
  Random random(406);
  auto x = random_elements<Element>(random, kBefore + count + kBehind);
  const auto before = x;
  rewrite(DtypeOf<Element>::kDtype, &x[kBefore], count, factor, limit);
  for (size_t i = 0; i < count; ++i) {
    EXPECT_TRUE(same_bits(value_of(x[kBefore + i]), rewritten(before[kBefore + i], factor, limit)));
  }
  const size_t behind = kBefore + count;
  EXPECT_EQ(std::memcmp(x.data(), before.data(), kBefore * sizeof x[0]), 0) << count;
  EXPECT_EQ(std::memcmp(&x[behind], &before[behind], kBehind * sizeof x[0]), 0) << count;
}

TYPED_TEST(Rewriting, WritesNoNeighbour) {
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

}  // namespace
}  // namespace gradnorm::testing
