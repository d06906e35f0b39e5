/** A call that is suspended and resumed: what each end sends, hears and is told. */
import { describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import type { Resumed, Suspended } from "../../agent/call-suspension.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { strictVerifier } from "../keys.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, Recording, refusal, utterance } from "./talking.ts";
import { World } from "./world.ts";

const ONE_WAY = 20;
const link = {
  datagram: (_bytes: number, now: number) => now + ONE_WAY,
  reliable: (_bytes: number, now: number) => now + ONE_WAY,
};

type Way = "network" | "separate";

async function pair(way: Way = "network") {
  const world = new World({ toServer: link, toClient: link });
  const ada = await world.agent("Ada", {}, world[way]);
  const bob = await world.agent("Bob", {}, world[way]);
  const both = await connected(world, ada, bob, { data: true }, { data: true });
  const told: (readonly ["ada" | "bob", "suspended" | "resumed", string])[] = [];
  for (const [who, call] of [
    ["ada", both.call],
    ["bob", both.answered],
  ] as const) {
    call.on("suspended", ({ by }: Suspended) => told.push([who, "suspended", by]));
    call.on("resumed", ({ by }: Resumed) => told.push([who, "resumed", by]));
  }
  return { world, ada, bob, ...both, told };
}

/** Talks on and on, a frame at a time, as a microphone does; the returned function stops. */
function talk(world: World, call: Call): () => void {
  const pcm = utterance(1, 48_000).subarray(0, 960);
  let isTalking = true;
  const next = (): void => {
    if (!isTalking) return;
    call.audio.write(pcm).catch(() => undefined);
    world.clock.at(world.clock.now() + 20, next);
  };
  next();
  return () => {
    isTalking = false;
  };
}

const speechOf = (recording: Recording) => recording.count("speech");
const concealedBy = (call: Call) => call.stats().heard?.concealed ?? 0;

function evidenceOf(world: World, file: Uint8Array) {
  const issuerKeys = [world.issuer.signer.publicKey];
  return verifyEvidence(file, { issuerKeys, agentIds: [] }, strictVerifier).report;
}

describe.each<Way>(["network", "separate"])("a call over %s", (way) => {
  it("is silent both ways while suspended, goes on when resumed, and its evidence verifies", async () => {
    const { world, ada, bob, call, answered, told } = await pair(way);
    const [atBob, atAda] = [new Recording(answered), new Recording(call)];
    const stops = [talk(world, call), talk(world, answered)];
    const heard: unknown[] = [];
    void (async () => {
      for await (const { value } of answered.data ?? []) heard.push(value);
    })();
    await world.during(call.data?.send(1) ?? Promise.resolve());
    await world.clock.advance(2_000);
    expect([speechOf(atBob), speechOf(atAda)].every((frames) => frames > 80)).toBe(true);

    const suspended = await world.during(
      call.suspend({ reason: "awaiting_input", checkpoint: { at: "menu" } }),
    );
    expect(suspended).toMatchObject({ by: ada.id, reason: "awaiting_input" });
    await world.clock.advance(300);
    expect(told).toEqual([
      ["ada", "suspended", ada.id],
      ["bob", "suspended", ada.id],
    ]);
    expect(answered.suspended).toMatchObject({ id: suspended.id, by: ada.id, nonce: undefined });
    expect([call.suspended?.nonce?.length, answered.suspended?.resumeBy]).toEqual([22, suspended.resumeBy]);
    const before = [speechOf(atBob), speechOf(atAda), concealedBy(call), concealedBy(answered)];
    const sent = [call.stats().sent?.sent, answered.stats().sent?.sent];
    const waiting = call.data?.send(2);
    await world.clock.advance(25_000);
    expect([speechOf(atBob), speechOf(atAda), concealedBy(call), concealedBy(answered)]).toEqual(before);
    expect([call.stats().sent?.sent, answered.stats().sent?.sent]).toEqual(sent);
    expect(heard).toEqual([1]);

    let resumed: Resumed | undefined;
    call.on("resumed", (event) => {
      resumed = event;
    });
    await world.during(call.resume());
    await world.clock.advance(1_000);
    expect(resumed).toEqual({ by: ada.id, checkpoint: { at: "menu" } });
    expect(told.slice(2)).toEqual([
      ["ada", "resumed", ada.id],
      ["bob", "resumed", ada.id],
    ]);
    expect([call.suspended, answered.suspended]).toEqual([undefined, undefined]);
    expect(speechOf(atBob) - (before[0] ?? 0)).toBeGreaterThan(35);
    expect(speechOf(atAda) - (before[1] ?? 0)).toBeGreaterThan(35);
    expect(concealedBy(call) - (before[2] ?? 0), "a pause, no burst of concealment").toBeLessThan(3);
    expect(concealedBy(answered) - (before[3] ?? 0)).toBeLessThan(3);
    await world.during(waiting ?? Promise.resolve());
    await world.clock.advance(200);
    expect(heard).toEqual([1, 2]);

    await world.during(answered.interrupt());
    for (const stop of stops) stop();
    await world.during(call.end());
    await world.during(answered.settled);
    const report = evidenceOf(world, await world.during(call.evidence()));
    expect(report.faults).toEqual([]);
    expect(report.verdict).toBe("verified");
    const events = (await world.during(call.records())).map(({ event }) => event);
    expect(
      events.filter((event) => event?.startsWith("session-s") || event?.startsWith("session-r")),
    ).toEqual(["session-suspended", "session-resumed"]);
    expect(bob.calls).toEqual([]);
    expect(world.reported).toEqual([]);
  });
});

