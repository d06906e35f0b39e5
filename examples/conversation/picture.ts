import type { Listener, TurnResult } from "./judge.ts";
import type { Speaker, Turn } from "./script.ts";

const WIDTH = 1440;
const LANE_HEIGHT = 96;
const MARGIN = { left: 120, right: 24, top: 56, bottom: 40 };
const COLOURS = { ada: "#0b7285", bob: "#a61e4d", ink: "#212529", quiet: "#868e96", rule: "#dee2e6" };

/** Draws who said what and when the other heard it: four waveforms on one time axis, with the delay of each turn. */
export function drawConversation(
  script: readonly Turn[],
  agents: Readonly<Record<Speaker, Listener>>,
  turns: readonly TurnResult[],
): string {
  const from = Math.min(...turns.map(({ saidAt }) => saidAt)) - 300;
  const to = Math.max(...turns.map(({ turn, heardAt }) => heardAt + durationOf(script[turn] as Turn))) + 300;
  const x = (at: number) => MARGIN.left + ((at - from) / (to - from)) * (WIDTH - MARGIN.left - MARGIN.right);
  const lanes: { label: string; colour: string; wave: string }[] = [];
  for (const speaker of ["ada", "bob"] as const) {
    const listener = speaker === "ada" ? "bob" : "ada";
    const said = turns
      .filter((turn) => turn.speaker === speaker)
      .map(({ turn, saidAt }) => {
        const { pcm, clockRate } = script[turn] as Turn;
        return waveform(pcm, clockRate, saidAt, x);
      });
    const { recording, clockRate, report } = agents[listener];
    lanes.push({ label: `${name(speaker)} says`, colour: COLOURS[speaker], wave: said.join("") });
    lanes.push({
      label: `${name(listener)} hears`,
      colour: COLOURS[speaker],
      wave: waveform(recording, clockRate, report.recordingFrom, x, { from, to }),
    });
  }
  const height = MARGIN.top + lanes.length * LANE_HEIGHT + MARGIN.bottom;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif">`,
    `<title>A conversation of two agents: what each said and what the other heard</title>`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="${MARGIN.left}" y="28" font-size="16" fill="${COLOURS.ink}">What each said, and what the other heard: delay from mouth to ear, and correlation r</text>`,
    axis(from, to, x, height),
    ...lanes.map(
      ({ label, colour, wave }, lane) =>
        `<g transform="translate(0 ${MARGIN.top + (lane + 0.5) * LANE_HEIGHT})">` +
        `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" stroke="${COLOURS.rule}"/>` +
        `<text x="${MARGIN.left - 12}" y="5" font-size="13" text-anchor="end" fill="${COLOURS.ink}">${label}</text>` +
        `<path d="${wave}" fill="${colour}"/></g>`,
    ),
    ...turns.map((turn) => annotation(turn, script[turn.turn] as Turn, x)),
    "</svg>\n",
  ].join("\n");
}

function annotation(turn: TurnResult, { pcm, clockRate }: Turn, x: (at: number) => number): string {
  const lane = turn.speaker === "ada" ? 0 : 2;
  const y = MARGIN.top + lane * LANE_HEIGHT + 12;
  const end = turn.saidAt + (pcm.length * 1000) / clockRate;
  const delay = Math.round(turn.heardAt - turn.saidAt);
  return (
    `<rect x="${x(turn.saidAt).toFixed(1)}" y="${y}" width="${(x(end) - x(turn.saidAt)).toFixed(1)}" ` +
    `height="${2 * LANE_HEIGHT - 20}" fill="${COLOURS[turn.speaker]}" opacity="0.06"/>` +
    `<text x="${((x(turn.saidAt) + x(end)) / 2).toFixed(1)}" y="${MARGIN.top + (lane + 1) * LANE_HEIGHT + 4}" ` +
    `font-size="11" text-anchor="middle" fill="${COLOURS.ink}">` +
    `turn ${turn.turn + 1}: ${delay} ms, r = ${turn.correlation.toFixed(3)}</text>`
  );
}

function axis(from: number, to: number, x: (at: number) => number, height: number): string {
  const marks: string[] = [];
  for (let second = 0; from + second * 1000 <= to; second += 1) {
    const at = x(from + second * 1000).toFixed(1);
    const labelled = second % 5 === 0;
    marks.push(
      `<line x1="${at}" x2="${at}" y1="${height - MARGIN.bottom}" y2="${height - MARGIN.bottom + (labelled ? 8 : 4)}" stroke="${COLOURS.quiet}"/>`,
    );
    if (labelled) {
      marks.push(
        `<text x="${at}" y="${height - 12}" font-size="11" text-anchor="middle" fill="${COLOURS.quiet}">${second} s</text>`,
      );
    }
  }
  return marks.join("");
}

/** One closed outline: loudest excursions up and down for each pixel of the axis. */
function waveform(
  pcm: Int16Array,
  clockRate: number,
  startAt: number,
  x: (at: number) => number,
  within?: { readonly from: number; readonly to: number },
): string {
  const first =
    within === undefined ? 0 : Math.max(0, Math.round(((within.from - startAt) * clockRate) / 1000));
  const last =
    within === undefined
      ? pcm.length
      : Math.min(pcm.length, Math.round(((within.to - startAt) * clockRate) / 1000));
  const columns = Math.max(
    1,
    Math.round(x(startAt + (last * 1000) / clockRate) - x(startAt + (first * 1000) / clockRate)),
  );
  const upper: string[] = [];
  const lower: string[] = [];
  for (let column = 0; column < columns; column += 1) {
    const begin = first + Math.floor((column * (last - first)) / columns);
    const end = first + Math.floor(((column + 1) * (last - first)) / columns);
    let high = 0;
    let low = 0;
    for (let at = begin; at < end; at += 1) {
      const value = pcm[at] as number;
      if (value > high) high = value;
      if (value < low) low = value;
    }
    const across = x(startAt + (begin * 1000) / clockRate).toFixed(1);
    const reach = LANE_HEIGHT * 0.42;
    upper.push(`${across} ${(-(high / 32768) * reach - 0.3).toFixed(1)}`);
    lower.push(`${across} ${(-(low / 32768) * reach + 0.3).toFixed(1)}`);
  }
  return `M${upper.join("L")}L${lower.reverse().join("L")}Z`;
}

function durationOf(turn: Turn): number {
  return (turn.pcm.length * 1000) / turn.clockRate;
}

function name(speaker: Speaker): string {
  return speaker === "ada" ? "Ada" : "Bob";
}
