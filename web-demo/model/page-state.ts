/** Everything the page knows, as plain values. The view draws it; `main.ts` changes it. */

import type { TroubleKind } from "../phone/troubles.ts";
import type { DialEntry } from "./dial-pad.ts";
import type { SessionRecord } from "./record-line.ts";
import type { StreamLine } from "./stream-line.ts";
import type { VideoCodecName } from "./video-codec.ts";

/** How this page stands with the server. */
export type Line =
  | { readonly kind: "starting" }
  | { readonly kind: "connecting" }
  | { readonly kind: "online"; readonly carrier: string; readonly why: string }
  /** Lost; the next try is at `retryAt`, Unix milliseconds. */
  | { readonly kind: "offline"; readonly why: string; readonly retryAt: number }
  /** Gave up, or was told to. */
  | { readonly kind: "closed"; readonly why: string; readonly code: string };

/** How something ended or why it failed: in a sentence, and the code. */
export interface Outcome {
  readonly sentence: string;
  readonly code: string;
}

/** Where a call stands. `returning`: the page takes up one that came up in another tab, or before it was reloaded. */
export type CallPhase = "calling" | "ringing" | "returning" | "up" | "ending" | "ended" | "failed";

/** Which end of a call has no connection now. */
export type Away = "me" | "peer";

/** One end of a call, as the signed session names it. */
export interface CallEndpoint {
  readonly name: string;
  readonly agentId: string;
  /** Public media key, hex: what signs the frames. Undefined where the gateway alone knows it. */
  readonly mediaKey: string | undefined;
  readonly scope: readonly string[];
}

export interface DataLine {
  readonly id: number;
  readonly mine: boolean;
  readonly value: unknown;
  /** Unix milliseconds. */
  readonly at: number;
}

/** What is said of the call in a line of its own; the newest is read aloud by screen readers. */
export interface Notice {
  readonly id: number;
  readonly text: string;
  readonly tone: "plain" | "warning";
}

/** A camera or screen that this page shows. */
export interface ShownCapture {
  readonly kind: "camera" | "screen";
  readonly stream: MediaStream;
  /** Size, rate and codec as it is sent now. */
  readonly caption: string;
}

/** How calls are made: over this page's own carrier, with its own signatures, or over WebRTC through the server's gateway. */
export type CallWay = "signed" | "gateway";

/** Who signs for this page in a call over WebRTC, and what it says that it verified. */
export interface OwnGateway {
  readonly agentId: string;
  /** SHA-256 of this page's DTLS certificate, hex: what the evidence names. */
  readonly fingerprint: string;
  /** Frames of the other end, since the call began. */
  readonly verified: number;
  readonly refused: number;
}

/** Who signs for the other end. */
export interface PeerGateway {
  readonly agentId: string;
  /** Who says that the gateway's peer may act for the other end, where that is known: `iss` of its token. */
  readonly issuer: string | undefined;
}

/** The other end's picture as the browser decodes it. */
export interface ShownPicture {
  readonly stream: MediaStream;
  /** Size, rate and codec as it comes now. */
  readonly caption: string;
}

export interface CallState {
  readonly phase: CallPhase;
  readonly way: CallWay;
  /** Known once a call over WebRTC is up. */
  readonly gateway: OwnGateway | undefined;
  /** Undefined where the other end signs for itself. */
  readonly peerGateway: PeerGateway | undefined;
  readonly peerId: string;
  readonly peerName: string;
  readonly sessionId: string | undefined;
  readonly me: CallEndpoint | undefined;
  readonly peer: CallEndpoint | undefined;
  readonly codec: string | undefined;
  readonly terms: number;
  /** How frames are attributed. */
  readonly profile: "frame" | "chain";
  /** Unix milliseconds. */
  readonly since: number | undefined;
  readonly until: number | undefined;
  /** Who speaks, by the frames that left and that came. */
  readonly speaking: { readonly me: boolean; readonly peer: boolean };
  readonly muted: boolean;
  readonly narrowed: boolean;
  readonly source: string | undefined;
  readonly hasData: boolean;
  readonly streams: readonly StreamLine[];
  /** What the other end shows in a call over WebRTC. */
  readonly picture: ShownPicture | undefined;
  /** What this page shows of its own, oldest first. */
  readonly showing: readonly ShownCapture[];
  /** What people are being asked for, or the other end. */
  readonly opening: "camera" | "screen" | undefined;
  /** Which end has no connection now: the call waits for it. */
  readonly away: Away | undefined;
  /** Undefined until it is over. */
  readonly outcome: Outcome | undefined;
  readonly records: readonly SessionRecord[];
  readonly messages: readonly DataLine[];
  readonly notices: readonly Notice[];
  readonly evidence: "none" | "fetching" | "saved";
  /** Why the evidence could not be had, in a sentence. */
  readonly evidenceProblem: string | undefined;
  readonly recordedSeconds: number;
  /** The recording is as long as it may be: what is heard now is not in it. */
  readonly recordingFull: boolean;
}

