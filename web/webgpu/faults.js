// web/webgpu/faults.js: what went wrong with the steps of a plan, kept until somebody is told. WebGPU tells of it later, and a step
// returns before. Pure.

/** @typedef {Promise<Error | null>} Verdict   what was wrong with a step; never rejects */

/** What nobody asked for reaches the console when it becomes known, and then whoever calls the plan next. */
export class Faults {
  /** Steps that nobody asked for and of which nothing is known yet. @type {Set<Verdict>} */
  #open = new Set();
  /** The first that went wrong and was not thrown yet. @type {{ verdict: Verdict, error: Error } | null} */
  #known = null;

  /** @param {Verdict} verdict */
  add(verdict) {
    this.#open.add(verdict);
    verdict.then((error) => {
      const isUnclaimed = this.#open.delete(verdict);
      if (!isUnclaimed || error === null || this.#known !== null) return;
      this.#known = { verdict, error };
      console.error(error);
    });
  }

  /**
   * Somebody asks for this step, and is told by it.
   * @param {Verdict} verdict
   */
  claim(verdict) {
    this.#open.delete(verdict);
    if (this.#known?.verdict === verdict) this.#known = null;
  }

  /**
   * Somebody reads, and is told of everything before.
   * @returns {Promise<Error | null>}  the first fault
   */
  async claimAll() {
    const known = this.#take();
    const open = [...this.#open];
    this.#open.clear();
    const found = await Promise.all(open);
    return known ?? found.find((error) => error !== null) ?? null;
  }

  /**
   * For those who write at once and cannot wait. The steps before are told by what is thrown, too: what was wrong with one
   * mostly was with all.
   * @throws {Error} what is known and was not thrown yet
   */
  throwKnown() {
    const known = this.#take();
    if (known === null) return;
    this.#open.clear();
    throw known;
  }

  /** @returns {Error | null} */
  #take() {
    const error = this.#known?.error ?? null;
    this.#known = null;
    return error;
  }
}
