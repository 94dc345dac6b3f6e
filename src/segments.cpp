// src/segments.cpp: walks over tables.
#include "segments.hpp"

#include <limits>

#include "elements.hpp"
#include "tensor.hpp"

namespace gradnorm {
namespace {

// Long segments are rewritten from their end in pieces of this size: the end of what was just
// measured is still in the cache.
constexpr uint32_t kPieceElements = 1 << 16;

Dtype dtype_of(const Segment& segment) { return static_cast<Dtype>(segment.dtype); }

// The largest float that is not above a factor: floats are multiplied by a float four times as
// fast, and a norm stays below its limit. Factors that are no normal float stay as they are.
double round_down_to_float(double factor) {
  if (!(factor >= 0x1p-126 && factor <= 0x1.fffffep127)) return factor;
  const auto nearest = static_cast<float>(factor);
  if (nearest <= factor) return nearest;
  return static_cast<float>(nearest * (1 - 0x1p-24));
}

}  // namespace

void clear(Partial* partials, Health* healths, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) partials[i] = Partial();
  if (healths == nullptr) return;
  for (uint32_t i = 0; i < count; ++i) healths[i] = Health();
}

void reduce(const Norm& norm, std::uintptr_t memory, const Segment* segments, uint32_t count,
            Partial* partials, Health* healths) {
  for (uint32_t i = 0; i < count; ++i) {
    const Segment& segment = segments[i];
    reduce(norm, dtype_of(segment), reinterpret_cast<const void*>(memory + segment.address),
           segment.length, partials[segment.group],
           healths == nullptr ? nullptr : &healths[segment.group]);
  }
}

void merge(const Partial* partials, const Health* healths, uint32_t count, Partial& partial,
           Health* health) {
  for (uint32_t i = 0; i < count; ++i) partial.merge(partials[i]);
  if (health == nullptr) return;
  for (uint32_t i = 0; i < count; ++i) health->merge(healths[i]);
}

void rewrite(std::uintptr_t memory, const Segment* segments, uint32_t count, const double* factors,
             double limit) {
  for (uint32_t i = count; i-- > 0;) {
    const Segment& segment = segments[i];
    const Dtype dtype = dtype_of(segment);
    double factor = factors[segment.group];
    const bool is_limited = limit < std::numeric_limits<double>::infinity();
    if (factor == 1 && !is_limited) continue;
    if (dtype == Dtype::kFloat32 && !is_limited) factor = round_down_to_float(factor);
    for (uint32_t end = segment.length; end > 0;) {
      const uint32_t start = (end - 1) / kPieceElements * kPieceElements;
      const std::uintptr_t address = memory + segment.address + size_t{start} * bytes_of(dtype);
      rewrite(dtype, reinterpret_cast<void*>(address), end - start, factor, limit);
      end = start;
    }
  }
}

void report(const Norm& norm, const Partial* partials, const Health* healths, uint32_t count,
            Row* rows) {
  for (uint32_t i = 0; i < count; ++i) {
    const Partial& partial = partials[i];
    const Health& health = healths[i];
    const RoundedSum sum = partial.rounded();
    rows[i] = {norm.finish(partial, sum),
               sum.mantissa,
               32 * static_cast<double>(sum.digits) + sum.exponent,
               health.elements(),
               health.largest(),
               health.mean(),
               health.zeros(),
               health.nans(),
               health.infinities(),
               health.first_nonfinite()};
  }
}

}  // namespace gradnorm
