// web/adapters/tfjs/tensors.js: the door of this adapter. Reads gradients as TensorFlow.js hands them out into a list of
// tensors, and throws on whatever else is there.
import { describe, placeIn, tagOf } from '../../words/errors.js';
import { backendOf } from './engine.js';

/** @typedef {import('./engine.js').TfTensor} TfTensor */

/**
 * Gradients by name, in a list, or in a list with names; or one alone.
 * @typedef {TfTensor | null | undefined | { [name: string]: TfTensor | null | undefined } |
 *   readonly (TfTensor | { name: string, tensor: TfTensor | null | undefined } | null | undefined)[]} TfGradients
 */

/**
 * @typedef {object} NamedTensor
 * @property {string | number} name  or its index
 * @property {TfTensor} tensor
 */

const DTYPES = ['float32', 'int32', 'bool'];

/**
 * @param {import('./engine.js').Engine} engine
 * @param {unknown} gradients
 * @returns {NamedTensor[]}  without what is null or undefined
 * @throws {TypeError} on anything that is no tensor of numbers, naming its place
 */
export function collectTensors(engine, gradients) {
  const read = (
    /** @type {string} */ place,
    /** @type {string | number} */ name,
    /** @type {unknown} */ value,
  ) => (value === null || value === undefined ? [] : [{ name, tensor: checkedTensor(engine, place, value) }]);
  if (gradients === null || isTensor(gradients)) return read('gradients', 0, gradients);
  if (Array.isArray(gradients)) {
    return gradients.flatMap((item, i) => {
      const place = placeIn('gradients', i);
      return isNamed(item) ? read(`${place}.tensor`, item.name, item.tensor) : read(place, i, item);
    });
  }
  if (tagOf(gradients) !== 'Object') throw notTensors(gradients);
  const entries = Object.entries(/** @type {object} */ (gradients));
  return entries.flatMap(([name, value]) => read(placeIn('gradients', name), name, value));
}

/**
 * The same structure with other tensors.
 * @template T
 * @param {T} gradients  that were collected
 * @param {ReadonlyMap<unknown, TfTensor | null>} replacements
 * @returns {T}
 */
export function replaceTensors(gradients, replacements) {
  /** @type {(value: any) => unknown} */
  const replace = (value) => {
    if (isNamed(value)) return { ...value, tensor: replace(value.tensor) };
    return replacements.has(value) ? replacements.get(value) : value;
  };
  if (Array.isArray(gradients)) return /** @type {T} */ (gradients.map(replace));
  if (gradients === null || isTensor(gradients)) return /** @type {T} */ (replace(gradients));
  const entries = Object.entries(/** @type {object} */ (gradients));
  return /** @type {T} */ (Object.fromEntries(entries.map(([name, value]) => [name, replace(value)])));
}

/**
 * @param {unknown} value
 * @returns {value is TfTensor}
 */
function isTensor(value) {
  return has(value, 'dataId') && has(value, 'shape') && has(value, 'dtype');
}

/**
 * @param {unknown} value
 * @returns {value is { name: string, tensor: unknown }}
 */
function isNamed(value) {
  return has(value, 'name') && has(value, 'tensor');
}

/**
 * @param {unknown} value
 * @param {string} name
 */
function has(value, name) {
  return typeof value === 'object' && value !== null && name in value;
}

/**
 * @param {import('./engine.js').Engine} engine
 * @param {string} place
 * @param {unknown} value
 */
function checkedTensor(engine, place, value) {
  const expected = 'expected a tensor of TensorFlow.js, or null';
  if (!isTensor(value)) throw new TypeError(`${place} is ${describe(value)}; ${expected}`);
  if (value.isDisposed || backendOf(engine, value) === undefined) {
    throw new TypeError(`${place} is a tensor that was disposed; expected one that can be read`);
  }
  if (!DTYPES.includes(value.dtype)) {
    throw new TypeError(`${place} is a tensor of ${value.dtype}; expected one of ${DTYPES.join(', ')}`);
  }
  return value;
}

/** @param {unknown} gradients */
function notTensors(gradients) {
  return new TypeError(
    `gradients is ${describe(gradients)}; expected tensors of TensorFlow.js by name or in a list, with or without names`,
  );
}
