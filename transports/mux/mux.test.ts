import { describe, expect, test } from "vitest";
import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { DuplexStream, ReceiveStream } from "../../sfu/carrier.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { MAX_DATAGRAM_WAIT_MS, MAX_WAITING_DATAGRAMS } from "./datagram-queue.ts";
import { INITIAL_WINDOW } from "./flight.ts";
import { decodeFrame, encodeFrame, type MuxFrame } from "./frames.ts";
import { FEEDBACK_MESSAGES, FEEDBACK_MS, MAX_UNFINISHED_STREAMS, Mux } from "./mux.ts";
import { STREAM_WINDOW_BYTES } from "./mux-stream.ts";

const gone = new ParleyError({ code: "closed", message: "over" });

/** One multiplexer whose peer is the test. */
class Subject {
  readonly clock: VirtualClock;
  readonly sent: MuxFrame[] = [];
  readonly violations: string[] = [];
  readonly datagrams: number[] = [];
  readonly streams: ReceiveStream[] = [];
  readonly exchanges: DuplexStream[] = [];
  readonly mux: Mux;
  /** Where messages go besides `sent`. */
  deliver: (message: Uint8Array) => void = () => {};

  /** When a timer set for `at` fires. */
  timers: (at: number) => number = (at) => at;

  constructor(role: "client" | "server" = "server", clock = new VirtualClock()) {
    this.clock = clock;
    const slowed: Clock = {
      now: () => clock.now(),
      wall: () => clock.wall(),
      at: (at, fire) => clock.at(this.timers(at), fire),
    };
    this.mux = new Mux(role, slowed, {
      send: (message) => {
        const frame = decodeFrame(message);
        if (!frame.ok) throw new Error(frame.fault.message);
        this.sent.push(frame.value);
        this.deliver(message);
      },
      datagram: (bytes) => this.datagrams.push(bytes.length),
      stream: (stream) => this.streams.push(stream),
      exchange: (stream) => this.exchanges.push(stream),
      closed: () => {},
      violated: (why) => this.violations.push(why),
      over: () => (this.violations.length > 0 ? gone : undefined),
    });
  }

  says(...frames: MuxFrame[]): void {
    for (const frame of frames) this.mux.receive(encodeFrame(frame));
  }

  bytesSent(type: "data" | "datagram"): number {
    return this.sent.reduce((sum, frame) => sum + (frame.type === type ? frame.bytes.length : 0), 0);
  }
}

/** Two multiplexers with a way of `delay` ms and `rate` bytes a ms between them. */
function pair(delay: number, rate = Number.POSITIVE_INFINITY) {
  const clock = new VirtualClock();
  const client = new Subject("client", clock);
  const server = new Subject("server", clock);
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    let free = 0;
    from.deliver = (message) => {
      free = Math.max(free, clock.now()) + message.length / rate;
      clock.at(free + delay, () => to.mux.receive(message));
    };
  }
  return { clock, client, server };
}

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(1);
const data = (stream: number, length: number): MuxFrame => ({ type: "data", stream, bytes: bytes(length) });

describe("streams and credit", () => {
  test("a slow reader blocks its own stream and no other", async () => {
    const { clock, client, server } = pair(5);
    const [slow, quick] = [await client.mux.openStream(), await client.mux.openStream()];
    let isWritten = false;
    void slow.write(bytes(STREAM_WINDOW_BYTES + 1)).then(() => {
      isWritten = true;
    });
    const written = quick.write(bytes(500_000));
    await clock.advance(20);
    let read = 0;
    void (async () => {
      while (read < 500_000) read += (await server.streams[1]?.read())?.length ?? 0;
    })();
    await clock.advance(2_000);
    await written;
    expect(read).toBe(500_000);
    expect(isWritten).toBe(false);
    for (let left = STREAM_WINDOW_BYTES; left > 0 && !isWritten; ) {
      left -= (await server.streams[0]?.read())?.length ?? 0;
      await clock.advance(20);
    }
    expect(isWritten).toBe(true);
    expect([...client.violations, ...server.violations]).toEqual([]);
  });

  test("many streams share the way, a chunk each", async () => {
    const subject = new Subject("client");
    const streams = [await subject.mux.openStream(), await subject.mux.openStream()];
    for (const stream of streams) void stream.write(bytes(60_000));
    await subject.clock.settle();
    const before = subject.sent.length;
    const total = subject.sent.reduce(
      (sum, frame) => sum + (frame.type === "data" ? encodeFrame(frame).length : 0),
      0,
    );
    subject.says({ type: "taken", total });
    const order = subject.sent
      .slice(before)
      .map((frame) => (frame.type === "data" ? frame.stream : undefined));
    expect(order.slice(0, 2).sort()).toEqual([2, 6]);
  });

  test("an opening waits until the peer allows one more", async () => {
    const subject = new Subject("client");
    for (let i = 0; i < MAX_UNFINISHED_STREAMS; i++) await subject.mux.openStream();
    let opened = false;
    void subject.mux.openStream().then(() => {
      opened = true;
    });
    await subject.clock.settle();
    expect(opened).toBe(false);
    subject.says({ type: "streams", kind: "stream", limit: MAX_UNFINISHED_STREAMS + 1 });
    await subject.clock.settle();
    expect(opened).toBe(true);
  });
});

