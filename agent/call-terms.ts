import type { JsonObject, JsonValue } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { encodeHex } from "../codecs/hex.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Verifier } from "../codecs/signer.ts";
import { readRecord } from "../signaling/attribution.ts";
import { agentOf } from "../signaling/gateway.ts";
import { readSigned } from "../signaling/jws.ts";
import {
  numberOf,
  readChange,
  readSteps,
  type SignedChange,
  type TermsOwners,
  type TermsStep,
  takeStep,
} from "../signaling/latest-terms.ts";
import {
  closedOf,
  makeNarrowing,
  NARROWING,
  narrowedTerms,
  narrowingDigest,
  scopeOf,
  verifyNarrowing,
} from "../signaling/narrowing.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import { formatScopes, type Modality, parseScopes, permitsSending } from "../signaling/scope.ts";
import { streamIn, type Terms } from "../signaling/terms.ts";
import {
  isStillGood,
  TERMS_CHANGE,
  type TermsChange,
  type TermsSettings,
  termsChangeDigest,
} from "../signaling/terms-change.ts";
import { ANSWER_MS, isTooEarly, isUnanswered, pauseAfter } from "./asking-again.ts";
import type { CallRequests } from "./call-control.ts";
import type { CallMedia } from "./call-media.ts";
import { readRecords, requireRecorded, type SessionRecord } from "./call-records.ts";
import type { AgentIdentity } from "./identity.ts";
import { unwrap } from "./unwrap.ts";

/** Times a narrowing is signed anew because the other end was quicker, and how long its event is waited for, ms. */
const NARROWING_TRIES = 5;
const TERMS_WAIT_MS = 2_000;
/** Changes that the server said are off, kept while they are good; the oldest go first. */
const MAX_OFF = 64;
/** Refusals that say that there is no such narrowing: then nothing was given up. */
const INVALID: ReadonlySet<string> = new Set([
  ...["scope-violation", "limit-exceeded", "scope-malformed", "field-invalid"],
]);
/** What a call can carry. */
const MODALITIES = ["audio", "video", "data"] as const satisfies readonly Modality[];

/** The terms of a call changed: one end gave up scope, or both agreed on something. */
export interface TermsChanged {
  /** Number of the terms now in force. */
  readonly number: number;
  /** Who gave up scope, or asked for the change: 0 the caller. */
  readonly leg: 0 | 1;
  /** Agent-ID of that end, which signed it. */
  readonly by: string;
  /** Where scope was given up: what remains of it. */
  readonly scope?: readonly string[];
  /** Where streams were closed: which. */
  readonly closes?: readonly number[];
  /** Where both ends agreed, the other one having signed that as well: on what, and why it was asked. */
  readonly agreed?: TermsSettings & { readonly reason: string };
}

/** An end has less authority than it had: its documents were renewed, or what it showed covers less. The server's word. */
export interface AuthorityNarrowed {
  /** Whose authority it is, 0 the caller's. */
  readonly leg: 0 | 1;
  /** What remains of it. */
  readonly scope: readonly string[];
  /** When the call is over now, Unix milliseconds. */
  readonly expiresAt: number;
}

export interface CallTermsOptions {
  readonly session: CheckedSession;
  readonly control: CallRequests;
  readonly identity: AgentIdentity;
  /** Of that identity, raw. */
  readonly publicKey: Uint8Array;
  /** As the server names this end. */
  readonly agentId: string;
  readonly clock: Clock;
  /** Unix milliseconds. */
  readonly wall: () => number;
  readonly media: CallMedia;
  readonly verifier: Verifier;
  /** Goes on sending what it has given up; see `CallOptions.keepSending`. */
  readonly keepSending: boolean;
  /** Whether the call has ended: nothing is asked again then. */
  readonly isOver: () => boolean;
  readonly changed: (event: TermsChanged) => void;
  /** Has the media follow terms: those that it begins with, and later ones before anybody is told; `by`: the leg that made them. */
  readonly inForce: (terms: Terms, by?: 0 | 1) => void;
  readonly narrowed: (event: AuthorityNarrowed) => void;
}

/** A narrowing on its way, by its digest, and the terms that it makes. */
interface AskedNarrowing {
  readonly digest: string;
  readonly terms: Terms;
  readonly scope: readonly string[];
}

