/** Interrupts and narrowings that the server is late to answer, refuses, or is kept from hearing: no end stays deaf, dumb or overheard. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import type { AgtpRequest } from "../../codecs/message.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { openExchange } from "../../transports/exchange.ts";
import { strictVerifier } from "../keys.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { CallScene } from "./signaling-call.ts";
import { SlowLog } from "./slow-log.ts";
import { connected, utterance } from "./talking.ts";
import { World } from "./world.ts";

let world: World;
let log: SlowLog;
/** Between Bob, the listener, and the server; and between Ada, the speaker, and the server. */
let bobs: HostileRelay;
let adas: HostileRelay;
let call: Call;
let answered: Call;

beforeEach(async () => {
  log = new SlowLog();
  world = new World({ log });
  [adas, bobs] = [new HostileRelay(world), new HostileRelay(world)];
  const ada = await world.agent("Ada", {}, adas);
  const bob = await world.agent("Bob", {}, bobs);
  ({ call, answered } = await connected(world, ada, bob));
  void (async () => {
    for (;;) await call.audio.write(utterance(1, 48_000));
  })().catch(() => undefined);
  await world.clock.advance(1_000);
});

const isSteering = ({ method, path }: AgtpRequest) =>
  (method === "NOTIFY" || method === "ADJUST") && path.startsWith("/sessions/");

/** Delays the first request that steers by 15 s, more than anybody waits for an answer. */
function delayFirst(relay: HostileRelay): void {
  let seen = 0;
  relay.requestTakes = (request) => (isSteering(request) && seen++ === 0 ? 15_000 : 0);
}

/** Lets the server refuse what steers, as long as the returned function is not called. */
function spoil(relay: HostileRelay): () => void {
  let spoils = true;
  relay.request = (request, parameters) => {
    if (!spoils || !isSteering(request)) return;
    const content = { ...(parameters.content as object), stream: 9 };
    const body = JSON.parse(new TextDecoder().decode(request.body));
    Object.assign(request, {
      body: new TextEncoder().encode(JSON.stringify({ ...body, parameters: { ...parameters, content } })),
    });
  };
  return () => {
    spoils = false;
  };
}

/** Gives what asks the server `times` times at once for the same as `first` did. */
async function flooding(relay: HostileRelay, first: Promise<void>): Promise<(times: number) => void> {
  let template: AgtpRequest | undefined;
  relay.request = (request) => {
    if (isSteering(request)) template ??= request;
  };
  await world.during(first);
  const connection = await relay.connection();
  const ask = async () => {
    const exchange = openExchange(await connection.openExchange(), template as AgtpRequest);
    for await (const _ of exchange) return;
  };
  return (times) => {
    for (let count = 0; count < times; count += 1) void ask().catch(() => undefined);
  };
}

async function code(outcome: Promise<unknown>): Promise<string> {
  const settled = outcome.then(
    () => "done",
    (error: unknown) => (error instanceof ParleyError ? error.code : String(error)),
  );
  return await world.during(settled);
}

/** Frames of Ada that Bob hears in the next second. */
async function heardInASecond(): Promise<number> {
  const before = answered.stats().heard?.verified ?? 0;
  await world.clock.advance(1_000);
  return (answered.stats().heard?.verified ?? 0) - before;
}

async function endsWithGoodEvidence(): Promise<void> {
  await world.during(call.end());
  await world.during(answered.settled);
  const file = await world.during(call.evidence());
  const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
  expect(verifyEvidence(file, anchors, strictVerifier).report.faults).toEqual([]);
}

describe("an interrupt", () => {
  it("that is lost on the way is sent again, and the speaker is heard from its next turn on", async () => {
    delayFirst(bobs);
    expect(await code(answered.interrupt())).toBe("done");
    expect(await heardInASecond()).toBeGreaterThan(40);
    expect(await code(answered.interrupt())).toBe("done");
    expect(await heardInASecond()).toBeGreaterThan(40);
    // The first one, arriving at last, ends nothing.
    await world.clock.advance(15_000);
    expect(await heardInASecond()).toBeGreaterThan(40);
    await endsWithGoodEvidence();
  });

  it("that the server refuses for good leaves the speaker heard, and the next one works", async () => {
    const mend = spoil(bobs);
    expect(await code(answered.interrupt())).toBe("field-invalid");
    expect(await heardInASecond()).toBeGreaterThan(40);
    expect(await code(answered.interrupt())).toBe("field-invalid");
    mend();
    const interrupted: number[] = [];
    call.on("interrupted", ({ epoch }) => interrupted.push(epoch));
    expect(await code(answered.interrupt())).toBe("done");
    expect(await heardInASecond()).toBeGreaterThan(40);
    expect(interrupted).toEqual([1]);
    await endsWithGoodEvidence();
  });

  it("is asked no more when the call has ended", async () => {
    bobs.requestTakes = (request) => (isSteering(request) ? 60_000 : 0);
    const outcome = code(answered.interrupt());
    await world.clock.advance(500);
    await world.during(call.end());
    expect(await outcome).toBe("request-timeout");
  });
});

