import type { CallStats } from "../../agent/node.ts";

/** What the orchestrator tells an agent process. */
export type Instruction =
  | { readonly kind: "call"; readonly callee: string }
  /** Say goodbye and leave. */
  | { readonly kind: "leave" };

/** One turn as an agent said it. */
export interface SpokenTurn {
  /** Place in the script. */
  readonly turn: number;
  /** Unix milliseconds at which its first sample was captured, and at which its last frame had left. */
  readonly from: number;
  readonly to: number;
}

/** One turn of the other as an agent heard it. */
export interface HeardTurn {
  /** Unix milliseconds at which its first and last frame were played. */
  readonly from: number;
  readonly to: number;
  /** How its end was noticed: the speaker's mark, or silence. */
  readonly endedBy: "mark" | "silence";
}

/** What an agent reports when its call is over. */
export interface AgentReport {
  readonly name: string;
  readonly agentId: string;
  readonly sessionId: string;
  /** Unix milliseconds of ESTABLISH, and how long it took until the answer was checked; the caller's only. */
  readonly dialled?: { readonly at: number; readonly answeredAfter: number };
  /** Unix milliseconds at which the first frame of the other was played. */
  readonly firstHeardAt: number | undefined;
  readonly spoken: readonly SpokenTurn[];
  readonly heardTurns: readonly HeardTurn[];
  /** Unix milliseconds at which the recording of what was heard begins. */
  readonly recordingFrom: number;
  /** Milliseconds from mouth to ear of every frame played. */
  readonly delays: readonly number[];
  readonly stats: CallStats;
  readonly framesRefused: readonly { readonly reason: string; readonly count: number }[];
  readonly endedBecause: string;
}

/** What an agent process tells the orchestrator. */
export type Notice =
  | { readonly kind: "online"; readonly agentId: string }
  | { readonly kind: "progress"; readonly text: string }
  | { readonly kind: "done"; readonly report: AgentReport };