export interface Ringing {
  readonly sessionId: string;
  readonly name: string;
  readonly agentId: string;
  /** Who signs for the caller, where a gateway does. */
  readonly gateway: PeerGateway | undefined;
  /** Whether the caller takes an answer by a gateway. */
  readonly takesGateway: boolean;
  /** What became of it elsewhere, in a sentence: it rings no longer. */
  readonly gone: string | undefined;
}

/** A call of this agent that is not in this tab. */
export interface CallElsewhere {
  readonly sessionId: string;
  readonly peerId: string;
  readonly peerName: string;
  /** Some tab has it now; otherwise it waits for one. */
  readonly isHeld: boolean;
}

/** Where the voice comes from. */
export type SourceKind = "microphone" | "file" | "tone";

export interface PageState {
  readonly line: Line;
  readonly name: string;
  readonly agentId: string | undefined;
  readonly version: string | undefined;
  readonly dial: readonly DialEntry[];
  readonly incoming: readonly Ringing[];
  readonly call: CallState | undefined;
  /** This agent's calls in other tabs, and those that no tab has. */
  readonly elsewhere: readonly CallElsewhere[];
  readonly source: SourceKind;
  readonly fileName: string | undefined;
  /** Why the source is not what was chosen, in a sentence. */
  readonly sourceNotice: string | undefined;
  /** Whether calls that come in are to be heard. */
  readonly ringsAloud: boolean;
  /** How people want their calls made. */
  readonly way: CallWay;
  /** Why this server makes none over WebRTC, in a sentence; undefined where it does, or is not known yet. */
  readonly gatewayOff: string | undefined;
  /** What this page's connections go through. */
  readonly trouble: TroubleKind;
  /** How the next camera or screen is coded. */
  readonly pictureCodec: VideoCodecName;
  readonly renditions: 1 | 2;
}

/** Messages and notices kept of a call; the oldest goes. */
const LINES = 200;

export const FIRST_STATE: PageState = {
  line: { kind: "starting" },
  name: "",
  agentId: undefined,
  version: undefined,
  dial: [],
  incoming: [],
  call: undefined,
  elsewhere: [],
  source: "microphone",
  fileName: undefined,
  sourceNotice: undefined,
  ringsAloud: true,
  way: "signed",
  gatewayOff: undefined,
  trouble: "none",
  pictureCodec: "vp8",
  renditions: 1,
};

/** A call that begins: it is being placed, was just accepted, or is taken up again. */
export function newCall(
  peerId: string,
  peerName: string,
  phase: "calling" | "returning" = "calling",
  way: CallWay = "signed",
): CallState {
  return {
    phase,
    way,
    gateway: undefined,
    peerGateway: undefined,
    peerId,
    peerName,
    sessionId: undefined,
    me: undefined,
    peer: undefined,
    codec: undefined,
    terms: 1,
    profile: "frame",
    since: undefined,
    until: undefined,
    speaking: { me: false, peer: false },
    muted: false,
    narrowed: false,
    source: undefined,
    hasData: false,
    streams: [],
    picture: undefined,
    showing: [],
    opening: undefined,
    away: undefined,
    outcome: undefined,
    records: [],
    messages: [],
    notices: [],
    evidence: "none",
    evidenceProblem: undefined,
    recordedSeconds: 0,
    recordingFull: false,
  };
}

/** Whether a call is in progress: another one cannot begin. */
export function isBusy(state: PageState): boolean {
  const phase = state.call?.phase;
  return phase !== undefined && phase !== "ended" && phase !== "failed";
}

/** Whether somebody's call is to be heard ringing: nobody is talking, and people did not choose silence. */
export function isRingingAloud(state: PageState): boolean {
  const rings = state.incoming.some(({ gone }) => gone === undefined);
  return state.ringsAloud && rings && !isBusy(state);
}

/** The call with a notice more. */
export function withNotice(call: CallState, text: string, tone: Notice["tone"] = "plain"): CallState {
  const id = (call.notices.at(-1)?.id ?? 0) + 1;
  return { ...call, notices: [...call.notices, { id, text, tone }].slice(-LINES) };
}

/** The call with a data message more. */
export function withMessage(call: CallState, message: Omit<DataLine, "id">): CallState {
  const id = (call.messages.at(-1)?.id ?? 0) + 1;
  return { ...call, messages: [...call.messages, { ...message, id }].slice(-LINES) };
}

/** How the next call is made: over WebRTC where people want that and the server does it. */
export function wayOf({ way, gatewayOff }: PageState): CallWay {
  return gatewayOff === undefined ? way : "signed";
}

/** What stands on the page's root for tests and style sheets: the states of the line and the call, the carrier, and how calls are made. */
export function rootFacts(state: PageState): Readonly<Record<"line" | "state" | "carrier" | "way", string>> {
  return {
    line: state.line.kind,
    way: state.call?.way ?? wayOf(state),
    state: state.call?.phase ?? "idle",
    carrier: state.line.kind === "online" ? state.line.carrier : "none",
  };
}
