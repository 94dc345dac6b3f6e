// tests/docs-setting.js: what programs of docs/ have in Node.js beside Node.js: WebGPU, as in a browser.
import { requestAdapter } from './adapter.js';

const gpu = { requestAdapter };
Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
// Its constants and classes are globals once there was an adapter.
await requestAdapter();
