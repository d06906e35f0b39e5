import { decodeBase64url, encodeBase64url } from "../codecs/base64url.ts";
import type { JsonObject } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { encodeHex } from "../codecs/hex.ts";
import {
  encodeInterrupt,
  type Interrupt,
  interruptDigest,
  parseInterrupt,
  verifyInterrupt,
} from "../codecs/interrupt.ts";
import { unixMsToNtp } from "../codecs/ntp.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { type Result, refuse } from "../codecs/result.ts";
import type { Signer, Verifier } from "../codecs/signer.ts";
import {
  makeNarrowing,
  narrowedTerms,
  narrowingDigest,
  scopeOf,
  verifyNarrowing,
} from "../signaling/narrowing.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import { formatScopes, type Modality, parseScopes, permitsSending } from "../signaling/scope.ts";
import type { Terms } from "../signaling/terms.ts";
import type { CallMedia } from "./call-media.ts";
import type { ControlAnswer, ControlChannel } from "./control.ts";
import type { AgentIdentity } from "./identity.ts";

/** Times a narrowing is signed anew because the other end was quicker, and how long its event is waited for, ms. */
const NARROWING_TRIES = 5;
const TERMS_WAIT_MS = 2_000;
/** Pause before an interrupt that the server found too many is sent again, where it does not say, ms. */
const RETRY_MS = 100;

/** The terms of a call changed: one end gave up scope. */
export interface TermsChanged {
  /** Number of the terms now in force. */
  readonly number: number;
  /** Whose scope it was, 0 the caller's. */
  readonly leg: 0 | 1;
  /** What remains of it. */
  readonly scope: readonly string[];
  /** Agent-ID of that end, which signed it. */
  readonly by: string;
}

/** What this end was saying was interrupted: nothing of it that waited is sent any more. */
export interface Interrupted {
  readonly stream: number;
  /** The media epoch that has begun. */
  readonly epoch: number;
  /** Agent-ID of who signed the interrupt. */
  readonly by: string;
}

export interface CallSteeringOptions {
  readonly session: CheckedSession;
  readonly control: ControlChannel;
  readonly identity: AgentIdentity;
  readonly clock: Clock;
  /** Unix milliseconds. */
  readonly wall: () => number;
  readonly media: CallMedia;
  readonly mediaSigner: Signer;
  readonly verifier: Verifier;
  /** Goes on sending what it has given up; see `CallOptions.keepSending`. */
  readonly keepSending: boolean;
  readonly changed: (event: TermsChanged) => void;
  readonly interrupted: (event: Interrupted) => void;
  readonly report: (error: unknown) => void;
}

/** What either end changes while a call is up: its own scope, and the media epoch of what is said. */
export class CallSteering {
  readonly #options: CallSteeringOptions;
  #terms: Terms;
  /** The narrowing or interrupt that the server has not answered: what it tells meanwhile may follow from that. */
  #inFlight: Promise<unknown> = Promise.resolve();
  #interrupting: Promise<void> | undefined;
  #flushing: Promise<void> | undefined;
  #termsWaiters: (() => void)[] = [];

  constructor(options: CallSteeringOptions) {
    this.#options = options;
    this.#terms = options.session.terms;
  }

  get terms(): Terms {
    return this.#terms;
  }

