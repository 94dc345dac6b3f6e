// tests/native/bits.cpp: prints the bits of results, for ../native_bits.test.js to compare with
// those of the WebAssembly module.
//
// A line of standard input is a request, and is answered by a line. Numbers go as the 16
// hexadecimal digits of a double. A tensor is four words: <dtype> <seed> <length> <kind>, where the
// dtype is one of kLayouts and the kind is normal, subnormal, huge, mixed, nan or infinity; of
// integers all kinds are the same.
//
//   norm <p> [<tensor>]...              the norm
//   report <p> [<tensor>]...            a row of numbers for each tensor, and one for all of them
//   rewrite <factor> <limit> <tensor>   the bytes of the elements afterwards
//
// The elements are put together from random bits, without arithmetic, as the JavaScript side does.
#include "bits.hpp"

#include <cinttypes>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "health.hpp"
#include "norm.hpp"
#include "partial.hpp"
#include "segments.hpp"
#include "tensor.hpp"

namespace {

using gradnorm::Dtype;

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

// An element's bytes, and where exponent and fraction lie in its upper word of up to 32 bits;
// integers have none.
struct Layout {
  const char* name;
  Dtype dtype;
  uint32_t bytes;
  uint32_t exponent_bits;
  uint32_t fraction_bits;

  uint32_t bias() const { return (1u << (exponent_bits - 1)) - 1; }
  uint64_t in_place(uint32_t upper_word) const { return uint64_t{upper_word} << lower_bits(); }
  uint64_t infinity() const { return in_place((2 * bias() + 1) << fraction_bits); }
  uint64_t nan() const { return infinity() | in_place(1u << (fraction_bits - 1)); }
  uint64_t sign() const { return uint64_t{1} << (8 * bytes - 1); }
  uint32_t lower_bits() const { return bytes == 8 ? 32 : 0; }
};
constexpr Layout kLayouts[] = {
    {"f32", Dtype::kFloat32, 4, 8, 23}, {"f64", Dtype::kFloat64, 8, 11, 20},
    {"f16", Dtype::kFloat16, 2, 5, 10}, {"bf16", Dtype::kBFloat16, 2, 8, 7},
    {"i8", Dtype::kInt8, 1, 0, 0},      {"u8", Dtype::kUint8, 1, 0, 0},
    {"i16", Dtype::kInt16, 2, 0, 0},    {"u16", Dtype::kUint16, 2, 0, 0},
    {"i32", Dtype::kInt32, 4, 0, 0},    {"u32", Dtype::kUint32, 4, 0, 0},
};

const Layout& layout_of(const std::string& name) {
  for (const Layout& layout : kLayouts) {
    if (name == layout.name) return layout;
  }
  fail("no such dtype: " + name);
}

// The exponent field of an element, whose largest finite value is 2 * bias.
uint32_t exponent_field(Random& random, const std::string& kind, uint32_t bias) {
  if (kind == "subnormal") return 0;
  if (kind == "huge") return 2 * bias - random.below(4);
  if (kind == "mixed") return random.below(2 * bias + 1);
  return bias - 8 + random.below(17);
}

uint64_t random_element(Random& random, const std::string& kind, const Layout& layout) {
  if (layout.exponent_bits == 0) return random.bits();
  const uint32_t exponent = exponent_field(random, kind, layout.bias());
  const uint32_t field = ((1u << layout.exponent_bits) - 1) << layout.fraction_bits;
  const uint32_t upper = (random.bits() & ~field) | exponent << layout.fraction_bits;
  return layout.bytes == 8 ? uint64_t{upper} << 32 | random.bits() : upper;
}

class Tensor {
 public:
  Tensor(const Layout& layout, uint32_t seed, uint32_t length, const std::string& kind)
      : layout_(layout), length_(length), bytes_(size_t{length} * layout.bytes) {
    Random random(seed);
    for (uint32_t i = 0; i < length; ++i) put(i, random_element(random, kind, layout));
    if (length == 0 || layout.exponent_bits == 0) return;
    // With NaN there is an infinity, too, except where they meet.
    const bool nan = kind == "nan";
    if (nan || kind == "infinity") put(random.below(length), layout.sign() | layout.infinity());
    if (nan) put(random.below(length), layout.nan());
  }

