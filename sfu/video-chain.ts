import { MAX_NEEDS } from "../codecs/frame-layout.ts";

/** What a unit that is about to be sent needs: a unit that was sent, nothing, or one that was left out. */
export type Need =
  | { readonly kind: "sent"; readonly sequence: number }
  | { readonly kind: "nothing" | "left-out" };

/**
 * What the units of one encoder need of each other: the newest unit of their own layer or a lower one. That holds for the modes L1T1, L1T2 and L1T3 of
 * WebRTC's scalable video coding, where none of a higher layer is ever referred to.
 */
export class UnitChain {
  /** By layer, the newest of it since the last key frame: when it came, and its number where it was sent. */
  #newest = new Map<number, { readonly order: number; readonly sequence: number | undefined }>();
  #order = 0;

  /** What a unit of that kind would need now. */
  needOf(unit: { readonly key: boolean; readonly layer: number }): Need {
    if (unit.key) return { kind: "nothing" };
    let newest: { readonly order: number; readonly sequence: number | undefined } | undefined;
    for (const [layer, one] of this.#newest)
      if (layer <= unit.layer && (newest === undefined || one.order > newest.order)) newest = one;
    return newest?.sequence === undefined
      ? { kind: "left-out" }
      : { kind: "sent", sequence: newest.sequence };
  }

  /** It was sent with that number. */
  sent(unit: { readonly key: boolean; readonly layer: number }, sequence: number): void {
    this.#note(unit, sequence);
  }

  /** It was left out: nothing that needs it can be decoded. */
  leftOut(unit: { readonly key: boolean; readonly layer: number }): void {
    this.#note(unit, undefined);
  }

  /** One that was sent did not arrive whole: of the lowest layer everything needs it. */
  lost({ layer, sequence }: { readonly layer: number; readonly sequence: number }): void {
    if (layer === 0) this.restart();
    const one = this.#newest.get(layer);
    if (one?.sequence === sequence) this.#newest.set(layer, { order: one.order, sequence: undefined });
  }

  /** Nothing can be decoded before the next key frame. */
  restart(): void {
    this.#newest.clear();
  }

  /** Whether a unit of the lowest layer could be decoded. */
  get isWhole(): boolean {
    return this.needOf({ key: false, layer: 0 }).kind === "sent";
  }

  #note(
    { key, layer }: { readonly key: boolean; readonly layer: number },
    sequence: number | undefined,
  ): void {
    if (key) this.#newest.clear();
    this.#newest.set(layer, { order: this.#order, sequence });
    this.#order += 1;
  }
}

/** How a frame says which one it needs: how many numbers before it, 0 where that cannot be said. */
export function distanceTo(need: Need, sequence: number): number {
  const distance = need.kind === "sent" ? sequence - need.sequence : 0;
  return distance > MAX_NEEDS ? 0 : distance;
}