  async narrow(wanted: readonly string[]): Promise<void> {
    const scope = formatScopes(unwrap(parseScopes(wanted, "scope")));
    const { leg } = this.#options.session;
    for (let tries = 1; ; tries += 1) {
      const { terms } = unwrap(narrowedTerms(this.#terms, leg, scope));
      // Nothing more is sent from here on: what is given up is given up, whenever the server hears of it.
      this.#holdBack(terms);
      try {
        await this.#sendNarrowing(terms, scope);
        return;
      } catch (error) {
        this.#holdBack(this.#terms);
        const overtaken = error instanceof ParleyError && error.code === "terms-outdated";
        if (!overtaken || tries === NARROWING_TRIES) throw error;
        await this.#newTerms(terms.number);
      }
    }
  }

  /** Ends what the other end is saying. While one interrupt is on its way, another says nothing new. */
  interrupt(): Promise<void> {
    const { receiver } = this.#options.media;
    if (receiver === undefined) throw notHere("This end of the call does not hear audio.");
    if (this.#interrupting !== undefined) return this.#interrupting;
    const epoch = receiver.epoch + 1;
    receiver.beginEpoch(epoch);
    this.#interrupting = this.#announce(1 - this.#options.session.leg, receiver.stream, epoch).finally(() => {
      this.#interrupting = undefined;
    });
    return this.#interrupting;
  }

  /** Ends what this end is saying. */
  flush(): Promise<void> {
    const { sender } = this.#options.media;
    if (sender === undefined) throw notHere("This end of the call does not send audio.");
    if (this.#flushing !== undefined) {
      sender.flush();
      return this.#flushing;
    }
    const epoch = sender.epoch + 1;
    sender.beginEpoch(epoch);
    this.#flushing = this.#announce(this.#options.session.leg, sender.stream, epoch).finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  /** The server says that the other end narrowed its scope. */
  async termsChanged(fields: JsonObject): Promise<void> {
    await this.#inFlight.catch(() => undefined);
    const { session, verifier } = this.#options;
    const { peer } = session;
    const leg = session.leg === 0 ? 1 : 0;
    const jws = typeof fields.narrowing === "string" ? fields.narrowing : "";
    const { sessionDigest } = session;
    const expected = { publicKey: peer.genesis.agentKey, sessionDigest, leg, terms: this.#terms } as const;
    const { terms, payload } = unwrap(verifyNarrowing(jws, expected, verifier));
    this.#adopt(terms, { number: terms.number, leg, scope: payload.scope, by: peer.agentId });
  }

  /** The server says that the other end signed an interrupt. */
  mediaInterrupted(fields: JsonObject): void {
    const { session, media, interrupted } = this.#options;
    const { speakerLeg, stream, epoch } = unwrap(this.#checkInterrupt(fields.interrupt));
    const isMine = speakerLeg === session.leg;
    const end = isMine ? media.sender : media.receiver;
    if (end === undefined || end.stream !== stream) throw notHere("No such stream can be interrupted.");
    const pending = isMine ? this.#flushing : this.#interrupting;
    // Both ends at once: the epoch has begun here, and what was said in it meanwhile was not meant to be kept either.
    const met = pending !== undefined && epoch === end.epoch;
    if (epoch <= end.epoch && !met) return;
    if (!met && epoch !== end.epoch + 1) {
      throw new ParleyError({ code: "field-invalid", message: "The epoch jumps.", at: "interrupt.epoch" });
    }
    if (met) end.flush();
    else end.beginEpoch(epoch);
    if (isMine) interrupted({ stream, epoch, by: session.peer.agentId });
  }

  async #sendNarrowing(terms: Terms, scope: readonly string[]): Promise<void> {
    const { session, control, identity, wall } = this.#options;
    const { leg, sessionId } = session;
    const narrowing = await makeNarrowing(
      {
        v: 1,
        session_id: sessionId,
        session_digest: encodeHex(session.sessionDigest),
        leg,
        number: terms.number,
        scope,
        last_audit_id: control.lastAuditIdOf(sessionId),
        iat: Math.floor(wall() / 1000),
      },
      identity.signer,
    );
    const path = `/sessions/${sessionId}`;
    const asked = control.request({ method: "ADJUST", path, parameters: { narrowing } });
    this.#inFlight = asked.then((answer) => {
      requireRecorded(answer, "narrowing", narrowingDigest(narrowing));
      this.#adopt(terms, { number: terms.number, leg, scope, by: identity.agentId });
    });
    await this.#inFlight;
  }

  async #announce(speakerLeg: number, stream: number, epoch: number): Promise<void> {
    const { session, control, clock, wall, mediaSigner } = this.#options;
    const { sessionDigest, leg, mediaKey, sessionId } = session;
    const keyGeneration = mediaKey.generation;
    const time = unixMsToNtp(wall());
    const bytes = encodeInterrupt(
      { sessionDigest, leg, speakerLeg, stream, keyGeneration, epoch, time },
      mediaSigner,
    );
    const content = { event: "interrupt", stream, epoch, interrupt: encodeBase64url(bytes) };
    for (;;) {
      try {
        const path = `/sessions/${sessionId}`;
        const answer = await control.request({ method: "NOTIFY", path, parameters: { content } });
        requireRecorded(answer, "interrupt", encodeHex(interruptDigest(bytes)));
        return;
      } catch (error) {
        if (!(error instanceof ParleyError)) throw error;
        const { epoch: present, retry_after_ms: pause } = error.details;
        // The other end was quicker: what was to end has ended.
        if (error.code === "epoch-outdated" && typeof present === "number" && present >= epoch) return;
        if (error.code !== "rate-limited") throw error;
        const wait = typeof pause === "number" ? pause : RETRY_MS;
        await new Promise<void>((resolve) => clock.at(clock.now() + wait, resolve));
      }
    }
  }

