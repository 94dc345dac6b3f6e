// src/partial.hpp: the state of a reduction. Block sums go in, in any order, and one number comes
// out.
//
// A partial is a fixed-point number of kDigits digits to the base 2^32 whose position is chosen by
// the largest block sum seen, as in the binned sums of Demmel and Nguyen ("Parallel Reproducible
// Summation", IEEE Transactions on Computers 64(7), 2015, doi:10.1109/TC.2014.2345391):
//
//   - every block sum is cut into digits at fixed absolute positions, whatever has been added
//   before;
//   - each digit has its own 64-bit integer total, and carries are not propagated before the end;
//   - digits below the window are dropped. The window only ever moves up, so what has been dropped
//     would have been dropped in any other order too.
//
// So adding and merging are exact on the digits that remain, associative and commutative: the
// result has the same bits for every order of the tensors, every cut at block boundaries and every
// tree of merges. What is dropped is below 2^-116 of the largest block sum for each block: with
// 2^32 blocks, the most that the totals hold without overflow, below 2^-84 of the sum.
#pragma once

#include <cstdint>
#include <limits>

namespace gradnorm {

// value * 2^(32 * digits): how a block sum far outside the range of doubles is written.
struct ScaledSum {
  double value;
  int64_t digits;
};

// mantissa * 2^(32 * digits + exponent), mantissa in [1, 2] or 0: a sum, rounded once to nearest
// even.
struct RoundedSum {
  double mantissa;
  int64_t digits;
  int exponent;
};

// Everything a partial knows, as words; see Partial for what it means.
struct PartialState {
  static constexpr int kDigits = 5;
  uint64_t totals[kDigits] = {};  // totals[i] counts units of 2^(32 * (top - i))
  int64_t top = INT64_MIN;
  double elements = 0;
  double largest = 0;
  uint64_t flags = 0;  // 1: NaN, 2: infinity
};

class Partial {
 public:
  // Adds a block sum: value > 0, finite and normal.
  void add(ScaledSum sum);
  void merge(const Partial& other);

  void note_elements(double elements) { state_.elements += elements; }
  void note_nan() { state_.flags |= 1; }
  void note_infinity() { state_.flags |= 2; }
  void note_magnitude(double magnitude) {
    if (state_.largest < magnitude && magnitude <= std::numeric_limits<double>::max()) {
      state_.largest = magnitude;
    }
  }

  // The words, which mean the same on every machine of the same byte order. A partial is its words
  // and nothing else, so it may lie in memory that others read and write.
  const PartialState& state() const { return state_; }
  static Partial of(const PartialState& state) {
    Partial partial;
    partial.state_ = state;
    return partial;
  }

  RoundedSum rounded() const;
  // Elements seen, zeros and non-finite ones included; exact up to 2^53.
  double elements() const { return state_.elements; }
  bool nan() const { return (state_.flags & 1) != 0; }
  bool infinity() const { return (state_.flags & 2) != 0; }
  // The largest finite magnitude that was noted. Kernels that do not look for the maximum note
  // none.
  double largest() const { return state_.largest; }

 private:
  static constexpr int kDigits = PartialState::kDigits;
  void raise_to(int64_t top);

  PartialState state_;
};

}  // namespace gradnorm
