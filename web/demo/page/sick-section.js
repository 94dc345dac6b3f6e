// web/demo/page/sick-section.js: the section "Who is sick?": a poisoned gradient, and what the library says and does.
import { formatCount, formatNumber, formatShare } from '../terminal.js';
import { barCell, byId, create, numberCell, rowHead, setText } from './dom.js';

/** @typedef {import('./patient.js').Diagnosis} Diagnosis */
/** @typedef {import('./patient.js').Outcome} Outcome */

export class SickSection {
  #worker;

  /** @param {Worker} worker of training-worker.js */
  constructor(worker) {
    this.#worker = worker;
    worker.addEventListener('message', ({ data }) => {
      if (data.type === 'diagnosis') show(data.diagnosis);
    });
    const buttons = { 'poison-nan': NaN, 'poison-infinity': Infinity, heal: null };
    for (const [id, value] of Object.entries(buttons)) {
      byId(id, HTMLButtonElement).addEventListener('click', () => this.#examine(value));
    }
    this.#examine(null);
  }

  /** @param {number | null} value to put in; null: healthy gradients */
  #examine(value) {
    this.#worker.postMessage({ type: 'examine', value });
  }
}

/** @param {Diagnosis} diagnosis */
function show(diagnosis) {
  const element = byId('diagnosis', HTMLElement);
  element.classList.toggle('is-sick', diagnosis.firstNonfinite !== null);
  setText(element, diagnosisText(diagnosis));
  const largest = Math.max(...diagnosis.tensors.map(({ norm }) => norm).filter(Number.isFinite));
  byId('tensors', HTMLElement).replaceChildren(
    ...diagnosis.tensors.map((tensor) => tensorRow(tensor, largest)),
  );
  byId('policies', HTMLElement).replaceChildren(...diagnosis.outcomes.map(policyRow));
}

/** @param {Diagnosis} diagnosis */
function diagnosisText({ poison, norm, elements, tensors, firstNonfinite }) {
  const whole = `norm ${formatNumber(norm)} of ${formatCount(elements)} elements in ${tensors.length} tensors`;
  if (poison === null || firstNonfinite === null) return `Healthy: ${whole}. Every element is finite.`;
  const { tensor, index, value } = firstNonfinite;
  return (
    `You poisoned ${poison.tensor}[${formatCount(poison.index)}]. gradReport: ${whole}; ` +
    `the sick one is ${tensor}, first at index ${formatCount(index)}, value ${value}.`
  );
}

/**
 * @param {import('gradnorm').TensorReport} tensor
 * @param {number} largest
 */
function tensorRow({ name, elements, norm, share, nan, inf }, largest) {
  const isSick = nan + inf > 0;
  const row = create(
    'tr',
    { className: isSick ? 'is-sick' : '' },
    rowHead(name),
    numberCell(formatCount(elements)),
    barCell(norm / largest, formatNumber(norm)),
    barCell(share, Number.isFinite(share) ? formatShare(share) : String(share)),
    numberCell(String(nan)),
    numberCell(String(inf)),
  );
  return row;
}

/** @param {Outcome} outcome */
function policyRow(outcome) {
  const { policy, isApplied, loss } = outcome;
  const row = create(
    'tr',
    {},
    rowHead(`'${policy}'`),
    create('td', { text: gradientsText(outcome.gradients) }),
    create('td', { text: isApplied ? 'is made' : 'you leave it out' }),
    numberCell(loss.toFixed(3)),
    create('td', { text: callText(outcome) }),
  );
  row.classList.toggle('is-sick', !Number.isFinite(loss));
  return row;
}

/** @param {Outcome} outcome */
function callText({ returned, message }) {
  return returned === null ? `throws GradientError: ${message}` : `returns ${formatNumber(returned)}`;
}

/** @param {Outcome['gradients']} gradients */
function gradientsText({ nan, inf, zeros, elements }) {
  const parts = [
    ...(nan > 0 ? [`${nan === elements ? 'all' : formatCount(nan)} NaN`] : []),
    ...(inf > 0 ? [`${formatCount(inf)} infinite`] : []),
    ...(zeros > 0 && zeros + nan === elements
      ? [`${zeros === elements ? 'all' : formatCount(zeros)} zero`]
      : []),
  ];
  const rest = nan + inf === 0 && zeros < elements ? ['all finite'] : [];
  return [...parts, ...rest].join(', ');
}
