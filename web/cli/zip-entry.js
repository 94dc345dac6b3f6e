// web/cli/zip-entry.js: the bytes of an entry of a zip archive, which have to be as many as the directory says, and those of its
// checksum.
import { pipeline, Readable } from 'node:stream';
import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import { InputError, printable } from './words.js';
import { STORED } from './zip.js';

/**
 * @typedef {import('./file.js').InputFile} InputFile
 * @typedef {import('./zip.js').ZipEntry} ZipEntry
 */

const PIECE_BYTES = 2 ** 15;

const SMALL_BYTES = 2 ** 20;

// What zlib asks for.
const LEAST_CHUNK_BYTES = 64;

/**
 * The bytes of an entry. Whoever reads them all knows that they are right.
 * @param {InputFile} file
 * @param {ZipEntry} entry
 * @returns {AsyncGenerator<Buffer>}
 */
export async function* bytesOfEntry(file, entry) {
  const packed = piecesOf(file, entry);
  let size = 0;
  let checksum = 0;
  for await (const piece of entry.method === STORED ? packed : inflate(packed, entry)) {
    size += piece.length;
    if (size > entry.size) throw tooLarge(entry);
    checksum = crc32(piece, checksum);
    yield piece;
  }
  if (size !== entry.size) {
    throw new InputError(
      `${entry.place} inflates to ${size} bytes; expected ${entry.size}, as the directory says`,
    );
  }
  if (checksum !== entry.checksum) {
    const [got, expected] = [checksum, entry.checksum].map((value) => value.toString(16).padStart(8, '0'));
    throw new InputError(`${entry.place} has the checksum ${got}; expected ${expected}: it is damaged`);
  }
}

/**
 * @param {InputFile} file
 * @param {ZipEntry} entry
 */
function* piecesOf(file, { position, packed }) {
  for (let start = 0; start < packed; start += PIECE_BYTES) {
    yield file.bytesAt(position + start, Math.min(PIECE_BYTES, packed - start));
  }
}

/**
 * @param {Iterable<Buffer>} packed
 * @param {ZipEntry} entry
 * @returns {AsyncGenerator<Buffer>}
 */
async function* inflate(packed, entry) {
  try {
    if (Math.max(entry.packed, entry.size) <= SMALL_BYTES)
      yield inflateAtOnce(Buffer.concat([...packed]), entry);
    else yield* inflateAsStream(packed);
  } catch (error) {
    if (error instanceof InputError) throw error;
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(entry);
    const got = `cannot be inflated (${printable(message)})`;
    throw new InputError(`${entry.place} ${got}; expected deflated data: it is damaged`);
  }
}

/**
 * Thousands of streams would take more memory than there are data.
 * @param {Buffer} packed
 * @param {ZipEntry} entry
 */
function inflateAtOnce(packed, { size }) {
  const maxOutputLength = size + 1;
  return inflateRawSync(packed, { maxOutputLength, chunkSize: Math.max(LEAST_CHUNK_BYTES, maxOutputLength) });
}

/**
 * @param {Iterable<Buffer>} packed
 * @returns {AsyncIterable<Buffer>}
 */
function inflateAsStream(packed) {
  const inflated = createInflateRaw({ chunkSize: PIECE_BYTES });
  // Whoever reads what is inflated gets the errors of both; without a function to tell them to they would be thrown as well.
  pipeline(Readable.from(packed), inflated, () => {});
  return inflated;
}

/** @param {ZipEntry} entry */
function tooLarge({ place, size }) {
  return new InputError(
    `${place} inflates to more than ${size} bytes; expected its size, as the directory says`,
  );
}
