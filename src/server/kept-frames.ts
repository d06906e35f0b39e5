import type { AdmissionRow } from "../../signaling/admission.ts";
import { DATA_WINDOW } from "../../signaling/data-stream.ts";

type Stream = Pick<AdmissionRow, "sessionId" | "leg" | "stream">;

interface KeptFrame {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/**
 * The newest frames of the reliable streams that go through here, as many as may be on their way: a carrier that breaks does not say how many of them
 * arrived. The oldest goes.
 */
export class KeptFrames {
  /** By session, then by leg and stream. */
  readonly #sessions = new Map<string, Map<string, { readonly frames: KeptFrame[]; bytes: number }>>();

  /** Sessions of which frames are kept. */
  get size(): number {
    return this.#sessions.size;
  }

  /** `bytes` is the packet, and copied. */
  add(stream: Stream, sequence: number, bytes: Uint8Array): void {
    const streams = this.#sessions.get(stream.sessionId) ?? new Map();
    this.#sessions.set(stream.sessionId, streams);
    const kept = streams.get(nameOf(stream)) ?? { frames: [], bytes: 0 };
    streams.set(nameOf(stream), kept);
    kept.frames.push({ sequence, bytes: bytes.slice() });
    kept.bytes += bytes.length;
    while (kept.frames.length > DATA_WINDOW.messages || kept.bytes > DATA_WINDOW.bytes) {
      kept.bytes -= kept.frames.shift()?.bytes.length ?? 0;
    }
  }

  /** The packets from `sequence` on, in order. */
  from(stream: Stream, sequence: number): Uint8Array[] {
    const frames = this.#sessions.get(stream.sessionId)?.get(nameOf(stream))?.frames ?? [];
    return frames.filter((frame) => frame.sequence >= sequence).map(({ bytes }) => bytes);
  }

  /** Nothing of the stream that was said before may go out any more. */
  drop(stream: Stream): void {
    this.#sessions.get(stream.sessionId)?.delete(nameOf(stream));
  }

  forget(sessionId: string): void {
    this.#sessions.delete(sessionId);
  }
}

function nameOf({ leg, stream }: Stream): string {
  return `${leg}/${stream}`;
}
