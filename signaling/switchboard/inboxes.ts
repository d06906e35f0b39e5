import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { HeaderField } from "../../codecs/headers.ts";
import type { ConnectionId } from "../admission.ts";
import { supportedMethods } from "../paths.ts";
import type { SessionLink } from "../record-chain.ts";
import { Fullest } from "./fullest.ts";
import { MAX_NOTICES, type NoticeSender, oldestOfMost, roomForNotice } from "./notice-shares.ts";
import type { Outputs } from "./outputs.ts";
import type { Exchange, Replies } from "./replies.ts";
import type { Timers } from "./timers.ts";

/**
 * Unacknowledged events kept per agent. Beyond it the oldest `frames_refused` goes first, since later ones repeat its
 * news; without one, the oldest event. Every drop is logged by reason.
 */
export const MAX_UNACKNOWLEDGED = 256;

/** Seconds between heartbeats on a quiet subscription. */
export const HEARTBEAT_SECONDS = 20;

/** How long an event waits for its acknowledgement, milliseconds. */
export const EVENT_LIFETIME = 24 * 3_600_000;

/** An event for one agent's inbox; `event` names it, the rest goes out as it is. */
export interface InboxEvent {
  readonly event: string;
  readonly sessionId?: string;
  /** The agent that sent it, where one did: see {@link Inboxes.makeRoom}. */
  readonly from?: NoticeSender;
  /** When it is no news any more, Unix milliseconds; at most {@link EVENT_LIFETIME} from now. */
  readonly expiresAt?: number;
  readonly fields: JsonObject;
}

interface KeptEvent extends InboxEvent {
  readonly seq: number;
  readonly at: number;
}

interface Inbox {
  readonly agentId: string;
  /** Unacknowledged, by ascending `seq`. */
  events: KeptEvent[];
  nextSeq: number;
  /** Everything up to here was acknowledged. */
  cursor: number;
  subscription: Exchange | undefined;
}

/** What a message has beside its result. */
interface MessageParts {
  /** Chains its record. */
  readonly link?: SessionLink | undefined;
  readonly sessionId?: string | undefined;
  readonly headers?: readonly HeaderField[];
}

/**
 * What the server has to tell agents: at least once each, in order, until acknowledged. One subscription per agent: the
 * newest replaces the older, which gets a last message.
 */
export class Inboxes {
  readonly #outputs: Outputs;
  readonly #replies: Replies;
  readonly #timers: Timers;
  /** At most one per registered agent. */
  readonly #byAgent = new Map<string, Inbox>();
  /** Inboxes by how many events of agents they hold. */
  readonly #notices = new Fullest<Inbox>();

  constructor(outputs: Outputs, replies: Replies, timers: Timers) {
    this.#outputs = outputs;
    this.#replies = replies;
    this.#timers = timers;
  }

  /** True while the agent has a live subscription: it can be called. */
  isOnline(agentId: string): boolean {
    return this.#byAgent.get(agentId)?.subscription !== undefined;
  }

  /** Agents that are online, and events that wait for any agent. */
  overview(): { readonly online: number; readonly inboxEvents: number } {
    let [online, inboxEvents] = [0, 0];
    for (const { subscription, events } of this.#byAgent.values()) {
      if (subscription !== undefined) online++;
      inboxEvents += events.length;
    }
    return { online, inboxEvents };
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    return { inboxes: this.#byAgent.size, ...this.overview() };
  }

  /** Opens the series of this exchange. `after` acknowledges like {@link acknowledge}; the rest is delivered again. */
  subscribe(exchange: Exchange, agentId: string, after: number, now: number): void {
    const inbox = this.#inbox(agentId, now);
    this.#endSubscription(inbox, "replaced", now);
    this.#acknowledge(inbox, after);
    inbox.subscription = exchange;
    const greeting = { event: "subscribed", inbox_seq: inbox.cursor, heartbeat_s: HEARTBEAT_SECONDS };
    this.#send(inbox, greeting, now, { headers: [["Supported-Methods", supportedMethods("/")]] });
    this.#keep(
      inbox,
      inbox.events.filter((event) => expiryOf(event) > now),
    );
    for (const event of inbox.events) this.#deliver(inbox, event, now);
    this.#timers.set("heartbeat", agentId, now + HEARTBEAT_SECONDS * 1000);
  }

