// src/lanes.cpp: constants of the lanes. See lanes.hpp for why they are not there.
#include "lanes.hpp"

namespace gradnorm {

const int32_t kMagnitudeOfFloat = INT32_MAX;
const int64_t kMagnitudeOfDouble = INT64_MAX;

}  // namespace gradnorm
