import type { Clock } from "../codecs/clock.ts";

/** How a connection finds out that its peer is gone. */
export interface LivenessOptions {
  /** Milliseconds between pings. Default 5,000; QUIC stacks drop a connection that is idle for 30 s. */
  readonly pingInterval?: number;
  /** Milliseconds without any sign of the peer after which it counts as gone. Default 15,000. */
  readonly timeout?: number;
}

/** What `Liveness` needs from its connection. */
export interface LivenessPort {
  /** Sends one datagram. The bytes are copied before it returns. */
  send(bytes: Uint8Array): void;
  /** Sends one pong on a new unidirectional stream as well. Servers have it; called once at most. */
  sendOnStream?(pong: Uint8Array): void;
  /** The peer was silent for the whole timeout. Called at most once. */
  dead(): void;
  /** A ping went out. */
  pinged?(): void;
  /** One was answered. `since`: when the first ping after it went out that was not. */
  answered?(since: number | undefined): void;
  /** No pings any more. */
  stopped?(): void;
}

/** First byte of a carrier's own datagrams: flow identifier 0. */
export const CARRIER_FLOW = 0;
/** A ping or pong, docs/wire.md: flow 0, kind, id (u32, big-endian), the pinger's own time (8 bytes, opaque to the other end). */
export const PING_BYTES = 14;
/** Second byte of a ping. */
export const PING = 1;
/** Second byte of a ping that a server answers, the first time, with the same pong on a stream of its own too. */
export const PING_FOR_STREAM = 3;
/** Second byte of a pong: the ping's remaining bytes come back unchanged. */
export const PONG = 2;

/**
 * Pings the peer on flow 0, answers its pings, smooths the round trip and notices silence.
 * Everything heard from the peer counts as life, not pongs alone.
 */
export class Liveness {
  readonly #clock: Clock;
  readonly #port: LivenessPort;
  readonly #interval: number;
  readonly #timeout: number;
  readonly #outstanding = new Map<number, number>();
  readonly #ping = new Uint8Array(PING_BYTES);
  #lastHeard = 0;
  #nextTick = 0;
  #nextId = 1;
  #roundTrip: number | undefined;
  #cancel: (() => void) | undefined;
  #malformed = 0;
  #hasAnsweredOnStream = false;

  constructor(clock: Clock, port: LivenessPort, options: LivenessOptions = {}) {
    this.#clock = clock;
    this.#port = port;
    this.#interval = options.pingInterval ?? 5_000;
    this.#timeout = options.timeout ?? 15_000;
  }

  /** Smoothed round trip in milliseconds, once a pong came back. */
  get roundTrip(): number | undefined {
    return this.#roundTrip;
  }

  /** When anything was heard last. */
  get lastHeard(): number {
    return this.#lastHeard;
  }

  /** Datagrams on flow 0 that were neither a ping nor the pong to one of ours; they are dropped. */
  get malformed(): number {
    return this.#malformed;
  }

  /** Sends the first ping and begins to listen for silence. */
  start(): void {
    const now = this.#clock.now();
    this.#lastHeard = now;
    this.#nextTick = now;
    this.#tick();
  }

  /** Ends the pings. Idempotent. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#port.stopped?.();
  }

  /** Something arrived from the peer. */
  heard(): void {
    this.#lastHeard = this.#clock.now();
  }

  /** One datagram of flow 0. */
  datagram(bytes: Uint8Array): void {
    if (bytes.length !== PING_BYTES) {
      this.#malformed++;
      return;
    }
    if (bytes[1] === PING || bytes[1] === PING_FOR_STREAM) {
      const pong = new Uint8Array(bytes);
      pong[1] = PONG;
      this.#port.send(pong);
      // Once: who asks for ever gets no streams for it.
      if (bytes[1] === PING || this.#hasAnsweredOnStream) return;
      this.#hasAnsweredOnStream = true;
      this.#port.sendOnStream?.(pong);
      return;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const sent = this.#outstanding.get(view.getUint32(2));
    if (bytes[1] !== PONG || sent === undefined || view.getFloat64(6) !== sent) {
      this.#malformed++;
      return;
    }
    this.#outstanding.delete(view.getUint32(2));
    const sample = this.#clock.now() - sent;
    // RFC 6298, section 2: alpha = 1/8.
    this.#roundTrip =
      this.#roundTrip === undefined ? sample : this.#roundTrip + (sample - this.#roundTrip) / 8;
    this.#port.answered?.([...this.#outstanding.values()].find((at) => at > sent));
  }

  /** Sends one ping now, besides those that come at intervals. */
  ping(): void {
    this.#sendPing(this.#clock.now(), PING);
  }

  /** Sends a ping that asks for a pong on a stream of the server's as well. */
  pingForStream(): void {
    this.#sendPing(this.#clock.now(), PING_FOR_STREAM);
  }

  /** Whether these are the bytes of a pong to a ping of ours, however often they came. */
  isOwnPong(bytes: Uint8Array): boolean {
    if (bytes.length !== PING_BYTES || bytes[0] !== CARRIER_FLOW || bytes[1] !== PONG) return false;
    const id = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(2);
    return id > 0 && id < this.#nextId;
  }

  #tick(): void {
    const now = this.#clock.now();
    const late = now - this.#nextTick;
    // While this process was suspended it could not hear anything: that time is not the peer's silence.
    if (late > Math.min(STALL, this.#interval / 2)) this.#lastHeard = Math.min(now, this.#lastHeard + late);
    const silence = now - this.#lastHeard;
    if (silence >= this.#timeout) {
      this.stop();
      this.#port.dead();
      return;
    }
    this.#sendPing(now, PING);
    const pace = silence >= this.#timeout / 2 ? this.#interval / PROBES_PER_INTERVAL : this.#interval;
    this.#nextTick = Math.min(now + pace, this.#lastHeard + this.#timeout);
    this.#cancel = this.#clock.at(this.#nextTick, () => this.#tick());
  }

  #sendPing(now: number, kind: typeof PING | typeof PING_FOR_STREAM): void {
    const id = this.#nextId;
    this.#nextId = (id + 1) >>> 0;
    const view = new DataView(this.#ping.buffer);
    this.#ping[0] = CARRIER_FLOW;
    this.#ping[1] = kind;
    view.setUint32(2, id);
    view.setFloat64(6, now);
    this.#outstanding.set(id, now);
    if (this.#outstanding.size > MAX_OUTSTANDING) {
      for (const oldest of this.#outstanding.keys()) {
        this.#outstanding.delete(oldest);
        break;
      }
    }
    this.#port.send(this.#ping);
    this.#port.pinged?.();
  }
}

/** Milliseconds a timer may be late, half an interval at most, before the process counts as suspended. */
const STALL = 1_000;
/** Once half the timeout passed in silence, pings come this many times as often: a burst of loss must not look like death. */
const PROBES_PER_INTERVAL = 5;
/** Pings remembered while their pongs are awaited; the oldest is forgotten first. */
const MAX_OUTSTANDING = 16;
