// tests/runtimes/law.js: the one program that runs everywhere, as text, and what it must say. Every runtime and bundler takes the
// same source; what they are given besides is how they start it.

/**
 * A module that exports `law`: what the verbs of an entry make of some gradients, as JSON.
 * @param {string} entry  such as 'gradnorm'
 */
export const lawOf = (entry) => `
import { allocGradients, clipGradNorm, GradMonitor, gradNorm, gradReport, init, NormAccumulator } from '${entry}';

export async function law() {
  await init();
  const gradients = { weight: Float32Array.of(3, 0), frozen: null, bias: [Float64Array.of(-4)] };
  const norms = [1, 2, 3, Infinity].map((p) => Number(gradNorm(gradients, p).toFixed(12)));
  const sum = new NormAccumulator().add(gradients.weight).merge(new NormAccumulator().add(gradients.bias)).norm;
  const resident = allocGradients({ weight: 2, frozen: null });
  resident.weight.set([6, 8]);
  const before = clipGradNorm(resident, new GradMonitor({ method: 'fixed', maxNorm: 5 }), { eps: 0 });
  const after = Array.from(resident.weight, (x) => Number(x.toFixed(5)));
  const { tensor, index } = gradReport({ good: Float32Array.of(1), bad: Float32Array.of(1, NaN) }).firstNonfinite;
  const { message } = await Promise.reject().catch(() => { try { gradNorm({ list: [1] }); } catch (error) { return error; } });
  return JSON.stringify({ norms, sum, before, after, tensor, index, message: message.split(';')[0] });
}
`;

/** What it gives. */
export const LAW = JSON.stringify({
  norms: [7, 5, 4.497941445275, 4],
  sum: 5,
  before: 10,
  after: [3, 4],
  tensor: 'bad',
  index: 1,
  message: 'gradients.list is an Array of numbers (wrap it: Float32Array.from(values))',
});

/** A program that prints it. */
export const printLaw = (/** @type {string} */ file) =>
  `import { law } from '${file}';\nconsole.log(await law());\n`;

/**
 * A page's program, and its worker's: the title of the page becomes what both say.
 * @param {string} [worker]  the expression that makes it
 */
export const pageOf = (
  worker = "new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })",
) => `
import { law } from './law.js';

const ofWorker = new Promise((resolve, reject) => {
  const worker = ${worker};
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error('the worker: ' + message));
});
Promise.all([law(), ofWorker])
  .then(([here, there]) => (document.title = here === there ? here : 'page: ' + here + ', worker: ' + there))
  .catch((error) => (document.title = 'failed: ' + error.message));
`;

export const WORKER = `
import { law } from './law.js';
law().then(postMessage, (error) => postMessage('failed: ' + error.message));
`;

/** The page. */
export const HTML = (/** @type {string} */ script) => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>waiting</title><link rel="icon" href="data:,"></head>
<body><script type="module" src="${script}"></script></body>
</html>
`;
