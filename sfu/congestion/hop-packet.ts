/** What a hop carries: voices, then data of which the latest value counts, then what is sent in pieces. */
export type PacketKind = "audio" | "data" | "video";

/** One packet on its way over a hop. The hop keeps it while it is held, and hands the same object out again. */
export interface HopPacket {
  readonly ssrc: number;
  /** 48 bits. Numbers of one source rise on a hop; some may be left out. */
  readonly sequence: number;
  /** What goes on the wire. Where the packet is held the bytes must stay as they are. */
  readonly bytes: Uint8Array;
  readonly kind: PacketKind;
  /** Past this time, in the hop's milliseconds, it is of no use to anybody. */
  readonly deadline: number;
  /** Whatever the caller needs to know of it when it comes out. */
  readonly tag?: unknown;
}

/**
 * Why a held packet was not sent: its deadline came, too many of its kind waited, a newer value took its place, an interrupt made it
 * void, its speaker lost the right to say it, its listener holds the stream, or its stream, leg or session stopped.
 */
export type HopDrop = "stale" | "queue-full" | "replaced" | "epoch" | "scope" | "held" | "session-state";

/** IPv4, UDP, QUIC and its datagram frame around each packet, bytes: they take capacity too. */
export const PACKET_OVERHEAD = 60;
