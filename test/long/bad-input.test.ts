/** Strangers and liars at a real server: each is refused by name, and the calls of others do not notice. */
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { type Agent, type FramesRefused, nodePlatform } from "../../agent/node.ts";
import { buildFrame } from "../../codecs/frame.ts";
import { MessageReader } from "../../codecs/message-reader.ts";
import { encodeStreamItems, encodeStreamStart } from "../../codecs/stream-items.ts";
import { encodeVarint, varintLength } from "../../codecs/varint.ts";
import { readScript } from "../../examples/conversation/script.ts";
import { verifier } from "../../platform/node/sodium.ts";
import type { Connection, DuplexStream } from "../../sfu/carrier.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { connectCall, say } from "../calling.ts";
import { CallListener } from "../listener.ts";
import { WireTap } from "../net/wire-tap.ts";
import { type RealServer, startRealServer } from "../real-server.ts";
import { pause, until, within } from "../waiting.ts";

const LIKENESS = 0.9;
const utf8 = new TextEncoder();

let server: RealServer;
beforeAll(async () => {
  server = await startRealServer();
});
afterAll(async () => {
  expect(server.faults).toEqual([]);
  await server.stop();
});

interface Case {
  readonly what: string;
  /** Pieces of what is sent, one write each. */
  readonly pieces: readonly (string | Uint8Array)[];
  readonly status: number;
  readonly code?: string;
  readonly at?: string;
  /** Milliseconds between the pieces. */
  readonly pace?: number;
  /** The sending side stays open. */
  readonly open?: boolean;
}

const CASES: readonly Case[] = [
  {
    what: "text that is no request",
    pieces: ["hello there\r\n\r\n"],
    status: 400,
    code: "invalid-request-line",
    at: "line 1",
  },
  {
    what: "noise",
    pieces: [Uint8Array.from({ length: 500 }, (_, at) => (at * 167 + 128) & 255)],
    status: 400,
    code: "message-malformed",
    at: "line 1",
  },
  { what: "nothing", pieces: [], status: 400, code: "message-malformed", at: "line 1" },
  {
    what: "another version",
    pieces: ["AGTP/9.9 DISCOVER /\r\n\r\n"],
    status: 400,
    code: "version-unsupported",
    at: "line 1",
  },
  {
    what: "a header without a colon",
    pieces: ["AGTP/1.0 DISCOVER /\r\nAgent-ID\r\n\r\n"],
    status: 400,
    code: "message-malformed",
    at: "line 2",
  },
  {
    what: "a header that does not end",
    pieces: ["AGTP/1.0 DISCOVER /\r\nX: ", ...Array.from({ length: 9 }, () => "x".repeat(16_384))],
    status: 400,
    code: "header-too-large",
    at: "line 2",
    open: true,
  },
  {
    what: "a body that is too large",
    pieces: ["AGTP/1.0 QUERY /clock\r\nContent-Length: 1048577\r\n\r\n"],
    status: 400,
    code: "body-too-large",
    at: "line 2, Content-Length",
    open: true,
  },
  {
    what: "a body cut short",
    pieces: ["AGTP/1.0 QUERY /clock\r\nContent-Length: 10\r\n\r\n{}"],
    status: 400,
    code: "message-malformed",
    at: "body, octet 2 of 10",
  },
  {
    what: "a body that is no JSON",
    pieces: [
      "AGTP/1.0 QUERY /clock\r\nContent-Type: application/vnd.agtp+json\r\nContent-Length: 9\r\n\r\nnot json!",
    ],
    status: 400,
    code: "body-malformed",
  },
  {
    what: "an unknown method",
    pieces: ["AGTP/1.0 FROBNICATE /clock\r\n\r\n"],
    status: 459,
    code: "method-unknown",
  },
  { what: "an unknown place", pieces: ["AGTP/1.0 QUERY /weather\r\n\r\n"], status: 404, code: "not-found" },
  {
    what: "a request byte by byte",
    pieces: [..."AGTP/1.0 DISCOVER /\r\n\r\n"],
    status: 200,
    pace: 15,
    open: true,
  },
  {
    what: "a request that never ends",
    pieces: ["AGTP/1.0 DISCOVER /\r\n"],
    status: 408,
    code: "request-timeout",
    open: true,
  },
];

