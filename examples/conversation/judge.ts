import type { EvidenceReport } from "../../signaling/evidence/report.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import type { AgentReport } from "./messages.ts";
import type { Speaker, Turn } from "./script.ts";

/** Bounds the demo holds itself to on a clean network. */
const LEAST_CORRELATION = 0.9;
const LONGEST_GAP_MS = 60;

/** One agent's report, with the recording it made. */
export interface Listener {
  readonly report: AgentReport;
  /** Mono. */
  readonly recording: Int16Array;
  readonly clockRate: number;
}

/** One turn of the script, as it came through. */
export interface TurnResult {
  readonly turn: number;
  readonly speaker: Speaker;
  readonly text: string;
  /** Of its quarter seconds, each aligned for itself; and with one alignment for the whole turn. */
  readonly correlation: number;
  readonly rigidCorrelation: number;
  /** Times that playout moved inside the turn. */
  readonly slips: number;
  readonly longestGapMs: number;
  /** Unix milliseconds at which the first sample was said, and at which it was heard. */
  readonly saidAt: number;
  readonly heardAt: number;
}

export interface Judgement {
  readonly turns: readonly TurnResult[];
  /** What is not as it should be; empty when all is well. */
  readonly complaints: readonly string[];
}

/** Compares what was said with what was heard, turn by turn, and looks over the figures and the evidence. */
export function judge(
  script: readonly Turn[],
  agents: Readonly<Record<Speaker, Listener>>,
  evidence: EvidenceReport,
): Judgement {
  const complaints: string[] = [];
  const turns: TurnResult[] = [];
  for (const [turn, { speaker, text, pcm, clockRate }] of script.entries()) {
    const listener = agents[speaker === "ada" ? "bob" : "ada"];
    const said = agents[speaker].report.spoken.find((spoken) => spoken.turn === turn);
    if (said === undefined) {
      complaints.push(`turn ${turn + 1} was never said`);
      continue;
    }
    // Half a second before it was said is early enough to look for it, also where the clock readings differ a little.
    const from = Math.max(
      0,
      Math.round(((said.from - listener.report.recordingFrom - 500) * clockRate) / 1000),
    );
    const to = Math.round(((said.to - listener.report.recordingFrom + 1500) * clockRate) / 1000);
    const found = compareUtterance(pcm, listener.recording.subarray(0, to), clockRate, from);
    turns.push({
      turn,
      speaker,
      text,
      correlation: found.correlation,
      rigidCorrelation: found.rigidCorrelation,
      slips: found.slips,
      longestGapMs: found.longestGap,
      saidAt: said.from,
      heardAt: listener.report.recordingFrom + (found.offset * 1000) / clockRate,
    });
    if (found.correlation < LEAST_CORRELATION) {
      complaints.push(`turn ${turn + 1} correlates ${found.correlation.toFixed(3)} with what was said`);
    }
    if (found.longestGap > LONGEST_GAP_MS)
      complaints.push(`turn ${turn + 1} has a gap of ${found.longestGap} ms`);
  }
  for (const { report } of Object.values(agents)) complaints.push(...complaintsOf(report));
  if (evidence.verdict !== "verified") {
    complaints.push(
      `the evidence is ${evidence.verdict}`,
      ...evidence.faults.map(({ at, message }) => `${at}: ${message}`),
    );
  }
  return { turns, complaints };
}

function complaintsOf(report: AgentReport): string[] {
  const complaints: string[] = [];
  const { heard, sent } = report.stats;
  if (sent === undefined || sent.sent === 0) complaints.push(`${report.name} said nothing`);
  if (heard === undefined || heard.verified === 0)
    complaints.push(`${report.name} heard nothing that verified`);
  if (Object.keys(heard?.refused ?? {}).length > 0) complaints.push(`${report.name} refused frames`);
  if (report.framesRefused.length > 0) complaints.push(`the relay refused frames of ${report.name}'s call`);
  if (report.stats.unread > 0) complaints.push(`${report.name} did not listen in time`);
  return complaints;
}
