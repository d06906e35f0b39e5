/** Structured data over real sockets: beside a voice, as fast as it may go, and with a reader that stops for a while. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Call } from "../../agent/node.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { type RealServer, startRealServer } from "../real-server.ts";

let server: RealServer;
beforeAll(async () => {
  server = await startRealServer();
});
afterAll(async () => {
  expect(server.faults).toEqual([]);
  await server.stop();
});

async function connected() {
  const [ada, bob] = await Promise.all([server.agent("Ada"), server.agent("Bob")]);
  const taken = Promise.withResolvers<Call>();
  bob.onCall((incoming) => void incoming.accept().then(taken.resolve, taken.reject));
  const call = await ada.call(bob.id, { audio: { codecs: ["pcmu"] }, data: true });
  return { call, answered: await taken.promise };
}

async function read(call: Call, count: number): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const { value } of call.data ?? []) if (values.push(value) === count) break;
  return values;
}

describe("structured data over QUIC", () => {
  it("arrives in order beside the voice, and its evidence verifies", async () => {
    const { call, answered } = await connected();
    const values = Array.from({ length: 150 }, (_, number) => ({ number }));
    const reading = read(answered, values.length);
    const speaking = call.audio.write(new Int16Array(8_000));
    for (const value of values) await call.data?.send(value);
    expect(await reading).toEqual(values);
    await speaking;
    await answered.data?.send("heard");
    expect(await read(call, 1)).toEqual(["heard"]);
    await call.end();
    await answered.settled;
    expect(answered.stats().data?.heard).toMatchObject({ verified: 150, missing: 0, refused: {} });
    const { report } = verifyEvidence(await call.evidence(), server.anchors, verifier);
    expect(report).toMatchObject({ verdict: "verified", faults: [] });
    expect(report.streams).toContainEqual(
      expect.objectContaining({ modality: "data", leg: 0, frames: 150, received: 150, heard: 150 }),
    );
  });

  it("waits for a slow reader without loss, and without holding up the call", async () => {
    const { call, answered } = await connected();
    const values = Array.from({ length: 120 }, (_, number) => `${number} ${"x".repeat(8_000)}`);
    const writing = (async () => {
      for (const value of values) await call.data?.send(value);
    })();
    const unread = () => answered.stats().data?.heard?.unread;
    await vi.waitFor(() => expect(unread()).toBe(64), { timeout: 10_000 });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(unread()).toBe(64);
    expect(await read(answered, values.length)).toEqual(values);
    await writing;
    await call.end();
    expect(await answered.ended).toMatchObject({ reason: "done" });
  });
});
