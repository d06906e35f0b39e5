/**
 * Something that tabs of this browser say of themselves, for the others to see. It is a shared Web Lock, so it is taken back when
 * the tab closes, however it does.
 */
export class TabSign {
  readonly #name: string;
  #putAway: (() => void) | undefined;
  #isSeen = false;
  /** Resolves when nobody sees it any more. */
  #gone: Promise<void> = Promise.resolve();

  constructor(what: string) {
    this.#name = `parley ${what}`;
  }

  /** Shows it from now on, or no longer, which the others see once the promise resolves. Idempotent. */
  async show(isShown: boolean): Promise<void> {
    if (isShown) {
      if (this.#putAway === undefined) this.#hold();
      return;
    }
    this.#putAway?.();
    this.#putAway = undefined;
    await this.#gone;
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
    this.#gone = navigator.locks.request(this.#name, { mode: "shared" }, async () => {
      this.#isSeen = true;
      await putAway;
      this.#isSeen = false;
    });
  }
}
