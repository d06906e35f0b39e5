/** What this page speaks with as a track, for a call whose sound the browser encodes. */
import { openMicrophone } from "@parley-rt/parley/agent";
import type { SourceKind } from "../model/page-state.ts";
import { decodeFile } from "./file.ts";
import { REST_MS, toneTurn } from "./tone.ts";

export interface VoiceTrack {
  readonly track: MediaStreamTrack;
  /** Gives the device back. Idempotent. */
  stop(): void;
}

export interface VoiceTrackEvents {
  /** A turn has been spoken. */
  readonly turnOver: () => void;
  /** The file has been spoken. */
  readonly over: () => void;
  /** What is spoken, to be shown. */
  readonly heard: (pcm: Int16Array) => void;
  readonly report: (error: unknown) => void;
}

/** Rejects with `microphone-refused`, `device-unavailable`, and where the browser cannot read the file. */
export async function openVoiceTrack(
  source: SourceKind,
  file: File | undefined,
  events: VoiceTrackEvents,
): Promise<VoiceTrack> {
  if (source === "microphone" || (source === "file" && file === undefined)) return await microphone(events);
  const context = new AudioContext({ sampleRate: 48_000 });
  try {
    const samples =
      file === undefined || source === "tone"
        ? toneTurn(context.sampleRate)
        : await decodeFile(file, context.sampleRate);
    return await played(context, samples, source === "tone", events);
  } catch (error) {
    await context.close();
    throw error;
  }
}

async function microphone({ heard, report }: VoiceTrackEvents): Promise<VoiceTrack> {
  const opened = await openMicrophone();
  listen(opened, heard).catch(report);
  return { track: trackOf(opened.stream), stop: () => void opened.close().catch(report) };
}

/** Plays samples into a track: once, or again and again with rests between. */
async function played(
  context: AudioContext,
  samples: Int16Array,
  isRepeated: boolean,
  { turnOver, over, heard, report }: VoiceTrackEvents,
): Promise<VoiceTrack> {
  await context.resume();
  const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
  const sound = context.createBuffer(1, samples.length, context.sampleRate);
  sound.copyToChannel(
    Float32Array.from(samples, (sample) => sample / 32_768),
    0,
  );
  const watched = await openMicrophone({ stream: destination.stream });
  listen(watched, heard).catch(report);
  let rest: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;
  const turn = (): void => {
    const player = new AudioBufferSourceNode(context, { buffer: sound });
    player.connect(destination);
    player.onended = () => {
      if (isStopped) return;
      turnOver();
      if (isRepeated) rest = setTimeout(turn, REST_MS);
      else over();
    };
    player.start();
  };
  turn();
  return {
    track: trackOf(destination.stream),
    stop() {
      isStopped = true;
      clearTimeout(rest);
      watched.close().catch(report);
      if (context.state !== "closed") context.close().catch(report);
    },
  };
}

async function listen(sound: AsyncIterable<Int16Array>, heard: (pcm: Int16Array) => void): Promise<void> {
  for await (const pcm of sound) heard(pcm);
}

function trackOf(stream: MediaStream): MediaStreamTrack {
  const [track] = stream.getAudioTracks();
  if (track === undefined) throw new Error("There is no sound in it.");
  return track;
}
