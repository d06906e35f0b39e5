import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { Bottleneck } from "../../test/net/bottleneck.ts";
import { MediaFlow, type Way } from "../../test/net/media-flow.ts";
import { NewReno } from "../../test/net/new-reno.ts";
import { Simulation } from "../../test/net/simulation.ts";
import type { CaseFlow, CongestionCase } from "./cases.ts";
import { FlowTrace } from "./flow-trace.ts";

/** Milliseconds of its capacity that the queue before a bottleneck holds. */
const QUEUE_TIME = 300;
/** Rates of the media, bits a second: RFC 8867's least and first; its most is never in the way of the capacity. */
const BITRATE = { least: 150_000, most: 5_000_000, first: 300_000 };
const SHORTEST_FILE = 30_000;
const LONGEST_FILE = 50_000;
/** Milliseconds between the downloads of a short TCP flow, on average. */
const MEAN_PAUSE = 10_000;
/** Short TCP flows that begin with a download, not with a pause. */
const BEGIN_AT_ONCE = 2;
const TCP_DELAY = 50;
const ENDLESS = 1e12;

/** One case as it went. */
export interface CaseRun {
  readonly plan: CongestionCase;
  readonly media: readonly { readonly flow: CaseFlow; readonly trace: FlowTrace }[];
  readonly tcp: readonly FlowTrace[];
  /** TCP flows with a download at a time, on average. */
  readonly tcpActive: number;
}

/** Runs one case on virtual time. The same seed gives the same run. */
export function runCase(plan: CongestionCase, seed: number): CaseRun {
  const simulation = new Simulation();
  const random = new SeededRandom(seed);
  const forward = bottleneck(simulation, plan.forward);
  const backward = plan.back === undefined ? undefined : bottleneck(simulation, plan.back);
  const free: Way = { offer: (packet) => packet.passed(simulation.now, 0) };
  const media = plan.flows.map((flow, index) => {
    const trace = new FlowTrace();
    const ways = { there: forward as Way, back: backward ?? free };
    simulation.at(flow.start * 1_000, () => {
      const made = new MediaFlow(simulation, {
        ...(flow.direction === "forward" ? ways : { there: ways.back, back: ways.there }),
        delay: flow.delay,
        bitrate: BITRATE,
        random: random.fork(),
        ears: trace,
        ssrc: index + 1,
      });
      made.start();
      simulation.at(flow.stop * 1_000, () => made.pause());
      if (flow.pause !== undefined) {
        simulation.at(flow.pause.from * 1_000, () => made.pause());
        simulation.at(flow.pause.to * 1_000, () => made.start());
      }
    });
    return { flow, trace };
  });
  const tcp = startTcp(plan, simulation, forward, random);
  simulation.runTo(plan.seconds * 1_000);
  return { plan, media, tcp: tcp.traces, tcpActive: tcp.busy() / (plan.seconds * 1_000) };
}

function bottleneck(simulation: Simulation, schedule: CongestionCase["forward"]): Bottleneck {
  const made = new Bottleneck(simulation, { capacity: 1, queueTime: QUEUE_TIME });
  for (const [from, capacity] of schedule)
    simulation.at(from * 1_000, () => {
      made.capacity = capacity * 1e6;
    });
  return made;
}

function startTcp(plan: CongestionCase, simulation: Simulation, way: Bottleneck, random: SeededRandom) {
  const traces: FlowTrace[] = [];
  const kind = plan.tcp?.kind;
  let busy = 0;
  for (let index = 0; index < (plan.tcp?.count ?? 0); index += 1) {
    const trace = new FlowTrace();
    traces.push(trace);
    const flow = new NewReno(simulation, {
      bottleneck: way,
      delay: TCP_DELAY,
      delivered: (bytes, now) => trace.arrived(bytes, now, 0),
    });
    const chance = random.fork();
    const pause = () => -MEAN_PAUSE * Math.log(1 - chance.next());
    const download = (begun: number) => {
      const bytes =
        kind === "long" ? ENDLESS : SHORTEST_FILE + chance.next() * (LONGEST_FILE - SHORTEST_FILE);
      flow.download(bytes, (done) => {
        busy += done - begun;
        simulation.at(done + pause(), download);
      });
    };
    simulation.at(kind === "long" || index < BEGIN_AT_ONCE ? 0 : pause(), download);
  }
  return { traces, busy: () => (kind === "long" ? plan.seconds * 1_000 * traces.length : busy) };
}
