import type { FrameView } from "../codecs/frame.ts";
import type { AdmissionRow } from "../signaling/admission.ts";
import type { BufferedFrame } from "./jitter-buffer.ts";
import { unwrapRedundant } from "./redundancy.ts";

/** The frames of an admitted packet. */
export interface UnpackedFrames {
  readonly own: BufferedFrame;
  /** Those before it that it carries once more, oldest first: `carrier` says by which signature they hold. */
  readonly earlier: readonly BufferedFrame[];
}

/**
 * The frames of an admitted packet, which `view` was parsed from, as `row` lets it come; their payloads are copies. Where it says that it
 * carries earlier frames and is not laid out so, its own payload is empty: no format decodes that.
 */
export function unpackFrames(
  view: FrameView,
  bytes: Uint8Array,
  row: Pick<AdmissionRow, "payloadType" | "redPayloadType" | "clockRate" | "clockOffset">,
): UnpackedFrames {
  const { sequence, timestamp, epoch, startOfTurn, endOfTurn, marker: marked } = view;
  const captured = view.captureMs + row.clockOffset;
  const payload = view.payload(bytes).slice();
  const level = view.audioLevel;
  const recorded = view.recorded(bytes);
  const turns = { startOfTurn, endOfTurn, marked };
  const own = { sequence, timestamp, epoch, captured, payload, level, ...turns, recorded };
  if (view.payloadType !== row.redPayloadType) return { own, earlier: [] };
  const unwrapped = unwrapRedundant({ sequence, timestamp, captured, payload }, row);
  // What it carried would be heard without the mark.
  if (!unwrapped.ok || recorded !== undefined) return { own: { ...own, payload: NOTHING }, earlier: [] };
  return {
    own: { ...own, payload: unwrapped.value.payload },
    earlier: unwrapped.value.earlier.map((frame) => ({
      ...frame,
      epoch,
      carrier: sequence,
      level: undefined,
      startOfTurn: false,
      endOfTurn: false,
    })),
  };
}

const NOTHING = new Uint8Array(0);
