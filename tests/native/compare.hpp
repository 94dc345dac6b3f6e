// tests/native/compare.hpp: comparisons that print hexadecimal floats when they fail.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>

#include "bits.hpp"

namespace gradnorm::testing {

inline std::string hex(long double x) {
  char text[64];
  std::snprintf(text, sizeof text, "%La", x);
  return text;
}
inline std::string hex(double x) {
  char text[64];
  std::snprintf(text, sizeof text, "%a", x);
  return text;
}

// Equal bit for bit; any NaN equals any other.
inline ::testing::AssertionResult same_bits(double actual, double expected) {
  const bool same = bits_as<uint64_t>(actual) == bits_as<uint64_t>(expected) ||
                    (std::isnan(actual) && std::isnan(expected));
  if (same) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "got " << hex(actual) << ", expected the bits of " << hex(expected);
}

// |actual - expected| <= tolerance.
inline ::testing::AssertionResult within(long double actual, long double expected,
                                         long double tolerance) {
  const long double error = std::fabs(actual - expected);
  if (error <= tolerance) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "got " << hex(actual) << ", expected " << hex(expected) << "; the error " << hex(error)
         << " exceeds " << hex(tolerance);
}

}  // namespace gradnorm::testing
