// web/adapters/tfjs/tensors.js: the door of this adapter. Reads gradients as TensorFlow.js hands them out into a list of
// tensors, and throws on whatever else is there.
import { check } from '../../words/checks.js';
import { placeIn, tagOf } from '../../words/errors.js';
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

/** @type {import('../../words/checks.js').Rule} */
const TENSOR = { accepts: isTensor, expected: 'a tensor of TensorFlow.js, or null' };
/** @type {import('../../words/checks.js').Rule} */
const CONTAINER = {
  accepts: (value) => Array.isArray(value) || tagOf(value) === 'Object',
  expected: 'tensors of TensorFlow.js by name or in a list',
};

/**
 * @param {import('./engine.js').Engine} engine
 * @param {unknown} gradients
 * @returns {NamedTensor[]}  without what is null or undefined
 * @throws {TypeError} on anything that is no tensor of numbers, naming its place
 */
export function collectTensors(engine, gradients) {
  /** @type {(place: string, name: string | number, value: any) => NamedTensor[]} */
  const read = (place, name, value) => {
    if (value === null || value === undefined) return [];
    check(place, value, TENSOR);
    const { isDisposed, dtype } = value;
    const isThere = !isDisposed && backendOf(engine, value) !== undefined;
    const accepts = () => isThere && DTYPES.includes(dtype);
    const expected = `one of ${DTYPES.join(', ')} that was not disposed`;
    check(place, value, { accepts, expected }, `a tensor ${isThere ? `of ${dtype}` : 'that was disposed'}`);
    return [{ name, tensor: value }];
  };
  if (gradients === null || isTensor(gradients)) return read('gradients', 0, gradients);
  check('gradients', gradients, CONTAINER);
  const isList = Array.isArray(gradients);
  return Object.entries(/** @type {object} */ (gradients)).flatMap(([key, value]) => {
    const name = isList ? Number(key) : key;
    const place = placeIn('gradients', name);
    return isNamed(value) ? read(`${place}.tensor`, value.name, value.tensor) : read(place, name, value);
  });
}

/**
 * The same structure with other tensors.
 * @template T
 * @param {T} gradients  that were collected
 * @param {ReadonlyMap<unknown, TfTensor | null>} replacements
 * @returns {T}
 */
export function replaceTensors(gradients, replacements) {
  /** @type {(value: any) => any} */
  const replace = (value) => {
    if (isNamed(value)) return { ...value, tensor: replace(value.tensor) };
    return replacements.has(value) ? replacements.get(value) : value;
  };
  if (gradients === null || isTensor(gradients)) return replace(gradients);
  if (Array.isArray(gradients)) return /** @type {any} */ (gradients.map(replace));
  const entries = Object.entries(/** @type {object} */ (gradients));
  return /** @type {any} */ (Object.fromEntries(entries.map(([name, value]) => [name, replace(value)])));
}

/**
 * @param {any} value
 * @returns {value is TfTensor}
 */
function isTensor(value) {
  return value?.dataId !== undefined && value.dtype !== undefined;
}

/**
 * @param {any} value
 * @returns {value is { name: string, tensor: unknown }}
 */
function isNamed(value) {
  return tagOf(value) === 'Object' && 'tensor' in value;
}
