import type { FrameProfile } from "../codecs/frame.ts";
import type { MediaKey } from "../signaling/media-key.ts";
import type { Modality } from "../signaling/scope.ts";
import type { Terms } from "../signaling/terms.ts";
import type { AudioMedia } from "./audio-media.ts";
import type { CallAudio } from "./call-audio.ts";
import type { CallData } from "./call-data.ts";
import type { DataMedia } from "./data-media.ts";
import { isOwnLabel } from "./data-offer.ts";
import type { EncodedVoice } from "./encoded-voice.ts";
import type { PeerClock } from "./heard-row.ts";
import type { HeardPlace, StreamMedia } from "./stream-media.ts";
import type { VideoMedia } from "./video-media.ts";

/** What the streams of a call begin with. */
export interface EveryStreamOptions {
  readonly terms: Terms;
  /** The other end's. */
  readonly key: MediaKey;
  readonly clock: PeerClock;
  /** The voice of a call that has none: it flows neither way. */
  readonly silent: CallAudio;
}

/** As things were when a stream began to be made. */
export interface StreamBeginning {
  readonly profile: FrameProfile;
  readonly key: MediaKey;
}

/** What holds for all streams of a call: each is told as it changes, and one that is opened later how it is. */
export class EveryStream {
  readonly #streams = new Map<number, StreamMedia>();
  readonly #silent: CallAudio;
  #terms: Terms;
  #profile: FrameProfile;
  #peerKey: MediaKey;
  #peerClock: PeerClock;
  #peer: "here" | "to-come" | "away" = "here";
  #isHeld = false;
  #mayTransmit: (modality: Modality) => boolean = () => true;
  #mayBeHeard: (modality: Modality) => boolean = () => true;
  /** Where all of a kind are over, the one that was. */
  #lastVoice: AudioMedia | undefined;
  #lastMessages: DataMedia | undefined;

  constructor({ terms, key, clock, silent }: EveryStreamOptions) {
    this.#terms = terms;
    this.#profile = terms.profile;
    this.#peerKey = key;
    this.#peerClock = clock;
    this.#silent = silent;
  }

