// src/norm.cpp: from blocks of elements to one number. See norm.hpp for the formula and the bounds.
#include "norm.hpp"

#include <cmath>
#include <limits>

#include "bits.hpp"
#include "elements.hpp"
#include "kernels.hpp"

namespace gradnorm {
namespace {

// From here on n^(1/p) rounds to 1 for every possible number of elements n < 2^44: the maximum is
// the norm within 2^-48.
constexpr double kMaximumFrom = 0x1p53;

// Below this p two elements of any size have a norm beyond the range of doubles, because
// 2^(1/p) > 2^4096, while x^p lies in (0.8, 1.2) for every x: the sum of powers counts elements.
constexpr double kCountingBelow = 0x1p-12;

// Whole and half-odd powers up to here are products; products of a block's elements, scaled so that
// the largest lies in [0.7, 2.9), stay below 2^100, and that of the largest above 2^-34.
constexpr double kLargestProduct = 64.5;

// The polynomials of short precision err by less than 2^-28.7 + p * 2^-31.4 in a power of a
// float32, so by less than 2^-28 in the norm for these p.
constexpr double kShortPrecisionFrom = 1.0;
constexpr double kShortPrecisionUpTo = 64.0;

// A sum of doubles at least this large is not spoilt by terms that underflowed: a block has 2^12
// terms, each off by at most 64 * 2^-1074.
constexpr double kSmallestSafeSum = 0x1p-960;
// The same for squares in float32: 2^12 terms, each off by at most 2^-150, against 2^-88.
constexpr double kSmallestSafeFloatSquares = 0x1p-88;
// Below this the square of a float32 is subnormal as a float32, and many processors take a hundred
// times as long for such a product.
constexpr float kSmallestSquarable = 0x1p-63f;

// Adds a sum of powers if it is finite and large enough not to be spoilt by underflow. Where it is
// NaN an element is, and there is no more to know.
bool add_if_safe(double sum, double smallest, Partial& partial) {
  if (std::isnan(sum)) {
    partial.note_nan();
    return true;
  }
  if (sum < smallest || sum > std::numeric_limits<double>::max()) return false;
  partial.add({sum, 0});
  return true;
}

// Looks at a block's magnitudes. Returns the largest if it is positive and finite; otherwise notes
// what there is to note and returns 0.
template <class T>
[[gnu::noinline]] double finite_maximum(const T* x, size_t count, Partial& partial) {
  const T maximum = bits_as<T>(largest_bits(x, count));
  if (std::isnan(maximum)) {
    partial.note_nan();
    return 0;
  }
  if (std::isinf(maximum)) {
    partial.note_infinity();
    return 0;
  }
  return maximum;
}

// Whether a block needed no sum: one of zeros, as frozen layers and unused rows have them, or one
// in which only the kind of what is not finite matters. Both ends have to look like it, so that
// blocks with some zeros seldom pay for more than their sum.
template <class T>
bool reduce_without_sum(const T* x, size_t count, Partial& partial) {
  const auto is_ordinary = [](T element) { return element != 0 && std::isfinite(element); };
  if (is_ordinary(x[0]) || is_ordinary(x[count - 1])) return false;
  return finite_maximum(x, count, partial) == 0;
}

// Adds powers of floats that are normal and finite as doubles, with their sum: where that is
// infinite an element is.
template <class Power>
void add_powers(const float* x, size_t count, Partial& partial) {
  if (!add_if_safe(sum_block(x, count, PowerLeaf<Power>{}), 0, partial)) partial.note_infinity();
}

double sum_of_float_squares(const float* x, size_t count) {
  return count <= kShort ? sum_short_squares(x, count) : sum_block(x, count, FloatSquareLeaf{});
}

// a * b = high + low exactly (Dekker 1971, doi:10.1007/BF01397083), for |a|, |b| < 2^900.
struct ExactProduct {
  double high;
  double low;
};
ExactProduct multiply_exactly(double a, double b) {
  const auto upper_half = [](double x) {
    const double c = x * 0x1.0000002p27;
    return c - (c - x);
  };
  const double a1 = upper_half(a), a2 = a - a1;
  const double b1 = upper_half(b), b2 = b - b1;
  const double high = a * b;
  return {high, ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2};
}

// mantissa * 2^exponent. Where the error of the norm alone may have lifted it beyond the doubles,
// the largest of them.
double result_of(double mantissa, int exponent, double p) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  const double result = std::ldexp(mantissa, exponent);
  if (result <= kLargest) return result;
  const double slack = p < 1 ? 0x1p-40 / p : 0x1p-48;
  return std::ldexp(mantissa, exponent - 1) <= kLargest / 2 * (1 + slack) ? kLargest : result;
}

// sum * maximum^p with the whole digits of the power kept apart.
ScaledSum scale_by_real_power(double sum, double p, ScalarLog2 maximum) {
  const ExactProduct product = multiply_exactly(p, maximum.exponent);
  const double upper = std::floor(product.high / 32);
  const double rest = (product.high - 32 * upper) + (product.low + p * maximum.fraction);
  const double lower = std::floor(rest / 32);
  const double power = rest - 32 * lower;  // in [0, 32]
  return {sum * exp2_of(power), static_cast<int64_t>(upper) + static_cast<int64_t>(lower)};
}

}  // namespace

