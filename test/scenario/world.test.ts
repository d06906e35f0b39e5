/** What makes a scenario worth as much as a proof: every run of it is the same. */
import { createHash } from "node:crypto";
import { setTimeout as reallyWait } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { createOpusCodec } from "../../platform/opus.ts";
import type { Carrier } from "../../sfu/carrier.ts";
import { Link, PRESETS } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { Camera } from "./showing.ts";
import { connected, utterance } from "./talking.ts";
import { World, type WorldOptions } from "./world.ts";

const OPTIONS = { audio: { codecs: ["opus"] }, video: { codecs: ["vp8"] } } as const;

/** Datagrams, sounds, pictures and agreements of a call over ways that lose packets and become narrow: what came where, and when. */
async function transcript(options: WorldOptions): Promise<string[]> {
  const world = new World(options);
  const lines: string[] = [];
  const note = (what: string, bytes: Uint8Array | string) =>
    lines.push(`${world.clock.now()} ${what} ${createHash("sha256").update(bytes).digest("hex")}`);
  const link = (seed: number) => new Link(PRESETS.cellular, new SeededRandom(seed));
  const noted = (name: string, toServer: Link, toClient: Link): Carrier => {
    const way = world.way({ toServer, toClient });
    return {
      connect: (url, wanted, accept) =>
        way.connect(url, wanted, (connection) => {
          const handlers = accept(connection);
          const datagram: typeof handlers.datagram = (bytes) => {
            note(`datagram to ${name}`, bytes);
            handlers.datagram(bytes);
          };
          return { ...handlers, datagram };
        }),
    };
  };
  const [up, down] = [link(1), link(2)];
  const ada = await world.agent("Ada", {}, noted("Ada", up, link(3)));
  const bob = await world.agent("Bob", {}, noted("Bob", link(4), down));
  const { call, answered } = await connected(world, ada, bob, OPTIONS, OPTIONS);
  const listen = async ({ audio }: Call): Promise<void> => {
    for await (const { kind, pcm } of audio.heard({ silence: true }))
      note(kind, new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength));
  };
  const watch = async ({ video }: Call): Promise<void> => {
    for await (const { data } of video ?? []) note("picture", data);
  };
  void listen(answered);
  void watch(answered);
  for (const end of [call, answered])
    end.on("terms-changed", () => note("terms", JSON.stringify(end.terms.settings)));
  const camera = new Camera(world, call);
  void call.audio.write(utterance(8, 48_000));
  await world.clock.advance(3_000);
  down.change({ ...PRESETS.cellular, rate: 250_000 }, world.clock.now());
  await world.clock.advance(5_000);
  camera.off();
  await world.during(call.end());
  expect(world.reported).toEqual([]);
  return lines;
}

describe("a scenario with losses, adaptation, voices and pictures", () => {
  it("is the same in every run, however slow the machine is, but another with another seed", async () => {
    const first = await transcript({});
    for (const what of ["datagram to Ada", "datagram to Bob", "speech", "concealed", "picture", "terms"])
      expect(first.filter((line) => line.includes(` ${what} `)).length, what).toBeGreaterThan(0);
    expect(await transcript({})).toEqual(first);
    let waits = 50;
    const slowly: typeof createOpusCodec = async (options) => {
      // Those that are begun later are done earlier.
      waits -= 10;
      await reallyWait(waits);
      return await createOpusCodec(options);
    };
    expect(await transcript({ createOpus: slowly })).toEqual(first);
    expect(waits).toBeLessThan(50);
    expect(await transcript({ seed: 2 })).not.toEqual(first);
  });
});
