// web/webgpu/shaders/merge.js: the shader that merges partials to a total: integers of 128 bits, in the same order on
// every device. Text for web/webgpu/context.js.
import { MERGE_PARTIALS, THREADS, TOTAL_SHIFT, TOTAL_STRIDE } from '../constants.js';
import { MERGE, TOTAL } from '../layouts.js';

/**
 * What is merged is shifted to the largest exponent of all, and what is shifted out is lost: below 2^-78 of the sum
 * for each partial. The first level merges so many partials a workgroup that an invocation has a few; the second merges those
 * totals.
 *
 * @param {1 | 2} level
 * @returns {string}
 */
export function mergeShader(level) {
  return `
${MERGE.wgsl}
@group(0) @binding(0) var<uniform> merge: Merge;
@group(0) @binding(1) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> totals: array<u32>;

struct Part {
  largest: u32,
  exponent: i32,
  job: u32,
  position: u32,
  bits: u32,
  sum: vec4<u32>,
}
${level === 1 ? LOAD_PARTIAL : LOAD_TOTAL}

const NO_JOB = 0xffffffffu;
const NO_EXPONENT = -0x40000000;
var<workgroup> largestOfAll: atomic<u32>;
// So shifted that the least is 0, as the variables of a workgroup are at first.
var<workgroup> topOfAll: atomic<u32>;
// The complement of the first.
var<workgroup> firstOfAll: atomic<u32>;
var<workgroup> offender: vec2<u32>;
// The sum in digits of 16 bits, so that carries need not be propagated: each invocation adds to each once.
var<workgroup> digits: array<atomic<u32>, 8>;

// The sum shifted to the right.
fn shifted(sum: vec4<u32>, by: u32) -> vec4<u32> {
  var wide = array<u32, 8>(sum.x, sum.y, sum.z, sum.w, 0u, 0u, 0u, 0u);
  if (by >= 128u) { return vec4<u32>(0u); }
  let skip = by >> 5u;
  let bits = by & 31u;
  var result: array<u32, 4>;
  for (var i = 0u; i < 4u; i++) {
    let upper = select(wide[i + skip + 1u] << (32u - bits), 0u, bits == 0u);
    result[i] = (wide[i + skip] >> bits) | upper;
  }
  return vec4<u32>(result[0], result[1], result[2], result[3]);
}

fn sumOf(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
  let x = a.x + b.x;
  let carryX = select(0u, 1u, x < a.x);
  let y = a.y + b.y;
  let carryY = select(0u, 1u, y < a.y) + select(0u, 1u, y + carryX < carryX);
  let z = a.z + b.z;
  let carryZ = select(0u, 1u, z < a.z) + select(0u, 1u, z + carryY < carryY);
  return vec4<u32>(x, y + carryX, z + carryY, a.w + b.w + carryZ);
}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let begin = group.x * ${MERGE_PARTIALS}u;
  let end = ${level === 1 ? `min(merge.count, begin + ${MERGE_PARTIALS}u)` : 'merge.count'};
  var largest = 0u;
  var first = NO_JOB;
  var top = NO_EXPONENT;
  for (var i = begin + thread; i < end; i += ${THREADS}u) {
    let part = partAt(i);
    largest = max(largest, part.largest);
    first = min(first, part.job);
    if (any(part.sum != vec4<u32>(0u))) { top = max(top, part.exponent); }
  }
  atomicMax(&largestOfAll, largest);
  atomicMax(&firstOfAll, ~first);
  atomicMax(&topOfAll, u32(top - NO_EXPONENT));
  workgroupBarrier();
  first = ~atomicLoad(&firstOfAll);
  top = i32(atomicLoad(&topOfAll)) + NO_EXPONENT;
  var sum = vec4<u32>(0u);
  for (var i = begin + thread; i < end; i += ${THREADS}u) {
    let part = partAt(i);
    if (any(part.sum != vec4<u32>(0u))) { sum = sumOf(sum, shifted(part.sum, u32(top - part.exponent))); }
    if (first != NO_JOB && part.job == first) { offender = vec2<u32>(part.position, part.bits); }
  }
  for (var i = 0u; i < 4u; i++) {
    if (sum[i] == 0u) { continue; }
    atomicAdd(&digits[2u * i], sum[i] & 0xffffu);
    atomicAdd(&digits[2u * i + 1u], sum[i] >> 16u);
  }
  workgroupBarrier();
  if (thread > 0u) { return; }
  let at = merge.firstWord + group.x * ${TOTAL_STRIDE}u;
  totals[at + ${TOTAL.at.largest}u] = atomicLoad(&largestOfAll);
  totals[at + ${TOTAL.at.exponent}u] = bitcast<u32>(top);
  totals[at + ${TOTAL.at.job}u] = first;
  totals[at + ${TOTAL.at.position}u] = offender.x;
  totals[at + ${TOTAL.at.bits}u] = offender.y;
  var carry = 0u;
  for (var i = 0u; i < 4u; i++) {
    let lower = atomicLoad(&digits[2u * i]) + carry;
    let upper = atomicLoad(&digits[2u * i + 1u]) + (lower >> 16u);
    totals[at + ${TOTAL.at.sum0}u + i] = (lower & 0xffffu) | (upper << 16u);
    carry = upper >> 16u;
  }
}
`;
}

const LOAD_PARTIAL = `
fn partAt(i: u32) -> Part {
  let partial = source[merge.firstPart + i];
  if (partial.x >= 0x7f800000u) {
    return Part(partial.x, 0, i, partial.z, partial.w, vec4<u32>(0u));
  }
  // sum * 2^${TOTAL_SHIFT}
  let high = partial.z;
  let low = partial.w;
  let sum = vec4<u32>(0u, low << 8u, (low >> 24u) | (high << 8u), high >> 24u);
  return Part(partial.x, bitcast<i32>(partial.y), 0xffffffffu, 0u, 0u, sum);
}`;

const LOAD_TOTAL = `
fn partAt(i: u32) -> Part {
  let a = source[3u * i];
  let b = source[3u * i + 1u];
  let c = source[3u * i + 2u];
  return Part(a.x, bitcast<i32>(a.y), a.z, a.w, b.x, vec4<u32>(b.y, b.z, b.w, c.x));
}`;
if (TOTAL_SHIFT !== 40 || TOTAL_STRIDE !== 12 || TOTAL.at.sum0 !== 5)
  throw new Error('LOAD_PARTIAL and LOAD_TOTAL have other numbers');