Norm::Kind Norm::kind_of(double p) {
  if (p >= kMaximumFrom) return Kind::kMaximum;
  if (p == 1) return Kind::kFirstPower;
  if (p == 2) return Kind::kSquare;
  if (p == 3) return Kind::kCube;
  if (p > kLargestProduct) return Kind::kRealPower;
  if (std::floor(2 * p) == 2 * p) return Kind::kProduct;
  return Kind::kRealPower;
}

Norm::Norm(double p)
    : p_(p), whole_(p <= kLargestProduct ? static_cast<int>(p) : 0), kind_(kind_of(p)) {}

template <class T>
void Norm::reduce(const T* x, size_t count, Partial& partial) const {
  partial.note_elements(static_cast<double>(count));
  for (; count > kBlockElements; count -= kBlockElements, x += kBlockElements) {
    reduce_block(x, kBlockElements, partial);
  }
  // Alone, it is the norm as it is. Noted of every block of one, so that no cut shows in the state.
  if (count == 1) partial.note_magnitude(std::fabs(x[0]));
  if (count > 0) reduce_block(x, count, partial);
}

// What float32 can do by itself; the rest is widened.
void Norm::reduce_block(const float* x, size_t count, Partial& partial) const {
  if (reduce_in_float(x, count, partial)) return;
  alignas(16) double widened[kBlockElements];
  widen_block(x, count, widened);
  reduce_block(widened, count, partial);
}

void Norm::reduce_block(const double* x, size_t count, Partial& partial) const {
  if (kind_ != Kind::kMaximum && kind_ != Kind::kRealPower) {
    if (reduce_without_sum(x, count, partial)) return;
    if (add_if_safe(sum_of_powers(x, count), kSmallestSafeSum, partial)) return;
  }
  // The sum overflowed or may have underflowed: find out which.
  const double maximum = finite_maximum(x, count, partial);
  partial.note_magnitude(maximum);
  if (maximum == 0 || kind_ == Kind::kMaximum) return;
  partial.add(kind_ == Kind::kRealPower ? scaled_real_powers<RelativePower>(x, count, maximum)
                                        : scaled_products(x, count, maximum));
}

// Whether the block was reduced here: in float, or from float without a detour.
bool Norm::reduce_in_float(const float* x, size_t count, Partial& partial) const {
  if (kind_ == Kind::kMaximum || kind_ == Kind::kRealPower) {
    const bool is_short = p_ >= kShortPrecisionFrom && p_ <= kShortPrecisionUpTo;
    if (kind_ == Kind::kRealPower && !is_short) return false;
    const double maximum = finite_maximum(x, count, partial);
    partial.note_magnitude(maximum);
    if (maximum == 0 || kind_ == Kind::kMaximum) return true;
    partial.add(scaled_real_powers<ShortRelativePower>(x, count, maximum));
    return true;
  }
  if (reduce_without_sum(x, count, partial)) return true;
  switch (kind_) {
    case Kind::kFirstPower:
      if (add_if_safe(sum_block(x, count, FloatMagnitudeLeaf{}), 0, partial)) return true;
      // The sum overflowed, or an element is infinite.
      return finite_maximum(x, count, partial) == 0;
    case Kind::kSquare: {
      const bool is_small = starts_small(x, count, kSmallestSquarable);
      if (!is_small &&
          add_if_safe(sum_of_float_squares(x, count), kSmallestSafeFloatSquares, partial)) {
        return true;
      }
      add_powers<Square>(x, count, partial);
      return true;
    }
    case Kind::kCube:
      add_powers<Cube>(x, count, partial);
      return true;
    default:
      return false;
  }
}

