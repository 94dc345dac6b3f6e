// tests/tfjs.test.js: `gradnorm/tfjs` in Node.js, on the back ends cpu and wasm.
import { describeLaws } from './tfjs-laws.js';
import { loadTf } from './tfjs.js';

const tf = await loadTf();

for (const backend of ['cpu', 'wasm']) describeLaws(tf, backend, { steps: 1000 });
