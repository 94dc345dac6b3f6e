// tests/native/bits.cpp: prints the bits of norms, for ../native_bits.test.js to compare with those
// of the WebAssembly module.
//
// A line of standard input is p, as the 16 hexadecimal digits of a double, then any number of
// tensors, each of four words:
//
//   <p> [<f32|f64> <seed> <length> <normal|subnormal|huge|mixed|nan|infinity>]...
//
// and is answered by the norm's 16 hexadecimal digits. The elements are put together from random
// bits, without arithmetic, as the JavaScript side does.
#include "bits.hpp"

#include <cinttypes>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "norm.hpp"
#include "partial.hpp"

namespace {

[[noreturn]] void fail(const std::string& problem) {
  std::cerr << "gradnorm_bits: " << problem << '\n';
  std::exit(2);
}

// Mulberry32, by Tommy Ettinger (public domain): 32-bit integers only.
class Random {
 public:
  explicit Random(uint32_t seed) : state_(seed) {}
  uint32_t bits() {
    state_ += 0x6D2B79F5;
    uint32_t t = (state_ ^ (state_ >> 15)) * (state_ | 1);
    t ^= t + (t ^ (t >> 7)) * (t | 61);
    return t ^ (t >> 14);
  }
  uint32_t below(uint32_t n) { return bits() % n; }

 private:
  uint32_t state_;
};

// The exponent field of an element, whose largest finite value is 2 * bias.
uint32_t exponent_field(Random& random, const std::string& kind, uint32_t bias) {
  if (kind == "subnormal") return 0;
  if (kind == "huge") return 2 * bias - random.below(4);
  if (kind == "mixed") return random.below(2 * bias + 1);
  return bias - 8 + random.below(17);
}

float random_element(Random& random, const std::string& kind, float) {
  const uint32_t exponent = exponent_field(random, kind, 127);
  const uint32_t bits = random.bits();
  return gradnorm::bits_as<float>((bits & 0x807FFFFF) | exponent << 23);
}

double random_element(Random& random, const std::string& kind, double) {
  const uint32_t exponent = exponent_field(random, kind, 1023);
  const uint32_t high = (random.bits() & 0x800FFFFF) | exponent << 20;
  return gradnorm::bits_as<double>(uint64_t{high} << 32 | random.bits());
}

template <class T>
std::vector<T> random_tensor(uint32_t seed, uint32_t length, const std::string& kind) {
  Random random(seed);
  std::vector<T> x(length);
  for (T& element : x) element = random_element(random, kind, T{});
  if (length == 0) return x;
  // With NaN there is an infinity, too, except where they meet.
  if (kind == "infinity" || kind == "nan") x[random.below(length)] = static_cast<T>(-INFINITY);
  if (kind == "nan") x[random.below(length)] = static_cast<T>(NAN);
  return x;
}

template <class T>
void reduce(const gradnorm::Norm& norm, gradnorm::Partial& partial, const std::vector<T>& x) {
  norm.reduce(x.data(), x.size(), partial);
}

double norm_of_line(const std::string& line) {
  std::istringstream words(line);
  uint64_t p_bits;
  if (!(words >> std::hex >> p_bits >> std::dec)) fail("no p in: " + line);
  const gradnorm::Norm norm(gradnorm::bits_as<double>(p_bits));
  gradnorm::Partial partial;
  for (std::string type, kind; words >> type;) {
    uint32_t seed, length;
    if (!(words >> seed >> length >> kind)) fail("half a tensor in: " + line);
    if (type == "f32") {
      reduce(norm, partial, random_tensor<float>(seed, length, kind));
    } else if (type == "f64") {
      reduce(norm, partial, random_tensor<double>(seed, length, kind));
    } else {
      fail("expected f32 or f64, got " + type);
    }
  }
  return norm.finish(partial);
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const double norm = norm_of_line(line);
    // NaN has many bit patterns, and JavaScript does not tell them apart.
    const double canonical = std::isnan(norm) ? std::nan("") : norm;
    std::printf("%016" PRIx64 "\n", gradnorm::bits_as<uint64_t>(canonical));
  }
}
