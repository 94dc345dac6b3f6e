// web/cli/words.js: the command's own error, and names out of files, which may hold anything, made fit for one line.
import { describe } from '../words/errors.js';

/** What the user can mend: it is told in one line, without a stack. */
export class InputError extends Error {}

const LONGEST = 100;

/**
 * A name without characters that move the cursor, end the line or turn the direction of writing, and not longer than a line.
 * @param {string} name
 */
export function printable(name) {
  const short = name.length <= LONGEST ? name : `${name.slice(0, LONGEST - 1)}…`;
  return short.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${Number(character.codePointAt(0)).toString(16)}}`,
  );
}

/**
 * A value out of JSON, in which only what is flat may be written out: nothing can be said of how deep a file nests it.
 * @param {unknown} value
 */
export function inWords(value) {
  if (value === undefined) return 'missing';
  const isFlat = [value].flat().every((item) => Object(item) !== item);
  return isFlat ? printable(JSON.stringify(value)) : describe(value);
}
