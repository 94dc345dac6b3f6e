// tests/native/tensors.hpp: lists of tensors of both types, and their norm in one piece or in many.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <variant>
#include <vector>

#include "kernels.hpp"
#include "norm.hpp"
#include "partial.hpp"
#include "random.hpp"

namespace gradnorm::testing {

using Tensor = std::variant<std::vector<float>, std::vector<double>>;
using Tensors = std::vector<Tensor>;

inline double norm_of(const Tensors& tensors, double p) {
  const Norm norm(p);
  Partial partial;
  for (const Tensor& tensor : tensors) {
    std::visit([&](const auto& x) { norm.reduce(x.data(), x.size(), partial); }, tensor);
  }
  return norm.finish(partial);
}

// Cuts each tensor at random multiples of the block, and merges the pieces' partials in a random
// tree. A piece lies in its own allocation, so it is aligned differently, too.
inline double norm_of_pieces(Random& random, const Tensors& tensors, double p) {
  const Norm norm(p);
  std::vector<Partial> partials(1);
  const auto reduce_pieces = [&](const auto& x) {
    using Vector = std::decay_t<decltype(x)>;
    for (size_t start = 0; start < x.size();) {
      const size_t most = kBlockElements * (1 + random.below(3));
      const size_t end = std::min(x.size(), start + most);
      const Vector piece(x.begin() + start, x.begin() + end);
      if (random.coin()) partials.emplace_back();
      norm.reduce(piece.data(), piece.size(), partials.back());
      start = end;
    }
  };
  for (const Tensor& tensor : tensors) std::visit(reduce_pieces, tensor);
  while (partials.size() > 1) {
    random.shuffle(partials);
    const Partial last = partials.back();
    partials.pop_back();
    partials.back().merge(last);
  }
  return norm.finish(partials.front());
}

// All elements as one vector; widening is exact.
inline std::vector<double> flatten(const Tensors& tensors) {
  std::vector<double> result;
  for (const Tensor& tensor : tensors) {
    std::visit([&](const auto& x) { result.insert(result.end(), x.begin(), x.end()); }, tensor);
  }
  return result;
}

}  // namespace gradnorm::testing
