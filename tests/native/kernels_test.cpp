// tests/native/kernels_test.cpp: the sum of powers over one block (src/kernels.hpp), leaf by leaf,
// against sums in long double.
//
// The buffers around the elements are poisoned with NaN; with -DGRADNORM_SANITIZE=ON the elements
// also end where their allocation ends.
#include "kernels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "compare.hpp"
#include "random.hpp"
#include "reference.hpp"

namespace gradnorm::testing {
namespace {

std::vector<size_t> lengths() {
  std::vector<size_t> result;
  for (size_t length = 0; length <= 300; ++length) result.push_back(length);
  result.insert(result.end(), {511, 512, 513, kBlockElements - 1, kBlockElements});
  // One more than a block: nobody asks for it, and the tree has a place for it.
  result.push_back(kBlockElements + 1);
  return result;
}

// The roundings in double that every leaf shares: the tree of sum_block has 19, the first sum of
// a leaf 7 at most (three levels of additions, or a chain of eight whose first adds to zero). One
// more for the element beyond the block.
constexpr int kTreeRoundings = 19 + 7 + 1;

// A kernel on trial. term(x) is what an element adds; error(x) bounds its relative error in the
// sum, tree included.
template <class LeafType, class TermFunction, class ErrorFunction>
struct Trial {
  LeafType leaf;
  TermFunction term;
  ErrorFunction error;
};
template <class... Parts>
Trial(Parts...) -> Trial<Parts...>;

template <class T, class AnyTrial>
::testing::AssertionResult sum_is_right(const std::vector<T>& x, const AnyTrial& trial) {
  LongSum expected, tolerance;
  for (const T element : x) {
    const auto magnitude = static_cast<long double>(std::fabs(element));
    const long double term = trial.term(magnitude);
    expected.add(term);
    tolerance.add(term * (trial.error(magnitude) + 4 * kReferenceEpsilon));
  }
  return within(sum_block(x.data(), x.size(), trial.leaf), expected.value(), tolerance.value())
         << "; length " << x.size();
}

// The elements in the middle of NaNs, from 0 to 7 of them before.
template <class T, class LeafType>
::testing::AssertionResult sum_is_the_same_at_every_offset(const std::vector<T>& x,
                                                           const LeafType& leaf) {
  const double expected = sum_block(x.data(), x.size(), leaf);
  std::vector<T> buffer(x.size() + 64);
  for (size_t offset = 0; offset < 8; ++offset) {
    std::fill(buffer.begin(), buffer.end(), std::numeric_limits<T>::quiet_NaN());
    std::copy(x.begin(), x.end(), buffer.begin() + offset);
    auto result = same_bits(sum_block(buffer.data() + offset, x.size(), leaf), expected);
    if (!result) return result << "; offset " << offset;
  }
  return ::testing::AssertionSuccess();
}

template <class T, class AnyTrial>
void try_all_lengths(uint64_t seed, int lowest, int highest, const AnyTrial& trial) {
  Random random(seed);
  for (const size_t length : lengths()) {
    const auto x = random.numbers<T>(length, lowest, highest);
    EXPECT_TRUE(sum_is_right(x, trial));
    EXPECT_TRUE(sum_is_the_same_at_every_offset(x, trial.leaf)) << "length " << length;
  }
}

TEST(SumBlock, FloatMagnitudesAreWithinTwoFloatRoundings) {
  const auto term = [](long double x) { return x; };
  const auto error = [](long double) {
    return roundings(2, kFloatUnit) + roundings(kTreeRoundings, kDoubleUnit);
  };
  const Trial trial{FloatMagnitudeLeaf{}, term, error};
  try_all_lengths<float>(21, -8, 8, trial);
  try_all_lengths<float>(22, -149, -120, trial);
  try_all_lengths<float>(23, 100, 125, trial);
}

template <class LeafType>
void try_float_squares(const LeafType& leaf, int float_roundings) {
  const auto term = [](long double x) { return x * x; };
  const auto error = [=](long double) {
    return roundings(float_roundings, kFloatUnit) + roundings(kTreeRoundings, kDoubleUnit);
  };
  const Trial trial{leaf, term, error};
  try_all_lengths<float>(24, -8, 8, trial);
  try_all_lengths<float>(25, 40, 60, trial);
  try_all_lengths<float>(26, -62, -40, trial);
}

TEST(SumBlock, FloatSquaresAreWithinFourFloatRoundings) { try_float_squares(FloatSquareLeaf{}, 4); }

TEST(ShortSquares, AreWithinThreeFloatRoundings) {
  Random random(27);
  for (size_t length = 1; length <= kShort; ++length) {
    for (const int exponent : {-62, -8, 40}) {
      const auto x = random.numbers<float>(length, exponent, exponent + 16);
      LongSum expected;
      for (const float element : x) expected.add(static_cast<long double>(element) * element);
      const long double error = roundings(3, kFloatUnit) + roundings(5, kDoubleUnit);
      const double sum = sum_short_squares(x.data(), length);
      EXPECT_TRUE(within(sum, expected.value(), error * expected.value())) << "length " << length;
    }
  }
}

TEST(ShortSquares, HaveTheBitsOfALeafPaddedWithZeros) {
  Random random(28);
  for (size_t length = 1; length <= kShort; ++length) {
    const auto x = random.numbers<float>(length, -70, 60);
    const double expected = sum_block(x.data(), length, FloatSquareLeaf{});
    EXPECT_TRUE(same_bits(sum_short_squares(x.data(), length), expected)) << "length " << length;
  }
}

// Doubles of a magnitude whose powers are doubles too, for powers up to 64.5.
template <class Power, class TermFunction>
void try_power(uint64_t seed, const Power& power, const TermFunction& term, int power_roundings) {
  const auto error = [=](long double) {
    return roundings(kTreeRoundings + power_roundings, kDoubleUnit);
  };
  const Trial trial{PowerLeaf<Power>{power}, term, error};
  try_all_lengths<float>(seed, -8, 8, trial);
  try_all_lengths<double>(seed + 1, -8, 8, trial);
}

TEST(SumBlock, FirstPowersAreWithinTheRoundingsOfTheTree) {
  try_power(
      31, ProductPower{1, false, 1.0}, [](long double x) { return x; }, 0);
}

TEST(SumBlock, SquaresAreWithinOneRoundingMore) {
  try_power(
      33, Square{}, [](long double x) { return x * x; }, 1);
}

TEST(SumBlock, CubesAreWithinTwoRoundingsMore) {
  try_power(
      35, Cube{}, [](long double x) { return x * x * x; }, 2);
}

TEST(SumBlock, ProductsAreWithinTheirNumberOfRoundings) {
  for (const double p : {0.5, 1.5, 2.5, 4.0, 7.0, 8.0, 31.5, 33.0, 64.0, 64.5}) {
    const int n = static_cast<int>(p);
    const auto term = [=](long double x) { return std::pow(x, static_cast<long double>(p)); };
    try_power(40 + 2 * static_cast<uint64_t>(p), ProductPower{n, p != n, 1.0}, term, n + 2);
  }
}

// 0x1p-537 twice is the inverse of the smallest double, and no double itself.
TEST(SumBlock, ProductsScaleByTheFactorSquaredExactly) {
  Random random(61);
  for (const int half : {-500, -3, 1, 537}) {
    const auto x = random.numbers<double>(777, 0, 6);
    auto scaled = x;
    for (double& element : scaled) element = std::ldexp(element, -2 * half);
    if (half == 537) {
      // Subnormals keep few bits: start from numbers that have no more.
      std::fill(scaled.begin(), scaled.end(), 0x1.4p-1072);
    }
    auto expected = scaled;
    for (double& element : expected) element = std::ldexp(element, 2 * half);
    const auto leaf_with = [](double factor) { return PowerLeaf<ProductPower>{{5, true, factor}}; };
    EXPECT_TRUE(same_bits(sum_block(scaled.data(), scaled.size(), leaf_with(std::ldexp(1.0, half))),
                          sum_block(expected.data(), expected.size(), leaf_with(1.0))));
  }
}

// (x / maximum)^p. The exponent p * d, d = log2(x / maximum) <= 0, is off by p times the errors of
// both logarithms and of the difference of the fractions, and by the roundings of d and of p * d;
// ln 2 < 0.6932 turns that into a relative error. Smaller terms than 2^-1022 come out as 2^-1022.
template <class T, class Power>
void try_relative_power(uint64_t seed, int lowest, int highest, double p, long double log_bound,
                        long double exp_bound) {
  Random random(seed);
  for (const size_t length : lengths()) {
    if (length == 0) continue;
    auto x = random.numbers<T>(length, lowest, highest);
    if (length > 2) x[length / 2] = 0;
    T maximum = 0;
    for (const T element : x) maximum = std::max(maximum, std::fabs(element));
    LongSum expected, tolerance;
    for (const T element : x) {
      tolerance.add(0x1p-1021L);
      if (element == 0) continue;
      const long double ratio = static_cast<long double>(std::fabs(element)) / maximum;
      const long double d = -std::log2(ratio);
      const long double term = std::pow(ratio, static_cast<long double>(p));
      const long double exponent_error =
          p * (log_bound + 0x1p-51L + kDoubleUnit) + 2 * p * d * kDoubleUnit;
      expected.add(term);
      // 2^e - 1 <= 0.6932 * e * (1 + e), as e < 2^-20.
      tolerance.add(term * (0.6932L * exponent_error * (1 + exponent_error) + exp_bound +
                            roundings(kTreeRoundings, kDoubleUnit) + (p + 6) * kReferenceEpsilon));
    }
    const PowerLeaf<Power> leaf{{p, log2_of(static_cast<double>(maximum))}};
    EXPECT_TRUE(within(sum_block(x.data(), length, leaf), expected.value(), tolerance.value()))
        << "p = " << p << ", length " << length;
    EXPECT_TRUE(sum_is_the_same_at_every_offset(x, leaf)) << "p = " << p << ", length " << length;
  }
}

TEST(SumBlock, RelativePowersAreWithinTheBoundsOfLog2AndExp2) {
  for (const double p : {0.001, 0.3, 2.7, 66.6, 1000.0}) {
    try_relative_power<double, RelativePower>(71, -4, 4, p, 0x1p-51L, 0x1p-51L);
    try_relative_power<float, RelativePower>(72, -4, 4, p, 0x1p-51L, 0x1p-51L);
  }
  try_relative_power<double, RelativePower>(73, -1074, -1000, 0.3, 0x1p-51L, 0x1p-51L);
  try_relative_power<double, RelativePower>(74, -1022, 1023, 0.3, 0x1p-51L, 0x1p-51L);
}

TEST(SumBlock, ShortRelativePowersAreWithinTheirBounds) {
  const long double log_bound = 0x1p-31L * 0.757859L, exp_bound = 0x1p-28L * 0.615573L;
  for (const double p : {1.1, 2.7, 10.3, 63.9}) {
    try_relative_power<float, ShortRelativePower>(75, -4, 4, p, log_bound, exp_bound);
    try_relative_power<float, ShortRelativePower>(76, -149, 127, p, log_bound, exp_bound);
  }
}

// Every position is read once and only once: a block of ones sums to its length exactly.
template <class T, class LeafType>
void ones_sum_to_their_number(const LeafType& leaf) {
  for (const size_t length : lengths()) {
    const std::vector<T> ones(length, T{-1});
    EXPECT_TRUE(same_bits(sum_block(ones.data(), length, leaf), static_cast<double>(length)));
  }
}

TEST(SumBlock, OnesSumToTheirNumber) {
  ones_sum_to_their_number<float>(FloatMagnitudeLeaf{});
  ones_sum_to_their_number<float>(FloatSquareLeaf{});
  ones_sum_to_their_number<float>(PowerLeaf<Cube>{});
  ones_sum_to_their_number<double>(PowerLeaf<ProductPower>{{1, false, 1.0}});
  ones_sum_to_their_number<double>(PowerLeaf<Square>{});
  ones_sum_to_their_number<double>(PowerLeaf<ProductPower>{{3, true, 1.0}});
  ones_sum_to_their_number<double>(PowerLeaf<RelativePower>{{2.7, {0, 0}}});
}

// The same for a single element: alone among zeros it is its own power, wherever it stands.
TEST(SumBlock, EveryPositionCounts) {
  std::vector<float> x(kBlockElements);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = -3;
    EXPECT_TRUE(same_bits(sum_block(x.data(), x.size(), FloatMagnitudeLeaf{}), 3)) << i;
    EXPECT_TRUE(same_bits(sum_block(x.data(), x.size(), FloatSquareLeaf{}), 9)) << i;
    EXPECT_TRUE(same_bits(sum_block(x.data(), i + 1, PowerLeaf<Cube>{}), 27)) << i;
    x[i] = 0;
  }
}

template <class T>
void pad_every_rest() {
  constexpr size_t kCount = 32;
  for (size_t rest = 1; rest <= kCount; ++rest) {
    const std::vector<T> x(rest, T{-0.0});
    alignas(16) T padded[kCount];
    std::fill_n(padded, kCount, std::numeric_limits<T>::quiet_NaN());
    pad_with_zeros(x.data(), rest, padded);
    for (size_t i = 0; i < kCount; ++i) EXPECT_TRUE(same_bits(padded[i], i < rest ? -0.0 : 0.0));
  }
}

TEST(PadWithZeros, CopiesTheRestAndClearsTheOthers) {
  pad_every_rest<float>();
  pad_every_rest<double>();
}

// The floats end where their allocation ends; what is behind the doubles stays as it is.
TEST(WidenBlock, IsExactAndReadsNoFurtherThanTheLastElement) {
  Random random(62);
  for (const size_t length : lengths()) {
    if (length > kBlockElements) continue;
    const auto x = random.numbers<float>(length, -149, 127);
    std::vector<double> widened(length + 8, -7);
    widen_block(x.data(), length, widened.data());
    for (size_t i = 0; i < length; ++i) EXPECT_TRUE(same_bits(widened[i], x[i])) << i;
    for (size_t i = (length + 3) / 4 * 4; i < widened.size(); ++i) {
      EXPECT_TRUE(same_bits(widened[i], -7)) << i;
    }
  }
}

TEST(StartsSmall, FindsASmallElementAmongTheFirst32) {
  constexpr float kLimit = 0x1p-63f;
  for (size_t position = 0; position < 40; ++position) {
    for (const float small : {std::nextafter(kLimit, 0.0f), -0x1p-100f, 0x1p-149f, -0x1p-149f}) {
      std::vector<float> x(40, -kLimit);
      x[position] = small;
      EXPECT_EQ(starts_small(x.data(), x.size(), kLimit), position < 32) << position;
      EXPECT_FALSE(starts_small(x.data(), 31, kLimit));
    }
  }
}

TEST(StartsSmall, ZerosAndLargeElementsAreNotSmall) {
  using Limits = std::numeric_limits<float>;
  for (const float x : {0.0f, -0.0f, 0x1p-63f, 1.0f, -Limits::max(), Limits::infinity(),
                        -Limits::infinity(), Limits::quiet_NaN()}) {
    const std::vector<float> all(32, x);
    EXPECT_FALSE(starts_small(all.data(), all.size(), 0x1p-63f)) << x;
  }
  EXPECT_FALSE(starts_small(nullptr, 0, 0x1p-63f));
}

template <class T>
struct BitsOf;
template <>
struct BitsOf<float> {
  using Type = int32_t;
};
template <>
struct BitsOf<double> {
  using Type = int64_t;
};

template <class T>
class LargestBits : public ::testing::Test {
 protected:
  using Integer = typename BitsOf<T>::Type;
  static constexpr Integer kNoSign = std::numeric_limits<Integer>::max();

