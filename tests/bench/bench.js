// tests/bench/bench.js: `npm run bench`. Installs the peers, measures case by case, prints the tables and
// writes the figures as JSON. The way of a figure:
//
//   cases.js, peers.js -> measure.js (child.js) -> targets.js, report.js -> table.js
//
// and in the process of each contender: contender_process.js -> serve.js, task.js, peers.js. Loops, data,
// statistics and the reference are those of the demo page, in web/demo/measure/.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { makeCases, roundsFactor } from './cases.js';
import { measureCommand } from './command.js';
import { measureFirstCall } from './first_call.js';
import { installPeers } from './install.js';
import { measureCase } from './measure.js';
import { HELP, parseOptions } from './options.js';
import { makeContenders } from './peers.js';
import { caseTable, commandTable, firstCallTable, legend, summaryTables, targetTable } from './report.js';
import { Progress } from './table.js';
import { judge } from './targets.js';

/** @typedef {import('./options.js').Options} Options */

const FIRST_CALL = 'first call';
const COMMAND = 'command';
const DEMO_PAGE = 'demo page';

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(HELP);
  else process.exitCode = await main(options);
} catch (error) {
  console.error(`bench: ${/** @type {Error} */ (error).message.split('\n')[0]}`);
  process.exitCode = 1;
}

/**
 * @param {Options} options
 * @returns {Promise<number>} the exit code
 */
async function main(options) {
  const { cases, firstCall: wantsFirstCall, command: wantsCommand, page: wantsPage } = selectCases(options);
  const libraryUrl = findLibrary(options.library);
  const progress = new Progress(process.stderr);
  installPeers((text) => console.error(text));
  const { against } = options;
  const contenders = makeContenders(libraryUrl, against === undefined ? against : findLibrary(against));
  const machine = describeMachine();
  console.log(`${machine.processor}, ${machine.cores} cores, Node.js ${machine.node}, ${machine.date}\n`);
  console.log(`${legend(contenders, options.markdown)}\n`);

  const results = await measureCases(cases, contenders, options, progress);
  const firstCall = wantsFirstCall ? await runFirstCall(libraryUrl, options, progress) : undefined;
  const command = wantsCommand ? await runCommand(libraryUrl, options, progress) : undefined;
  const pages = wantsPage ? await runPage(options, progress) : [];
  const verdicts = judge(results, firstCall, options.quick, pages, command);
  if (results.length > 0) console.log(`${summaryTables(results, options.markdown)}\n`);
  console.log(targetTable(verdicts, options.markdown));
  writeJson(options.json, {
    machine,
    peers: peerVersions(),
    cases: results,
    firstCall,
    command,
    pages,
    verdicts,
  });
  console.error(`\nwrote ${options.json}`);
  return options.check && verdicts.some(({ mark }) => mark === 'MISS' || mark === 'not measured') ? 1 : 0;
}

/**
 * @param {Options} options
 */
function selectCases({ quick, filters }) {
  const all = makeCases(quick);
  const names = [...all.map(({ name }) => name), FIRST_CALL, COMMAND, DEMO_PAGE];
  const chosen = new Set(
    filters.length === 0 ? names : filters.flatMap((filter) => matchNames(names, filter)),
  );
  const cases = all.filter(({ name }) => chosen.has(name));
  const [firstCall, command, page] = [FIRST_CALL, COMMAND, DEMO_PAGE].map((name) => chosen.has(name));
  return { cases, firstCall, command, page };
}

/**
 * @param {string[]} names
 * @param {string} filter a whole name, or else a part of names; upper and lower case are alike
 * @returns {string[]}
 * @throws {Error} if no name matches
 */
function matchNames(names, filter) {
  const wanted = filter.toLowerCase();
  const whole = names.filter((name) => name.toLowerCase() === wanted);
  const matches = whole.length > 0 ? whole : names.filter((name) => name.toLowerCase().includes(wanted));
  if (matches.length === 0) throw new Error(`no case matches '${filter}'; there are: ${names.join(', ')}`);
  return matches;
}

