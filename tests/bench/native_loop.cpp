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
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

// 64 float32 accumulators hide the latency of the addition on every vector width up to 512 bits.
constexpr std::size_t kLanes = 64;

// Lanes go to a double after so many elements: often enough for a few digits more, too rarely to
// cost time.
constexpr std::size_t kBlock = 64 * kLanes;

// The magnitudes of halves start at 2^-14; HALF_FORMATS in web/demo/measure/data.js.
constexpr int kLeastExponent = -14;

struct Float32 {
  using Element = float;

  // A signed 24-bit integer times 2^-29 .. 2^-36.
  static float Make(std::uint32_t state) {
    const auto mantissa = static_cast<std::int32_t>(state) >> 8;
    return static_cast<float>(mantissa) * FromBits((127 - 29 - (state & 7)) << 23);
  }
  static float Value(float element) { return element; }
  static float FromBits(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
};

template <int kFractionBits, int kBias>
struct Half {
  using Element = std::uint16_t;

  static std::uint16_t Make(std::uint32_t state) {
    const std::uint32_t exponent = kBias + kLeastExponent + (state & 7);
    const std::uint32_t fraction = (state >> 8) & ((1u << kFractionBits) - 1);
    return static_cast<std::uint16_t>(state >> 31 << 15 | exponent << kFractionBits | fraction);
  }
  // Of finite elements: exponent and fraction in the places of a float32, the bias put right.
  static float Value(std::uint16_t bits) {
    const std::uint32_t sign = (bits & 0x8000u) << 16;
    const std::uint32_t rest = (bits & 0x7fffu) << (23 - kFractionBits);
    return Float32::FromBits(sign | rest) * Float32::FromBits((254u - kBias) << 23);
  }
};

using Float16 = Half<10, 15>;
using Bfloat16 = Half<7, 127>;

template <typename Type>
struct Tensors {
  std::vector<std::size_t> lengths;
  std::vector<typename Type::Element> elements;  // of all tensors, end to end
};

// The same stream as makeTensors() in web/demo/measure/data.js: xorshift32.
template <typename Type>
Tensors<Type> MakeTensors(std::uint32_t state, std::istringstream& lengths) {
  Tensors<Type> tensors;
  std::size_t total = 0;
  for (std::size_t length; lengths >> length; total += length) tensors.lengths.push_back(length);
  tensors.elements.resize(total);
  for (auto& element : tensors.elements) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    element = Type::Make(state);
  }
  return tensors;
}

// FNV-1a over 32-bit words, one an element, as checksum() in web/demo/measure/data.js.
template <typename Element>
std::uint32_t Checksum(const std::vector<Element>& elements) {
  std::uint32_t hash = 0x811c9dc5u;
  for (const Element& element : elements) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &element, sizeof element);  // little-endian
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
template <typename Type, typename Reduction, typename Term>
double Reduce(const typename Type::Element* x, std::size_t length, Term term) {
  double total = 0;
  std::size_t i = 0;
  while (length - i >= kLanes) {
    float lanes[kLanes] = {};
    const std::size_t whole = (length - i) / kLanes * kLanes;
    const std::size_t end = i + (whole < kBlock ? whole : kBlock);
    for (; i < end; i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] = Reduction::Merge(lanes[lane], term(Type::Value(x[i + lane])));
      }
    }
    float block = 0;
    for (float lane : lanes) block = Reduction::Merge(block, lane);
    total = Reduction::Merge(total, static_cast<double>(block));
  }
  float rest = 0;
  for (; i < length; ++i) rest = Reduction::Merge(rest, term(Type::Value(x[i])));
  return Reduction::Merge(total, static_cast<double>(rest));
}

template <typename Reduction, typename Type, typename Term>
double ReduceAll(const Tensors<Type>& tensors, Term term) {
  double total = 0;
  const auto* x = tensors.elements.data();
  for (std::size_t length : tensors.lengths) {
    total = Reduction::Merge(total, Reduce<Type, Reduction>(x, length, term));
    x += length;
  }
  return total;
}

