// src/elements.cpp: constants of the element types. See lanes.hpp for why they are not in the
// header.
#include "elements.hpp"

namespace gradnorm {
namespace {

constexpr int64_t power_of_two(int64_t exponent) { return (1023 + exponent) << 52; }

}  // namespace

namespace float16 {
const int32_t kSign = 0x8000;
const int32_t kMagnitude = 0x7FFF;
const int32_t kNormal = 0x0400;
const int32_t kLargest = 0x7BFF;
const int32_t kNaN = 0x7E00;
const int32_t kRebias = (127 - 15) << 23;
const int32_t kSmallestNormal = (127 - 14) << 23;
const int32_t kOneHalf = (127 - 1) << 23;
const int32_t kInfinity = 0x7F800000;
}  // namespace float16

const Format kFloat16Format = {power_of_two(-14), power_of_two(16), int64_t{52 - 10} << 52};
const Format kBFloat16Format = {power_of_two(-126), power_of_two(128), int64_t{52 - 7} << 52};
const int64_t kExponentOfDouble = 0x7FF0000000000000;
const int64_t kSignOfDouble = INT64_MIN;

}  // namespace gradnorm
