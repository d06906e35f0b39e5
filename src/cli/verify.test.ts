import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PacketTap } from "../../agent/node.ts";
import { readRecording } from "../../agent/recording.ts";
import { encodeKeptFrames, keptFramesTitle, parseKeptFrames } from "../../codecs/kept-frames.ts";
import { parseWav } from "../../codecs/wav.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { parley, parleyAgain } from "../../test/command-line.ts";
import { World } from "../../test/scenario/world.ts";
import { compareUtterance } from "../listening/compare.ts";
import { encodeTrustFile } from "../trust-file.ts";

const SECONDS = 1.5;
const SPOKEN = sweep(SECONDS);
const MESSAGES = [{ ask: "time" }, ["é", null]];
let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-verify-"));
  const world = new World();
  const ada = await world.agent("Ada");
  const bob = await world.agent("Bob");
  const kept: Uint8Array[] = [keptFramesTitle()];
  bob.onCall(async (incoming) => {
    await incoming.accept({
      tap: ({ leg, stream, bytes }) => kept.push(encodeKeptFrames([{ leg, stream, packet: bytes }])),
    });
  });
  const call = await world.during(ada.call(bob.id, { data: true }));
  await world.during(call.audio.write(SPOKEN));
  await world.during(call.audio.endTurn());
  for (const value of MESSAGES) await world.during(call.data?.send(value) ?? Promise.resolve());
  await world.clock.advance(500);
  await world.during(call.end());
  await writeFile(at("call.evidence"), await world.during(call.evidence()));
  await writeFile(at("heard.frames"), Buffer.concat(kept));
  const recording = readRecording(
    { evidence: await readFile(at("call.evidence")), frames: Buffer.concat(kept) },
    verifier,
  );
  const replayed: Uint8Array[] = [keptFramesTitle()];
  const carol = await world.agent("Carol");
  const tap: PacketTap = ({ leg, stream, bytes }) =>
    replayed.push(encodeKeptFrames([{ leg, stream, packet: bytes }]));
  carol.onCall(async (incoming) => void (await incoming.accept({ tap })));
  const again = await world.during(bob.call(carol.id));
  await world.during(again.audio.replay(recording));
  await world.clock.advance(500);
  await world.during(again.end());
  await writeFile(at("replay.evidence"), await world.during(again.evidence()));
  await writeFile(at("replayed.frames"), Buffer.concat(replayed));
  const issuerKeys = [world.issuer.signer.publicKey];
  await writeFile(at("trust.json"), encodeTrustFile({ issuerKeys, agentIds: [] }));
  await writeFile(at("ends.json"), encodeTrustFile({ issuerKeys: [], agentIds: [ada.id, bob.id] }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("parley verify", () => {
  it("exits with 0 for evidence that the anchors vouch for, and says who vouches for every line", async () => {
    const { code, stdout, stderr } = await parley("verify", at("call.evidence"), "--trust", at("trust.json"));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout.trimEnd().split("\n");
    expect(lines.pop()).toBe("verified");
    for (const line of lines)
      expect(line).toMatch(/^(issuer-signed|speaker-signed|listener-signed|both|server-claimed) {2,}\S/);
  });

  it("exits with 3 without anchors, and where they do not vouch for everybody", async () => {
    const without = await parleyAgain("verify", at("call.evidence"));
    expect(without.code).toBe(3);
    expect(without.stdout).toMatch(/\nconsistent, not anchored: give anchors with --trust\n$/);
    const partly = await parleyAgain("verify", at("call.evidence"), "--trust", at("ends.json"));
    expect(partly.code).toBe(3);
    expect(partly.stdout).toMatch(/not anchored: no anchor given vouches for somebody in it\n$/);
  });

  it("exits with 1 for changed evidence, and names the place", async () => {
    const lines = (await readFile(at("call.evidence"), "utf8")).split("\n");
    const index = lines.findIndex((line) => line.includes('"checkpoint"'));
    lines.splice(index, 1);
    await writeFile(at("changed.evidence"), lines.join("\n"));
    const { code, stdout } = await parleyAgain("verify", at("changed.evidence"), "--trust", at("trust.json"));
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAULT {2,}[a-z-]+: .+ \(.+\)$/m);
    expect(stdout).toMatch(/\nINVALID\n$/);
  });

  it("exits with 1 for something that is no evidence at all", async () => {
    expect((await parleyAgain("verify", at("trust.json"))).code).toBe(1);
  });

  it("exits with 2 for files that cannot be read", async () => {
    const missing = await parleyAgain("verify", at("none.evidence"));
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/^parley: usage: .*none\.evidence cannot be read: ENOENT\.\n$/);
    await writeFile(at("broken.json"), '{"anchors":[{"type":"key","value":"AAAA"}]}');
    const broken = await parleyAgain("verify", at("call.evidence"), "--trust", at("broken.json"));
    expect(broken.code).toBe(2);
    expect(broken.stderr).toMatch(/broken\.json is no trust file: .*anchors\[0\]\.value/);
    const media = await parleyAgain("verify", at("call.evidence"), "--media", at("call.evidence"));
    expect(media.code).toBe(2);
    expect(media.stderr).toMatch(/no file of kept frames/);
  });

  it("prints one JSON object with --json", async () => {
    const { code, stdout } = await parleyAgain(
      "verify",
      at("call.evidence"),
      "--trust",
      at("trust.json"),
      "--json",
    );
    expect(code).toBe(0);
    expect(stdout.trimEnd()).not.toContain("\n");
    expect(JSON.parse(stdout)).toMatchObject({
      verdict: "verified",
      faults: [],
      parties: [
        { role: "server", anchored: true },
        { role: "caller", name: "Ada", anchored: true },
        { role: "callee", name: "Bob", anchored: true },
      ],
    });
  });

  it("proves kept frames and makes of them the sound that was said", async () => {
    const args = ["verify", at("call.evidence"), "--trust", at("trust.json"), "--media", at("heard.frames")];
    const { code, stdout } = await parleyAgain(...args, "--wav", at("proven.wav"), "--json");
    expect(code).toBe(0);
    const { media } = JSON.parse(stdout);
    expect(media).toMatchObject({ faults: [], wav: { speaker: "caller", undecodable: 0, misplaced: 0 } });
    expect(media.proven).toBe(media.checkpointed);
    expect(media.proven).toBeGreaterThanOrEqual(SECONDS * 50);
    const wav = parseWav(await readFile(at("proven.wav")));
    if (!wav.ok) throw new Error(wav.fault.message);
    expect(wav.value).toMatchObject({ sampleRate: 48_000, channels: 1 });
    expect(wav.value.samples.length).toBe((media.proven - MESSAGES.length) * 960);
    expect(compareUtterance(SPOKEN, wav.value.samples, 48_000).correlation).toBeGreaterThan(0.9);
  });

  it("proves kept data messages and writes them down", async () => {
    const args = ["verify", at("call.evidence"), "--media", at("heard.frames"), "--trust", at("trust.json")];
    const { code, stdout } = await parleyAgain(...args, "--messages", at("proven.jsonl"));
    expect(code).toBe(0);
    expect(stdout).toMatch(/\nspeaker-signed +\S+proven\.jsonl: 2 data messages\n/);
    expect(stdout).toMatch(/\nboth +caller, stream 2 \(data\): 2 of 2 frames sent and received\n/);
    const lines = (await readFile(at("proven.jsonl"), "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toMatchObject(
      MESSAGES.map((value) => ({ speaker: "caller", stream: 2, checkpointed: true, value })),
    );
  });

  it("says which kept frames were said before, and proves it where it has that call", async () => {
    const args = [
      "verify",
      at("replay.evidence"),
      "--trust",
      at("trust.json"),
      "--media",
      at("replayed.frames"),
    ];
    const alone = await parleyAgain(...args);
    expect(alone.code).toBe(0);
    expect(alone.stdout).toMatch(
      /\nspeaker-signed +caller: 76 kept frames are marked as recorded in session [0-9a-f]{16}…, stream 1, \d+ to \d+: its own word/,
    );
    const source = ["--source", at("call.evidence"), "--source-media", at("heard.frames")];
    const held = await parleyAgain(...args, ...source, "--json");
    expect(held.code).toBe(0);
    expect(JSON.parse(held.stdout).media.recorded).toMatchObject([{ frames: 76, proven: 76, unknown: 0 }]);
  });

  it("leaves silence where frames are missing and keeps the rest in its place", async () => {
    const parsed = parseKeptFrames(await readFile(at("heard.frames")));
    if (!parsed.ok) throw new Error(parsed.fault.message);
    const holed = parsed.value.filter((_frame, index) => index < 20 || index >= 30);
    await writeFile(at("holed.frames"), Buffer.concat([keptFramesTitle(), encodeKeptFrames(holed)]));
    const whole = await soundOf("heard.frames");
    const samples = await soundOf("holed.frames");
    expect(samples.length).toBe(whole.length);
    expect(samples.subarray(20 * 960, 30 * 960).every((sample) => sample === 0)).toBe(true);
    // The decoder has found its feet again a few frames behind the gap.
    const tail = [35 * 960, 60 * 960] as const;
    expect(likeness(samples.subarray(...tail), whole.subarray(...tail))).toBeGreaterThan(0.9);
  });

  it("exits with 1 for a kept frame that was changed, and names it", async () => {
    const bytes = await readFile(at("heard.frames"));
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
    await writeFile(at("forged.frames"), bytes);
    const args = ["verify", at("call.evidence"), "--trust", at("trust.json"), "--media", at("forged.frames")];
    const { code, stdout } = await parleyAgain(...args);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAULT {2,}signature-invalid: .*\(kept frame \d+\)$/m);
  });
});

async function soundOf(frames: string): Promise<Int16Array> {
  const args = ["verify", at("call.evidence"), "--media", at(frames), "--wav", at(`${frames}.wav`)];
  expect((await parleyAgain(...args)).code).toBe(3);
  const wav = parseWav(await readFile(at(`${frames}.wav`)));
  if (!wav.ok) throw new Error(wav.fault.message);
  return wav.value.samples;
}

/** Normalised correlation. */
function likeness(a: Int16Array, b: Int16Array): number {
  const dot = (x: Int16Array, y: Int16Array) =>
    x.reduce((sum, value, at) => sum + value * (y[at] as number), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** A tone that rises from 200 to 2,000 Hz, so that no part of it is like another. */
function sweep(seconds: number): Int16Array {
  return Int16Array.from({ length: 48_000 * seconds }, (_, index) => {
    const time = index / 48_000;
    return 8_000 * Math.sin(2 * Math.PI * (200 * time + (900 * time * time) / seconds));
  });
}
