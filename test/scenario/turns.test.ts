/** Who may end a turn, and what is heard when one ends: interruptions at random moments, allowed or not by what both ends signed. */
import { describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { decodeBase64url } from "../../codecs/base64url.ts";
import { parseReceipt } from "../../codecs/receipt.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { contentLines } from "../evidence-edit.ts";
import { strictVerifier } from "../keys.ts";
import { must } from "../signed-call.ts";
import { connected, refusal } from "./talking.ts";
import { World } from "./world.ts";

const RATE = 48_000;
const ONE_WAY = 40;
const link = {
  datagram: (_bytes: number, now: number) => now + ONE_WAY,
  reliable: (_bytes: number, now: number) => now + ONE_WAY,
};
/** P7: from an interrupt to silence at the far end, ms, without the way there. */
const SILENT_AFTER = 50;
const INTERRUPTIONS = 20;
const SEED = 3;
/** Each turn has the pitch that the one before had not, Hz. */
const PITCHES = [400, 950] as const;
const AUDIBLE = 500;

function tone(hz: number, seconds: number): Int16Array {
  const pcm = new Int16Array(seconds * RATE);
  for (let at = 0; at < pcm.length; at += 1) pcm[at] = 10_000 * Math.sin((2 * Math.PI * hz * at) / RATE);
  return pcm;
}

/** How much of `pcm` is a sine of `hz`: its amplitude. */
function amplitude(pcm: Int16Array, hz: number): number {
  let [real, imaginary] = [0, 0];
  pcm.forEach((sample, at) => {
    const angle = (2 * Math.PI * hz * at) / RATE;
    real += sample * Math.cos(angle);
    imaginary += sample * Math.sin(angle);
  });
  return (2 * Math.hypot(real, imaginary)) / pcm.length;
}

interface Played {
  /** When its first sample was put out, on the world's clock. */
  readonly at: number;
  readonly pcm: Int16Array;
  readonly sequence: number | undefined;
}

async function listen(world: World, call: Call, into: Played[]): Promise<void> {
  for await (const heard of call.audio.heard({ silence: true })) {
    const sequence = heard.kind === "speech" ? heard.sequence : undefined;
    into.push({ at: world.clock.now(), pcm: heard.pcm, sequence });
  }
}

async function pair(
  options: Parameters<typeof connected>[3] = {},
  taking: Parameters<typeof connected>[4] = {},
) {
  const world = new World({ toServer: link, toClient: link });
  const ada = await world.agent("Ada");
  const bob = await world.agent("Bob");
  return { world, ada, bob, ...(await connected(world, ada, bob, options, taking)) };
}

describe("twenty interruptions at random moments", () => {
  it("are followed by silence in time, and nothing of an old turn is in a new one", async () => {
    const random = new SeededRandom(SEED);
    const sentAt: number[] = [];
    const { world, call, answered } = await pair({
      watch: ({ direction, fate, at }) => void (direction === "sent" && fate === "sent" && sentAt.push(at)),
    });
    const played: Played[] = [];
    void listen(world, answered, played);
    for (let turn = 0; turn < INTERRUPTIONS; turn += 1) {
      const [hz, other] = turn % 2 === 0 ? PITCHES : [PITCHES[1], PITCHES[0]];
      const began = world.clock.now();
      void call.audio.write(tone(hz, 3)).catch(() => undefined);
      await world.clock.advance(300 + Math.floor(random.next() * 1_200));
      const at = world.clock.now();
      const byListener = random.next() < 0.5;
      const asked = byListener ? answered.interrupt() : call.audio.flush();
      await world.clock.advance(400);
      await world.during(asked);
      // The far end of a listener is the speaker, who must fall silent; that of a speaker is the listener.
      const lastSent = sentAt.findLast((sent) => sent > began) ?? at;
      const lastHeard =
        played.findLast(({ pcm }) => pcm.some((sample) => Math.abs(sample) > AUDIBLE))?.at ?? at;
      const silent =
        Math.max(byListener ? lastSent - 2 * ONE_WAY : 0, lastHeard - (byListener ? 0 : 2 * ONE_WAY)) - at;
      expect(silent).toBeLessThanOrEqual(SILENT_AFTER);
      const sound = played.filter((one) => one.at >= began && one.at < at && one.sequence !== undefined);
      expect(sound.length).toBeGreaterThan(0);
      for (const { pcm } of sound) expect(amplitude(pcm, other)).toBeLessThan(AUDIBLE);
    }
    await world.during(answered.end());
    await world.during(call.settled);
    const file = await world.during(call.evidence());
    const issuerKeys = [world.issuer.signer.publicKey];
    const { report } = verifyEvidence(file, { issuerKeys, agentIds: [] }, strictVerifier);
    expect([report.faults, report.verdict]).toEqual([[], "verified"]);
    // The receipts claim exactly the frames that came out as sound: they agree to the frame, which is 20 ms.
    const claimed = contentLines(file)
      .flatMap((line) => (line.kind === "receipt" ? [must(decodeBase64url(line.bytes, "receipt"))] : []))
      .map((bytes) => must(parseReceipt(bytes)))
      .filter(({ listenerLeg }) => listenerLeg === 1)
      .flatMap(({ heard }) => heard)
      .flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, index) => first + index));
    const out = played.flatMap(({ sequence }) => (sequence === undefined ? [] : [sequence]));
    expect(claimed.toSorted((a, b) => a - b)).toEqual(out.toSorted((a, b) => a - b));
    expect(world.reported).toEqual([]);
  });
});

