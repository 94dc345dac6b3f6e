// tests/native/identical.hpp: whether two reductions have come to the same, bit for bit, in all
// that they can be asked.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <utility>

#include "compare.hpp"
#include "health.hpp"
#include "partial.hpp"

namespace gradnorm::testing {

inline std::string to_text(const RoundedSum& sum) {
  return hex(sum.mantissa) + " * 2^(32 * " + std::to_string(sum.digits) + " + " +
         std::to_string(sum.exponent) + ")";
}

// Everything but the magnitudes that were noted.
inline ::testing::AssertionResult same_sums(const Partial& actual, const Partial& expected) {
  const RoundedSum a = actual.rounded(), b = expected.rounded();
  const bool same_sum =
      same_bits(a.mantissa, b.mantissa) && a.digits == b.digits && a.exponent == b.exponent;
  const bool same_notes = same_bits(actual.elements(), expected.elements()) &&
                          actual.nan() == expected.nan() &&
                          actual.infinity() == expected.infinity();
  if (same_sum && same_notes) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "got " << to_text(a) << ", expected " << to_text(b)
         << (same_notes ? "" : "; what was noted beside the sum differs");
}

inline ::testing::AssertionResult identical(const Partial& actual, const Partial& expected) {
  if (auto result = same_sums(actual, expected); !result) return result;
  return same_bits(actual.largest(), expected.largest()) << " as largest";
}

inline ::testing::AssertionResult identical(const Health& actual, const Health& expected) {
  const std::pair<const char*, double (Health::*)() const> answers[] = {
      {"elements", &Health::elements},
      {"zeros", &Health::zeros},
      {"nans", &Health::nans},
      {"infinities", &Health::infinities},
      {"first_nonfinite", &Health::first_nonfinite},
      {"largest", &Health::largest},
      {"mean", &Health::mean}};
  for (const auto& [name, answer] : answers) {
    if (auto result = same_bits((actual.*answer)(), (expected.*answer)()); !result) {
      return result << " as " << name;
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace gradnorm::testing
