import { decodeBase64url, encodeBase64url } from "../../codecs/base64url.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { interruptDigest, parseInterrupt, verifyInterrupt } from "../../codecs/interrupt.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { FlowCounters } from "../admission.ts";
import { narrowingDigest, verifyNarrowing } from "../narrowing.ts";
import { intersect } from "../scope.ts";
import { isInterruptible, type Terms } from "../terms.ts";
import type { Asked } from "./asked.ts";
import type { Changes } from "./changes.ts";
import type { Desk } from "./desk.ts";
import type { Endings } from "./endings.ts";
import { lastLetThrough, type MediaFlow, termsMessage } from "./flows.ts";
import type { Exchange } from "./replies.ts";
import { artifact, keyInForce, type LegNumber, peerOf, type Session, type SessionLeg } from "./session.ts";
import type { InterruptContent } from "./session-parameters.ts";
import type { SessionTable } from "./session-table.ts";
import type { StreamEnds } from "./stream-ends.ts";

/** A change that is in force and not yet recorded: its record names the last frame that the relay had let through. */
export interface SteeringChange {
  readonly exchange: Exchange;
  /** Who made it. */
  readonly leg: SessionLeg;
  readonly event: "terms-narrowed" | "media-interrupted";
  readonly kind: "narrowing" | "interrupt";
  /** The signed object, as the evidence keeps it. */
  readonly bytes: Uint8Array;
  /** SHA-256 of the signed object, hex. */
  readonly digest: string;
  /** What changed: for the record, the answer and the other end. */
  readonly facts: JsonObject;
  /** For the other end's inbox: the event, and the signed object in the form it travels in. */
  readonly notice: { readonly event: "terms-changed" | "interrupted"; readonly fields: JsonObject };
  /** What it touches. */
  readonly flows: readonly Pick<MediaFlow, "speaker" | "stream">[];
}

/**
 * Takes what an end changes while it talks: its own scope, and the media epoch of a stream. The relay obeys at once; the
 * record, the answer and the other end's event follow as soon as the relay has said how far it had got.
 */
export class Steering {
  readonly #desk: Desk;
  readonly #table: SessionTable;
  readonly #endings: Endings;
  readonly #changes: Changes;
  readonly #streamEnds: StreamEnds;

  constructor(desk: Desk, table: SessionTable, endings: Endings, changes: Changes, streamEnds: StreamEnds) {
    this.#streamEnds = streamEnds;
    this.#desk = desk;
    this.#table = table;
    this.#endings = endings;
    this.#changes = changes;
  }

