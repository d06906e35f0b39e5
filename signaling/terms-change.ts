import { findAudioFormat } from "../codecs/audio-formats.ts";
import { canonicalize } from "../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import type { IdentitySigner, Signed, Verifier } from "../codecs/signer.ts";
import { SESSION_ID } from "./answer.ts";
import { END_REASON } from "./closing.ts";
import { DATA_RATE } from "./data-stream.ts";
import { jwsDigest, type SignedForm, signJws, verifySigned } from "./jws.ts";
import { MAX_STREAMS } from "./offer.ts";
import { OPENED_STREAMS, type OpeningRules, withOpened } from "./opened-streams.ts";
import { type LimitName, parseScopes } from "./scope.ts";
import { excessOfSettings, LIMIT_OF_SETTING } from "./sending-limits.ts";
import { DIGEST, integer, list, object, oneOf, optional, SECONDS, type Shape, UUID_V7 } from "./shape.ts";
import { PROFILE, type Profile, STREAM_ID } from "./stream-fields.ts";
import {
  type OpenedStream,
  type StreamSetting,
  streamsSentBy,
  type Terms,
  type TermsStream,
} from "./terms.ts";
import { checkSuccession, type Predecessor } from "./terms-succession.ts";
import { isCurrent } from "./validity.ts";
import {
  FRAME_RATE,
  LEAST_VIDEO_BITS_PER_SECOND,
  MOST_VIDEO_BITS_PER_SECOND,
  PIXELS,
} from "./video-stream.ts";

/** How long a change is good for, seconds: it is accepted by then, and in force, or off for good. */
const TERMS_CHANGE_SECONDS = 10;

/** What both ends may agree to have otherwise than in offer and answer. */
export type TermsSettings = {
  readonly profile: Profile;
  /** By rising leg and stream; what is not there is as in offer and answer. */
  readonly streams: readonly StreamSetting[];
  /** Streams that are open and were not in offer and answer, by rising number; new ones are opened by who asks. Absent: none. */
  readonly opened?: readonly OpenedStream[];
  /** The highest number that an opened stream ever had, these included. Absent: none was opened. */
  readonly last_stream?: number;
};

/** One end asks for other terms. `iat` is Unix seconds. */
export type TermsChangePayload = {
  readonly v: 1;
  readonly session_id: string;
  /** 64 hex digits. */
  readonly session_digest: string;
  /** Who asks, and signs. */
  readonly leg: 0 | 1;
  /** Number of the terms that this makes once the other end accepts: one more than those in force. */
  readonly number: number;
  /** UUID of version 7, new for each change. */
  readonly change_id: string;
  /** All that holds from then on, not only what is other than before: a change stands on offer and answer alone. */
  readonly settings: TermsSettings;
  /** In the words of who asks, e.g. `bandwidth`. */
  readonly reason: string;
  /** The last Audit-ID this end saw; 64 zeros when none. */
  readonly last_audit_id: string;
  readonly iat: number;
};

/** The other end agrees. `iat` is Unix seconds. */
export type TermsAcceptancePayload = {
  readonly v: 1;
  readonly session_id: string;
  /** 64 hex digits. */
  readonly session_digest: string;
  /** Who accepts, and signs: the leg that did not ask. */
  readonly leg: 0 | 1;
  /** {@link termsChangeDigest} of what is accepted. */
  readonly change_digest: string;
  readonly last_audit_id: string;
  readonly iat: number;
};

/** A verified change and the terms that it makes once it is accepted. */
export interface TermsChange {
  readonly jws: string;
  /** As records and the acceptance name it. */
  readonly digest: string;
  readonly payload: TermsChangePayload;
  readonly terms: Terms;
}

/** Signs a change with the identity key of the end that asks for it. */
export function makeTermsChange<Key extends IdentitySigner>(
  payload: TermsChangePayload,
  identity: Key,
): Signed<Key, string> {
  return signJws(TERMS_CHANGE.typ, payload, identity);
}

/** Signs the acceptance of a change with the identity key of the other end. */
export function makeTermsAcceptance<Key extends IdentitySigner>(
  payload: TermsAcceptancePayload,
  identity: Key,
): Signed<Key, string> {
  return signJws(TERMS_ACCEPTANCE.typ, payload, identity);
}

