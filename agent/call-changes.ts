import type { JsonObject } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { encodeHex } from "../codecs/hex.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Verifier } from "../codecs/signer.ts";
import { jwsDigest } from "../signaling/jws.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import { type Profile, sends } from "../signaling/stream-fields.ts";
import type { OpenedStream, StreamSetting, Terms } from "../signaling/terms.ts";
import {
  changedTerms,
  isStillGood,
  makeTermsAcceptance,
  makeTermsChange,
  settingsOf,
  streamChanged,
  type TermsChange,
  type TermsChangePayload,
  type TermsSettings,
  termsChangeDigest,
  verifyTermsChange,
  withSetting,
  withStreams,
} from "../signaling/terms-change.ts";
import { ANSWER_MS, isTooEarly, isUnanswered, pauseAfter } from "./asking-again.ts";
import type { CallRequests } from "./call-control.ts";
import { requireRecorded } from "./call-records.ts";
import type { CallTerms } from "./call-terms.ts";
import type { ControlAnswer } from "./control.ts";
import type { AgentIdentity } from "./identity.ts";
import { type AskedStream, askedStreams } from "./stream-opening.ts";
import { unwrap } from "./unwrap.ts";

/** How long the answer to a change may take, ms: the other end has 5 s at the server. */
const CHANGE_MS = 7_000;
/** Times a change is signed anew because other terms came into force meanwhile, and times a request is sent again. */
const CHANGE_TRIES = 5;
const REQUEST_TRIES = 4;
/** How long an end that is asked waits for the terms that the question follows, ms. */
const CATCH_UP_MS = 1_000;
/** How long an end that missed the answer to its question waits to be told of what came of it, ms. */
const TOLD_MS = 2_000;
/** What an asking end says of a change where nobody says why. */
const NO_REASON = "unspecified";

/** What a call is to have otherwise. What is not named stays as it is. */
export interface WantedChange {
  readonly profile?: Profile;
  readonly streams?: readonly WantedSetting[];
}

/** What one stream is to have otherwise. */
export interface WantedSetting {
  /** Whose: 0 the caller's, 1 the callee's. Default: this end's. */
  readonly leg?: 0 | 1;
  /** Default: that end's first stream of audio. */
  readonly stream?: number;
  /** Bits of payload a second at most, what goes twice included. */
  readonly bitrate?: number;
  /** Of audio: earlier payloads that each packet brings once more. */
  readonly redundancy?: 0 | 1 | 2;
  /** Of video: lines, and frames a second, at most. */
  readonly maxHeight?: number;
  readonly maxFrameRate?: number;
}

/** What the other end asks for; its signature was checked. */
export interface ProposedChange {
  readonly changeId: string;
  /** In the words of who asks. */
  readonly reason: string;
  /** Whose streams are this end's. */
  readonly leg: 0 | 1;
  /** In force. */
  readonly present: Terms;
  /** What they would be. */
  readonly wanted: Terms;
}

/** A change that nobody has answered yet: within 5 s, or it is off for good. */
export interface AskedChange extends ProposedChange {
  /** Signs the acceptance. Resolves when the terms are in force; throws `target-not-found` when the question is off. */
  accept(): Promise<void>;
  reject(reason?: string): Promise<void>;
}

/** Decides on what the other end asks for: taken, refused, or left to the listeners of `change-asked`. */
export type ChangePolicy = (proposed: ProposedChange) => "accept" | "reject" | "ask";

export interface CallChangesOptions {
  readonly session: CheckedSession;
  readonly control: CallRequests;
  readonly identity: AgentIdentity;
  readonly clock: Clock;
  /** Unix milliseconds. */
  readonly wall: () => number;
  readonly verifier: Verifier;
  readonly terms: CallTerms;
  readonly policy: ChangePolicy;
  /** Called before both ends can have signed: the other one may go by such terms before this end is told that they are in force. */
  readonly expected: (terms: Terms) => void;
  /** Whether a stream that the other end opens is wanted. */
  readonly takes: (asked: AskedStream) => boolean | Promise<boolean>;
  /** The server told where streams lie that were opened, in this answer. */
  readonly laidOut: (told: JsonObject) => void;
  readonly report: (error: unknown) => void;
  readonly isOver: () => boolean;
  /** Somebody has to answer. False: nobody is there who could. */
  readonly asked: (event: AskedChange) => boolean;
}

