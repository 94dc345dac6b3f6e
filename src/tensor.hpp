// src/tensor.hpp: elements of any type to a norm's partial and to a tensor's health, and the
// rewriting of elements in place.
#pragma once

#include <cstddef>

#include "elements.hpp"
#include "health.hpp"
#include "norm.hpp"
#include "partial.hpp"

namespace gradnorm {

// In both functions nothing beyond the elements is read or written.

// Adds elements to the partial and, where there is one, to the health. Pieces of one tensor must be
// cut at multiples of kBlockElements.
void reduce(const Norm& norm, Dtype dtype, const void* x, size_t count, Partial& partial,
            Health* health);

// x = min(max(factor * x, -limit), limit) in place; computed in double, then rounded to the nearest
// value of the type, ties to even. NaN stays NaN; integers stay as they are.
void rewrite(Dtype dtype, void* x, size_t count, double factor, double limit);

}  // namespace gradnorm
