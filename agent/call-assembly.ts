import type { JsonObject, JsonValue } from "../codecs/canonical-json.ts";
import type { ExchangeKey } from "../codecs/chain-key.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Signer } from "../codecs/signer.ts";
import { CLOSE_CODES } from "../sfu/carrier.ts";
import type { RedundancyLevel } from "../sfu/redundancy.ts";
import { type CheckedSession, checkSession, type PeerPresentation } from "../signaling/peer-check.ts";
import { parseScopes, type ScopeLimits } from "../signaling/scope.ts";
import type { ClockStatement } from "../signaling/stream-fields.ts";
import { streamsSentBy, type Terms } from "../signaling/terms.ts";
import { adaptTo } from "./adaptation.ts";
import { VideoAgreement } from "./adaptation-video.ts";
import { type AgentContext, ownIdentity } from "./agent-context.ts";
import { Call } from "./call.ts";
import { withinReach } from "./call-changes.ts";
import { type CallConnection, openCallConnection } from "./call-connection.ts";
import { openCallMedia } from "./call-media.ts";
import type { CallOptions } from "./call-options.ts";
import { profilesOf } from "./media-offer.ts";
import type { AudioCodecOptions } from "./platform.ts";
import { type OwnVoice, SentVoice } from "./sent-voice.ts";
import { isRunnable, isTakenUnasked } from "./stream-opening.ts";
import type { StatementPlace } from "./stream-parameters.ts";
import { unwrap } from "./unwrap.ts";
import type { Withdrawal } from "./withdrawal.ts";

/** A session as one end signed it and as the server's answer to ESTABLISH or CONFIRM presents it. */
export interface AnsweredSession {
  readonly sessionId: string;
  /** This end's. */
  readonly leg: 0 | 1;
  readonly peerAgentId: string;
  readonly offer: string;
  /** Where this end did not make the answer, it stands in `result`, and so do the other end's documents. */
  readonly answer?: string;
  readonly peer?: PeerPresentation;
  readonly mediaSigner: Signer;
  readonly exchange: ExchangeKey;
  /** The server's answer. */
  readonly result: JsonObject;
}

/**
 * Checks what both ends signed and makes the call. A session that this end does not accept, or that is withdrawn before its call is
 * up, is ended at the server, so that it does not stay up at the other end. Throws `peer-untrusted`, `session-core-mismatch`,
 * `signature-invalid`, `certificate-invalid`, `cancelled`, `closed`.
 */
export async function takeUpCall(
  context: AgentContext,
  options: CallOptions,
  answered: AnsweredSession,
  withdrawal: Withdrawal,
): Promise<Call> {
  try {
    const session = checkAnswered(context, answered);
    return await withdrawal.unless(
      () => assembleCall(context, options, answered, session),
      (late) => late.agentClosed({ code: CLOSE_CODES.normal, reason: "" }),
    );
  } catch (error) {
    const failure = error instanceof ParleyError ? error.code : "local-failure";
    await refuseSession(context, answered.sessionId, withdrawal.isWithdrawn ? withdrawal.reason : failure);
    throw error;
  }
}

function checkAnswered(context: AgentContext, answered: AnsweredSession): CheckedSession {
  const { leg, peerAgentId, offer, answer, peer, sessionId, result } = answered;
  return unwrap(
    checkSession(
      {
        leg,
        me: ownIdentity(context),
        peerAgentId,
        offer,
        answer: answer ?? textOf(result, "answer"),
        peer: peer ?? documentsOf(objectOf(result, "peer")),
        witness: textOf(result, "core"),
        server: context.server,
        sessionId,
        anchors: context.anchors,
        now: context.platform.clock.wall(),
      },
      context.platform.verifier,
    ),
  );
}