describe("a suspended call", () => {
  it("is resumed by the other end only where it was told the nonce", async () => {
    const { world, bob, call, answered, told } = await pair();
    const { nonce } = await world.during(call.suspend());
    await world.clock.advance(100);
    expect(await refusal(world, answered.resume())).toBe("nonce-invalid");
    expect(await refusal(world, answered.resume("AAAAAAAAAAAAAAAAAAAAAA"))).toBe("nonce-invalid");
    expect(answered.suspended).toBeDefined();
    await world.during(answered.resume(nonce));
    await world.clock.advance(100);
    expect(told.slice(2)).toEqual([
      ["bob", "resumed", bob.id],
      ["ada", "resumed", bob.id],
    ]);
    expect(await refusal(world, call.resume(nonce)), "it was used").toBe("nonce-invalid");
  });

  it("is suspended once, whoever was first; the other end's media goes on or stands by what the server says", async () => {
    const { world, call, answered } = await pair();
    const outcomes = await world.during(Promise.allSettled([call.suspend(), answered.suspend()]));
    await world.clock.advance(100);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(call.suspended?.id).toBe(answered.suspended?.id);
    expect(await refusal(world, call.suspend())).toBe("session-state-conflict");
    const holder = call.suspended?.nonce === undefined ? answered : call;
    const recording = new Recording(holder === call ? answered : call);
    await world.during(holder.resume());
    await world.clock.advance(100);
    const stop = talk(world, holder);
    await world.clock.advance(1_000);
    stop();
    expect(speechOf(recording)).toBeGreaterThan(35);
  });

  it("ends at both ends when nobody resumes it in time", async () => {
    const { world, call, answered } = await pair();
    const resumeBy = world.clock.wall() + 30_000;
    const { nonce } = await world.during(call.suspend({ resumeBy }));
    await world.clock.advance(31_000);
    const expired = { reason: "resume-expired", by: "server" };
    expect(await world.during(Promise.all([call.ended, answered.ended]))).toEqual([expired, expired]);
    expect(await refusal(world, call.resume(nonce))).toMatch(/^resume-expired/);
    await world.during(Promise.all([call.settled, answered.settled]));
    expect(evidenceOf(world, await world.during(call.evidence()))).toMatchObject({ faults: [] });
  });

  it("is hung up like any other", async () => {
    const { world, call, answered } = await pair();
    await world.during(call.suspend());
    const waiting = refusal(world, call.data?.send("never") ?? Promise.resolve());
    await world.during(answered.end("tired"));
    expect(await world.during(call.ended)).toEqual({ reason: "tired", by: "peer" });
    expect(await waiting).toBe("closed");
    await world.during(call.settled);
    expect(evidenceOf(world, await world.during(call.evidence()))).toMatchObject({
      faults: [],
      verdict: "verified",
    });
  });

  it("sends again at once where the server does not suspend it", async () => {
    const { world, call, answered } = await pair();
    const recording = new Recording(answered);
    const stop = talk(world, call);
    await world.clock.advance(500);
    expect(await refusal(world, call.suspend({ reason: "two\nlines" }))).toMatch(/^field-invalid/);
    expect(call.suspended).toBeUndefined();
    const before = speechOf(recording);
    await world.clock.advance(1_000);
    stop();
    expect(speechOf(recording) - before).toBeGreaterThan(35);
  });

  it("is so though the request or its answer was lost, and is not suspended again when that comes late", async () => {
    const world = new World();
    const relay = new HostileRelay(world);
    const [ada, bob] = [await world.agent("Ada", {}, relay), await world.agent("Bob")];
    const { call, answered } = await connected(world, ada, bob);
    const late = new Set<string>();
    relay.requestTakes = ({ method }) => {
      const isFirst = (method === "SUSPEND" || method === "RESUME") && !late.has(method);
      late.add(method);
      return isFirst ? 15_000 : 0;
    };
    await world.during(call.suspend());
    expect(call.suspended).toBeDefined();
    await world.during(call.resume());
    await world.clock.advance(30_000);
    expect([call.suspended, answered.suspended]).toEqual([undefined, undefined]);
    const events = (await world.during(call.records())).map(({ event }) => event);
    expect(events.filter((event) => event === "session-suspended")).toHaveLength(1);
    expect(events.filter((event) => event === "session-resumed")).toHaveLength(1);
    expect(world.reported).toEqual([]);
  });

  it("loses no data message that was under way when the other end suspended it", async () => {
    const { world, call, answered } = await pair();
    const heard: unknown[] = [];
    void (async () => {
      for await (const { value } of answered.data ?? []) heard.push(value);
    })();
    const sending = (async () => {
      for (let number = 0; number < 20; number += 1) await call.data?.send(number);
    })();
    await world.during(answered.suspend());
    await world.clock.advance(5_000);
    await world.during(answered.resume());
    await world.during(sending);
    await world.clock.advance(500);
    expect(heard).toEqual(Array.from({ length: 20 }, (_, number) => number));
    expect(answered.stats().data?.heard?.missing).toBe(0);
  });
});
