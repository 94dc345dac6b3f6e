// src/tensor.cpp: what depends on the element type, chosen once for each piece of a tensor.
#include "tensor.hpp"

#include <cmath>

#include "kernels.hpp"

namespace gradnorm {
namespace {

// The last elements of a tensor, fewer than four, with zeros behind them: what takes four at a time
// takes these, and nothing beyond the tensor is read or written.
struct Tail {
  alignas(16) unsigned char bytes[32] = {};

  Tail(const unsigned char* from, size_t size) {
    for (size_t i = 0; i < size; ++i) bytes[i] = from[i];
  }
  void copy_to(unsigned char* to, size_t size) const {
    for (size_t i = 0; i < size; ++i) to[i] = bytes[i];
  }
};

// How an element type is widened: by a function for a multiple of four, up to a block.
struct Widening {
  void (*to_floats)(const void*, size_t, float*);
  void (*to_doubles)(const void*, size_t, double*);
};
template <class Element>
constexpr Widening widening() {
  const auto widen_elements = [](const void* x, size_t count, Widened<Element>* to) {
    widen_all(static_cast<const Element*>(x), count, to);
  };
  if constexpr (sizeof(Element) < 4)
    return {widen_elements, nullptr};
  else
    return {nullptr, widen_elements};
}
// By dtype, from kFloat16 on.
constexpr Widening kWidenings[] = {widening<Float16>(), widening<BFloat16>(), widening<int8_t>(),
                                   widening<uint8_t>(), widening<int16_t>(),  widening<uint16_t>(),
                                   widening<int32_t>(), widening<uint32_t>()};

// Calls widen(elements, count, where to) for the whole fours of a block, and for its tail.
template <class Wide>
void widen_with_tail(void (*widen)(const void*, size_t, Wide*), const unsigned char* x,
                     size_t count, size_t bytes, Wide* to) {
  const size_t rest = count % 4, whole = count - rest;
  widen(x, whole, to);
  if (rest > 0) widen(Tail(x + whole * bytes, rest * bytes).bytes, 4, to + whole);
}

struct Rewriting {
  double factor;
  double limit;

  F64x2 operator()(F64x2 x) const {
    return larger(smaller(x * splat(factor), splat(limit)), splat(-limit));
  }
  Doubles operator()(Doubles x) const { return {(*this)(x.low), (*this)(x.high)}; }
};

// Each rewrites a multiple of four elements.
void rewrite_floats(float* x, size_t count, Rewriting rewriting) {
  // The exact product of two floats is a double, so rounding it once is what a float product does.
  const auto factor = static_cast<float>(rewriting.factor);
  // By a subnormal factor it would be too, but a hundred times as slow on many processors.
  constexpr float kSmallestNormal = 0x1p-126f;
  if (factor == rewriting.factor && factor >= kSmallestNormal && std::isinf(rewriting.limit)) {
    for (size_t i = 0; i < count; i += 4) store_vector(load_vector(x + i) * splat(factor), x + i);
    return;
  }
  for (size_t i = 0; i < count; i += 4) narrow(rewriting(widen(x + i)), x + i);
}
void rewrite_doubles(double* x, size_t count, Rewriting rewriting) {
  for (size_t i = 0; i < count; i += 2) store_vector(rewriting(load_vector(x + i)), x + i);
}
template <class Half>
void rewrite_halves(Half* x, size_t count, Rewriting rewriting) {
  for (size_t i = 0; i < count; i += 4) narrow(rewriting(promote(widen(x + i))), x + i);
}

void rewrite_fours(Dtype dtype, void* x, size_t count, Rewriting rewriting) {
  switch (dtype) {
    case Dtype::kFloat32:
      return rewrite_floats(static_cast<float*>(x), count, rewriting);
    case Dtype::kFloat64:
      return rewrite_doubles(static_cast<double*>(x), count, rewriting);
    case Dtype::kFloat16:
      return rewrite_halves(static_cast<Float16*>(x), count, rewriting);
    case Dtype::kBFloat16:
      return rewrite_halves(static_cast<BFloat16*>(x), count, rewriting);
    default:
      return;
  }
}

}  // namespace

void reduce(const Norm& norm, Dtype dtype, const void* x, size_t count, Partial& partial,
            Health* health) {
  const auto add = [&](const auto* elements, size_t n) {
    norm.reduce(elements, n, partial);
    if (health != nullptr) health->inspect(elements, n);
  };
  if (dtype == Dtype::kFloat32) return add(static_cast<const float*>(x), count);
  if (dtype == Dtype::kFloat64) return add(static_cast<const double*>(x), count);
  // Block by block through a buffer that stays in the cache.
  const auto index = static_cast<uint32_t>(dtype) - static_cast<uint32_t>(Dtype::kFloat16);
  const Widening& widening = kWidenings[index];
  const size_t bytes = bytes_of(dtype);
  alignas(16) double doubles[kBlockElements];
  alignas(16) float floats[kBlockElements];
  for (auto from = static_cast<const unsigned char*>(x); count > 0;) {
    const size_t step = count < kBlockElements ? count : kBlockElements;
    if (widening.to_floats != nullptr) {
      widen_with_tail(widening.to_floats, from, step, bytes, floats);
      add(floats, step);
    } else {
      widen_with_tail(widening.to_doubles, from, step, bytes, doubles);
      add(doubles, step);
    }
    from += step * bytes;
    count -= step;
  }
}

void rewrite(Dtype dtype, void* x, size_t count, double factor, double limit) {
  const Rewriting rewriting = {factor, limit};
  const size_t bytes = bytes_of(dtype), rest = count % 4;
  rewrite_fours(dtype, x, count - rest, rewriting);
  if (rest == 0) return;
  unsigned char* const last = static_cast<unsigned char*>(x) + (count - rest) * bytes;
  Tail tail(last, rest * bytes);
  rewrite_fours(dtype, tail.bytes, 4, rewriting);
  tail.copy_to(last, rest * bytes);
}

}  // namespace gradnorm