it("names what is wrong with every request, keeps the connection, and lets a call go on undisturbed", async () => {
  const call = await quietCall();
  const { connection, closed } = await server.stranger();
  let isClosed = false;
  void closed.then(() => (isClosed = true));
  await Promise.all(
    CASES.map(async ({ what, pieces, status, code, at, pace = 0, open = false }) => {
      const answer = await within(what, ask(connection, pieces, pace, open));
      const error = answer.body.error as
        | { readonly code?: string; readonly details?: { at?: string } }
        | undefined;
      expect({ what, status: answer.status, code: error?.code, at: error?.details?.at }).toEqual({
        what,
        status,
        code,
        at: at ?? error?.details?.at,
      });
      const after = await within(`an answer after ${what}`, ask(connection, ["AGTP/1.0 DISCOVER /\r\n\r\n"]));
      expect(after.status).toBe(200);
    }),
  );
  expect(isClosed).toBe(false);
  connection.close(0, "");
  await call.end();
}, 60_000);

it("counts datagrams and streams that are none of its own, and keeps the connection", async () => {
  const call = await quietCall();
  const { connection } = await server.stranger();
  const before = malformedStreams();
  const flow = encodeStreamStart(2);
  const streams = [
    new Uint8Array(8).fill(0xff),
    Uint8Array.of(...flow, 0),
    Uint8Array.of(...flow, ...encodeVarint(2 ** 20), 1, 2, 3),
  ];
  for (const bytes of streams) {
    const stream = await connection.openStream();
    await stream.write(bytes).catch(() => undefined);
  }
  await until("every broken stream noticed", () => malformedStreams() === before + streams.length);
  // Items of a flow nobody gave this connection.
  const stream = await connection.openStream();
  await stream.write(Uint8Array.of(...flow, ...encodeStreamItems([new Uint8Array(100), new Uint8Array(50)])));
  await stream.finish();

  const frame = buildFrame({
    profile: "frame",
    keyGeneration: 0,
    sequence: 1,
    captureSeconds: 1,
    captureFraction: 0,
    payloadType: 111,
    timestamp: 0,
    ssrc: 1,
    payload: new Uint8Array(80),
  });
  const rounds = 50;
  for (let round = 0; round < rounds; round += 1) {
    connection.sendDatagram(Uint8Array.of(0x40));
    connection.sendDatagram(Uint8Array.from({ length: 1 + round }, (_, at) => 1 + ((at * 31 + round) % 63)));
    connection.sendDatagram(Uint8Array.of(2, ...frame));
    await pause(4);
  }
  expect((await ask(connection, ["AGTP/1.0 DISCOVER /\r\n\r\n"])).status).toBe(200);
  connection.close(0, "");
  const strays = () => server.events.find(({ event }) => event === "stray-frames")?.fields;
  await until("the strays told", () => strays() !== undefined);
  expect(strays()?.malformed).toBeGreaterThan(2 * rounds * 0.9);
  expect(strays()?.malformed).toBeLessThanOrEqual(2 * rounds);
  expect(strays()?.unknownFlow).toBeGreaterThan(rounds * 0.9);
  expect(strays()?.unknownFlow).toBeLessThanOrEqual(rounds);
  await call.end();
});

it("refuses forged, repeated, foreign and unrouted frames by name and lets the honest ones through", async () => {
  const other = new WireTap(nodePlatform().carrier);
  const wire = new WireTap(nodePlatform().carrier);
  const victims = await quietCall(other);
  const mallory = await agent("Mallory", wire);
  const bob = await agent("Bob");
  const { call, answered } = await connectCall(mallory, bob);
  const told: FramesRefused[] = [];
  call.on("frames-refused", (refused) => told.push(refused));
  const listener = new CallListener(answered);
  const lies = { forged: 0, repeated: 0, foreign: 0, unrouted: 0 };
  let count = 0;
  wire.alter = (bytes) => {
    count += 1;
    if (count % 12 !== 0) return [bytes];
    const foreign = other.datagrams.at(-1)?.bytes;
    if (foreign === undefined) return [bytes];
    const forged = bytes.slice();
    forged[forged.length - 1] = (forged.at(-1) as number) ^ 1;
    lies.forged += 1;
    lies.repeated += 1;
    lies.foreign += 1;
    lies.unrouted += 1;
    return [forged, bytes, bytes, moved(foreign, bytes[0] as number), moved(bytes, 62)];
  };
  const { pcm } = turn(0);
  await say(call, pcm);
  await until("Mallory's turn heard", () => listener.turns === 1);
  wire.alter = (bytes) => [bytes];
  const counts = () => {
    const byReason: Record<string, number> = {};
    for (const { reason, count } of told) byReason[reason] = (byReason[reason] ?? 0) + count;
    return byReason;
  };
  const expected = { signature: lies.forged, replayed: lies.repeated, terms: lies.foreign };
  expect(lies.forged).toBeGreaterThan(10);
  await until("every refusal told", () => JSON.stringify(counts(), KEYS) === JSON.stringify(expected, KEYS));
  await call.end();
  await listener.over;
  // Judging takes the thread for a while: nobody may be talking any more.
  await victims.end();
  expect(listener.compare(pcm).correlation).toBeGreaterThanOrEqual(LIKENESS);
  expect(answered.stats().heard?.refused).toEqual({});
  const { report } = verifyEvidence(await call.evidence(), server.anchors, verifier);
  expect(report).toMatchObject({ verdict: "verified", faults: [] });
});

