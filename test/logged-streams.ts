/**
 * A call as the log keeps it in which streams were opened and closed while it was up: both ends open some, each closes one of the other's or of
 * the offer's, and the voices go on through it all.
 */
import { encodeHex } from "../codecs/hex.ts";
import { makeClosing } from "../signaling/closing.ts";
import { jwsDigest } from "../signaling/jws.ts";
import { type TermsStep, takeStep } from "../signaling/latest-terms.ts";
import { closedOf, makeNarrowing, narrowingDigest, scopeOf } from "../signaling/narrowing.ts";
import { deriveTerms, type OpenedStream, type Terms } from "../signaling/terms.ts";
import {
  makeTermsAcceptance,
  makeTermsChange,
  settingsOf,
  type TermsSettings,
  termsChangeDigest,
  withSetting,
  withStreams,
} from "../signaling/terms-change.ts";
import { strictVerifier } from "./keys.ts";
import { CallLog, ENDS, type LoggedCall } from "./logged-call.ts";
import { AUDIO_STREAM, DATA_STREAM, type Speech, speak } from "./logged-speech.ts";
import { CALL_SECONDS, CALL_TIME, ZERO_DIGEST } from "./signed-call.ts";

/** What is opened: by the caller, by the callee, and by the caller again once the first is closed. */
export const TOKENS = 2;
export const MUSIC = 3;
export const LATER = 4;

/** Values of which the latest counts, both ways. */
export function latestValues(stream: number, by: 0 | 1): OpenedStream {
  const delivery = { label: `values ${stream}`, delivery: "latest", deadline_ms: 200 } as const;
  const common = { stream, modality: "data", direction: "sendrecv", ...delivery } as const;
  const format = { name: "json", payload_type: 98 };
  return {
    by,
    offer: { ...common, ssrc: 1_000 + stream, formats: [format] },
    answer: { ...common, ssrc: 2_000 + stream, format },
  };
}

/** Sound that its opener sends. */
export function music(stream: number, by: 0 | 1): OpenedStream {
  const codec = { name: "pcmu", clock_rate: 8_000, channels: 1, payload_type: 0 } as const;
  const common = { stream, modality: "audio" } as const;
  return {
    by,
    offer: { ...common, direction: "sendonly", ssrc: 1_000 + stream, codecs: [{ ...codec, frame_ms: [20] }] },
    answer: { ...common, direction: "recvonly", ssrc: 2_000 + stream, codec: { ...codec, frame_ms: 20 } },
  };
}

export interface LoggedStreamsOptions {
  /** Which call. 1 to 9, default 1. */
  readonly number?: number;
  /** Legs that send a closing statement. Default both. */
  readonly closes?: readonly (0 | 1)[];
}

export function loggedStreams(options: LoggedStreamsOptions = {}): LoggedCall {
  const { number = 1, closes = [0, 1] } = options;
  const log = new CallLog(number);
  const steps = new Steps(log);
  const said = (leg: 0 | 1, stream: number) =>
    speak({
      ...{ leg, stream, sessionDigest: log.core.digest, rounds: 1, frames: 2, spokenAfter: 0 },
    });
  const speech = [
    ...[AUDIO_STREAM, DATA_STREAM, TOKENS, LATER].flatMap((stream) => [said(0, stream), said(1, stream)]),
    said(1, MUSIC),
  ];
  for (const { leg, statements } of speech)
    for (const { kind, of, bytes } of statements) log.keep(kind, of === "speaker" ? leg : 1 - leg, bytes);
  steps.change(0, withStreams(steps.settings, [latestValues(TOKENS, 0)]));
  steps.change(1, withStreams(steps.settings, [music(MUSIC, 1)]));
  steps.close(1, [TOKENS], speech);
  steps.close(0, [DATA_STREAM], speech);
  const slower = { leg: 0, stream: AUDIO_STREAM, bitrate_bps: 16_000 } as const;
  steps.change(0, withSetting(withStreams(steps.settings, [latestValues(LATER, 0)]), slower));
  log.record({ status: 200, method: "TERMINATE", path: log.path });
  for (const leg of closes) log.keep("closing", leg, closing(log, leg, speech));
  const counters = speech.map(({ leg, stream, sent, lastOfEpoch }) => ({
    ...{ leg, stream, admitted: sent.frames, lastSequence: lastOfEpoch.at(-1) ?? 0 },
  }));
  return { ...log.finish(counters), core: log.core, kept: speech.flatMap(({ kept }) => kept) };
}

