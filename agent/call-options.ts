import type { FrameProfile } from "../codecs/frame.ts";
import type { VideoFormatName } from "../codecs/video-formats.ts";
import type { RedundancyLevel } from "../sfu/redundancy.ts";
import type { ChangePolicy } from "./call-changes.ts";
import type { DataStreamOptions } from "./data-offer.ts";
import type { FrameWatch } from "./frame-fate.ts";
import type { PacketTap } from "./frame-intake.ts";
import type { AudioCodecOptions } from "./platform.ts";
import type { AskedStream } from "./stream-opening.ts";
import type { TurnDetector } from "./turns/turn-detector.ts";

/** What a call's audio may be. */
export interface CallAudioOptions extends AudioCodecOptions {
  /** Names of the codecs to offer or take, best first. Default: all this machine has. */
  readonly codecs?: readonly string[];
  /** Frame length, ms. Default 20. */
  readonly frameMs?: number;
  /** Most channels to offer or take. Default 1; with 2 a caller prefers two, and takes one where the other end has no more. */
  readonly channels?: 1 | 2;
  /**
   * How many of the frames before it each frame carries once more (RFC 2198), from the beginning of the call: 0, 1 or 2. Default 0. False:
   * this end neither sends nor takes such frames.
   */
  readonly redundancy?: RedundancyLevel | false;
  /**
   * For a writer that never stops, a microphone: where turns begin and end in what is written is told by a detector of this call alone, or by
   * loudness. The wire's voice bit follows it, and it marks the first and the last frame of a turn. Default: a turn is what is
   * written until `endTurn`.
   */
  readonly turns?: TurnDetector | "loudness";
  /** False: the other end may not interrupt what this one says; the server holds it to that. Default true. */
  readonly interruptible?: boolean;
  /** Default `sendrecv`. */
  readonly direction?: "sendrecv" | "sendonly" | "recvonly";
}

/** What a call's video may be. */
export interface VideoOptions {
  /** Codecs to offer or take, best first. Default: all of them; nothing here codes or decodes. */
  readonly codecs?: readonly VideoFormatName[];
  /** Pixels, and frames a second, at most. Default 1280, 720 and 30. */
  readonly maxWidth?: number;
  readonly maxHeight?: number;
  readonly maxFrameRate?: number;
  /** In how many renditions at most it is sent or taken, each with half the width and height of the one before. Default: a caller offers 1, a callee takes 4. */
  readonly renditions?: 1 | 2 | 3 | 4;
  /** Default `sendrecv`. */
  readonly direction?: "sendrecv" | "sendonly" | "recvonly";
}

/** Whether a stream stops playing while what was played is not attributed. */
export type UnattributedRule = "stop" | "go-on";

/** What an application writes and hears of voices: sound, which is coded and played here, or frames that are coded and decoded elsewhere. */
export type VoiceKind = "pcm" | "encoded";

/** How to make or take a call. */
export interface CallOptions {
  /** False: no audio. */
  readonly audio?: CallAudioOptions | false;
  /**
   * `encoded`: in place of `call.audio`, voices are written and heard as frames (`call.voice`), with no codec, pacing or playout here. The other end may do as it
   * likes. Of `audio`, `bitrate` and `expectedLoss` are then what the encoder is asked for, and `turns` and `dtx` are of no use. Default `pcm`.
   */
  readonly voices?: VoiceKind;
  /** Whether the call has video, and what it may be. Default: no. */
  readonly video?: boolean | VideoOptions;
  /**
   * Whether the call has structured data: true, one reliable stream of JSON; or a stream for each of these. Default: a caller offers none, a callee takes what is
   * offered, whatever streams it names here.
   */
  readonly data?: boolean | readonly DataStreamOptions[];
  /** True: the call is offered with the stream that `call.text` and `call.texts` go over; else it is opened when first needed. */
  readonly text?: boolean;
  /** The same for `call.rpc` and `call.onRpc`. */
  readonly rpc?: boolean;
  /**
   * How frames are attributed, one profile or several, best first: `frame`, each by a signature that anybody can check; `chain`, each by a tag
   * that only the two ends can check, and by signed lists (checkpoints) for anybody else. Default: a caller offers `frame`, a callee takes
   * what the caller likes best.
   */
  readonly profile?: FrameProfile | readonly FrameProfile[];
  /**
   * What happens in profile `chain` when something was played that no checkpoint of its speaker lists 2 s later, which is then recorded:
   * `stop` (default), nothing more of the stream is played until one does; `go-on`, it is played as before.
   */
  readonly unattributed?: UnattributedRule;
  /** Authority claimed for the call. Default: what sending its streams needs. */
  readonly scope?: readonly string[];
  /**
   * Goes on sending after `call.narrow` gave the right to it up. The server and the other end then refuse every frame, with
   * reason `scope`: for demonstrations. Default false.
   */
  readonly keepSending?: boolean;
  /**
   * Decides on changes of the terms that the other end asks for. Default: takes what is no more than this end would send anyway, whatever
   * is asked of the other end's own streams, and the profile in force or one of `profile`, by default either.
   */
  readonly changes?: ChangePolicy;
  /**
   * Decides on a stream that the other end opens while the call is up; asked once for a video, in however many renditions. Default: data is taken, unless `data` is false; audio where the call has it
   * and this machine has the codec.
   */
  readonly streams?: (asked: AskedStream) => boolean | Promise<boolean>;
  /**
   * Keeps this end's voice within what its way takes, in codecs with a choice: fewer bits a second when it takes less, payloads twice when
   * packets are lost on a way with room, agreed with the other end. Default true.
   */
  readonly adaptation?: boolean;
  /** Sees every verified packet heard, e.g. to keep frames for `parley verify --media`. */
  readonly tap?: PacketTap;
  /** Sees what becomes of every frame sent and heard: for strips and charts. */
  readonly watch?: FrameWatch;
  /**
   * Sees every media packet after it was signed and before it goes out, and may alter its bytes: for tests and
   * demonstrations. What it alters no longer verifies, and is refused on the way.
   */
  readonly outgoing?: (packet: Uint8Array) => void;
  /**
   * Takes the call back as long as it is not up: `call` and `accept` then reject with `cancelled`, and the other end's call, if it was up
   * there already, ends.
   */
  readonly signal?: AbortSignal;
}

/** How to make a call. */
export interface OutgoingCallOptions extends CallOptions {
  /** Longest life of the session, seconds. Default 3,600; the server may cut it. */
  readonly ttl?: number;
  /**
   * What becomes of the call when an end loses its connection: `bounded` (default), it ends unless that end is back within 10 s;
   * `persistent`, the server keeps it for as long as its operator says (600 s), also over a restart of the server.
   */
  readonly model?: "bounded" | "persistent";
  /**
   * `accept`: a gateway may answer for the agent that is called, whose peer speaks WebRTC alone. It signs what that peer says and hears, so who
   * that is, is its word: `call.peer.gateway` says so. Default: the agent alone may, and another answer is `peer-untrusted`.
   */
  readonly gateways?: "accept" | "refuse";
  /** Called when it rings at the other end. */
  readonly onRinging?: () => void;
}
