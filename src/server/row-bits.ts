import { MAX_DATAGRAM_BYTES } from "../../sfu/carrier.ts";
import type { AdmissionRow } from "../../signaling/admission.ts";

/** Of what the row of a video, or of reliable data, lets through, what goes around it. */
const PIECES_OVERHEAD = 1.1;

/** Bits a second that streams take at the most, whatever rate is agreed for each. */
export function bitsOf(rows: Iterable<AdmissionRow>): number {
  let bits = 0;
  for (const { rate, video, reliable } of rows) {
    const isInPieces = video !== undefined || reliable === true;
    bits +=
      8 * (isInPieces ? rate.bytesPerSecond * PIECES_OVERHEAD : rate.framesPerSecond * MAX_DATAGRAM_BYTES);
  }
  return bits;
}
