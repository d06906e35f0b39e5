import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { HeaderField } from "../../codecs/headers.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import { supportedMethods } from "../paths.ts";
import type { SessionLink } from "../record-chain.ts";
import { Fullest } from "./fullest.ts";
import { EVENT_LIFETIME, type InboxEvent, InboxQueue, type KeptEvent } from "./inbox-queue.ts";
import { MAX_NOTICES, type NoticeSender, oldestOfMost, roomForNotice } from "./notice-shares.ts";
import type { Outputs } from "./outputs.ts";
import type { Exchange, Replies } from "./replies.ts";
import type { Timers } from "./timers.ts";

/** The inbox of who names none. */
export const DEFAULT_INBOX = "main";

/** Inboxes of one agent. One more takes the place of the one that has been without a subscription longest, or is refused. */
export const MAX_INBOXES = 8;

/** Seconds between heartbeats on a quiet subscription. */
export const HEARTBEAT_SECONDS = 20;

/**
 * How long an inbox without a subscription is kept while its agent has another one, milliseconds. The last one an agent left stays as
 * long as it holds anything.
 */
export const ORPHAN_LIFETIME = 600_000;

interface Inbox {
  readonly agentId: string;
  readonly name: string;
  readonly queue: InboxQueue;
  /** A gateway listens here for the agent. */
  isGateways: boolean;
  /** Who listens takes calls, and does not only make them. */
  takesCalls: boolean;
  subscription: Exchange | undefined;
  /** When it lost its subscription, or was made without one. */
  leftAt: number;
  /** The same where nobody ended that on purpose, until somebody subscribes again. */
  brokenAt: number | undefined;
}

/** What a message has beside its result. */
interface MessageParts {
  /** Chains its record. */
  readonly link?: SessionLink | undefined;
  readonly sessionId?: string | undefined;
  readonly headers?: readonly HeaderField[];
  readonly warnings?: readonly string[] | undefined;
}

/** An agent lost its last subscription that takes calls, or the last one of its own. */
export interface GoneOffline {
  readonly agentId: string;
  /** When one of its inboxes last broke that may still come back, if one did. */
  readonly brokenAt: number | undefined;
  /** Gateways still listen for it. */
  readonly hasGateways: boolean;
}

/**
 * What the server has to tell agents. An agent has as many inboxes as it names, side by side: each is told everything, at least
 * once, in order, until it acknowledges. One subscription per inbox: the newest replaces the older, which gets a last message.
 */
export class Inboxes {
  readonly #outputs: Outputs;
  readonly #replies: Replies;
  readonly #timers: Timers;
  /** By Agent-ID, then by name. Agents are registered ones. */
  readonly #byAgent = new Map<string, Map<string, Inbox>>();
  /** Inboxes by how many events of agents they hold. */
  readonly #notices = new Fullest<Inbox>();

  constructor(outputs: Outputs, replies: Replies, timers: Timers) {
    this.#outputs = outputs;
    this.#replies = replies;
    this.#timers = timers;
  }

