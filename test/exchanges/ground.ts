/** What the exchanges are tried on: a server behind some carrier, Alice and Bob online, a call of theirs that is up and one that is over. */
import { type Issuer, newIdentity } from "../../agent/new-identity.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { createSigner, random, verifier } from "../../platform/node/sodium.ts";
import type { Connection, ConnectionHandlers } from "../../sfu/carrier.ts";
import { type AnswerPayload, makeAnswer } from "../../signaling/answer.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { jwsDigest } from "../../signaling/jws.ts";
import { makeMediaKey } from "../../signaling/media-key.ts";
import { makeOffer, type OfferPayload, readOffer } from "../../signaling/offer.ts";
import { must, ZERO_DIGEST } from "../signed-call.ts";
import { type Conversation, type Request, Voice } from "./voice.ts";
import { resultOf, type WireAnswer } from "./wire.ts";

/** A server that can be reached, over one carrier. */
export interface Way {
  /** A fresh connection, once it is there; `handlers`: who is told what comes on it. */
  readonly connect: (handlers?: ConnectionHandlers) => Promise<Connection>;
  /** What is dialled. */
  readonly origin: string;
  readonly wall: () => number;
  /** Lets a promise settle, on virtual time or in earnest. */
  readonly during: <Value>(promise: Promise<Value>) => Promise<Value>;
  readonly close: () => Promise<void>;
}

/** Every answer of a call being set up, in order. */
export interface PlacedCall {
  readonly sessionId: string;
  readonly offerId: string;
  readonly offer: string;
  readonly established: readonly WireAnswer[];
  readonly confirmed: WireAnswer;
  readonly requests: { readonly establish: Conversation; readonly confirm: Conversation };
}

export class Ground {
  readonly way: Way;
  readonly alice: Voice;
  readonly bob: Voice;
  /** Bob's inbox, read as far as his calls. */
  readonly inbox: Conversation;
  readonly subscribed: WireAnswer;
  /** A call that is over. */
  readonly ended: PlacedCall;
  /** A call that is up. */
  readonly call: PlacedCall;
  /** The server's own Agent-ID and key, as its Genesis names them. */
  readonly server: { readonly agentId: string; readonly key: Uint8Array };

  private constructor(parts: Omit<Ground, "voice" | "nobody" | "offer" | "answer" | "fill" | "who">) {
    this.way = parts.way;
    this.alice = parts.alice;
    this.bob = parts.bob;
    this.inbox = parts.inbox;
    this.subscribed = parts.subscribed;
    this.ended = parts.ended;
    this.call = parts.call;
    this.server = parts.server;
  }

  static async lay(way: Way): Promise<Ground> {
    const [alice, bob] = await Promise.all([voice(way, "alice"), voice(way, "bob")]);
    const documents = await (await alice.say({ line: "AGTP/1.0 DISCOVER /genesis" })).one();
    const genesis = must(
      readGenesis(new TextEncoder().encode(String(resultOf(documents).genesis)), verifier),
    );
    const inbox = await bob.say({ line: `AGTP/1.0 SUBSCRIBE /agents/${bob.id}/inbox`, proof: true });
    const subscribed = await inbox.one();
    const ended = await placeCall(alice, bob, inbox);
    await hangUp(alice, ended.sessionId);
    const call = await placeCall(alice, bob, inbox);
    const server = { agentId: genesis.agentId, key: genesis.agentKey };
    return new Ground({ way, alice, bob, inbox, subscribed, ended, call, server });
  }

  /** A connection that nobody has proved anything on. */
  async nobody(): Promise<Voice> {
    return new Voice(await this.way.connect(), identity(this.way, "nobody"), this.way);
  }

  who(name: "alice" | "bob" | "nobody"): Promise<Voice> {
    return name === "nobody" ? this.nobody() : Promise.resolve(this[name]);
  }

  /** Alice's offer to Bob. */
  offer(changes: Partial<OfferPayload> = {}): string {
    return signedOffer(this.alice, this.bob.id, changes);
  }

  /** Puts in what `{names}` stand for. */
  fill<Value>(value: Value): Value {
    if (typeof value === "string")
      return value.replaceAll(/\{([a-z-]+)\}/g, (all, name) => this.#names[name] ?? all) as Value;
    if (Array.isArray(value)) return value.map((item) => this.fill(item)) as Value;
    // Matchers are left alone.
    if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype)
      return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.fill(item)])) as Value;
  }

  get #names(): Readonly<Record<string, string>> {
    return {
      alice: this.alice.id,
      bob: this.bob.id,
      server: this.server.agentId,
      session: this.call.sessionId,
      "ended-session": this.ended.sessionId,
      "offer-id": this.call.offerId,
      uuid: this.alice.freshId(),
    };
  }
}

/** An agent that has proved itself on a connection of its own. */
export async function voice(
  way: Pick<Way, "connect" | "origin" | "wall">,
  name: string,
  issuer?: Issuer,
): Promise<Voice> {
  const made = new Voice(await way.connect(), identity(way, name, issuer), way);
  await made.introduceItself();
  return made;
}

