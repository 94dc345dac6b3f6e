// tests/bench/contender_process.js: what peers.js starts for each contender in JavaScript, with the URL of
// the build of gradnorm to measure, the contender's name and the milliseconds for compiling its loops.

import { makeScripted } from './peers.js';
import { serve } from './serve.js';

const [libraryUrl, name, compileTime] = process.argv.slice(2);
const contender = makeScripted(libraryUrl).find((candidate) => candidate.name === name);
if (!contender) throw new Error(`there is no contender '${name}'`);
await serve(contender.prepare, Number(compileTime));