  /**
   * True while the agent has a live subscription that takes calls: it can be called. `itself`: subscriptions of gateways that act for it do not count; `callers`: those
   * of who only calls do.
   */
  isOnline(
    agentId: string,
    { itself = false, callers = false }: { readonly itself?: boolean; readonly callers?: boolean } = {},
  ): boolean {
    return this.#of(agentId).some(
      (inbox) => (callers ? isSubscribed(inbox) : isCallable(inbox)) && !(itself && inbox.isGateways),
    );
  }

  /** The inbox a request of the agent is from: the one it names, else the one on its connection, else the default. */
  nameFor(agentId: string, connection: ConnectionId | undefined, named?: string): string {
    if (named !== undefined || connection === undefined) return named ?? DEFAULT_INBOX;
    const there = this.#of(agentId).find(({ subscription }) => subscription?.connection === connection);
    return there?.name ?? DEFAULT_INBOX;
  }

  /** Agents that are online, and events that wait in any inbox. */
  overview(): { readonly online: number; readonly inboxEvents: number } {
    let [online, inboxEvents] = [0, 0];
    for (const agentId of this.#byAgent.keys()) {
      const inboxes = this.#of(agentId);
      if (inboxes.some(isCallable)) online++;
      for (const { queue } of inboxes) inboxEvents += queue.events.length;
    }
    return { online, inboxEvents };
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    let inboxes = 0;
    for (const byName of this.#byAgent.values()) inboxes += byName.size;
    return { inboxes, ...this.overview() };
  }

  /**
   * Opens the series of this exchange. `after` acknowledges like {@link acknowledge}; the rest is delivered again; `sessions` are greeted with; `calls` is
   * false for who only calls. True for a subscriber that begins anew: it may not know what this inbox was told before. Faults: `inbox-limit`; `gateway-refused` for a gateway at an inbox of
   * the agent's own.
   */
  subscribe(
    exchange: Exchange,
    agentId: string,
    {
      name,
      after,
      calls = true,
      sessions = [],
    }: {
      readonly name: string;
      readonly after: number;
      readonly calls?: boolean | undefined;
      readonly sessions?: readonly JsonObject[];
    },
    now: number,
  ): Result<boolean> {
    const isGateways = exchange.gateway !== undefined;
    const isTaken = this.#byAgent.get(agentId)?.get(name)?.isGateways === false;
    if (isGateways && (isTaken || name === DEFAULT_INBOX))
      return refuse("gateway-refused", "This inbox is the agent's own.", "parameters.inbox");
    const made = this.#open(agentId, name, isGateways, now);
    if (!made.ok) return made;
    const { inbox, isNew } = made.value;
    inbox.isGateways = isGateways;
    inbox.takesCalls = calls;
    this.#endSubscription(inbox, "replaced", now);
    const isFresh = isNew || after < inbox.queue.cursor;
    this.#change(inbox, () => {
      inbox.queue.acknowledge(after);
      inbox.queue.expire(now);
    });
    inbox.subscription = exchange;
    inbox.brokenAt = undefined;
    const { cursor } = inbox.queue;
    const greeting = { event: "subscribed", inbox: name, inbox_seq: cursor, heartbeat_s: HEARTBEAT_SECONDS };
    this.#send(inbox, { ...greeting, sessions }, now, {
      headers: [["Supported-Methods", supportedMethods("/")]],
    });
    for (const event of inbox.queue.events) this.#deliver(inbox, event, now);
    this.#timers.set("heartbeat", keyOf(inbox), now + HEARTBEAT_SECONDS * 1000);
    for (const each of this.#of(agentId)) this.#arm(each, now);
    return ok(isFresh);
  }

  /**
   * Keeps the event in all the agent's inboxes until each acknowledges it, and sends it at once where somebody listens. `link` chains
   * the records of its messages.
   */
  post(agentId: string, event: InboxEvent, now: number, link?: SessionLink): void {
    for (const inbox of this.#ofAny(agentId, now))
      if (isFor(inbox, event)) this.#post(inbox, event, now, link);
  }

  /** The same for one inbox, if it is there. */
  postTo(agentId: string, name: string, event: InboxEvent, now: number): void {
    for (const inbox of this.#of(agentId))
      if (inbox.name === name && isFor(inbox, event)) this.#post(inbox, event, now);
  }

  /** The same for all inboxes of the agent but one. */
  postBeside(agentId: string, name: string, event: InboxEvent, now: number, link?: SessionLink): void {
    for (const inbox of this.#of(agentId))
      if (inbox.name !== name && isFor(inbox, event)) this.#post(inbox, event, now, link);
  }

  /** Posts what an agent sends, to every inbox that has room for it. False where none has. */
  notify(agentId: string, event: InboxEvent & { readonly from: NoticeSender }, now: number): boolean {
    let taken = false;
    for (const inbox of this.#ofAny(agentId, now)) {
      // Whoever listens was sent all that is kept.
      const room = roomForNotice(inbox.queue.notices, event.from, isSubscribed(inbox));
      if (!room.fits) continue;
      if (room.drop !== undefined) this.#drop(inbox, room.drop, "notices-cap");
      this.#capNotices();
      this.#post(inbox, event, now);
      taken = true;
    }
    return taken;
  }

  /** Forgets events up to and including `seq`. False when there is no such inbox or it was never sent that number. */
  acknowledge(agentId: string, name: string, seq: number): boolean {
    const inbox = this.#byAgent.get(agentId)?.get(name);
    return inbox !== undefined && this.#change(inbox, () => inbox.queue.acknowledge(seq));
  }

  /** Whether an inbox holds an event about a session, unacknowledged. */
  holds(agentId: string, name: string, sessionId: string, event: string): boolean {
    const held = this.#byAgent.get(agentId)?.get(name)?.queue.events ?? [];
    return held.some((kept) => kept.sessionId === sessionId && kept.event === event);
  }

  /** Takes back what is no longer news about a session: events named in `events`, where not yet acknowledged; of those only what `isMeant` by what it says. */
  withdraw(
    agentId: string,
    sessionId: string,
    events: readonly string[],
    isMeant: (fields: JsonObject) => boolean = () => true,
  ): void {
    const isNews = ({ event, fields, ...kept }: KeptEvent) =>
      kept.sessionId !== sessionId || !events.includes(event) || !isMeant(fields);
    for (const inbox of this.#of(agentId)) this.#change(inbox, () => inbox.queue.keep(isNews));
  }

  /** The timer `heartbeat` of an inbox. */
  heartbeat(key: string, now: number): void {
    const inbox = this.#at(key);
    if (inbox?.subscription === undefined) return;
    this.#send(inbox, { event: "heartbeat" }, now);
    this.#timers.set("heartbeat", key, now + HEARTBEAT_SECONDS * 1000);
  }

  /** The timer `inbox-expiry` of an inbox: drops what waited too long, and the whole inbox when nobody comes for it. */
  expire(key: string, now: number): void {
    const inbox = this.#at(key);
    if (inbox === undefined) return;
    const { agentId, queue } = inbox;
    const count = this.#change(inbox, () => queue.expire(now));
    if (count > 0) this.#outputs.log("warn", "inbox-events-expired", { agentId, count });
    const isWanted = isSubscribed(inbox) || (this.#isLastLeft(inbox) && queue.events.length > 0);
    if (!isWanted && now >= inbox.leftAt + ORPHAN_LIFETIME) this.#forget(inbox);
    else this.#arm(inbox, now);
  }

  /** The clock was set by `by` milliseconds: what happened is as long ago as before. */
  clockStepped(by: number): void {
    for (const byName of this.#byAgent.values()) {
      for (const inbox of byName.values()) {
        inbox.leftAt += by;
        if (inbox.brokenAt !== undefined) inbox.brokenAt += by;
      }
    }
  }

  /**
   * The connection (or only this exchange of it) is gone, `orderly` where its client closed it. Tells when the agent has no
   * subscription that takes calls any more.
   */
  lost(
    agentId: string | undefined,
    lost: {
      readonly connection: ConnectionId;
      readonly exchange?: number | undefined;
      readonly orderly: boolean;
    },
    now: number,
  ): GoneOffline | undefined {
    const inboxes = agentId === undefined ? [] : this.#of(agentId);
    const gone = inboxes.filter(
      ({ subscription }) =>
        subscription?.connection === lost.connection &&
        (lost.exchange === undefined || subscription.id === lost.exchange),
    );
    for (const inbox of gone) {
      this.#leave(inbox, now);
      inbox.brokenAt = lost.orderly ? undefined : now;
    }
    // A gateway comes back with another name, or not at all.
    for (const inbox of gone) if (inbox.isGateways) this.#forget(inbox);
    const left = inboxes.filter(isCallable);
    const isOnline = gone.some((inbox) => !inbox.isGateways)
      ? left.some((inbox) => !inbox.isGateways)
      : left.length > 0;
    if (agentId === undefined || gone.length === 0 || isOnline) return undefined;
    const hasGateways = left.length > 0;
    const breaks = inboxes.flatMap(({ brokenAt }) => (brokenAt === undefined ? [] : [brokenAt]));
    return { agentId, hasGateways, brokenAt: breaks.length === 0 ? undefined : Math.max(...breaks) };
  }

  /** Tells every subscriber, without keeping it for later. */
  announce(message: JsonObject, now: number): void {
    for (const agentId of this.#byAgent.keys())
      for (const inbox of this.#of(agentId)) this.#send(inbox, message, now);
  }

  /** Ends an agent's subscriptions with a last message. */
  end(agentId: string, reason: string, now: number): void {
    for (const inbox of this.#of(agentId)) this.#endSubscription(inbox, reason, now);
  }

  /** The agent is not known any more, nor is what lay in its inboxes. */
  drop(agentId: string): void {
    for (const inbox of this.#of(agentId)) this.#forget(inbox);
  }

  /** Ends every subscription with a last message. */
  endAll(reason: string, now: number): void {
    for (const agentId of this.#byAgent.keys()) this.end(agentId, reason, now);
  }

  #of(agentId: string): Inbox[] {
    return [...(this.#byAgent.get(agentId)?.values() ?? [])];
  }

  /** The agent's inboxes; the default one for an agent that has none. */
  #ofAny(agentId: string, now: number): Inbox[] {
    const inboxes = this.#of(agentId);
    return inboxes.length > 0 ? inboxes : [this.#make(agentId, DEFAULT_INBOX, now)];
  }

  #at(key: string): Inbox | undefined {
    const [agentId = "", name = ""] = key.split("/");
    return this.#byAgent.get(agentId)?.get(name);
  }

  #open(
    agentId: string,
    name: string,
    isGateways: boolean,
    now: number,
  ): Result<{ readonly inbox: Inbox; readonly isNew: boolean }> {
    const inboxes = this.#of(agentId);
    const existing = inboxes.find((inbox) => inbox.name === name);
    if (existing !== undefined) return ok({ inbox: existing, isNew: false });
    const left = inboxes.filter((inbox) => !isSubscribed(inbox)).sort((a, b) => a.leftAt - b.leftAt);
    const waiting = left.length === inboxes.length && !isGateways ? left.at(-1)?.queue.events : undefined;
    if (inboxes.length >= MAX_INBOXES) {
      const [oldest] = left;
      if (oldest === undefined)
        return refuse("inbox-limit", `An agent has at most ${MAX_INBOXES} inboxes.`, "parameters.inbox");
      this.#forget(oldest);
    }
    const inbox = this.#make(agentId, name, now);
    // Who comes back under another name finds what waited for it.
    this.#change(inbox, () => {
      for (const event of waiting ?? []) inbox.queue.add(event, event.at);
    });
    return ok({ inbox, isNew: true });
  }

  #make(agentId: string, name: string, now: number): Inbox {
    const queue = new InboxQueue(now);
    const inbox: Inbox = {
      ...{ agentId, name, queue, isGateways: false, takesCalls: true },
      ...{ subscription: undefined, leftAt: now, brokenAt: undefined },
    };
    const byName = this.#byAgent.get(agentId) ?? new Map<string, Inbox>();
    this.#byAgent.set(agentId, byName.set(name, inbox));
    this.#arm(inbox, now);
    return inbox;
  }

  #forget(inbox: Inbox): void {
    this.#change(inbox, () => inbox.queue.keep(() => false));
    const key = keyOf(inbox);
    this.#timers.clear("inbox-expiry", key);
    this.#timers.clear("heartbeat", key);
    const byName = this.#byAgent.get(inbox.agentId);
    byName?.delete(inbox.name);
    if (byName?.size === 0) this.#byAgent.delete(inbox.agentId);
  }

  /** Nobody listens at any of the agent's inboxes, and this was the last where somebody did. */
  #isLastLeft({ agentId, leftAt }: Inbox): boolean {
    return this.#of(agentId).every((other) => !isSubscribed(other) && other.leftAt <= leftAt);
  }

  /** Sets when to look at an inbox again. */
  #arm(inbox: Inbox, now: number): void {
    const { nextExpiry } = inbox.queue;
    const isKept = isSubscribed(inbox) || (this.#isLastLeft(inbox) && inbox.queue.events.length > 0);
    const until = isKept ? now + EVENT_LIFETIME : inbox.leftAt + ORPHAN_LIFETIME;
    this.#timers.set("inbox-expiry", keyOf(inbox), Math.min(until, nextExpiry));
  }

  #leave(inbox: Inbox, now: number): void {
    inbox.subscription = undefined;
    inbox.leftAt = now;
    this.#timers.clear("heartbeat", keyOf(inbox));
    this.#arm(inbox, now);
  }

  #post(inbox: Inbox, event: InboxEvent, now: number, link?: SessionLink): void {
    const { overflow } = inbox.queue;
    if (overflow !== undefined) this.#drop(inbox, overflow, "unacknowledged-cap");
    const kept = this.#change(inbox, () => inbox.queue.add(event, now));
    if (kept.expiresAt !== undefined) this.#arm(inbox, now);
    this.#deliver(inbox, kept, now, link);
  }

  #deliver(inbox: Inbox, event: KeptEvent, now: number, link?: SessionLink): void {
    const session = event.sessionId === undefined ? {} : { session_id: event.sessionId };
    const { sessionId, warnings } = event;
    const message = { ...event.fields, ...session, event: event.event, inbox_seq: event.seq };
    this.#send(inbox, message, now, { link, sessionId, warnings });
  }

  #send(inbox: Inbox, result: JsonObject, now: number, more: MessageParts = {}): void {
    if (inbox.subscription === undefined) return;
    const { link, sessionId, headers, warnings } = more;
    this.#replies.answer(
      inbox.subscription,
      {
        result,
        final: false,
        event: `inbox-${String(result.event)}`,
        warnings,
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
    this.#leave(inbox, now);
    this.#replies.answer(subscription, { result: { event: "unsubscribed", reason }, final: true }, now);
  }

  /** Every change of what an inbox holds goes through here. */
  #change<Value>(inbox: Inbox, change: () => Value): Value {
    const before = inbox.queue.notices.length;
    const value = change();
    this.#notices.set(inbox, before, inbox.queue.notices.length);
    return value;
  }

  /** Makes room for one more notice among those of all inboxes together. */
  #capNotices(): void {
    const { fullest, total } = this.#notices;
    if (total < MAX_NOTICES || fullest === undefined) return;
    const oldest = oldestOfMost(fullest.queue.notices);
    if (oldest !== undefined) this.#drop(fullest, oldest, "notices-total-cap");
  }

  #drop(inbox: Inbox, dropped: KeptEvent, reason: string): void {
    this.#change(inbox, () => inbox.queue.keep((event) => event !== dropped));
    const { agentId } = inbox;
    // What agents tell each other is theirs to lose.
    const level = reason === "unacknowledged-cap" ? "warn" : "debug";
    this.#outputs.log(level, "inbox-event-dropped", { agentId, dropped: dropped.event, reason });
  }
}

/** Whether an event is for who listens at an inbox. */
function isFor({ isGateways }: Inbox, { isOwn }: InboxEvent): boolean {
  return !(isGateways && isOwn === true);
}

function isSubscribed({ subscription }: Inbox): boolean {
  return subscription !== undefined;
}

function isCallable(inbox: Inbox): boolean {
  return isSubscribed(inbox) && inbox.takesCalls;
}

/** What the timers of an inbox are by: neither part has a slash. */
function keyOf({ agentId, name }: Inbox): string {
  return `${agentId}/${name}`;
}