test("as many openings go on as the peer allows, and no more", async () => {
  const subject = new Subject("client");
  let opened = 0;
  for (let i = 0; i < MAX_UNFINISHED_STREAMS + 3; i++) void subject.mux.openStream().then(() => opened++);
  await subject.clock.settle();
  expect(opened).toBe(MAX_UNFINISHED_STREAMS);
  subject.says({ type: "streams", kind: "stream", limit: MAX_UNFINISHED_STREAMS + 2 });
  await subject.clock.settle();
  expect(opened).toBe(MAX_UNFINISHED_STREAMS + 2);
});

describe("what is on the way", () => {
  test("is limited by the peer's feedback, and datagrams still find room", async () => {
    const subject = new Subject("client");
    const stream = await subject.mux.openStream();
    void stream.write(bytes(1_000_000));
    await subject.clock.settle();
    expect(subject.bytesSent("data")).toBeLessThan(INITIAL_WINDOW);
    subject.mux.sendDatagram(bytes(1_000));
    expect(subject.bytesSent("datagram")).toBe(1_000);
  });

  test("is told after two messages at once, and after some time in any case", async () => {
    const subject = new Subject();
    subject.says({ type: "open", stream: 2 }, data(2, 1_000));
    expect(subject.sent).toEqual([]);
    await subject.clock.advance(FEEDBACK_MS);
    expect(subject.sent).toEqual([{ type: "taken", total: 1_002 }]);
    subject.says(...Array.from({ length: FEEDBACK_MESSAGES }, () => data(2, 1)));
    expect(subject.sent).toHaveLength(2);
  });

  test("goes on without any timer of the peer's", async () => {
    const { clock, client, server } = pair(20);
    // As slow as those of a page in the background, and slower.
    server.timers = (at) => at + 3_600_000;
    const written = (await client.mux.openStream()).write(bytes(50_000));
    for (let i = 0; i < 50; i++) {
      client.mux.sendDatagram(bytes(160));
      await clock.advance(20);
    }
    await written;
    expect(server.datagrams).toHaveLength(50);
  });
});

describe("datagrams that wait", () => {
  /** A way that is full. */
  function stuck(): Subject {
    const subject = new Subject("client");
    while (subject.bytesSent("datagram") < INITIAL_WINDOW - 2_000) subject.mux.sendDatagram(bytes(1_000));
    for (let i = 0; i < 3; i++) subject.mux.sendDatagram(bytes(1_000));
    return subject;
  }

  test("are dropped as late, oldest first", async () => {
    const subject = stuck();
    const under = subject.bytesSent("datagram");
    subject.mux.sendDatagram(bytes(7));
    await subject.clock.advance(MAX_DATAGRAM_WAIT_MS + 1);
    subject.mux.sendDatagram(bytes(9));
    const { late } = subject.mux.drops;
    expect(late).toBeGreaterThan(0);
    const total = subject.sent.reduce((sum, frame) => sum + encodeFrame(frame).length, 0);
    subject.says({ type: "taken", total });
    expect(subject.bytesSent("datagram") - under).toBe(9);
    expect(subject.mux.drops).toEqual({ late, full: 0 });
  });

  test("are dropped as full, oldest first", () => {
    const subject = stuck();
    for (let i = 0; i < MAX_WAITING_DATAGRAMS + 10; i++) subject.mux.sendDatagram(bytes(1));
    expect(subject.mux.drops.full).toBeGreaterThanOrEqual(10);
    expect(subject.mux.drops.late).toBe(0);
  });
});

test("single bytes of a stream that nobody reads wait together", async () => {
  const subject = new Subject();
  subject.says({ type: "open", stream: 2 });
  for (let i = 0; i < STREAM_WINDOW_BYTES; i++) subject.says(data(2, 1));
  expect(subject.violations).toEqual([]);
  let [reads, read] = [0, 0];
  for (; read < STREAM_WINDOW_BYTES; reads++) read += (await subject.streams[0]?.read())?.length ?? 0;
  expect([reads, read]).toEqual([16, STREAM_WINDOW_BYTES]);
});

