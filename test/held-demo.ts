/** `npm run demo` on a fresh clone, as whoever is curious runs it: a conversation is held, heard and proven. */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseWav } from "../codecs/wav.ts";
import type { Figures } from "../examples/conversation/figures.ts";
import { readScript } from "../examples/conversation/script.ts";
import { cloneProject } from "./clone.ts";
import { xmlFault } from "./xml.ts";

/** The whole conversation takes half a minute; what a busy machine may add. */
const DEMO_MS = 120_000;
/** Of the 50 frames of each second that somebody speaks, those that are sent at least: pauses are not. */
const LEAST_FRAMES = 43;

/** Has the first `turns` of the conversation held, and looks at everything that comes of it. */
export function holdDemo(turns: number): void {
  const clone = cloneProject();
  const script = readScript().slice(0, turns);
  let demo: Ran;

  beforeAll(async () => {
    shorten(join(clone.folder, "examples/speech/script.json"), turns);
    demo = await npm("run", "demo");
  }, DEMO_MS);
  afterAll(() => clone.remove());

  describe("the demo", () => {
    it("ends well and shows its figures", () => {
      expect(demo.code, demo.stdout + demo.stderr).toBe(0);
      for (const { text } of script) expect(demo.stdout).toContain(text);
      expect(demo.stdout).toMatch(/frames verified +\d+ +\d+/);
      expect(demo.stdout).toMatch(/mouth to ear p50 +[\d.]+ ms +[\d.]+ ms/);
      expect(demo.stderr).not.toContain("NOT AS IT SHOULD BE");
    });

    it("writes down what came through, within the bounds it sets itself", () => {
      const report = JSON.parse(out("report.json").toString()) as Figures & { readonly complaints: unknown };
      expect(report.complaints).toEqual([]);
      expect(report.turns.map(({ text }) => text)).toEqual(script.map(({ text }) => text));
      for (const { correlation, longestGapMs, saidAt, heardAt } of report.turns) {
        expect(correlation).toBeGreaterThanOrEqual(0.9);
        expect(longestGapMs).toBeLessThanOrEqual(60);
        expect(heardAt).toBeGreaterThan(saidAt);
      }
      expect(report.directions.map(({ from, to }) => [from, to])).toEqual([
        ["ada", "bob"],
        ["bob", "ada"],
      ]);
      for (const {
        from,
        frames_sent,
        frames_verified,
        frames_heard,
        refused,
        mouth_to_ear_ms,
      } of report.directions) {
        expect(frames_sent).toBeGreaterThan(LEAST_FRAMES * secondsOf(from));
        expect(frames_verified).toBeLessThanOrEqual(frames_sent);
        expect(frames_verified).toBeGreaterThan(0.97 * frames_sent);
        expect(frames_heard).toBeGreaterThan(0.95 * frames_sent);
        expect(refused).toEqual({});
        expect(mouth_to_ear_ms.p50).toBeGreaterThan(0);
        expect(mouth_to_ear_ms.p99).toBeGreaterThanOrEqual(mouth_to_ear_ms.p50 ?? Number.NaN);
      }
      const { evidence, setup_ms } = report;
      expect(evidence.verdict).toBe("verified");
      expect(evidence.streams.map(({ frames }) => frames)).toEqual(
        report.directions.map(({ frames_sent }) => frames_sent),
      );
      expect(evidence.records.count).toBeGreaterThan(0);
      for (const { kept, proven } of evidence.kept_frames) expect(proven).toBe(kept);
      expect(setup_ms.first_frame_heard).toBeGreaterThan(setup_ms.answered ?? Number.NaN);
    });

    it("leaves what each of them heard", () => {
      for (const listener of ["ada", "bob"] as const) {
        const wav = parseWav(out(`${listener}-heard.wav`));
        if (!wav.ok) throw new Error(wav.fault.message);
        const { samples, sampleRate, channels } = wav.value;
        const spoken = script.filter(({ speaker }) => speaker !== listener);
        const words = spoken.reduce((sum, { pcm }) => sum + pcm.length, 0);
        expect([sampleRate, channels]).toEqual([48_000, 1]);
        expect(samples.length).toBeGreaterThan(words);
      }
    });

    it("draws the conversation", () => {
      const picture = out("conversation.svg").toString();
      expect(xmlFault(picture)).toBeUndefined();
      expect(picture).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+"/);
      expect(picture.match(/<path /g)?.length).toBe(4);
      for (const [turn] of script.entries()) expect(picture).toContain(`turn ${turn + 1}: `);
    });
  });

  describe("its evidence", () => {
    it("verifies from the command line, by the anchors beside it", async () => {
      const verified = await verify("call.evidence", "--trust", "out/demo/trust.json");
      expect(verified.code, verified.stdout + verified.stderr).toBe(0);
      const kept = ["--media", "out/demo/bob-heard.frames"];
      const media = await verify("call.evidence", "--trust", "out/demo/trust.json", ...kept);
      expect(media.code, media.stdout + media.stderr).toBe(0);
    });

    it("says so when nobody vouches for it", async () => {
      expect((await verify("call.evidence")).code).toBe(3);
    });

    it("fails, naming the place, once a byte of it was changed or a line taken away", async () => {
      const evidence = out("call.evidence");
      const lines = evidence.toString().split("\n");
      const checkpoint = lines.findIndex((line) => line.includes('"kind":"checkpoint"'));
      expect(checkpoint).toBeGreaterThan(0);
      const changed = Buffer.from(evidence);
      const place = evidence.indexOf('"kind":"checkpoint"') - 40;
      changed[place] = (changed[place] as number) ^ 1;
      const files = { changed, shortened: Buffer.from(lines.toSpliced(checkpoint, 1).join("\n")) };
      for (const [name, bytes] of Object.entries(files)) {
        writeFileSync(join(clone.folder, "out/demo", `${name}.evidence`), bytes);
        const judged = await verify(`${name}.evidence`, "--trust", "out/demo/trust.json");
        expect(judged.code, judged.stdout + judged.stderr).toBe(1);
        expect(judged.stdout).toContain(`line ${checkpoint + 1}`);
      }
    });
  });

  function verify(file: string, ...more: readonly string[]): Promise<Ran> {
    return npm("run", "--silent", "parley", "--", "verify", `out/demo/${file}`, ...more);
  }

  /** An npm command in the clone, to its end. */
  function npm(...args: readonly string[]): Promise<Ran> {
    return new Promise((resolve, reject) => {
      const options = { cwd: clone.folder, timeout: DEMO_MS, env: { ...process.env, NODE_OPTIONS: "" } };
      execFile("npm", args, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === "number") resolve({ code, stdout, stderr });
        else reject(error);
      });
    });
  }

  function out(name: string): Buffer {
    return readFileSync(join(clone.folder, "out/demo", name));
  }

  function secondsOf(speaker: string): number {
    const spoken = script.filter((turn) => turn.speaker === speaker);
    return spoken.reduce((sum, { pcm, clockRate }) => sum + pcm.length / clockRate, 0);
  }
}

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Leaves the first turns of a script. */
function shorten(path: string, turns: number): void {
  const script = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(path, JSON.stringify({ ...script, turns: script.turns.slice(0, turns) }));
}
