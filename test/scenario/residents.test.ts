/** The agents that live in a server, called over its own switchboard. */
import { mkdtempDisposableSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import type { CallStream } from "../../agent/call-stream.ts";
import { connectAgent } from "../../agent/connect.ts";
import type { HeardVideo } from "../../agent/heard-video.ts";
import type { AgentIdentity } from "../../agent/identity.ts";
import { newIdentity } from "../../agent/new-identity.ts";
import type { Agent } from "../../agent/node.ts";
import type { VideoStream } from "../../agent/video-stream.ts";
import { parseWav } from "../../codecs/wav.ts";
import { type Carrier, CLOSE_CODES, type Connection } from "../../sfu/carrier.ts";
import { settingOf } from "../../signaling/terms-change.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { readersText } from "../../src/residents/reader.ts";
import { resample } from "../../src/residents/resample.ts";
import {
  RESIDENTS_ORIGIN,
  type ResidentBounds,
  type ResidentKind,
  type Residents,
  registerResidents,
  residentIdentities,
  startResidents,
} from "../../src/residents/residents.ts";
import { createMemoryLog } from "../../store/memory-log.ts";
import { seedSigner, strictVerifier } from "../keys.ts";
import { Camera, film, LAYERS, show, Watched } from "./showing.ts";
import { Recording, refusal } from "./talking.ts";
import { ORIGIN, World, type WorldOptions } from "./world.ts";

const BEFORE = Date.UTC(2025, 11, 31);
const SERVER = newIdentity({ name: "Server" }, seedSigner(1), undefined, BEFORE, strictVerifier);
const RESIDENTS: ReadonlyMap<ResidentKind, AgentIdentity> = new Map([
  ["echo", vouchedFor("Echo", 2)],
  ["reader", vouchedFor("Reader", 3)],
]);

function vouchedFor(name: string, key: number): AgentIdentity {
  const server = { name: "Server", signer: SERVER.signer };
  return newIdentity({ name }, seedSigner(key), server, BEFORE, strictVerifier);
}

interface Population extends WorldOptions {
  readonly bounds?: ResidentBounds;
  readonly identities?: typeof RESIDENTS;
}

async function populated({ bounds, identities = RESIDENTS, ...options }: Population = {}) {
  const log = createMemoryLog();
  await registerResidents(log, identities.values());
  const world = new World({ ...options, log, serverIdentity: SERVER });
  // They come online without any virtual time, and a file is read meanwhile, which takes another real time in every run.
  const start = () =>
    startResidents({
      identities,
      serverId: world.serverId,
      platform: world.platform(),
      accept: (connection) => world.server.accept(connection, [RESIDENTS_ORIGIN]),
      report: (error) => world.reported.push(error),
      ...(bounds === undefined ? {} : { bounds }),
    });
  const residents = await start();
  return { world, residents, start, echo: idOf(residents, "echo"), reader: idOf(residents, "reader") };
}

/** An agent that trusts nobody in particular: it is the server that vouches for its residents. */
async function caller(world: World, way: Carrier = world.network): Promise<Agent> {
  const identity = world.identity({ name: "Ada" });
  return await world.during(connectAgent(world.platform(way), ORIGIN, { identity }));
}

function idOf({ listings }: Residents, kind: string): string {
  const found = listings.find((listing) => listing.kind === kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found.agent_id;
}

function speech(name: string): Int16Array {
  const read = parseWav(readFileSync(new URL(`../../examples/speech/${name}.wav`, import.meta.url)));
  if (!read.ok) throw new Error(read.fault.message);
  return read.value.samples;
}

/** Units as they were sent, in order, from the first key frame on; upper layers give way where Echo knows of no room for them. */
function expectSome(seen: readonly { data: Uint8Array }[], sent: readonly { data: Uint8Array }[]): void {
  const indexes = seen.map(({ data }) => sent.findIndex((unit) => Buffer.compare(unit.data, data) === 0));
  expect(indexes).toEqual([...new Set(indexes)].sort((one, other) => one - other));
  expect(indexes[0]).toBe(0);
  expect(indexes.length).toBeGreaterThanOrEqual(sent.length / 6);
}

/** Speaks as a microphone does: a stream that goes on, silent where nobody speaks. */
async function speakInto(world: World, call: Call, pcm: Int16Array): Promise<void> {
  const open = new Int16Array(48_000 * 2);
  await world.during(call.audio.write(pcm));
  await world.during(call.audio.write(open));
}

describe("Echo", () => {
  it("says back a sentence after the speaker is done, and only once", async () => {
    const { world, echo } = await populated();
    const ada = await caller(world);
    const call = await world.during(ada.call(echo, { audio: { codecs: ["opus"] } }));
    const recording = new Recording(call);
    const said = speech("ada-1");
    await speakInto(world, call, said);
    await world.clock.advance(6_000);
    const back = compareUtterance(said, recording.pcm(), 48_000);
    expect(back.correlation).toBeGreaterThan(0.85);
    expect(recording.frames.filter((frame) => frame.kind === "speech" && frame.endOfTurn)).toHaveLength(1);
    const seconds = recording.count("speech") / 50;
    expect(seconds).toBeGreaterThan(3.2);
    expect(seconds).toBeLessThan(4.5);
    expect(recording.frames.every((frame) => frame.speaker === echo)).toBe(true);
    await world.during(call.end());
    expect(world.reported).toEqual([]);
  });

  it("shows back what it sees, unit by unit, signed by itself", async () => {
    const { world, echo } = await populated();
    const ada = await caller(world);
    const options = { audio: { codecs: ["pcmu"] }, video: { codecs: ["vp8"] }, adaptation: false } as const;
    const call = await world.during(ada.call(echo, options));
    const watched = new Watched(world, call);
    const { units } = film("vp8-layers", LAYERS);
    await show(world, call, units);
    await world.clock.advance(500);
    expectSome(watched.units, units);
    expect(watched.units.every(({ speaker }) => speaker === echo)).toBe(true);
    await world.during(call.end());
    expect(world.reported).toEqual([]);
  });

  it("shows it back as large as it comes where the way back is thin: less of it, and none that is refused", async () => {
    const { world, echo } = await populated();
    const thin = new Link({ delay: 20, rate: 400_000, queue: 300 }, new SeededRandom(2));
    const ada = await caller(world, world.way({ toClient: thin }));
    const options = { audio: { codecs: ["pcmu"] }, video: { codecs: ["vp8"] } } as const;
    const call = await world.during(ada.call(echo, options));
    const refused: unknown[] = [];
    call.on("frames-refused", (frames) => refused.push(frames));
    const watched = new Watched(world, call);
    const camera = new Camera(world, call);
    await world.clock.advance(15_000);
    const shown = watched.units.length;
    const { id = 0 } = call.video ?? {};
    const agreed: number[] = [];
    for (let second = 0; second < 9; second += 1) {
      await world.clock.advance(1_000);
      expect(settingOf(call.terms, 1, id)).toMatchObject({ max_height: 720 });
      agreed.push(settingOf(call.terms, 1, id)?.bitrate_bps ?? Number.POSITIVE_INFINITY);
    }
    expect(watched.units.length - shown).toBeGreaterThan(0);
    expect([refused, world.reported]).toEqual([[], []]);
    // A step more is tried now and then, and taken back within a second.
    agreed.sort((one, other) => one - other);
    expect(agreed[4]).toBeLessThan(400_000);
    expect(agreed[8]).toBeLessThan(600_000);
    camera.off();
    await world.during(call.end());
  });

  it("opens a stream of its own to show back what is opened in mid-call, and closes it with that", async () => {
    const { world, echo } = await populated();
    const ada = await caller(world);
    const options = { audio: { codecs: ["pcmu"] }, adaptation: false, streams: () => true } as const;
    const call = await world.during(ada.call(echo, { ...options, scope: ["communication:bilateral"] }));
    const opened: CallStream[] = [];
    call.on("stream-opened", ({ stream }) => void opened.push(stream));
    const stream = await world.during(
      call.open({ modality: "video", codecs: ["vp8"], direction: "sendonly" }),
    );
    await world.clock.advance(500);
    const back = opened.find(({ direction }) => direction === "recvonly") as VideoStream;
    const units: HeardVideo[] = [];
    void (async () => {
      for await (const unit of back) units.push(unit);
    })();
    const shown = film("vp8-layers", LAYERS).units.slice(0, 12);
    for (const { data, layer } of shown) {
      await world.during(stream.send({ data, layer }));
      await world.clock.advance(33);
    }
    await world.clock.advance(500);
    expectSome(units, shown);
    await world.during(stream.close());
    await world.clock.advance(500);
    expect([back.state, call.state]).toEqual(["closed", "active"]);
    await world.during(call.end());
    expect(world.reported).toEqual([]);
  });

  it("answers requests, and writes texts back while they are written", async () => {
    const { world, echo } = await populated();
    const ada = await caller(world);
    const options = { audio: { codecs: ["pcmu"] }, text: true, rpc: true, adaptation: false } as const;
    const call = await world.during(ada.call(echo, options));
    expect(await world.during(call.rpc("echo", { bay: 3 }))).toEqual({ bay: 3 });
    const read: string[] = [];
    void (async () => {
      for await (const heard of call.texts) for await (const { text } of heard.parts) read.push(text);
    })();
    const writer = call.text();
    await world.during(writer.append("forty "));
    await world.clock.advance(500);
    expect(read.join("")).toBe("forty ");
    await world.during(writer.append("pallets"));
    await world.during(writer.finish());
    await world.clock.advance(500);
    expect(read.join("")).toBe("forty pallets");
    await world.during(call.end());
    expect(world.reported).toEqual([]);
  });

  it("stops at once when it is interrupted, and listens again", async () => {
    const { world, echo } = await populated();
    const ada = await caller(world);
    const call = await world.during(ada.call(echo, { audio: { codecs: ["pcmu"] } }));
    const recording = new Recording(call);
    const long = resample(speech("ada-3"), 48_000, 8_000);
    const open = new Int16Array(8_000);
    await world.during(call.audio.write(long));
    await world.during(call.audio.write(open));
    while (recording.count("speech") < 50) await world.clock.advance(20);
    await world.during(call.interrupt());
    await world.clock.advance(200);
    const heard = recording.count("speech");
    expect(heard).toBeLessThan(75);
    await world.clock.advance(3_000);
    expect(recording.count("speech")).toBe(heard);
    const from = recording.pcm().length;
    const next = resample(speech("ada-1"), 48_000, 8_000);
    await world.during(call.audio.write(next));
    await world.during(call.audio.write(open));
    await world.clock.advance(6_000);
    expect(compareUtterance(next, recording.pcm(), 8_000, from).correlation).toBeGreaterThan(0.9);
    await world.during(call.end());
    expect(world.reported).toEqual([]);
  });

  it("takes several callers at once and gives each its own words", async () => {
    const { world, echo } = await populated();
    const callers = await Promise.all(
      ["ada-2", "bob-2", "bob-3"].map(async (name) => {
        const agent = await caller(world);
        const call = await world.during(agent.call(echo, { audio: { codecs: ["pcmu"] } }));
        return { call, recording: new Recording(call), said: resample(speech(name), 48_000, 8_000) };
      }),
    );
    const open = new Int16Array(16_000);
    for (const { call, said } of callers) void call.audio.write(said).then(() => call.audio.write(open));
    await world.clock.advance(14_000);
    for (const { recording, said } of callers) {
      const own = compareUtterance(said, recording.pcm(), 8_000).correlation;
      expect(own).toBeGreaterThan(0.9);
    }
    expect(world.reported).toEqual([]);
  });

  it("takes as many calls as it may, also of callers who come at once, and hangs up when their time is over", async () => {
    const bounds = { calls: 3, callsOfCaller: 2, callMs: 60_000, awayMs: 60_000 };
    const { world, echo } = await populated({ bounds });
    const [ada, bob, eve] = [await caller(world), await caller(world), await caller(world)];
    /** The calls that were taken; the others were told that it is busy. */
    const place = async (...callers: readonly Agent[]): Promise<Call[]> => {
      const calling = callers.map((agent) => agent.call(echo, { audio: { codecs: ["pcmu"] } }));
      const placed = await world.during(Promise.allSettled(calling));
      for (const one of placed)
        if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "callee-busy" });
      return placed.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    };
    expect(await place(ada, ada, ada)).toHaveLength(2);
    const [left] = await place(bob, eve);
    expect(await place(ada, bob, eve)).toEqual([]);
    await world.during(left?.end() ?? Promise.reject());
    const [call] = await place(eve);
    expect(await place(bob)).toEqual([]);
    await world.clock.advance(bounds.callMs);
    expect(await world.during(call?.ended ?? Promise.reject())).toMatchObject({ reason: "time-over" });
    expect(await place(bob, eve, eve)).toHaveLength(3);
    expect(world.reported).toEqual([]);
  });

  it("waits a while for a caller that lost its connection, then hangs up", async () => {
    const bounds = { calls: 3, callsOfCaller: 2, callMs: 600_000, awayMs: 20_000 };
    const { world, echo } = await populated({ bounds });
    const connections: Connection[] = [];
    const connect: Carrier["connect"] = async (...way) => {
      const connection = await world.network.connect(...way);
      connections.push(connection);
      return connection;
    };
    const identity = world.identity({ name: "Ada" });
    const ada = await world.during(connectAgent(world.platform({ connect }), ORIGIN, { identity }));
    await world.during(ada.call(echo, { audio: { codecs: ["pcmu"] }, model: "persistent" }));
    connections.at(-1)?.close(CLOSE_CODES.normal, "gone");
    await world.clock.advance(bounds.awayMs - 100);
    expect(world.server.overview().sessions).toEqual({ detached: 1 });
    await world.clock.advance(10_000);
    expect(world.server.overview().sessions).toEqual({});
    expect(world.reported).toEqual([]);
  });

  it("goes on with its persistent calls in a server that was killed and started anew", async () => {
    const { world, residents, start, echo } = await populated();
    const identity = world.identity({ name: "Ada" });
    const ada = await world.during(
      connectAgent(world.platform(), ORIGIN, {
        identity,
        reconnect: true,
        report: (error) => world.reported.push(error),
      }),
    );
    const call = await world.during(ada.call(echo, { audio: { codecs: ["pcmu"] }, model: "persistent" }));
    await world.clock.advance(500);
    await world.server.close();
    await world.during(residents.close());
    await world.stopServer();
    world.startServer();
    await start();
    await world.clock.advance(10_000);
    expect([call.state, world.server.overview().sessions]).toEqual(["active", { active: 1 }]);
    const recording = new Recording(call);
    const said = resample(speech("ada-1"), 48_000, 8_000);
    await world.during(call.audio.write(said));
    await world.during(call.audio.endTurn());
    await world.clock.advance(6_000);
    expect(compareUtterance(said, recording.pcm(), 8_000).correlation).toBeGreaterThan(0.9);
    expect(world.reported).toEqual([]);
  });

  it("remembers the last half minute of a longer turn", async () => {
    const { world, echo } = await populated();
    const ada = await caller(world);
    const call = await world.during(ada.call(echo, { audio: { codecs: ["pcmu"] } }));
    const recording = new Recording(call);
    const sentence = resample(speech("ada-3"), 48_000, 8_000);
    for (let turns = 0; turns < 10; turns += 1) await world.during(call.audio.write(sentence));
    await world.during(call.audio.endTurn());
    await world.clock.advance(40_000);
    const seconds = recording.count("speech") / 50;
    expect(seconds).toBeGreaterThan(29);
    expect(seconds).toBeLessThan(30.5);
  });

  it("sends messages back in kind, beside the voice and without it, and says which are too large", async () => {
    const { world, echo } = await populated();
    const ada = await caller(world);
    const call = await world.during(ada.call(echo, { data: true }));
    const messages = call.data?.[Symbol.asyncIterator]();
    const next = async () => (await world.during(messages?.next() ?? Promise.reject())).value?.value;
    await world.during(call.data?.send({ hello: [1, null, "two"] }) ?? Promise.reject());
    expect(await next()).toEqual({ echo: { hello: [1, null, "two"] } });
    const { length } = JSON.stringify("");
    await world.during(call.data?.send("x".repeat(16 * 1024 - length)) ?? Promise.reject());
    expect(await next()).toMatchObject({ error: "too-large" });
    await world.during(call.end());
    expect(world.reported).toEqual([]);
  });

  it("is there also where registration is closed, as the same agent after a restart", async () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "parley-residents-"));
    const server = { name: "Server", signer: SERVER.signer };
    const again = async () => {
      const identities = await residentIdentities(folder.path, server);
      return await populated({ config: { registration: "closed" }, identities });
    };
    const first = await again();
    await first.residents.close();
    const { world, residents, echo } = await again();
    expect(echo).toBe(first.echo);
    expect(residents.listings.map(({ name, kind }) => [name, kind])).toEqual([
      ["Echo", "echo"],
      ["Reader", "reader"],
    ]);
    expect(await refusal(world, world.connecting("Ada"))).toBe("agent-unknown");
    expect(world.server.connections).toBe(2);
    await residents.close();
    await world.clock.advance(60_000);
    expect(world.server.connections).toBe(0);
    expect(world.reported).toEqual([]);
  });
});

