// web/webgpu/shaders/merge.js: the shader that merges partials to a total, which is two partials: integers of 128 bits, in the same
// order on every device. Text for web/webgpu/context.js.
import { FLOAT_INFINITY, MERGE, THREADS } from '../layouts.js';

/**
 * Partials and totals are described at RESULT in web/webgpu/layouts.js. What is merged is shifted to the largest exponent of all, with
 * 40 bits below its units and room for 2^24 partials above, and what is shifted out is lost: below 2^-78 of the sum for each
 * partial. Many partials are merged in two levels: so many a workgroup that an invocation has a few, and then their totals.
 *
 * @returns {string}
 */
export function mergeShader() {
  return `
${MERGE.wgsl}
@group(0) @binding(0) var<uniform> merge: Merge;
@group(0) @binding(1) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> totals: array<vec4<u32>>;

const INFINITY = ${FLOAT_INFINITY}u;
const NONE = vec4<u32>(0u);
const NO_JOB = 0xffffffffu;
const NO_EXPONENT = -0x40000000;
var<workgroup> largestOfAll: atomic<u32>;
// So shifted that the least is 0, as the variables of a workgroup are at first.
var<workgroup> topOfAll: atomic<u32>;
// The complement of the first job that has one.
var<workgroup> firstOfAll: atomic<u32>;
var<workgroup> offender: vec2<u32>;
// The sum in digits of 16 bits, so that carries need not be propagated: each invocation adds to each once.
var<workgroup> digits: array<atomic<u32>, 8>;

// The 128 bits of upper * 2^128 + lower that begin with a bit below 129; vectors begin with their lowest word.
fn bitsFrom(lower: vec4<u32>, upper: vec4<u32>, first: u32) -> vec4<u32> {
  var wide = array<u32, 9>(lower.x, lower.y, lower.z, lower.w, upper.x, upper.y, upper.z, upper.w, 0u);
  let skip = first >> 5u;
  let bits = first & 31u;
  var result: vec4<u32>;
  for (var i = 0u; i < 4u; i++) {
    result[i] = (wide[i + skip] >> bits) | select(wide[i + skip + 1u] << (32u - bits), 0u, bits == 0u);
  }
  return result;
}
fn sumOf(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
  var sum: vec4<u32>;
  var carry = 0u;
  for (var i = 0u; i < 4u; i++) {
    let part = a[i] + carry;
    sum[i] = part + b[i];
    carry = u32(part < carry) + u32(sum[i] < part);
  }
  return sum;
}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let begin = group.x * merge.each + thread;
  let end = min(merge.count, (group.x + 1u) * merge.each);
  var largest = 0u;
  var first = NO_JOB;
  var top = NO_EXPONENT;
  for (var i = begin; i < end; i += ${THREADS}u) {
    let part = source[merge.first + i];
    largest = max(largest, part.x);
    if (part.x >= INFINITY) {
      first = min(first, part.y);
    } else if (any(part.zw != NONE.zw)) {
      top = max(top, bitcast<i32>(part.y));
    }
  }
  atomicMax(&largestOfAll, largest);
  atomicMax(&firstOfAll, ~first);
  atomicMax(&topOfAll, u32(top - NO_EXPONENT));
  workgroupBarrier();
  largest = atomicLoad(&largestOfAll);
  first = ~atomicLoad(&firstOfAll);
  top = i32(atomicLoad(&topOfAll)) + NO_EXPONENT;
  var sum = NONE;
  for (var i = begin; i < end; i += ${THREADS}u) {
    let part = source[merge.first + i];
    let by = u32(top - bitcast<i32>(part.y));
    if (part.x >= INFINITY) {
      if (part.y == first) { offender = part.zw; }
    } else if (any(part.zw != NONE.zw) && by < 128u) {
      let units = vec4<u32>(0u, part.w << 8u, (part.w >> 24u) | (part.z << 8u), part.z >> 24u);
      sum = sumOf(sum, bitsFrom(units, NONE, by));
    }
  }
  for (var i = 0u; i < 4u; i++) {
    if (sum[i] == 0u) { continue; }
    atomicAdd(&digits[2u * i], sum[i] & 0xffffu);
    atomicAdd(&digits[2u * i + 1u], sum[i] >> 16u);
  }
  workgroupBarrier();
  if (thread > 0u) { return; }
  var carry = 0u;
  for (var i = 0u; i < 4u; i++) {
    let low = atomicLoad(&digits[2u * i]) + carry;
    let high = atomicLoad(&digits[2u * i + 1u]) + (low >> 16u);
    sum[i] = (low & 0xffffu) | (high << 16u);
    carry = high >> 16u;
  }
  var zeros = 0u;
  for (var i = 0u; i < 4u && zeros == 32u * i; i++) { zeros += countLeadingZeros(sum[3u - i]); }
  sum = bitsFrom(NONE, sum, 128u - zeros);
  let exponent = top - 40 - i32(zeros);
  var upper = vec4<u32>(largest, bitcast<u32>(exponent + 64), sum.w, sum.z);
  if (largest >= INFINITY) { upper = vec4<u32>(largest, first, offender); }
  let at = merge.firstTotal + 2u * group.x;
  totals[at] = upper;
  totals[at + 1u] = vec4<u32>(0u, bitcast<u32>(exponent), sum.y, sum.x);
}
`;
}
