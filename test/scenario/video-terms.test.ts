/** What both ends agree to have otherwise of a picture: asked and accepted by control messages, kept in the record, proved by the evidence. */
import { expect, it } from "vitest";
import { unwrap } from "../../agent/unwrap.ts";
import { readRecord } from "../../signaling/attribution.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { strictVerifier } from "../keys.ts";
import { vp8Frame } from "../vp8-frame.ts";
import { Camera, film, LAYERS, show, Watched } from "./showing.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

const WITH_VIDEO = {
  audio: { codecs: ["pcmu"] },
  video: { codecs: ["vp8"], maxHeight: 360, maxFrameRate: 30 },
  adaptation: false,
} as const;

it("rate, height and frame rate of a picture are agreed on in mid-call, and the evidence says so", async () => {
  const world = new World();
  const pair = [await world.agent("Ada"), await world.agent("Bob")] as const;
  const { call, answered } = await connected(world, ...pair, WITH_VIDEO, WITH_VIDEO);
  const watched = new Watched(world, answered);
  new Camera(world, call);
  await world.clock.advance(1_000);
  const stream = call.video?.id;
  if (stream === undefined) throw new Error("no picture");
  const wanted = { stream, bitrate: 200_000, maxHeight: 180, maxFrameRate: 15 };
  const agreed = { leg: 0, stream, bitrate_bps: 200_000, max_height: 180, max_frame_rate: 15 };
  await world.during(call.propose({ streams: [wanted] }, "bandwidth"));
  await world.clock.advance(200);
  for (const end of [call, answered]) expect(end.terms).toMatchObject({ number: 2, settings: [agreed] });
  await expect(world.during(call.propose({ streams: [{ stream, maxHeight: 720 }] }))).rejects.toMatchObject({
    code: "field-invalid",
    at: "change.settings.streams[0].max_height",
  });
  const before = watched.units.length;
  await world.clock.advance(1_000);
  expect(watched.units.length).toBeGreaterThan(before);
  await world.during(call.end());
  const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
  const { report } = verifyEvidence(await world.during(call.evidence()), anchors, strictVerifier);
  expect(report.faults).toEqual([]);
  expect(report.statements).toContainEqual({
    by: "both",
    text: `terms 2: the caller asked (bandwidth), the other end accepted: caller, stream ${stream}: at most 200000 bit/s, at most 180 lines, at most 15 frames/s`,
  });
  expect(world.reported).toEqual([]);
});

it("pictures larger than agreed, or more of them, do not pass the server: both ends are told by name, and it is on record", async () => {
  const world = new World();
  const pair = [await world.agent("Ada"), await world.agent("Bob")] as const;
  const { call, answered } = await connected(world, ...pair, WITH_VIDEO, WITH_VIDEO);
  const told: unknown[] = [];
  for (const end of [call, answered]) end.on("frames-refused", ({ reason }) => told.push([end.leg, reason]));
  const watched = new Watched(world, answered);
  const show = async (height: number, every: number, count: number) => {
    for (let at = 0; at < count; at += 1) {
      await world.clock.advance(every);
      void call.video?.send({ data: vp8Frame(at === 0, 400, height) });
    }
    await world.clock.advance(500);
  };
  await show(361, 40, 5);
  expect([watched.units.length, told]).toEqual([
    0,
    [
      [0, "picture"],
      [1, "picture"],
    ],
  ]);
  await show(360, 40, 5);
  expect(watched.units.map(({ height }) => height)).toEqual([360, ...Array(4).fill(undefined)]);
  // Thirty a second were agreed: a quarter more pass, and two seconds of them at once.
  told.length = 0;
  await show(360, 10, 400);
  expect(told).toContainEqual([1, "rate"]);
  expect(watched.units.length - 5).toBeLessThan(2 * 38 + 4.5 * 38);
  await world.during(call.end());
  await world.clock.advance(8_000);
  const records = await world.during(answered.records());
  const final = unwrap(readRecord(records.at(-1)?.jws ?? ""));
  expect(final.extra?.counters).toContainEqual(
    expect.objectContaining({
      leg: 0,
      stream: call.video?.id,
      refused: { picture: 1, rate: expect.any(Number) },
    }),
  );
  expect(world.reported).toEqual([]);
});

it("a picture is opened in a call that began with a voice, by ends that claimed the scope for it, and proved", async () => {
  const world = new World();
  const scope = ["audio", "video"].flatMap((what) =>
    ["capture", "transmit"].map((act) => `communication:${what}:${act}`),
  );
  const voice = { audio: { codecs: ["pcmu"] }, adaptation: false, scope } as const;
  const pair = [await world.agent("Ada"), await world.agent("Bob")] as const;
  const { call, answered } = await connected(world, ...pair, voice, { ...voice, streams: () => true });
  const { units } = film("vp8-layers", LAYERS);
  const picture = await world.during(
    call.open({ modality: "video", codecs: ["vp8"], direction: "sendonly", maxHeight: 360 }),
  );
  const watched = new Watched(world, answered);
  await show(world, call, units);
  await world.clock.advance(500);
  expect(watched.units.length).toBeGreaterThan(units.length / 2);
  await world.during(picture.close());
  await world.clock.advance(500);
  await world.during(call.end());
  const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
  const { report } = verifyEvidence(await world.during(call.evidence()), anchors, strictVerifier);
  expect(report).toMatchObject({ verdict: "verified", faults: [] });
  expect(report.streams).toContainEqual(
    expect.objectContaining({ leg: 0, modality: "video", openedBy: 0, closedBy: 0, frames: units.length }),
  );
  expect(world.reported).toEqual([]);
});
