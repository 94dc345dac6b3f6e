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

// Everything a partial knows, for those who keep it elsewhere; see Partial for what it means.
struct PartialState {
  static constexpr int kDigits = 5;
  uint64_t totals[kDigits];
  int64_t top;
  double elements;
  double largest;
  uint64_t flags;  // 1: NaN, 2: infinity
};

class Partial {
 public:
  // Adds a block sum: value > 0, finite and normal.
  void add(ScaledSum sum);
  void merge(const Partial& other);

  void note_elements(double elements) { elements_ += elements; }
  void note_nan() { nan_ = true; }
  void note_infinity() { infinity_ = true; }
  void note_magnitude(double magnitude) {
    if (largest_ < magnitude && magnitude <= std::numeric_limits<double>::max()) {
      largest_ = magnitude;
    }
  }

  // The state as plain words, and back. It means the same on every machine of the same byte order.
  PartialState state() const;
  static Partial of(const PartialState& state);

  RoundedSum rounded() const;
  // Elements seen, zeros and non-finite ones included; exact up to 2^53.
  double elements() const { return elements_; }
  bool nan() const { return nan_; }
  bool infinity() const { return infinity_; }
  // The largest finite magnitude that was noted. Kernels that do not look for the maximum note
  // none.
  double largest() const { return largest_; }

 private:
  static constexpr int kDigits = PartialState::kDigits;
  void raise_to(int64_t top);

  // total_[i] counts units of 2^(32 * (top_ - i)). The two behind the window take what is dropped,
  // so that adding need not ask; nothing reads them.
  uint64_t total_[kDigits + 2] = {};
  int64_t top_ = INT64_MIN;
  double elements_ = 0;
  double largest_ = 0;
  bool nan_ = false;
  bool infinity_ = false;
};

}  // namespace gradnorm
