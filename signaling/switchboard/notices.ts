import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { parseUtc } from "../utc-time.ts";
import { Allowance } from "./allowance.ts";
import type { Asked } from "./asked.ts";
import type { Desk } from "./desk.ts";
import { FadingMap } from "./fading-map.ts";
import { FairMap } from "./fair-map.ts";
import { EVENT_LIFETIME } from "./inbox-queue.ts";
import type { ConfirmTargetParameters, NotifyParameters, QueryParameters } from "./parameters.ts";
import { vouchedOwner } from "./registry.ts";
import type { SessionTable } from "./session-table.ts";
import { liveSessions } from "./taking-up.ts";

/** Notifications a second of one sender, and their burst; beyond: 429 `rate-limited`. */
const NOTICE_RATE = { perSecond: 2, burst: 20 };
/** Senders whose rate is remembered, and how long after their last notification, milliseconds. */
const MAX_SENDERS = 16_384;
const SENDER_MEMORY = 60_000;
/** Notifications that can be confirmed, for a day; beyond, the oldest of whoever sent most is forgotten. */
const MAX_CONFIRMABLE = 16_384;

/** What agents tell each other through the server, in the general forms of NOTIFY, CONFIRM and QUERY. */
export class Notices {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #rates = new FadingMap<string, Allowance>(MAX_SENDERS, SENDER_MEMORY);
  readonly #confirmable = new FairMap<{ readonly from: string; readonly to: string }>(
    MAX_CONFIRMABLE,
    EVENT_LIFETIME,
  );

  constructor(desk: Desk, table: SessionTable) {
    this.#desk = desk;
    this.#table = table;
  }

  /** NOTIFY /: puts an event into an agent's inbox. */
  notify(asked: Asked, parameters: NotifyParameters, now: number): Result<void> {
    const { inboxes, replies, registry } = this.#desk;
    const from = asked.agent.agentId;
    const standing = registry.standing(asked.agent, asked.connection.authority);
    if (!standing.ok) return standing;
    const content = parameters.content ?? parameters.event;
    if (content === undefined) return refuse("field-invalid", "This is missing.", "parameters.content");
    const expiry = expiryOf(parameters, now);
    if (!expiry.ok) return expiry;
    const recipient = registry.get(parameters.recipient);
    if (recipient === undefined)
      return refuse("agent-not-found", "No such agent is known here.", "recipient");
    const alive = registry.alive(recipient);
    if (!alive.ok) return alive;
    if (!this.#allows(from, now)) return refuse("rate-limited", "Too many notifications.");
    const sender = { agentId: from, owner: vouchedOwner(asked.agent) };
    const id = replies.uuid(now);
    const { urgency = "informational" } = parameters;
    const isOnline = inboxes.isOnline(recipient.agentId, { callers: true });
    const fields = {
      notification_id: id,
      from,
      content,
      urgency,
      expires_at: Math.floor(expiry.value / 1000),
    };
    const event = { event: "notification", from: sender, expiresAt: expiry.value, fields };
    if (!inboxes.notify(recipient.agentId, event, now)) {
      return refuse("inbox-full", "The recipient has not dealt with those before it.", "recipient");
    }
    this.#confirmable.set(id, from, { from, to: recipient.agentId }, now);
    const receipt = {
      notification_id: id,
      delivery_id: id,
      recipient: recipient.agentId,
      status: isOnline ? "delivered" : "queued",
      delivery_guarantee: "at-least-once",
      expires_at: fields.expires_at,
    };
    replies.answer(
      asked.exchange,
      { result: receipt, event: "notified", extra: { notification_id: id } },
      now,
    );
    return ok(undefined);
  }

  /** CONFIRM /: the recipient says what it makes of a notification; who sent it is told. */
  confirm(asked: Asked, parameters: ConfirmTargetParameters, now: number): Result<void> {
    const { inboxes, replies, registry } = this.#desk;
    const standing = registry.standing(asked.agent, asked.connection.authority);
    if (!standing.ok) return standing;
    const by = asked.agent.agentId;
    const { target_id: target, status, reason, attestation } = parameters;
    const known = this.#confirmable.get(target, now);
    if (known === undefined || known.to !== by) {
      return refuse("target-not-found", "Nothing of that name was sent to you.", "parameters.target_id");
    }
    if (!this.#allows(by, now)) return refuse("rate-limited", "Too many notifications.");
    const id = replies.uuid(now);
    const said: JsonObject = {
      target_id: target,
      status,
      attestation_id: id,
      ...(reason === undefined ? {} : { reason }),
      ...(attestation === undefined ? {} : { attestation }),
    };
    const from = { agentId: by, owner: vouchedOwner(asked.agent) };
    const told = inboxes.notify(known.from, { event: "confirmation", from, fields: { ...said, by } }, now);
    replies.answer(
      asked.exchange,
      { result: { attestation_id: id, target_id: target, status, told }, event: "confirmed", extra: said },
      now,
    );
    return ok(undefined);
  }

  /** QUERY /: how the server is, and what the asker is in. */
  query(asked: Asked, { intent }: QueryParameters, now: number): Result<void> {
    if (intent !== undefined && intent !== "status") {
      return refuse("field-invalid", "Only `status` can be asked for here.", "parameters.intent");
    }
    const { config, identity, replies } = this.#desk;
    const { agentId } = asked.agent;
    const sessions = liveSessions(this.#table.of(agentId), agentId, asked.connection.gateway);
    const result = { server_id: config.serverId, server_agent_id: identity.agentId, time: now, sessions };
    replies.answer(asked.exchange, { result }, now);
    return ok(undefined);
  }

  #allows(agentId: string, now: number): boolean {
    const allowance = this.#rates.get(agentId, now) ?? new Allowance(NOTICE_RATE, now);
    this.#rates.set(agentId, allowance, now);
    return allowance.take(now);
  }
}

/** When a notification is no news any more: as asked for, at most a day from now. */
function expiryOf({ expiry }: NotifyParameters, now: number): Result<number> {
  if (expiry === undefined) return ok(now + EVENT_LIFETIME);
  const at = parseUtc(expiry);
  if (!at.ok || at.value <= now) {
    return refuse("field-invalid", "This is no time in the future.", "parameters.expiry");
  }
  return ok(Math.min(at.value, now + EVENT_LIFETIME));
}
