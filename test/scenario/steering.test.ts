/** Narrowing one's own scope, interrupting, and reading the records while a call is up. */
import { describe, expect, it } from "vitest";
import type { Interrupted } from "../../agent/call-interrupts.ts";
import type { TermsChanged } from "../../agent/call-terms.ts";
import type { FrameFate } from "../../agent/frame-fate.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import type { RecordLog } from "../../signaling/record-log.ts";
import { strictVerifier } from "../keys.ts";
import { testAgent } from "../signed-call.ts";
import { CallScene } from "./signaling-call.ts";
import { SignalingPeer } from "./signaling-peer.ts";
import { SlowLog } from "./slow-log.ts";
import { connected, Recording, refusal, utterance } from "./talking.ts";
import { World } from "./world.ts";

const CAPTURE = "communication:audio:capture";
const ONE_WAY = 40;
const link = {
  datagram: (_bytes: number, now: number) => now + ONE_WAY,
  reliable: (_bytes: number, now: number) => now + ONE_WAY,
};

async function pair(options: Parameters<typeof connected>[3] = {}, network = false, log?: RecordLog) {
  const world = new World({
    ...(network ? { toServer: link, toClient: link } : {}),
    ...(log === undefined ? {} : { log }),
  });
  const ada = await world.agent("Ada");
  const bob = await world.agent("Bob");
  return { world, ada, bob, ...(await connected(world, ada, bob, options)) };
}

function evidenceOf(world: World, file: Uint8Array) {
  const issuerKeys = [world.issuer.signer.publicKey];
  return verifyEvidence(file, { issuerKeys, agentIds: [] }, strictVerifier).report;
}

