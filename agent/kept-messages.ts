import { DATA_WINDOW } from "../signaling/data-stream.ts";

/** A message that was signed and may have to go again. */
export interface KeptMessage {
  readonly sequence: number;
  readonly packet: Uint8Array;
  readonly payload: Uint8Array;
  /** When it was signed, monotonic milliseconds. */
  readonly at: number;
}

/** What a speaker of data keeps of its messages until the listener is known to have them: connections, and servers, may take them along. */
export class KeptMessages {
  #kept: KeptMessage[] = [];
  #bytes = 0;
  #dropped = 0;
  #change = Promise.withResolvers<void>();

  /** Whether another one of so many bytes can be kept beside those that are. */
  hasRoom(bytes: number): boolean {
    return this.#kept.length < DATA_WINDOW.messages && this.#bytes + bytes <= DATA_WINDOW.bytes;
  }

  /** Messages that there was no room for any more. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Resolves when the listener is next known to have some of them. */
  get change(): Promise<void> {
    return this.#change.promise;
  }

  /** Where there is no room the oldest go, and are lost if they were. */
  add(message: KeptMessage): void {
    this.#kept.push(message);
    this.#bytes += message.packet.length;
    while (this.#kept.length > DATA_WINDOW.messages || this.#bytes > DATA_WINDOW.bytes) {
      this.#bytes -= this.#kept.shift()?.packet.length ?? 0;
      this.#dropped += 1;
    }
  }

  /** The listener has those before `sequence`. */
  letGo(sequence: number): void {
    const first = this.#kept[0]?.sequence;
    if (first === undefined || first >= sequence) return;
    this.#keep(this.#kept.filter((message) => message.sequence >= sequence));
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }

  /** Those from `sequence` on, in order. */
  from(sequence: number): readonly KeptMessage[] {
    return this.#kept.filter((message) => message.sequence >= sequence);
  }

  /** Those from `sequence` on, which are not kept any more. */
  take(sequence: number): readonly KeptMessage[] {
    const taken = this.from(sequence);
    this.#keep(this.#kept.filter((message) => message.sequence < sequence));
    return taken;
  }

  #keep(messages: KeptMessage[]): void {
    this.#kept = messages;
    this.#bytes = messages.reduce((sum, { packet }) => sum + packet.length, 0);
  }
}
