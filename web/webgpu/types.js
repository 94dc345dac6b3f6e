// web/webgpu/types.js: WebGPU's own types, of whatever library the user's TypeScript knows them from, and any where
// it knows none, so that the declarations compile everywhere. Types only.

/** @typedef {typeof globalThis extends { GPUBuffer: { prototype: infer T } } ? T : any} GpuBuffer */
/** @typedef {typeof globalThis extends { GPUDevice: { prototype: infer T } } ? T : any} GpuDevice */
/** @typedef {typeof globalThis extends { GPUCommandEncoder: { prototype: infer T } } ? T : any} GpuCommandEncoder */
/** @typedef {typeof globalThis extends { GPUComputePipeline: { prototype: infer T } } ? T : any} GpuComputePipeline */
/** @typedef {{ buffer: GpuBuffer, offset?: number, size?: number }} GpuBufferBinding */
/** @typedef {typeof globalThis extends { GPUBindGroup: { prototype: infer T } } ? T : any} GpuBindGroup */
/** @typedef {typeof globalThis extends { GPUBindGroupLayout: { prototype: infer T } } ? T : any} GpuBindGroupLayout */
/** @typedef {typeof globalThis extends { GPUComputePassEncoder: { prototype: infer T } } ? T : any} GpuComputePassEncoder */

export {};
