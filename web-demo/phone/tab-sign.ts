/**
 * Something that tabs of this browser say of themselves, for the others to see. It is a shared Web Lock, so it is taken back when
 * the tab closes, however it does.
 */
export class TabSign {
  readonly #name: string;
  #putAway: (() => void) | undefined;
  #isSeen = false;

  constructor(what: string) {
    this.#name = `parley ${what}`;
  }

  /** Shows it from now on, or no longer. Idempotent. */
  show(isShown: boolean): void {
    if (!isShown) {
      this.#putAway?.();
      this.#putAway = undefined;
    } else if (this.#putAway === undefined) this.#hold();
  }

  /** Whether another tab shows it now. */
  async isShownElsewhere(): Promise<boolean> {
    const { held = [] } = await navigator.locks.query();
    const shown = held.filter(({ name }) => name === this.#name).length;
    return shown > (this.#isSeen ? 1 : 0);
  }

  #hold(): void {
    const { promise: putAway, resolve } = Promise.withResolvers<void>();
    this.#putAway = resolve;
    void navigator.locks.request(this.#name, { mode: "shared" }, async () => {
      this.#isSeen = true;
      await putAway;
      this.#isSeen = false;
    });
  }
}
