// bindings/gradnorm.d.ts: what bindings.cpp exports, typed by hand; the build puts it beside the glue that
// Emscripten writes.

/** The functions and constants of bindings.cpp, as Emscripten adds them to the object given to createCore. */
export interface EmbindModule {
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  readonly interfaceVersion: number;
  readonly blockElements: number;
  readonly stagingAddress: number;
  readonly stagingBytes: number;
  readonly segmentTableAddress: number;
  readonly maxSegments: number;
  readonly stateAddress: number;
  readonly summaryAddress: number;
  begin(normType: number): void;
  accumulate(segmentCount: number): void;
  merge(): void;
  save(): void;
  finish(): number;
  inspect(dtype: number, count: number): void;
  summariseTensor(): void;
  summarise(): void;
  rewrite(dtype: number, count: number, factor: number, limit: number): void;
}

export interface CoreOptions {
  instantiateWasm(
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance) => void,
  ): WebAssembly.Exports;
}

/** Fills `module` in place; it is complete on return if instantiateWasm called `done` before returning. */
export default function createCore(module: CoreOptions): Promise<EmbindModule>;
