// src/bits.hpp: reinterpreting the bits of a number. std::bit_cast under another name, because the
// C++ library of Emscripten 3.1.6 does not have it yet.
#pragma once

namespace gradnorm {

template <class To, class From>
constexpr To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  return __builtin_bit_cast(To, from);
}

}  // namespace gradnorm