describe("Reader", () => {
  it("reads its text to whoever calls", async () => {
    const { world, reader } = await populated();
    const ada = await caller(world);
    const call = await world.during(ada.call(reader, { audio: { codecs: ["opus"] } }));
    const recording = new Recording(call);
    const text = await readersText();
    await world.clock.advance(12_000);
    const read = resample(text.samples, text.sampleRate, 48_000);
    const heard = compareUtterance(read, recording.pcm(), 48_000);
    expect(heard.correlation).toBeGreaterThan(0.85);
    expect(heard.longestGap).toBeLessThan(60);
    expect(recording.frames.filter((frame) => frame.kind === "speech" && frame.endOfTurn)).toHaveLength(1);
    expect(world.reported).toEqual([]);
  });

  it("reads what it is sent, and says what it will not read and why", async () => {
    const { world, reader } = await populated();
    const ada = await caller(world);
    const call = await world.during(ada.call(reader, { data: true, audio: { codecs: ["pcmu"] } }));
    const messages = call.data?.[Symbol.asyncIterator]();
    const answer = async (message: unknown) => {
      await world.during(call.data?.send(message) ?? Promise.reject());
      // espeak-ng takes real time, and nothing here takes virtual time.
      return (await messages?.next())?.value?.value;
    };
    await world.clock.advance(12_000);
    const recording = new Recording(call);
    expect(await answer({ read: "Thursday at eleven." })).toEqual({
      reading: "Thursday at eleven.",
      seconds: expect.any(Number),
    });
    await world.clock.advance(3_000);
    expect(recording.count("speech")).toBeGreaterThan(40);
    expect(await answer({ read: "" })).toMatchObject({ error: "field-invalid" });
    expect(await answer({ read: "x".repeat(501) })).toMatchObject({ error: "field-invalid" });
    expect(await answer("read this")).toMatchObject({ error: "field-invalid" });
    await world.during(call.end());
    expect(world.reported).toEqual([]);
  });

  it("speaks to a caller who only listens, and is silent to one who does not", async () => {
    const { world, reader } = await populated();
    const ada = await caller(world);
    const listening = await world.during(ada.call(reader, { audio: { direction: "recvonly" } }));
    const speaking = await world.during(ada.call(reader, { audio: { direction: "sendonly" } }));
    await world.clock.advance(3_000);
    expect(listening.stats().heard?.heard).toBeGreaterThan(80);
    expect(speaking.stats().heard).toBeUndefined();
    expect(world.reported).toEqual([]);
  });
});
