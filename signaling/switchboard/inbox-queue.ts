import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { NoticeSender } from "./notice-shares.ts";

/**
 * Unacknowledged events kept per inbox. Beyond it the oldest `frames_refused` goes first, since later ones repeat its
 * news; without one, the oldest event. Every drop is logged by reason.
 */
export const MAX_UNACKNOWLEDGED = 256;

/** How long an event waits for its acknowledgement, milliseconds. */
export const EVENT_LIFETIME = 24 * 3_600_000;

/** An event for an agent's inboxes; `event` names it, the rest goes out as it is. */
export interface InboxEvent {
  readonly event: string;
  readonly sessionId?: string;
  /** For the agent itself: inboxes of gateways that act for it are passed over. */
  readonly isOwn?: true;
  /** The agent that sent it, where one did: see `Inboxes.notify`. */
  readonly from?: NoticeSender;
  /** When it is no news any more, Unix milliseconds; at most {@link EVENT_LIFETIME} from now. */
  readonly expiresAt?: number;
  /** What must be said beside the trust in agents that it is about. */
  readonly warnings?: readonly string[];
  readonly fields: JsonObject;
}

/** An event as one inbox holds it. */
export interface KeptEvent extends InboxEvent {
  readonly seq: number;
  readonly at: number;
}

/** An event that an agent sent. */
export type KeptNotice = KeptEvent & { readonly from: NoticeSender };

/** What one inbox holds until it is acknowledged, in order. */
export class InboxQueue {
  /** By ascending `seq`. */
  #events: KeptEvent[] = [];
  #nextSeq: number;
  #cursor: number;

  constructor(now: number) {
    // Numbers start at the time in ms, so they go up across restarts and a client's cursor stays meaningful.
    this.#nextSeq = Math.floor(now);
    this.#cursor = this.#nextSeq - 1;
  }

  get events(): readonly KeptEvent[] {
    return this.#events;
  }

  get notices(): KeptNotice[] {
    return this.#events.filter(isNotice);
  }

  /** Everything up to here was acknowledged. */
  get cursor(): number {
    return this.#cursor;
  }

  /** When the first event is dropped though nobody dealt with it; `Infinity` without events. */
  get nextExpiry(): number {
    return Math.min(...this.#events.map(expiryOf), Number.POSITIVE_INFINITY);
  }

  /** What has to go before one more event fits. */
  get overflow(): KeptEvent | undefined {
    if (this.#events.length < MAX_UNACKNOWLEDGED) return undefined;
    return this.#events.find(({ event }) => event === "frames_refused") ?? this.#events[0];
  }

  add(event: InboxEvent, at: number): KeptEvent {
    const kept = { ...event, seq: this.#nextSeq++, at };
    this.#events.push(kept);
    return kept;
  }

  /** Forgets events up to and including `seq`. False when it was never sent that number. */
  acknowledge(seq: number): boolean {
    if (seq >= this.#nextSeq) return false;
    if (seq > this.#cursor) {
      this.#cursor = seq;
      this.keep((event) => event.seq > seq);
    }
    return true;
  }

  /** Drops what waited too long. Returns how many did. */
  expire(now: number): number {
    const before = this.#events.length;
    this.keep((event) => expiryOf(event) > now);
    return before - this.#events.length;
  }

  /** Keeps those events alone. */
  keep(isKept: (event: KeptEvent) => boolean): void {
    this.#events = this.#events.filter(isKept);
  }
}

function isNotice(event: KeptEvent): event is KeptNotice {
  return event.from !== undefined;
}

function expiryOf(event: KeptEvent): number {
  return Math.min(event.at + EVENT_LIFETIME, event.expiresAt ?? Number.POSITIVE_INFINITY);
}
