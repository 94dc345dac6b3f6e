// tests/bench/fresh_process.js: run by first_call.js in a process of its own. Imports the module named on the
// command line, calls its gradNorm once on a small gradient, and prints the milliseconds and the norm.

const [moduleUrl] = process.argv.slice(2);
const gradient = new Float32Array(1000).fill(0.5);

const start = performance.now();
const library = await import(moduleUrl);
// The empty module that the time is compared with has no gradNorm.
const norm = library.gradNorm?.([gradient]) ?? null;
const milliseconds = performance.now() - start;

console.log(JSON.stringify({ milliseconds, norm }));
