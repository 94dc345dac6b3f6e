// bindings/bindings.cpp: the border between JavaScript and the core. Numbers only, no logic.
//
// JavaScript copies gradients into the staging area, describes them in the segment table and calls
// accumulate() once for all of them; see web/reduce.js, the only caller.
#include <emscripten/bind.h>

#include <cstdint>

#include "../src/kernels.hpp"
#include "../src/norm.hpp"
#include "../src/partial.hpp"

namespace {

constexpr uint32_t kStagingBytes = 256 * 1024;
constexpr uint32_t kMaxSegments = 4096;

// The codes of web/dtypes.js.
enum Dtype : uint32_t { kFloat32 = 0, kFloat64 = 1 };

// A run of elements in the staging area: a whole tensor, or a piece cut at a multiple of the block.
struct Segment {
  uint32_t byte_offset;
  uint32_t length;
  uint32_t dtype;
};

alignas(16) unsigned char staging[kStagingBytes];
Segment segments[kMaxSegments];
gradnorm::Norm norm(2);
gradnorm::Partial partial;

void begin(double norm_type) {
  norm = gradnorm::Norm(norm_type);
  partial = gradnorm::Partial();
}

void accumulate(uint32_t segment_count) {
  for (uint32_t i = 0; i < segment_count; ++i) {
    const Segment& segment = segments[i];
    const void* const data = staging + segment.byte_offset;
    if (segment.dtype == kFloat32) {
      norm.reduce(static_cast<const float*>(data), segment.length, partial);
    } else {
      norm.reduce(static_cast<const double*>(data), segment.length, partial);
    }
  }
}

double finish() { return norm.finish(partial); }

uint32_t address_of(const void* memory) { return reinterpret_cast<uintptr_t>(memory); }

}  // namespace

// Without RTTI, Embind prints addresses in place of the names of unbound types. All types here are
// bound, and the C library's printf would be a tenth of the module: a name of no characters does.
extern "C" int siprintf(char* text, const char*, ...) {
  *text = '\0';
  return 0;
}

EMSCRIPTEN_BINDINGS(gradnorm) {
  emscripten::constant("blockElements", static_cast<uint32_t>(gradnorm::kBlockElements));
  emscripten::constant("stagingAddress", address_of(staging));
  emscripten::constant("stagingBytes", kStagingBytes);
  emscripten::constant("segmentTableAddress", address_of(segments));
  emscripten::constant("maxSegments", kMaxSegments);
  emscripten::function("begin", &begin);
  emscripten::function("accumulate", &accumulate);
  emscripten::function("finish", &finish);
}