// p is compared as text: under -ffast-math no comparison with infinity can be trusted.
template <typename Type>
double Norm(const Tensors<Type>& tensors, const std::string& p) {
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

// The 2-norm in double.
double ReferenceNorm(const std::vector<float>& elements) {
  double sum = 0;
  for (const double element : elements) sum += element * element;
  return std::sqrt(sum);
}

void Scale(std::vector<float>& elements, float factor) {
  for (float& element : elements) element *= factor;
}

// What is done over and over; makeRoutine() in task.js. Tensors are made by its constructor.
class Routine {
 public:
  virtual ~Routine() = default;
  virtual void Run() = 0;
  virtual double Value() const = 0;
  virtual std::uint32_t DataChecksum() const = 0;
};

template <typename Type>
class NormRoutine : public Routine {
 public:
  NormRoutine(const std::string& p, Tensors<Type> tensors) : p_(p), tensors_(std::move(tensors)) {}
  void Run() override { norm_ = Norm(tensors_, p_); }
  double Value() const override { return norm_; }
  std::uint32_t DataChecksum() const override { return Checksum(tensors_.elements); }

 private:
  std::string p_;
  Tensors<Type> tensors_;
  double norm_ = 0;
};

class ClipRoutine : public Routine {
 public:
  // Clips to `share` of what it left the last time; if that is above 1, there is nothing to do.
  ClipRoutine(Tensors<Float32> tensors, double share)
      : tensors_(std::move(tensors)), norm_(ReferenceNorm(tensors_.elements)), share_(share) {}
  void Run() override {
    if (share_ < 1) left_ *= share_;
    const double maxNorm = norm_ * (share_ < 1 ? left_ : share_);
    const double norm = Norm(tensors_, "2");
    if (norm > maxNorm) Scale(tensors_.elements, static_cast<float>(maxNorm / norm));
  }
  double Value() const override { return ReferenceNorm(tensors_.elements) / left_; }
  std::uint32_t DataChecksum() const override { return Checksum(tensors_.elements); }

 private:
  Tensors<Float32> tensors_;
  double norm_;
  double share_;
  double left_ = 1;
};

template <typename Type>
std::unique_ptr<Routine> MakeNormRoutine(const std::string& p, std::uint32_t seed,
                                         std::istringstream& lengths) {
  return std::make_unique<NormRoutine<Type>>(p, MakeTensors<Type>(seed, lengths));
}

// Returns none if there is no such task or type of elements.
std::unique_ptr<Routine> Prepare(std::istringstream& request) {
  std::string task, dtype, p;
  std::uint32_t seed = 0;
  request >> task >> dtype >> p >> seed;
  if (task == "clip" || task == "keep") {
    const double share = task == "clip" ? 1 - 0x1p-12 : 2;
    return std::make_unique<ClipRoutine>(MakeTensors<Float32>(seed, request), share);
  }
  if (task != "norm") return nullptr;
  if (dtype == "float32") return MakeNormRoutine<Float32>(p, seed, request);
  if (dtype == "float16") return MakeNormRoutine<Float16>(p, seed, request);
  if (dtype == "bfloat16") return MakeNormRoutine<Bfloat16>(p, seed, request);
  return nullptr;
}

// Returns the nanoseconds of one repeat. None is optimised away: the call is virtual.
double Time(Routine& routine, int repeats) {
  const auto start = std::chrono::steady_clock::now();
  for (int repeat = 0; repeat < repeats; ++repeat) routine.Run();
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
  return elapsed.count() / repeats;
}

// Returns the nanoseconds of the fastest run.
double WarmUp(Routine& routine, double milliseconds) {
  const std::chrono::duration<double, std::milli> duration(milliseconds);
  const auto start = std::chrono::steady_clock::now();
  double fastest = Time(routine, 1);
  while (std::chrono::steady_clock::now() - start < duration) {
    fastest = std::min(fastest, Time(routine, 1));
  }
  return fastest;
}

}  // namespace

int main() {
  std::unique_ptr<Routine> routine;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream request(line);
    std::string verb;
    request >> verb;
    int contender = 0;  // there is only one
    if (verb == "prepare") {
      routine = Prepare(request);
      if (routine)
        std::printf("%08" PRIx32 "\n", routine->DataChecksum());
      else
        std::printf("error - unknown request: %.60s\n", line.c_str());
    } else if (verb == "warm" && routine) {
      double milliseconds = 0;
      request >> contender >> milliseconds;
      std::printf("%.1f\n", WarmUp(*routine, milliseconds));
    } else if (verb == "run" && routine) {
      int repeats = 1;
      request >> contender >> repeats;
      if (repeats > 1)
        routine->Run();  // as serve.js does: what is short is measured in warm caches
      std::printf("%.1f\n", Time(*routine, repeats));
    } else if (verb == "value" && routine) {
      std::printf("%.17g\n", routine->Value());
    } else {
      std::printf("error - unknown request: %s\n", line.c_str());
    }
    std::fflush(stdout);
  }
}