// The sum of |x|^p. Only squares are common enough for a kernel of their own.
double Norm::sum_of_powers(const double* x, size_t count) const {
  if (kind_ == Kind::kSquare) return sum_block(x, count, PowerLeaf<Square>{});
  return sum_of_products(x, count, 1);
}

// The same by repeated multiplication, of the elements times factor^2.
double Norm::sum_of_products(const double* x, size_t count, double factor) const {
  return sum_block(x, count, PowerLeaf<ProductPower>{{whole_, p_ != whole_, factor}});
}

// The sum with the elements scaled by the power of two that brings the largest into [0.7, 2.9). The
// scale is even, so that p * scale is whole for half-odd p too.
ScaledSum Norm::scaled_products(const double* x, size_t count, double maximum) const {
  const int scale = static_cast<int>(log2_of(maximum).exponent) & ~1;
  const double sum = sum_of_products(x, count, std::ldexp(1.0, -scale / 2));
  const int exponent = static_cast<int>(p_ * scale);
  return {std::ldexp(sum, exponent & 31), exponent >> 5};
}

// The sum of (|x| / maximum)^p, times maximum^p.
template <class Power, class T>
ScaledSum Norm::scaled_real_powers(const T* x, size_t count, double maximum) const {
  const ScalarLog2 log2_maximum = log2_of(maximum);
  const double sum = sum_block(x, count, PowerLeaf<Power>{{p_, log2_maximum}});
  return scale_by_real_power(sum, p_, log2_maximum);
}

double Norm::finish(const Partial& partial, RoundedSum sum) const {
  if (partial.nan()) return std::numeric_limits<double>::quiet_NaN();
  if (partial.infinity()) return std::numeric_limits<double>::infinity();
  if (kind_ == Kind::kMaximum || partial.elements() == 1) return partial.largest();
  if (sum.mantissa == 0) return 0;
  if (p_ < kCountingBelow) {
    const bool one_element =
        std::ldexp(sum.mantissa, 32 * static_cast<int>(sum.digits) + sum.exponent) < 1.5;
    return one_element ? partial.largest() : std::numeric_limits<double>::infinity();
  }
  return root(sum);
}

// (mantissa * 2^(32 * digits + exponent))^(1/p).
double Norm::root(RoundedSum sum) const {
  if (kind_ == Kind::kFirstPower || kind_ == Kind::kSquare) {
    const int exponent = 32 * static_cast<int>(sum.digits) + sum.exponent;
    if (kind_ == Kind::kFirstPower) return result_of(sum.mantissa, exponent, p_);
    const int odd = exponent & 1;
    return result_of(std::sqrt(std::ldexp(sum.mantissa, odd)), (exponent - odd) / 2, p_);
  }
  // log2 of the sum, divided by p into a whole part and a fraction. Its exponent may need 64 bits:
  // it is taken in two parts, the first a multiple of 2^36 and usually 0, and p times the whole
  // part is subtracted in an order in which every difference but the last is exact.
  constexpr int64_t kLowHalf = 0x7FFFFFFF;
  const int64_t upper_digits = (sum.digits + kLowHalf / 2) & ~kLowHalf;
  const double upper = 32 * static_cast<double>(upper_digits);
  const double lower = 32 * static_cast<double>(sum.digits - upper_digits) + sum.exponent;
  const ScalarLog2 log2_mantissa = log2_of(sum.mantissa);
  const double fraction = log2_mantissa.exponent + log2_mantissa.fraction;
  const double whole = std::nearbyint((upper + lower + fraction) / p_);
  const ExactProduct product = multiply_exactly(whole, p_);
  const double remainder = (((upper - product.high) + lower) - product.low) + fraction;
  return result_of(exp2_of(remainder / p_), static_cast<int>(whole), p_);
}

template void Norm::reduce(const float*, size_t, Partial&) const;
template void Norm::reduce(const double*, size_t, Partial&) const;

}  // namespace gradnorm