describe("narrowing", () => {
  it("takes effect at both ends, in the record and in the evidence", async () => {
    const { world, ada, call, answered } = await pair();
    const told: TermsChanged[] = [];
    call.on("terms-changed", (event) => told.push(event));
    answered.on("terms-changed", (event) => told.push(event));
    const recording = new Recording(answered);
    void call.audio.write(utterance(3, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    await world.during(call.narrow([CAPTURE]));
    const changed = { number: 2, leg: 0, scope: [CAPTURE], by: ada.id };
    await world.clock.advance(500);
    expect(told).toEqual([changed, changed]);
    expect([call.terms.number, answered.terms.number]).toEqual([2, 2]);
    const heard = recording.count("speech");
    const sent = call.stats().sent?.sent;
    await world.clock.advance(1_000);
    expect(recording.count("speech")).toBe(heard);
    expect(call.stats().sent?.sent).toBe(sent);
    await world.during(call.end());
    await world.during(answered.settled);
    const report = evidenceOf(world, await world.during(call.evidence()));
    expect(report.faults).toEqual([]);
    expect(report.verdict).toBe("verified");
    const lines = report.statements.map(({ by, text }) => `${by}: ${text}`);
    expect(lines).toContain(`speaker-signed: caller: gave up scope, from terms 2 on keeps ${CAPTURE}`);
    expect(lines.join("\n")).toMatch(/server-claimed: caller, stream 1: frames up to \d+ let through/);
    expect(world.reported).toEqual([]);
  });

  it("lets a speaker that goes on be refused, for scope, and its peer hears nothing", async () => {
    const { world, call, answered } = await pair({ keepSending: true });
    const reasons: string[] = [];
    call.on("frames-refused", ({ reason }) => reasons.push(reason));
    void call.audio.write(utterance(3, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    await world.during(call.narrow([]));
    await world.clock.advance(300);
    const heard = answered.stats().heard?.heard;
    await world.clock.advance(1_000);
    expect(answered.stats().heard?.heard).toBe(heard);
    expect(new Set(reasons)).toEqual(new Set(["scope"]));
    await world.during(call.end());
    await world.during(answered.settled);
    expect(evidenceOf(world, await world.during(call.evidence()))).toMatchObject({ faults: [] });
  });

  it("only gives up: more scope, the same scope and nonsense are refused by code", async () => {
    const { world, call } = await pair();
    expect(
      await refusal(world, call.narrow([...call.terms.legs[0]!.scope, "communication:video:capture"])),
    ).toBe("scope-violation at narrowing.scope");
    expect(await refusal(world, call.narrow(call.terms.legs[0]!.scope))).toBe(
      "field-invalid at narrowing.scope",
    );
    expect(await refusal(world, call.narrow(["no scope"]))).toBe("scope-malformed at scope[0]");
    await world.during(call.narrow([CAPTURE]));
    expect(await refusal(world, call.narrow(["communication:audio:transmit"]))).toBe(
      "scope-violation at narrowing.scope",
    );
  });

  it("of data refuses messages and leaves the voice alone", async () => {
    const { world, call, answered } = await pair({ data: true });
    void call.audio.write(utterance(5, 48_000)).catch(() => undefined);
    await world.during(call.data?.send({ before: true }) as Promise<unknown>);
    await world.clock.advance(500);
    await world.during(call.narrow([CAPTURE, "communication:audio:transmit"]));
    expect(await refusal(world, call.data?.send({ after: true }) as Promise<unknown>)).toBe(
      "scope-violation",
    );
    const heard = answered.stats().heard?.heard ?? 0;
    await world.clock.advance(1_000);
    expect((answered.stats().heard?.heard ?? 0) - heard).toBeGreaterThan(40);
    await world.during(call.end());
    await world.during(answered.settled);
    expect(evidenceOf(world, await world.during(call.evidence()))).toMatchObject({ faults: [] });
  });

  it("by both ends at once makes two terms, one after the other", async () => {
    const { world, call, answered } = await pair({}, true);
    await world.during(Promise.all([call.narrow([CAPTURE]), answered.narrow([])]));
    await world.clock.advance(500);
    expect([call.terms.number, answered.terms.number]).toEqual([3, 3]);
    expect(call.terms).toEqual(answered.terms);
    expect(world.reported).toEqual([]);
  });
});

describe("an interrupt", () => {
  it("silences the speaker in half a round trip and 50 ms, and nothing said before it is heard after it", async () => {
    const fates: FrameFate[] = [];
    const { world, ada, bob, call, answered } = await pair({ watch: (fate) => fates.push(fate) }, true);
    const events: Interrupted[] = [];
    call.on("interrupted", (event) => events.push(event));
    const recording = new Recording(answered);
    void call.audio.write(utterance(20, 48_000)).catch(() => undefined);
    await world.clock.advance(2_000);
    const before = recording.frames.length;
    const at = world.clock.now();
    await world.during(answered.interrupt());
    await world.clock.advance(1_000);
    const lastSent = fates.filter(({ fate }) => fate === "sent").at(-1)?.at ?? 0;
    expect(lastSent - at).toBeLessThanOrEqual(2 * ONE_WAY + 50);
    expect(events).toEqual([{ stream: 1, epoch: 1, by: bob.id }]);
    const after = recording.frames.slice(before);
    expect(after.filter(({ kind }) => kind === "speech")).toEqual([]);
    expect(after.filter(({ kind }) => kind === "concealed").length).toBeLessThanOrEqual(1);
    const spoken = recording.count("speech");
    await world.during(call.audio.write(utterance(0.5, 48_000)).then(() => call.audio.endTurn()));
    await world.clock.advance(500);
    expect(recording.count("speech")).toBeGreaterThan(spoken + 20);
    await world.during(call.end());
    await world.during(answered.settled);
    const report = evidenceOf(world, await world.during(call.evidence()));
    expect(report.faults).toEqual([]);
    expect(report.statements).toContainEqual({
      by: "listener-signed",
      text: "caller, stream 1: interrupted by the callee, epoch 1",
    });
    expect([ada.calls.length, world.reported]).toEqual([0, []]);
  });

  it("by the speaker itself takes back what waits; what is said next is heard whole", async () => {
    const { world, call, answered } = await pair({}, true);
    const recording = new Recording(answered);
    void call.audio.write(utterance(20, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    const flushed = call.audio.flush();
    const next = call.audio.write(utterance(1, 48_000)).then(() => call.audio.endTurn());
    await world.during(Promise.all([flushed, next]));
    const stopped = call.stats().sent?.sent;
    await world.clock.advance(500);
    expect(call.stats().sent?.sent).toBe(stopped);
    expect(recording.frames.filter((frame) => frame.kind === "speech" && frame.endOfTurn)).toHaveLength(1);
    expect(answered.stats().heard?.refused).toEqual({});
    await world.during(call.end());
    await world.during(answered.settled);
    const report = evidenceOf(world, await world.during(answered.evidence()));
    expect(report.faults).toEqual([]);
    expect(report.statements).toContainEqual({
      by: "speaker-signed",
      text: "caller, stream 1: took back what was not yet heard, epoch 1",
    });
  });

  it("by both ends at once begins one epoch, and talk goes on", async () => {
    const { world, call, answered } = await pair({}, true);
    void call.audio.write(utterance(20, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    await world.during(Promise.all([call.audio.flush(), answered.interrupt()]));
    await world.clock.advance(500);
    const heard = answered.stats().heard?.heard ?? 0;
    await world.during(call.audio.write(utterance(1, 48_000)).then(() => call.audio.endTurn()));
    await world.clock.advance(500);
    expect((answered.stats().heard?.heard ?? 0) - heard).toBeGreaterThan(45);
    expect(world.reported).toEqual([]);
  });
});

describe("where the log takes 3 s to be durable", () => {
  it("an interrupt silences the speaker all the same, once and again; only the answers wait", async () => {
    const log = new SlowLog();
    const { world, bob, call, answered } = await pair({}, true, log);
    const events: Interrupted[] = [];
    call.on("interrupted", (event) => events.push(event));
    const recording = new Recording(answered);
    void call.audio.write(utterance(20, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    log.held = true;
    let answers = 0;
    const interrupt = () =>
      answered.interrupt().then(() => {
        answers += 1;
      });
    const asked = [interrupt()];
    await world.clock.advance(2 * ONE_WAY + 50);
    expect(events).toEqual([{ stream: 1, epoch: 1, by: bob.id }]);
    const stopped = call.stats().sent?.sent;
    await world.clock.advance(400);
    expect(call.stats().sent?.sent).toBe(stopped);
    void call.audio.write(utterance(20, 48_000)).catch(() => undefined);
    await world.clock.advance(500);
    const spoken = recording.count("speech");
    asked.push(interrupt());
    await world.clock.advance(2 * ONE_WAY + 50);
    expect(events).toHaveLength(2);
    await world.clock.advance(1_400);
    expect([recording.count("speech"), answers]).toEqual([spoken, 0]);
    log.release();
    await world.during(Promise.all(asked));
    await world.clock.advance(500);
    expect([events.length, answers]).toEqual([2, 2]);
    await world.during(call.end());
    await world.during(answered.settled);
    expect(evidenceOf(world, await world.during(call.evidence()))).toMatchObject({ faults: [] });
    expect(world.reported).toEqual([]);
  });

  it("what a speaker takes back is gone at the listener too", async () => {
    const log = new SlowLog();
    const { world, call, answered } = await pair({}, true, log);
    const recording = new Recording(answered);
    void call.audio.write(utterance(20, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    log.held = true;
    const at = world.clock.wall();
    const flushed = call.audio.flush();
    const next = call.audio.write(utterance(1, 48_000)).then(() => call.audio.endTurn());
    await world.clock.advance(2 * ONE_WAY + 50);
    const before = recording.frames.length;
    await world.clock.advance(1_500);
    const heard = recording.frames.slice(before).flatMap((frame) => (frame.kind === "speech" ? [frame] : []));
    expect(heard.length).toBeGreaterThan(40);
    expect(heard.filter(({ capturedAt }) => capturedAt < at - 20)).toEqual([]);
    expect(answered.stats().heard?.refused).toEqual({});
    log.release();
    await world.during(Promise.all([flushed, next]));
    expect(world.reported).toEqual([]);
  });

  it("a narrowing silences its end all the same", async () => {
    const log = new SlowLog();
    const { world, call, answered } = await pair({ keepSending: true }, true, log);
    const recording = new Recording(answered);
    void call.audio.write(utterance(20, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    log.held = true;
    let isAnswered = false;
    const narrowed = call.narrow([CAPTURE]).then(() => {
      isAnswered = true;
    });
    await world.clock.advance(2 * ONE_WAY + 150);
    const spoken = recording.count("speech");
    await world.clock.advance(1_000);
    expect([recording.count("speech"), isAnswered, answered.terms.number]).toEqual([spoken, false, 1]);
    log.release();
    await world.during(narrowed);
    await world.clock.advance(200);
    expect([call.terms.number, answered.terms.number]).toEqual([2, 2]);
  });
});

describe("a flush and an interrupt that cross", () => {
  /** The speaker takes back and begins a new turn of 1 s; the listener interrupts so much earlier (or later), ms. */
  async function crossing(earlier: number) {
    const scene = await pair({}, true);
    const { world, call, answered } = scene;
    const told: Interrupted[] = [];
    call.on("interrupted", (event) => told.push(event));
    const recording = new Recording(answered);
    void call.audio.write(utterance(20, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    let [begun, heardBefore] = [0, 0];
    const interrupt = () => {
      heardBefore = recording.frames.length;
      return answered.interrupt();
    };
    const turn = async () => {
      begun = world.clock.wall();
      const flushed = call.audio.flush();
      await Promise.all([flushed, call.audio.write(utterance(1, 48_000)).then(() => call.audio.endTurn())]);
    };
    const first = earlier > 0 ? interrupt() : turn();
    await world.clock.advance(Math.abs(earlier));
    const second = earlier > 0 ? turn() : interrupt();
    await world.during(Promise.all([first, second]));
    await world.clock.advance(1_500);
    const heard = recording.frames
      .slice(heardBefore)
      .flatMap((frame) => (frame.kind === "speech" ? [frame] : []));
    await world.during(call.end());
    await world.during(answered.settled);
    const { faults } = evidenceOf(world, await world.during(call.evidence()));
    expect([faults, world.reported]).toEqual([[], []]);
    // A frame is captured in the 20 ms before it goes.
    return { told, heard, old: heard.filter(({ capturedAt }) => capturedAt < begun - 20) };
  }

  it.each([0, -10, -30])(
    "the speaker's first (%i ms): nothing old is heard, the new turn is heard whole",
    async (earlier) => {
      const { told, heard, old } = await crossing(earlier);
      expect([told, old]).toEqual([[], []]);
      expect(heard.length).toBeGreaterThanOrEqual(50);
      expect(heard.at(-1)?.endOfTurn).toBe(true);
    },
  );

  it.each([10, 30, 70])(
    "the listener's first (%i ms): nothing old is heard, of the new turn a round trip",
    async (earlier) => {
      const { told, heard, old } = await crossing(earlier);
      expect([told.map(({ epoch }) => epoch), old]).toEqual([[1], []]);
      expect(heard.length).toBeLessThanOrEqual(Math.ceil((2 * ONE_WAY - earlier) / 20) + 1);
    },
  );
});

describe("records", () => {
  it("are read while the call is up, in order, and further ones later", async () => {
    const { world, call, answered } = await pair();
    const first = await world.during(call.records());
    expect(first.map(({ seq }) => seq)).toEqual(first.map((_, seq) => seq));
    for (let count = 0; count < 40; count += 1) {
      await world.during(answered.interrupt());
      await world.clock.advance(200);
    }
    await world.during(call.narrow([CAPTURE]));
    const all = await world.during(answered.records());
    expect(all.length).toBeGreaterThan(64);
    expect(all.slice(0, first.length)).toEqual(first);
    const later = await world.during(call.records(first.length - 1));
    expect(later).toEqual(all.slice(first.length));
    const middle = all.length - 66;
    expect(await world.during(call.records(middle))).toEqual(all.slice(middle + 1));
    expect(await world.during(call.records(all.length - 1))).toEqual([]);
    expect(later.filter(({ event }) => event === "media-interrupted")).toHaveLength(40);
    expect(later.find(({ event }) => event === "terms-narrowed")).toMatchObject({
      method: "ADJUST",
      status: 200,
    });
    await world.during(call.end());
    await world.during(answered.settled);
    expect((await world.during(call.records())).at(-1)).toMatchObject({ status: 0, reason: "done" });
  });

  it("are for the participants alone", () => {
    const scene = new CallScene();
    const path = `/sessions/${scene.sessionId}/records`;
    const eve = new SignalingPeer(scene.stage, testAgent("eve", 0x2a));
    eve.subscribe();
    expect(eve.ask("QUERY", path).outcome).toBe("session-identity-mismatch");
  });
});
