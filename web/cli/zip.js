// web/cli/zip.js: the entries of a zip archive by its central directory, zip64 included (PKWARE's APPNOTE). What the directory says
// is checked against the file.
import { InputError, printable } from './words.js';

/** @typedef {import('./file.js').InputFile} InputFile */

/**
 * @typedef {object} ZipEntry
 * @property {string} name
 * @property {string} place       for messages
 * @property {number} method      STORED or DEFLATED
 * @property {number} checksum    CRC-32 of its bytes
 * @property {number} packed      bytes in the archive
 * @property {number} size        bytes
 * @property {number} start       of its local header
 * @property {number} position    of its packed bytes
 */

export const STORED = 0;
const DEFLATED = 8;

const END = { signature: 0x06054b50, bytes: 22 };
const END_64_LOCATOR = { signature: 0x07064b50, bytes: 20 };
const END_64 = { signature: 0x06064b50, bytes: 56 };
const CENTRAL = { signature: 0x02014b50, bytes: 46 };
const LOCAL = { signature: 0x04034b50, bytes: 30 };
const ZIP_64_FIELD = 1;
const ENCRYPTED = 1;
const LONGEST_COMMENT = 0xffff;
const IN_ZIP_64 = 0xffffffff;

// Enough for a hundred thousand entries.
const MOST_DIRECTORY_BYTES = 2 ** 24;

// What deflates to less than a hundredth is hardly data, which does no harm before it is large.
const MOST_INFLATION = 100;
const LARGE_BYTES = 2 ** 28;

/** @param {Uint8Array} opening */
export function looksLikeZip(opening) {
  const signature = Buffer.from(opening).subarray(0, 4).toString('latin1');
  return signature === 'PK\x03\x04' || signature === 'PK\x05\x06';
}

/**
 * @param {InputFile} file
 * @returns {ZipEntry[]}  in the order of the directory
 */
export function entriesOf(file) {
  const { count, bytes, position } = findDirectory(file);
  if (position + bytes > file.size || bytes > MOST_DIRECTORY_BYTES) {
    const expected = `at most ${Math.min(MOST_DIRECTORY_BYTES, file.size)} bytes within the file`;
    throw new InputError(
      `the directory of ${file.name} is ${bytes} bytes at byte ${position}; expected ${expected}`,
    );
  }
  const entries = parseDirectory(file, file.bytesAt(position, bytes), count);
  checkApart(file, entries, position);
  checkInflation(file, entries);
  return entries;
}

/** @param {InputFile} file */
function findDirectory(file) {
  const length = Math.min(file.size, END.bytes + LONGEST_COMMENT);
  const tail = file.bytesAt(file.size - length, length);
  for (let at = length - END.bytes; at >= 0; --at) {
    const isEnd =
      tail.readUInt32LE(at) === END.signature && tail.readUInt16LE(at + 20) === length - at - END.bytes;
    if (!isEnd) continue;
    const short = {
      count: tail.readUInt16LE(at + 10),
      bytes: tail.readUInt32LE(at + 12),
      position: tail.readUInt32LE(at + 16),
    };
    return findDirectory64(file, file.size - length + at - END_64_LOCATOR.bytes) ?? short;
  }
  throw new InputError(
    `${file.name} has no directory of a zip archive at its end; expected one (is it truncated?)`,
  );
}

/**
 * @param {InputFile} file
 * @param {number} position  of the locator, if there is one
 */
function findDirectory64(file, position) {
  if (position < 0) return null;
  const locator = file.bytesAt(position, END_64_LOCATOR.bytes);
  if (locator.readUInt32LE() !== END_64_LOCATOR.signature) return null;
  const at = Number(locator.readBigUInt64LE(8));
  const end = at + END_64.bytes <= position ? file.bytesAt(at, END_64.bytes) : Buffer.alloc(4);
  if (end.readUInt32LE() !== END_64.signature) throw damaged(file, 'the end of its directory');
  return {
    count: Number(end.readBigUInt64LE(32)),
    bytes: Number(end.readBigUInt64LE(40)),
    position: Number(end.readBigUInt64LE(48)),
  };
}

/**
 * @param {InputFile} file
 * @param {Buffer} directory
 * @param {number} count
 */
