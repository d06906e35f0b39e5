/** Calls over QUIC whose path goes dark, moves, or is blocked, through an emulator between real sockets. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterEach, expect, it } from "vitest";
import { Agent, type Call, createIdentity, type HeardAudio } from "../../agent/node.ts";
import { startTcpEmulator, type TcpEmulator } from "../../src/emulation/tcp-emulator.ts";
import { startUdpEmulator, type UdpEmulator } from "../../src/emulation/udp-emulator.ts";
import { connectCall } from "../calling.ts";
import { realServer } from "../exchanges/ways.ts";
import { utterance } from "../scenario/talking.ts";
import { pause, until, within } from "../waiting.ts";

const NETWORK = { delay: 25, jitter: 3 };
/** How old what is played first in the light may be, ms, and how much of it may be later than half a second, ms. */
const OLDEST_MS = 2_500;
const LATE_MS = 1_500;
/** From the first moment of darkness to sound again, ms, and what a busy machine may take on top. */
const SOUND_BACK_MS = 4_000;
const BUSY_MS = 2_000;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server with an emulator before its UDP port and one before its TCP port, and a call from Ada, behind them, to Bob. */
async function scene(carrier: "auto" | "webtransport") {
  const port = await freePort();
  const server = await realServer({ origins: [`https://127.0.0.1:${port}`] });
  closing.push(() => server.stop());
  const target = `127.0.0.1:${server.port}`;
  const conditions = { toServer: NETWORK, toClient: NETWORK, seed: 1 };
  const udp: UdpEmulator = await startUdpEmulator({ target, ...conditions, port });
  const tcp: TcpEmulator = await startTcpEmulator({ target, ...conditions, port });
  closing.push(
    () => udp.close(),
    () => tcp.close(),
  );
  const { certificateHashes } = server;
  const ada = await Agent.connect(`https://127.0.0.1:${port}/agtp`, {
    identity: createIdentity({ name: "Ada" }).identity,
    certificateHashes,
    carrier,
  });
  const bob = await Agent.connect(server.url, {
    identity: createIdentity({ name: "Bob" }).identity,
    certificateHashes,
  });
  closing.push(
    () => bob.close(),
    () => ada.close(),
  );
  expect(ada.carrier.kind).toBe("webtransport");
  const told: string[] = [];
  ada.on("carrier-changed", (event) => told.push(`${event.before.kind} to ${event.carrier.kind}`));
  ada.on("offline", () => told.push("offline"));
  ada.on("closed", () => told.push("closed"));
  const { call, answered } = await connectCall(ada, bob);
  call.on("detached", () => told.push("detached"));
  const heard = { atBob: listen(answered), atAda: listen(call) };
  const stop = [talk(call), talk(answered)];
  closing.push(async () => stop.map((each) => each()));
  await until("both voices", () => heard.atAda.length > 25 && heard.atBob.length > 25);
  return { udp, tcp, ada, bob, call, answered, told, heard };
}

interface Arrival {
  readonly at: number;
  /** From capture until it was played, ms. */
  readonly age: number;
}

/** Every frame of speech that is heard from now on, with its time. */
function listen(call: Call): Arrival[] {
  const arrivals: Arrival[] = [];
  const take = (heard: HeardAudio): void => {
    if (heard.kind !== "speech") return;
    arrivals.push({ at: performance.now(), age: heard.playedAt - heard.capturedAt });
  };
  void (async () => {
    for await (const heard of call.audio.heard({ silence: true })) take(heard);
  })();
  return arrivals;
}

/** Talks without pause until it is told to stop. */
function talk(call: Call): () => void {
  const pcm = utterance(120, 48_000);
  let isOver = false;
  void (async () => {
    for (let at = 0; !isOver && at < pcm.length; at += 4_800) {
      await call.audio.write(pcm.subarray(at, at + 4_800));
    }
  })().catch(() => undefined);
  return () => {
    isOver = true;
  };
}

/** Milliseconds from `from` until the first frame after a pause; the first one that is heard `later` ms after, at the soonest. */
function soundAfter(arrivals: readonly Arrival[], from: number, later: number): number {
  const first = arrivals.find(({ at }) => at > from + later);
  return first === undefined ? Number.POSITIVE_INFINITY : first.at - from;
}

const oldest = (arrivals: readonly Arrival[]): number => Math.max(...arrivals.map(({ age }) => age));

it("a call goes on over WebSocket when UDP is blocked, within seconds, and its agent was never offline", async () => {
  const { udp, ada, call, told, heard } = await scene("auto");
  const from = performance.now();
  udp.darken(Number.POSITIVE_INFINITY);
  await until("the other carrier", () => told.includes("webtransport to websocket"));
  await pause(4_000);
  const back = [heard.atBob, heard.atAda].map((arrivals) => soundAfter(arrivals, from, 1_000));
  expect(Math.max(...back)).toBeLessThan(SOUND_BACK_MS + BUSY_MS);
  expect(told.toSorted()).toEqual(["detached", "webtransport to websocket"]);
  expect([ada.carrier.kind, ada.isOnline, call.state]).toEqual(["websocket", true, "active"]);
  await within("the end", call.end());
});

it.each([undefined, "127.0.0.9"])("a call goes on when its NAT rebinds (to %s)", async (address) => {
  const { udp, call, told, heard } = await scene("webtransport");
  for (let time = 0; time < 3; time += 1) {
    const from = performance.now();
    udp.rebind(address);
    await pause(2_500);
    for (const arrivals of [heard.atBob, heard.atAda]) {
      const since = arrivals.filter(({ at }) => at > from);
      const gaps = since.map(({ at }, index) => at - (since[index - 1]?.at ?? from));
      expect(Math.max(...gaps)).toBeLessThan(1_000 + BUSY_MS);
      expect(since.length).toBeGreaterThan(50);
    }
  }
  expect(told).toEqual([]);
  await within("the end", call.end());
});

it.each(["webtransport", "auto"] as const)(
  "five seconds without any network are survived (%s): no burst of old words, the delay of before",
  async (carrier) => {
    const { udp, tcp, call, told, heard } = await scene(carrier);
    const before = { atBob: oldest(heard.atBob), atAda: oldest(heard.atAda) };
    const from = performance.now();
    udp.darken(5_000);
    tcp.darken(5_000);
    await pause(15_000);
    const back = [heard.atBob, heard.atAda].map((arrivals) => soundAfter(arrivals, from, 1_000));
    // The stack asks a path again after pauses that double: up to as long as it was dark.
    expect(Math.max(...back)).toBeLessThan(2 * 5_000 + BUSY_MS);
    for (const end of ["atBob", "atAda"] as const) {
      const after = heard[end].filter(({ at }) => at > from + 1_000);
      // What the stack held when the light came is short, and is played a little faster until all is as before.
      expect(oldest(after)).toBeLessThan(OLDEST_MS);
      const old = after.filter(({ age }) => age > Math.max(before[end], 200) + 500);
      expect(old.length * 20).toBeLessThan(LATE_MS);
      const last = after.filter(({ at }) => at > from + 13_000);
      expect(oldest(last)).toBeLessThan(Math.max(before[end], 200) + 200);
      expect(last.length).toBeGreaterThan(50);
    }
    expect(call.state).toBe("active");
    if (carrier === "webtransport") expect(told).toEqual([]);
    await within("the end", call.end());
  },
);

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}