/** The terms of a call while it is up: either end narrows its own scope, and both go by what is left. */
export class CallTerms {
  readonly #options: CallTermsOptions;
  #present: Terms;
  /** The narrowing that the server has not answered: what it tells meanwhile may follow from that. */
  #inFlight: Promise<unknown> = Promise.resolve();
  /** A narrowing of this end's own that the server may have taken: its answer never came. */
  #unanswered: AskedNarrowing | undefined;
  #waiters: (() => void)[] = [];
  /** One after the other: each follows the terms that the one before it made. */
  #closing: Promise<unknown> = Promise.resolve();
  /** What this end sends no more of in this call, whatever the server says to that. */
  readonly #givenUp = new Set<Modality>();
  #off: readonly { readonly digest: string; readonly iat: number }[] = [];

  constructor(options: CallTermsOptions) {
    this.#options = options;
    this.#present = options.session.terms;
    // Where another process had the call before, its ends may have given something up, or agreed on something.
    this.#permit(this.#present);
    options.inForce(this.#present);
  }

  get present(): Terms {
    return this.#present;
  }

  async narrow(wanted: readonly string[]): Promise<void> {
    const scope = formatScopes(unwrap(parseScopes(wanted, "scope")));
    const { leg } = this.#options.session;
    for (let tries = 1; ; tries += 1) {
      const { terms } = unwrap(narrowedTerms(this.#present, { leg, scope, closed: closedOf(this.#present) }));
      // Nothing more is sent from here on: what is given up is given up, whenever, and whether, the server hears of it.
      const before = [...this.#givenUp];
      this.#giveUp(terms);
      try {
        await this.#send(terms, scope);
        return;
      } catch (error) {
        const code = error instanceof ParleyError ? error.code : undefined;
        if (code !== undefined && INVALID.has(code)) {
          this.#unanswered = undefined;
          this.#giveUpOnly(before);
        }
        const overtaken = code === "terms-outdated";
        if (!overtaken || tries === NARROWING_TRIES) throw error;
        await this.#settle();
        if (String(scopeOf(this.#present, leg)) === String(scope)) return;
        await this.#later(terms.number, TERMS_WAIT_MS);
      }
    }
  }

  /** Closes a stream by this end's signature alone. Nothing where it is closed already. */
  async close(stream: number): Promise<void> {
    const closed = this.#closing.then(() => this.#close(stream));
    this.#closing = closed.catch(() => undefined);
    await closed;
  }

  async #close(stream: number): Promise<void> {
    const { leg, sessionId } = this.#options.session;
    const at = { method: "CLOSE", path: `/sessions/${sessionId}/streams/${stream}` } as const;
    for (let tries = 1; streamIn(this.#present, stream) !== undefined; tries += 1) {
      const scope = scopeOf(this.#present, leg);
      const closed = closedOf(this.#present, [stream]);
      const { terms } = unwrap(narrowedTerms(this.#present, { leg, scope, closed }));
      try {
        await this.#send(terms, scope, at);
        return;
      } catch (error) {
        const isOvertaken = error instanceof ParleyError && error.code === "terms-outdated";
        if (!isOvertaken || tries === NARROWING_TRIES) throw error;
        await this.#settle();
        await this.#later(terms.number, TERMS_WAIT_MS);
      }
    }
  }

  /** Learns whether a narrowing that was never answered is in force. Throws as `readRecords`; then it is not known yet. */
  async #settle(): Promise<void> {
    const { session } = this.#options;
    const asked = this.#unanswered;
    if (asked === undefined || !(await this.isRecorded(asked.digest)) || this.#unanswered !== asked) return;
    const { terms, scope } = asked;
    this.#adopt(terms, { number: terms.number, leg: session.leg, scope, by: this.#options.agentId });
  }

  /**
   * Takes a change that both ends signed, once: whoever tells of it. Throws what its signatures are refused for, and `change-unanswered` when
   * it is off.
   */
  async agreed(signed: SignedChange): Promise<void> {
    await this.#inFlight.catch(() => undefined);
    await this.#settle().catch(() => undefined);
    if (unwrap(numberOf(signed)) <= this.#present.number) return;
    await this.#mustBeGood(signed);
    if (unwrap(numberOf(signed)) <= this.#present.number) return;
    this.#step(signed, false);
  }

  /** The server said that a change is off: nothing that it says later makes terms of it. */
  off({ jws, payload: { iat } }: Pick<TermsChange, "jws" | "payload">): void {
    const good = this.#off.filter((each) => isStillGood(each, this.#options.wall()));
    this.#off = [...good, { digest: termsChangeDigest(jws), iat }].slice(-MAX_OFF);
  }

  /** Whether the server has it on record that a narrowing or a change came into force, by its digest. Throws as `readRecords`. */
  async isRecorded(digest: string): Promise<boolean> {
    const records = await this.#records();
    return records.some(({ jws }) => {
      const { narrowing, terms_change: change } = unwrap(readRecord(jws)).extra ?? {};
      return narrowing === digest || change === digest;
    });
  }

  /** Throws `change-unanswered` unless a change is good: by the clock, or, told late, because a record says that it came into force in time. */
  async #mustBeGood(step: TermsStep): Promise<void> {
    if ("narrowing" in step) return;
    const { iat } = unwrap(readSigned(step.change, TERMS_CHANGE));
    const digest = termsChangeDigest(step.change);
    const wasOff = this.#off.some((each) => each.digest === digest);
    if (!wasOff && isStillGood({ iat }, this.#options.wall())) return;
    const records = wasOff ? [] : await this.#records();
    const record = records.find(({ jws }) => unwrap(readRecord(jws)).extra?.terms_change === digest);
    if (record !== undefined && isStillGood({ iat }, Date.parse(record.at))) return;
    throw new ParleyError({ code: "change-unanswered", message: "This change is off.", at: "change.iat" });
  }

  #step(step: TermsStep, leavesOut: boolean): void {
    const { session, verifier } = this.#options;
    const taken = unwrap(takeStep(this.#present, step, this.#owners(), verifier, { leavesOut }));
    const { leg, number } = taken.payload;
    const by = leg === session.leg ? this.#options.agentId : agentOf(session.peer);
    const facts = { number, leg, by };
    if (taken.kind === "narrowing") this.#adopt(taken.terms, { ...facts, scope: taken.payload.scope });
    else {
      const { settings, reason } = taken.payload;
      this.#adopt(taken.terms, { ...facts, agreed: { ...settings, reason } });
    }
  }

  #owners(): TermsOwners {
    const { session, publicKey: mine } = this.#options;
    const theirs = session.peer.genesis.agentKey;
    const publicKeys = session.leg === 0 ? ([mine, theirs] as const) : ([theirs, mine] as const);
    return { publicKeys, sessionDigest: session.sessionDigest };
  }

  /** Waits until terms of at least this number are in force, `wait` ms at most. */
  async reached(number: number, wait: number): Promise<void> {
    await this.#later(number, wait);
  }

  /** The server says that the other end narrowed its scope, or that a change is in force. */
  async changed(fields: JsonObject): Promise<void> {
    if (fields.change !== undefined) return await this.agreed(unwrap(readChange(fields.change)));
    await this.#inFlight.catch(() => undefined);
    await this.#settle().catch(() => undefined);
    const { session, verifier } = this.#options;
    const { peer } = session;
    const leg = session.leg === 0 ? 1 : 0;
    const jws = typeof fields.narrowing === "string" ? fields.narrowing : "";
    const claimed = readSigned(jws, NARROWING);
    // Told before this process had the call: the terms that it was taken up with follow from it.
    if (claimed.ok && claimed.value.number <= this.#present.number) return;
    const { sessionDigest } = session;
    const expected = { publicKey: peer.genesis.agentKey, sessionDigest, leg, terms: this.#present } as const;
    const { terms, payload } = unwrap(verifyNarrowing(jws, expected, verifier));
    this.#adopt(terms, { number: terms.number, leg, scope: payload.scope, by: agentOf(peer) });
  }

  /** What the server says when this end's media flows again: what changed that it may not have been told, and what it may do itself. */
  async caughtUp(present: JsonObject): Promise<void> {
    const { authority_scope: scope, expires_at: expiresAt } = present;
    await this.#inFlight.catch(() => undefined);
    const { leg: own } = this.#options.session;
    for (const step of unwrap(readSteps(present))) {
      if (unwrap(numberOf(step)) <= this.#present.number) continue;
      await this.#mustBeGood(step);
      this.#step(step, true);
    }
    if (!isTokens(scope)) return;
    const left = unwrap(parseScopes(scope, "scope"));
    const isLess = MODALITIES.some(
      (modality) => !this.#givenUp.has(modality) && !permitsSending(left, modality),
    );
    if (isLess) this.withdrawn({ leg: own, scope, expires_at: expiresAt ?? this.#present.expires_at });
  }

  /**
   * The server says that an end may do less. Nobody signed that, so the terms stay; but what the server would refuse is not worth sending.
   */
  withdrawn({ leg, scope, expires_at: expiresAt }: JsonObject): void {
    if ((leg !== 0 && leg !== 1) || !isTokens(scope) || typeof expiresAt !== "number") return;
    const left = unwrap(parseScopes(scope, "scope"));
    if (leg === this.#options.session.leg) {
      this.#options.media.underAuthority(left.limits);
      const lost = MODALITIES.filter((modality) => !permitsSending(left, modality));
      this.#giveUpOnly([...this.#givenUp, ...lost]);
    }
    this.#options.narrowed({ leg, scope, expiresAt: expiresAt * 1000 });
  }

  async #send(
    terms: Terms,
    scope: readonly string[],
    at: { readonly method: "ADJUST" | "CLOSE"; readonly path: string } = {
      method: "ADJUST",
      path: `/sessions/${this.#options.session.sessionId}`,
    },
  ): Promise<void> {
    const { session, control, identity, wall } = this.#options;
    const { leg, sessionId } = session;
    const closed = closedOf(terms);
    const narrowing = await makeNarrowing(
      {
        v: 1,
        session_id: sessionId,
        session_digest: encodeHex(session.sessionDigest),
        leg,
        number: terms.number,
        scope,
        ...(closed.length === 0 ? {} : { closed }),
        last_audit_id: control.lastAuditIdOf(sessionId),
        iat: Math.floor(wall() / 1000),
      },
      identity.signer,
    );
    const asked = { digest: narrowingDigest(narrowing), terms, scope };
    this.#inFlight = this.#insist(narrowing, asked, at).then(() => {
      this.#adopt(terms, { number: terms.number, leg, scope, by: this.#options.agentId });
    });
    await this.#inFlight;
  }

  /** Asks until the server answers, and resolves when it has the narrowing on record. */
  async #insist(
    narrowing: string,
    asked: AskedNarrowing,
    at: { readonly method: string; readonly path: string },
  ): Promise<void> {
    const { control, clock, isOver } = this.#options;
    const { digest } = asked;
    let mayBeTaken = false;
    this.#unanswered = asked;
    for (;;) {
      try {
        const parameters = { narrowing };
        const answer = await control.request({ ...at, parameters, timeout: ANSWER_MS });
        requireRecorded(answer, "narrowing", digest);
        return;
      } catch (error) {
        if (!(error instanceof ParleyError) || isOver()) throw error;
        // What took its place may be this very narrowing, its answer not waited for.
        if (mayBeTaken && error.code === "terms-outdated" && (await this.isRecorded(digest))) return;
        mayBeTaken ||= isUnanswered(error);
        if (!isUnanswered(error) && !isTooEarly(error)) throw error;
        await pauseAfter(error, clock);
      }
    }
  }

  async #records(): Promise<readonly SessionRecord[]> {
    const { session, control, verifier } = this.#options;
    const server = { control, serverKey: control.serverKey, verifier };
    return await readRecords(server, session.sessionId, undefined);
  }

  #adopt(terms: Terms, event: TermsChanged): void {
    const closes = this.#present.streams
      .map(({ stream }) => stream)
      .filter((stream) => streamIn(terms, stream) === undefined);
    this.#present = terms;
    if (this.#unanswered !== undefined && this.#unanswered.terms.number <= terms.number)
      this.#unanswered = undefined;
    this.#permit(terms);
    this.#options.inForce(terms, event.leg);
    for (const wake of this.#waiters.splice(0)) wake();
    this.#options.changed(closes.length === 0 ? event : { ...event, closes });
  }

  /** Tells the media what may be sent and heard under `terms`. */
  #permit(terms: Terms): void {
    const { session, media } = this.#options;
    this.#giveUp(terms);
    const peer = session.leg === 0 ? 1 : 0;
    media.underTerms(terms.number, (modality) => mayTransmit(terms, peer, modality));
  }

  /** Sends nothing more of what `terms` do not let this end send. */
  #giveUp(terms: Terms): void {
    const { leg } = this.#options.session;
    const lost = MODALITIES.filter((modality) => !mayTransmit(terms, leg, modality));
    this.#giveUpOnly([...this.#givenUp, ...lost]);
  }

  #giveUpOnly(modalities: readonly Modality[]): void {
    const { media, keepSending } = this.#options;
    this.#givenUp.clear();
    for (const modality of modalities) this.#givenUp.add(modality);
    media.permit((modality) => keepSending || !this.#givenUp.has(modality));
  }

  /** Waits until terms of at least this number are in force, or for as long as that is worth it. */
  async #later(number: number, wait: number): Promise<void> {
    const { clock } = this.#options;
    if (this.#present.number >= number) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push(resolve);
    const cancel = clock.at(clock.now() + wait, resolve);
    await promise;
    cancel();
  }
}

function isTokens(value: JsonValue | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((token) => typeof token === "string");
}

function mayTransmit(terms: Terms, leg: 0 | 1, modality: Modality): boolean {
  return permitsSending(unwrap(parseScopes(scopeOf(terms, leg))), modality);
}
