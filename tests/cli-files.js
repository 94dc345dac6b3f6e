// tests/cli-files.js: files of gradients for the tests of the command, written byte by byte from the specifications of their
// formats: safetensors (huggingface.co/docs/safetensors), .npy (numpy.lib.format), zip (PKWARE's APPNOTE). Any part can
// be made to lie.
import { deflateRawSync } from 'node:zlib';

/**
 * @param {ArrayBufferView} view
 * @returns {Buffer}
 */
export function bytesOf({ buffer, byteOffset, byteLength }) {
  return Buffer.from(/** @type {ArrayBuffer} */ (buffer), byteOffset, byteLength);
}

/**
 * @param {unknown} header  an object, its text or its bytes
 * @param {readonly Buffer[]} data
 * @param {bigint} [length]  of the header, as the file says it
 */
export function safetensorsOf(header, data, length) {
  const text = Buffer.isBuffer(header)
    ? header
    : Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const opening = Buffer.alloc(8);
  opening.writeBigUInt64LE(length ?? BigInt(text.length));
  return Buffer.concat([opening, text, ...data]);
}

/**
 * A file of tensors one after the other, as save_file writes it: padded with spaces to a multiple of 8.
 * @param {Record<string, { dtype: string, shape?: number[], data: ArrayBufferView }>} tensors
 */
export function safetensors(tensors) {
  let end = 0;
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: { format: 'pt' } };
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    const begin = end;
    end += data.byteLength;
    const length = 'length' in data ? Number(data.length) : data.byteLength;
    header[name] = { dtype, shape: shape ?? [length], data_offsets: [begin, end] };
  }
  const text = JSON.stringify(header);
  return safetensorsOf(
    text.padEnd(Math.ceil(text.length / 8) * 8),
    Object.values(tensors).map(({ data }) => bytesOf(data)),
  );
}

/**
 * @param {string} header  a dict of Python
 * @param {ArrayBufferView} data
 * @param {{ version?: [number, number], length?: number }} [options]  the length of the header, as the file says it
 */
export function npyOf(header, data, { version = [1, 0], length } = {}) {
  const isFirst = version[0] === 1;
  const start = isFirst ? 10 : 12;
  // NumPy fills with spaces to a multiple of 64, the newline included.
  const text = `${header.padEnd(Math.ceil((start + header.length + 1) / 64) * 64 - start - 1)}\n`;
  const opening = Buffer.alloc(start);
  opening.write('\x93NUMPY', 'latin1');
  opening.set(version, 6);
  if (isFirst) opening.writeUInt16LE(length ?? text.length, 8);
  else opening.writeUInt32LE(length ?? text.length, 8);
  return Buffer.concat([opening, Buffer.from(text, 'latin1'), bytesOf(data)]);
}

/**
 * @param {string} descr
 * @param {readonly number[]} shape
 * @param {ArrayBufferView} data
 * @param {boolean} [isFortran]
 */
export function npy(descr, shape, data, isFortran = false) {
  return npyOf(npyHeader(descr, shape, isFortran), data);
}

/**
 * @param {string} descr
 * @param {readonly number[]} shape
 * @param {boolean} [isFortran]
 */
export function npyHeader(descr, shape, isFortran = false) {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  return `{'descr': '${descr}', 'fortran_order': ${isFortran ? 'True' : 'False'}, 'shape': ${tuple}, }`;
}

/**
 * @typedef {object} ZipItem
 * @property {string} name
 * @property {Buffer} data
 * @property {boolean} [deflated]
 * @property {Buffer} [packed]      what lies in the archive; data, or data deflated, if left out
 * @property {number | bigint} [size]    as the archive says it
 * @property {number} [checksum]    as the archive says it
 * @property {number} [method]
 * @property {number} [flags]
 * @property {boolean} [zip64]      sizes and offset in the fields for large ones, as numpy.savez writes them
 * @property {boolean} [described]  sizes and checksum behind the data, as streams are written
 * @property {number} [start]       of the local header, as the directory says it
 */

/**
 * @param {readonly ZipItem[]} items
 * @param {{ comment?: string, count?: number, zip64?: boolean, directoryStart?: number, directoryBytes?: number }} [options]
 */
