// bindings/bindings.cpp: the border between JavaScript and the core. Numbers only, no logic.
//
// The memory is JavaScript's: it puts gradients and tables there, from kHeapBase on, and passes
// addresses. See web/core/memory.js, which alone calls what is bound here; web/core/layout.js has
// the sizes that are asserted below.
#include <emscripten/bind.h>

#include <cstddef>
#include <cstdint>

#include "../src/elements.hpp"
#include "../src/health.hpp"
#include "../src/kernels.hpp"
#include "../src/norm.hpp"
#include "../src/partial.hpp"
#include "../src/segments.hpp"

// Where the module's own data and its stack end.
extern "C" unsigned char __heap_base;

namespace {

using gradnorm::Health;
using gradnorm::HealthState;
using gradnorm::Norm;
using gradnorm::Partial;
using gradnorm::PartialState;
using gradnorm::Row;
using gradnorm::Segment;

// Counts up when a function or constant below changes, so that a stale module is refused.
constexpr uint32_t kInterfaceVersion = 3;

// What JavaScript writes and reads, word by word.
static_assert(sizeof(Segment) == 4 * sizeof(uint32_t));
static_assert(offsetof(Segment, address) == 0 && offsetof(Segment, length) == 4);
static_assert(offsetof(Segment, dtype) == 8 && offsetof(Segment, group) == 12);
static_assert(sizeof(PartialState) == 9 * 8 && PartialState::kDigits == 5);
static_assert(offsetof(PartialState, totals) == 0 && offsetof(PartialState, top) == 5 * 8);
static_assert(offsetof(PartialState, elements) == 6 * 8 &&
              offsetof(PartialState, largest) == 7 * 8);
static_assert(offsetof(PartialState, flags) == 8 * 8);
static_assert(sizeof(HealthState) == 13 * 8 && offsetof(HealthState, magnitudes) == 0);
static_assert(offsetof(HealthState, zeros) == 9 * 8 && offsetof(HealthState, nans) == 10 * 8);
static_assert(offsetof(HealthState, infinities) == 11 * 8 &&
              offsetof(HealthState, first_nonfinite) == 12 * 8);
static_assert(sizeof(Partial) == sizeof(PartialState) && sizeof(Health) == sizeof(HealthState));
static_assert(sizeof(Row) == 10 * 8);
static_assert(offsetof(Row, norm) == 0 && offsetof(Row, mantissa) == 1 * 8);
static_assert(offsetof(Row, exponent) == 2 * 8 && offsetof(Row, elements) == 3 * 8);
static_assert(offsetof(Row, largest) == 4 * 8 && offsetof(Row, mean) == 5 * 8);
static_assert(offsetof(Row, zeros) == 6 * 8 && offsetof(Row, nans) == 7 * 8);
static_assert(offsetof(Row, infinities) == 8 * 8 && offsetof(Row, first_nonfinite) == 9 * 8);

// What lies at an address; nothing at 0.
template <class T>
T* at(uint32_t address) {
  return reinterpret_cast<T*>(static_cast<std::uintptr_t>(address));
}

void clear(uint32_t partials, uint32_t healths, uint32_t count) {
  gradnorm::clear(at<Partial>(partials), at<Health>(healths), count);
}

void reduce(double norm_type, uint32_t segments, uint32_t count, uint32_t partials,
            uint32_t healths) {
  gradnorm::reduce(Norm(norm_type), 0, at<Segment>(segments), count, at<Partial>(partials),
                   at<Health>(healths));
}

void merge(uint32_t partials, uint32_t healths, uint32_t count, uint32_t partial, uint32_t health) {
  gradnorm::merge(at<Partial>(partials), at<Health>(healths), count, *at<Partial>(partial),
                  at<Health>(health));
}

double finish(double norm_type, uint32_t partial) {
  return Norm(norm_type).finish(*at<Partial>(partial));
}

void report(double norm_type, uint32_t partials, uint32_t healths, uint32_t count, uint32_t rows) {
  gradnorm::report(Norm(norm_type), at<Partial>(partials), at<Health>(healths), count,
                   at<Row>(rows));
}

void rewrite(uint32_t segments, uint32_t count, uint32_t factors, double limit) {
  gradnorm::rewrite(0, at<Segment>(segments), count, at<double>(factors), limit);
}

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
  emscripten::constant("segmentBytes", static_cast<uint32_t>(sizeof(Segment)));
  emscripten::constant("partialBytes", static_cast<uint32_t>(sizeof(Partial)));
  emscripten::constant("healthBytes", static_cast<uint32_t>(sizeof(Health)));
  emscripten::constant("rowBytes", static_cast<uint32_t>(sizeof(Row)));
  emscripten::constant("heapBase",
                       static_cast<uint32_t>(reinterpret_cast<std::uintptr_t>(&__heap_base)));
  emscripten::function("clear", &clear);
  emscripten::function("reduce", &reduce);
  emscripten::function("merge", &merge);
  emscripten::function("finish", &finish);
  emscripten::function("report", &report);
  emscripten::function("rewrite", &rewrite);
}
