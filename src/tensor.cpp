// src/tensor.cpp: what depends on the element type, chosen once for each piece of a tensor.
#include "tensor.hpp"

#include <cmath>

#include "kernels.hpp"

namespace gradnorm {
namespace {

template <class Element>
const Element* as(const void* x) {
  return static_cast<const Element*>(x);
}

// Where a reduction goes.
struct Target {
  const Norm& norm;
  Partial& partial;
  Health* health;

  template <class T>
  void add(const T* x, size_t count) const {
    norm.reduce(x, count, partial);
    if (health != nullptr) health->inspect(x, count);
  }

  // Block by block through a buffer that stays in the cache.
  template <class Element>
  void add_widened(const Element* x, size_t count) const {
    alignas(16) Widened<Element> widened[kBlockElements];
    while (count > 0) {
      const size_t step = count < kBlockElements ? count : kBlockElements;
      widen_all(x, step, widened);
      add(widened, step);
      x += step;
      count -= step;
    }
  }
};

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
  constexpr float kSmallestNormal = 0x1p-126f;
  if (factor == rewriting.factor && factor >= kSmallestNormal && std::isinf(rewriting.limit)) {
    for (size_t i = 0; i < count; i += 4) store_quad(load_quad(x + i) * splat(factor), x + i);
    return;
  }
  for (size_t i = 0; i < count; i += 4) narrow(rewriting(widen(x + i)), x + i);
}
void rewrite_doubles(double* x, size_t count, Rewriting rewriting) {
  for (size_t i = 0; i < count; i += 2) store_pair(rewriting(load_pair(x + i)), x + i);
}
template <class Half>
void rewrite_halves(Half* x, size_t count, Rewriting rewriting) {
  for (size_t i = 0; i < count; i += 4) narrow(rewriting(promote(widen(x + i))), x + i);
}

}  // namespace

void reduce(const Norm& norm, Dtype dtype, const void* x, size_t count, Partial& partial,
            Health* health) {
  const Target target{norm, partial, health};
  switch (dtype) {
    case Dtype::kFloat32:
      return target.add(as<float>(x), count);
    case Dtype::kFloat64:
      return target.add(as<double>(x), count);
    case Dtype::kFloat16:
      return target.add_widened(as<Float16>(x), count);
    case Dtype::kBFloat16:
      return target.add_widened(as<BFloat16>(x), count);
    case Dtype::kInt8:
      return target.add_widened(as<int8_t>(x), count);
    case Dtype::kUint8:
      return target.add_widened(as<uint8_t>(x), count);
    case Dtype::kInt16:
      return target.add_widened(as<int16_t>(x), count);
    case Dtype::kUint16:
      return target.add_widened(as<uint16_t>(x), count);
    case Dtype::kInt32:
      return target.add_widened(as<int32_t>(x), count);
    case Dtype::kUint32:
      return target.add_widened(as<uint32_t>(x), count);
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
