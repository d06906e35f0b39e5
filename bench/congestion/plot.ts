import type { CongestionCase } from "./cases.ts";
import { type FlowTrace, sumBetween, TRACE_STEP } from "./flow-trace.ts";
import type { CaseRun } from "./run-case.ts";

/** Pixels. */
const WIDTH = 960;
const LEFT = 64;
const RIGHT = 172;
const PANEL = { rate: 220, delay: 130, loss: 90 };
const GAP = 34;
const TOP = 44;
/** Colours of flows, told apart by those who see few colours, too (Okabe and Ito). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"];
const TCP_COLOUR = "#767676";
/** Seconds over which rates and losses are averaged. */
const SMOOTHED = 1;

/** One case as a picture: rates against the capacity, waiting in the queue, losses, each over time. SVG. */
export function plotCase(run: CaseRun): string {
  const { plan, media, tcp } = run;
  const seconds = Array.from({ length: Math.floor(plan.seconds / SMOOTHED) }, (_, index) => index * SMOOTHED);
  const rateOf = (traces: readonly FlowTrace[]) =>
    seconds.map((at) => traces.reduce((sum, trace) => sum + megabits(trace, at), 0));
  const lines = media.map(({ flow, trace }, index) => ({
    name: `media ${index + 1}${flow.direction === "back" ? " (back)" : ""}`,
    colour: COLOURS[index % COLOURS.length] as string,
    rate: rateOf([trace]),
    start: flow.start,
    trace,
  }));
  const others =
    tcp.length === 0 ? [] : [{ name: `TCP (${tcp.length})`, colour: TCP_COLOUR, rate: rateOf(tcp) }];
  const capacities = [...plan.forward, ...(plan.back ?? [])].map(([, capacity]) => capacity);
  const rates = panel(TOP, PANEL.rate, plan.seconds, Math.max(...capacities) * 1.1, "Mbit/s");
  const delays = panel(TOP + PANEL.rate + GAP, PANEL.delay, plan.seconds, 320, "queue, ms");
  const losses = panel(TOP + PANEL.rate + PANEL.delay + 2 * GAP, PANEL.loss, plan.seconds, 20, "lost, %");
  const height = TOP + PANEL.rate + PANEL.delay + PANEL.loss + 3 * GAP;
  const drawn = [
    rates.frame,
    delays.frame,
    losses.frame,
    path(steps(plan.forward, plan.seconds).map(rates.at), "#000000", "2"),
    plan.back === undefined ? "" : path(steps(plan.back, plan.seconds).map(rates.at), "#000000", "2", "6 4"),
    ...[...others, ...lines].map(
      ({ rate, colour, start = 0 }: (typeof others)[number] & { start?: number }) =>
        path(
          seconds.slice(start).map((at) => rates.at([at + SMOOTHED / 2, rate[at] ?? 0])),
          colour,
          "1.5",
        ),
    ),
    ...lines.map(({ trace, colour, start }) =>
      path(waits(trace, start, plan.seconds).map(delays.at), colour, "1"),
    ),
    ...lines.map(({ trace, colour, start }) =>
      path(
        seconds.slice(start).map((at) => losses.at([at + SMOOTHED / 2, lostShare(trace, at)])),
        colour,
        "1",
      ),
    ),
    ...[
      { name: plan.back === undefined ? "capacity" : "capacity, back dashed", colour: "#000000" },
      ...lines,
      ...others,
    ].map(({ name, colour }, index) => legend(name, colour, index)),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(LEFT, 24, `RFC 8867, case ${plan.name}: ${plan.title}`, "start", 15),
    ...drawn,
    text((WIDTH - RIGHT + LEFT) / 2, height - 4, "seconds", "middle"),
    "</svg>",
    "",
  ].join("\n");
}

type Point = readonly [x: number, y: number];

function panel(top: number, height: number, seconds: number, most: number, title: string) {
  const right = WIDTH - RIGHT;
  const at = ([x, y]: Point): Point => [
    LEFT + (x / seconds) * (right - LEFT),
    top + height - (Math.min(y, most) / most) * height,
  ];
  const marks = ticks(most).map((value) => {
    const [, y] = at([0, value]);
    const line = `<line x1="${LEFT}" y1="${y.toFixed(1)}" x2="${right}" y2="${y.toFixed(1)}" stroke="#dddddd"/>`;
    return line + text(LEFT - 6, y + 4, String(value), "end");
  });
  const times = ticks(seconds).map((value) =>
    text(at([value, 0])[0], top + height + 15, String(value), "middle"),
  );
  const box = `<rect x="${LEFT}" y="${top}" width="${right - LEFT}" height="${height}" fill="none" stroke="#888888"/>`;
  return { at, frame: [...marks, ...times, box, text(LEFT + 6, top + 14, title, "start")].join("\n") };
}

/** Round values from 0 up to `most`, about five. */
function ticks(most: number): number[] {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].find((each) => most / each <= 6) ?? most;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => Number((index * step).toFixed(1)));
}

function steps(schedule: CongestionCase["forward"], seconds: number): Point[] {
  return schedule.flatMap(([from, capacity], index): Point[] => [
    [from, capacity],
    [schedule[index + 1]?.[0] ?? seconds, capacity],
  ]);
}

function waits(trace: FlowTrace, start: number, seconds: number): Point[] {
  return Array.from({ length: ((seconds - start) * 1_000) / TRACE_STEP }, (_, step): Point => {
    const at = start + (step * TRACE_STEP) / 1_000;
    return [at, trace.waited[(start * 1_000) / TRACE_STEP + step] ?? 0];
  });
}

function megabits(trace: FlowTrace, at: number): number {
  return (sumBetween(trace.bytes, at, at + SMOOTHED) * 8) / SMOOTHED / 1e6;
}

function lostShare(trace: FlowTrace, at: number): number {
  const lost = sumBetween(trace.lost, at, at + SMOOTHED);
  return lost === 0 ? 0 : (100 * lost) / (lost + sumBetween(trace.packets, at, at + SMOOTHED));
}

function path(points: readonly Point[], colour: string, width: string, dashes = "none"): string {
  const d = points
    .map(([x, y], index) => `${index === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`)
    .join("");
  return `<path d="${d}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-dasharray="${dashes}"/>`;
}

function legend(name: string, colour: string, index: number): string {
  const y = TOP + 12 + index * 18;
  const x = WIDTH - RIGHT + 12;
  return `<line x1="${x}" y1="${y - 4}" x2="${x + 18}" y2="${y - 4}" stroke="${colour}" stroke-width="2"/>${text(x + 24, y, name, "start", 11)}`;
}

function text(x: number, y: number, content: string, anchor: "start" | "middle" | "end", size = 12): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-size="${size}" fill="#222222">${content}</text>`;
}
