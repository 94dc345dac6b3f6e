// tests/native/partial_test.cpp: laws of the accumulator (src/partial.hpp), against exact_sum.hpp,
// and of its state as plain words.
#include "partial.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "compare.hpp"
#include "exact_sum.hpp"
#include "identical.hpp"
#include "random.hpp"

namespace gradnorm::testing {
namespace {

using Sums = std::vector<ScaledSum>;

::testing::AssertionResult rounds_to(const Partial& partial, double mantissa,
                                     ExactSum::Position position) {
  const RoundedSum sum = partial.rounded();
  const bool canonical = sum.exponent >= 0 && sum.exponent <= 32;
  if (canonical && same_bits(sum.mantissa, mantissa) &&
      ExactSum::Position{32} * sum.digits + sum.exponent == position) {
    return ::testing::AssertionSuccess();
  }
  const auto exponent = static_cast<int>(position % 32), rest = (exponent + 32) % 32;
  const auto digits = static_cast<int64_t>((position - rest) / 32);
  return ::testing::AssertionFailure()
         << "got " << to_text(sum) << ", expected " << to_text({mantissa, digits, rest});
}

Partial partial_of(const Sums& sums) {
  Partial partial;
  for (const ScaledSum& sum : sums) partial.add(sum);
  return partial;
}

::testing::AssertionResult rounds_to_exact_sum(const Sums& sums) {
  ExactSum exact;
  for (const ScaledSum& sum : sums) exact.add(sum);
  return rounds_to(partial_of(sums), exact.rounded().mantissa, exact.rounded().position);
}

// Deals the sums to leaves at random and merges two of the partials at a time until one is left.
Partial merge_by_random_tree(Random& random, const Sums& sums, size_t leaves) {
  std::vector<Partial> partials(leaves);
  for (const ScaledSum& sum : sums) partials[random.below(leaves)].add(sum);
  while (partials.size() > 1) {
    random.shuffle(partials);
    const Partial last = partials.back();
    partials.pop_back();
    partials.back().merge(last);
  }
  return partials.front();
}

::testing::AssertionResult same_for_every_order_and_tree(Random& random, Sums sums) {
  const Partial expected = partial_of(sums);
  for (int round = 0; round < 10; ++round) {
    random.shuffle(sums);
    if (auto result = identical(partial_of(sums), expected); !result) {
      return result << " after a shuffle";
    }
    const size_t leaves = 1 + random.below(2 * sums.size());
    if (auto result = identical(merge_by_random_tree(random, sums, leaves), expected); !result) {
      return result << " after merging " << leaves << " partials";
    }
  }
  return ::testing::AssertionSuccess();
}

Sums random_sums(Random& random, size_t count, int lowest, int highest) {
  Sums sums(count);
  for (ScaledSum& sum : sums) sum = {random.magnitude<double>(lowest, highest), 0};
  return sums;
}

TEST(Partial, OneValueOfAnyExponentComesBackAsItIs) {
  Random random(1);
  for (int exponent = -1022; exponent <= 1023; ++exponent) {
    for (const int64_t digits : {int64_t{0}, int64_t{-7}, int64_t{1} << 58, -(int64_t{1} << 58)}) {
      const double value = random.magnitude<double>(exponent, exponent);
      EXPECT_TRUE(rounds_to(partial_of({{value, digits}}), std::ldexp(value, -exponent),
                            ExactSum::Position{32} * digits + exponent));
    }
  }
}

TEST(Partial, SumsOfSimilarMagnitudesAreExactAndRoundedOnce) {
  Random random(2);
  for (int round = 0; round < 400; ++round) {
    const int lowest = random.between(-1022, 960);
    EXPECT_TRUE(
        rounds_to_exact_sum(random_sums(random, 1 + random.below(100), lowest, lowest + 63)));
  }
}

// What is dropped is below 2^-116 of the largest for each value: with 200 of them it changes the
// rounding with probability 2^-55, and the seed is fixed.
TEST(Partial, SumsOfWildlyDifferentMagnitudesRoundLikeTheExactSum) {
  Random random(3);
  for (int round = 0; round < 200; ++round) {
    EXPECT_TRUE(rounds_to_exact_sum(random_sums(random, 1 + random.below(200), -1022, 1023)));
    EXPECT_TRUE(rounds_to_exact_sum(random_sums(random, 1 + random.below(200), -100, 100)));
  }
}

TEST(Partial, AnyOrderAndAnyTreeOfMergesGivesTheSameBits) {
  Random random(4);
  for (int round = 0; round < 60; ++round) {
    const size_t count = 1 + random.below(60);
    EXPECT_TRUE(same_for_every_order_and_tree(random, random_sums(random, count, -1022, 1023)));
    EXPECT_TRUE(same_for_every_order_and_tree(random, random_sums(random, count, -100, 100)));
    EXPECT_TRUE(same_for_every_order_and_tree(random, random_sums(random, count, 0, 3)));
  }
}

// The order decides when the window moves, so here every digit that is dropped matters: the sums
// are ones whose dropped parts would add up to a carry if they were kept in one order only.
TEST(Partial, DigitsBelowTheWindowAreDroppedInEveryOrder) {
  Random random(5);
  for (int spread = 0; spread <= 200; ++spread) {
    Sums sums(64, ScaledSum{0x1.fffffffffffffp0, 0});
    sums.push_back({std::ldexp(0x1.fffffffffffffp0, spread), 0});
    EXPECT_TRUE(same_for_every_order_and_tree(random, sums)) << "spread " << spread;
    EXPECT_TRUE(rounds_to_exact_sum(sums)) << "spread " << spread;
  }
}

TEST(Partial, DigitsMayBeFarApart) {
  Random random(6);
  constexpr int64_t kFar = 1'000'000;
  for (int round = 0; round < 50; ++round) {
    Sums large = random_sums(random, 1 + random.below(20), 0, 40);
    for (ScaledSum& sum : large) sum.digits = kFar;
    Sums all = large;
    for (const int64_t digits : {-kFar, int64_t{0}, kFar - 40}) {
      for (ScaledSum sum : random_sums(random, random.below(20), -1000, 1000)) {
        sum.digits = digits;
        all.push_back(sum);
      }
    }
    EXPECT_TRUE(rounds_to_exact_sum(large));
    EXPECT_TRUE(identical(partial_of(all), partial_of(large)));
    EXPECT_TRUE(same_for_every_order_and_tree(random, all));
  }
}

// Every distance between two windows, from none to one that leaves nothing of the smaller value.
TEST(Partial, TheWindowMovesByAnyDistance) {
  Random random(7);
  for (int64_t distance = 0; distance < 9; ++distance) {
    for (int exponent = -40; exponent <= 40; ++exponent) {
      const Sums sums = {{random.magnitude<double>(exponent, exponent), 0},
                         {random.magnitude<double>(0, 31), distance},
                         {random.magnitude<double>(0, 31), distance + 1}};
      EXPECT_TRUE(rounds_to_exact_sum(sums));
      EXPECT_TRUE(same_for_every_order_and_tree(random, sums));
    }
  }
}

TEST(Partial, HugeDigitNumbersOfBothSignsAreExact) {
  Random random(8);
  constexpr int64_t kLargest = int64_t{1} << 58;
  for (const int64_t base : {kLargest, -kLargest}) {
    Sums sums;
    for (int i = 0; i < 60; ++i) {
      sums.push_back({random.magnitude<double>(0, 30), base - random.between(0, 1)});
    }
    EXPECT_TRUE(rounds_to_exact_sum(sums));
    EXPECT_TRUE(same_for_every_order_and_tree(random, sums));
    // The other end of the range, 2^64 binary places away.
    const Partial expected = partial_of(sums);
    if (base < 0) continue;
    sums.push_back({0x1p1023, -kLargest});
    EXPECT_TRUE(identical(partial_of(sums), expected));
    EXPECT_TRUE(same_for_every_order_and_tree(random, sums));
  }
}

TEST(Partial, TiesRoundToEvenAtEveryPosition) {
  for (int shift = -1; shift <= 64; ++shift) {
    const auto at = [&](double x) { return ScaledSum{std::ldexp(x, shift), 0}; };
    const double odd = 1 + 0x1p-52;
    EXPECT_TRUE(rounds_to(partial_of({at(1), at(0x1p-53)}), 1, shift));
    EXPECT_TRUE(rounds_to(partial_of({at(odd), at(0x1p-53)}), 1 + 0x1p-51, shift));
    EXPECT_TRUE(rounds_to(partial_of({at(odd), at(0x1p-54)}), odd, shift));
    // One bit below the tie, as far down as the window reaches for certain.
    for (const double bit : {0x1p-54, 0x1p-64, 0x1p-65, 0x1p-85, 0x1p-100, 0x1p-116}) {
      EXPECT_TRUE(rounds_to(partial_of({at(1), at(0x1p-53), at(bit)}), odd, shift)) << hex(bit);
    }
  }
}

TEST(Partial, AMantissaOfOnesRoundsUpToTwo) {
  for (int shift = -1; shift <= 64; ++shift) {
    const double ones = std::ldexp(0x1.fffffffffffffp0, shift);
    EXPECT_TRUE(rounds_to(partial_of({{ones, 0}, {std::ldexp(0x1p-53, shift), 0}}), 2, shift));
    EXPECT_TRUE(rounds_to(partial_of({{ones, 0}, {std::ldexp(0x1p-54, shift), 0}}),
                          0x1.fffffffffffffp0, shift));
  }
}

// Digits of ones and one more at their low end: the carry runs up to a new digit.
TEST(Partial, CarriesRunThroughAllDigits) {
  for (const int count : {1, 2, 3, 4}) {
    for (int shift = 0; shift < (count < 4 ? 32 : 1); ++shift) {
      Sums sums;
      for (int i = 0; i < count; ++i) sums.push_back({std::ldexp(0x1.fffffffep31, shift), i});
      EXPECT_TRUE(rounds_to_exact_sum(sums));
      sums.push_back({std::ldexp(1.0, shift), 0});
      EXPECT_TRUE(rounds_to(partial_of(sums), 1, 32 * count + shift));
    }
  }
}

// A block sum leaves 12 bits or more of its first digit free; 2^12 of them carry beyond it.
TEST(Partial, ManyEqualSumsCarryBeyondTheFirstDigit) {
  for (int exponent = 0; exponent < 32; ++exponent) {
    Partial partial;
    ExactSum exact;
    const ScaledSum sum = {std::ldexp(0x1.fffffffffffffp0, exponent), 0};
    for (int i = 0; i < 5000; ++i) {
      partial.add(sum);
      exact.add(sum);
    }
    EXPECT_TRUE(rounds_to(partial, exact.rounded().mantissa, exact.rounded().position));
  }
}

// Doubling a partial 32 times makes 2^32 block sums of it, the most that the totals hold.
// Totals whose low words and carries overflow, as sums of few blocks seldom have them.
TEST(Partial, AnyTotalsRoundLikeTheExactSum) {
  Random random(61);
  for (int round = 0; round < 2000; ++round) {
    PartialState state = Partial().state();
    state.top = 3;
    ExactSum exact;
    for (int i = 0; i < PartialState::kDigits; ++i) {
      uint32_t words[2];
      for (uint32_t& word : words) word = random.coin() ? UINT32_MAX : uint32_t(random.bits());
      state.totals[i] = uint64_t{words[0]} << 32 | words[1];
      if (words[0] > 0) exact.add({static_cast<double>(words[0]), state.top - i + 1});
      if (words[1] > 0) exact.add({static_cast<double>(words[1]), state.top - i});
    }
    EXPECT_TRUE(rounds_to(Partial::of(state), exact.rounded().mantissa, exact.rounded().position));
  }
}

TEST(Partial, NotesNoMagnitudeThatIsNotFinite) {
  Partial partial;
  partial.note_magnitude(2);
  partial.note_magnitude(std::numeric_limits<double>::infinity());
  partial.note_magnitude(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(partial.largest(), 2);
  partial.note_magnitude(std::numeric_limits<double>::max());
  EXPECT_EQ(partial.largest(), std::numeric_limits<double>::max());
}

TEST(Partial, HoldsTwoToThe32BlockSums) {
  for (int exponent = 0; exponent < 64; ++exponent) {
    for (const double mantissa : {0x1.fffffffffffffp0, 1.0, 0x1.00000fffp0}) {
      Partial partial = partial_of({{std::ldexp(mantissa, exponent), 0}});
      for (int doublings = 1; doublings <= 32; ++doublings) {
        partial.merge(Partial(partial));
        EXPECT_TRUE(rounds_to(partial, mantissa, exponent + doublings));
      }
    }
  }
}

TEST(Partial, AnEmptyPartialIsZero) {
  const Partial empty;
  const RoundedSum sum = empty.rounded();
  EXPECT_TRUE(same_bits(sum.mantissa, 0.0));
  EXPECT_EQ(sum.digits, 0);
  EXPECT_EQ(sum.exponent, 0);
  EXPECT_TRUE(same_bits(empty.elements(), 0.0));
  EXPECT_TRUE(same_bits(empty.largest(), 0.0));
  EXPECT_FALSE(empty.nan());
  EXPECT_FALSE(empty.infinity());
}

TEST(Partial, MergingWithAnEmptyOneChangesNothing) {
  Random random(9);
  Partial both;
  both.merge(Partial());
  EXPECT_TRUE(identical(both, Partial()));
  for (const int64_t digits : {int64_t{0}, int64_t{1} << 58, -(int64_t{1} << 58)}) {
    Partial full = partial_of({{random.magnitude<double>(-99, 99), digits}});
    full.note_elements(3);
    full.note_magnitude(2);
    const Partial expected = full;
    full.merge(Partial());
    EXPECT_TRUE(identical(full, expected));
    Partial empty;
    empty.merge(expected);
    EXPECT_TRUE(identical(empty, expected));
  }
}

TEST(Partial, MergingJoinsTheNotesAndLeavesTheOtherAsItWas) {
  Partial a = partial_of({{1, 0}}), b = partial_of({{2, 0}});
  a.note_elements(5);
  a.note_magnitude(7);
  a.note_nan();
  b.note_elements(6);
  b.note_magnitude(3);
  b.note_infinity();
  const Partial b_before = b;
  Partial ab = a;
  ab.merge(b);
  EXPECT_TRUE(identical(b, b_before));
  Partial ba = b;
  ba.merge(a);
  EXPECT_TRUE(identical(ab, ba));
  EXPECT_TRUE(same_bits(ab.elements(), 11));
  EXPECT_TRUE(same_bits(ab.largest(), 7));
  EXPECT_TRUE(ab.nan());
  EXPECT_TRUE(ab.infinity());
}

TEST(Partial, FlagsAreSetByTheirOwnNotesOnly) {
  Partial partial;
  partial.note_elements(0x1p53 - 1);
  partial.note_elements(1);
  EXPECT_TRUE(same_bits(partial.elements(), 0x1p53));
  partial.note_magnitude(0x1p-1074);
  EXPECT_TRUE(same_bits(partial.largest(), 0x1p-1074));
  partial.note_magnitude(0);
  EXPECT_TRUE(same_bits(partial.largest(), 0x1p-1074));
  EXPECT_FALSE(partial.nan() || partial.infinity());
  partial.note_infinity();
  EXPECT_TRUE(partial.infinity() && !partial.nan());
  partial.note_nan();
  EXPECT_TRUE(partial.infinity() && partial.nan());
}

// The state goes through its bytes, as it does where it is kept elsewhere.
Partial restored(const Partial& partial) {
  const PartialState state = partial.state();
  unsigned char bytes[sizeof state];
  std::memcpy(bytes, &state, sizeof state);
  PartialState copy;
  std::memcpy(&copy, bytes, sizeof copy);
  return Partial::of(copy);
}

::testing::AssertionResult same_words(const PartialState& actual, const PartialState& expected) {
  constexpr size_t kWords = sizeof actual / sizeof(uint64_t);
  uint64_t a[kWords], b[kWords];
  std::memcpy(a, &actual, sizeof a);
  std::memcpy(b, &expected, sizeof b);
  for (size_t i = 0; i < kWords; ++i) {
    if (a[i] == b[i]) continue;
    return ::testing::AssertionFailure()
           << std::hex << "word " << i << " of the state is " << a[i] << ", expected " << b[i];
  }
  return ::testing::AssertionSuccess();
}

// One of the things that can happen to a partial, the same to each of the two.
void operate_on_both(Random& random, Partial& a, Partial& b) {
  const ScaledSum sum = {random.magnitude<double>(-1022, 1023), random.between(-40, 40)};
  Partial other = partial_of(random_sums(random, random.below(4), -1022, 1023));
  switch (random.below(8)) {
    case 0:
      other.note_elements(static_cast<double>(random.below(1000)));
      other.note_magnitude(random.magnitude<double>(-99, 99));
      if (random.below(9) == 0) other.note_nan();
      if (random.below(9) == 0) other.note_infinity();
      [[fallthrough]];
    case 1:
      a.merge(other);
      b.merge(other);
      return;
    case 2: {
      // The other way round.
      Partial next = other;
      next.merge(a);
      other.merge(b);
      a = next;
      b = other;
      return;
    }
    case 3:
      a.note_elements(7);
      b.note_elements(7);
      return;
    default:
      a.add(sum);
      b.add(sum);
  }
}

TEST(PartialState, IsTheSamePartialForEveryFollowingOperation) {
  for (uint64_t seed = 1000; seed < 1400; ++seed) {
    Random random(seed);
    Partial kept, moved;
    for (int step = 0; step < 30; ++step) {
      if (random.coin()) moved = restored(moved);
      EXPECT_TRUE(identical(moved, kept)) << "seed " << seed << ", step " << step;
      EXPECT_TRUE(same_words(moved.state(), kept.state())) << "seed " << seed << ", step " << step;
      operate_on_both(random, kept, moved);
    }
  }
}

// Sums of which the largest comes last move the window over all that was restored.
TEST(PartialState, RestoresEveryDigit) {
  Random random(10);
  for (int round = 0; round < 200; ++round) {
    Sums sums;
    for (int64_t digit = 0; digit < 7; ++digit) {
      sums.push_back({random.magnitude<double>(0, 31), digit});
    }
    Partial partial;
    for (const ScaledSum& sum : sums) {
      partial = restored(partial);
      partial.add(sum);
    }
    EXPECT_TRUE(identical(partial, partial_of(sums)));
    EXPECT_TRUE(same_words(partial.state(), partial_of(sums).state()));
  }
}

TEST(PartialState, OfAnEmptyPartialIsAnEmptyPartial) {
  const PartialState state = Partial().state();
  for (const uint64_t total : state.totals) EXPECT_EQ(total, 0u);
  EXPECT_EQ(state.top, INT64_MIN);
  EXPECT_EQ(state.flags, 0u);
  Partial empty = restored(Partial());
  EXPECT_TRUE(identical(empty, Partial()));
  empty.merge(restored(Partial()));
  EXPECT_TRUE(identical(empty, Partial()));
  for (const int64_t digits : {int64_t{0}, int64_t{1} << 58, -(int64_t{1} << 58)}) {
    const Partial full = partial_of({{1.5, digits}});
    Partial merged = restored(Partial());
    merged.merge(full);
    EXPECT_TRUE(identical(merged, full));
    Partial added = restored(Partial());
    added.add({1.5, digits});
    EXPECT_TRUE(identical(added, full));
  }
}

TEST(PartialState, KeepsWhatWasNotedAndTheFlagsApart) {
  Partial partial;
  partial.note_elements(0x1p53);
  partial.note_magnitude(0x1p-1074);
  const auto flags = [&] { return partial.state().flags; };
  EXPECT_EQ(flags(), 0u);
  Partial nan = partial, infinity = partial;
  nan.note_nan();
  infinity.note_infinity();
  EXPECT_EQ(nan.state().flags, 1u);
  EXPECT_EQ(infinity.state().flags, 2u);
  for (const Partial& each : {partial, nan, infinity}) {
    EXPECT_TRUE(identical(restored(each), each));
  }
  nan.merge(infinity);
  EXPECT_EQ(nan.state().flags, 3u);
  EXPECT_TRUE(identical(restored(nan), nan));
}

// The words themselves are the same for every order and tree: a saved state can be compared.
TEST(PartialState, HasTheSameWordsForAnyOrderAndTree) {
  Random random(11);
  for (int round = 0; round < 200; ++round) {
    Sums sums = random_sums(random, 1 + random.below(40), -200, 200);
    const PartialState expected = partial_of(sums).state();
    random.shuffle(sums);
    EXPECT_TRUE(same_words(partial_of(sums).state(), expected));
    const Partial merged = merge_by_random_tree(random, sums, 1 + random.below(10));
    EXPECT_TRUE(same_words(merged.state(), expected));
  }
}

}  // namespace
}  // namespace gradnorm::testing
