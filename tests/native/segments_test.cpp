// tests/native/segments_test.cpp: tables of segments (src/segments.hpp). A group has the partial
// and the health of its tensors alone, whatever lies between and beside them; rewriting touches the
// segments and nothing else.
//
// Every segment lies between canaries, in one memory whose free bytes are poisoned with NaN.
#include "segments.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "compare.hpp"
#include "elements.hpp"
#include "identical.hpp"
#include "kernels.hpp"
#include "random.hpp"
#include "tensor.hpp"

namespace gradnorm::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kCanary = 40;  // bytes between two segments

// Tensors of random bits in one memory, at addresses that are multiples of their elements' size and
// of nothing more.
struct Memory {
  std::vector<unsigned char> bytes;
  std::vector<Segment> segments;

  Memory(Random& random, const std::vector<size_t>& lengths, uint32_t groups) {
    for (const size_t length : lengths) {
      const auto dtype = static_cast<uint32_t>(random.below(10));
      const size_t size = bytes_of(static_cast<Dtype>(dtype));
      size_t address = bytes.size() + kCanary;
      address += (size - address % size) % size;
      bytes.resize(address, 0xFF);
      segments.push_back({static_cast<uint32_t>(address), static_cast<uint32_t>(length), dtype,
                          static_cast<uint32_t>(random.below(groups))});
      for (size_t i = 0; i < length * size; ++i) {
        bytes.push_back(static_cast<unsigned char>(random.bits()));
      }
    }
    bytes.resize(bytes.size() + kCanary, 0xFF);
  }

  std::uintptr_t base() const { return reinterpret_cast<std::uintptr_t>(bytes.data()); }
  size_t size_of(const Segment& segment) const {
    return segment.length * bytes_of(static_cast<Dtype>(segment.dtype));
  }
  // An allocation of a segment's bytes alone.
  std::vector<unsigned char> alone(const Segment& segment) const {
    const auto from = bytes.begin() + segment.address;
    return {from, from + static_cast<std::ptrdiff_t>(size_of(segment))};
  }
};

std::vector<size_t> random_lengths(Random& random) {
  std::vector<size_t> lengths = {0, 1, 2, 3, 4, 5, 15, 16, 17, kBlockElements, kBlockElements + 1};
  for (int i = 0; i < 12; ++i) lengths.push_back(random.below(200));
  random.shuffle(lengths);
  return lengths;
}

TEST(Segments, ReduceToThePartialAndTheHealthOfEachGroup) {
  Random random(501);
  for (const double p : {1.0, 2.0, 3.0, 2.7, kInfinity}) {
    constexpr uint32_t kGroups = 5;
    const Memory memory(random, random_lengths(random), kGroups);
    const Norm norm(p);
    std::vector<Partial> partials(kGroups), alone(kGroups);
    std::vector<Health> healths(kGroups);
    const auto count = static_cast<uint32_t>(memory.segments.size());
    clear(partials.data(), healths.data(), kGroups);
    clear(alone.data(), nullptr, kGroups);
    reduce(norm, memory.base(), memory.segments.data(), count, partials.data(), healths.data());
    reduce(norm, memory.base(), memory.segments.data(), count, alone.data(), nullptr);
    for (uint32_t group = 0; group < kGroups; ++group) {
      Partial partial;
      Health health;
      for (const Segment& segment : memory.segments) {
        if (segment.group != group) continue;
        const auto bytes = memory.alone(segment);
        reduce(norm, static_cast<Dtype>(segment.dtype), bytes.data(), segment.length, partial,
               &health);
      }
      EXPECT_TRUE(identical((partials[group]), partial)) << p << ", group " << group;
      EXPECT_TRUE(identical((alone[group]), partial)) << p << ", group " << group;
      EXPECT_TRUE(identical((healths[group]), health)) << p << ", group " << group;
    }
  }
}

TEST(Segments, AddToWhatTheirGroupsHold) {
  Random random(502);
  const Memory memory(random, random_lengths(random), 3);
  const Norm norm(2);
  const auto count = static_cast<uint32_t>(memory.segments.size());
  std::vector<Partial> whole(3), steps(3);
  std::vector<Health> whole_healths(3), steps_healths(3);
  clear(whole.data(), whole_healths.data(), 3);
  clear(steps.data(), steps_healths.data(), 3);
  reduce(norm, memory.base(), memory.segments.data(), count, whole.data(), whole_healths.data());
  for (uint32_t i = 0; i < count; ++i) {
    reduce(norm, memory.base(), &memory.segments[i], 1, steps.data(), steps_healths.data());
  }
  EXPECT_EQ(std::memcmp(whole.data(), steps.data(), sizeof(Partial) * 3), 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(identical((whole_healths[static_cast<size_t>(i)]),
                          (steps_healths[static_cast<size_t>(i)])));
  }
}

TEST(Segments, MergeGroupsToTheirTotal) {
  Random random(503);
  Memory memory(random, random_lengths(random), 4);
  const Norm norm(1);
  const auto count = static_cast<uint32_t>(memory.segments.size());
  std::vector<Partial> groups(4);
  std::vector<Health> healths(4);
  clear(groups.data(), healths.data(), 4);
  reduce(norm, memory.base(), memory.segments.data(), count, groups.data(), healths.data());
  Partial total, all;
  Health total_health;
  clear(&total, &total_health, 1);
  clear(&all, nullptr, 1);
  merge(groups.data(), healths.data(), 4, total, &total_health);
  for (Segment& segment : memory.segments) segment.group = 0;
  reduce(norm, memory.base(), memory.segments.data(), count, &all, nullptr);
  EXPECT_TRUE(identical((total), (all)));
  double zeros = 0;
  for (const Health& health : healths) zeros += health.zeros();
  EXPECT_EQ(total_health.zeros(), zeros);
  EXPECT_EQ((total_health).elements(), (all).elements());
}

