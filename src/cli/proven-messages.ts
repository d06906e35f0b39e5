import { writeFile } from "node:fs/promises";
import { decodeDataMessage } from "../../codecs/data-message.ts";
import type { ProvenFrame } from "../../signaling/evidence/media.ts";
import type { JudgedEvidence } from "../../signaling/evidence/verify.ts";

/** A file made of proven data messages. */
export interface ProvenMessages {
  readonly file: string;
  readonly messages: number;
  /** Frames of data streams that are not what their format promises; left out. */
  readonly undecodable: number;
}

const ROLES = ["caller", "callee"] as const;

/** Writes the proven data messages, both ends' one after the other, one JSON object a line. */
export async function writeProvenMessages(
  path: string,
  proven: readonly ProvenFrame[],
  evidence: JudgedEvidence,
): Promise<ProvenMessages> {
  const streams = evidence.agreement?.terms.streams ?? [];
  const data = new Set(streams.filter(({ modality }) => modality === "data").map(({ stream }) => stream));
  const frames = proven.filter(({ stream }) => data.has(stream));
  const lines = frames.flatMap(({ leg, stream, sequence, checkpointed, payload }) => {
    const read = decodeDataMessage(payload);
    if (!read.ok) return [];
    const said = { speaker: ROLES[leg], stream, sequence, checkpointed, value: read.value };
    return [`${JSON.stringify(said)}\n`];
  });
  await writeFile(path, lines.join(""));
  return { file: path, messages: lines.length, undecodable: frames.length - lines.length };
}