it("closes on an agent that forges frame after frame, by name, and on nobody else", async () => {
  const wire = new WireTap(nodePlatform().carrier);
  const victims = await quietCall();
  const mallory = await agent("Mallory", wire);
  const bob = await agent("Bob");
  const { call, answered } = await connectCall(mallory, bob);
  const closed = Promise.withResolvers<unknown>();
  mallory.on("closed", closed.resolve);
  wire.alter = (bytes) => {
    const forged = bytes.slice();
    forged[forged.length - 1] = (forged.at(-1) as number) ^ 1;
    return [forged];
  };
  void call.audio.write(turn(0).pcm).catch(() => undefined);
  expect(await within("the close", closed.promise)).toEqual({ code: 2, reason: "repeated bad signatures" });
  expect(await answered.ended).toEqual({ reason: "transport-closed", by: "server" });
  expect(answered.stats().heard?.verified ?? 0).toBe(0);
  await victims.end();
});

/** Two agents in a call, one of them talking; `end` shows that they noticed nothing. */
async function quietCall(carrier?: WireTap) {
  const [ada, ben] = await Promise.all([agent("Ada", carrier), agent("Ben")]);
  const { call, answered } = await connectCall(ada, ben);
  const listener = new CallListener(answered);
  const { pcm } = turn(4);
  const said = say(call, pcm);
  said.catch(() => undefined);
  return {
    async end(): Promise<void> {
      await said;
      await until("the turn heard", () => listener.turns === 1);
      await call.end();
      await listener.over;
      expect(listener.compare(pcm).correlation).toBeGreaterThanOrEqual(LIKENESS);
      expect(answered.stats().heard?.refused).toEqual({});
    },
  };
}

async function agent(name: string, carrier?: WireTap): Promise<Agent> {
  const connected = await server.agent(name, carrier);
  onTestFinished(() => connected.close());
  return connected;
}

function turn(index: number) {
  const found = readScript()[index];
  if (found === undefined) throw new Error("the script is shorter");
  return found;
}

/** The same packet under another flow identifier. */
function moved(datagram: Uint8Array, flow: number): Uint8Array {
  const packet = datagram.subarray(varintLength(datagram[0] as number));
  return Uint8Array.of(...encodeVarint(flow), ...packet);
}

function malformedStreams(): number {
  return server.events.filter(({ event }) => event === "stream-malformed").length;
}

/** Sends pieces on a fresh exchange and reads the first answer. */
async function ask(
  connection: Connection,
  pieces: readonly (string | Uint8Array)[],
  pace = 0,
  open = false,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const stream = await connection.openExchange();
  // The server may have heard enough before everything was said.
  send(stream, pieces, pace, open).catch(() => undefined);
  const reader = new MessageReader("response");
  for (;;) {
    const bytes = await stream.receive.read();
    const fault = bytes === undefined ? reader.end() : reader.push(bytes);
    const answer = reader.next();
    if (answer !== undefined) {
      return { status: answer.status, body: JSON.parse(new TextDecoder().decode(answer.body)) };
    }
    if (fault !== undefined || bytes === undefined) throw new Error(fault?.message ?? "no answer");
  }
}

async function send(
  stream: DuplexStream,
  pieces: readonly (string | Uint8Array)[],
  pace: number,
  open: boolean,
): Promise<void> {
  for (const piece of pieces) {
    await stream.send.write(typeof piece === "string" ? utf8.encode(piece) : piece);
    if (pace > 0) await pause(pace);
  }
  if (!open) await stream.send.finish();
}

const KEYS = ["signature", "replayed", "terms"];
