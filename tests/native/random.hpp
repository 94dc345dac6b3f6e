// tests/native/random.hpp: seeded random numbers, the same on every machine.
//
// The distributions of the C++ library differ from one library to the next; these do not.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace gradnorm::testing {

// SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t bits() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

  // Uniform in [0, n), but for a bias far below what a test could notice.
  size_t below(size_t n) { return static_cast<size_t>(bits() % n); }
  // A whole number in [lowest, highest].
  int between(int lowest, int highest) {
    return lowest + static_cast<int>(below(static_cast<size_t>(highest - lowest) + 1));
  }
  bool coin() { return (bits() & 1) != 0; }

  // 1.xxx * 2^exponent with a random mantissa of T and an exponent in [lowest, highest].
  template <class T>
  T magnitude(int lowest, int highest) {
    constexpr int kBits = std::numeric_limits<T>::digits - 1;
    const auto mantissa = static_cast<double>(bits() >> (64 - kBits));
    return static_cast<T>(std::ldexp(1 + std::ldexp(mantissa, -kBits), between(lowest, highest)));
  }
  // The same with a random sign.
  template <class T>
  T number(int lowest, int highest) {
    const T x = magnitude<T>(lowest, highest);
    return coin() ? x : -x;
  }
  template <class T>
  std::vector<T> numbers(size_t count, int lowest, int highest) {
    std::vector<T> result(count);
    for (T& x : result) x = number<T>(lowest, highest);
    return result;
  }

  template <class Item>
  void shuffle(std::vector<Item>& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  uint64_t state_;
};

}  // namespace gradnorm::testing