describe("where a speaker signed that it is not to be interrupted", () => {
  it.each(["caller", "callee"] as const)(
    "the %s is not, and may itself take back what it says",
    async (who) => {
      const guarded = { audio: { interruptible: false } };
      const { world, call, answered } = await pair(
        who === "caller" ? guarded : {},
        who === "callee" ? guarded : {},
      );
      const [speaker, listener] = who === "caller" ? [call, answered] : [answered, call];
      expect(await refusal(world, listener.interrupt())).toBe("interrupt-forbidden");
      expect(() => listener.audio.pause()).toThrow(expect.objectContaining({ code: "interrupt-forbidden" }));
      // The other way round nobody forbade it.
      expect(await refusal(world, speaker.interrupt())).toBe("accepted");
      expect(await refusal(world, speaker.audio.flush())).toBe("accepted");
      await world.during(call.end());
      await world.during(answered.settled);
      const file = await world.during(call.evidence());
      expect(verifyEvidence(file, { issuerKeys: [], agentIds: [] }, strictVerifier).report.faults).toEqual(
        [],
      );
    },
  );

  it("the server refuses whoever interrupts all the same, and the speaker goes on", async () => {
    const { world, call, answered } = await pair({ audio: { interruptible: false } });
    void call.audio.write(tone(400, 3)).catch(() => undefined);
    await world.clock.advance(500);
    // The listener's own library forgets what it signed.
    delete (answered.session.terms.streams[0] as { interruptible?: unknown }).interruptible;
    expect(await refusal(world, answered.interrupt())).toBe("interrupt-forbidden");
    const sent = call.stats().sent?.sent ?? 0;
    const heard = answered.stats().heard?.heard ?? 0;
    await world.clock.advance(1_000);
    expect((call.stats().sent?.sent ?? 0) - sent).toBeGreaterThanOrEqual(49);
    expect((answered.stats().heard?.heard ?? 0) - heard).toBeGreaterThanOrEqual(45);
  });
});