// Of a float32 without a limit the factor is rounded down to one; else it is taken as it is.
TEST(Segments, AreRewrittenWithTheFactorOfTheirGroupAndNothingBesideThemIs) {
  Random random(504);
  const std::vector<double> factors = {0.5, 1.0 / 3, 1, 0, 1e-300, 0x1.8p+140};
  for (const double limit : {kInfinity, 0.25}) {
    Memory memory(random, random_lengths(random), static_cast<uint32_t>(factors.size()));
    auto expected = memory.bytes;
    for (const Segment& segment : memory.segments) {
      const auto dtype = static_cast<Dtype>(segment.dtype);
      double factor = factors[segment.group];
      if (dtype == Dtype::kFloat32 && limit == kInfinity && factor == 1.0 / 3)
        factor = 0x1.555554p-2;
      if (factor == 1 && limit == kInfinity) continue;
      auto bytes = memory.alone(segment);
      rewrite(dtype, bytes.data(), segment.length, factor, limit);
      std::copy(bytes.begin(), bytes.end(), expected.begin() + segment.address);
    }
    rewrite(memory.base(), memory.segments.data(), static_cast<uint32_t>(memory.segments.size()),
            factors.data(), limit);
    EXPECT_EQ(memory.bytes, expected) << limit;
  }
}

TEST(Segments, OfManyPiecesAreRewrittenWholly) {
  constexpr uint32_t kLength = (1 << 17) + 3;
  std::vector<float> x(kLength + 2, 3);
  const Segment segment = {4, kLength, 0, 0};
  const double factor = 0.5;
  rewrite(reinterpret_cast<std::uintptr_t>(x.data()), &segment, 1, &factor, kInfinity);
  EXPECT_EQ(x.front(), 3);
  EXPECT_EQ(x.back(), 3);
  EXPECT_EQ(std::count(x.begin(), x.end(), 1.5f), kLength);
}

template <class Element>
Row row_of(const std::vector<Element>& x, Dtype dtype, double p) {
  const Segment segment = {0, static_cast<uint32_t>(x.size()), static_cast<uint32_t>(dtype), 0};
  Partial partial;
  Health health;
  Row row;
  clear(&partial, &health, 1);
  reduce(Norm(p), reinterpret_cast<std::uintptr_t>(x.data()), &segment, 1, &partial, &health);
  report(Norm(p), &partial, &health, 1, &row);
  return row;
}

TEST(Rows, HasEveryFieldInItsPlace) {
  const Row finite = row_of<float>({3, 0, -4, -0.0f}, Dtype::kFloat32, 2);
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

TEST(Rows, HasEveryFieldInItsPlaceForOffenders) {
  const Row ill = row_of<double>({-2, -kInfinity, kInfinity, kNaN, 6, 0}, Dtype::kFloat64, 1);
  EXPECT_TRUE(same_bits(ill.norm, kNaN));
  EXPECT_TRUE(same_bits(ill.elements, 6));
  EXPECT_TRUE(same_bits(ill.largest, 6));
  EXPECT_TRUE(within(ill.mean, 8 / 3.0L, 0x1p-22L * 8 / 3));
  EXPECT_TRUE(same_bits(ill.zeros, 1));
  EXPECT_TRUE(same_bits(ill.nans, 1));
  EXPECT_TRUE(same_bits(ill.infinities, 2));
  EXPECT_TRUE(same_bits(ill.first_nonfinite, 1));
}

TEST(Rows, OfNothingIsZeros) {
  const Row empty = row_of<uint16_t>({}, Dtype::kFloat16, 2);
  for (const double field :
       {empty.norm, empty.mantissa, empty.exponent, empty.elements, empty.largest, empty.mean,
        empty.zeros, empty.nans, empty.infinities}) {
    EXPECT_TRUE(same_bits(field, 0));
  }
  EXPECT_TRUE(same_bits(empty.first_nonfinite, -1));
}

// log2 of the sum of n equal powers, x^p each, is p * log2(x) + log2(n).
TEST(Rows, HoldsSumsFarBeyondTheDoubles) {
  for (const double p : {2.0, 3.0, 64.5, 66.6, 1000.0, 1e6, 1e10}) {
    for (const double x : {5e-324, 1e-300, 0.75, 1.5, 1e300}) {
      const Row row = row_of<double>({x, -x, x, 0}, Dtype::kFloat64, p);
      const long double expected = p * std::log2(static_cast<long double>(x)) + std::log2(3.0L);
      EXPECT_GE(row.mantissa, 1);
      EXPECT_LE(row.mantissa, 2);
      EXPECT_TRUE(within(row.exponent + std::log2(static_cast<long double>(row.mantissa)), expected,
                         p * 0x1p-40L))
          << "p = " << p << ", x = " << hex(x);
    }
  }
}

}  // namespace
}  // namespace gradnorm::testing
