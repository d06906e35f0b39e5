import type { JsonObject, JsonValue } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { encodeHex } from "../codecs/hex.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Verifier } from "../codecs/signer.ts";
import { readRecord } from "../signaling/attribution.ts";
import { readSigned } from "../signaling/jws.ts";
import {
  latestTerms,
  makeNarrowing,
  NARROWING,
  narrowedTerms,
  narrowingDigest,
  scopeOf,
  verifyNarrowing,
} from "../signaling/narrowing.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import { formatScopes, type Modality, parseScopes, permitsSending } from "../signaling/scope.ts";
import type { Terms } from "../signaling/terms.ts";
import { ANSWER_MS, isTooEarly, isUnanswered, pauseAfter } from "./asking-again.ts";
import type { CallRequests } from "./call-control.ts";
import type { CallMedia } from "./call-media.ts";
import { readRecords, requireRecorded } from "./call-records.ts";
import type { AgentIdentity } from "./identity.ts";
import { unwrap } from "./unwrap.ts";

/** Times a narrowing is signed anew because the other end was quicker, and how long its event is waited for, ms. */
const NARROWING_TRIES = 5;
const TERMS_WAIT_MS = 2_000;
/** Refusals that say that there is no such narrowing: then nothing was given up. */
const INVALID: ReadonlySet<string> = new Set([
  ...["scope-violation", "limit-exceeded", "scope-malformed", "field-invalid"],
]);
/** What a call can carry. */
const MODALITIES = ["audio", "data"] as const satisfies readonly Modality[];

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
  /** What this end sends no more of in this call, whatever the server says to that. */
  readonly #givenUp = new Set<Modality>();

  constructor(options: CallTermsOptions) {
    this.#options = options;
    this.#present = options.session.terms;
    // Where another process had the call before, its ends may have given something up.
    this.#permit(this.#present);
  }

  get present(): Terms {
    return this.#present;
  }

  async narrow(wanted: readonly string[]): Promise<void> {
    const scope = formatScopes(unwrap(parseScopes(wanted, "scope")));
    const { leg } = this.#options.session;
    for (let tries = 1; ; tries += 1) {
      const { terms } = unwrap(narrowedTerms(this.#present, leg, scope));
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
        await this.#later(terms.number);
      }
    }
  }

  /** Learns whether a narrowing that was never answered is in force. Throws as `readRecords`; then it is not known yet. */
  async #settle(): Promise<void> {
    const { session, identity } = this.#options;
    const asked = this.#unanswered;
    if (asked === undefined || !(await this.#isRecorded(asked.digest)) || this.#unanswered !== asked) return;
    const { terms, scope } = asked;
    this.#adopt(terms, { number: terms.number, leg: session.leg, scope, by: identity.agentId });
  }

  /** The server says that the other end narrowed its scope. */
  async changed(fields: JsonObject): Promise<void> {
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
    this.#adopt(terms, { number: terms.number, leg, scope: payload.scope, by: peer.agentId });
  }

  /** What the server says when this end's media flows again: narrowings that it may not have been told, and what it may do itself. */
  async caughtUp({ narrowings, authority_scope: scope, expires_at: expiresAt }: JsonObject): Promise<void> {
    await this.#inFlight.catch(() => undefined);
    const { session, identity, publicKey: mine, verifier } = this.#options;
    const { peer, leg: own, sessionDigest } = session;
    for (const jws of isTokens(narrowings) ? narrowings : []) {
      const { leg, number, scope } = unwrap(readSigned(jws, NARROWING));
      if (number <= this.#present.number) continue;
      const theirs = peer.genesis.agentKey;
      const publicKeys = own === 0 ? ([mine, theirs] as const) : ([theirs, mine] as const);
      const terms = unwrap(latestTerms(this.#present, [jws], { publicKeys, sessionDigest }, verifier));
      this.#adopt(terms, { number, leg, scope, by: leg === own ? identity.agentId : peer.agentId });
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
      const lost = MODALITIES.filter((modality) => !permitsSending(left, modality));
      this.#giveUpOnly([...this.#givenUp, ...lost]);
    }
    this.#options.narrowed({ leg, scope, expiresAt: expiresAt * 1000 });
  }

  async #send(terms: Terms, scope: readonly string[]): Promise<void> {
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
    const asked = { digest: narrowingDigest(narrowing), terms, scope };
    this.#inFlight = this.#insist(narrowing, asked).then(() => {
      this.#adopt(terms, { number: terms.number, leg, scope, by: identity.agentId });
    });
    await this.#inFlight;
  }

  /** Asks until the server answers, and resolves when it has the narrowing on record. */
  async #insist(narrowing: string, asked: AskedNarrowing): Promise<void> {
    const { session, control, clock, isOver } = this.#options;
    const path = `/sessions/${session.sessionId}`;
    const { digest } = asked;
    let mayBeTaken = false;
    this.#unanswered = asked;
    for (;;) {
      try {
        const parameters = { narrowing };
        const answer = await control.request({ method: "ADJUST", path, parameters, timeout: ANSWER_MS });
        requireRecorded(answer, "narrowing", digest);
        return;
      } catch (error) {
        if (!(error instanceof ParleyError) || isOver()) throw error;
        // What took its place may be this very narrowing, its answer not waited for.
        if (mayBeTaken && error.code === "terms-outdated" && (await this.#isRecorded(digest))) return;
        mayBeTaken ||= isUnanswered(error);
        if (!isUnanswered(error) && !isTooEarly(error)) throw error;
        await pauseAfter(error, clock);
      }
    }
  }

  async #isRecorded(digest: string): Promise<boolean> {
    const { session, control, verifier } = this.#options;
    const server = { control, serverKey: control.serverKey, verifier };
    const records = await readRecords(server, session.sessionId, undefined);
    return records.some(({ jws }) => unwrap(readRecord(jws)).extra?.narrowing === digest);
  }

  #adopt(terms: Terms, event: TermsChanged): void {
    this.#present = terms;
    if (this.#unanswered !== undefined && this.#unanswered.terms.number <= terms.number)
      this.#unanswered = undefined;
    this.#permit(terms);
    for (const wake of this.#waiters.splice(0)) wake();
    this.#options.changed(event);
  }

  /** Tells the media what may be sent and heard under `terms`. */
  #permit(terms: Terms): void {
    const { session, media } = this.#options;
    this.#giveUp(terms);
    const peer = session.leg === 0 ? 1 : 0;
    media.receiver?.underTerms(terms.number, mayTransmit(terms, peer, "audio"));
    media.messages.receiver?.underTerms(terms.number, mayTransmit(terms, peer, "data"));
  }

  /** Sends nothing more of what `terms` do not let this end send. */
  #giveUp(terms: Terms): void {
    const { leg } = this.#options.session;
    const lost = MODALITIES.filter((modality) => !mayTransmit(terms, leg, modality));
    this.#giveUpOnly([...this.#givenUp, ...lost]);
  }

  #giveUpOnly(modalities: readonly Modality[]): void {
    const { media, keepSending } = this.#options;
    const { sender, messages } = media;
    this.#givenUp.clear();
    for (const modality of modalities) this.#givenUp.add(modality);
    if (sender !== undefined) sender.permitted = keepSending || !this.#givenUp.has("audio");
    if (messages.sender !== undefined) messages.sender.permitted = keepSending || !this.#givenUp.has("data");
  }

  /** Waits until terms of at least this number are in force, or for as long as that is worth it. */
  async #later(number: number): Promise<void> {
    const { clock } = this.#options;
    if (this.#present.number >= number) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push(resolve);
    const cancel = clock.at(clock.now() + TERMS_WAIT_MS, resolve);
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