/** What a change must follow. */
export interface TermsChangeExpectation extends Predecessor {
  /** The identity key of the leg that asks. */
  readonly publicKey: Uint8Array;
  /** Changes between these terms and this one are left out: it may bring back what they had changed. */
  readonly leavesOut?: boolean;
}

/**
 * Judges a change against the terms in force and makes those that follow of it. Faults: `signature-invalid`, `field-invalid`,
 * `json-not-canonical`; `terms-outdated` when it does not make the next number, and those of {@link changedTerms}.
 */
export function verifyTermsChange(
  jws: string,
  expected: TermsChangeExpectation,
  verifier: Verifier,
): Result<TermsChange> {
  const verified = verifySigned(jws, TERMS_CHANGE, expected.publicKey, verifier);
  if (!verified.ok) return verified;
  const payload = verified.value;
  const follows = checkSuccession(payload, expected, "change");
  if (!follows.ok) return follows;
  const made = changedTerms(expected.terms, payload.settings, {
    asker: payload.leg,
    leavesOut: expected.leavesOut,
  });
  if (!made.ok) return made;
  return ok({ jws, digest: termsChangeDigest(jws), payload, terms: made.value });
}

/** Whether a change may be accepted, and come into force, at `at` (Unix milliseconds), give or take the clocks. */
export function isStillGood({ iat }: Pick<TermsChangePayload, "iat">, at: number): boolean {
  return isCurrent(iat, iat + TERMS_CHANGE_SECONDS, at);
}

/**
 * Judges the other end's acceptance of a change. Faults: `signature-invalid`, `field-invalid`, `json-not-canonical`; `change-unanswered` for
 * one that was signed when the change was off.
 */
export function verifyTermsAcceptance(
  jws: string,
  expected: {
    /** The identity key of the leg that accepts. */
    readonly publicKey: Uint8Array;
    /** What was asked. */
    readonly change: Pick<TermsChange, "digest" | "payload">;
  },
  verifier: Verifier,
): Result<TermsAcceptancePayload> {
  const verified = verifySigned(jws, TERMS_ACCEPTANCE, expected.publicKey, verifier);
  if (!verified.ok) return verified;
  const payload = verified.value;
  const { change } = expected;
  const isSame =
    payload.session_id === change.payload.session_id &&
    payload.session_digest === change.payload.session_digest;
  if (!isSame) {
    return refuse("field-invalid", "This is of another session.", "acceptance.session_digest");
  }
  if (payload.leg === change.payload.leg) {
    return refuse("field-invalid", "Nobody accepts what is asked by oneself.", "acceptance.leg");
  }
  if (payload.change_digest !== change.digest) {
    return refuse("field-invalid", "This accepts another change.", "acceptance.change_digest");
  }
  if (!isStillGood(change.payload, payload.iat * 1000)) {
    return refuse("change-unanswered", "The change was off when this was signed.", "acceptance.iat");
  }
  return ok(payload);
}

/**
 * The terms that follow when both ends want `settings`. Faults: `field-invalid` for what names a stream that its leg does not
 * send, is not in order, is not for its codec or changes nothing; `limit-exceeded` for more than the scope of who sends allows; those of {@link withOpened}.
 */
export function changedTerms(terms: Terms, settings: TermsSettings, rules: OpeningRules = {}): Result<Terms> {
  const made = withOpened(terms, settings, rules);
  if (!made.ok) return made;
  for (const [at, setting] of settings.streams.entries()) {
    const place = `change.settings.streams[${at}]`;
    const before = settings.streams[at - 1];
    if (before !== undefined && orderOf(before) >= orderOf(setting)) {
      return refuse("field-invalid", "Settings stand by rising leg and stream, each once.", place);
    }
    const checked = checkSetting(made.value, setting, place);
    if (!checked.ok) return checked;
  }
  if (rules.leavesOut !== true && canonicalize(settingsOf(terms)) === canonicalize(settings)) {
    return refuse("field-invalid", "This changes nothing.", "change.settings");
  }
  const { settings: _, ...rest } = made.value;
  return ok({
    ...rest,
    number: terms.number + 1,
    profile: settings.profile,
    ...(settings.streams.length === 0 ? {} : { settings: settings.streams }),
  });
}

