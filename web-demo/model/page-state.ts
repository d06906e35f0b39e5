/** Everything the page knows, as plain values. The view draws it; `main.ts` changes it. */
import type { DialEntry } from "./dial-pad.ts";
import type { SessionRecord } from "./record-line.ts";

/** How this page stands with the server. */
export type Line =
  | { readonly kind: "starting" }
  /** Another tab of this browser is online as the same agent. */
  | { readonly kind: "elsewhere" }
  | { readonly kind: "connecting" }
  | { readonly kind: "online"; readonly carrier: string; readonly why: string }
  /** Lost; the next try is at `retryAt`, Unix milliseconds. */
  | { readonly kind: "offline"; readonly why: string; readonly retryAt: number }
  /** Gave up, or was told to. */
  | { readonly kind: "closed"; readonly why: string; readonly code: string };

/** Where a call stands. */
export type CallPhase = "calling" | "ringing" | "up" | "ending" | "ended" | "failed";

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

export interface CallState {
  readonly phase: CallPhase;
  readonly peerId: string;
  readonly peerName: string;
  readonly sessionId: string | undefined;
  readonly me: CallEndpoint | undefined;
  readonly peer: CallEndpoint | undefined;
  readonly codec: string | undefined;
  readonly terms: number;
  /** Unix milliseconds. */
  readonly since: number | undefined;
  readonly until: number | undefined;
  readonly muted: boolean;
  readonly narrowed: boolean;
  readonly source: string | undefined;
  readonly hasData: boolean;
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
  readonly source: SourceKind;
  readonly fileName: string | undefined;
  /** Why the source is not what was chosen, in a sentence. */
  readonly sourceNotice: string | undefined;
  /** Whether calls that come in are to be heard. */
  readonly ringsAloud: boolean;
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
  source: "microphone",
  fileName: undefined,
  sourceNotice: undefined,
  ringsAloud: true,
};

/** A call that begins: it is being placed, or was just accepted. */
export function newCall(peerId: string, peerName: string): CallState {
  return {
    phase: "calling",
    peerId,
    peerName,
    sessionId: undefined,
    me: undefined,
    peer: undefined,
    codec: undefined,
    terms: 1,
    since: undefined,
    until: undefined,
    muted: false,
    narrowed: false,
    source: undefined,
    hasData: false,
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
  return phase === "calling" || phase === "ringing" || phase === "up" || phase === "ending";
}

/** Whether somebody's call is to be heard ringing: nobody is talking, and people did not choose silence. */
export function isRingingAloud(state: PageState): boolean {
  return state.ringsAloud && state.incoming.length > 0 && !isBusy(state);
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
