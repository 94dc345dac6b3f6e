// tests/native/laws.hpp: what must hold for any gradients and any p. Shared by fuzz_test.cpp, which
// draws gradients at random, and norm_fuzzer.cpp, which gets them from libFuzzer.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "bits.hpp"
#include "random.hpp"
#include "reference.hpp"
#include "tensors.hpp"

namespace gradnorm::testing {

// Collects the laws that one case breaks.
class Laws {
 public:
  Laws(uint64_t seed, const Tensors& tensors, double p)
      : random_(seed),
        tensors_(tensors),
        p_(p),
        elements_(flatten(tensors)),
        norm_(norm_of(tensors, p)) {}

  // One line for each broken law; empty if all hold.
  std::string broken() {
    order_does_not_matter();
    cuts_do_not_matter();
    signs_and_zeros_do_not_matter();
    if (special_values_win()) return broken_;
    within_bound_of_reference();
    homogeneous();
    non_increasing_in_p();
    return broken_;
  }

 private:
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();

  void require(bool holds, const char* law, double actual, double expected) {
    if (holds) return;
    char text[200];
    std::snprintf(text, sizeof text, "%s: got %a, expected %a; p = %a, %zu elements\n", law, actual,
                  expected, p_, elements_.size());
    broken_ += text;
  }
  void require_same(const char* law, double actual) {
    const bool same = bits_as<uint64_t>(actual) == bits_as<uint64_t>(norm_) ||
                      (std::isnan(actual) && std::isnan(norm_));
    require(same, law, actual, norm_);
  }

  void order_does_not_matter() {
    Tensors shuffled = tensors_;
    random_.shuffle(shuffled);
    require_same("same bits in any order", norm_of(shuffled, p_));
  }

  void cuts_do_not_matter() {
    require_same("same bits for any cut and tree of merges", norm_of_pieces(random_, tensors_, p_));
  }

  void signs_and_zeros_do_not_matter() {
    Tensors changed = tensors_;
    for (Tensor& tensor : changed) {
      std::visit(
          [](auto& x) {
            for (auto& element : x) element = -element;
          },
          tensor);
    }
    require_same("same bits for any sign", norm_of(changed, p_));
    // One more element than one is no longer a single element, whose norm is exact.
    if (elements_.size() == 1) return;
    changed.emplace_back(std::vector<float>(1 + random_.below(40)));
    require_same("same bits with zeros", norm_of(changed, p_));
  }

  // NaN, then infinity, then nothing but zeros decide by themselves.
  bool special_values_win() {
    bool nan = false, infinity = false;
    double maximum = 0;
    for (const double x : elements_) {
      nan |= std::isnan(x);
      infinity |= std::isinf(x);
      maximum = std::fmax(maximum, std::fabs(x));
    }
    maximum_ = maximum;
    if (nan) {
      require(std::isnan(norm_), "NaN wins", norm_, std::numeric_limits<double>::quiet_NaN());
    } else if (infinity || maximum == 0 || elements_.size() == 1 || std::isinf(p_)) {
      require(norm_ == maximum && !std::signbit(norm_), "exactly the maximum", norm_, maximum);
    } else {
      return false;
    }
    return true;
  }

  long double bound(double p) const {
    long double result = 0;
    for (const Tensor& tensor : tensors_) {
      const bool is_float = std::holds_alternative<std::vector<float>>(tensor);
      result = std::fmax(result, is_float ? promised_error<float>(p) : promised_error<double>(p));
    }
    return result;
  }

  void within_bound_of_reference() {
    // For smaller p the reference needs a wider range than a long double may have.
    if (p_ < 0.1) return;
    const long double expected = reference_norm(elements_, p_);
    const long double tolerance =
        (bound(p_) + reference_error(elements_.size(), p_)) * expected + kSubnormalError;
    const auto rounded = static_cast<double>(expected);
    if (expected - tolerance > std::numeric_limits<double>::max()) {
      require(norm_ == kInfinity, "overflows to infinity", norm_, kInfinity);
    } else if (expected + tolerance <= std::numeric_limits<double>::max()) {
      require(std::fabs(norm_ - expected) <= tolerance, "within the bound", norm_, rounded);
    }
  }

  // Multiplies by 2^exponent; false if an element would not come back from it.
  static bool scale(Tensors& tensors, int exponent) {
    bool exact = true;
    const auto scale_all = [&](auto& x) {
      for (auto& element : x) {
        const auto before = element;
        element = static_cast<std::decay_t<decltype(element)>>(std::ldexp(element, exponent));
        exact = exact && std::ldexp(element, -exponent) == before;
      }
    };
    for (Tensor& tensor : tensors) std::visit(scale_all, tensor);
    return exact;
  }

  void homogeneous() {
    Tensors scaled = tensors_;
    const int exponent = random_.between(-200, 200);
    if (!scale(scaled, exponent)) return;
    const double actual = norm_of(scaled, p_), expected = std::ldexp(norm_, exponent);
    // Subnormals are as coarse before scaling as they are small; infinity does not come back.
    const double smallest = std::fmin(norm_, actual);
    if (smallest < 0x1p-1021 || std::isinf(norm_) || std::isinf(expected)) return;
    if (std::isinf(actual) && expected > 0x1.fffffp1023) return;
    require(std::fabs(actual - expected) <= 2.0001L * bound(p_) * expected,
            "homogeneous within the bound", actual, expected);
  }

  // Within its error a norm may round to infinity where the bound goes beyond the doubles.
  static bool at_most(double x, long double limit) {
    return x <= limit || limit > std::numeric_limits<double>::max();
  }

  // norm_q <= norm_p for q > p, and the maximum below all of them.
  void non_increasing_in_p() {
    const double q =
        p_ * std::ldexp(1 + random_.magnitude<double>(0, 0) / 4, random_.between(0, 5));
    const double smaller = norm_of(tensors_, q);
    const long double slack = 1 + 1.0001L * (bound(p_) + bound(q));
    require(at_most(smaller, norm_ * slack + kSubnormalError), "non-increasing in p", smaller,
            norm_);
    require(maximum_ <= smaller * slack + kSubnormalError, "at least the maximum", smaller,
            maximum_);
  }

  Random random_;
  const Tensors& tensors_;
  double p_;
  std::vector<double> elements_;
  double norm_;
  double maximum_ = 0;
  std::string broken_;
};

}  // namespace gradnorm::testing
