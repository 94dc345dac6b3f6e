// src/partial.cpp: exact accumulation of block sums. See partial.hpp for the idea.
#include "partial.hpp"

#include <bit>

#include "bits.hpp"

namespace gradnorm {

// Moves the window up so that its first digit is digit number `top`.
void Partial::raise_to(int64_t top) {
  if (top <= top_) return;
  const bool empty = top_ == INT64_MIN;
  const int64_t shift = empty || top - top_ > kDigits ? kDigits : top - top_;
  for (int i = kDigits - 1; i >= 0; --i) total_[i] = i >= shift ? total_[i - shift] : 0;
  top_ = top;
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
  if (first > top_) raise_to(first);
  const int64_t skip = top_ - first;
  if (skip >= kDigits) return;
  total_[skip] += digits[0];
  total_[skip + 1] += digits[1];
  total_[skip + 2] += digits[2];
}

void Partial::merge(const Partial& other) {
  raise_to(other.top_);
  if (other.top_ != INT64_MIN && top_ - other.top_ < kDigits) {
    const int skip = static_cast<int>(top_ - other.top_);
    for (int i = skip; i < kDigits; ++i) total_[i] += other.total_[i - skip];
  }
  note_elements(other.elements_);
  note_magnitude(other.largest_);
  nan_ |= other.nan_;
  infinity_ |= other.infinity_;
}

PartialState Partial::state() const {
  PartialState state = {{}, top_, elements_, largest_, uint64_t{nan_} | uint64_t{infinity_} << 1};
  for (int i = 0; i < kDigits; ++i) state.totals[i] = total_[i];
  return state;
}

Partial Partial::of(const PartialState& state) {
  Partial partial;
  for (int i = 0; i < kDigits; ++i) partial.total_[i] = state.totals[i];
  partial.top_ = state.top;
  partial.elements_ = state.elements;
  partial.largest_ = state.largest;
  partial.nan_ = (state.flags & 1) != 0;
  partial.infinity_ = (state.flags & 2) != 0;
  return partial;
}

RoundedSum Partial::rounded() const {
  // Propagate the carries, from the last digit up; one more word takes what leaves the first.
  constexpr int kWords = kDigits + 1;
  uint64_t word[kWords];
  uint64_t carry = 0;
  for (int i = kDigits - 1; i >= 0; --i) {
    const uint64_t low = (total_[i] & 0xFFFFFFFF) + (carry & 0xFFFFFFFF);
    word[i + 1] = low & 0xFFFFFFFF;
    carry = (total_[i] >> 32) + (carry >> 32) + (low >> 32);
  }
  word[0] = carry;  // below 2^33: total_[0] < 2^64

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
  // word[first] counts units of 2^(32 * (top_ + 1 - first)); a mantissa of 2^53 is exact too.
  return {static_cast<double>(mantissa) * 0x1p-52, top_ + 1 - first, width - 1};
}

}  // namespace gradnorm