function parseDirectory(file, directory, count) {
  /** @type {ZipEntry[]} */
  const entries = [];
  for (let at = 0; at < directory.length;) {
    const header = directory.subarray(at, at + CENTRAL.bytes);
    if (header.length < CENTRAL.bytes || header.readUInt32LE() !== CENTRAL.signature) {
      throw damaged(file, 'its directory');
    }
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => header.readUInt16LE(field));
    const rest = directory.subarray(at + CENTRAL.bytes, at + CENTRAL.bytes + nameBytes + extraBytes);
    if (rest.length < nameBytes + extraBytes) throw damaged(file, 'its directory');
    entries.push(entryOf(file, header, rest.toString('utf8', 0, nameBytes), rest.subarray(nameBytes)));
    at += CENTRAL.bytes + nameBytes + extraBytes + commentBytes;
  }
  if (entries.length !== count) {
    throw new InputError(
      `the directory of ${file.name} has ${entries.length} entries; expected ${count}, as it says`,
    );
  }
  return entries;
}

/**
 * @param {InputFile} file
 * @param {Buffer} header  in the directory
 * @param {string} name
 * @param {Buffer} extra
 * @returns {ZipEntry}
 */
function entryOf(file, header, name, extra) {
  const place = `entry "${printable(name)}" of ${file.name}`;
  const method = header.readUInt16LE(10);
  if (header.readUInt16LE(8) & ENCRYPTED) throw new InputError(`${place} is encrypted; expected plain data`);
  if (method !== STORED && method !== DEFLATED) {
    throw new InputError(`${place} is compressed by method ${method}; expected 0 (stored) or 8 (deflated)`);
  }
  const [size, packed, start] = withZip64(
    [24, 20, 42].map((field) => header.readUInt32LE(field)),
    extra,
  );
  const checksum = header.readUInt32LE(16);
  const position = start + LOCAL.bytes <= file.size ? positionAfter(file, start) : file.size + 1;
  if (!(position + packed <= file.size)) {
    throw new InputError(
      `${place} ends behind the end of the file; expected it within ${file.size} bytes (is it truncated?)`,
    );
  }
  if (method === STORED && packed !== size) {
    throw new InputError(
      `${place} takes ${packed} bytes; expected ${size}, its size, as it is not compressed`,
    );
  }
  return { name, place, method, checksum, packed, size, start, position };
}

/**
 * Values that do not fit 32 bits stand in a field of their own, in this order.
 * @param {number[]} values
 * @param {Buffer} extra
 */
function withZip64(values, extra) {
  const wide = zip64Field(extra);
  let at = 0;
  return values.map((value) => {
    if (value !== IN_ZIP_64 || at + 8 > wide.length) return value;
    at += 8;
    return Number(wide.readBigUInt64LE(at - 8));
  });
}

/** @param {Buffer} extra */
function zip64Field(extra) {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) === ZIP_64_FIELD) {
      return extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
    }
  }
  return extra.subarray(0, 0);
}

/**
 * @param {InputFile} file
 * @param {number} start  of a local header
 * @returns {number}  where the data begin
 */
function positionAfter(file, start) {
  const header = file.bytesAt(start, LOCAL.bytes);
  if (header.readUInt32LE() !== LOCAL.signature) throw damaged(file, 'the header of an entry');
  return start + LOCAL.bytes + header.readUInt16LE(26) + header.readUInt16LE(28);
}

/**
 * Bytes that several entries share make a small file a large one.
 * @param {InputFile} file
 * @param {readonly ZipEntry[]} entries
 * @param {number} end  of the last, where the directory begins
 */
function checkApart(file, entries, end) {
  const inOrder = [...entries].sort((a, b) => a.start - b.start);
  for (const [i, { place, position, packed }] of inOrder.entries()) {
    const next = inOrder[i + 1]?.start ?? end;
    if (position + packed > next) {
      throw new InputError(
        `${place} ends at byte ${position + packed}; expected at most ${next}, where the next part of the file begins`,
      );
    }
  }
  const names = new Set(entries.map(({ name }) => name));
  if (names.size < entries.length)
    throw new InputError(`${file.name} has entries of the same name; expected names that differ`);
}

/**
 * @param {InputFile} file
 * @param {readonly ZipEntry[]} entries
 */
function checkInflation(file, entries) {
  const size = entries.reduce((sum, entry) => sum + entry.size, 0);
  if (size > LARGE_BYTES && size > MOST_INFLATION * file.size) {
    const expected = `at most ${MOST_INFLATION} times as many (if you trust it, unpack it and measure its .npy files)`;
    throw new InputError(
      `${file.name} would inflate from ${file.size} bytes to ${size}; expected ${expected}`,
    );
  }
}

/**
 * @param {InputFile} file
 * @param {string} part
 */
function damaged(file, part) {
  return new InputError(
    `${file.name} has something else in the place of ${part}; expected a zip archive that is whole`,
  );
}
