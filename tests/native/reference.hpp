// tests/native/reference.hpp: sums and norms in long double, and how far they can be trusted.
//
// Where long double has 64 bits or more its own error is negligible beside the bounds of the core.
// Where it is double, the tolerances widen by themselves: every one adds reference_error().
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace gradnorm::testing {

inline constexpr long double kReferenceEpsilon = std::numeric_limits<long double>::epsilon();

// k roundings in a row, each with relative error <= u, err by no more than this (Higham, Accuracy
// and Stability of Numerical Algorithms, lemma 3.1, doi:10.1137/1.9780898718027).
constexpr long double roundings(int k, long double u) { return k * u / (1 - k * u); }
inline constexpr long double kFloatUnit = 0x1p-24L;
inline constexpr long double kDoubleUnit = 0x1p-53L;

// A sum with Neumaier's compensation (1974, doi:10.1002/zamm.19740540106): of terms >= 0 its
// relative error is below kReferenceEpsilon.
class LongSum {
 public:
  void add(long double term) {
    const long double next = sum_ + term;
    compensation_ +=
        std::fabs(sum_) >= std::fabs(term) ? (sum_ - next) + term : (term - next) + sum_;
    sum_ = next;
  }
  long double value() const { return sum_ + compensation_; }

 private:
  long double sum_ = 0;
  long double compensation_ = 0;
};

// The p-norm of finite numbers.
template <class T>
long double reference_norm(const std::vector<T>& x, double p) {
  long double maximum = 0;
  for (const T element : x) maximum = std::fmax(maximum, std::fabs(element));
  if (maximum == 0 || std::isinf(p)) return maximum;
  LongSum sum;
  for (const T element : x) {
    if (element == 0) continue;
    sum.add(std::pow(static_cast<long double>(std::fabs(element)) / maximum, p));
  }
  return maximum * std::pow(sum.value(), 1 / static_cast<long double>(p));
}

// The relative error of reference_norm, for a pow that errs by up to one unit in the last place.
// Division, power and sum cost at most 4 epsilons in the sum, divided by p in the norm; the
// rounding of 1/p costs log(sum)/p of half an epsilon; the root and the product two more.
inline long double reference_error(size_t count, double p) {
  if (std::isinf(p)) return 0;
  const long double log_of_sum = std::log(static_cast<long double>(count) + 1);
  return kReferenceEpsilon * (3 + (4 + log_of_sum / 2) / static_cast<long double>(p));
}

// The relative error that norm.hpp promises for elements of type T.
template <class T>
long double promised_error(double p) {
  if (std::isinf(p)) return 0;
  if (std::numeric_limits<T>::digits == 24) return 0x1p-23L;
  if (p >= 1 && std::floor(2 * p) == 2 * p) return 0x1p-48L;
  return 0x1p-40L * std::fmax(1.0L, 1 / static_cast<long double>(p));
}

// Beside the promised error: subnormal results have an absolute one instead.
inline constexpr long double kSubnormalError = 0x1p-1074L;

}  // namespace gradnorm::testing
