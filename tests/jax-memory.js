// tests/jax-memory.js: what jax-js holds and does not show: its memory, and the kernels that it compiles. Imported before it.

/** @type {WebAssembly.Memory[]} */
const memories = [];
let modules = 0;

const { Memory, Module } = WebAssembly;

WebAssembly.Memory = class extends Memory {
  constructor(/** @type {WebAssembly.MemoryDescriptor} */ descriptor) {
    super(descriptor);
    memories.push(this);
  }
};

WebAssembly.Module = class extends Module {
  constructor(/** @type {BufferSource} */ bytes) {
    super(bytes);
    modules += 1;
  }
};

/** Of all memories that were made since. */
export const bytesHeld = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);

/** How many modules were compiled at once since. */
export const modulesCompiled = () => modules;
