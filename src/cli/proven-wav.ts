import { nodePlatform } from "../../agent/node.ts";
import { audioFormat } from "../../codecs/audio-formats.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { unwrapRedundant } from "../../sfu/redundancy.ts";
import type { AnswerCodec } from "../../signaling/audio-stream.ts";
import type { ProvenFrame } from "../../signaling/evidence/media.ts";
import type { JudgedEvidence } from "../../signaling/evidence/verify.ts";
import { usageError } from "./output.ts";
import { startProgress } from "./progress.ts";
import { WavWriter } from "./wav-writer.ts";

/** A WAV file made of proven frames. */
export interface ProvenWav {
  readonly file: string;
  readonly speaker: "caller" | "callee";
  readonly frames: number;
  /** Payloads that their codec could not decode; silence stands in their place. */
  readonly undecodable: number;
  /** Frames whose timestamps lie outside what a WAV file can hold. */
  readonly misplaced: number;
  readonly seconds: number;
}

const ROLES = ["caller", "callee"] as const;

/**
 * Decodes the proven audio frames of one speaker by the codec of the terms and places each by its RTP timestamp. Nothing is made
 * up: what is missing is silence. Throws `usage` where there is nothing to write, or no telling whom.
 */
export async function writeProvenWav(
  path: string,
  proven: readonly ProvenFrame[],
  evidence: JudgedEvidence,
  speaker: "caller" | "callee" | undefined,
): Promise<ProvenWav> {
  const streams = evidence.streams.map(({ agreed }) => agreed);
  const audible = streams.filter(({ modality }) => modality === "audio").map(({ stream }) => stream);
  const frames = choose(
    proven.filter(({ stream }) => audible.includes(stream)),
    speaker,
  );
  const { leg, stream } = frames[0] as ProvenFrame;
  const terms = streams.find((candidate) => candidate.stream === stream);
  const agreed = terms?.modality === "audio" ? terms.codec : undefined;
  const format = agreed && audioFormat(agreed.name, agreed.channels, agreed.frame_ms);
  if (agreed === undefined || format === undefined)
    throw usageError("The call's codec is none that this version can decode.");
  const codec = await nodePlatform().createAudioCodec(format, {});
  const wav = await WavWriter.create(path, format);
  const progress = startProgress("decoding", frames.length, "frames");
  let undecodable = 0;
  try {
    const scale = format.clockRate / format.rtpClockRate;
    for (const [index, { position, payload }] of placed(unpacked(frames, agreed)).entries()) {
      try {
        wav.write(position * scale, codec.decode(payload));
      } catch (error) {
        if (!(error instanceof ParleyError)) throw error;
        undecodable += 1;
      }
      progress.update(index + 1);
    }
  } finally {
    progress.stop();
    codec.close();
    await wav.close();
  }
  const seconds = Math.round(wav.seconds * 1000) / 1000;
  const role = ROLES[leg] as "caller" | "callee";
  return { file: path, speaker: role, frames: frames.length, undecodable, misplaced: wav.dropped, seconds };
}

/** The frames of one stream, each sequence number once. */
function choose(proven: readonly ProvenFrame[], speaker: "caller" | "callee" | undefined): ProvenFrame[] {
  const legs = new Set(proven.map(({ leg }) => leg));
  if (speaker === undefined && legs.size > 1)
    throw usageError("The frames are of both ends; choose with --speaker caller or --speaker callee.");
  const leg = speaker === undefined ? [...legs][0] : ROLES.indexOf(speaker);
  const ofLeg = proven.filter((frame) => frame.leg === leg);
  const stream = ofLeg[0]?.stream;
  const frames = ofLeg.filter(
    (frame, index) => frame.stream === stream && frame.sequence !== ofLeg[index - 1]?.sequence,
  );
  if (frames.length === 0)
    throw usageError(`No kept audio frame${speaker ? ` of the ${speaker}` : ""} is proven.`);
  return frames;
}

/** What is decoded: of packets that carry earlier frames, the frame itself, and those of the others that are not there. */
function unpacked(
  frames: readonly ProvenFrame[],
  agreed: AnswerCodec,
): Pick<ProvenFrame, "timestamp" | "payload">[] {
  const there = new Set(frames.map(({ sequence }) => sequence));
  return frames.flatMap(({ sequence, timestamp, payload, payloadType }) => {
    if (payloadType !== agreed.red_payload_type) return [{ timestamp, payload }];
    const carrying = { sequence, timestamp, captured: 0, payload };
    const red = unwrapRedundant(carrying, { payloadType: agreed.payload_type, clockRate: agreed.clock_rate });
    if (!red.ok) return [{ timestamp, payload: NOTHING }];
    const earlier = red.value.earlier.filter((frame) => !there.has(frame.sequence));
    for (const frame of earlier) there.add(frame.sequence);
    return [...earlier, { timestamp, payload: red.value.payload }];
  });
}

/** RTP clock units since the first frame, from timestamps that wrap at 32 bits (RFC 3550 5.1). */
function placed(
  frames: readonly Pick<ProvenFrame, "timestamp" | "payload">[],
): { readonly position: number; readonly payload: Uint8Array }[] {
  let position = 0;
  let previous = frames[0]?.timestamp ?? 0;
  return frames.map(({ timestamp, payload }) => {
    position += (timestamp - previous) | 0;
    previous = timestamp;
    return { position, payload };
  });
}

const NOTHING = new Uint8Array(0);
