// src/segments.hpp: tables of segments to the partials and healths of groups, and the rewriting of
// segments in place. The top of the core: what bindings/ calls.
#pragma once

#include <cstddef>
#include <cstdint>

#include "health.hpp"
#include "norm.hpp"
#include "partial.hpp"

namespace gradnorm {

// A run of elements of one type: a whole tensor, or a piece of one that is cut at a multiple of
// kBlockElements. Nothing beyond it is read or written.
struct Segment {
  uint32_t address;  // in the memory, at a multiple of the element's size
  uint32_t length;   // in elements
  uint32_t dtype;    // a Dtype
  uint32_t group;    // what it is summed with: all, its tensor, ...
};

// What a group is before anything was added.
void clear(Partial* partials, Health* healths, uint32_t count);

// Adds each segment to the partial of its group and, where there are healths, to its health. The
// pieces of a tensor come in their order. `memory` is where address 0 lies.
void reduce(const Norm& norm, std::uintptr_t memory, const Segment* segments, uint32_t count,
            Partial* partials, Health* healths);

// Adds groups to one.
void merge(const Partial* partials, const Health* healths, uint32_t count, Partial& partial,
           Health* health);

// x = min(max(factor * x, -limit), limit) in place, with the factor of the segment's group:
// computed in double, then rounded to the nearest value of the type, ties to even; for float32
// and without a limit the factor is first rounded down to a float32, as long as it is a normal one.
// NaN stays NaN, and integers stay as they are. A factor of 1 without a limit writes nothing.
void rewrite(std::uintptr_t memory, const Segment* segments, uint32_t count, const double* factors,
             double limit);

// One row of a report. The sum of the p-th powers, mantissa * 2^exponent, may be beyond the
// doubles.
struct Row {
  double norm;
  double mantissa;
  double exponent;
  double elements;
  double largest;
  double mean;
  double zeros;
  double nans;
  double infinities;
  double first_nonfinite;
};
void report(const Norm& norm, const Partial* partials, const Health* healths, uint32_t count,
            Row* rows);

}  // namespace gradnorm
