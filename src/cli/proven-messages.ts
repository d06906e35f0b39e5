import { writeFile } from "node:fs/promises";
import { encodeBase64url } from "../../codecs/base64url.ts";
import type { JsonValue } from "../../codecs/canonical-json.ts";
import { dataFormat } from "../../codecs/data-formats.ts";
import { type DataValue, decodeData } from "../../codecs/data-message.ts";
import type { ProvenFrame } from "../../signaling/evidence/media.ts";
import { ROLES } from "../../signaling/evidence/report.ts";
import type { JudgedEvidence } from "../../signaling/evidence/verify.ts";

/** A file made of proven data messages. */
export interface ProvenMessages {
  readonly file: string;
  readonly messages: number;
  readonly speakers: readonly (typeof ROLES)[number][];
  /** Frames of data streams that are not what their format promises; left out. */
  readonly undecodable: number;
}

/** Writes the proven data messages, both ends' one after the other, one JSON object a line; bytes as base64url in `binary`. */
export async function writeProvenMessages(
  path: string,
  proven: readonly ProvenFrame[],
  evidence: JudgedEvidence,
): Promise<ProvenMessages> {
  const formats = new Map(
    evidence.streams.flatMap(({ agreed }) =>
      agreed.modality === "data" ? [[agreed.stream, agreed.format.name]] : [],
    ),
  );
  const frames = proven.filter(({ stream }) => formats.has(stream));
  const lines = frames.flatMap(({ leg, stream, sequence, checkpointed, payload }) => {
    const format = dataFormat(formats.get(stream) ?? "");
    const read = format && decodeData(format.name, payload);
    if (read?.ok !== true) return [];
    const said = { speaker: ROLES[leg as 0 | 1], stream, sequence, checkpointed, ...contentOf(read.value) };
    return [`${JSON.stringify(said)}\n`];
  });
  await writeFile(path, lines.join(""));
  const speakers = ROLES.filter((_, leg) => frames.some((frame) => frame.leg === leg));
  return { file: path, messages: lines.length, speakers, undecodable: frames.length - lines.length };
}

function contentOf(value: DataValue): { readonly value: JsonValue } | { readonly binary: string } {
  return value instanceof Uint8Array ? { binary: encodeBase64url(value) } : { value };
}
