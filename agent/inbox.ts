import type { JsonObject } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import type { ControlChannel } from "./control.ts";

/** Missing this long, ms, a heartbeat says that the inbox is dead: the server sends one every 20 s. */
const INBOX_SILENCE_MS = 45_000;
/** Events between two acknowledgements. */
const ACK_EVERY = 16;

/** Events that agents sent: servers keep few of them, so these are acknowledged after this long at the latest, ms. */
const NOTICES = new Set(["notification", "confirmation"]);
const NOTICE_ACK_MS = 1_000;

/** One event the server put into the agent's inbox. */
export interface InboxEvent {
  readonly event: string;
  readonly fields: JsonObject;
}

/** How much of its inbox an agent has seen, over all its connections. */
export interface InboxCursor {
  /** The newest event delivered; 0 before the first. */
  seen: number;
}

/**
 * One inbox of the agent: what the server has to tell it, in order, each event once. Delivery is at least once, so events at or
 * below the cursor are dropped here.
 */
export class Inbox {
  readonly #control: Pick<ControlChannel, "series" | "request">;
  readonly #clock: Clock;
  readonly #path: string;
  readonly #name: string;
  readonly #parameters: JsonObject;
  readonly #cursor: InboxCursor;
  #acknowledged: number;
  #cancelLater: (() => void) | undefined;

  /** `parameters` accompany SUBSCRIBE: Genesis and identity document, for servers that register on first proof. */
  constructor(
    control: Pick<ControlChannel, "series" | "request">,
    clock: Clock,
    { agentId, name }: { readonly agentId: string; readonly name: string },
    cursor: InboxCursor,
    parameters: JsonObject,
  ) {
    this.#control = control;
    this.#clock = clock;
    this.#path = `/agents/${agentId}/inbox`;
    this.#name = name;
    this.#cursor = cursor;
    // Subscribing after it acknowledges it.
    this.#acknowledged = cursor.seen;
    this.#parameters = parameters;
  }

  /**
   * Subscribes and delivers events until the server ends the series or the connection goes. Resolves with `ready` called
   * once the subscription stands. Rejects with the refusal.
   */
  async run(ready: () => void, deliver: (event: InboxEvent) => void): Promise<void> {
    const series = this.#control.series({
      method: "SUBSCRIBE",
      path: this.#path,
      parameters: { ...this.#parameters, inbox: this.#name, after: this.#cursor.seen },
      prove: true,
      timeout: INBOX_SILENCE_MS,
    });
    try {
      for await (const { result } of series) this.#take(result, ready, deliver);
    } finally {
      // Subscribing again acknowledges.
      this.#cancelLater?.();
    }
  }

  #take(result: JsonObject, ready: () => void, deliver: (event: InboxEvent) => void): void {
    const event = result.event;
    const sequence = result.inbox_seq;
    if (event === "subscribed") {
      ready();
    } else if (typeof event === "string" && typeof sequence === "number") {
      if (sequence <= this.#cursor.seen) return;
      this.#cursor.seen = sequence;
      deliver({ event, fields: result });
      if (sequence - this.#acknowledged >= ACK_EVERY) this.#acknowledge();
      else if (NOTICES.has(event)) this.#acknowledgeLater();
    } else if (typeof event === "string" && event !== "heartbeat") {
      deliver({ event, fields: result });
    }
  }

  #acknowledgeLater(): void {
    this.#cancelLater ??= this.#clock.at(this.#clock.now() + NOTICE_ACK_MS, () => this.#acknowledge());
  }

  #acknowledge(): void {
    this.#cancelLater?.();
    this.#cancelLater = undefined;
    const cursor = this.#cursor.seen;
    this.#acknowledged = cursor;
    this.#control
      .request({
        method: "NOTIFY",
        path: this.#path,
        parameters: { content: { event: "ack", inbox_seq: cursor }, inbox: this.#name },
      })
      .catch(() => {
        // A lost acknowledgement costs a repeated delivery, which the cursor drops.
        this.#acknowledged = Math.min(this.#acknowledged, cursor - ACK_EVERY);
      });
  }
}
