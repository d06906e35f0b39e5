/** A call whose callee goes from one carrier to the next, each time as a process that knows its identity key and the session id alone. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSigner } from "../../platform/node/sodium.ts";
import { realServer } from "../exchanges/ways.ts";
import { ReattachScene } from "../scenario/reattach-scene.ts";

let server: Awaited<ReturnType<typeof realServer>>;
beforeAll(async () => {
  server = await realServer();
});
afterAll(() => server.stop());

it("is talked on over QUIC, WebSocket and TLS, with a new media key each time", async () => {
  const pass = () => sleep(100);
  const scene = await ReattachScene.lay(server.way("QUIC"), pass);
  const { alice } = scene;
  await alice.subscribe();
  await scene.bob.send([scene.bob.frame({ sequence: 7 })]);
  let last = scene.bob;
  const sent = [7];
  for (const [index, carrier] of (["WebSocket", "TLS", "QUIC"] as const).entries()) {
    await last.crash();
    expect(await alice.event("peer-detached")).toMatchObject({ leg: 1, state: "detached" });
    const generation = index + 1;
    const signer = createSigner(new Uint8Array(32).fill(0x90 + generation));
    const back = await scene.process("bob", server.way(carrier));
    const media_key = scene.mediaKey(back, generation, signer);
    const { result, code } = await back.open(generation, { media_key, take_up: true });
    expect(code, carrier).toBeUndefined();
    expect(result).toMatchObject({ state: "active", generation, agreement: { session_model: "persistent" } });
    expect(await alice.event("peer-attached")).toMatchObject({ attach_seq: generation, generation });
    const sequence = Number(back.stream("send").next_sequence);
    await back.send([back.frame({ sequence, generation, signer })]);
    sent.push(sequence);
    await alice.send([alice.frame({ sequence: 100 + index })]);
    await expect.poll(() => back.heard, { message: carrier, timeout: 3_000 }).toEqual([100 + index]);
    last = back;
  }
  await expect.poll(() => alice.heard, { timeout: 3_000 }).toEqual(sent);
  expect((await last.about("TERMINATE")).result).toMatchObject({ state: "terminated" });
  for (const { voice } of [alice, last]) voice.connection.close(0, "done");
}, 20_000);
