import type { Refusal } from "../signaling/admission.ts";

/** Counts over all flows that ever were, packets outside every flow left out. */
export interface FrameTotals {
  received: number;
  admitted: number;
  /** Of admitted packets, flow identifiers left out. */
  bytes: number;
  forwarded: number;
  /** Admitted ones that their speaker's checkpoints list otherwise. */
  contradicted: number;
  readonly refused: Partial<Record<Refusal, number>>;
  /** Copies that did not leave, by what became of them. */
  readonly dropped: Record<string, number>;
}

export function noFrames(): FrameTotals {
  return { received: 0, admitted: 0, bytes: 0, forwarded: 0, contradicted: 0, refused: {}, dropped: {} };
}
