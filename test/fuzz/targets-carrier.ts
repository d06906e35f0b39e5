/**
 * The multiplexer: whatever its peer says, it answers within the rules, in time, and leaves nobody waiting at the end. And the readers
 * that find messages and requests in the bytes of a TLS connection.
 */
import type { Clock } from "../../codecs/clock.ts";
import { MessageReader } from "../../codecs/message-reader.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { ReceiveStream, SendStream } from "../../sfu/carrier.ts";
import { decodeFrame, encodeFrame, MAX_MESSAGE_BYTES, type MuxFrame } from "../../transports/mux/frames.ts";
import { MAX_UNFINISHED_STREAMS, Mux } from "../../transports/mux/mux.ts";
import { STREAM_WINDOW_BYTES } from "../../transports/mux/mux-stream.ts";
import { MessageSplitter, withLength } from "../../transports/tls/message-splitter.ts";
import { decodeScript, encodeScript, type MuxStep, oddScript } from "./mux-script.ts";
import type { FuzzTarget } from "./target.ts";

/** Milliseconds that one script may take: thousands of times what it needs, for machines that are busy. */
const MOST_MS = 2_000;
/** Messages that one message heard may make this side send, and one step of its own: a write is cut into chunks. */
const MESSAGES_A_MESSAGE = 2;
const MESSAGES_A_STEP = 20;
/** Memory that a buffer takes besides its bytes. */
const BUFFER_BYTES = 200;

const message = (frame: MuxFrame, times = 1): MuxStep => ({
  step: "message",
  times,
  bytes: encodeFrame(frame),
});
const bytes = Uint8Array.of(1, 2, 3);
const messages = (...frames: MuxFrame[]): Uint8Array =>
  new Uint8Array(Buffer.concat(frames.map((frame) => withLength(encodeFrame(frame)))));
const text = (requests: string): Uint8Array => new TextEncoder().encode(requests);

export const CARRIER_TARGETS: readonly FuzzTarget[] = [
  {
    name: "websocket-mux",
    examples: [
      encodeScript("server", [
        message({ type: "open", stream: 0 }),
        message({ type: "data", stream: 0, bytes }, 200),
        { step: "read", stream: 0 },
        message({ type: "finish", stream: 0 }),
        { step: "write", stream: 0, length: 2_000 },
        message({ type: "credit", stream: 0, limit: 70_000 }),
        { step: "finish", stream: 0 },
        message({ type: "open", stream: 2 }),
        message({ type: "reset", stream: 2, code: 7 }),
        { step: "wait", ms: 60 },
      ]),
      encodeScript("client", [
        { step: "open", kind: "exchange" },
        { step: "open", kind: "stream" },
        { step: "write", stream: 1, length: 4_000 },
        message({ type: "taken", total: 300 }),
        message({ type: "streams", kind: "stream", limit: 101 }),
        { step: "datagram", length: 1_000 },
        message({ type: "datagram", bytes }, 20),
        message({ type: "stop", stream: 2, code: 1 }),
        { step: "stop", stream: 0 },
        message({ type: "close", code: 4, reason: "bye" }),
      ]),
    ],
    tokens: [
      "\u0000\u0001\u0000\u0006\u0007\u0001\u0000\u0000\u0000\u0000",
      "\u0000\u0001\u0000\u0002\u0001\u0002",
      "\u0000\u00ff\u0000\u0003\u0002\u0002a",
      "\u0001\u0000",
      "\u0002\u0000\u007f",
    ],
    inside: oddScript,
    few: 4_000,
    run: converse,
  },
  {
    name: "tls-messages",
    examples: [
      messages(
        { type: "open", stream: 2 },
        { type: "data", stream: 2, bytes },
        { type: "finish", stream: 2 },
      ),
      messages({ type: "datagram", bytes: new Uint8Array(100) }, { type: "taken", total: 70_000 }),
      Uint8Array.of(0x40, 2, 1, 2, 0xc0, 0, 0, 0, 0, 0, 0, 1, 9),
    ],
    tokens: ["\u0000", "\u007f\u007f", "@\u0001", "\u0001\u0001"],
    run: split,
  },
  {
    name: "tls-requests",
    examples: [
      text("AGTP/1.0 QUERY /a\r\nContent-Length: 3\r\n\r\nabcAGTP/1.0 DISCOVER /\r\n\r\n"),
      text("ESTABLISH /sessions HTTP/AGTP/1.0\r\nAgent-ID: a\r\n\r\nAGTP/1.0 QUERY /b\r\n\r\n"),
    ],
    tokens: ["\r\n", "\r\n\r\n", "Content-Length: ", "AGTP/1.0 ", "\u0000", "-1", "65537"],
    run: findEnds,
  },
];

