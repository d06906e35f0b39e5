/** Units remembered as lost; the oldest is forgotten: nothing needs it any more. */
const MAX_REMEMBERED = 512;

/** What says on which unit another one builds. */
export interface UnitPlace {
  /** 48 bits. */
  readonly sequence: number;
  readonly key: boolean;
  /** How many before it the newest unit is that it needs; 0: the one before it, as far as anybody knows. */
  readonly needs: number;
}

/** Which units of a stream did not go on to a listener: what needs one of them need not go either. */
export class LostUnits {
  readonly #lost = new Set<number>();

  add({ sequence }: Pick<UnitPlace, "sequence">): void {
    this.#lost.add(sequence);
    const [oldest] = this.#lost;
    if (this.#lost.size > MAX_REMEMBERED && oldest !== undefined) this.#lost.delete(oldest);
  }

  /** Whether something that it needs is lost, directly: what is lost for that reason has to be added, too. */
  isNeededBy({ sequence, key, needs }: UnitPlace): boolean {
    return !key && this.#lost.has(sequence - (needs === 0 ? 1 : needs));
  }

  get size(): number {
    return this.#lost.size;
  }
}
