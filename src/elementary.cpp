// src/elementary.cpp: coefficients of the polynomials, and the elementary functions of one number.
#include "elementary.hpp"

namespace gradnorm {

// log2(m) / s for m = (1 + s) / (1 - s), as a polynomial in z = s^2:  (2 / ln 2) * sum z^k / (2k +
// 1). Relative errors 2^-55.9 (degree 7) and 2^-30.4 (degree 3).
const double kLog2Full[8] = {0x1.71547652b82fep1,  0x1.ec709dc3a062ap-1, 0x1.2776c50ebd13dp-1,
                             0x1.a61763075c5d7p-2, 0x1.484aeba222ed8p-2, 0x1.0ca421c316b9ep-2,
                             0x1.c3f12a40e7491p-3, 0x1.b9ff44091fbb5p-3};
const double kLog2Short[4] = {0x1.7154764e724eep1, 0x1.ec70e60d2d017p-1, 0x1.2747193fc62dap-1,
                              0x1.ba1977103c6fap-2};

// 2^f. Relative errors 2^-57.3 (degree 11) and 2^-28.7 (degree 6).
const double kExp2Full[12] = {1.0,
                              0x1.62e42fefa39efp-1,
                              0x1.ebfbdff82c5a5p-3,
                              0x1.c6b08d704a123p-5,
                              0x1.3b2ab6fb9ffa6p-7,
                              0x1.5d87fe78a0ca2p-10,
                              0x1.4309130f17d3dp-13,
                              0x1.ffcbfc5af865fp-17,
                              0x1.62bfc7112bf6ep-20,
                              0x1.b5253ba5a50d6p-24,
                              0x1.e61c2b794508p-28,
                              0x1.e94d20e9fa9ep-32};
const double kExp2Short[7] = {1.0,
                              0x1.62e430c7f2cf8p-1,
                              0x1.ebfbdd2ea6678p-3,
                              0x1.c6aed4980f6ap-5,
                              0x1.3b2c972d73d4bp-7,
                              0x1.5f458156e0b26p-10,
                              0x1.4278d60c0667ap-13};

namespace elementary {
const double kOne = 1;
const int64_t kSqrtHalf = 0x3FE6A09E667F3BCD;
const int64_t kOneOverSqrtHalf = 0x3FF0000000000000 - 0x3FE6A09E667F3BCD;
const int64_t kMantissa = 0x000FFFFFFFFFFFFF;
const int64_t kTwo52 = 0x4330000000000000;
const double kTwo52AndBias = 0x1p52 + 1023;
const double kRound = 0x1.8p52;
const double kSmallestExponent = -1022;
const int64_t kBias = 1023;
const double kSmallestNormal = 0x1p-1022;
const double kTwo54 = 0x1p54;
}  // namespace elementary

double exp2_of(double t) { return lane0(exp2_in_full(splat(t))); }

ScalarLog2 log2_of(double x) {
  const Log2 result = log2_of<Precision::kFull>(splat(x));
  return {lane0(result.exponent), lane0(result.fraction)};
}

}  // namespace gradnorm
