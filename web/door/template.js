// web/door/template.js: the door of allocGradients. Reads a template into the shapes of its arrays, and makes the same structure
// of these arrays.
import { BYTE_SHIFTS, dtypeNamed, dtypeOf, FLOAT32, isHalf } from '../core/dtypes.js';
import { maxArrayBytes } from '../core/resident.js';
import { describe, isList, placeIn } from '../words/errors.js';
import { isDetached, lengthOf, typedArrayName } from '../words/typed-array.js';
import { isPlainRecord, MAX_DEPTH } from './collect.js';

/**
 * @typedef {import('../core/resident.js').Shape} Shape
 * @typedef {import('../core/dtypes.js').GradientArray} GradientArray
 */

/** @typedef {(arrays: readonly GradientArray[]) => any} Build  the structure, of the arrays of all shapes */

const EXPECTED =
  'a length, a typed array of floats or of 8- to 32-bit integers, null, or an array, Map or plain record of these';

/**
 * @param {unknown} template
 * @returns {{ shapes: Shape[], build: Build }}
 * @throws {TypeError | RangeError} on anything that is no template, naming its place
 */
export function readTemplate(template) {
  const reader = new TemplateReader();
  const build = reader.read(template, 'template', []);
  return { shapes: reader.shapes, build };
}

class TemplateReader {
  /** @type {Shape[]} */
  shapes = [];

  /**
   * @param {unknown} value
   * @param {string} place
   * @param {readonly unknown[]} ancestors
   * @returns {Build}
   */
  read(value, place, ancestors) {
    if (value === null) return () => null;
    if (typeof value === 'number') return this.add('Float32Array', FLOAT32, value, place);
    const type = typedArrayName(value);
    if (type !== undefined) return this.readArray(value, type, dtypeOf(type), place);
    const list = typeof value === 'object' ? isList(value) : undefined;
    if (list === undefined) throw new TypeError(`${place} is ${describe(value)}; expected ${EXPECTED}`);
    return this.readContainer(/** @type {object} */ (value), list, place, ancestors);
  }

  /**
   * @param {any} array
   * @param {string} type
   * @param {number | undefined} dtype  undefined if its elements are no gradients
   * @param {string} place
   * @returns {Build}
   */
  readArray(array, type, dtype, place) {
    if (dtype === undefined || isDetached(array)) {
      const why = dtype === undefined ? '' : ' on a detached buffer';
      throw new TypeError(`${place} is ${describe(array)}${why}; expected ${EXPECTED}`);
    }
    return this.add(type, dtype, lengthOf(array), place);
  }

  /**
   * @param {string} type
   * @param {number} dtype
   * @param {number} length
   * @param {string} place
   * @returns {Build}
   */
  add(type, dtype, length, place) {
    const most = Math.floor(maxArrayBytes() / 2 ** BYTE_SHIFTS[dtype]);
    if (!Number.isInteger(length) || length < 0 || length > most) {
      throw new RangeError(`${place} is ${length}; expected a whole number of elements from 0 to ${most}`);
    }
    const index = this.shapes.push({ type, dtype, length }) - 1;
    return (arrays) => arrays[index];
  }

  /**
   * @param {object} value
   * @param {boolean} list  whether it is an Array
   * @param {string} place
   * @param {readonly unknown[]} ancestors
   * @returns {Build}
   */
  readContainer(value, list, place, ancestors) {
    if (ancestors.includes(value)) {
      throw new TypeError(`${place} is an object that it lies in; expected a tree without circles`);
    }
    if (ancestors.length > MAX_DEPTH) {
      throw new TypeError(
        `${place} is nested ${ancestors.length} levels deep; expected at most ${MAX_DEPTH} levels`,
      );
    }
    const within = [...ancestors, value];
    const readItem = (/** @type {readonly [unknown, unknown]} */ [key, item]) =>
      /** @type {const} */ ([key, this.read(item, placeIn(place, key), within)]);
    if (list) {
      const items = Array.from(/** @type {unknown[]} */ (value), (item, i) => readItem([i, item])[1]);
      return (arrays) => Object.freeze(items.map((build) => build(arrays)));
    }
    if (value instanceof Map) {
      const items = Array.from(value, readItem);
      return (arrays) => frozenMap(items.map(([key, build]) => [key, build(arrays)]));
    }
    if (!isPlainRecord(value)) throw new TypeError(`${place} is ${describe(value)}; expected ${EXPECTED}`);
    return this.readBits(value, place) ?? recordOf(Object.entries(value).map(readItem));
  }

  /**
   * Of halves as their bits: the same form.
   * @param {Record<string, unknown>} value
   * @param {string} place
   * @returns {Build | undefined}
   */
  readBits({ data, dtype: name }, place) {
    const dtype = dtypeNamed(name);
    if (dtype === undefined || !isHalf(dtype) || typedArrayName(data) !== 'Uint16Array') return undefined;
    const build = this.readArray(data, 'Uint16Array', dtype, placeIn(place, 'data'));
    return (arrays) => Object.freeze({ data: build(arrays), dtype: name });
  }
}

/**
 * @param {readonly (readonly [unknown, Build])[]} items
 * @returns {Build}
 */
function recordOf(items) {
  return (arrays) =>
    Object.freeze(
      Object.fromEntries(items.map(([key, build]) => [/** @type {string} */ (key), build(arrays)])),
    );
}

/**
 * A Map stays open when it is frozen, so its methods are closed.
 * @param {[unknown, unknown][]} entries
 */
function frozenMap(entries) {
  const map = new Map(entries);
  const refuse = () => {
    throw new TypeError('a Map that allocGradients returned is frozen; expected no change');
  };
  for (const name of ['set', 'delete', 'clear']) Object.defineProperty(map, name, { value: refuse });
  return Object.freeze(map);
}
