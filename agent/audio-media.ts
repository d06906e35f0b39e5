import type { AudioReceiverCounters } from "./audio-receiver.ts";
import type { AudioSenderCounters } from "./audio-sender.ts";
import type { CallAudio } from "./call-audio.ts";
import { CallStream, type StreamControl, type StreamFacts } from "./call-stream.ts";
import type { EncodedVoice } from "./encoded-voice.ts";
import type { FirstWords } from "./first-words.ts";
import type { HeardPlace } from "./stream-media.ts";
import { LiveMedia, type TwoWayParts } from "./two-way-media.ts";
import type { VoiceReceiver, VoiceSender } from "./voice-ends.ts";

/** A stream of audio as the application has it. */
export class VoiceStream extends CallStream {
  /** What is said and heard there, as PCM; in a call with `voices: "encoded"` it flows neither way. */
  readonly audio: CallAudio;
  /** The same in frames that are coded elsewhere, in a call with `voices: "encoded"`. */
  readonly voice: EncodedVoice | undefined;

  /** @internal */
  constructor(
    facts: StreamFacts,
    control: StreamControl,
    { audio, voice }: { readonly audio: CallAudio; readonly voice?: EncodedVoice | undefined },
  ) {
    super(facts, control);
    this.audio = audio;
    this.voice = voice;
  }
}

/** What a voice that is written and heard as PCM counts. */
export interface PcmCounters {
  readonly sent: AudioSenderCounters | undefined;
  readonly heard: AudioReceiverCounters | undefined;
}

/** A voice, both ways. */
export class AudioMedia extends LiveMedia<VoiceSender, VoiceReceiver> {
  readonly modality = "audio";
  readonly handle: VoiceStream;
  readonly #firstWords: FirstWords;
  readonly #counted: () => PcmCounters;
  #isHeld = false;
  #isWanted = true;

  constructor(
    parts: TwoWayParts<VoiceSender, VoiceReceiver>,
    own: {
      readonly handle: VoiceStream;
      readonly firstWords: FirstWords;
      readonly counted?: () => PcmCounters;
    },
  ) {
    super(parts);
    this.handle = own.handle;
    this.#firstWords = own.firstWords;
    this.#counted = own.counted ?? (() => ({ sent: undefined, heard: undefined }));
  }

  /** Of a voice that is written and heard as PCM. */
  get counters(): PcmCounters {
    return this.#counted();
  }

  get audio(): CallAudio {
    return this.handle.audio;
  }

  want(isWanted: boolean): void {
    this.#isWanted = isWanted;
    this.#hear();
  }

  override hold(): void {
    this.#isHeld = true;
    this.sender?.pause("suspended");
    this.#hear();
  }

  override release(): void {
    this.#isHeld = false;
    this.sender?.goOn("suspended");
    this.#hear();
  }

  override peerSeen(): void {
    this.#firstWords.seen();
  }

  override peerCame(received: readonly HeardPlace[]): void {
    this.#firstWords.anew();
    super.peerCame(received);
  }

  override finish(): void {
    this.#firstWords.finish();
    super.finish();
    this.audio.finish();
    this.handle.voice?.finish();
  }

  #hear(): void {
    if (this.#isHeld || !this.#isWanted) this.receiver?.hold();
    else this.receiver?.release();
  }
}