export function zip(items, { comment = '', zip64 = false, ...lies } = {}) {
  /** @type {Buffer[]} */
  const parts = [];
  /** @type {Buffer[]} */
  const directory = [];
  let position = 0;
  const push = (/** @type {Buffer[]} */ ...buffers) => {
    parts.push(...buffers);
    position += buffers.reduce((sum, { length }) => sum + length, 0);
  };
  for (const item of items) {
    const start = position;
    const entry = fieldsOf(item);
    push(...localPart(item, entry));
    directory.push(centralPart(item, entry, item.start ?? start));
  }
  const directoryStart = lies.directoryStart ?? position;
  const all = Buffer.concat(directory);
  const directoryBytes = lies.directoryBytes ?? all.length;
  push(all);
  const count = lies.count ?? items.length;
  if (zip64) push(...end64(count, directoryBytes, directoryStart, position));
  const [shortCount, shortBytes, shortStart] = zip64
    ? [0xffff, 0xffffffff, 0xffffffff]
    : [count, directoryBytes, directoryStart];
  push(
    u32(0x06054b50),
    u16(0, 0, shortCount, shortCount),
    u32(shortBytes, shortStart),
    u16(comment.length),
    Buffer.from(comment),
  );
  return Buffer.concat(parts);
}

/** @param {ZipItem} item */
function fieldsOf({ data, deflated = false, packed = deflated ? deflateRawSync(data) : data, ...item }) {
  return {
    packed,
    method: item.method ?? (deflated ? 8 : 0),
    flags: (item.flags ?? 0) | (item.described ? 8 : 0),
    checksum: item.checksum ?? crc32(data),
    size: BigInt(item.size ?? data.length),
  };
}

/**
 * @param {ZipItem} item
 * @param {ReturnType<typeof fieldsOf>} fields
 */
function localPart({ name, zip64, described }, { packed, method, flags, checksum, size }) {
  const sizes = described ? [0, 0] : zip64 ? [0xffffffff, 0xffffffff] : [packed.length, Number(size)];
  const extra =
    zip64 && !described ? Buffer.concat([u16(1, 16), u64(size, BigInt(packed.length))]) : Buffer.of();
  const descriptor = described
    ? Buffer.concat([u32(0x08074b50, checksum, packed.length, Number(size))])
    : Buffer.of();
  return [
    u32(0x04034b50),
    u16(zip64 ? 45 : 20, flags, method, 0, 0),
    u32(described ? 0 : checksum, ...sizes),
    u16(Buffer.byteLength(name), extra.length),
    Buffer.from(name),
    extra,
    packed,
    descriptor,
  ];
}

/**
 * @param {ZipItem} item
 * @param {ReturnType<typeof fieldsOf>} fields
 * @param {number} start
 */
function centralPart({ name, zip64 }, { packed, method, flags, checksum, size }, start) {
  // A field of another kind before the one that matters.
  const extra = zip64
    ? Buffer.concat([
        u16(0x5455, 1),
        Buffer.of(0),
        u16(1, 24),
        u64(size, BigInt(packed.length), BigInt(start)),
      ])
    : Buffer.of();
  const [shortPacked, shortSize, shortStart] = zip64
    ? [0xffffffff, 0xffffffff, 0xffffffff]
    : [packed.length, Number(size), start];
  return Buffer.concat([
    u32(0x02014b50),
    u16(20, zip64 ? 45 : 20, flags, method, 0, 0),
    u32(checksum, shortPacked, shortSize),
    u16(Buffer.byteLength(name), extra.length, 0, 0, 0),
    u32(0, shortStart),
    Buffer.from(name),
    extra,
  ]);
}

/**
 * @param {number} count
 * @param {number} bytes
 * @param {number} start
 * @param {number} position
 */
function end64(count, bytes, start, position) {
  return [
    u32(0x06064b50),
    u64(44n),
    u16(45, 45),
    u32(0, 0),
    u64(BigInt(count), BigInt(count), BigInt(bytes), BigInt(start)),
    u32(0x07064b50, 0),
    u64(BigInt(position)),
    u32(1),
  ];
}

/** @param {number[]} values */
function u16(...values) {
  return bytesOf(Uint16Array.from(values));
}
/** @param {number[]} values */
function u32(...values) {
  return bytesOf(Uint32Array.from(values));
}
/** @param {bigint[]} values */
function u64(...values) {
  return bytesOf(BigUint64Array.from(values));
}

/**
 * By the definition, bit by bit.
 * @param {Buffer} data
 */
export function crc32(data) {
  let rest = 0xffffffff;
  for (const byte of data) {
    rest ^= byte;
    for (let bit = 0; bit < 8; ++bit) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  }
  return ~rest >>> 0;
}
