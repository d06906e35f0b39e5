import type { FrameFate } from "@parley-rt/parley/agent";

/** Flips one bit in the next packet after it was signed: in one that leaves. */
export class Tampering {
  #isDue = false;
  /** The low 16 bits of the number of the frame that was altered, until it is known whether that left. */
  #altered: number | undefined;

  ask(): void {
    this.#isDue = true;
  }

  /** A signed packet is to go. Returns whether it was altered. */
  alter(packet: Uint8Array): boolean {
    if (!this.#isDue) return false;
    this.#isDue = false;
    // The sequence number of the RTP header (RFC 3550, section 5.1).
    this.#altered = ((packet[2] as number) << 8) | (packet[3] as number);
    const last = packet.length - 1;
    packet[last] = (packet[last] as number) ^ 1;
    return true;
  }

  /** What became of a frame of this page. Where the way took no more in time nobody saw what was altered: the next one is. */
  sent({ sequence, fate }: Pick<FrameFate, "sequence" | "fate">): void {
    if (sequence === undefined || sequence % 2 ** 16 !== this.#altered) return;
    this.#altered = undefined;
    if (fate === "unsent") this.#isDue = true;
  }
}