/** What a change is asked with, or answered. */
interface RequestPlace {
  readonly method: "ADJUST" | "OPEN" | "CONFIRM";
  readonly path: string;
}

/** Changes of a call's terms that both ends sign: what this one asks for, and what it answers. */
export class CallChanges {
  readonly #options: CallChangesOptions;
  /** One at a time: each follows the terms that the one before it made. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: CallChangesOptions) {
    this.#options = options;
  }

  /** Asks the other end, and resolves with the terms that hold what is wanted. Throws as `Call.propose`. */
  async propose(wanted: WantedChange, reason = NO_REASON): Promise<Terms> {
    const asked = this.#last.then(() => this.#propose(wanted, reason));
    this.#last = asked.catch(() => undefined);
    return await asked;
  }

  /** Opens the streams that `make` makes for the terms in force, and resolves with their numbers once the other end has taken them. */
  async open(make: (present: Terms) => readonly OpenedStream[], reason = NO_REASON): Promise<number[]> {
    const opened = this.#last.then(async () => {
      let streams: readonly OpenedStream[] = [];
      await this.#agree(
        (present) => {
          streams = make(present);
          return withStreams(settingsOf(present), streams);
        },
        reason,
        () => ({ method: "OPEN", path: `${this.#path}/streams` }),
      );
      return streams.map(({ offer }) => offer.stream);
    });
    this.#last = opened.catch(() => undefined);
    return await opened;
  }

  async #propose(wanted: WantedChange, reason: string): Promise<Terms> {
    const make = (present: Terms) => this.#settings(present, wanted);
    return await this.#agree(make, reason, (before, after) => {
      const stream = streamChanged(before, after);
      const path = stream === undefined ? this.#path : `${this.#path}/streams/${stream}`;
      return { method: "ADJUST", path };
    });
  }

  async #agree(
    make: (present: Terms) => TermsSettings,
    reason: string,
    placeOf: (before: TermsSettings, after: TermsSettings) => RequestPlace,
  ): Promise<Terms> {
    const { terms, session } = this.#options;
    for (let tries = 1; ; tries += 1) {
      const { present } = terms;
      const settings = make(present);
      const before = settingsOf(present);
      if (JSON.stringify(settings) === JSON.stringify(before)) return present;
      unwrap(changedTerms(present, settings, { asker: session.leg }));
      try {
        await this.#ask(present, settings, reason, placeOf(before, settings));
        return terms.present;
      } catch (error) {
        const isOvertaken =
          error instanceof ParleyError &&
          (error.code === "terms-outdated" || error.code === "change-pending");
        if (!isOvertaken || tries === CHANGE_TRIES || this.#options.isOver()) throw error;
        const { number } = error.details;
        await terms.reached(typeof number === "number" ? number : present.number + 1, CATCH_UP_MS);
      }
    }
  }

  #settings(present: Terms, { profile, streams = [] }: WantedChange): TermsSettings {
    const { leg: own } = this.#options.session;
    const before = { ...settingsOf(present), ...(profile === undefined ? {} : { profile }) };
    return streams.reduce((settings, wanted) => {
      const {
        leg = own,
        stream = voiceOf(present, leg),
        bitrate,
        redundancy,
        maxHeight,
        maxFrameRate,
      } = wanted;
      const setting: StreamSetting = {
        leg,
        stream,
        ...(bitrate === undefined ? {} : { bitrate_bps: Math.round(bitrate) }),
        ...(redundancy === undefined ? {} : { redundancy }),
        ...(maxHeight === undefined ? {} : { max_height: maxHeight }),
        ...(maxFrameRate === undefined ? {} : { max_frame_rate: maxFrameRate }),
      };
      return withSetting(settings, setting);
    }, before);
  }

  async #ask(present: Terms, settings: TermsSettings, reason: string, at: RequestPlace): Promise<void> {
    const { session, control, identity, wall, terms } = this.#options;
    const { leg, sessionId, sessionDigest } = session;
    const payload: TermsChangePayload = {
      v: 1,
      session_id: sessionId,
      session_digest: encodeHex(sessionDigest),
      leg,
      number: present.number + 1,
      change_id: control.freshId(),
      settings,
      reason,
      last_audit_id: control.lastAuditIdOf(sessionId),
      iat: Math.floor(wall() / 1000),
    };
    const change = await makeTermsChange(payload, identity.signer);
    const digest = termsChangeDigest(change);
    let mayBeTaken = false;
    this.#options.expected(unwrap(changedTerms(present, settings)));
    const answer = await this.#request(at, { change }, CHANGE_MS, () => {
      mayBeTaken = true;
    }).catch(async (error: unknown) => {
      if (!(error instanceof ParleyError)) throw error;
      if (NOT_TAKEN.has(error.code)) terms.off({ jws: change, payload });
      // What took its place may have followed this very change, its answer not waited for: asked anew, what it opened would be opened twice.
      if (!mayBeTaken || error.code !== "terms-outdated" || !(await terms.isRecorded(digest))) throw error;
      await terms.reached(payload.number, TOLD_MS);
      return undefined;
    });
    if (answer === undefined) return;
    requireRecorded(answer, "accepted_change", digest);
    const { acceptance } = answer.result;
    this.#options.laidOut(answer.result);
    await terms.agreed({ change, acceptance: typeof acceptance === "string" ? acceptance : "" });
  }

  /** The other end asks for a change. */
  async asked({ change: jws }: JsonObject): Promise<void> {
    const { session, terms, policy, verifier, asked } = this.#options;
    const { peer, sessionDigest, leg: own } = session;
    const leg = own === 0 ? 1 : 0;
    const text = typeof jws === "string" ? jws : "";
    const judge = () =>
      verifyTermsChange(
        text,
        { publicKey: peer.genesis.agentKey, sessionDigest, leg, terms: terms.present },
        verifier,
      );
    let change = judge();
    if (!change.ok && change.fault.code === "terms-outdated") {
      // What it follows may not be known here yet; what it does not follow any more is off.
      await terms.reached(terms.present.number + 1, CATCH_UP_MS);
      change = judge();
      if (!change.ok && change.fault.code === "terms-outdated") return;
    }
    const { payload, terms: wanted } = unwrap(change);
    const { change_id: changeId, reason } = payload;
    const proposed: ProposedChange = { changeId, reason, leg: own, present: terms.present, wanted };
    const found = unwrap(change);
    const opened = askedStreams(terms.present, wanted, own);
    if (opened.length > 0) {
      // Nobody would be asked about the rest of it.
      if (!opensAlone(terms.present, wanted)) return await quietly(this.#reject(changeId, "policy"));
      return await this.#decide(found, opened);
    }
    const verdict = policy(proposed);
    if (verdict === "accept") return await quietly(this.#accept(found));
    if (verdict === "reject") return await quietly(this.#reject(changeId, "policy"));
    const isHeard = asked({
      ...proposed,
      accept: () => this.#accept(found),
      reject: (why) => this.#reject(changeId, why),
    });
    if (!isHeard) await quietly(this.#reject(changeId, "policy"));
  }

  /** Streams that the other end opens are taken where the application wants all of them. */
  async #decide(change: TermsChange, opened: readonly AskedStream[]): Promise<void> {
    const { takes, report } = this.#options;
    const wants = await Promise.all(opened.map((stream) => takes(stream))).catch((error: unknown) => {
      report(error);
      return [false];
    });
    const isWanted = wants.every(Boolean);
    const { change_id: changeId } = change.payload;
    await quietly(isWanted ? this.#accept(change) : this.#reject(changeId, "stream-declined"));
  }

  async #accept({ jws: change, digest, payload, terms: wanted }: TermsChange): Promise<void> {
    const { session, control, identity, wall, terms } = this.#options;
    const { leg, sessionId, sessionDigest } = session;
    if (!isStillGood(payload, wall()))
      throw new ParleyError({ code: "target-not-found", message: "This change is off.", at: "change.iat" });
    const acceptance = await makeTermsAcceptance(
      {
        v: 1,
        session_id: sessionId,
        session_digest: encodeHex(sessionDigest),
        leg,
        change_digest: digest,
        last_audit_id: control.lastAuditIdOf(sessionId),
        iat: Math.floor(wall() / 1000),
      },
      identity.signer,
    );
    const parameters = { target_id: payload.change_id, status: "accepted", acceptance };
    this.#options.expected(wanted);
    let wasAsked = false;
    const answer = await this.#request(this.#confirming, parameters, ANSWER_MS, () => {
      wasAsked = true;
    }).catch((error: unknown) => {
      // Where this is the first the server hears of it, there is no such change, and never was one in force.
      const isOff = error instanceof ParleyError && error.code === "target-not-found" && !wasAsked;
      if (isOff) terms.off({ jws: change, payload });
      throw error;
    });
    if (answer.recorded.accepted_change !== digest)
      requireRecorded(answer, "terms_acceptance", jwsDigest(acceptance));
    this.#options.laidOut(answer.result);
    await terms.agreed({ change, acceptance });
  }

  get #confirming(): RequestPlace {
    return { method: "CONFIRM", path: this.#path };
  }

  get #path(): string {
    return `/sessions/${this.#options.session.sessionId}`;
  }

  async #reject(changeId: string, why: string | undefined): Promise<void> {
    const explanation = why === undefined ? {} : { explanation: why };
    const parameters = { target_id: changeId, status: "rejected", ...explanation };
    await this.#request(this.#confirming, parameters, ANSWER_MS);
  }

  /** Sent again while nobody knows whether the server took it: it knows the same object again. */
  async #request(
    at: RequestPlace,
    parameters: JsonObject,
    timeout: number,
    again: () => void = () => {},
  ): Promise<ControlAnswer> {
    const { control, clock, isOver } = this.#options;
    for (let tries = 1; ; tries += 1) {
      try {
        return await control.request({ ...at, parameters, timeout, prove: at.method === "CONFIRM" });
      } catch (error) {
        if (!(error instanceof ParleyError) || isOver() || tries === REQUEST_TRIES) throw error;
        if (!isUnanswered(error) && !isTooEarly(error)) throw error;
        again();
        await pauseAfter(error, clock);
      }
    }
  }
}

