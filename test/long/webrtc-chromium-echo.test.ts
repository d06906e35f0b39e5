/** Chromium by WebRTC calls an agent by QUIC that says back what it hears and shows back what it sees: on a clean network, and through losses in bursts. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Agent, Call } from "../../agent/node.ts";
import { encodeWav } from "../../codecs/wav.ts";
import { systemClock } from "../../platform/node/clock.ts";
import { type LinkConditions, PRESETS } from "../../src/emulation/link.ts";
import { startUdpEmulator, type UdpEmulator } from "../../src/emulation/udp-emulator.ts";
import { echo } from "../../src/residents/echo.ts";
import { Mouth } from "../../src/residents/mouth.ts";
import { type Chromium, startChromium } from "../browser/chromium.ts";
import type { Watched } from "../browser/echo-call-page.ts";
import { type ModulePage, serveModule } from "../browser/module-page.ts";
import { type Tone, toneIn } from "../pitch.ts";
import { pause, until, within } from "../waiting.ts";
import { PeerServer } from "../webrtc/peer-server.ts";

const RATE = 48_000;
const TONE_HZ = 440;
const SPOKEN_S = 2;
/** The first and the last piece of a turn are heard in part, and its end fades. */
const HEARD_S = 1.4;
/** In bursts, what is made up for what was lost may fade as well. */
const HEARD_IN_BURSTS_S = 0.8;
/** Longest that the picture may stand, ms: the camera makes one every 50, and the machine may have much else to do. */
const LONGEST_GAP_MS = 1_000;
const CLEAN: LinkConditions = { delay: 5 };
const BURSTS = PRESETS["lossy-wifi"];

const folder = mkdtempSync(join(tmpdir(), "parley-chromium-echo-"));
let served: ModulePage;
let site: PeerServer;
let browser: Chromium;
let echoing: Agent;
/** Calls that Echo takes, and what it hears in them. */
const taken: Ear[] = [];
const troubles: unknown[] = [];

