/** Messages, and bytes of their packets, kept until it is known that the server has them. The oldest goes, and was lost if it was. */
const KEPT_MESSAGES = 1_024;
const KEPT_BYTES = 1_048_576;

/** A message that was signed and may have to go again. */
export interface KeptMessage {
  readonly sequence: number;
  readonly packet: Uint8Array;
  readonly payload: Uint8Array;
  /** When it was signed, monotonic milliseconds. */
  readonly at: number;
}

/** What a speaker of data keeps of its last messages: a connection may take the end of a stream with it. */
export class KeptMessages {
  #kept: KeptMessage[] = [];
  #bytes = 0;

  add(message: KeptMessage): void {
    this.#kept.push(message);
    this.#bytes += message.packet.length;
    while (this.#kept.length > KEPT_MESSAGES || this.#bytes > KEPT_BYTES) {
      this.#bytes -= this.#kept.shift()?.packet.length ?? 0;
    }
  }

  /** Those from `sequence` on, in order; the ones before it have arrived and are let go. */
  from(sequence: number): readonly KeptMessage[] {
    const left = this.#kept.filter((message) => message.sequence >= sequence);
    this.clear();
    for (const message of left) this.add(message);
    return left;
  }

  clear(): void {
    this.#kept = [];
    this.#bytes = 0;
  }
}