function identity(
  way: Pick<Way, "wall">,
  name: string,
  issuer = { name: "registrar.test", signer: createSigner(random(32)) },
) {
  return newIdentity({ name }, createSigner(random(32)), issuer, way.wall() - 60_000, verifier);
}

/** An offer as a caller signs it, changed as told. */
export function signedOffer(caller: Voice, callee: string, changes: Partial<OfferPayload>): string {
  const offerId = changes.offer_id ?? caller.freshId();
  const iat = Math.floor(caller.now / 1000);
  return makeOffer(
    {
      v: 1,
      offer_id: offerId,
      caller: caller.id,
      callee,
      media_key: mediaKey(caller, offerId),
      session: { model: "bounded", ttl: 600 },
      scope: ["communication:audio:capture", "communication:audio:transmit"],
      profiles: ["frame"],
      streams: [
        {
          stream: 0,
          modality: "audio",
          direction: "sendrecv",
          ssrc: 0xa11ce,
          codecs: [
            { name: "opus", clock_rate: 48_000, channels: 1, frame_ms: [20], payload_type: 111 },
            { name: "pcmu", clock_rate: 8_000, channels: 1, frame_ms: [20], payload_type: 0 },
          ],
        },
      ],
      clock: { offset_ms: 0, uncertainty_ms: 1 },
      last_audit_id: ZERO_DIGEST,
      iat,
      exp: iat + 60,
      ...changes,
    },
    caller.identity.signer,
  );
}

/** The answer of the agent called, to an offer as its inbox told it. */
export function signedAnswer(callee: Voice, event: JsonObject): string {
  const jws = String(event.offer);
  const offer = must(readOffer(jws));
  const payload: AnswerPayload = {
    v: 1,
    session_id: String(event.session_id),
    offer_digest: jwsDigest(jws),
    caller: offer.caller,
    callee: callee.id,
    media_key: mediaKey(callee, offer.offer_id),
    scope: ["communication:audio:capture", "communication:audio:transmit"],
    profile: "frame",
    streams: [
      {
        stream: 0,
        modality: "audio",
        direction: "sendrecv",
        ssrc: 0xb0b,
        codec: { name: "opus", clock_rate: 48_000, channels: 1, frame_ms: 20, payload_type: 111 },
      },
    ],
    clock: { offset_ms: 0, uncertainty_ms: 1 },
    last_audit_id: ZERO_DIGEST,
    iat: Math.floor(callee.now / 1000),
  };
  return makeAnswer(payload, callee.identity.signer);
}

function mediaKey(owner: Voice, offerId: string): string {
  return makeMediaKey(
    {
      agentId: owner.id,
      offerId,
      ed25519: owner.media.publicKey,
      x25519: new Uint8Array(32).fill(0x21),
      generation: 0,
      notBefore: owner.now - 60_000,
      notAfter: owner.now + 3_600_000,
    },
    owner.identity.signer,
  );
}

/** A call that `alice` places and `bob` answers, its session as told. */
export async function placeCall(
  alice: Voice,
  bob: Voice,
  inbox: Conversation,
  session: OfferPayload["session"] = { model: "bounded", ttl: 600 },
): Promise<PlacedCall> {
  const offer = signedOffer(alice, bob.id, { session });
  const offerId = must(readOffer(offer)).offer_id;
  const establish = await alice.say(establishing(bob.id, offer, offerId, session));
  const ringing = await establish.one();
  resultOf(ringing);
  const event = await eventOf(inbox, "offer");
  const sessionId = String(event.session_id);
  const confirm = await bob.say({
    line: `AGTP/1.0 CONFIRM /sessions/${sessionId}`,
    headers: [["Session-ID", sessionId]],
    parameters: { target_id: sessionId, status: "accepted", answer: signedAnswer(bob, event) },
    proof: true,
  });
  const confirmed = await confirm.one();
  resultOf(confirmed);
  const established = [ringing, await establish.one()];
  return { sessionId, offerId, offer, established, confirmed, requests: { establish, confirm } };
}

/** An ESTABLISH as a caller sends it. */
export function establishing(
  callee: string,
  offer: string,
  offerId: string,
  { model, ttl }: OfferPayload["session"] = { model: "bounded", ttl: 600 },
): Request {
  return {
    line: "AGTP/1.0 ESTABLISH /sessions",
    headers: [
      ["Authority-Scope", "communication:audio:capture, communication:audio:transmit"],
      ["Session-Intent", "communication"],
      ["Communication-Modalities", "audio"],
      ["Audio-Codecs", "opus, pcmu"],
      ["Idempotency-Key", offerId],
    ],
    parameters: {
      target_agent_id: callee,
      offer,
      provisional: true,
      session_model: model,
      session_ttl: ttl,
    },
    proof: true,
  };
}

/** Reads on in an inbox to the next event of that name. */
export async function eventOf(inbox: Conversation, name: string): Promise<JsonObject> {
  for (;;) {
    const result = resultOf(await inbox.one());
    if (result.event === name) return result;
  }
}

async function hangUp(caller: Voice, sessionId: string): Promise<void> {
  const hangUp = await caller.say({
    line: `AGTP/1.0 TERMINATE /sessions/${sessionId}`,
    parameters: { reason: "hangup" },
  });
  resultOf(await hangUp.one());
}
