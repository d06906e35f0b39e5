import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseIvf } from "../../codecs/ivf.ts";
import type { KeptFrame } from "../../codecs/kept-frames.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyMedia } from "../../signaling/evidence/media.ts";
import { type JudgedEvidence, verifyEvidence } from "../../signaling/evidence/verify.ts";
import { film, LAYERS, show, Watched } from "../../test/scenario/showing.ts";
import { connected } from "../../test/scenario/talking.ts";
import { World } from "../../test/scenario/world.ts";
import { must } from "../../test/signed-call.ts";
import { writeProvenIvf } from "./proven-ivf.ts";

const { ivf, units } = film("vp8-layers", LAYERS);
const kept: KeptFrame[] = [];
let folder: string;
let evidence: JudgedEvidence;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-pictures-"));
  const world = new World();
  const ada = await world.agent("Ada");
  const bob = await world.agent("Bob");
  const video = { audio: { codecs: ["pcmu"] }, video: { codecs: ["vp8"] }, adaptation: false } as const;
  const { call, answered } = await connected(world, ada, bob, video, {
    ...video,
    tap: ({ leg, stream, bytes }) => kept.push({ leg, stream, packet: bytes.slice() }),
  });
  new Watched(world, answered);
  await show(world, call, units);
  await world.clock.advance(500);
  await world.during(call.end());
  evidence = verifyEvidence(await world.during(call.evidence()), undefined, verifier);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("the evidence of a call with pictures holds, and counts them", () => {
  expect(evidence.report.faults).toEqual([]);
  expect(evidence.report.streams).toContainEqual(
    expect.objectContaining({
      leg: 0,
      stream: 3,
      modality: "video",
      frames: units.length,
      heard: units.length,
    }),
  );
  expect(evidence.report.statements.map(({ text }) => text)).toContainEqual(
    expect.stringMatching(/^stream 3: video, vp8 up to 1280x720 at 30 frames\/s, profile frame$/),
  );
});

it("what an end kept of them is proven, and written as it was encoded", async () => {
  const { frames, faults } = verifyMedia(kept, evidence, verifier);
  expect(faults).toEqual([]);
  const file = join(folder, "seen.ivf");
  expect(await writeProvenIvf(file, frames, evidence, undefined)).toEqual({
    ...{ file, speaker: "caller", stream: 3 },
    ...{ units: units.length, before_key: 0, undecodable: 0 },
  });
  const written = must(parseIvf(await readFile(file)));
  expect(written).toMatchObject({ format: "vp8", width: ivf.width, height: ivf.height });
  expect(written.frames.map(({ data }) => Buffer.from(data))).toEqual(
    units.map(({ data }) => Buffer.from(data)),
  );
});

it("a kept picture that was altered proves nothing", () => {
  const pictures = kept.filter(({ stream }) => stream === 3);
  const altered = pictures.map((frame) => {
    const packet = frame.packet.slice();
    packet[packet.length - 1] = (packet.at(-1) ?? 0) ^ 1;
    return { ...frame, packet };
  });
  expect(verifyMedia(altered, evidence, verifier).frames).toEqual([]);
});

it("of an end that showed nothing there is nothing to write", async () => {
  const { frames } = verifyMedia(kept, evidence, verifier);
  const written = writeProvenIvf(join(folder, "none.ivf"), frames, evidence, "callee");
  await expect(written).rejects.toThrow("No kept video of the callee is proven");
});
