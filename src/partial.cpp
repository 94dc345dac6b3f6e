// src/partial.cpp: exact accumulation of block sums. See partial.hpp for the idea.
#include "partial.hpp"

#include <bit>

#include "bits.hpp"

namespace gradnorm {

// Moves the window up so that its first digit is digit number `top`.
void Partial::raise_to(int64_t top) {
  if (top <= state_.top) return;
  const bool empty = state_.top == INT64_MIN;
  const int64_t shift = empty || top - state_.top > kDigits ? kDigits : top - state_.top;
  for (int i = kDigits - 1; i >= 0; --i)
    state_.totals[i] = i >= shift ? state_.totals[i - shift] : 0;
  state_.top = top;
}

void Partial::add(ScaledSum sum) {
  const uint64_t bits = bits_as<uint64_t>(sum.value);
  const uint64_t integer = (bits & 0x000FFFFFFFFFFFFF) | 0x0010000000000000;  // 53 bits
  const int exponent = static_cast<int>(bits >> 52) - 1075;                   // of its last bit
  const int shift = exponent & 31;
  // integer << shift has at most 84 bits: three digits, the first of them number `first`.
  const uint64_t low = integer << shift;
  const uint64_t digits[3] = {integer >> 32 >> (32 - shift), low >> 32, low & 0xFFFFFFFF};
  const int64_t first = sum.digits + (exponent >> 5) + 2;
  if (first > state_.top) raise_to(first);
  const int64_t skip = state_.top - first;
  if (skip >= kDigits) return;
  state_.totals[skip] += digits[0];
  if (skip + 1 < kDigits) state_.totals[skip + 1] += digits[1];
  if (skip + 2 < kDigits) state_.totals[skip + 2] += digits[2];
}

void Partial::merge(const Partial& other) {
  raise_to(other.state_.top);
  if (other.state_.top != INT64_MIN && state_.top - other.state_.top < kDigits) {
    const int skip = static_cast<int>(state_.top - other.state_.top);
    for (int i = skip; i < kDigits; ++i) state_.totals[i] += other.state_.totals[i - skip];
  }
  note_elements(other.elements());
  note_magnitude(other.largest());
  state_.flags |= other.state_.flags;
}

RoundedSum Partial::rounded() const {
  // Propagate the carries, from the last digit up; one more word takes what leaves the first.
  constexpr int kWords = kDigits + 1;
  uint64_t word[kWords];
  uint64_t carry = 0;
  for (int i = kDigits - 1; i >= 0; --i) {
    const uint64_t low = (state_.totals[i] & 0xFFFFFFFF) + (carry & 0xFFFFFFFF);
    word[i + 1] = low & 0xFFFFFFFF;
    carry = (state_.totals[i] >> 32) + (carry >> 32) + (low >> 32);
  }
  word[0] = carry;  // below 2^33: state_.totals[0] < 2^64

  int first = 0;
  while (first < kWords && word[first] == 0) ++first;
  if (first == kWords) return {0, 0, 0};

  // The leading 64 bits of the number, and whether anything below them is not zero. Of the last ten
  // of the 64, too, it only matters whether they are.
  const int width = static_cast<int>(std::bit_width(word[first]));
  uint64_t leading = word[first] << (64 - width);
  uint64_t rest = 0;
  for (int i = 1; first + i < kWords; ++i) {
    const int position = 64 - width - 32 * i;  // where this digit's last bit goes
    if (position >= 0) {
      leading |= word[first + i] << position;
    } else if (position > -32) {
      leading |= word[first + i] >> -position;
      rest |= word[first + i] << (64 + position);
    } else {
      rest |= word[first + i];
    }
  }

  uint64_t mantissa = leading >> 11;  // 53 bits
  const uint64_t dropped = leading & 0x7FF;
  const bool round_up = dropped > 0x400 || (dropped == 0x400 && (rest != 0 || (mantissa & 1) != 0));
  mantissa += round_up;
  // word[first] counts units of 2^(32 * (state_.top + 1 - first)); a mantissa of 2^53 is exact too.
  return {static_cast<double>(mantissa) * 0x1p-52, state_.top + 1 - first, width - 1};
}

}  // namespace gradnorm
