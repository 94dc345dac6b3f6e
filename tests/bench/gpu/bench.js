// tests/bench/gpu/bench.js: `npm run bench:gpu`. Measures shape by shape on the first GPU and prints the tables. bundle.js
// makes one file of it and of tfjs, which runs wherever there are Node.js and Dawn's binding. The way of a figure:
//
//   cases.js, contenders.js -> measure.js (clock.js) -> report.js -> table.js
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { describeAdapter } from '../../describe-adapter.js';
import { Progress } from '../table.js';
import { makeShapes } from './cases.js';
import { Clock } from './clock.js';
import { requestDevice } from './device.js';
import { measureShape } from './measure.js';
import { HELP, parseOptions } from './options.js';
import { judge, LEGEND, shapeTable, targetTable } from './report.js';

/**
 * @param {import('./contenders.js').Library} library
 * @param {{ tf: any, WebGPUBackend: any }} tensorflow
 */
export async function runProgram(library, tensorflow) {
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options.help) console.log(HELP);
    else process.exitCode = await main(options, library, tensorflow);
  } catch (error) {
    console.error(`bench:gpu: ${/** @type {Error} */ (error).message.split('\n')[0]}`);
    process.exitCode = 1;
  }
}

/**
 * @param {import('./options.js').Options} options
 * @param {import('./contenders.js').Library} library
 * @param {{ tf: any, WebGPUBackend: any }} tensorflow
 * @returns {Promise<number>}  the exit code
 */
async function main(options, library, { tf, WebGPUBackend }) {
  const { device, info, isSoftware } = await requestDevice(options.dawn);
  const clock = new Clock(device);
  const adapter = `${describeAdapter(info)}${isSoftware ? ' (software)' : ''}`;
  const head = [
    `adapter: ${adapter}`,
    `${process.platform} ${process.arch}, Node.js ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}; ` +
      `timestamps: ${clock.hasTimestamps ? 'yes' : 'no'}; tfjs ${tf.version_core}`,
  ];
  const { shapes, notes } = makeShapes(options, isSoftware);
  console.log(`${[...head, ...notes].join('\n')}\n\n${LEGEND}\n`);

  const backend = new WebGPUBackend(device, info);
  // Its kernels are registered for this name.
  tf.registerBackend('webgpu', () => backend);
  await tf.setBackend('webgpu');
  const progress = new Progress(process.stderr);
  const results = [];
  for (const [index, shape] of shapes.entries()) {
    progress.begin(`[${index + 1}/${shapes.length}] ${shape.name}`);
    const host = { device, library, peers: { tf, backend } };
    const result = await measureShape(shape, host, clock, options.rounds, (text) => progress.update(text));
    progress.clear();
    console.log(`${shapeTable(result, options.markdown)}\n`);
    results.push(result);
    // After each table: what is there when a run is cut off is kept.
    if (options.json !== undefined)
      writeJson(options.json, { adapter, results, verdicts: judge(results, isSoftware) });
  }
  const verdicts = judge(results, isSoftware);
  console.log(targetTable(verdicts, options.markdown));
  if (isSoftware) console.log('\nThis adapter is software: the targets are for GPUs and not judged.');
  if (options.json !== undefined) console.error(`wrote ${options.json}`);
  device.destroy();
  return options.check && verdicts.some(({ mark }) => mark === 'MISS' || mark === 'not measured') ? 1 : 0;
}

/**
 * @param {string} path
 * @param {object} figures
 */
function writeJson(path, figures) {
  mkdirSync(dirname(resolve(path)), { recursive: true });
  writeFileSync(path, `${JSON.stringify(figures, null, 2)}\n`);
}
