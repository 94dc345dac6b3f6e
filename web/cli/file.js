// web/cli/file.js: a file that is read where it is asked for, and that has to stay as it is meanwhile.
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { InputError, printable } from './words.js';

export const EXPECTED_FILE = 'a .safetensors, .npy or .npz file';

const REFUSALS = new Map([
  ['ENOENT', 'does not exist'],
  ['EACCES', 'may not be read'],
  ['EPERM', 'may not be read'],
  ['ENOTDIR', 'is below something that is no directory'],
]);

export class InputFile {
  /** @param {string} path */
  constructor(path) {
    this.path = path;
    /** For messages. */
    this.name = printable(path);
    // Opening a pipe would wait for somebody to write to it.
    const status = this.attempt(() => statSync(path));
    if (!status.isFile()) {
      const got = status.isDirectory() ? 'a directory' : 'a pipe or a device';
      throw new InputError(`${this.name} is ${got}; expected ${EXPECTED_FILE}`);
    }
    this.descriptor = this.attempt(() => openSync(path, 'r'));
    this.status = fstatSync(this.descriptor);
    this.size = this.status.size;
  }

  /**
   * Fills all of the target.
   * @param {Uint8Array} target
   * @param {number} position  in the file
   */
  read(target, position) {
    const count = this.attempt(() => fill(this.descriptor, target, position));
    if (count < target.length) this.refuseChange(`ends at byte ${position + count}`);
  }

  /**
   * @param {number} position
   * @param {number} length  not more than memory is there for
   * @returns {Buffer}
   */
  bytesAt(position, length) {
    const bytes = Buffer.alloc(length);
    this.read(bytes, position);
    return bytes;
  }

  /** To be asked when all is read: a file that is rewritten meanwhile gives a norm of neither state. */
  checkUnchanged() {
    const { size, mtimeMs } = fstatSync(this.descriptor);
    if (size !== this.size) this.refuseChange(`is ${size} bytes long`);
    if (mtimeMs !== this.status.mtimeMs) this.refuseChange('was written to');
  }

  close() {
    closeSync(this.descriptor);
  }

  /**
   * @param {string} got
   * @returns {never}
   */
  refuseChange(got) {
    throw new InputError(
      `${this.name} ${got} now; expected it to keep its ${this.size} bytes while it is read`,
    );
  }

  /**
   * @template T
   * @param {() => T} action  on the file
   * @returns {T}
   */
  attempt(action) {
    try {
      return action();
    } catch (error) {
      const { code = '', message } = /** @type {NodeJS.ErrnoException} */ (error);
      const got = REFUSALS.get(code) ?? `cannot be read (${printable(message)})`;
      throw new InputError(`${this.name} ${got}; expected ${EXPECTED_FILE}`);
    }
  }
}

/**
 * @param {number} descriptor
 * @param {Uint8Array} target
 * @param {number} position  in the file
 * @returns {number}  how many bytes there were
 */
export function fill(descriptor, target, position) {
  let count = 0;
  while (count < target.length) {
    const got = readSync(descriptor, target, count, target.length - count, position + count);
    if (got === 0) break;
    count += got;
  }
  return count;
}