  static Integer magnitude_bits(T x) { return bits_as<Integer>(x) & kNoSign; }

  // `special` at every position of every length, among smaller elements and NaNs beyond the end.
  static void expect_found_everywhere(T special) {
    for (const size_t length : {1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 100}) {
      std::vector<T> x(length + 16, std::numeric_limits<T>::quiet_NaN());
      for (size_t position = 0; position < length; ++position) {
        std::fill(x.begin(), x.begin() + length, T{0});
        x[position] = special;
        EXPECT_EQ(largest_bits(x.data(), length), magnitude_bits(special))
            << "length " << length << ", position " << position;
      }
    }
  }
};
using FloatingPointTypes = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LargestBits, FloatingPointTypes);

TYPED_TEST(LargestBits, OfNothingAndOfZerosAreZero) {
  EXPECT_EQ(largest_bits(static_cast<const TypeParam*>(nullptr), 0), 0);
  const std::vector<TypeParam> zeros(100, TypeParam{-0.0});
  for (size_t length = 0; length <= 100; ++length) EXPECT_EQ(largest_bits(zeros.data(), length), 0);
}

TYPED_TEST(LargestBits, FindSubnormalsAndInfinitiesOfBothSigns) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const TypeParam x : {Limits::denorm_min(), Limits::min() - Limits::denorm_min(),
                            Limits::min(), TypeParam{1}, Limits::max(), Limits::infinity()}) {
    TestFixture::expect_found_everywhere(x);
    TestFixture::expect_found_everywhere(-x);
  }
}