  /** Keeps the event until it is acknowledged and sends it at once where somebody listens. `link` chains its record. */
  post(agentId: string, event: InboxEvent, now: number, link?: SessionLink): void {
    const inbox = this.#inbox(agentId, now);
    if (inbox.events.length >= MAX_UNACKNOWLEDGED) {
      const refusal = inbox.events.find(({ event }) => event === "frames_refused");
      this.#drop(inbox, refusal ?? inbox.events[0], "unacknowledged-cap");
    }
    const kept = { ...event, seq: inbox.nextSeq++, at: now };
    this.#keep(inbox, [...inbox.events, kept]);
    if (kept.expiresAt !== undefined) {
      this.#timers.set("inbox-expiry", agentId, Math.min(...inbox.events.map(expiryOf)));
    }
    this.#deliver(inbox, kept, now, link);
  }

  /** Makes room for one more event that `from` sends to that agent. False where there is none. */
  makeRoom(agentId: string, from: NoticeSender): boolean {
    const inbox = this.#byAgent.get(agentId);
    // Whoever listens was sent all that is kept.
    const room = roomForNotice(inbox?.events.filter(isNotice) ?? [], from, this.isOnline(agentId));
    if (!room.fits) return false;
    if (inbox !== undefined && room.drop !== undefined) this.#drop(inbox, room.drop, "notices-cap");
    const { fullest, total } = this.#notices;
    if (total < MAX_NOTICES || fullest === undefined) return true;
    const oldest = oldestOfMost(fullest.events.filter(isNotice));
    if (oldest !== undefined) this.#drop(fullest, oldest, "notices-total-cap");
    return true;
  }

  /** Forgets events up to and including `seq`. False when the agent has no inbox or was never sent that number. */
  acknowledge(agentId: string, seq: number): boolean {
    const inbox = this.#byAgent.get(agentId);
    if (inbox === undefined || seq >= inbox.nextSeq) return false;
    this.#acknowledge(inbox, seq);
    return true;
  }

