// tests/native/norm_fuzzer.cpp: the laws of laws.hpp for whatever libFuzzer thinks of. With clang:
//
//   cmake -S . -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DGRADNORM_FUZZ=ON \
//         -DGRADNORM_SANITIZE=ON
//   cmake --build build/fuzz --target norm_fuzzer
//   build/fuzz/tests/native/norm_fuzzer -max_len=40000 -max_total_time=60
//
// An input is a seed and p (8 bytes each), then tensors: 2 bytes whose lowest bit is the type and
// whose other bits are the number of elements, then the elements as they lie in memory.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "laws.hpp"
#include "tensors.hpp"

namespace gradnorm::testing {
namespace {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  template <class T>
  bool read(T& value) {
    if (left_ < sizeof value) return false;
    std::memcpy(&value, data_, sizeof value);
    data_ += sizeof value;
    left_ -= sizeof value;
    return true;
  }

  template <class T>
  std::vector<T> read_elements(size_t count) {
    std::vector<T> result;
    for (T element; result.size() < count && read(element);) result.push_back(element);
    return result;
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

void try_input(Input input) {
  uint64_t seed = 0;
  double p = 0;
  if (!input.read(seed) || !input.read(p) || !(p > 0)) return;
  Tensors tensors;
  for (uint16_t header; input.read(header);) {
    const size_t count = header >> 1;
    if ((header & 1) != 0) {
      tensors.emplace_back(input.read_elements<float>(count));
    } else {
      tensors.emplace_back(input.read_elements<double>(count));
    }
  }
  const std::string broken = Laws(seed, tensors, p).broken();
  if (broken.empty()) return;
  std::fputs(broken.c_str(), stderr);
  std::abort();
}

}  // namespace
}  // namespace gradnorm::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gradnorm::testing::try_input({data, size});
  return 0;
}