/**
 * Takes what a listener loses nothing by: any rate and redundancy of what the other end sends; of what this end sends, what is no more
 * than now or than `most` bits a second; a profile that stays as it is or is among `profiles`, and the one in which each frame proves itself.
 * The rate of a stream whose encoder does not follow (`isFollowed`) stays: what it sent beyond another one would be refused.
 */
export function withinReach(
  most: number,
  profiles: readonly Profile[],
  isFollowed: (stream: number) => boolean = () => true,
): ChangePolicy {
  return ({ leg, present, wanted }) => {
    const isKnown = [present.profile, "frame", ...profiles].includes(wanted.profile);
    const own = (terms: Terms) => (terms.settings ?? []).filter((setting) => setting.leg === leg);
    const before = own(present);
    const fits = own(wanted).every(({ stream, bitrate_bps: bitrate }) => {
      const now = before.find((setting) => setting.stream === stream)?.bitrate_bps;
      if (bitrate === undefined || bitrate === now) return true;
      return isFollowed(stream) && (bitrate <= most || (now !== undefined && bitrate <= now));
    });
    return isKnown && fits ? "accept" : "reject";
  };
}

/** Whether `wanted` has nothing otherwise than `present` but streams that it opens. */
function opensAlone(present: Terms, wanted: Terms): boolean {
  const others = ({ profile, streams }: TermsSettings) => JSON.stringify([profile, streams]);
  return others(settingsOf(present)) === others(settingsOf(wanted));
}

/** The first stream of audio that a leg sends. Throws `field-invalid` where there is none. */
function voiceOf(terms: Terms, leg: 0 | 1): number {
  const voice = terms.streams.find(
    ({ modality, directions }) => modality === "audio" && sends(directions[leg]),
  );
  if (voice !== undefined) return voice.stream;
  throw new ParleyError({ code: "field-invalid", message: "That end sends no audio.", at: "streams" });
}

/** Questions that are off by the time they are answered are nobody's failure. */
async function quietly(answered: Promise<void>): Promise<void> {
  try {
    await answered;
  } catch (error) {
    const isOff = error instanceof ParleyError && OFF.has(error.code);
    if (!isOff) throw error;
  }
}

/** The server's word that a change does not come into force. */
const NOT_TAKEN: ReadonlySet<string> = new Set(["change-unanswered", "change-rejected"]);

const OFF: ReadonlySet<string> = new Set([
  ...["target-not-found", "terms-outdated", "session-terminated", "session-state-conflict"],
  ...["connection-lost", "request-timeout", "offline", "closed"],
]);
