/** Calls whose ends lose their connections. */
import { expect } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import type { OutgoingCallOptions } from "../../agent/call-options.ts";
import type { ConnectOptions } from "../../agent/connect.ts";
import { type Carrier, CLOSE_CODES, type Connection } from "../../sfu/carrier.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { strictVerifier } from "../keys.ts";
import { connected, Recording, say } from "./talking.ts";
import { World } from "./world.ts";

const ONE_WAY = 20;
export const link = {
  datagram: (_bytes: number, now: number) => now + ONE_WAY,
  reliable: (_bytes: number, now: number) => now + ONE_WAY,
};
const SOON = { firstDelay: 800, maxDelay: 2_000 };

/** A way to the world's server whose connections can be cut. */
export class Cuttable implements Carrier {
  readonly #world: World;
  #connection: Connection | undefined;
  /** While it is, no connection can be made. */
  isDown = false;

  constructor(world: World) {
    this.#world = world;
  }

  connect: Carrier["connect"] = async (url, options, handlers) => {
    if (this.isDown) throw new Error("the network is down");
    this.#connection = await this.#world.network.connect(url, options, handlers);
    return this.#connection;
  };

  /** As a network that fails: neither side says that it is done. */
  cut(): void {
    this.#connection?.close(CLOSE_CODES.livenessTimeout, "cut");
  }
}

export interface End {
  readonly agent: Agent;
  readonly way: Cuttable;
  call: Call;
  readonly heard: Recording;
  /** What came as data. */
  readonly told: unknown[];
  /** Events of the call, in order. */
  readonly events: string[];
}

export async function online(world: World, name: string, options: Partial<ConnectOptions> = {}) {
  const way = new Cuttable(world);
  return { way, agent: await world.agent(name, { reconnect: SOON, ...options }, way) };
}

export function end({ way, agent }: Awaited<ReturnType<typeof online>>, call: Call): End {
  const events: string[] = [];
  for (const name of ["detached", "reattached", "peer-detached", "peer-attached", "ended"] as const)
    call.on(name, () => events.push(name));
  const told: unknown[] = [];
  void (async () => {
    for await (const { value } of call.data ?? []) told.push(value);
  })();
  return { way, agent, call, heard: new Recording(call), told, events };
}

export async function scene(
  options: OutgoingCallOptions = {},
): Promise<{ world: World; ada: End; bob: End }> {
  const world = new World({ toServer: link, toClient: link });
  const [ada, bob] = [await online(world, "Ada"), await online(world, "Bob")];
  const { call, answered } = await connected(
    world,
    ada.agent,
    bob.agent,
    { data: true, ...options },
    { data: true },
  );
  return { world, ada: end(ada, call), bob: end(bob, answered) };
}

/** Both say something, one after the other, and hear it. */
export async function bothAreHeard(
  world: World,
  from: Pick<End, "call" | "heard">,
  to: Pick<End, "call" | "heard">,
) {
  for (const [speaker, listener] of [
    [from, to],
    [to, from],
  ] as const) {
    const before = listener.heard.pcm().length;
    const said = await say(world, speaker.call, 0.6);
    await world.clock.advance(300);
    const { correlation } = compareUtterance(said, listener.heard.pcm().subarray(before), 48_000);
    expect(correlation).toBeGreaterThan(0.9);
  }
}

/** Sends a number every 30 ms, each after the one before was taken. */
export async function count(world: World, call: Call, numbers: number): Promise<void> {
  for (let number = 0; number < numbers; number += 1) {
    await call.data?.send(number);
    await new Promise<void>((resolve) => world.clock.at(world.clock.now() + 30, resolve));
  }
}

export const upTo = (numbers: number) => Array.from({ length: numbers }, (_, number) => number);

export async function judged(world: World, call: Call) {
  const file = await world.during(call.evidence());
  const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
  const { report } = verifyEvidence(file, anchors, strictVerifier);
  const vanished = report.statements.filter(({ text }) => text.includes("vanished"));
  return { verdict: report.verdict, faults: report.faults, vanished };
}

export async function hungUp(world: World, by: Call, other: Call): Promise<void> {
  await world.during(by.end("goodbye"));
  await world.during(other.settled);
  expect(await judged(world, by)).toEqual({ verdict: "verified", faults: [], vanished: [] });
}
