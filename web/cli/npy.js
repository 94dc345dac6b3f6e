// web/cli/npy.js: the header of a .npy file: a magic string, a version, and a dict of Python in text, which names the type, the
// order and the shape of the elements behind it (numpy.lib.format).
import { elementType } from './element-types.js';
import { byteLengthOf, elementsOf, readRange } from './tensor.js';
import { InputError, inWords, printable } from './words.js';

/**
 * @typedef {import('./file.js').InputFile} InputFile
 * @typedef {import('./tensor.js').StoredTensor} StoredTensor
 */

/** What the header says; all of a StoredTensor but its name and how to read it. @typedef {Omit<StoredTensor, 'name' | 'range' | 'read'>} Described */

export const NPY_MAGIC = Buffer.from('\x93NUMPY', 'latin1');

/** Behind this many bytes the length of the header is known. */
export const NPY_OPENING_BYTES = 12;

// The dict of an array of numbers takes a hundred bytes, and NumPy itself reads no more than ten thousand.
const MOST_HEADER_BYTES = 2 ** 16;

const EXPECTED_HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }";

const TYPES = new Map(
  Object.entries({
    f8: 'float64',
    f4: 'float32',
    f2: 'float16',
    i8: 'int64',
    i4: 'int32',
    i2: 'int16',
    i1: 'int8',
    u8: 'uint64',
    u4: 'uint32',
    u2: 'uint16',
    u1: 'uint8',
    b1: 'bool',
  }),
);

/**
 * @param {InputFile} file
 * @returns {StoredTensor[]}  one
 */
export function tensorsOfNpy(file) {
  const opening = file.bytesAt(0, Math.min(NPY_OPENING_BYTES, file.size));
  const { textStart, dataStart } = npyHeaderLengths(opening, file.name);
  if (dataStart > file.size) {
    throw new InputError(
      `${file.name} is ${file.size} bytes long; expected at least ${dataStart}, where its header ends (is it truncated?)`,
    );
  }
  const described = parseNpyHeader(file.bytesAt(textStart, dataStart - textStart), file.name);
  const bytes = described.elements * described.type.bytes;
  checkNpySize(file.name, file.size - dataStart, bytes);
  const range = { file, position: dataStart };
  return [{ ...described, name: file.path, range, read: readRange(file, dataStart, bytes) }];
}

/**
 * @param {string} place
 * @param {number} got  bytes behind the header
 * @param {number} expected
 */
export function checkNpySize(place, got, expected) {
  if (got === expected) return;
  const guess = got < expected ? ' (is it truncated?)' : '';
  throw new InputError(
    `${place} has ${got} bytes after its header; expected ${expected}, for its shape and type${guess}`,
  );
}

/**
 * @param {Buffer} opening  the first NPY_OPENING_BYTES, or all where there are fewer
 * @param {string} place
 * @returns {{ textStart: number, dataStart: number }}
 */
export function npyHeaderLengths(opening, place) {
  if (!opening.subarray(0, 6).equals(NPY_MAGIC)) {
    throw new InputError(
      `${place} begins with ${inWords(opening.toString('latin1', 0, 6))}; expected "\\x93NUMPY", as .npy files do`,
    );
  }
  if (opening.length < NPY_OPENING_BYTES) {
    throw new InputError(`${place} is ${opening.length} bytes long; expected a header (is it truncated?)`);
  }
  const [major, minor] = opening.subarray(6);
  if (major < 1 || major > 3) {
    throw new InputError(
      `${place} has version ${major}.${minor} of the .npy format; expected 1.0, 2.0 or 3.0`,
    );
  }
  const textStart = major === 1 ? 10 : 12;
  const length = major === 1 ? opening.readUInt16LE(8) : opening.readUInt32LE(8);
  if (length > MOST_HEADER_BYTES) {
    throw new InputError(
      `the header of ${place} is ${length} bytes long; expected at most ${MOST_HEADER_BYTES}`,
    );
  }
  return { textStart, dataStart: textStart + length };
}

/**
 * @param {Buffer} bytes
 * @param {string} place
 * @returns {Described}
 */
export function parseNpyHeader(bytes, place) {
  const { descr, isFortran, tuple } = parseDict(bytes.toString('latin1'), place);
  const [, order, kind = ''] = /^([<>|=])(.+)$/.exec(descr) ?? [];
  const typeName = TYPES.get(kind);
  if (typeName === undefined) {
    const expected = `< or > and one of ${[...TYPES.keys()].join(', ')}`;
    throw new InputError(`the dtype of ${place} is '${printable(descr)}'; expected ${expected}`);
  }
  const type = elementType(typeName);
  const shape = parseTuple(tuple);
  const elements = elementsOf(shape);
  byteLengthOf(place, printable(`(${tuple})`), elements, type.bytes);
  const indexOf = isFortran ? byRows(shape) : (/** @type {number} */ index) => index;
  return { place, type, start: 0, elements, isBigEndian: order === '>', indexOf };
}

/**
 * A string, a truth value and a tuple of integers are wanted, so there is no need to understand Python.
 * @param {string} text
 * @param {string} place
 */
function parseDict(text, place) {
  const entry = /(['"])(\w+)\1\s*:\s*(?:(['"])([^'"\\]*)\3|(True|False)|\(([\d\sL,]*)\))\s*(?:,\s*|(?=\}))/y;
  /** @type {Map<string, { string?: string, truth?: string, tuple?: string }>} */
  const values = new Map();
  let count = 0;
  let end = /^\s*\{\s*/.exec(text)?.[0].length ?? text.length;
  for (;;) {
    entry.lastIndex = end;
    const match = entry.exec(text);
    if (match === null) break;
    const [, , name, , string, truth, tuple] = match;
    values.set(name, { string, truth, tuple });
    ++count;
    end = entry.lastIndex;
  }
  const [descr, truth, tuple] = [
    values.get('descr')?.string,
    values.get('fortran_order')?.truth,
    values.get('shape')?.tuple,
  ];
  const isWhole = count === 3 && text.slice(end).trim() === '}';
  if (!isWhole || descr === undefined || truth === undefined || tuple === undefined) {
    const got = inWords(text.trim());
    throw new InputError(`the header of ${place} is ${got}; expected the like of ${EXPECTED_HEADER}`);
  }
  return { descr, isFortran: truth === 'True', tuple };
}

/**
 * @param {string} text  what is in the parentheses
 * @returns {number[]}  NaN for what is no integer
 */
function parseTuple(text) {
  const parts = text.split(',').map((part) => part.trim());
  // Behind the last comma there may be nothing.
  if (parts.at(-1) === '') parts.pop();
  return parts.map((part) => (/^\d+L?$/.test(part) ? parseInt(part, 10) : NaN));
}

/**
 * Of an array stored by columns, as Fortran does: what NumPy calls `array.flat[index]`.
 * @param {readonly number[]} shape
 * @returns {(index: number) => number}
 */
function byRows(shape) {
  return (index) => {
    const coordinates = shape.map((length) => {
      const coordinate = index % length;
      index = Math.floor(index / length);
      return coordinate;
    });
    return coordinates.reduce((result, coordinate, i) => result * shape[i] + coordinate, 0);
  };
}