  void reduce(const gradnorm::Norm& norm, gradnorm::Partial& partial,
              gradnorm::Health* health) const {
    gradnorm::reduce(norm, layout_.dtype, bytes_.data(), length_, partial, health);
  }
  void rewrite(double factor, double limit) {
    gradnorm::rewrite(layout_.dtype, bytes_.data(), length_, factor, limit);
  }

  // In hexadecimal digits. NaN has many bit patterns, and JavaScript does not tell them apart.
  std::string text() const {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string result;
    for (uint32_t i = 0; i < length_; ++i) {
      uint64_t bits = get(i);
      if (is_nan(bits)) bits = layout_.nan();
      for (uint32_t byte = 0; byte < layout_.bytes; ++byte, bits >>= 8) {
        result += {kDigits[bits >> 4 & 15], kDigits[bits & 15]};
      }
    }
    return result;
  }

 private:
  bool is_nan(uint64_t bits) const {
    return layout_.exponent_bits > 0 && (bits & ~layout_.sign()) > layout_.infinity();
  }
  // The machines that this runs on are little-endian, as WebAssembly is.
  void put(uint32_t i, uint64_t bits) {
    std::memcpy(&bytes_[size_t{i} * layout_.bytes], &bits, layout_.bytes);
  }
  uint64_t get(uint32_t i) const {
    uint64_t bits = 0;
    std::memcpy(&bits, &bytes_[size_t{i} * layout_.bytes], layout_.bytes);
    return bits;
  }

  const Layout& layout_;
  uint32_t length_;
  std::vector<unsigned char> bytes_;
};

double read_number(std::istream& words) {
  uint64_t bits;
  if (!(words >> std::hex >> bits >> std::dec)) fail("expected the digits of a double");
  return gradnorm::bits_as<double>(bits);
}

std::vector<Tensor> read_tensors(std::istream& words) {
  std::vector<Tensor> tensors;
  for (std::string dtype, kind; words >> dtype;) {
    uint32_t seed, length;
    if (!(words >> seed >> length >> kind)) fail("half a tensor");
    tensors.emplace_back(layout_of(dtype), seed, length, kind);
  }
  return tensors;
}

std::string text_of(double number) {
  char text[17];
  const double canonical = std::isnan(number) ? std::nan("") : number;
  std::snprintf(text, sizeof text, "%016" PRIx64, gradnorm::bits_as<uint64_t>(canonical));
  return text;
}

std::string text_of(const gradnorm::Row& row) {
  std::string result;
  for (const double field : {row.norm, row.elements, row.largest, row.mean, row.zeros, row.nans,
                             row.infinities, row.first_nonfinite}) {
    result += ' ' + text_of(field);
  }
  return result;
}

gradnorm::Row row_of(const gradnorm::Norm& norm, const gradnorm::Partial& partial,
                     const gradnorm::Health& health) {
  gradnorm::Row row;
  gradnorm::report(norm, &partial, &health, 1, &row);
  return row;
}

std::string answer_norm(std::istream& words) {
  const gradnorm::Norm norm(read_number(words));
  gradnorm::Partial partial;
  for (const Tensor& tensor : read_tensors(words)) tensor.reduce(norm, partial, nullptr);
  return text_of(norm.finish(partial));
}

std::string answer_report(std::istream& words) {
  const gradnorm::Norm norm(read_number(words));
  gradnorm::Partial all;
  gradnorm::Health health_of_all;
  std::string rows;
  for (const Tensor& tensor : read_tensors(words)) {
    gradnorm::Partial partial;
    gradnorm::Health health;
    tensor.reduce(norm, partial, &health);
    rows += text_of(row_of(norm, partial, health));
    all.merge(partial);
    health_of_all.merge(health);
  }
  return (rows + text_of(row_of(norm, all, health_of_all))).substr(1);
}

std::string answer_rewrite(std::istream& words) {
  const double factor = read_number(words), limit = read_number(words);
  std::vector<Tensor> tensors = read_tensors(words);
  if (tensors.size() != 1) fail("expected one tensor to rewrite");
  tensors.front().rewrite(factor, limit);
  return tensors.front().text();
}

std::string answer(const std::string& line) {
  std::istringstream words(line);
  std::string verb;
  words >> verb;
  if (verb == "norm") return answer_norm(words);
  if (verb == "report") return answer_report(words);
  if (verb == "rewrite") return answer_rewrite(words);
  fail("expected norm, report or rewrite, got: " + line);
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(line) << '\n';
}