/** However bytes are cut, the same messages are found in them, and the same fault. */
function split(input: Uint8Array): boolean {
  const runs = [input.length, 1, 7].map((size) => {
    const found: number[][] = [];
    const splitter = new MessageSplitter((message) => {
      if (message.length === 0 || message.length > MAX_MESSAGE_BYTES) throw new Error("no such message");
      found.push([...message]);
    });
    let fault: unknown;
    for (let at = 0; at < input.length; at += size) fault = splitter.push(input.subarray(at, at + size));
    return { found, fault };
  });
  const [whole, ...cut] = runs.map((run) => JSON.stringify(run));
  if (cut.some((run) => run !== whole)) throw new Error("the cut makes a difference");
  return runs[0]?.fault === undefined;
}

/** Requests found one by one are those found all at once. */
function findEnds(input: Uint8Array): boolean {
  const runs = [input.length, 1, 7].map((size) => {
    const reader = new MessageReader("request");
    const found: unknown[] = [];
    for (let at = 0; at < input.length; at += size) {
      const part = input.subarray(at, at + size);
      for (let used = 0; used < part.length && reader.fault === undefined; ) {
        used += reader.pushOne(part.subarray(used));
        const request = reader.next();
        if (request !== undefined) found.push([request.method, request.path, [...request.body]]);
        if (reader.next() !== undefined) throw new Error("two at once");
      }
    }
    return { found, fault: reader.fault };
  });
  const all = new MessageReader("request");
  const fault = all.push(input);
  const found: unknown[] = [];
  for (let one = all.next(); one !== undefined; one = all.next())
    found.push([one.method, one.path, [...one.body]]);
  const whole = JSON.stringify({ found, fault });
  if (runs.some((run) => JSON.stringify(run) !== whole)) throw new Error("the cut makes a difference");
  return fault === undefined;
}

async function converse(input: Uint8Array): Promise<boolean> {
  const began = performance.now();
  const { role, steps } = decodeScript(input);
  const table = new Table(role);
  for (const step of steps) {
    await table.take(step);
    if (table.over !== undefined) break;
  }
  const isAccepted = table.violation === undefined;
  await table.end();
  const took = performance.now() - began;
  if (took > MOST_MS) throw new Error(`took ${took.toFixed(0)} ms`);
  return isAccepted;
}

/** One multiplexer, whoever uses it, and what its peer allowed it. */
class Table {
  readonly #clock = new HandClock();
  readonly #mux: Mux;
  readonly #sending: SendStream[] = [];
  readonly #receiving: ReceiveStream[] = [];
  readonly #waiting = new Set<Promise<unknown>>();
  readonly #faults: unknown[] = [];
  readonly #role: "client" | "server";
  /** Credit of each stream, and bytes sent on it. */
  readonly #credit = new Map<number, number>();
  readonly #sentOn = new Map<number, number>();
  readonly #allowed = { stream: MAX_UNFINISHED_STREAMS, exchange: MAX_UNFINISHED_STREAMS };
  #sent = 0;
  #heard = 0;
  #steps = 0;
  over: ParleyError | undefined;
  violation: string | undefined;

