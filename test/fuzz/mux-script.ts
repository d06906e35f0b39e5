/**
 * Conversations with the WebSocket multiplexer as bytes: what the peer sends, and what this side does meanwhile. The first byte says which
 * side is the peer; then come steps, each a byte that names it and what it needs. Any bytes at all are a script.
 */

import type { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { encodeFrame, type MuxFrame } from "../../transports/mux/frames.ts";

/** Which side the multiplexer under test is. */
export type MuxRole = "client" | "server";

export type MuxStep =
  /** A message from the peer, so many times. */
  | { readonly step: "message"; readonly bytes: Uint8Array; readonly times: number }
  | { readonly step: "open"; readonly kind: "stream" | "exchange" }
  /** Bytes written to the stream of this number among those that can be. */
  | { readonly step: "write"; readonly stream: number; readonly length: number }
  | { readonly step: "finish" | "reset" | "read" | "stop"; readonly stream: number }
  | { readonly step: "datagram"; readonly length: number }
  | { readonly step: "wait"; readonly ms: number }
  /** This side closes. */
  | { readonly step: "close" };

/** Steps of one script that are taken; further ones are left out. */
const MOST_STEPS = 200;
const NAMES = [
  "message",
  "open",
  "write",
  "finish",
  "reset",
  "read",
  "stop",
  "datagram",
  "wait",
  "close",
] as const satisfies readonly MuxStep["step"][];

export function encodeScript(role: MuxRole, steps: readonly MuxStep[]): Uint8Array {
  const bytes: number[] = [role === "server" ? 0 : 1];
  for (const step of steps) {
    bytes.push(NAMES.indexOf(step.step));
    if (step.step === "message") {
      const { length } = step.bytes;
      bytes.push(step.times, length >> 8, length & 0xff, ...step.bytes);
    } else if (step.step === "open") bytes.push(step.kind === "stream" ? 0 : 1);
    else if (step.step === "write") bytes.push(step.stream, step.length >> 4);
    else if (step.step === "datagram") bytes.push(step.length >> 4);
    else if (step.step === "wait") bytes.push(step.ms);
    else if (step.step !== "close") bytes.push(step.stream);
  }
  return Uint8Array.from(bytes);
}

export function decodeScript(bytes: Uint8Array): {
  readonly role: MuxRole;
  readonly steps: readonly MuxStep[];
} {
  const steps: MuxStep[] = [];
  let at = 1;
  const next = (): number => bytes[at++] ?? 0;
  while (at < bytes.length && steps.length < MOST_STEPS) {
    const step = NAMES[next() % NAMES.length] as MuxStep["step"];
    switch (step) {
      case "message": {
        const times = next();
        const length = next() * 256 + next();
        steps.push({ step, times, bytes: bytes.subarray(at, at + length) });
        at += length;
        break;
      }
      case "open":
        steps.push({ step, kind: next() % 2 === 0 ? "stream" : "exchange" });
        break;
      case "write":
        steps.push({ step, stream: next(), length: next() << 4 });
        break;
      case "datagram":
        steps.push({ step, length: next() << 4 });
        break;
      case "wait":
        steps.push({ step, ms: next() });
        break;
      case "close":
        steps.push({ step });
        break;
      default:
        steps.push({ step, stream: next() });
    }
  }
  return { role: (bytes[0] ?? 0) % 2 === 0 ? "server" : "client", steps };
}

/** A script of a peer that mostly keeps the rules, with numbers as large as they allow, and breaks one now and then. */
export function oddScript(random: SeededRandom): Uint8Array {
  const peer = new OddPeer(random);
  const steps: MuxStep[] = [];
  for (let left = 1 + random.integer(MOST_ODD_STEPS); left > 0; left -= 1) steps.push(peer.step());
  return encodeScript(peer.role, steps);
}

/** Knows as much of the conversation as it takes to keep the rules. */
class OddPeer {
  readonly role: MuxRole;
  readonly #random: SeededRandom;
  /** Streams of each kind opened so far, by the peer and by the side under test. */
  readonly #theirs = { stream: 0, exchange: 0 };
  readonly #own = { stream: 0, exchange: 0 };
  readonly #allowed = { stream: 100, exchange: 100 };
  readonly #credit = new Map<number, number>();
  /** Streams on which the peer may still send. */
  #open: number[] = [];
  /** Bytes of datagrams that went out, of which feedback may tell, and of which it told. */
  #sent = 0;
  #taken = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.role = random.integer(2) === 0 ? "server" : "client";
  }

  step(): MuxStep {
    if (this.#chance(3)) return this.#ownStep();
    const frame = this.#chance(40) ? this.#wrongFrame() : this.#frame();
    // What may come but once comes once.
    const repeats = frame.type === "data" || frame.type === "datagram" || frame.type === "taken";
    const times = repeats && this.#chance(5) ? this.#random.integer(this.#chance(4) ? 256 : 16) : 1;
    return { step: "message", times, bytes: encodeFrame(frame) };
  }

  #ownStep(): MuxStep {
    const stream = this.#random.integer(4);
    switch (this.#random.integer(10)) {
      case 0:
      case 1: {
        const kind = this.role === "client" && this.#chance(2) ? "exchange" : "stream";
        const index = this.#own[kind]++;
        if (kind === "exchange") this.#open.push(idOf(kind, index, this.role));
        return { step: "open", kind };
      }
      case 2:
      case 3:
        return { step: "write", stream, length: this.#random.integer(4_080) };
      case 4:
        return { step: this.#chance(2) ? "finish" : "reset", stream };
      case 5:
      case 6:
        return { step: "read", stream };
      case 7:
        return { step: "stop", stream };
      case 8: {
        if (this.#chance(20)) return { step: "close" };
        const length = 16 * this.#random.integer(72);
        // As much as surely went out at once.
        if (this.#sent + length < SURELY_SENT) this.#sent += length + 1;
        return { step: "datagram", length };
      }
      default:
        return { step: "wait", ms: this.#random.integer(256) };
    }
  }

  #frame(): MuxFrame {
    const random = this.#random;
    const at = random.integer(this.#open.length);
    const stream = this.#open[at];
    switch (random.integer(10)) {
      case 0:
      case 1:
        return this.#opening();
      case 2:
      case 3:
      case 4:
        if (stream === undefined) return this.#opening();
        return { type: "data", stream, bytes: random.bytes(1 + random.integer(this.#chance(8) ? 2_000 : 8)) };
      case 5: {
        if (stream === undefined) return this.#opening();
        this.#open.splice(at, 1);
        if (this.#chance(2)) return { type: "finish", stream };
        return { type: "reset", stream, code: this.#number() };
      }
      case 6: {
        const answered = this.#answered();
        if (answered === undefined) return this.#opening();
        if (this.#chance(3)) return { type: "stop", stream: answered, code: this.#number() };
        const limit = Math.min(LARGEST, (this.#credit.get(answered) ?? 65_536) + this.#number());
        this.#credit.set(answered, limit);
        return { type: "credit", stream: answered, limit };
      }
      case 7: {
        const kind = this.#chance(2) ? "stream" : "exchange";
        const most = this.#own[kind] + 100;
        this.#allowed[kind] += random.integer(Math.max(1, most - this.#allowed[kind] + 1));
        return { type: "streams", kind, limit: this.#allowed[kind] };
      }
      case 8:
        this.#taken += random.integer(this.#sent - this.#taken + 1);
        return { type: "taken", total: this.#taken };
      default:
        if (this.#chance(30)) return { type: "close", code: this.#number(), reason: "enough" };
        return { type: "datagram", bytes: random.bytes(random.integer(200)) };
    }
  }

  #opening(): MuxFrame {
    const kind = this.role === "server" && this.#chance(2) ? "exchange" : "stream";
    const id = idOf(kind, this.#theirs[kind]++, this.role === "server" ? "client" : "server");
    this.#open.push(id);
    return { type: "open", stream: id };
  }

  /** A stream on which the side under test sends. */
  #answered(): number | undefined {
    const answered = this.#open.filter((id) => id % 4 < 2);
    for (let index = 0; index < this.#own.stream; index += 1) answered.push(idOf("stream", index, this.role));
    return answered[this.#random.integer(answered.length)];
  }

  #wrongFrame(): MuxFrame {
    const number = this.#number();
    switch (this.#random.integer(8)) {
      case 0:
        return { type: "open", stream: number };
      case 1:
        return { type: "data", stream: number, bytes: this.#random.bytes(3) };
      case 2:
        return { type: "finish", stream: number };
      case 3:
        return { type: "reset", stream: number, code: number };
      case 4:
        return { type: "stop", stream: number, code: number };
      case 5:
        return { type: "credit", stream: number, limit: number };
      case 6:
        return { type: "streams", kind: this.#chance(2) ? "stream" : "exchange", limit: number };
      default:
        return { type: "taken", total: number };
    }
  }

  #chance(of: number): boolean {
    return this.#random.integer(of) === 0;
  }

  #number(): number {
    return ODD_NUMBERS[this.#random.integer(ODD_NUMBERS.length)] as number;
  }
}

function idOf(kind: "stream" | "exchange", index: number, opener: MuxRole): number {
  return index * 4 + (kind === "stream" ? 2 : 0) + (opener === "server" ? 1 : 0);
}

const MOST_ODD_STEPS = 40;
/** Bytes of datagrams that need no feedback to go out. */
const SURELY_SENT = 4_000;
const LARGEST = Number.MAX_SAFE_INTEGER;
const ODD_NUMBERS = [0, 1, 2, 63, 64, 100, 16_383, 65_536, 2 ** 30, 2 ** 31, 2 ** 32, 2 ** 48, LARGEST];
