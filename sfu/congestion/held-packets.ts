import type { HopDrop, HopPacket, PacketKind } from "./hop-packet.ts";

/** Packets of each kind that wait for their turn; beyond it the oldest of the kind goes. */
const MAX_HELD: Readonly<Record<PacketKind, number>> = { audio: 128, data: 256, video: 512 };

/** Packets that may not go yet, audio first, then data, then video, each kind in order. */
export class HeldPackets {
  readonly #queues: Readonly<Record<PacketKind, HopPacket[]>> = { audio: [], data: [], video: [] };
  readonly drops: Record<HopDrop, number> = {
    ...{ stale: 0, "queue-full": 0, replaced: 0 },
    ...{ epoch: 0, scope: 0, held: 0, "session-state": 0 },
  };
  readonly #dropped: (packet: HopPacket, reason: HopDrop) => void;
  #bytes = 0;
  #length = 0;

  /** `dropped` is told of each. */
  constructor(dropped: (packet: HopPacket, reason: HopDrop) => void = () => {}) {
    this.#dropped = dropped;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Whether a packet of this kind would overtake one that waits and goes before it. */
  isBehind(kind: PacketKind): boolean {
    const { audio, data, video } = this.#queues;
    return (
      audio.length > 0 || (kind !== "audio" && (data.length > 0 || (kind === "video" && video.length > 0)))
    );
  }

  push(packet: HopPacket): void {
    const queue = this.#queues[packet.kind];
    queue.push(packet);
    this.#length += 1;
    this.#bytes += packet.bytes.length;
    if (queue.length > MAX_HELD[packet.kind]) this.#dropFirst(queue, "queue-full");
  }

  /** Whose turn it is, its deadline aside. */
  peek(): HopPacket | undefined {
    return this.#queues.audio[0] ?? this.#queues.data[0] ?? this.#queues.video[0];
  }

  /** Whose turn it is, once those are dropped whose deadline came. */
  first(now: number): HopPacket | undefined {
    for (const kind of ORDER) {
      const queue = this.#queues[kind];
      for (let packet = queue[0]; packet !== undefined; packet = queue[0]) {
        if (packet.deadline > now) return packet;
        this.#dropFirst(queue, "stale");
      }
    }
    return undefined;
  }

  /** Takes out what `first` named. */
  take(packet: HopPacket): void {
    this.#queues[packet.kind].shift();
    this.#length -= 1;
    this.#bytes -= packet.bytes.length;
  }

  drop(match: (packet: HopPacket) => boolean, reason: HopDrop): void {
    for (const kind of ORDER) {
      const queue = this.#queues[kind];
      for (const packet of queue.splice(0)) {
        if (match(packet)) this.#drop(packet, reason);
        else queue.push(packet);
      }
    }
  }

  /** The earliest deadline among those whose turn is next in their kind; `undefined` when nothing waits. */
  nextDeadline(): number | undefined {
    let earliest: number | undefined;
    for (const kind of ORDER) {
      const deadline = this.#queues[kind][0]?.deadline;
      if (deadline !== undefined && (earliest === undefined || deadline < earliest)) earliest = deadline;
    }
    return earliest;
  }

  #dropFirst(queue: HopPacket[], reason: HopDrop): void {
    const packet = queue.shift();
    if (packet !== undefined) this.#drop(packet, reason);
  }

  #drop(packet: HopPacket, reason: HopDrop): void {
    this.#length -= 1;
    this.#bytes -= packet.bytes.length;
    this.drops[reason] += 1;
    this.#dropped(packet, reason);
  }
}

const ORDER = ["audio", "data", "video"] as const;