beforeAll(async () => {
  served = await serveModule(new URL("../browser/echo-call-page.ts", import.meta.url));
  site = await PeerServer.start({ allowedOrigins: [new URL(served.url).origin] });
  browser = await startChromium({ microphone: microphone(), goesFirst: true });
  echoing = await site.online("Echo");
  const report = (error: unknown) => void troubles.push(error);
  echoing.onCall(async (incoming) => {
    const call = await incoming.accept({ video: { renditions: 1 } });
    taken.push(new Ear(call));
    const mouth = new Mouth(call, systemClock, report);
    echo(call, mouth, report).catch(report);
  });
});
afterAll(async () => {
  await browser?.close();
  await site?.[Symbol.asyncDispose]();
  await served?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** What one end hears, as it is played. */
class Ear {
  readonly call: Call;
  #pieces: Int16Array[] = [];

  constructor(call: Call) {
    this.call = call;
    this.#listen().catch((error: unknown) => void troubles.push(error));
  }

  /** Since it was asked before. */
  take(): Int16Array {
    const pieces = this.#pieces;
    this.#pieces = [];
    const all = new Int16Array(pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  async #listen(): Promise<void> {
    for await (const { pcm } of this.call.audio.heard({ silence: true })) this.#pieces.push(pcm);
  }
}

/** A turn, then silence. */
function microphone(): string {
  const [lead, spoken, rest] = [0.3 * RATE, SPOKEN_S * RATE, 0.7 * RATE];
  const samples = new Int16Array(lead + spoken + rest);
  for (let at = 0; at < spoken; at += 1)
    samples[lead + at] = Math.round(12_000 * Math.sin((2 * Math.PI * TONE_HZ * at) / RATE));
  const path = join(folder, "microphone.wav");
  writeFileSync(path, encodeWav({ sampleRate: RATE, channels: 1, samples }));
  return path;
}

/** A page in a call with Echo, whose picture has come back. */
async function call(emulator?: (sdp: string) => Promise<string>): Promise<{ page: Page; ear: Ear }> {
  const page = await browser.open(served.url);
  onTestFinished(() => page.close());
  await page.waitForSelector("body[data-ready]");
  if (emulator !== undefined) await page.exposeFunction("leadDescription", emulator);
  const before = taken.length;
  const { certificateHash, url } = site.server;
  const asked = { url, hash: certificateHash, callee: echoing.id };
  await within(
    "the call",
    page.evaluate((asked) => globalThis.echoCall.begin(asked), asked),
  );
  const ear = taken[before];
  if (ear === undefined) throw new Error("Echo has no call.");
  expect(ear.call.peer.gateway).toBeDefined();
  await until("the first picture", async () => (await watch(page, 200)).seen.framesDecoded > 0);
  return { page, ear };
}

async function watch(page: Page, milliseconds: number): Promise<Watched> {
  return await page.evaluate((ms) => globalThis.echoCall.watch(ms), milliseconds);
}

async function heardByPage(page: Page): Promise<Int16Array> {
  const pieces = await page.evaluate(() => globalThis.echoCall.heard());
  const bytes = Buffer.concat(pieces.map((piece) => Buffer.from(piece, "base64")));
  return new Int16Array(Uint8Array.from(bytes).buffer);
}

/**
 * Says a turn and waits until it has come back. What it gives tells what Echo heard of it, and the page of the echo: to be asked for when nothing has to
 * be in time any more, since that takes this process a while, which serves as well.
 */
async function talk(page: Page, ear: Ear): Promise<() => { readonly there: Tone; readonly back: Tone }> {
  ear.take();
  await heardByPage(page);
  await page.evaluate(() => globalThis.echoCall.say());
  await until("an echo", async () => {
    await pause(100);
    return (await page.evaluate(() => globalThis.echoCall.audible())) >= 1_000 * HEARD_IN_BURSTS_S;
  });
  await pause(1_000 * SPOKEN_S);
  const rate = ear.call.audio.hears?.clockRate ?? RATE;
  const [there, back] = [ear.take(), await heardByPage(page)];
  return () => ({ there: toneIn(there, rate), back: toneIn(back, RATE) });
}

function expectTone({ hz, seconds }: Tone, least: number): void {
  expect(Math.abs(hz - TONE_HZ)).toBeLessThan(TONE_HZ / 100);
  expect(seconds).toBeGreaterThanOrEqual(least);
}

async function hangUp(page: Page, ear: Ear): Promise<void> {
  const standing = await page.evaluate(() => globalThis.echoCall.standing());
  expect(standing).toEqual({ state: "active", codec: "VP8" });
  expect(await page.evaluate(() => globalThis.echoCall.hangUp())).toMatchObject({ reason: "hung-up" });
  expect(await within("the end", ear.call.ended)).toEqual({ reason: "hung-up", by: "peer" });
  expect(troubles).toEqual([]);
  expect(browser.complaints).toEqual([]);
}

describe("on a clean network", () => {
  it("a page by WebRTC says 440 Hz to Echo by QUIC, which hears 440 Hz, and hears 440 Hz back", async () => {
    expect(echoing.carrier.kind).toBe("webtransport");
    const { page, ear } = await call();
    const { there, back } = (await talk(page, ear))();
    expectTone(there, HEARD_S);
    expectTone(back, HEARD_S);
    await hangUp(page, ear);
  });

  it("VP8 goes to Echo by QUIC and back, every picture is decoded and none stands", async () => {
    const { page, ear } = await call();
    expect(ear.call.video?.codec).toBe("vp8");
    const watched = await watch(page, 10_000);
    const { seen, shown, longestGap } = watched;
    // Nothing is lost or left out: what is seen goes by the key frame of the beginning.
    expect(seen).toMatchObject({ packetsLost: 0, framesDropped: 0, keyFramesDecoded: 0, pliCount: 0 });
    expect(shown).toMatchObject({ keyFramesEncoded: 0, pliCount: 0 });
    expect(seen.framesDecoded).toBeGreaterThan(100);
    // What is under way at the beginning and at the end of the look.
    expect(Math.abs(seen.framesDecoded - shown.framesEncoded)).toBeLessThanOrEqual(4);
    expect(longestGap).toBeLessThan(LONGEST_GAP_MS);
    await hangUp(page, ear);
  });
});

/** The way between a page and the media worker, which a test makes worse and better. */
async function emulatedWay(seed: number) {
  let emulator: UdpEmulator | undefined;
  onTestFinished(async () => await emulator?.close());
  return {
    get emulator(): UdpEmulator {
      if (emulator === undefined) throw new Error("No description was led.");
      return emulator;
    },
    lead: async (sdp: string): Promise<string> => {
      const [, host, port] = CANDIDATE.exec(sdp) ?? [];
      emulator ??= await startUdpEmulator({
        target: `${host}:${port}`,
        ...{ toServer: CLEAN, toClient: CLEAN, seed },
      });
      const place = emulator.address.replace(":", " ");
      const lines = sdp.split("\r\n").filter((line) => !/^a=candidate:\S+ 1 tcp /i.test(line));
      return lines
        .map((line) => line.replace(/^(a=candidate:\S+ 1 udp \d+) \S+ \d+/i, `$1 ${place}`))
        .join("\r\n");
    },
  };
}
const CANDIDATE = /^a=candidate:\S+ 1 udp \d+ (\S+) (\d+)/im;

it("5 % lost in bursts both ways: the picture is decoded in them, is fluent 2 s after, and the voice is heard in them and after", async () => {
  const way = await emulatedWay(7);
  const { page, ear } = await call(way.lead);
  const { emulator } = way;
  emulator.change({ toServer: BURSTS, toClient: BURSTS });
  const before = { toServer: emulator.toServer.lost, toClient: emulator.toClient.lost };
  const talking = talk(page, ear);
  const during = [await watch(page, 2_000), await watch(page, 2_000), await watch(page, 2_000)];
  const measure = await talking;
  emulator.change({ toServer: CLEAN, toClient: CLEAN });
  const lost = {
    toServer: emulator.toServer.lost - before.toServer,
    toClient: emulator.toClient.lost - before.toClient,
  };
  await pause(2_000);
  const after = await watch(page, 4_000);
  const measureAfter = await talk(page, ear);
  expect(Math.min(lost.toServer, lost.toClient)).toBeGreaterThan(3);
  // What is lost comes again when it is asked for: the picture goes on, of 40 in each 2 s.
  for (const { seen } of during) expect(seen.framesDecoded).toBeGreaterThan(10);
  expect(during.reduce((sum, { seen }) => sum + seen.framesDecoded, 0)).toBeGreaterThan(60);
  const asked = during.map(({ seen, shown }) => [seen, shown].map((one) => one.nackCount + one.pliCount));
  expect(asked.flat().reduce((sum, count) => sum + count)).toBeGreaterThan(0);
  expect(after.seen).toMatchObject({ packetsLost: 0 });
  expect(after.longestGap).toBeLessThan(LONGEST_GAP_MS);
  expect(after.seen.framesDecoded).toBeGreaterThan(40);
  const [inBursts, clean] = [measure(), measureAfter()];
  for (const tone of [inBursts.there, inBursts.back]) expectTone(tone, HEARD_IN_BURSTS_S);
  for (const tone of [clean.there, clean.back]) expectTone(tone, HEARD_S);
  await hangUp(page, ear);
});
