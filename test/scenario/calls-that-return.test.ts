/** Calls whose connection is lost and that go on over the next one. */
import { describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import type { OutgoingCallOptions } from "../../agent/call-options.ts";
import type { ConnectOptions } from "../../agent/connect.ts";
import { type Carrier, CLOSE_CODES, type Connection } from "../../sfu/carrier.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { strictVerifier } from "../keys.ts";
import { connected, Recording, refusal, say, utterance } from "./talking.ts";
import { World } from "./world.ts";

const ONE_WAY = 20;
const link = {
  datagram: (_bytes: number, now: number) => now + ONE_WAY,
  reliable: (_bytes: number, now: number) => now + ONE_WAY,
};
const SOON = { firstDelay: 800, maxDelay: 2_000 };

/** A way to the world's server whose connections can be cut. */
class Cuttable implements Carrier {
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

interface End {
  readonly agent: Agent;
  readonly way: Cuttable;
  readonly call: Call;
  readonly heard: Recording;
  /** What came as data. */
  readonly told: unknown[];
  /** Events of the call, in order. */
  readonly events: string[];
}

async function online(world: World, name: string, options: Partial<ConnectOptions> = {}) {
  const way = new Cuttable(world);
  return { way, agent: await world.agent(name, { reconnect: SOON, ...options }, way) };
}

function end({ way, agent }: Awaited<ReturnType<typeof online>>, call: Call): End {
  const events: string[] = [];
  for (const name of ["detached", "reattached", "peer-detached", "peer-attached", "ended"] as const)
    call.on(name, () => events.push(name));
  const told: unknown[] = [];
  void (async () => {
    for await (const { value } of call.data ?? []) told.push(value);
  })();
  return { way, agent, call, heard: new Recording(call), told, events };
}

async function scene(options: OutgoingCallOptions = {}): Promise<{ world: World; ada: End; bob: End }> {
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
async function bothAreHeard(
  world: World,
  from: Pick<End, "call" | "heard">,
  to: Pick<End, "call" | "heard">,
) {
  for (const [speaker, listener] of [
    [from, to],
    [to, from],
  ] as const) {
    const before = listener.heard.pcm().length;
    const said = await say(world, speaker.call, 1);
    await world.clock.advance(300);
    const { correlation } = compareUtterance(said, listener.heard.pcm().subarray(before), 48_000);
    expect(correlation).toBeGreaterThan(0.9);
  }
}

/** Sends a number every 30 ms, each after the one before was taken. */
async function count(world: World, call: Call, numbers: number): Promise<void> {
  for (let number = 0; number < numbers; number += 1) {
    await call.data?.send(number);
    await new Promise<void>((resolve) => world.clock.at(world.clock.now() + 30, resolve));
  }
}

const upTo = (numbers: number) => Array.from({ length: numbers }, (_, number) => number);

async function judged(world: World, call: Call) {
  const file = await world.during(call.evidence());
  const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
  const { report } = verifyEvidence(file, anchors, strictVerifier);
  const vanished = report.statements.filter(({ text }) => text.includes("vanished"));
  return { verdict: report.verdict, faults: report.faults, vanished };
}

async function hungUp(world: World, by: Call, other: Call): Promise<void> {
  await world.during(by.end("goodbye"));
  await world.during(other.settled);
  expect(await judged(world, by)).toEqual({ verdict: "verified", faults: [], vanished: [] });
}

describe.each(["caller", "callee", "both"])("when the connection of the %s is lost", (who) => {
  it("the call goes on: both are heard again, every message came once, and the evidence verifies", async () => {
    const { world, ada, bob } = await scene();
    await bothAreHeard(world, ada, bob);
    const counted = Promise.all([count(world, ada.call, 100), count(world, bob.call, 100)]);
    void ada.call.audio.write(utterance(6, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    for (const lost of [ada, bob])
      if (who === "both" || (who === "caller") === (lost === ada)) lost.way.cut();
    await world.clock.advance(100);
    if (who !== "callee") expect([ada.call.state, ada.agent.isOnline]).toEqual(["detached", false]);
    await world.during(counted);
    await world.clock.advance(3_000);
    expect([ada.call.state, bob.call.state]).toEqual(["active", "active"]);
    if (who === "caller") {
      expect(ada.events).toEqual(["detached", "reattached"]);
      expect(bob.events).toEqual(["peer-detached", "peer-attached"]);
      expect(ada.call.stats().sent?.unsent).toBeGreaterThan(5);
    }
    expect([ada.told, bob.told]).toEqual([upTo(100), upTo(100)]);
    await bothAreHeard(world, ada, bob);
    await hungUp(world, ada.call, bob.call);
    expect(world.reported).toEqual([]);
  });
});
