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

/** Where a call stands. `returning`: the page takes up one that came up in another tab, or before it was reloaded. */
export type CallPhase = "calling" | "ringing" | "returning" | "up" | "ending" | "ended" | "failed";

/** Which end of a call has no connection now. */
export type Away = "me" | "peer";

/** One end of a call, as the signed session names it. */
export interface CallEndpoint {
  readonly name: string;
  readonly agentId: string;
  /** Public media key, hex: what signs the frames. */
  readonly mediaKey: string;
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

export interface CallState {
  readonly phase: CallPhase;
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
  /** What this page shows of its own, oldest first. */
  readonly showing: readonly ShownCapture[];
  /** What people are being asked for, or the other end. */
  readonly opening: "camera" | "screen" | undefined;
  /** Which end has no connection now: the call waits for it. */
  readonly away: Away | undefined;
  /** How it ended or why it failed, in a sentence, and the code. */
  readonly outcome: { readonly sentence: string; readonly code: string } | undefined;
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
  trouble: "none",
  pictureCodec: "vp8",
  renditions: 1,
};

/** A call that begins: it is being placed, was just accepted, or is taken up again. */
export function newCall(
  peerId: string,
  peerName: string,
  phase: "calling" | "returning" = "calling",
): CallState {
  return {
    phase,
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

/** What stands on the page's root for tests and style sheets: the states of the line and the call, and the carrier. */
export function rootFacts(state: PageState): Readonly<Record<"line" | "state" | "carrier", string>> {
  return {
    line: state.line.kind,
    state: state.call?.phase ?? "idle",
    carrier: state.line.kind === "online" ? state.line.carrier : "none",
  };
}