  /** All that are open, by their numbers. */
  get streams(): readonly StreamMedia[] {
    return [...this.#streams.values()].sort((a, b) => a.stream - b.stream);
  }

  /** The voice of that number; where none is named, the first that is open. */
  voice(stream?: number): AudioMedia | undefined {
    return this.streams.find(
      (media): media is AudioMedia =>
        media.modality === "audio" && (stream === undefined || media.stream === stream),
    );
  }

  /** Of the first voice; where all are over, of the one that was. */
  get audio(): CallAudio {
    return (this.voice() ?? this.#lastVoice)?.audio ?? this.#silent;
  }

  /** The same of one that is coded elsewhere. */
  get encoded(): EncodedVoice | undefined {
    return (this.voice() ?? this.#lastVoice)?.handle.voice;
  }

  /** The first stream of data that is the application's and open; where all are over, the one that was. */
  get messages(): DataMedia | undefined {
    return this.#dataStreams.find(isMessages) ?? this.#lastMessages;
  }

  /** All streams of data. */
  get data(): readonly CallData[] {
    return this.#dataStreams.map(({ data }) => data);
  }

  /** A stream of video. */
  video(stream: number): VideoMedia | undefined {
    const media = this.#streams.get(stream);
    return media?.modality === "video" ? (media as VideoMedia) : undefined;
  }

  /** How far each reliable stream was heard. */
  get heardPlaces(): readonly HeardPlace[] {
    return this.streams.map(({ heardPlace }) => heardPlace).filter((place) => place !== undefined);
  }

  /** Sends and plays nothing until `release`, and keeps nothing of a voice for then: the call is suspended. Idempotent. */
  hold(): void {
    this.#isHeld = true;
    for (const media of this.streams) media.hold();
  }

  release(): void {
    this.#isHeld = false;
    for (const media of this.streams) media.release();
  }

  /** The other end's media is signed with another key from now on. */
  takeKey(key: MediaKey): void {
    this.#peerKey = key;
    for (const media of this.streams) media.takeKey(key, this.#profile, this.#expiresAt);
  }

  /** The other end has no connection for its media yet, as the call begins: what is said waits for `peerCame`. */
  peerIsToCome(): void {
    this.#peer = "to-come";
    for (const media of this.streams) media.peerIsToCome();
  }

  /** Nothing can come of the other end, since it has no connection; or it has one again. Idempotent. */
  peerLeft(): void {
    this.#peer = "away";
    for (const media of this.streams) media.peerLeft();
  }

  peerCame(received: readonly HeardPlace[]): void {
    this.#peer = "here";
    for (const media of this.streams) media.peerCame(received);
  }

  /** Frames are of this profile from now on in both directions, by the terms of this number; those on their way are of the one before. */
  useProfile(profile: FrameProfile, termsNumber: number): void {
    if (profile === this.#profile) return;
    this.#profile = profile;
    for (const media of this.streams) media.useProfile(profile, termsNumber, this.#peerKey);
  }

  /** Both ends agree to this profile: the other one may use it before this end is told that it is in force. */
  expectProfile(profile: FrameProfile): void {
    for (const media of this.streams) media.expectProfile(profile);
  }

  /** The other end goes by another clock from now on. */
  takeClock(clock: PeerClock): void {
    this.#peerClock = clock;
    for (const media of this.streams) media.takeClock(clock);
  }

  /** This end sends what is of a modality that `mayTransmit` lets pass. */
  permit(mayTransmit: (modality: Modality) => boolean): void {
    this.#mayTransmit = mayTransmit;
    for (const media of this.streams) media.permit(mayTransmit(media.modality));
  }

  /** By the terms of this number the other end sends what is of a modality that `mayTransmit` lets pass. */
  underTerms(termsNumber: number, mayTransmit: (modality: Modality) => boolean): void {
    this.#mayBeHeard = mayTransmit;
    for (const media of this.streams) media.underTerms(termsNumber, mayTransmit(media.modality));
  }

  /** Signs what has fallen due; the call's timer runs it. */
  poll(now: number): void {
    for (const media of this.streams) media.poll(now);
  }

  protected get terms(): Terms {
    return this.#terms;
  }

  protected useTerms(terms: Terms): void {
    this.#terms = terms;
  }

  protected get peerClock(): PeerClock {
    return this.#peerClock;
  }

  protected get beginning(): StreamBeginning {
    return { profile: this.#profile, key: this.#peerKey };
  }

  protected stream(id: number): StreamMedia | undefined {
    return this.#streams.get(id);
  }

  /** A stream is made, and flows: what changed since it was begun is told it. */
  protected add(media: StreamMedia, { profile, key }: StreamBeginning): void {
    this.#streams.set(media.stream, media);
    if (key !== this.#peerKey) media.takeKey(this.#peerKey, this.#profile, this.#expiresAt);
    if (profile !== this.#profile) media.useProfile(this.#profile, this.#terms.number, this.#peerKey);
    media.permit(this.#mayTransmit(media.modality));
    media.underTerms(this.#terms.number, this.#mayBeHeard(media.modality));
    if (this.#isHeld) media.hold();
    if (this.#peer === "to-come") media.peerIsToCome();
    else if (this.#peer === "away") media.peerLeft();
  }

  /** A stream is over while the call goes on. */
  protected remove(media: StreamMedia): void {
    if (media === this.voice()) this.#lastVoice = this.voice();
    if (media === this.messages) this.#lastMessages = this.messages;
    this.#streams.delete(media.stream);
  }

  get #expiresAt(): number {
    return this.#terms.expires_at * 1000;
  }

  get #dataStreams(): readonly DataMedia[] {
    return this.streams.filter((media): media is DataMedia => media.modality === "data");
  }
}

function isMessages({ data }: DataMedia): boolean {
  return !isOwnLabel(data.label);
}
