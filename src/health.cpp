// src/health.cpp: one fast look at each block, and a slow one where something is wrong with it.
#include "health.hpp"

#include <cmath>
#include <limits>

#include "bits.hpp"
#include "kernels.hpp"

namespace gradnorm {
namespace {

// Magnitudes between these add up, over a block, to a sum that neither overflows nor underflows.
constexpr double kLargeMagnitude = 0x1p900;
constexpr double kSmallMagnitude = 0x1p-900;

}  // namespace

template <class T>
void Health::inspect(const T* x, size_t count) {
  for (; count > kBlockElements; count -= kBlockElements, x += kBlockElements) {
    inspect_block(x, kBlockElements);
  }
  if (count > 0) inspect_block(x, count);
}

template <class T>
void Health::inspect_block(const T* x, size_t count) {
  const double before = elements();
  state_.magnitudes.note_elements(static_cast<double>(count));
  HealthLeaf<T> leaf;
  // One that starts with no finite number needs no sum to tell that it is not ordinary.
  const double sum = std::isfinite(x[0]) ? sum_block(x, count, leaf) : x[0];
  const bool is_ordinary = sum >= kSmallMagnitude && sum <= kLargeMagnitude;
  if (is_ordinary) {
    state_.magnitudes.note_magnitude(largest_lane(leaf.largest));
    state_.magnitudes.add({sum, 0});
    // Most whole blocks of most gradients have no zero, which the smallest magnitude tells at half
    // the cost; the padding of a last block counts as some.
    if (!leaf.has_zero()) return;
  }
  if (sum == 0) {
    state_.zeros += static_cast<double>(count);
    return;
  }
  using Integer = decltype(largest_bits(x, count));
  const size_t nonfinite = is_ordinary ? 0 : count_nonfinite(x, count, before);
  if (nonfinite == count) return;
  const size_t zeros = count - count_above(Integer{0}, x, count);
  state_.zeros += static_cast<double>(zeros);
  if (!is_ordinary && zeros + nonfinite < count) add_one_by_one(x, count);
}

// Of a block whose first element has the position `before`.
template <class T>
size_t Health::count_nonfinite(const T* x, size_t count, double before) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  constexpr auto kInfinityBits = bits_as<decltype(largest_bits(x, count))>(kInfinity);
  const size_t nonfinite = count_above(kInfinityBits - 1, x, count);
  if (nonfinite == 0) return 0;
  const size_t nans = count_above(kInfinityBits, x, count);
  state_.nans += static_cast<double>(nans);
  state_.infinities += static_cast<double>(nonfinite - nans);
  if (state_.first_nonfinite < 0) {
    const T* first = x;
    while (std::isfinite(*first)) ++first;
    state_.first_nonfinite = before + static_cast<double>(first - x);
  }
  return nonfinite;
}

// The finite magnitudes of a block in which others are not finite, or whose sum is near the ends of
// the range.
void Health::add_one_by_one(const float* x, size_t count) {
  alignas(16) double widened[kBlockElements];
  widen_block(x, count, widened);
  add_one_by_one(widened, count);
}

void Health::add_one_by_one(const double* x, size_t count) {
  double small = 0, medium = 0, large = 0;
  for (size_t i = 0; i < count; ++i) {
    const double magnitude = std::fabs(x[i]);
    if (!std::isfinite(magnitude)) continue;
    state_.magnitudes.note_magnitude(magnitude);
    if (magnitude < kSmallMagnitude) {
      small += magnitude * 0x1p256;
    } else if (magnitude > kLargeMagnitude) {
      large += magnitude * 0x1p-256;
    } else {
      medium += magnitude;
    }
  }
  if (small > 0) state_.magnitudes.add({small, -8});
  if (medium > 0) state_.magnitudes.add({medium, 0});
  if (large > 0) state_.magnitudes.add({large, 8});
}

void Health::merge(const Health& other) {
  state_.magnitudes.merge(other.state_.magnitudes);
  state_.zeros += other.state_.zeros;
  state_.nans += other.state_.nans;
  state_.infinities += other.state_.infinities;
}

double Health::mean() const {
  const RoundedSum sum = state_.magnitudes.rounded();
  if (sum.mantissa == 0) return 0;
  const double finite = elements() - state_.nans - state_.infinities;
  return std::ldexp(sum.mantissa / finite, 32 * static_cast<int>(sum.digits) + sum.exponent);
}

template void Health::inspect(const float*, size_t);
template void Health::inspect(const double*, size_t);

}  // namespace gradnorm