  #checkInterrupt(encoded: unknown): Result<Interrupt> {
    const { session, verifier } = this.#options;
    const { mediaKey } = session.peer;
    const decoded = decodeBase64url(typeof encoded === "string" ? encoded : "", "interrupt");
    if (!decoded.ok) return decoded;
    const parsed = parseInterrupt(decoded.value);
    if (!parsed.ok) return parsed;
    const { sessionDigest, leg, keyGeneration } = parsed.value;
    const isOfPeer =
      encodeHex(sessionDigest) === encodeHex(session.sessionDigest) &&
      leg === 1 - session.leg &&
      keyGeneration === mediaKey.generation;
    if (!isOfPeer) return refuse("field-invalid", "The other end did not make this.", "interrupt");
    if (verifyInterrupt(decoded.value, mediaKey.ed25519, verifier)) return parsed;
    return refuse("signature-invalid", "The other end did not sign this.", "interrupt");
  }

  #adopt(terms: Terms, event: TermsChanged): void {
    this.#terms = terms;
    this.#permit(terms);
    for (const wake of this.#termsWaiters.splice(0)) wake();
    this.#options.changed(event);
  }

  /** Tells the media what may be sent and heard under `terms`. */
  #permit(terms: Terms): void {
    const { session, media } = this.#options;
    this.#holdBack(terms);
    const peer = session.leg === 0 ? 1 : 0;
    media.receiver?.underTerms(terms.number, mayTransmit(terms, peer, "audio"));
    media.messages.receiver?.underTerms(terms.number, mayTransmit(terms, peer, "data"));
  }

  #holdBack(terms: Terms): void {
    const { session, media, keepSending } = this.#options;
    const { sender, messages } = media;
    if (sender !== undefined) sender.permitted = keepSending || mayTransmit(terms, session.leg, "audio");
    if (messages.sender !== undefined)
      messages.sender.permitted = keepSending || mayTransmit(terms, session.leg, "data");
  }

  /** Waits until terms of at least this number are in force, or for as long as that is worth it. */
  async #newTerms(number: number): Promise<void> {
    const { clock } = this.#options;
    if (this.#terms.number >= number) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#termsWaiters.push(resolve);
    const cancel = clock.at(clock.now() + TERMS_WAIT_MS, resolve);
    await promise;
    cancel();
  }
}

function mayTransmit(terms: Terms, leg: 0 | 1, modality: Modality): boolean {
  return permitsSending(unwrap(parseScopes(scopeOf(terms, leg))), modality);
}

/** The server must have put on record what this end signed: otherwise it could deny that it was told. */
function requireRecorded(answer: ControlAnswer, name: string, digest: string): void {
  if (answer.recorded[name] === digest) return;
  throw new ParleyError({
    code: "signature-invalid",
    message: "The server's record does not name what was signed.",
    at: `Attribution-Record.extra.${name}`,
  });
}

function notHere(message: string): ParleyError {
  return new ParleyError({ code: "field-invalid", message });
}

function unwrap<Value>(result: Result<Value>): Value {
  if (result.ok) return result.value;
  throw new ParleyError(result.fault);
}