/** What makes the terms of a logged call others, signed, kept and recorded as a server does. */
class Steps {
  readonly #log: CallLog;
  #terms: Terms;

  constructor(log: CallLog) {
    this.#log = log;
    this.#terms = deriveTerms(log.offer, log.answer);
  }

  get settings(): TermsSettings {
    return settingsOf(this.#terms);
  }

  change(leg: 0 | 1, settings: TermsSettings): void {
    const other = leg === 0 ? 1 : 0;
    const number = this.#terms.number + 1;
    const change_id = `019b76da-c6e8-7000-8000-${String(number).padStart(12, "0")}`;
    const asked = { ...this.#common(leg), number, change_id, settings, reason: "more" };
    const change = makeTermsChange(asked, ENDS[leg].identity);
    const accepted = { ...this.#common(other), change_digest: termsChangeDigest(change) };
    const acceptance = makeTermsAcceptance(accepted, ENDS[other].identity);
    this.#log.keep("terms-change", leg, change);
    this.#log.keep("terms-acceptance", other, acceptance);
    const digests = { terms_change: termsChangeDigest(change), terms_acceptance: jwsDigest(acceptance) };
    const extra = { change_id, leg, number, ...digests };
    this.#log.record({ status: 200, method: "CONFIRM", path: this.#log.path, event: "terms-changed", extra });
    this.#take({ change, acceptance });
  }

  close(leg: 0 | 1, streams: readonly number[], speech: readonly Speech[]): void {
    const number = this.#terms.number + 1;
    const scope = scopeOf(this.#terms, leg);
    const closed = closedOf(this.#terms, streams);
    const narrowing = makeNarrowing({ ...this.#common(leg), number, scope, closed }, ENDS[leg].identity);
    this.#log.keep("narrowing", leg, narrowing);
    const gone = speech.filter(({ stream }) => streams.includes(stream));
    const letThrough = (said: readonly Speech[]) =>
      said.map(({ leg: speaker, stream, lastOfEpoch }) => ({
        leg: speaker,
        stream,
        last_sequence: lastOfEpoch.at(-1) ?? null,
      }));
    // To who closes a stream nothing comes any more; what it had said may yet be on its way.
    const heard = gone.filter((said) => said.leg !== leg);
    const extra = {
      ...{ number, leg, scope, closes: [...streams], streams: letThrough(heard) },
      narrowing: narrowingDigest(narrowing),
    };
    this.#log.record({ status: 200, method: "CLOSE", path: this.#log.path, event: "terms-narrowed", extra });
    this.#take({ narrowing });
    this.#log.record({ status: 0, event: "stream-closed", extra: { streams: letThrough(gone) } });
  }

  #take(step: TermsStep): void {
    const owners = {
      publicKeys: [ENDS[0].identity.publicKey, ENDS[1].identity.publicKey],
      sessionDigest: this.#log.core.digest,
    } as const;
    const taken = takeStep(this.#terms, step, owners, strictVerifier);
    // What does not follow is kept all the same: an auditor finds it.
    if (taken.ok) this.#terms = taken.value.terms;
  }

  #common<Leg extends 0 | 1>(leg: Leg) {
    return {
      v: 1,
      session_id: this.#log.sessionId,
      session_digest: encodeHex(this.#log.core.digest),
      leg,
      last_audit_id: this.#log.auditIds.at(-1) ?? ZERO_DIGEST,
      iat: CALL_SECONDS,
    } as const;
  }
}

function closing(log: CallLog, leg: 0 | 1, speech: readonly Speech[]): string {
  const sent = speech.filter((said) => said.leg === leg);
  const heard = speech.filter((said) => said.leg !== leg);
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  const frames = sum(heard.map((said) => said.sent.frames));
  return makeClosing(
    {
      ...{ v: 1, session_id: log.sessionId, session_digest: encodeHex(log.core.digest), leg, reason: "done" },
      last_audit_id: log.auditIds.at(leg - 2) as string,
      totals: {
        sent: {
          frames: sum(sent.map((said) => said.sent.frames)),
          checkpoints: sum(sent.map((said) => said.sent.checkpoints)),
        },
        received: {
          ...{ frames, heard: frames, concealed: 0, late: 0, refused: 0 },
          receipts: sum(heard.map(({ receipts }) => receipts)),
        },
      },
      iat: CALL_TIME / 1000,
    },
    ENDS[leg].identity,
  );
}
