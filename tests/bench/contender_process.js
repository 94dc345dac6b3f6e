// tests/bench/contender_process.js: what peers.js starts for contenders in JavaScript, with the URL of the build of
// gradnorm to measure, the milliseconds for compiling their loops, and the names of those that share the process.

import { makeScripted } from './peers.js';
import { serve } from './serve.js';

const [libraryUrl, compileTime, ...names] = process.argv.slice(2);
const scripted = makeScripted(libraryUrl);
const prepares = names.map((name) => {
  const contender = scripted.find((candidate) => candidate.name === name);
  if (!contender) throw new Error(`there is no contender '${name}'`);
  return contender.prepare;
});
await serve(prepares, Number(compileTime));
