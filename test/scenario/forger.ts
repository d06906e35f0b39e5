/** A speaker gone bad, and what the relay tells both ends about it. */
import { expect } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { FramesRefused } from "../../agent/call-events.ts";
import { readVarint } from "../../codecs/varint.ts";
import type { CloseInfo } from "../../sfu/carrier.ts";
import type { FlowCounters } from "../../signaling/admission.ts";
import { contentLines } from "../evidence-edit.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, type Pair } from "./talking.ts";
import type { World } from "./world.ts";

/** A speaker whose frames a test keeps, changes and sends as it likes. */
export class Forger {
  readonly relay: HostileRelay;
  readonly #world: World;
  readonly #listener: Agent;
  readonly closed: CloseInfo[] = [];
  /** What the relay said it refused, to the speaker and to the listener. */
  readonly told: { readonly speaker: FramesRefused[]; readonly listener: FramesRefused[] } = {
    speaker: [],
    listener: [],
  };
  /** Frames the agent meant to send, kept here. */
  readonly held: Uint8Array[] = [];
  agent!: Agent;
  pair!: Pair;
  holds = true;

  constructor(world: World, listener: Agent) {
    this.#world = world;
    this.#listener = listener;
    this.relay = new HostileRelay(world);
    this.relay.datagram = (way, bytes) => {
      if (way === "to-agent" || readVarint(bytes, 0) === 0) return [bytes];
      this.held.push(bytes);
      return this.holds ? [] : [bytes];
    };
  }

  /** Connects and calls the listener. */
  async call(): Promise<void> {
    this.agent = await this.#world.agent("Forger", {}, this.relay);
    this.agent.on("closed", (info) => this.closed.push(info));
    this.pair = await connected(this.#world, this.agent, this.#listener);
    this.pair.call.on("frames-refused", (event) => this.told.speaker.push(event));
    this.pair.answered.on("frames-refused", (event) => this.told.listener.push(event));
  }

  /** A frame of the agent that nobody has had yet. */
  async frame(): Promise<Uint8Array> {
    const { frameSamples = 960 } = this.pair.call.audio.sends ?? {};
    const before = this.held.length;
    await this.#world.during(this.pair.call.audio.write(new Int16Array(frameSamples)));
    // While nothing of it arrives, its library waits a while for a sign of the listener.
    for (let waited = 0; waited === 0 || (this.held.length === before && waited < 5_000); waited += 25)
      await this.#world.clock.advance(25);
    return this.held.at(-1) as Uint8Array;
  }

  /** What both ends were told of, by reason; they must be told the same. */
  async reasons(): Promise<Record<string, number>> {
    await this.#world.clock.advance(1_000);
    const [speaker, listener] = [sums(this.told.speaker), sums(this.told.listener)];
    expect(listener).toEqual(speaker);
    return speaker;
  }

  /** Frames of the agent that Bob has heard. */
  verified(): number {
    return this.pair.answered.stats().heard?.verified ?? 0;
  }

  /** The relay's counters of what the agent sent, as the evidence has them. */
  async counters(): Promise<FlowCounters> {
    await this.#world.during(this.pair.answered.end());
    const lines = contentLines(await this.#world.during(this.pair.answered.evidence()));
    const line = lines.find(({ kind }) => kind === "counters");
    return (
      JSON.parse(line?.kind === "counters" ? line.document : "[]") as FlowCounters[]
    )[0] as FlowCounters;
  }
}

function sums(events: readonly FramesRefused[]): Record<string, number> {
  const byReason: Record<string, number> = {};
  for (const { reason, count } of events) byReason[reason] = (byReason[reason] ?? 0) + count;
  return byReason;
}