describe("a speaker's own flush", () => {
  it("that is lost on the way is sent again, and the speaker is heard", async () => {
    delayFirst(adas);
    expect(await code(call.audio.flush())).toBe("done");
    expect(await heardInASecond()).toBeGreaterThan(40);
    expect(await code(call.audio.flush())).toBe("done");
    expect(await heardInASecond()).toBeGreaterThan(40);
    await endsWithGoodEvidence();
  });

  it("that the server refuses for good leaves the speaker heard", async () => {
    const mend = spoil(adas);
    expect(await code(call.audio.flush())).toBe("field-invalid");
    expect(await heardInASecond()).toBeGreaterThan(40);
    mend();
    expect(await code(call.audio.flush())).toBe("done");
    expect(await heardInASecond()).toBeGreaterThan(40);
  });
});

describe("a narrowing", () => {
  it("is not kept from the server by an end that asks for more than is heard", async () => {
    const ask = await flooding(bobs, answered.interrupt());
    ask(60);
    const outcome = code(call.narrow([]));
    for (let times = 0; times < 20; times += 1) {
      ask(3);
      await world.clock.advance(5);
    }
    expect(await outcome).toBe("done");
    expect(answered.terms.number).toBe(2);
  });

  it("waits where this end itself has asked for too much", async () => {
    const ask = await flooding(adas, call.audio.flush());
    ask(60);
    expect(await code(call.narrow([]))).toBe("done");
  });

  it("that is lost on the way is sent again; nothing is sent meanwhile", async () => {
    delayFirst(adas);
    const outcome = call.narrow([]);
    const sent = call.stats().sent?.sent;
    expect(await code(outcome)).toBe("done");
    await world.clock.advance(20_000);
    expect([call.terms.number, call.stats().sent?.sent]).toEqual([2, sent]);
  });

  it("that is taken and answered late is known to be in force", async () => {
    log.held = true;
    world.clock.at(world.clock.now() + 7_000, () => log.release());
    expect(await code(call.narrow([]))).toBe("done");
    await world.during(answered.narrow([]));
    await world.clock.advance(1_000);
    expect([call.terms.number, answered.terms.number]).toEqual([3, 3]);
    await endsWithGoodEvidence();
  });

  it("that the server could not be told leaves this end silent, also under later terms", async () => {
    adas.request = (request, parameters) => {
      if (request.method !== "ADJUST") return;
      const body = JSON.parse(new TextDecoder().decode(request.body));
      const narrowing = `${String(parameters.narrowing).slice(0, -4)}AAAA`;
      Object.assign(request, {
        body: new TextEncoder().encode(JSON.stringify({ ...body, parameters: { narrowing } })),
      });
    };
    expect(await code(call.narrow([]))).toBe("signature-invalid");
    const sent = call.stats().sent?.sent;
    await world.during(answered.narrow([]));
    await world.clock.advance(2_000);
    expect([call.terms.number, call.stats().sent?.sent]).toEqual([2, sent]);
  });

  it("refused as none leaves this end heard", async () => {
    const scope = call.terms.legs[0]?.scope ?? [];
    expect(await code(call.narrow(scope))).toBe("field-invalid");
    expect(await heardInASecond()).toBeGreaterThan(40);
  });
});

it("an end that uses up what the server hears of its steering takes nothing from the other", () => {
  const scene = new CallScene();
  const content = { event: "interrupt", stream: 0, epoch: 1, interrupt: "AAAA" };
  const path = `/sessions/${scene.sessionId}`;
  const told = Array.from({ length: 45 }, () => scene.bob.ask("NOTIFY", path, { content }).outcome);
  expect(told.at(-1)).toBe("rate-limited");
  expect(scene.alice.ask("NOTIFY", path, { content }).outcome).not.toBe("rate-limited");
});
