import { expect, it } from "vitest";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { rememberingVerifier } from "../evidence-edit.ts";
import { ANCHORS, loggedCall } from "../logged-call.ts";

it("a file of evidence is invalid with any one bit flipped, and a place is named", () => {
  const { evidence } = loggedCall({ checkpoints: 1, frames: 1 });
  for (let at = 0; at < evidence.length; at += 1) {
    // One file's signatures and those of one byte's flips: what is remembered stays small.
    const verifier = rememberingVerifier();
    verifyEvidence(evidence, ANCHORS, verifier);
    for (let bit = 0; bit < 8; bit += 1) {
      const copy = evidence.slice();
      copy[at] = (copy[at] as number) ^ (1 << bit);
      const { verdict, faults } = verifyEvidence(copy, ANCHORS, verifier).report;
      expect(verdict, `byte ${at}, bit ${bit}`).toBe("invalid");
      expect(faults.some((fault) => fault.at.startsWith("line "))).toBe(true);
    }
  }
});
