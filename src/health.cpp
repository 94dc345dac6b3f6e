// src/health.cpp: one fast look at each block, and a slow one where something is wrong with it.
#include "health.hpp"

#include <cmath>

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
  HealthLeaf<T> leaf;
  const double sum = sum_block(x, count, leaf);
  const bool is_ordinary = sum >= kSmallMagnitude && sum <= kLargeMagnitude;
  if (is_ordinary) {
    magnitudes_.note_magnitude(largest_lane(leaf.largest));
    magnitudes_.add({sum, 0});
  } else if (sum != 0) {
    inspect_one_by_one(x, count);
  }
  // Most blocks of most gradients have none, which the smallest magnitude tells at half the cost.
  if (!is_ordinary || leaf.has_zero()) zeros_ += static_cast<double>(count_zeros(x, count));
  elements_ += static_cast<double>(count);
}

// With NaN, infinity, or magnitudes whose sum is near the ends of the range.
void Health::inspect_one_by_one(const float* x, size_t count) {
  alignas(16) double widened[kBlockElements];
  widen_block(x, count, widened);
  inspect_one_by_one(widened, count);
}

void Health::inspect_one_by_one(const double* x, size_t count) {
  double small = 0, medium = 0, large = 0;
  for (size_t i = 0; i < count; ++i) {
    const double magnitude = std::fabs(x[i]);
    if (!std::isfinite(magnitude)) {
      ++(std::isnan(magnitude) ? nans_ : infinities_);
      if (first_nonfinite_ < 0) first_nonfinite_ = elements_ + static_cast<double>(i);
      continue;
    }
    magnitudes_.note_magnitude(magnitude);
    if (magnitude < kSmallMagnitude) {
      small += magnitude * 0x1p256;
    } else if (magnitude > kLargeMagnitude) {
      large += magnitude * 0x1p-256;
    } else {
      medium += magnitude;
    }
  }
  if (small > 0) magnitudes_.add({small, -8});
  if (medium > 0) magnitudes_.add({medium, 0});
  if (large > 0) magnitudes_.add({large, 8});
}

void Health::merge(const Health& other) {
  magnitudes_.merge(other.magnitudes_);
  elements_ += other.elements_;
  zeros_ += other.zeros_;
  nans_ += other.nans_;
  infinities_ += other.infinities_;
}

double Health::mean() const {
  const RoundedSum sum = magnitudes_.rounded();
  if (sum.mantissa == 0) return 0;
  const double finite = elements_ - nans_ - infinities_;
  return std::ldexp(sum.mantissa / finite, 32 * static_cast<int>(sum.digits) + sum.exponent);
}

template void Health::inspect(const float*, size_t);
template void Health::inspect(const double*, size_t);

}  // namespace gradnorm
