/** The test cases of RFC 8867, section 5, as data. Times are seconds, rates Mbit/s. */

/** `[from, capacity]`, in order. */
type Schedule = readonly (readonly [number, number])[];

export interface CaseFlow {
  readonly start: number;
  readonly stop: number;
  readonly pause?: { readonly from: number; readonly to: number };
  /** Milliseconds one way. */
  readonly delay: number;
  readonly direction: "forward" | "back";
}

export interface CongestionCase {
  readonly name: string;
  readonly title: string;
  readonly seconds: number;
  readonly forward: Schedule;
  /** Capacity of the way back, where it is bounded; feedback shares it. */
  readonly back?: Schedule;
  readonly flows: readonly CaseFlow[];
  /** TCP flows from the beginning: without end, or downloads with pauses between them. */
  readonly tcp?: { readonly kind: "long" | "short"; readonly count: number };
}

/** Milliseconds one way where the case names no other. */
const DELAY = 50;

export const CASES: readonly CongestionCase[] = [
  {
    name: "5.1",
    title: "variable capacity, one flow",
    seconds: 100,
    forward: [
      [0, 1],
      [40, 2.5],
      [60, 0.6],
      [80, 1],
    ],
    flows: flows([0], 100),
  },
  {
    name: "5.2",
    title: "variable capacity, two flows",
    seconds: 125,
    forward: [
      [0, 4],
      [25, 2],
      [50, 3.5],
      [75, 1],
      [100, 2],
    ],
    flows: flows([0, 0], 125),
  },
  {
    name: "5.3",
    title: "both directions, congested feedback",
    seconds: 100,
    forward: [
      [0, 2],
      [20, 1],
      [40, 0.5],
      [60, 2],
    ],
    back: [
      [0, 2],
      [35, 0.8],
      [70, 2],
    ],
    flows: [...flows([0], 100), { ...flow(0, 100), direction: "back" }],
  },
  {
    name: "5.4",
    title: "three flows, one after the other",
    seconds: 120,
    forward: [[0, 3.5]],
    flows: flows([0, 20, 40], 120),
  },
  {
    name: "5.5",
    title: "five flows of different round trips",
    seconds: 300,
    forward: [[0, 4]],
    flows: [10, 25, 50, 100, 150].map((delay, index) => ({ ...flow(10 * index, 300), delay })),
  },
  {
    name: "5.6",
    title: "against one long TCP flow",
    seconds: 120,
    forward: [[0, 2]],
    flows: flows([5], 120),
    tcp: { kind: "long", count: 1 },
  },
  {
    name: "5.7",
    title: "two flows against ten short TCP flows",
    seconds: 300,
    forward: [[0, 2]],
    flows: flows([5, 5], 300),
    tcp: { kind: "short", count: 10 },
  },
  {
    name: "5.8",
    title: "three flows, one pauses and resumes",
    seconds: 120,
    forward: [[0, 3.5]],
    flows: flows([0, 20, 40], 120).map((each, index) =>
      index === 0 ? { ...each, pause: { from: 40, to: 60 } } : each,
    ),
  },
];

function flows(starts: readonly number[], stop: number): CaseFlow[] {
  return starts.map((start) => flow(start, stop));
}

function flow(start: number, stop: number): CaseFlow {
  return { start, stop, delay: DELAY, direction: "forward" };
}
