// src/tensor.cpp: what depends on the element type, chosen once for each piece of a tensor.
#include "tensor.hpp"

#include <cmath>

#include "kernels.hpp"

namespace gradnorm {
namespace {

// How an element type is widened: by a function for up to a block.
struct Widening {
  size_t bytes;
  void (*to_floats)(const void*, size_t, float*);
  void (*to_doubles)(const void*, size_t, double*);
};
template <class Element>
constexpr Widening widening() {
  const auto widen_elements = [](const void* x, size_t count, Widened<Element>* to) {
    widen_all(static_cast<const Element*>(x), count, to);
  };
  if constexpr (sizeof(Element) < 4)
    return {sizeof(Element), widen_elements, nullptr};
  else
    return {sizeof(Element), nullptr, widen_elements};
}
// By dtype, from kFloat16 on.
constexpr Widening kWidenings[] = {widening<Float16>(), widening<BFloat16>(), widening<int8_t>(),
                                   widening<uint8_t>(), widening<int16_t>(),  widening<uint16_t>(),
                                   widening<int32_t>(), widening<uint32_t>()};

struct Rewriting {
  double factor;
  double limit;

  F64x2 operator()(F64x2 x) const {
    return larger(smaller(x * splat(factor), splat(limit)), splat(-limit));
  }
  Doubles operator()(Doubles x) const { return {(*this)(x.low), (*this)(x.high)}; }
};

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
  alignas(16) double doubles[kBlockElements];
  alignas(16) float floats[kBlockElements];
  for (auto from = static_cast<const char*>(x); count > 0;) {
    const size_t step = count < kBlockElements ? count : kBlockElements;
    if (widening.to_floats != nullptr) {
      widening.to_floats(from, step, floats);
      add(floats, step);
    } else {
      widening.to_doubles(from, step, doubles);
      add(doubles, step);
    }
    from += step * widening.bytes;
    count -= step;
  }
}

void rewrite(Dtype dtype, void* x, size_t count, double factor, double limit) {
  switch (dtype) {
    case Dtype::kFloat32:
      return rewrite_floats(static_cast<float*>(x), count, {factor, limit});
    case Dtype::kFloat64:
      return rewrite_doubles(static_cast<double*>(x), count, {factor, limit});
    case Dtype::kFloat16:
      return rewrite_halves(static_cast<Float16*>(x), count, {factor, limit});
    case Dtype::kBFloat16:
      return rewrite_halves(static_cast<BFloat16*>(x), count, {factor, limit});
    default:
      return;
  }
}

Summary summarise(const Norm& norm, const Partial& partial, const Health& health) {
  const RoundedSum sum = partial.rounded();
  return {norm.finish(partial),
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

}  // namespace gradnorm