/** What both ends agreed to have otherwise than in offer and answer, as a change says it. */
export function settingsOf({ profile, settings = [], opened, last_stream: last }: Terms): TermsSettings {
  return {
    ...{ profile, streams: settings },
    ...(opened === undefined ? {} : { opened }),
    ...(last === undefined ? {} : { last_stream: last }),
  };
}

/** The one stream whose sending is all that differs; `undefined` where there is more, or nothing. What was opened is not looked at. */
export function streamChanged(before: TermsSettings, after: TermsSettings): number | undefined {
  if (before.profile !== after.profile) return undefined;
  const saidOf = ({ streams }: TermsSettings, stream: number) =>
    canonicalize(streams.filter((setting) => setting.stream === stream));
  const named = new Set([...before.streams, ...after.streams].map(({ stream }) => stream));
  const changed = [...named].filter((stream) => saidOf(before, stream) !== saidOf(after, stream));
  return changed.length === 1 ? changed[0] : undefined;
}

/** `settings` with further streams open, which whoever asks for them opens. */
export function withStreams(settings: TermsSettings, streams: readonly OpenedStream[]): TermsSettings {
  if (streams.length === 0) return settings;
  const opened = [...(settings.opened ?? []), ...streams].toSorted((a, b) => a.offer.stream - b.offer.stream);
  const last = Math.max(settings.last_stream ?? 0, ...streams.map(({ offer }) => offer.stream));
  return { ...settings, opened, last_stream: last };
}

/** What was agreed of how `leg` sends a stream; `undefined` where nothing beyond offer and answer was. */
export function settingOf({ settings = [] }: Terms, leg: 0 | 1, stream: number): StreamSetting | undefined {
  return settings.find((each) => each.leg === leg && each.stream === stream);
}

/** `settings` with those of one stream replaced: what was said of it before holds where `setting` does not say otherwise. */
export function withSetting(settings: TermsSettings, setting: StreamSetting): TermsSettings {
  const before = settings.streams.find((each) => orderOf(each) === orderOf(setting));
  const others = settings.streams.filter((each) => each !== before);
  return {
    ...settings,
    streams: [...others, { ...before, ...setting }].toSorted((a, b) => orderOf(a) - orderOf(b)),
  };
}

/** SHA-256 of a change's compact form, 64 hex digits. */
export function termsChangeDigest(jws: string): string {
  return jwsDigest(jws);
}

function checkSetting(terms: Terms, setting: StreamSetting, place: string): Result<void> {
  const { leg, stream, bitrate_bps: bitrate, redundancy } = setting;
  const agreed = streamsSentBy(terms, leg).find((each) => each.stream === stream);
  if (agreed === undefined) {
    return refuse("field-invalid", "This leg sends no such stream.", `${place}.stream`);
  }
  const said = SETTINGS_OF.all.filter((name) => setting[name] !== undefined);
  if (said.length === 0) return refuse("field-invalid", "This says nothing of the stream.", place);
  const stray = said.find((name) => !SETTINGS_OF[agreed.modality].includes(name));
  if (stray !== undefined) {
    return refuse("field-invalid", `That is not for ${agreed.modality}.`, `${place}.${stray}`);
  }
  if ((redundancy ?? 0) > 0 && agreed.modality === "audio" && agreed.codec.red_payload_type === undefined) {
    return refuse("field-invalid", "No payload type was agreed for that.", `${place}.redundancy`);
  }
  const { least, most } = bitrateRange(agreed);
  if (bitrate !== undefined && (bitrate < least || bitrate > most)) {
    const message = `The stream takes ${least} to ${most} bit/s.`;
    return refuse("field-invalid", message, `${place}.bitrate_bps`);
  }
  const raised = agreed.modality === "video" ? raisedCap(agreed, setting) : undefined;
  if (raised !== undefined) {
    return refuse("field-invalid", "The codec was taken with less.", `${place}.${raised}`);
  }
  const scope = parseScopes(terms.legs.find((each) => each.leg === leg)?.scope ?? [], "terms.scope");
  if (!scope.ok) return scope;
  const excess = excessOfSettings({ settings: [setting] }, leg, scope.value.limits);
  if (excess === undefined) return ok(undefined);
  const name = said.find((each) => LIMITS[each] === excess.limit);
  return refuse("limit-exceeded", "The scope of who sends caps it.", `${place}.${name}`, { ...excess });
}