  constructor(role: "client" | "server") {
    this.#role = role;
    this.#mux = new Mux(role, this.#clock, {
      send: (sent) => {
        // What comes after the end goes nowhere.
        if (this.over === undefined) this.#check(sent);
      },
      datagram: () => {},
      stream: (stream) => this.#receiving.push(stream),
      exchange: ({ send, receive }) => {
        this.#receiving.push(receive);
        this.#sending.push(send);
      },
      closed: () => this.#close("the peer closed"),
      violated: (why) => {
        this.violation ??= why;
        this.#close(why);
      },
      over: () => this.over,
    });
  }

  async take(step: MuxStep): Promise<void> {
    this.#steps += 1;
    this.#act(step);
    // What was woken has its turn.
    for (let turn = 0; turn < 4; turn += 1) await undefined;
    if (this.#sent > MESSAGES_A_MESSAGE * this.#heard + MESSAGES_A_STEP * this.#steps)
      throw new Error(`${this.#sent} messages sent after ${this.#heard} in ${this.#steps} steps`);
    if (this.#faults.length > 0) throw this.#faults[0];
  }

  /** The connection is over: whoever waits is told, and what was unread is no more than was allowed. */
  async end(): Promise<void> {
    this.#close("over");
    this.#mux.end();
    for (const stream of this.#receiving) await this.#readOut(stream);
    for (let turn = 0; turn < 20 * (1 + this.#steps) && this.#waiting.size > 0; turn += 1) await undefined;
    if (this.#waiting.size > 0) throw new Error(`${this.#waiting.size} wait for ever`);
    if (this.#faults.length > 0) throw this.#faults[0];
    if (this.#clock.pending > 0) throw new Error("a timer is left");
  }

  #act(step: MuxStep): void {
    switch (step.step) {
      case "message":
        for (let time = 0; time < step.times && this.over === undefined; time += 1) this.#hear(step.bytes);
        break;
      case "open":
        if (step.kind === "stream")
          this.#await(this.#mux.openStream().then((stream) => this.#sending.push(stream)));
        else if (this.#role === "client")
          this.#await(
            this.#mux.openExchange().then(({ send, receive }) => {
              this.#sending.push(send);
              this.#receiving.push(receive);
            }),
          );
        break;
      case "write":
        this.#await(pick(this.#sending, step.stream)?.write(new Uint8Array(step.length)));
        break;
      case "finish":
        this.#await(pick(this.#sending, step.stream)?.finish());
        break;
      case "reset":
        pick(this.#sending, step.stream)?.reset(1);
        break;
      case "read":
        this.#await(pick(this.#receiving, step.stream)?.read());
        break;
      case "stop":
        pick(this.#receiving, step.stream)?.stop(1);
        break;
      case "datagram":
        this.#mux.sendDatagram(new Uint8Array(Math.min(step.length, 1_150)));
        break;
      case "wait":
        this.#clock.pass(step.ms);
        break;
      case "close":
        this.#mux.close(0, "");
        this.#close("this side closed");
    }
  }

  /** Notes what the message allows, then has it taken. */
  #hear(heard: Uint8Array): void {
    const frame = decodeFrame(heard);
    if (frame.ok && frame.value.type === "credit") {
      const { stream, limit } = frame.value;
      this.#credit.set(stream, Math.max(limit, this.#credit.get(stream) ?? STREAM_WINDOW_BYTES));
    } else if (frame.ok && frame.value.type === "streams") {
      const { kind, limit } = frame.value;
      this.#allowed[kind] = Math.max(limit, this.#allowed[kind]);
    }
    this.#heard += 1;
    this.#mux.receive(heard);
  }

  /** Everything sent is sound and within what the peer allowed. */
  #check(sent: Uint8Array): void {
    this.#sent += 1;
    const frame = decodeFrame(sent);
    if (!frame.ok) throw new Error(`sent what is malformed: ${frame.fault.message}`);
    const { value } = frame;
    if (value.type === "open") {
      const kind = value.stream % 4 >= 2 ? "stream" : "exchange";
      if (Math.floor(value.stream / 4) >= this.#allowed[kind])
        throw new Error("opened more than was allowed");
    } else if (value.type === "data") {
      const total = (this.#sentOn.get(value.stream) ?? 0) + value.bytes.length;
      this.#sentOn.set(value.stream, total);
      if (total > (this.#credit.get(value.stream) ?? STREAM_WINDOW_BYTES))
        throw new Error("sent past the credit");
    }
  }

  /** Reads what is left. */
  async #readOut(stream: ReceiveStream): Promise<void> {
    let held = 0;
    try {
      for (let piece = await stream.read(); piece !== undefined; piece = await stream.read())
        held += piece.buffer.byteLength + BUFFER_BYTES;
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
    }
    if (held > 2 * STREAM_WINDOW_BYTES) throw new Error(`${held} bytes of memory in one stream`);
  }

  #close(why: string): void {
    this.over ??= new ParleyError({ code: "closed", message: why });
  }

  /** Whatever is asked of the multiplexer is answered in the end, or refused by name. */
  #await(asked: Promise<unknown> | undefined): void {
    if (asked === undefined) return;
    const settled: Promise<unknown> = asked.then(
      () => this.#waiting.delete(settled),
      (error: unknown) => {
        this.#waiting.delete(settled);
        if (!(error instanceof ParleyError)) this.#faults.push(error);
      },
    );
    this.#waiting.add(settled);
  }
}

/** A clock that passes when it is told to. */
class HandClock implements Clock {
  readonly #timers = new Set<{ readonly at: number; readonly fire: () => void }>();
  #now = 0;

  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#now;
  }

  at(at: number, fire: () => void): () => void {
    const timer = { at, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  pass(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#now) continue;
      this.#timers.delete(timer);
      timer.fire();
    }
  }
}

function pick<Item>(items: readonly Item[], number: number): Item | undefined {
  return items[number % items.length];
}
