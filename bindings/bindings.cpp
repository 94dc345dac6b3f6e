// bindings/bindings.cpp: the border between JavaScript and the core. Numbers only, no logic.
//
// JavaScript copies gradients into the staging area and calls a function of the core on what lies
// there; see web/core/reduce.js, web/core/inspect.js and web/core/rewrite.js, the only callers. One reduction is
// under way at a time.
#include <emscripten/bind.h>

#include <cstddef>
#include <cstdint>

#include "../src/health.hpp"
#include "../src/kernels.hpp"
#include "../src/norm.hpp"
#include "../src/partial.hpp"
#include "../src/tensor.hpp"

namespace {

// Counts up when a function or constant below changes, so that a stale module is refused.
constexpr uint32_t kInterfaceVersion = 2;

// Leaves room in a second-level cache of 1 MiB. Long copies are faster than many: in pieces of 256
// KiB the norm of 64 MB takes a tenth longer.
constexpr uint32_t kStagingBytes = 768 * 1024;
constexpr uint32_t kMaxSegments = 4096;

// A run of elements in the staging area: a whole tensor, or a piece cut at a multiple of the block.
struct Segment {
  uint32_t byte_offset;
  uint32_t length;
  uint32_t dtype;
};

alignas(64) unsigned char staging[kStagingBytes];
Segment segments[kMaxSegments];

gradnorm::Norm norm(2);
gradnorm::Partial partial;
gradnorm::Health health;
gradnorm::Partial tensor_partial;
gradnorm::Health tensor_health;

gradnorm::PartialState state;
gradnorm::Summary summary;

gradnorm::Dtype dtype_of(uint32_t code) { return static_cast<gradnorm::Dtype>(code); }

// A new reduction.
void begin(double norm_type) {
  norm = gradnorm::Norm(norm_type);
  partial = tensor_partial = gradnorm::Partial();
  health = tensor_health = gradnorm::Health();
}

// Adds the segments.
void accumulate(uint32_t segment_count) {
  for (uint32_t i = 0; i < segment_count; ++i) {
    const Segment& segment = segments[i];
    gradnorm::reduce(norm, dtype_of(segment.dtype), staging + segment.byte_offset, segment.length,
                     partial, nullptr);
  }
}

// Adds what `state` holds; writes there what the reduction has come to.
void merge() { partial.merge(gradnorm::Partial::of(state)); }
void save() { state = partial.state(); }

double finish() { return norm.finish(partial); }

// Adds the elements in the staging area, the next of a tensor. At its end summarise_tensor() writes
// `summary` and goes on to the next tensor; summarise() writes that of all of them.
void inspect(uint32_t dtype, uint32_t count) {
  gradnorm::reduce(norm, dtype_of(dtype), staging, count, tensor_partial, &tensor_health);
}
void summarise_tensor() {
  summary = gradnorm::summarise(norm, tensor_partial, tensor_health);
  partial.merge(tensor_partial);
  health.merge(tensor_health);
  tensor_partial = gradnorm::Partial();
  tensor_health = gradnorm::Health();
}
void summarise() { summary = gradnorm::summarise(norm, partial, health); }

// Rewrites the elements in the staging area.
void rewrite(uint32_t dtype, uint32_t count, double factor, double limit) {
  gradnorm::rewrite(dtype_of(dtype), staging, count, factor, limit);
}

uint32_t address_of(const void* memory) { return reinterpret_cast<uintptr_t>(memory); }

}  // namespace

// What Embind asks of the C library, a tenth of the module, for a case that cannot occur: the name
// of a type that is not bound, for an error message. All types here are bound. Nothing else
// allocates.
extern "C" {
int siprintf(char* text, const char*, ...) {
  *text = '\0';
  return 0;
}
char* strdup(const char* text) { return const_cast<char*>(text); }
void* malloc(size_t) { return nullptr; }
void free(void*) {}
}

EMSCRIPTEN_BINDINGS(gradnorm) {
  emscripten::constant("interfaceVersion", kInterfaceVersion);
  emscripten::constant("blockElements", static_cast<uint32_t>(gradnorm::kBlockElements));
  emscripten::constant("stagingAddress", address_of(staging));
  emscripten::constant("stagingBytes", kStagingBytes);
  emscripten::constant("segmentTableAddress", address_of(segments));
  emscripten::constant("maxSegments", kMaxSegments);
  emscripten::constant("stateAddress", address_of(&state));
  emscripten::constant("summaryAddress", address_of(&summary));
  emscripten::function("begin", &begin);
  emscripten::function("accumulate", &accumulate);
  emscripten::function("merge", &merge);
  emscripten::function("save", &save);
  emscripten::function("finish", &finish);
  emscripten::function("inspect", &inspect);
  emscripten::function("summariseTensor", &summarise_tensor);
  emscripten::function("summarise", &summarise);
  emscripten::function("rewrite", &rewrite);
}