/**
 * @param {string | undefined} path
 * @returns {string} the URL of the build to measure
 * @throws {Error} if it is not there
 */
function findLibrary(path) {
  const file = path === undefined ? ownBuild() : resolve(path);
  if (!existsSync(file)) throw new Error(`${file} does not exist`);
  return pathToFileURL(file).href;
}

/**
 * By way of the root's package.json, as a user's import goes: tests/bench has a package.json of its own, so
 * that a plain `import 'gradnorm'` is not resolved from here.
 * @returns {string}
 */
function ownBuild() {
  try {
    return createRequire(new URL('../../package.json', import.meta.url)).resolve('gradnorm');
  } catch {
    throw new Error('gradnorm is not built; run: npm run build');
  }
}

/**
 * @param {import('./cases.js').BenchCase[]} cases
 * @param {import('./peers.js').Contender[]} contenders
 * @param {Options} options
 * @param {Progress} progress
 */
async function measureCases(cases, contenders, options, progress) {
  const results = [];
  for (const [index, benchCase] of cases.entries()) {
    progress.begin(`[${index + 1}/${cases.length}] ${benchCase.name}`);
    const settings = makeSettings(options, benchCase);
    const result = await measureCase(benchCase, contenders, settings, (text) => progress.update(text));
    progress.clear();
    console.log(`${caseTable(result, options.markdown)}\n`);
    results.push(result);
  }
  return results;
}

/**
 * @param {Options} options
 * @param {import('./cases.js').BenchCase} benchCase
 * @returns {import('./measure.js').Settings}
 */
function makeSettings({ quick, rounds, all }, benchCase) {
  const times = quick
    ? { budget: 100, compileTime: 30, warmUpTime: 30, sampleTime: 1 }
    : { budget: 3000, compileTime: 100, warmUpTime: 200, sampleTime: 4 };
  return { ...times, rounds: rounds * roundsFactor(benchCase), leastRounds: 3, everybody: all };
}

/**
 * @param {string} libraryUrl
 * @param {Options} options
 * @param {Progress} progress
 */
async function runFirstCall(libraryUrl, { rounds, markdown }, progress) {
  progress.begin(FIRST_CALL);
  const firstCall = await measureFirstCall(libraryUrl, rounds, (text) => progress.update(text));
  progress.clear();
  console.log(`${firstCallTable(firstCall, markdown)}\n`);
  return firstCall;
}

/**
 * @param {string} libraryUrl
 * @param {Options} options
 * @param {Progress} progress
 */
async function runCommand(libraryUrl, options, progress) {
  progress.begin(COMMAND);
  const command = await measureCommand(libraryUrl, options, (text) => progress.update(text));
  progress.clear();
  console.log(`${commandTable(command, options.markdown)}\n`);
  return command;
}

/**
 * @param {Options} options
 * @param {Progress} progress
 * @returns {Promise<import('./page.js').PageResult[]>}
 */
async function runPage({ quick }, progress) {
  progress.begin(DEMO_PAGE);
  // Who measures something else does not wait for what drives browsers.
  const { measurePage } = await import('./page.js');
  const { results, missing } = await measurePage(quick, (text) => progress.update(text));
  progress.clear();
  for (const name of missing) console.log(`${DEMO_PAGE}: not measured in ${name}, which is not installed\n`);
  for (const result of results) {
    if ('reason' in result) console.log(`${DEMO_PAGE}, ${result.browser}: ${result.reason}\n`);
  }
  return results;
}

function describeMachine() {
  return {
    processor: cpus()[0]?.model.trim() ?? process.arch,
    cores: availableParallelism(),
    memoryGigabytes: Math.round(totalmem() / 1e9),
    loadAverage: loadavg()[0],
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** @returns {Record<string, string>} */
function peerVersions() {
  return JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')).dependencies;
}

/**
 * @param {string} path
 * @param {object} content
 */
function writeJson(path, content) {
  mkdirSync(dirname(resolve(path)), { recursive: true });
  writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`);
}
