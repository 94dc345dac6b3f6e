// web/cli/formats.js: which format a file has, by its first bytes, and the tensors of all files.
import { EXPECTED_FILE, InputFile } from './file.js';
import { NPY_MAGIC, tensorsOfNpy } from './npy.js';
import { tensorsOfNpz } from './npz.js';
import { looksLikeSafetensors, tensorsOfSafetensors } from './safetensors.js';
import { looksLikeZip } from './zip.js';
import { InputError, inWords } from './words.js';

/** @typedef {import('./tensor.js').StoredTensor} StoredTensor */

const OPENING_BYTES = 9;

/**
 * Opens the files, has them measured, and closes them whatever becomes of it.
 * @template T
 * @param {readonly string[]} paths
 * @param {(tensors: StoredTensor[]) => Promise<T>} measure
 * @returns {Promise<T>}
 */
export async function withTensorsOf(paths, measure) {
  /** @type {InputFile[]} */
  const files = [];
  try {
    const tensors = [];
    for (const path of paths) {
      const file = new InputFile(path);
      files.push(file);
      const own = await tensorsOf(path, file);
      tensors.push(...(paths.length > 1 ? own.map((tensor) => withFileName(tensor, file)) : own));
    }
    const result = await measure(tensors);
    for (const file of files) file.checkUnchanged();
    return result;
  } finally {
    for (const file of files) file.close();
  }
}

/**
 * @param {string} path
 * @param {InputFile} file
 * @returns {StoredTensor[] | Promise<StoredTensor[]>}
 */
function tensorsOf(path, file) {
  const opening = file.bytesAt(0, Math.min(OPENING_BYTES, file.size));
  if (opening.subarray(0, NPY_MAGIC.length).equals(NPY_MAGIC)) return tensorsOfNpy(file);
  if (looksLikeZip(opening)) return tensorsOfNpz(file);
  if (looksLikeSafetensors(opening) || path.endsWith('.safetensors')) return tensorsOfSafetensors(file);
  const got = file.size === 0 ? 'is empty' : `begins with ${inWords(opening.toString('latin1'))}`;
  throw new InputError(`${file.name} ${got}; expected ${EXPECTED_FILE}`);
}

/**
 * @param {StoredTensor} tensor
 * @param {InputFile} file
 * @returns {StoredTensor}
 */
function withFileName(tensor, file) {
  return tensor.name === file.path ? tensor : { ...tensor, name: `${file.path}:${tensor.name}` };
}