  /** Takes back what is no longer news about a session: events named in `events`, where not yet acknowledged. */
  withdraw(agentId: string, sessionId: string, events: readonly string[]): void {
    const inbox = this.#byAgent.get(agentId);
    if (inbox === undefined) return;
    this.#keep(
      inbox,
      inbox.events.filter((kept) => kept.sessionId !== sessionId || !events.includes(kept.event)),
    );
  }

  heartbeat(agentId: string, now: number): void {
    const inbox = this.#byAgent.get(agentId);
    if (inbox?.subscription === undefined) return;
    this.#send(inbox, { event: "heartbeat" }, now);
    this.#timers.set("heartbeat", agentId, now + HEARTBEAT_SECONDS * 1000);
  }

  /** Drops what waited too long, and the whole inbox when nobody uses it. */
  expire(agentId: string, now: number): void {
    const inbox = this.#byAgent.get(agentId);
    if (inbox === undefined) return;
    const fresh = inbox.events.filter((event) => expiryOf(event) > now);
    if (fresh.length < inbox.events.length) {
      this.#outputs.log("warn", "inbox-events-expired", {
        agentId,
        count: inbox.events.length - fresh.length,
      });
    }
    this.#keep(inbox, fresh);
    if (inbox.subscription === undefined && fresh.length === 0) {
      this.#byAgent.delete(agentId);
      return;
    }
    this.#timers.set("inbox-expiry", agentId, Math.min(now + EVENT_LIFETIME, ...fresh.map(expiryOf)));
  }

  /** The connection (or only this exchange of it) is gone. Returns the agent that lost its subscription, if one did. */
  lost(agentId: string | undefined, connection: ConnectionId, exchange?: number): string | undefined {
    const inbox = agentId === undefined ? undefined : this.#byAgent.get(agentId);
    const subscription = inbox?.subscription;
    if (inbox === undefined || subscription === undefined || subscription.connection !== connection)
      return undefined;
    if (exchange !== undefined && subscription.id !== exchange) return undefined;
    inbox.subscription = undefined;
    this.#timers.clear("heartbeat", inbox.agentId);
    return inbox.agentId;
  }

  /** Tells every subscriber, without keeping it for later. */
  announce(message: JsonObject, now: number): void {
    for (const inbox of this.#byAgent.values())
      if (inbox.subscription !== undefined) this.#send(inbox, message, now);
  }

  /** Ends an agent's subscription with a last message. */
  end(agentId: string, reason: string, now: number): void {
    const inbox = this.#byAgent.get(agentId);
    if (inbox !== undefined) this.#endSubscription(inbox, reason, now);
  }

  /** Ends every subscription with a last message. */
  endAll(reason: string, now: number): void {
    for (const inbox of this.#byAgent.values()) this.#endSubscription(inbox, reason, now);
  }

  #inbox(agentId: string, now: number): Inbox {
    const existing = this.#byAgent.get(agentId);
    if (existing !== undefined) return existing;
    // Numbers start at the time in ms, so they go up across restarts and a client's cursor stays meaningful.
    const first = Math.floor(now);
    const inbox: Inbox = { agentId, events: [], nextSeq: first, cursor: first - 1, subscription: undefined };
    this.#byAgent.set(agentId, inbox);
    this.#timers.set("inbox-expiry", agentId, now + EVENT_LIFETIME);
    return inbox;
  }

  #acknowledge(inbox: Inbox, seq: number): void {
    if (seq >= inbox.nextSeq || seq <= inbox.cursor) return;
    inbox.cursor = seq;
    this.#keep(
      inbox,
      inbox.events.filter((event) => event.seq > seq),
    );
  }

  #deliver(inbox: Inbox, event: KeptEvent, now: number, link?: SessionLink): void {
    const session = event.sessionId === undefined ? {} : { session_id: event.sessionId };
    const { sessionId } = event;
    const message = { ...event.fields, ...session, event: event.event, inbox_seq: event.seq };
    this.#send(inbox, message, now, { link, sessionId });
  }

  #send(inbox: Inbox, result: JsonObject, now: number, more: MessageParts = {}): void {
    if (inbox.subscription === undefined) return;
    const { link, sessionId, headers } = more;
    this.#replies.answer(
      inbox.subscription,
      {
        result,
        final: false,
        event: `inbox-${String(result.event)}`,
        ...(link === undefined ? {} : { link }),
        ...(sessionId === undefined ? {} : { sessionId }),
        ...(headers === undefined ? {} : { headers }),
      },
      now,
    );
  }

  #endSubscription(inbox: Inbox, reason: string, now: number): void {
    const { subscription } = inbox;
    if (subscription === undefined) return;
    inbox.subscription = undefined;
    this.#timers.clear("heartbeat", inbox.agentId);
    this.#replies.answer(subscription, { result: { event: "unsubscribed", reason }, final: true }, now);
  }

  /** Every change of what an inbox holds goes through here. */
  #keep(inbox: Inbox, events: KeptEvent[]): void {
    this.#notices.set(inbox, inbox.events.filter(isNotice).length, events.filter(isNotice).length);
    inbox.events = events;
  }

  #drop(inbox: Inbox, dropped: KeptEvent | undefined, reason: string): void {
    this.#keep(
      inbox,
      inbox.events.filter((event) => event !== dropped),
    );
    const { agentId } = inbox;
    // What agents tell each other is theirs to lose.
    const level = reason === "unacknowledged-cap" ? "warn" : "debug";
    this.#outputs.log(level, "inbox-event-dropped", { agentId, dropped: dropped?.event, reason });
  }
}

function isNotice(event: KeptEvent): event is KeptEvent & { readonly from: NoticeSender } {
  return event.from !== undefined;
}

/** When an event is dropped though nobody dealt with it. */
function expiryOf(event: KeptEvent): number {
  return Math.min(event.at + EVENT_LIFETIME, event.expiresAt ?? Number.POSITIVE_INFINITY);
}
