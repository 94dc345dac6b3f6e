// tests/bench/native_loop.cpp: the machine's limit. Plain C++ loops, compiled for this very
// processor by native.js, that take their turns among the JavaScript contenders of the same run.
//
// Requests come by standard input, one a line, and each is answered by one line; serve.js documents
// them.
//
// -ffast-math lets the compiler keep many vector accumulators and call vector versions of sqrt and
// pow. It is the limit of speed, not of accuracy: sums are float32 within a block.

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

// 64 float32 accumulators hide the latency of the addition on every vector width up to 512 bits.
constexpr std::size_t kLanes = 64;

// Lanes go to a double after so many elements: often enough for a few digits more, too rarely to
// cost time.
constexpr std::size_t kBlock = 64 * kLanes;

struct Tensors {
  std::vector<std::size_t> lengths;
  std::vector<float> elements;  // of all tensors, end to end
};

// The same stream as makeTensors() in data.js: xorshift32, then a signed 24-bit integer times
// 2^-29 .. 2^-36.
Tensors MakeTensors(std::uint32_t state, std::istringstream& lengths) {
  Tensors tensors;
  std::size_t total = 0;
  for (std::size_t length; lengths >> length; total += length) tensors.lengths.push_back(length);
  tensors.elements.resize(total);
  for (float& element : tensors.elements) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    const auto mantissa = static_cast<std::int32_t>(state) >> 8;
    const std::uint32_t exponent = 127 - 29 - (state & 7);
    const std::uint32_t scaleBits = exponent << 23;
    float scale;
    std::memcpy(&scale, &scaleBits, sizeof scale);
    element = static_cast<float>(mantissa) * scale;
  }
  return tensors;
}

// FNV-1a over 32-bit words, as checksum() in data.js.
std::uint32_t Checksum(const std::vector<float>& elements) {
  std::uint32_t hash = 0x811c9dc5u;
  for (const float& element : elements) {
    std::uint32_t bits;
    std::memcpy(&bits, &element, sizeof bits);
    hash = (hash ^ bits) * 0x01000193u;
  }
  return hash;
}

struct Add {
  template <typename Number>
  static Number Merge(Number a, Number b) {
    return a + b;
  }
};

struct Max {
  template <typename Number>
  static Number Merge(Number a, Number b) {
    return a > b ? a : b;
  }
};

// Merges term(x) of all elements: many float32 lanes within a block, a double across blocks.
template <typename Reduction, typename Term>
double Reduce(const float* x, std::size_t length, Term term) {
  double total = 0;
  std::size_t i = 0;
  while (length - i >= kLanes) {
    float lanes[kLanes] = {};
    const std::size_t whole = (length - i) / kLanes * kLanes;
    const std::size_t end = i + (whole < kBlock ? whole : kBlock);
    for (; i < end; i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] = Reduction::Merge(lanes[lane], term(x[i + lane]));
      }
    }
    float block = 0;
    for (float lane : lanes) block = Reduction::Merge(block, lane);
    total = Reduction::Merge(total, static_cast<double>(block));
  }
  float rest = 0;
  for (; i < length; ++i) rest = Reduction::Merge(rest, term(x[i]));
  return Reduction::Merge(total, static_cast<double>(rest));
}

template <typename Reduction, typename Term>
double ReduceAll(const Tensors& tensors, Term term) {
  double total = 0;
  const float* x = tensors.elements.data();
  for (std::size_t length : tensors.lengths) {
    total = Reduction::Merge(total, Reduce<Reduction>(x, length, term));
    x += length;
  }
  return total;
}

// p is compared as text: under -ffast-math no comparison with infinity can be trusted.
double Norm(const Tensors& tensors, const std::string& p) {
  if (p == "Infinity") return ReduceAll<Max>(tensors, [](float x) { return std::fabs(x); });
  if (p == "1") return ReduceAll<Add>(tensors, [](float x) { return std::fabs(x); });
  if (p == "2") return std::sqrt(ReduceAll<Add>(tensors, [](float x) { return x * x; }));
  if (p == "3") {
    return std::cbrt(ReduceAll<Add>(tensors, [](float x) { return std::fabs(x) * x * x; }));
  }
  const double exponent = std::stod(p);
  if (p == "1.5") {
    const auto term = [](float x) { return std::fabs(x) * std::sqrt(std::fabs(x)); };
    return std::pow(ReduceAll<Add>(tensors, term), 1 / exponent);
  }
  const auto term = [power = static_cast<float>(exponent)](float x) {
    return std::pow(std::fabs(x), power);
  };
  return std::pow(ReduceAll<Add>(tensors, term), 1 / exponent);
}

struct Sample {
  double nanoseconds;  // of one repeat
  double norm;
};

Sample Time(const Tensors& tensors, const std::string& p, int repeats) {
  double norm = 0;
  const auto start = std::chrono::steady_clock::now();
  for (int repeat = 0; repeat < repeats; ++repeat) {
    norm = Norm(tensors, p);
    asm volatile("" : : "g"(&norm) : "memory");  // or all repeats would become one
  }
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
  return {elapsed.count() / repeats, norm};
}

// Returns the nanoseconds of the fastest run.
double WarmUp(const Tensors& tensors, const std::string& p, double milliseconds) {
  const std::chrono::duration<double, std::milli> duration(milliseconds);
  const auto start = std::chrono::steady_clock::now();
  double fastest = Time(tensors, p, 1).nanoseconds;
  while (std::chrono::steady_clock::now() - start < duration) {
    fastest = std::min(fastest, Time(tensors, p, 1).nanoseconds);
  }
  return fastest;
}

}  // namespace

int main() {
  Tensors tensors;
  std::string p;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream request(line);
    std::string verb;
    request >> verb;
    if (verb == "prepare") {
      std::uint32_t seed = 0;
      request >> p >> seed;
      tensors = MakeTensors(seed, request);
      std::printf("%08" PRIx32 "\n", Checksum(tensors.elements));
    } else if (verb == "warm") {
      double milliseconds = 0;
      request >> milliseconds;
      std::printf("%.1f\n", WarmUp(tensors, p, milliseconds));
    } else if (verb == "run") {
      int repeats = 1;
      request >> repeats;
      if (repeats > 1)
        Time(tensors, p, 1);  // as serve.js does: what is short is measured in warm caches
      const Sample sample = Time(tensors, p, repeats);
      std::printf("%.1f %.17g\n", sample.nanoseconds, sample.norm);
    } else {
      std::printf("error - unknown request: %s\n", line.c_str());
    }
    std::fflush(stdout);
  }
}