/** The cap that a setting puts above what the answer took of the codec. */
function raisedCap(
  { codec }: Extract<TermsStream, { modality: "video" }>,
  { max_height: height = 0, max_frame_rate: rate = 0 }: StreamSetting,
): "max_height" | "max_frame_rate" | undefined {
  if (height > codec.max_height) return "max_height";
  return rate > codec.max_frame_rate ? "max_frame_rate" : undefined;
}

/** Bits of payload a second that a stream may be agreed to take. */
function bitrateRange(agreed: TermsStream): { readonly least: number; readonly most: number } {
  switch (agreed.modality) {
    case "audio": {
      const format = findAudioFormat(agreed.codec.name);
      return {
        least: format?.leastBitsPerSecond ?? 1,
        // As much again for each payload that goes twice.
        most: (format?.maxBytesPerSecond ?? MOST_BITRATE / 8) * 8 * (1 + MOST_REDUNDANCY),
      };
    }
    case "video":
      return { least: LEAST_VIDEO_BITS_PER_SECOND, most: MOST_VIDEO_BITS_PER_SECOND };
    case "data":
      return { least: LEAST_DATA_BITS_PER_SECOND, most: DATA_RATE.bytesPerSecond * 8 };
  }
}

function orderOf({ leg, stream }: Pick<StreamSetting, "leg" | "stream">): number {
  return leg * 2 ** 32 + stream;
}

const MOST_BITRATE = 10_000_000;
const MOST_REDUNDANCY = 2;
/** Of data: enough for a message now and then. */
const LEAST_DATA_BITS_PER_SECOND = 1_000;

type SettingName = Exclude<keyof StreamSetting, "leg" | "stream">;

/** What can be agreed on of a stream, by modality. */
const SETTINGS_OF: Readonly<Record<TermsStream["modality"] | "all", readonly SettingName[]>> = {
  all: ["bitrate_bps", "redundancy", "max_height", "max_frame_rate"],
  audio: ["bitrate_bps", "redundancy"],
  video: ["bitrate_bps", "max_height", "max_frame_rate"],
  data: ["bitrate_bps"],
};

/** The cap of a scope that each is held to. */
const LIMITS: Readonly<Partial<Record<SettingName, LimitName>>> = LIMIT_OF_SETTING;

const STREAM_SETTING: Shape<StreamSetting> = object<StreamSetting>({
  leg: oneOf(0, 1),
  stream: STREAM_ID,
  bitrate_bps: optional(integer(1, MOST_BITRATE)),
  redundancy: optional(oneOf(0, 1, 2)),
  max_height: optional(PIXELS),
  max_frame_rate: optional(FRAME_RATE),
});

const SETTINGS: Shape<TermsSettings> = object<TermsSettings>({
  profile: PROFILE,
  streams: list(STREAM_SETTING, { max: 2 * MAX_STREAMS }),
  opened: optional(OPENED_STREAMS),
  last_stream: optional(STREAM_ID),
});

export const TERMS_CHANGE: SignedForm<TermsChangePayload> = {
  typ: "parley-terms-change+jwt",
  name: "change",
  shape: object<TermsChangePayload>({
    v: oneOf(1),
    session_id: SESSION_ID,
    session_digest: DIGEST,
    leg: oneOf(0, 1),
    number: integer(2, 2 ** 32),
    change_id: UUID_V7,
    settings: SETTINGS,
    reason: END_REASON,
    last_audit_id: DIGEST,
    iat: SECONDS,
  }),
};

export const TERMS_ACCEPTANCE: SignedForm<TermsAcceptancePayload> = {
  typ: "parley-terms-acceptance+jwt",
  name: "acceptance",
  shape: object<TermsAcceptancePayload>({
    v: oneOf(1),
    session_id: SESSION_ID,
    session_digest: DIGEST,
    leg: oneOf(0, 1),
    change_digest: DIGEST,
    last_audit_id: DIGEST,
    iat: SECONDS,
  }),
};