async function assembleCall(
  context: AgentContext,
  options: CallOptions,
  answered: AnsweredSession,
  session: CheckedSession,
): Promise<Call> {
  const connection = await openCallConnection(context, answered);
  try {
    const { answer, offer } = session;
    const peerClock = answered.leg === 0 ? answer.payload.clock : offer.payload.clock;
    const { authority_scope: authorityScope, peer_attached: peerAttached } = answered.result;
    const begun = { session, connection, peerClock, authorityScope, peerAttached };
    return await makeCall(context, options, { ...answered, ...begun });
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** A checked session, and where it goes on. */
export interface SessionToGoOn {
  readonly session: CheckedSession;
  readonly mediaSigner: Signer;
  readonly exchange: ExchangeKey;
  readonly connection: CallConnection;
  /** The other end's clock against the server's. */
  readonly peerClock: ClockStatement;
  /** Where another process had it before: how far the server has this end's statements. */
  readonly statements?: readonly StatementPlace[];
  /** What this end may do, as the server says. */
  readonly authorityScope?: JsonValue | undefined;
  /** It is suspended, as the server says. */
  readonly suspension?: JsonObject | undefined;
  /** Of the session, as the server says, where another process had it before. */
  readonly state?: JsonValue | undefined;
  /** False: the server has no connection for the other end's media yet. */
  readonly peerAttached?: JsonValue | undefined;
}

/** Makes the call of a checked session. */
export async function makeCall(
  context: AgentContext,
  options: CallOptions,
  {
    session,
    mediaSigner,
    exchange,
    connection,
    peerClock,
    authorityScope,
    statements,
    suspension,
    state,
    peerAttached,
  }: SessionToGoOn,
): Promise<Call> {
  const { port, streams } = connection;
  const { sessionId, leg } = session;
  const audio = options.audio || {};
  const authority = capsOf(authorityScope);
  const codecOptions = withinCap(audio, authority);
  const own = ownVoice(codecOptions, audio.redundancy || 0, session.terms, leg);
  const media = await openCallMedia({
    platform: context.platform,
    time: context.time,
    port,
    leg,
    session,
    sessionId,
    streams,
    authority,
    statements,
    mediaSigner,
    exchange,
    speaker: session.peer.agentId,
    // Both clocks were measured against the server's: peer to server, then server to here.
    peerClock: {
      offset: peerClock.offset_ms - context.clock.offset_ms,
      uncertainty: peerClock.uncertainty_ms + context.clock.uncertainty_ms,
    },
    redundancy: own.redundancy,
    turns: audio.turns,
    voices: options.voices ?? "pcm",
    codecOptions,
    tap: options.tap,
    unattributedRule: options.unattributed ?? "stop",
    watch: options.watch,
    outgoing: options.outgoing,
    report: context.report,
  });
  const voice = media.sender && new SentVoice(media.sender, leg, own, session.terms);
  let pictures: VideoAgreement | undefined;
  const call = new Call({
    id: sessionId,
    leg,
    session,
    context,
    connection,
    media,
    mediaSigner,
    suspension,
    state,
    peerAttached,
    keepSending: options.keepSending ?? false,
    changes:
      options.changes ??
      withinReach(
        own.bitrate * MOST_COPIES,
        profilesOf(options, []),
        (stream) => media.voice(stream)?.sender?.isFollowed !== false,
      ),
    takes: async (asked) =>
      isRunnable(context.platform, asked) &&
      (await (options.streams?.(asked) ?? isTakenUnasked(options, asked))),
    inForce: (terms, by) => {
      media.follow(terms, by);
      voice?.underTerms(terms);
      pictures?.underTerms();
      media.useProfile(terms.profile, terms.number);
    },
  });
  const { clock } = context.platform;
  const { report } = context;
  pictures = new VideoAgreement({
    clock,
    leg,
    videos: media.videos,
    terms: () => call.terms,
    dataBytes: () => media.messages?.sender?.counters.bytes ?? 0,
    propose: (wanted, reason) => call.propose(wanted, reason),
    isFixed: options.adaptation === false,
    isOver: () => call.state === "ended",
    report,
  });
  if (options.adaptation !== false) {
    const mayThin = profilesOf(options, []).includes("chain");
    adaptTo({ media, voice, own, pictures }, { call, mayThin, clock, report });
  }
  return call;
}

/** How this end's voice is sent as long as the ends agree on nothing else. */
function ownVoice(
  { bitrate, expectedLoss }: AudioCodecOptions,
  redundancy: RedundancyLevel,
  terms: Terms,
  leg: 0 | 1,
): OwnVoice {
  const voice = streamsSentBy(terms, leg).find(({ modality }) => modality === "audio");
  const channels = voice?.modality === "audio" ? voice.codec.channels : 1;
  return { bitrate: bitrate ?? USUAL_BITRATE * channels, redundancy, expectedLoss };
}

/** How a codec is to be run so that the relay need not refuse what passes this end's cap: below it, since codecs vary. */
function withinCap(
  audio: AudioCodecOptions,
  { "bitrate-bps": cap }: Pick<ScopeLimits, "bitrate-bps">,
): AudioCodecOptions {
  if (cap === undefined) return audio;
  const most = Math.max(LEAST_BITRATE, Math.floor(cap * BELOW_CAP));
  return { ...audio, bitrate: Math.min(audio.bitrate ?? USUAL_BITRATE, most) };
}

/** The caps of what the server says that an end may do. */
function capsOf(authorityScope: JsonValue | undefined): ScopeLimits {
  const tokens = Array.isArray(authorityScope)
    ? authorityScope.filter((token) => typeof token === "string")
    : [];
  const scope = parseScopes(tokens);
  return scope.ok ? scope.value.limits : {};
}

/** How often a payload may go at most. */
const MOST_COPIES = 3;
/** Bits a second of one channel of a voice that nobody caps, and the fewest there are. */
const USUAL_BITRATE = 32_000;
const LEAST_BITRATE = 6_000;
/** The part of a cap that is aimed at. */
const BELOW_CAP = 0.9;

/** Resolves also when the server does not take it: then nothing more can be done. */
export async function refuseSession(context: AgentContext, sessionId: string, reason: string): Promise<void> {
  try {
    await context.control.request({
      method: "TERMINATE",
      path: `/sessions/${sessionId}`,
      parameters: { reason },
    });
  } catch (failure) {
    if (!(failure instanceof ParleyError)) context.report(failure);
  }
}

/** A text member of an answer or event; throws `body-malformed` naming it. */
export function textOf(fields: JsonObject, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  throw new ParleyError({ code: "body-malformed", message: "The server's message lacks a text.", at: name });
}

/** An object member of an answer or event; throws `body-malformed` naming it. */
export function objectOf(fields: JsonObject, name: string): JsonObject {
  const value = fields[name];
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new ParleyError({
    code: "body-malformed",
    message: "The server's message lacks an object.",
    at: name,
  });
}

/** Both documents of the other end, byte-exact. */
export function documentsOf(fields: JsonObject): {
  readonly genesis: Uint8Array;
  readonly identityDocument: Uint8Array;
} {
  const encoder = new TextEncoder();
  return {
    genesis: encoder.encode(textOf(fields, "genesis")),
    identityDocument: encoder.encode(textOf(fields, "identity_document")),
  };
}
