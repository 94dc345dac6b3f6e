// tests/native/fuzz_test.cpp: the laws of laws.hpp for random lists of tensors and random p.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "compare.hpp"
#include "laws.hpp"
#include "random.hpp"
#include "tensors.hpp"

namespace gradnorm::testing {
namespace {

constexpr uint64_t kIterations = 3000;

double random_p(Random& random) {
  switch (random.below(6)) {
    case 0:
      return 1 + static_cast<double>(random.below(3));
    case 1:
      return static_cast<double>(1 + random.below(130)) / 2;
    case 2:
      return std::numeric_limits<double>::infinity();
    case 3:
      return random.magnitude<double>(-40, 60);
    default:
      return random.magnitude<double>(-3, 7);
  }
}

// Short ones mostly, and those about as long as a few blocks.
size_t random_length(Random& random) {
  if (random.below(4) != 0) return random.below(80);
  const size_t blocks = kBlockElements * random.below(4);
  return blocks + random.below(blocks == 0 ? 600 : 40) - (blocks == 0 ? 0 : random.below(40));
}

template <class T>
std::vector<T> random_elements(Random& random) {
  using Limits = std::numeric_limits<T>;
  const int lowest = Limits::min_exponent - Limits::digits, highest = Limits::max_exponent - 1;
  int from = random.between(lowest, highest);
  int to = random.coin() ? std::min(highest, from + random.between(0, 40))
                         : random.between(from, highest);
  if (random.below(3) == 0) from = -5, to = 5;
  auto x = random.numbers<T>(random_length(random), from, to);
  if (x.empty()) return x;
  const auto somewhere = [&]() -> T& { return x[random.below(x.size())]; };
  if (random.below(4) == 0) {
    for (size_t zeros = random.below(2 * x.size()); zeros > 0; --zeros) somewhere() = 0;
  }
  if (random.below(30) == 0) somewhere() = -Limits::infinity();
  if (random.below(30) == 0) somewhere() = Limits::quiet_NaN();
  if (random.below(30) == 0) somewhere() = Limits::max();
  return x;
}

Tensors random_tensors(Random& random) {
  Tensors tensors;
  const size_t types = random.below(3);  // one of them, or both
  for (size_t count = random.below(6); count > 0; --count) {
    const bool is_float = types == 2 ? random.coin() : types == 1;
    if (is_float) {
      tensors.emplace_back(random_elements<float>(random));
    } else {
      tensors.emplace_back(random_elements<double>(random));
    }
  }
  return tensors;
}

TEST(Fuzz, RandomTensorsObeyTheLaws) {
  for (uint64_t seed = 1; seed <= kIterations; ++seed) {
    Random random(seed);
    const Tensors tensors = random_tensors(random);
    const double p = random_p(random);
    EXPECT_EQ(Laws(seed, tensors, p).broken(), "") << "seed " << seed << ", p = " << hex(p);
  }
}

}  // namespace
}  // namespace gradnorm::testing
