// web/cli/npz.js: a .npz file, a zip archive of .npy files, as numpy.savez and numpy.savez_compressed write it.
import { checkNpySize, NPY_OPENING_BYTES, npyHeaderLengths, parseNpyHeader } from './npy.js';
import { bytesOfEntry } from './zip-entry.js';
import { entriesOf } from './zip.js';
import { InputError } from './words.js';

/**
 * @typedef {import('./file.js').InputFile} InputFile
 * @typedef {import('./tensor.js').StoredTensor} StoredTensor
 * @typedef {import('./zip.js').ZipEntry} ZipEntry
 */

/**
 * @param {InputFile} file
 * @returns {Promise<StoredTensor[]>}
 */
export async function tensorsOfNpz(file) {
  const tensors = [];
  for (const entry of entriesOf(file)) tensors.push(await tensorOf(file, entry));
  return tensors;
}

/**
 * @param {InputFile} file
 * @param {ZipEntry} entry
 * @returns {Promise<StoredTensor>}
 */
async function tensorOf(file, entry) {
  if (!entry.name.endsWith('.npy')) {
    throw new InputError(
      `${entry.place} is no .npy file; expected an archive of these, as numpy.savez writes it`,
    );
  }
  const { text, dataStart } = await readHeader(file, entry);
  const described = parseNpyHeader(text, entry.place);
  checkNpySize(entry.place, entry.size - dataStart, described.elements * described.type.bytes);
  const name = entry.name.slice(0, -'.npy'.length);
  return { ...described, name, range: null, read: readEntry(file, entry, dataStart) };
}

/**
 * @param {InputFile} file
 * @param {ZipEntry} entry
 */
async function readHeader(file, entry) {
  let bytes = Buffer.alloc(0);
  let wanted = NPY_OPENING_BYTES;
  for await (const piece of bytesOfEntry(file, entry)) {
    bytes = Buffer.concat([bytes, piece]);
    if (bytes.length >= NPY_OPENING_BYTES) wanted = npyHeaderLengths(bytes, entry.place).dataStart;
    if (bytes.length >= wanted) break;
  }
  const { textStart, dataStart } = npyHeaderLengths(bytes, entry.place);
  return { text: bytes.subarray(textStart, dataStart), dataStart };
}

/**
 * @param {InputFile} file
 * @param {ZipEntry} entry
 * @param {number} skipped  bytes of the header
 * @returns {StoredTensor['read']}
 */
function readEntry(file, entry, skipped) {
  return async function* (buffer) {
    let left = skipped;
    let filled = 0;
    for await (const piece of bytesOfEntry(file, entry)) {
      let rest = piece.subarray(Math.min(left, piece.length));
      left -= piece.length - rest.length;
      while (rest.length > 0) {
        const count = Math.min(rest.length, buffer.length - filled);
        buffer.set(rest.subarray(0, count), filled);
        rest = rest.subarray(count);
        filled += count;
        if (filled < buffer.length) break;
        yield filled;
        filled = 0;
      }
    }
    if (filled > 0) yield filled;
  };
}
