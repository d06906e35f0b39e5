import { unixMsToNtp } from "../codecs/ntp.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import {
  encodeReceipt,
  MAX_RECEIPT_RANGES,
  type PlayedPosition,
  type ReceiptTotals,
  receiptDigest,
} from "../codecs/receipt.ts";
import type { Signer } from "../codecs/signer.ts";
import { SequenceRanges } from "./sequence-ranges.ts";

/** A listener says what it received and heard this often, milliseconds. */
export const RECEIPT_INTERVAL = 10_000;
/** Ranges of either kind that make a receipt due before: where much is lost, it stays small, since the way may be thin. */
const DUE_RANGES = 24;

export interface ReceiptTrackerOptions {
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  readonly listenerLeg: number;
  readonly speakerLeg: number;
  readonly stream: number;
  /** Generation of the listener's media key that `signer` holds. */
  readonly keyGeneration: number;
  readonly signer: Signer;
  /** Monotonic milliseconds when listening began. */
  readonly start: number;
  /** Where a chain that an earlier process began goes on: index of the next receipt, digest of the one before. */
  readonly after?: { readonly index: number; readonly previous: Uint8Array };
  /** A receipt is due, whatever the time, once this much was received since the last one. Default: time alone. */
  readonly atLatest?: { readonly messages: number; readonly bytes: number };
}

/**
 * The listener's side of the receipts for one stream it hears: notes what arrived and what was played and signs it every
 * {@link RECEIPT_INTERVAL}, sooner when there are many ranges. Returned receipts are whole items for the stream's
 * receipt flow, to be sent in order. Ranges beyond the cap of `SequenceRanges` are left out; the totals still count them.
 */
export class ReceiptTracker {
  readonly #options: ReceiptTrackerOptions;
  readonly #received = new SequenceRanges();
  readonly #heard = new SequenceRanges();
  readonly #totals = { received: 0, heard: 0, concealed: 0, late: 0, refused: 0 };
  #played: PlayedPosition | undefined;
  #due: number;
  /** Since the last receipt. */
  readonly #unstated = { messages: 0, bytes: 0 };
  #index = 0;
  #previous: Uint8Array = new Uint8Array(32);
  #finished = false;

  constructor(options: ReceiptTrackerOptions) {
    this.#options = options;
    this.#due = options.start + RECEIPT_INTERVAL;
    this.#index = options.after?.index ?? 0;
    this.#previous = options.after?.previous ?? this.#previous;
  }

  /** A frame of so many bytes arrived and verified. Call once per frame. */
  received(sequence: number, bytes = 0): void {
    this.#totals.received++;
    this.#unstated.messages++;
    this.#unstated.bytes += bytes;
    this.#received.add(sequence);
  }

  /** A frame was played. Call once per frame. */
  heard(sequence: number): void {
    this.#totals.heard++;
    this.#heard.add(sequence);
  }

  /** A frame time was concealed. */
  concealed(): void {
    this.#totals.concealed++;
  }

  /** A frame came too late to be played. */
  late(): void {
    this.#totals.late++;
  }

  /** A frame did not verify. */
  refused(): void {
    this.#totals.refused++;
  }

  /** How far the stream was played: stated in every receipt from now on. `time` in Unix milliseconds. */
  playedTo(position: Omit<PlayedPosition, "time"> & { readonly time: number }): void {
    this.#played = { ...position, time: unixMsToNtp(position.time) };
  }

  /** A receipt right now; `undefined` once the final one was made. The next one is due {@link RECEIPT_INTERVAL} later. */
  state(now: number, wall: number): Uint8Array | undefined {
    if (this.#finished) return undefined;
    this.#due = now + RECEIPT_INTERVAL;
    return this.#emit(wall, false);
  }

  totals(): ReceiptTotals {
    return { ...this.#totals };
  }

  /** The next receipt if one is due at monotonic `now`; `wall` is Unix milliseconds. Call until `undefined`. */
  poll(now: number, wall: number): Uint8Array | undefined {
    if (this.#finished) return undefined;
    if (now >= this.#due) return this.state(now, wall);
    return this.#full() ? this.#emit(wall, false) : undefined;
  }

  /** When `poll` has one next; `undefined` after `finish`. */
  nextTimeout(): number | undefined {
    return this.#finished ? undefined : this.#due;
  }

  /** All that is left to say, the last receipt marked final. Throws `closed` the second time. */
  finish(wall: number): Uint8Array[] {
    if (this.#finished) throw new ParleyError({ code: "closed", message: "the final receipt was made" });
    this.#finished = true;
    const receipts: Uint8Array[] = [];
    while (this.#hasRanges(MAX_RECEIPT_RANGES)) receipts.push(this.#emit(wall, false));
    receipts.push(this.#emit(wall, true));
    return receipts;
  }

  #full(): boolean {
    const { atLatest } = this.#options;
    const { messages, bytes } = this.#unstated;
    const isMuch = atLatest !== undefined && (messages >= atLatest.messages || bytes >= atLatest.bytes);
    return isMuch || this.#hasRanges(DUE_RANGES);
  }

  #hasRanges(more: number): boolean {
    return this.#received.size > more || this.#heard.size > more;
  }

  #emit(wall: number, final: boolean): Uint8Array {
    const { sessionDigest, listenerLeg, speakerLeg, stream, keyGeneration, signer } = this.#options;
    const bytes = encodeReceipt(
      {
        sessionDigest,
        listenerLeg,
        speakerLeg,
        stream,
        keyGeneration,
        final,
        index: this.#index,
        previous: this.#previous,
        time: unixMsToNtp(wall),
        totals: this.#totals,
        played: this.#played,
        received: this.#received.take(MAX_RECEIPT_RANGES),
        heard: this.#heard.take(MAX_RECEIPT_RANGES),
      },
      signer,
    );
    this.#unstated.messages = 0;
    this.#unstated.bytes = 0;
    this.#index++;
    this.#previous = receiptDigest(bytes);
    return bytes;
  }
}
