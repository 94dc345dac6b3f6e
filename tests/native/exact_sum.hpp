// tests/native/exact_sum.hpp: the oracle of the partial. A binary number as the set of its one
// bits.
//
// It shares no idea with the core: no digits, no window, one ripple of carries a bit. Slow, and
// short enough to be seen to be right.
#pragma once

#include <cmath>
#include <cstdint>
#include <set>

#include "partial.hpp"

namespace gradnorm::testing {

class ExactSum {
 public:
  // A bit's weight is 2^position. Positions reach 32 * 2^58, so their differences exceed 64 bits.
  __extension__ using Position = __int128;

  void add(ScaledSum sum) {
    int exponent;
    auto integer = static_cast<uint64_t>(std::ldexp(std::frexp(sum.value, &exponent), 53));
    Position position = Position{32} * sum.digits + exponent - 53;
    for (; integer != 0; integer >>= 1, ++position) {
      if ((integer & 1) != 0) add_bit(position);
    }
  }

  // mantissa * 2^position, mantissa in [1, 2]: the sum rounded to 53 bits, ties to even.
  struct Rounded {
    double mantissa;
    Position position;
  };
  Rounded rounded() const {
    if (bits_.empty()) return {0, 0};
    const Position first = *bits_.rbegin();
    double mantissa = 0;
    for (int i = 0; i < 53; ++i) {
      if (has(first - i)) mantissa += std::ldexp(1.0, -i);
    }
    const bool exactly_half_or_more = has(first - 53);
    const bool more = *bits_.begin() < first - 53;
    const bool odd = has(first - 52);
    if (exactly_half_or_more && (more || odd)) mantissa += 0x1p-52;
    return {mantissa, first};
  }

 private:
  void add_bit(Position position) {
    while (bits_.erase(position) != 0) ++position;
    bits_.insert(position);
  }
  bool has(Position position) const { return bits_.count(position) != 0; }

  std::set<Position> bits_;
};

}  // namespace gradnorm::testing