describe("an interruption in two steps", () => {
  async function speaking() {
    const made = await pair();
    const { world, call, answered } = made;
    const played: Played[] = [];
    void listen(world, answered, played);
    void call.audio
      .write(tone(400, 6))
      .then(() => call.audio.endTurn())
      .catch(() => undefined);
    await world.clock.advance(1_500);
    return { ...made, played, sent: () => call.stats().sent?.sent ?? 0 };
  }

  it("pauses in time, and a false one is taken back: every frame is heard, in order", async () => {
    const { world, call, answered, played, sent } = await speaking();
    const paused = world.clock.now();
    answered.audio.pause();
    await world.clock.advance(SILENT_AFTER + 2 * ONE_WAY);
    const before = sent();
    await world.clock.advance(800);
    expect(sent()).toBe(before);
    expect(
      played
        .filter(({ at }) => at > paused + SILENT_AFTER)
        .flatMap(({ pcm }) => [...pcm])
        .every((sample) => Math.abs(sample) < AUDIBLE),
    ).toBe(true);
    answered.audio.resume();
    await world.clock.advance(7_000);
    const heard = played.flatMap(({ sequence }) => (sequence === undefined ? [] : [sequence]));
    expect(heard).toEqual(Array.from({ length: sent() }, (_, index) => (heard[0] ?? 0) + index));
    expect([sent(), call.stats().sent?.turns]).toEqual([301, 1]);
    expect(world.reported).toEqual([]);
  });

  it("pauses, then drops: nothing of it is heard after", async () => {
    const { world, answered, played, sent } = await speaking();
    answered.audio.pause();
    await world.clock.advance(500);
    await world.during(answered.interrupt());
    const [at, before] = [world.clock.now(), sent()];
    await world.clock.advance(3_000);
    expect(sent()).toBe(before);
    const after = played.filter((one) => one.at > at).flatMap(({ pcm }) => [...pcm]);
    expect(after.some((sample) => Math.abs(sample) > AUDIBLE)).toBe(false);
  });

  it("that is forgotten goes on by itself after two seconds", async () => {
    const { world, answered, sent } = await speaking();
    const heard = () => answered.stats().heard?.heard ?? 0;
    answered.audio.pause();
    await world.clock.advance(1_000);
    const before = [sent(), heard()] as const;
    await world.clock.advance(2_000);
    expect(sent() - before[0]).toBeGreaterThan(30);
    expect(heard() - before[1]).toBeGreaterThan(30);
    await world.clock.advance(6_000);
    expect(heard()).toBe(sent());
  });

  it("taken back and asked for over and over keeps nobody silent", async () => {
    const { world, call, answered, sent } = await speaking();
    void call.audio.write(tone(400, 10)).catch(() => undefined);
    const before = sent();
    for (let second = 0; second < 8; second += 1) {
      answered.audio.pause();
      await world.clock.advance(990);
      answered.audio.resume();
      answered.audio.pause();
      await world.clock.advance(10);
    }
    expect(sent() - before).toBeGreaterThan((8_000 - 2_800) / 20);
  });

  it("does whatever comes, in any order, and never plays what was dropped", async () => {
    const random = new SeededRandom(SEED);
    const { world, call, answered, played } = await speaking();
    let dropped = 0;
    for (let act = 0; act < 40; act += 1) {
      const choice = random.next();
      if (choice < 0.35) answered.audio.pause();
      else if (choice < 0.7) answered.audio.resume();
      else {
        const interrupting = answered.interrupt();
        dropped = Math.max(dropped, ...played.map(({ sequence }) => sequence ?? 0));
        await world.during(interrupting);
        void call.audio.write(tone(950, 2)).catch(() => undefined);
      }
      await world.clock.advance(Math.floor(random.next() * 400));
    }
    answered.audio.resume();
    await world.clock.advance(5_000);
    const heard = played.flatMap(({ sequence }) => (sequence === undefined ? [] : [sequence]));
    expect(heard).toEqual([...new Set(heard)].toSorted((a, b) => a - b));
    expect(dropped).toBeGreaterThan(0);
    expect(await refusal(world, call.end())).toBe("accepted");
    expect(world.reported).toEqual([]);
  });
});

describe("who speaks", () => {
  it("is told at both ends by the frames that left and came, and nothing that was only written", async () => {
    const { world, call, answered } = await pair();
    const told: string[] = [];
    const note = (where: string) => (event: { readonly who: string; readonly speaking: boolean }) =>
      told.push(`${where}: ${event.who} ${event.speaking ? "speaks" : "is silent"}`);
    call.audio.on("speaking", note("ada"));
    answered.audio.on("speaking", note("bob"));
    await world.during(call.audio.write(tone(400, 2)).then(() => call.audio.endTurn()));
    expect([call.audio.speaking, answered.audio.speaking]).toEqual([
      { me: true, peer: false },
      { me: false, peer: true },
    ]);
    await world.clock.advance(1_000);
    expect(told).toEqual(["ada: me speaks", "bob: peer speaks", "ada: me is silent", "bob: peer is silent"]);
    const stalled: number[] = [];
    call.audio.on("voice-stalled", () => stalled.push(world.clock.now()));
    const at = world.clock.now();
    await world.during(call.suspend());
    void call.audio.write(tone(400, 2)).catch(() => undefined);
    await world.clock.advance(3_000);
    expect(stalled).toHaveLength(1);
    expect((stalled[0] ?? 0) - at).toBeLessThan(1_300);
    expect(call.audio.speaking.me).toBe(false);
  });
});

describe("a microphone, which never stops", () => {
  it("has its turns told by a detector: at the other end they begin and end where it spoke", async () => {
    const { world, call, answered } = await pair({ audio: { turns: "loudness" } });
    const marks: string[] = [];
    let captured: number | undefined;
    void (async () => {
      for await (const heard of answered.audio) {
        if (heard.kind !== "speech") continue;
        captured ??= heard.capturedAt;
        const at = Math.round((heard.capturedAt - captured) / 100) / 10;
        if (heard.startOfTurn) marks.push(`begins ${at}`);
        if (heard.endOfTurn) marks.push(`ends ${at}`);
      }
    })();
    const pcm = new Int16Array(7 * RATE);
    pcm.set(tone(400, 1), RATE);
    pcm.set(tone(400, 1), 4 * RATE);
    for (let at = 0; at < pcm.length; at += 960) {
      void call.audio.write(pcm.subarray(at, at + 960));
      await world.clock.advance(20);
    }
    await world.clock.advance(500);
    expect(marks).toEqual(["begins 1", "ends 2.7", "begins 4", "ends 5.7"]);
    expect([call.stats().sent?.sent, call.stats().sent?.turns]).toEqual([350, 2]);
    expect(world.reported).toEqual([]);
  });
});