TYPED_TEST(LargestBits, KeepThePayloadOfNaN) {
  using Integer = typename TestFixture::Integer;
  const Integer infinity = bits_as<Integer>(std::numeric_limits<TypeParam>::infinity());
  for (const Integer payload : {Integer{1}, Integer{2}, Integer{0x12345}}) {
    std::vector<TypeParam> x(20, std::numeric_limits<TypeParam>::infinity());
    const Integer nan = infinity | payload;
    // Copied as bits: a register of the old x87 unit would make a signalling NaN quiet.
    std::copy_n(reinterpret_cast<const char*>(&nan), sizeof nan, reinterpret_cast<char*>(&x[13]));
    EXPECT_EQ(largest_bits(x.data(), x.size()), nan);
  }
}

TYPED_TEST(LargestBits, OfEachElementTellHowManyAreAboveAnyOthers) {
  using Limits = std::numeric_limits<TypeParam>;
  Random random(82);
  const std::vector<TypeParam> values = {
      0, Limits::denorm_min(), 1, Limits::max(), Limits::infinity(), Limits::quiet_NaN()};
  for (const size_t length : lengths()) {
    std::vector<TypeParam> x(length + 16, Limits::quiet_NaN());
    std::vector<size_t> ranks(length);
    for (size_t i = 0; i < length; ++i) {
      ranks[i] = random.below(values.size());
      x[i] = random.coin() ? values[ranks[i]] : -values[ranks[i]];
    }
    for (size_t rank = 0; rank < values.size(); ++rank) {
      const auto above =
          std::count_if(ranks.begin(), ranks.end(), [=](size_t other) { return other > rank; });
      const auto bits = TestFixture::magnitude_bits(values[rank]);
      EXPECT_EQ(count_above(bits, x.data(), length), static_cast<size_t>(above))
          << "length " << length << ", rank " << rank;
    }
  }
}

TYPED_TEST(LargestBits, AgreeWithTheMaximumOfRandomNumbers) {
  Random random(81);
  using Limits = std::numeric_limits<TypeParam>;
  for (const size_t length : lengths()) {
    const auto x =
        random.numbers<TypeParam>(length, Limits::min_exponent, Limits::max_exponent - 1);
    TypeParam expected = 0;
    for (const TypeParam element : x) expected = std::max(expected, std::fabs(element));
    EXPECT_EQ(largest_bits(x.data(), length), TestFixture::magnitude_bits(expected));
  }
}

}  // namespace
}  // namespace gradnorm::testing