  /** ADJUST /sessions/{id}, or CLOSE of one `stream`: an end gives up part of its own scope, or closes streams. */
  narrow(
    asked: Asked,
    sessionId: string,
    jws: string,
    stream: number | undefined,
    now: number,
  ): Result<void> {
    const found = this.#table.steered(sessionId, asked.agent.agentId, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    const narrowing = verifyNarrowing(
      jws,
      {
        publicKey: leg.signer.genesis.agentKey,
        sessionDigest: session.core.digest,
        leg: leg.leg,
        terms: session.terms,
      },
      this.#desk.verifier,
    );
    if (!narrowing.ok) return narrowing;
    const isOther = stream !== undefined && !closesAlone(session, narrowing.value.terms, stream);
    if (isOther) return refuse("field-invalid", "This closes something else.", "narrowing.closed");
    const bytes = new TextEncoder().encode(jws);
    const { terms, scope, payload } = narrowing.value;
    session.terms = terms;
    session.narrowings[leg.leg] = { jws, number: terms.number };
    // Nobody is kept from giving up: it holds whatever room there is, and may be the last that is taken.
    leg.statementRoom.take(bytes.length);
    leg.scope = intersect(leg.scope, scope);
    this.#endings.shorten(session);
    const closed = this.#streamEnds.begin(session, leg.leg, now);
    this.#changes.outdate(session, now);
    for (const flow of session.flows) {
      this.#desk.outputs.push({ kind: "admission", message: termsMessage(session, flow) });
    }
    const closes = [...new Set(closed.map((flow) => flow.stream))];
    const facts = {
      ...{ number: terms.number, leg: leg.leg, scope: payload.scope },
      ...(closes.length === 0 ? {} : { closes }),
    };
    this.#await(
      session,
      {
        exchange: asked.exchange,
        leg,
        event: "terms-narrowed",
        kind: "narrowing",
        bytes,
        digest: narrowingDigest(jws),
        facts,
        notice: { event: "terms-changed", fields: { narrowing: jws } },
        // What this end had said on a stream before it closed it may yet come; to it nothing does.
        flows: session.flows.filter((flow) =>
          flow.closedAt === undefined
            ? flow.speaker === leg.leg
            : closed.includes(flow) && flow.listener === leg.leg,
        ),
      },
      now,
    );
    this.#endings.endIfSpent(session, leg, now);
    return ok(undefined);
  }

  /** NOTIFY /sessions/{id}, event `interrupt`: the listener, or the speaker itself, ends what a stream is saying. */
  interrupt(asked: Asked, sessionId: string, content: InterruptContent, now: number): Result<void> {
    const found = this.#table.steered(sessionId, asked.agent.agentId, now);
    if (!found.ok) return found;
    const { session, leg } = found.value;
    const decoded = decodeBase64url(content.interrupt, "content.interrupt");
    if (!decoded.ok) return decoded;
    const bytes = decoded.value;
    const parsed = parseInterrupt(bytes);
    if (!parsed.ok) return parsed;
    const interrupt = parsed.value;
    const { stream, epoch } = interrupt;
    const flow = session.flows.find(
      (candidate) =>
        candidate.stream === stream &&
        candidate.speaker === interrupt.speakerLeg &&
        candidate.agreed.modality === "audio",
    );
    if (flow === undefined || encodeHex(interrupt.sessionDigest) !== encodeHex(session.core.digest)) {
      return refuse("field-invalid", "This interrupts no stream of this session.", "content.interrupt");
    }
    if (stream !== content.stream || epoch !== content.epoch) {
      return refuse("field-invalid", "What is signed says otherwise.", "content");
    }
    if (leg.leg !== flow.speaker && !isInterruptible(session.terms, stream, flow.speaker)) {
      return refuse(
        "interrupt-forbidden",
        "The speaker of this stream may not be interrupted.",
        "content.stream",
      );
    }
    const mediaKey = keyInForce(leg);
    if (interrupt.leg !== leg.leg || interrupt.keyGeneration !== mediaKey.generation) {
      return refuse("field-invalid", "This is another leg's, or another key's.", "content.interrupt");
    }
    if (!verifyInterrupt(bytes, mediaKey.ed25519, this.#desk.verifier)) {
      return refuse("signature-invalid", "The media key did not sign this.", "content.interrupt");
    }
    const present = session.epochs.get(flow) ?? 0;
    if (epoch !== present + 1) {
      return refuse("epoch-outdated", "The epoch rises by one.", "content.epoch", { epoch: present });
    }
    if (!leg.statementRoom.fits(bytes.length, now)) {
      return refuse("capacity", "This end leaves more statements than are kept.");
    }
    leg.statementRoom.take(bytes.length);
    session.epochs.set(flow, epoch);
    this.#handOn(session, leg.leg, flow, bytes);
    this.#desk.outputs.push({
      kind: "admission",
      message: {
        kind: "epoch",
        connection: flow.ingress.connection,
        flow: flow.ingress.frames,
        epoch,
      },
    });
    this.#await(
      session,
      {
        exchange: asked.exchange,
        leg,
        event: "media-interrupted",
        kind: "interrupt",
        bytes,
        digest: encodeHex(interruptDigest(bytes)),
        facts: { leg: flow.speaker, stream, epoch },
        notice: { event: "interrupted", fields: { interrupt: encodeBase64url(bytes) } },
        flows: [flow],
      },
      now,
    );
    return ok(undefined);
  }

  /** Before it is on record: it is proof of itself, and silence must not wait for a disk. */
  #handOn(session: Session, signer: LegNumber, { speaker, stream }: MediaFlow, bytes: Uint8Array): void {
    const route = this.#table
      .routesOf(session)
      .find((each) => each.signer === signer && each.speaker === speaker && each.stream === stream);
    const { outputs } = this.#desk;
    if (route?.isFinal === false)
      outputs.push({ kind: "item", sessionId: session.id, ...route.to, bytes, isUrgent: true });
  }

  /** The relay has told how far it had got, or did not (`undefined`): records, answers and tells what waited for it. */
  counted(session: Session, counters: readonly FlowCounters[] | undefined, now: number): void {
    for (const change of session.awaitingCounters.steering.splice(0)) {
      const { exchange, leg, event, kind, facts, notice } = change;
      const by = leg.agent.agentId;
      const letThrough =
        counters === undefined ? {} : { streams: lastLetThrough(session, change.flows, counters) };
      const extra = { ...facts, ...letThrough, [kind]: change.digest };
      const about = kind === "interrupt" ? change.flows[0] : undefined;
      const entries = [artifact(session, kind, leg.leg, change.bytes, about)];
      this.#desk.states.keep(session);
      const isHere = this.#desk.connections.get(exchange.connection) !== undefined;
      const { replies, inboxes } = this.#desk;
      if (isHere) {
        const result = { ...facts, ...letThrough };
        replies.answer(
          exchange,
          { result, event, extra, entries, sessionId: session.id, link: session.link },
          now,
        );
      } else {
        replies.note(event, { ...extra, by }, session.link, entries, now);
      }
      if (session.ending !== undefined) continue;
      inboxes.post(
        peerOf(session, leg).agent.agentId,
        { event: notice.event, sessionId: session.id, fields: { ...facts, ...notice.fields, by } },
        now,
        session.link,
      );
    }
  }

  #await(session: Session, change: SteeringChange, now: number): void {
    session.awaitingCounters.steering.push(change);
    this.#endings.wantCounters(session, now);
  }
}

/** Whether terms leave out one stream of those in force, and no other. */
function closesAlone({ terms: { streams } }: Session, next: Terms, stream: number): boolean {
  const gone = streams.filter((each) => !next.streams.some((kept) => kept.stream === each.stream));
  return gone.length === 1 && gone[0]?.stream === stream;
}