describe("a hostile peer", () => {
  const cases: Readonly<Record<string, readonly [readonly MuxFrame[], string]>> = {
    "opens more streams than are allowed": [
      Array.from(
        { length: MAX_UNFINISHED_STREAMS + 1 },
        (_, i) => ({ type: "open", stream: i * 4 + 2 }) as const,
      ),
      "more streams than are allowed",
    ],
    "opens more exchanges than are allowed": [
      Array.from(
        { length: MAX_UNFINISHED_STREAMS + 1 },
        (_, i) => ({ type: "open", stream: i * 4 }) as const,
      ),
      "more streams than are allowed",
    ],
    "leaves out a stream": [[{ type: "open", stream: 6 }], "streams are opened in their order"],
    "opens a stream in the other's name": [
      [{ type: "open", stream: 3 }],
      "a stream opened in the other side's name",
    ],
    "sends past its credit": [
      [{ type: "open", stream: 2 }, ...Array.from({ length: 5 }, () => data(2, 16_384))],
      "a stream carries more than its credit",
    ],
    "sends on a stream that is not open": [[data(2, 1)], "data for a stream that is not open"],
    "sends after the end": [
      [{ type: "open", stream: 2 }, { type: "finish", stream: 2 }, data(2, 1)],
      "a stream carries more than its credit",
    ],
    "ends twice": [
      [
        { type: "open", stream: 2 },
        { type: "finish", stream: 2 },
        { type: "finish", stream: 2 },
      ],
      "a stream ends twice",
    ],
    "resets what never was": [
      [{ type: "reset", stream: 2, code: 0 }],
      "the end of a stream that is not open",
    ],
    "stops what never was": [[{ type: "stop", stream: 3, code: 0 }], "a stop for a stream that never was"],
    "gives credit for what never was": [
      [{ type: "credit", stream: 0, limit: 1 }],
      "credit for a stream that never was",
    ],
    "takes credit back": [
      [
        { type: "open", stream: 0 },
        { type: "credit", stream: 0, limit: 1 },
      ],
      "credit taken back",
    ],
    "takes allowed streams back": [
      [{ type: "streams", kind: "stream", limit: 1 }],
      "allowed streams taken back",
    ],
    "allows one stream more than may be unfinished": [
      [
        { type: "streams", kind: "stream", limit: MAX_UNFINISHED_STREAMS },
        { type: "streams", kind: "stream", limit: MAX_UNFINISHED_STREAMS + 1 },
      ],
      "more streams allowed than may be unfinished",
    ],
    "allows streams beyond number": [
      [{ type: "streams", kind: "stream", limit: Number.MAX_SAFE_INTEGER }],
      "more streams allowed than may be unfinished",
    ],
    "took what was never sent": [[{ type: "taken", total: 1 }], "feedback on bytes that were never sent"],
  };

  test.each(Object.entries(cases))("that %s is found out", (_, [frames, why]) => {
    const subject = new Subject();
    subject.says(...frames.slice(0, -1));
    expect(subject.violations).toEqual([]);
    subject.says(frames.at(-1) as MuxFrame);
    expect(subject.violations).toEqual([why]);
  });

  test("that opens an exchange toward a client is found out", () => {
    const subject = new Subject("client");
    subject.says({ type: "open", stream: 1 });
    expect(subject.violations).toEqual(["only clients open exchanges"]);
  });

  test("that sends rubbish or too much is found out", () => {
    for (const message of [Uint8Array.of(200), new Uint8Array(60_000).fill(2), new Uint8Array()]) {
      const subject = new Subject();
      subject.mux.receive(message);
      expect(subject.violations).toHaveLength(1);
    }
  });

  test("that opens and resets for ever gets room, and leaves nothing behind", async () => {
    const subject = new Subject();
    for (let i = 0; i < 2_000; i++) {
      subject.says({ type: "open", stream: i * 4 + 2 }, { type: "reset", stream: i * 4 + 2, code: 1 });
    }
    expect(subject.violations).toEqual([]);
    expect(subject.sent.length).toBeLessThan(60);
  });

  test("that stops what this side sends gets a reset, and the writer hears the code", async () => {
    const subject = new Subject("client");
    const stream = await subject.mux.openStream();
    const writing = expect(stream.write(bytes(1_000_000))).rejects.toMatchObject({
      code: "connection-lost",
      details: { stream_code: 7 },
    });
    await subject.clock.settle();
    subject.says({ type: "stop", stream: 2, code: 7 });
    await writing;
    expect(subject.sent.at(-1)).toEqual({ type: "reset", stream: 2, code: 7 });
    // A stop that crosses the end is nobody's fault.
    subject.says({ type: "stop", stream: 2, code: 7 });
    expect(subject.violations).toEqual([]);
  });
});
