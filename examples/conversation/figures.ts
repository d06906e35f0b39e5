import type { EvidenceReport } from "../../signaling/evidence/report.ts";
import type { Judgement, Listener } from "./judge.ts";
import type { Speaker } from "./script.ts";

/** What came of the demo, as `report.json` has it. */
export type Figures = ReturnType<typeof figures>;

/** Gathers the figures of both ends. */
export function figures(
  judgement: Judgement,
  listeners: Readonly<Record<Speaker, Listener>>,
  evidence: EvidenceReport,
  media: readonly { readonly speaker: Speaker; readonly kept: number; readonly proven: number }[],
) {
  const { ada, bob } = listeners;
  return {
    session_id: evidence.sessionId,
    setup_ms: {
      answered: ada.report.dialled?.answeredAfter,
      first_frame_heard: (bob.report.firstHeardAt ?? Number.NaN) - (ada.report.dialled?.at ?? Number.NaN),
    },
    directions: [direction(ada, bob), direction(bob, ada)],
    turns: judgement.turns,
    evidence: {
      verdict: evidence.verdict,
      records: evidence.records,
      streams: evidence.streams,
      kept_frames: media,
    },
  };
}

function direction(speaker: Listener, listener: Listener) {
  const { sent } = speaker.report.stats;
  const { heard } = listener.report.stats;
  const delays = listener.report.delays.toSorted((a, b) => a - b);
  return {
    from: speaker.report.name,
    to: listener.report.name,
    frames_sent: sent?.sent ?? 0,
    frames_verified: heard?.verified ?? 0,
    frames_heard: heard?.heard ?? 0,
    frames_lost: (sent?.sent ?? 0) - (heard?.received ?? 0),
    frames_late: heard?.late ?? 0,
    frames_concealed: heard?.concealed ?? 0,
    refused: heard?.refused ?? {},
    mouth_to_ear_ms: { p50: percentile(delays, 0.5), p99: percentile(delays, 0.99) },
    turns_ended_by: listener.report.heardTurns.map(({ endedBy }) => endedBy),
  };
}

function percentile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** The figures as a table for a terminal. */
export function table(result: Figures): string {
  const [first, second] = result.directions;
  const rows: [string, string, string][] = [["", arrow(first), arrow(second)]];
  const both = (label: string, value: (of: NonNullable<typeof first>) => string) =>
    rows.push([label, first === undefined ? "" : value(first), second === undefined ? "" : value(second)]);
  both("frames sent", ({ frames_sent }) => String(frames_sent));
  both("frames verified", ({ frames_verified }) => String(frames_verified));
  both("frames heard", ({ frames_heard }) => String(frames_heard));
  both("frames lost", ({ frames_lost }) => String(frames_lost));
  both("frames concealed", ({ frames_concealed }) => String(frames_concealed));
  both("frames refused", ({ refused }) => reasons(refused));
  both("mouth to ear p50", ({ mouth_to_ear_ms }) => ms(mouth_to_ear_ms.p50));
  both("mouth to ear p99", ({ mouth_to_ear_ms }) => ms(mouth_to_ear_ms.p99));
  const lines = rows.map(([label, a, b]) => `  ${label.padEnd(18)}${a.padStart(12)}${b.padStart(12)}`);
  const worst = Math.min(...result.turns.map(({ correlation }) => correlation));
  const gap = Math.max(...result.turns.map(({ longestGapMs }) => longestGapMs));
  const { records, verdict } = result.evidence;
  return [
    `  call set up in ${ms(result.setup_ms.answered)}, first frame heard after ${ms(result.setup_ms.first_frame_heard)}`,
    "",
    ...lines,
    "",
    `  ${result.turns.length} turns heard, each correlating ${worst.toFixed(3)} or more, longest gap ${gap} ms`,
    `  evidence: ${verdict}, ${records.count} records, ${result.evidence.kept_frames.map(({ kept, proven }) => `${proven} of ${kept}`).join(" and ")} kept frames proven`,
  ].join("\n");
}

function arrow(direction: { readonly from: string; readonly to: string } | undefined): string {
  return direction === undefined ? "" : `${direction.from}>${direction.to}`;
}

function reasons(refused: Readonly<Record<string, number | undefined>>): string {
  const named = Object.entries(refused).map(([reason, count]) => `${count} ${reason}`);
  return named.length === 0 ? "0" : named.join(", ");
}

function ms(value: number | undefined): string {
  return value === undefined ? "-" : `${value.toFixed(1)} ms`;
}
