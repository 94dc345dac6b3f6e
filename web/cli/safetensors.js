// web/cli/safetensors.js: the header of a .safetensors file: eight bytes with its length, JSON, and after it the elements of
// all tensors one after the other (https://huggingface.co/docs/safetensors). Nothing in it is believed before it is checked.
import { elementType } from './element-types.js';
import { byteLengthOf, elementsOf, readRange } from './tensor.js';
import { InputError, inWords, printable } from './words.js';

/**
 * @typedef {import('./file.js').InputFile} InputFile
 * @typedef {import('./tensor.js').StoredTensor} StoredTensor
 */

/** @typedef {StoredTensor & { begin: number, end: number }} Placed  where it lies behind the header */

const DTYPES = new Map(
  Object.entries({
    F64: 'float64',
    F32: 'float32',
    F16: 'float16',
    BF16: 'bfloat16',
    F8_E4M3: 'float8_e4m3fn',
    F8_E5M2: 'float8_e5m2',
    I64: 'int64',
    I32: 'int32',
    I16: 'int16',
    I8: 'int8',
    U64: 'uint64',
    U32: 'uint32',
    U16: 'uint16',
    U8: 'uint8',
    BOOL: 'bool',
  }),
);

const LENGTH_BYTES = 8;

// Enough for a hundred thousand tensors; parsed it takes several times as much memory.
const MOST_HEADER_BYTES = 2 ** 24;

/**
 * Whether a file of another name is one of these: they have no magic number.
 * @param {Uint8Array} opening
 */
export function looksLikeSafetensors(opening) {
  return opening[LENGTH_BYTES] === 0x7b;
}

/**
 * @param {InputFile} file
 * @returns {StoredTensor[]}  in the order of their bytes
 */
export function tensorsOfSafetensors(file) {
  const length = headerLengthOf(file);
  const header = parseHeader(file, length);
  const dataStart = LENGTH_BYTES + length;
  const tensors = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => tensorOf(file, dataStart, name, entry))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkOrder(file, tensors, file.size - dataStart);
  return tensors;
}

/** @param {InputFile} file */
function headerLengthOf(file) {
  if (file.size < LENGTH_BYTES) {
    throw new InputError(
      `${file.name} is ${file.size} bytes long; expected at least ${LENGTH_BYTES}, which tell the length of its header`,
    );
  }
  const length = file.bytesAt(0, LENGTH_BYTES).readBigUInt64LE();
  const place = `the header of ${file.name}`;
  if (length > file.size - LENGTH_BYTES) {
    const left = file.size - LENGTH_BYTES;
    throw new InputError(
      `${place} is said to be ${length} bytes long; expected at most the ${left} that follow (is it truncated?)`,
    );
  }
  if (length > MOST_HEADER_BYTES) {
    throw new InputError(`${place} is ${length} bytes long; expected at most ${MOST_HEADER_BYTES}`);
  }
  return Number(length);
}

/**
 * @param {InputFile} file
 * @param {number} length
 * @returns {Record<string, unknown>}
 */
function parseHeader(file, length) {
  const bytes = file.bytesAt(LENGTH_BYTES, length);
  const expected = 'a JSON object with an entry for each tensor';
  const place = `the header of ${file.name}`;
  /** @type {unknown} */
  let header;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new InputError(`${place} is no JSON in UTF-8; expected ${expected}`);
  }
  if (isRecord(header)) return header;
  throw new InputError(`${place} is ${inWords(header)}; expected ${expected}`);
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isRecord(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * @param {InputFile} file
 * @param {number} dataStart
 * @param {string} name
 * @param {unknown} entry
 * @returns {Placed}
 */
function tensorOf(file, dataStart, name, entry) {
  const place = `tensor "${printable(name)}" of ${file.name}`;
  if (!isRecord(entry)) {
    throw new InputError(
      `${place} is ${inWords(entry)}; expected an object with dtype, shape and data_offsets`,
    );
  }
  const { dtype, shape, data_offsets: offsets } = entry;
  const typeName = DTYPES.get(/** @type {string} */ (dtype));
  if (typeName === undefined) {
    const expected = [...DTYPES.keys()].join(', ');
    throw new InputError(`the dtype of ${place} is ${inWords(dtype)}; expected one of ${expected}`);
  }
  const type = elementType(typeName);
  const elements = Array.isArray(shape) ? elementsOf(shape) : NaN;
  const bytes = byteLengthOf(place, inWords(shape), elements, type.bytes);
  const [begin, end] = checkOffsets(place, offsets, file.size - dataStart);
  if (end - begin !== bytes) {
    const expected = `${bytes}, for ${printable(String(dtype))} of shape ${inWords(shape)}`;
    throw new InputError(`the data_offsets of ${place} span ${end - begin} bytes; expected ${expected}`);
  }
  const range = { file, position: dataStart + begin };
  const read = readRange(file, range.position, bytes);
  const indexOf = (/** @type {number} */ index) => index;
  return { name, place, type, start: 0, elements, isBigEndian: false, indexOf, range, read, begin, end };
}

/**
 * @param {string} place
 * @param {unknown} offsets
 * @param {number} dataBytes
 * @returns {[number, number]}
 */
function checkOffsets(place, offsets, dataBytes) {
  const isPair = Array.isArray(offsets) && offsets.length === 2 && offsets.every(Number.isSafeInteger);
  if (isPair && 0 <= offsets[0] && offsets[0] <= offsets[1] && offsets[1] <= dataBytes) {
    return [offsets[0], offsets[1]];
  }
  const truncated = isPair && offsets[1] > dataBytes ? ' (is it truncated?)' : '';
  const expected = `[begin, end] within the ${dataBytes} bytes after the header${truncated}`;
  throw new InputError(`the data_offsets of ${place} are ${inWords(offsets)}; expected ${expected}`);
}

/**
 * Every byte behind the header belongs to one tensor: an overlap would count elements twice, a gap may be an entry that a
 * second one of its name has hidden.
 * @param {InputFile} file
 * @param {readonly Placed[]} tensors  in the order of their bytes
 * @param {number} dataBytes
 */
function checkOrder(file, tensors, dataBytes) {
  let next = 0;
  for (const { place, begin, end } of tensors) {
    if (begin !== next) {
      const got = begin < next ? 'overlaps the tensor before it' : 'leaves a gap behind the tensor before it';
      throw new InputError(
        `${place} ${got}, as it begins at byte ${begin} after the header; expected byte ${next}`,
      );
    }
    next = end;
  }
  if (next !== dataBytes) {
    throw new InputError(
      `${file.name} has ${dataBytes} bytes after its header; expected ${next}, where its last tensor ends`,
    );
  }
}
