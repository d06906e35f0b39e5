/** What the ends, and the server, tell of how a voice comes. */
import { describe, expect, it } from "vitest";
import type { BandwidthTold, QualityTold } from "../../agent/call-notices.ts";
import { readRecord } from "../../signaling/attribution.ts";
import type { LinkModel } from "../../transports/memory.ts";
import { must } from "../signed-call.ts";
import { connected, refusal, utterance } from "./talking.ts";
import { World } from "./world.ts";

/** A way of 20 ms that loses every so-manieth live packet, none at 0. */
class Losing implements LinkModel {
  every = 0;
  #sent = 0;

  datagram(_bytes: number, now: number): number | undefined {
    this.#sent += 1;
    return this.every > 0 && this.#sent % this.every === 0 ? undefined : now + 20;
  }

  reliable(_bytes: number, now: number): number {
    return now + 20;
  }
}

async function scene() {
  const [toServer, toClient] = [new Losing(), new Losing()];
  const world = new World({ toServer, toClient });
  const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
  const pair = await connected(world, ada, bob);
  const estimates: BandwidthTold[] = [];
  const quality: QualityTold[] = [];
  pair.call.on("bandwidth-estimate", (event) => estimates.push(event));
  pair.call.on("quality", (event) => quality.push(event));
  const events = () =>
    (world.log.session(pair.call.id)?.records ?? []).flatMap((jws) => {
      const { event, extra } = must(readRecord(jws));
      return event === undefined ? [] : [{ event, extra }];
    });
  return { world, ada, bob, ...pair, toServer, toClient, estimates, quality, events };
}

describe("the listener", () => {
  it("tells the speaker, and the record, what it believes that it can be sent, and again when that is another", async () => {
    const { world, bob, call, toServer, estimates, events } = await scene();
    void call.audio.write(utterance(20, 48_000)).catch(() => undefined);
    await world.clock.advance(4_000);
    expect(estimates.length).toBeGreaterThanOrEqual(1);
    const [first] = estimates;
    expect(first).toMatchObject({ by: bob.id, loss: 0 });
    expect(first?.bits_per_second).toBeGreaterThan(60_000);
    const told = estimates.length;
    toServer.every = 3;
    await world.clock.advance(4_000);
    expect(estimates.length).toBeGreaterThan(told);
    expect(estimates.at(-1)?.bits_per_second).toBeLessThan(0.86 * (first?.bits_per_second ?? 0));
    const recorded = events().filter(({ event }) => event === "bandwidth-estimate");
    expect(recorded.length).toBe(estimates.length);
    expect(recorded[0]?.extra).toMatchObject({ leg: 1, bits_per_second: first?.bits_per_second });
    expect(world.reported).toEqual([]);
  });

  it("says when it hears badly, and when it hears well again", async () => {
    const { world, bob, call, toServer, quality, events } = await scene();
    void call.audio.write(utterance(30, 48_000)).catch(() => undefined);
    await world.clock.advance(2_000);
    toServer.every = 4;
    await world.clock.advance(4_000);
    expect(quality).toContainEqual({
      degraded: true,
      leg: 1,
      reason: "loss",
      stream: undefined,
      by: bob.id,
    });
    toServer.every = 0;
    await world.clock.advance(7_000);
    expect(quality.at(-1)).toMatchObject({ degraded: false, leg: 1 });
    const names = events().map(({ event }) => event);
    expect(names).toContain("quality-degraded");
    expect(names).toContain("quality-restored");
    expect(world.reported).toEqual([]);
  });
});

describe("the server", () => {
  it("tells both ends of one that its live media comes badly to, in the record too", async () => {
    const { world, call, answered, toClient, quality, events } = await scene();
    const told: QualityTold[] = [];
    answered.on("quality", (event) => told.push(event));
    void call.audio.write(utterance(30, 48_000)).catch(() => undefined);
    await world.clock.advance(2_000);
    toClient.every = 4;
    await world.clock.advance(4_000);
    const byServer = { degraded: true, leg: 1, reason: "loss", stream: undefined, by: "server" };
    expect(told).toContainEqual(byServer);
    expect(quality).toContainEqual(byServer);
    expect(events()).toContainEqual({
      event: "quality-degraded",
      extra: { leg: 1, reason: "loss", by: "server" },
    });
    expect(world.reported).toEqual([]);
  });
});

describe("what an end tells", () => {
  it("is rated, and has to be one of the known events with the facts that belong to it", async () => {
    const { world, call, answered } = await scene();
    const told: QualityTold[] = [];
    answered.on("quality", (event) => told.push(event));
    const notice = { event: "quality_degraded", reason: "delay" } as const;
    const outcomes: string[] = [];
    for (let count = 0; count < 12; count += 1) outcomes.push(await refusal(world, call.notify(notice)));
    expect(outcomes).toContain("rate-limited");
    expect(outcomes.filter((outcome) => outcome === "accepted").length).toBeGreaterThanOrEqual(8);
    await world.clock.advance(1_000);
    expect(told.length).toBeGreaterThanOrEqual(1);
    expect(await refusal(world, call.notify({ ...notice, loss: 2 }))).toMatch(/^field-invalid at/);
    expect(await refusal(world, call.notify({ ...notice, stream: 99 }))).toMatch(/^field-invalid/);
    expect(world.reported).toEqual([]);
  });
});
