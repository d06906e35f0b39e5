import { canonicalBytes, type JsonObject, parseCanonical } from "../../codecs/canonical-json.ts";
import { decodeLine, type LineKind, splitLines } from "../../signaling/evidence/lines.ts";
import { verifyMedia } from "../../signaling/evidence/media.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import type { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { strictVerifier } from "../keys.ts";
import { ANCHORS, loggedCall } from "../logged-call.ts";
import { type FuzzTarget, oddJson } from "./target.ts";

const call = loggedCall();
const split = splitLines(call.evidence);
const lines = split.ok ? split.value : [];
const values = lines.map((line) => {
  const parsed = parseCanonical(line.subarray(0, -1));
  return (parsed.ok ? parsed.value : {}) as JsonObject;
});
/** One line of each kind. */
const kinds = new Map(values.map((value) => [value.kind as LineKind, value]));
const LINE_END = Uint8Array.of(0x0a);
const TOKENS = ["\n", "{", "[", '"', ",", '"kind":"record"', '"of":"caller",', "\\u0000", "AA", "null"];

export const EVIDENCE_TARGETS: readonly FuzzTarget[] = [
  {
    name: "evidence-line",
    examples: [...kinds.values()].map((value) => canonicalBytes(value)),
    tokens: TOKENS,
    inside(random) {
      const all = [...kinds.values()];
      return oddJson(random, all[random.integer(all.length)] ?? {});
    },
    run(input) {
      const line = Buffer.concat([input, LINE_END]);
      const cut = splitLines(line);
      return cut.ok && cut.value.map((piece, at) => decodeLine(piece, at + 1)).every(({ ok }) => ok);
    },
  },
  {
    name: "evidence-file",
    examples: [call.evidence],
    tokens: TOKENS,
    inside: oddFile,
    // A whole file takes a thousand times as long as a line.
    every: 200,
    run(input) {
      const judged = verifyEvidence(input, ANCHORS, strictVerifier);
      if (judged.report.verdict === "verified" && Buffer.compare(input, call.evidence) !== 0)
        throw new Error("an altered file is verified");
      verifyMedia(call.kept, judged, strictVerifier);
      return judged.report.verdict === "verified";
    },
  },
  {
    name: "kept-media",
    examples: call.kept.map(({ packet }, at) => Uint8Array.of(at, ...packet)),
    tokens: [],
    every: 200,
    inside(random) {
      const at = random.integer(call.kept.length);
      const { packet } = call.kept[at] ?? { packet: new Uint8Array(0) };
      const altered = packet.slice();
      const bit = random.integer(altered.length * 8);
      altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
      return Uint8Array.of(at, ...altered);
    },
    run(input) {
      const kept = call.kept[(input[0] ?? 0) % call.kept.length];
      if (kept === undefined) return false;
      const packet = input.slice(1);
      const { frames } = verifyMedia([{ ...kept, packet }], JUDGED, strictVerifier);
      if (frames.length > 0 && Buffer.compare(packet, kept.packet) !== 0)
        throw new Error("an altered frame is proven");
      return frames.length > 0;
    },
  },
];

const JUDGED = verifyEvidence(call.evidence, ANCHORS, strictVerifier);

/** The file with one line altered inside, repeated, moved or taken away. */
function oddFile(random: SeededRandom): Uint8Array {
  const file = [...lines];
  const at = random.integer(file.length);
  const line = file[at] as Uint8Array;
  const change = random.integer(4);
  if (change === 0) file.splice(at, 1);
  else if (change === 1) file.splice(random.integer(file.length), 0, line);
  else if (change === 2) file.splice(random.integer(file.length), 0, ...file.splice(at, 1));
  else file[at] = Buffer.concat([oddJson(random, values[at] ?? {}), LINE_END]);
  return Buffer.concat(file);
}
