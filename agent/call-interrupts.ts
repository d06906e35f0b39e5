import { decodeBase64url, encodeBase64url } from "../codecs/base64url.ts";
import type { JsonObject } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { encodeHex } from "../codecs/hex.ts";
import {
  encodeInterrupt,
  type Interrupt,
  interruptDigest,
  parseInterrupt,
  verifyInterrupt,
} from "../codecs/interrupt.ts";
import { unixMsToNtp } from "../codecs/ntp.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { type Result, refuse } from "../codecs/result.ts";
import type { Signer, Verifier } from "../codecs/signer.ts";
import { agentOf } from "../signaling/gateway.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import { isInterruptible, type Terms } from "../signaling/terms.ts";
import { ANSWER_MS, isTooEarly, isUnanswered, pauseAfter } from "./asking-again.ts";
import type { AudioMedia } from "./audio-media.ts";
import type { CallRequests } from "./call-control.ts";
import type { CallMedia } from "./call-media.ts";
import { requireRecorded } from "./call-records.ts";
import type { StreamParameters } from "./stream-parameters.ts";
import { unwrap } from "./unwrap.ts";

/** What this end was saying was interrupted: nothing of it that waited is sent any more. */
export interface Interrupted {
  readonly stream: number;
  /** The media epoch that has begun. */
  readonly epoch: number;
  /** Agent-ID of who signed the interrupt. */
  readonly by: string;
}

export interface CallInterruptsOptions {
  readonly session: CheckedSession;
  /** In force. */
  readonly terms: { readonly present: Pick<Terms, "streams"> };
  readonly control: CallRequests;
  readonly clock: Clock;
  /** Unix milliseconds. */
  readonly wall: () => number;
  readonly media: Pick<CallMedia, "voice">;
  readonly mediaSigner: Signer;
  readonly verifier: Verifier;
  /** The other end's media key of that generation; undefined for one that is not known. */
  readonly peerKey: (generation: number) => Uint8Array | undefined;
  readonly interrupted: (event: Interrupted) => void;
  /** Whether the call has ended: nothing is asked again then. */
  readonly isOver: () => boolean;
  readonly report: (error: unknown) => void;
}

/** An epoch that this end began. */
interface OwnEpoch {
  readonly epoch: number;
  readonly answered: Promise<void>;
  state: "asked" | "recorded" | "overtaken" | "refused";
}

/** What is known of the epochs of one direction of a voice. */
interface Epochs {
  /** The last that this end began, unless the server refused it. */
  own: OwnEpoch | undefined;
  /** The last that the other end began. */
  told: number;
  /** The last that the server is known to have. */
  begun: number;
}

/** What is known of both, by stream. */
interface VoiceEpochs {
  readonly sent: Epochs;
  readonly heard: Epochs;
}

/** One end's side of a stream. */
interface StreamEnd {
  readonly stream: number;
  readonly epoch: number;
  beginEpoch(epoch: number): void;
  returnToEpoch(epoch: number): void;
}

/** The media epochs of a call's voices: either end ends what is being said on one. */
export class CallInterrupts {
  readonly #options: CallInterruptsOptions;
  readonly #voices = new Map<number, VoiceEpochs>();

  constructor(options: CallInterruptsOptions) {
    this.#options = options;
  }

  /** Ends what the other end is saying. Until something of the new epoch has come, another interrupt says nothing new. */
  interrupt(stream?: number): Promise<void> {
    const voice = this.#options.media.voice(stream);
    const receiver = voice?.receiver;
    if (voice === undefined || receiver === undefined)
      throw notHere("This end of the call does not hear audio.");
    if (!this.#mayBeInterrupted(receiver.stream, 1 - this.#options.session.leg)) throw forbidden();
    const { heard } = this.#epochsOf(voice);
    const { own } = heard;
    if (own?.state === "asked" && own.epoch === receiver.epoch && !receiver.heardInEpoch) return own.answered;
    const epoch = receiver.epoch + 1;
    receiver.beginEpoch(epoch);
    return this.#announce(heard, 1 - this.#options.session.leg, receiver);
  }

  /** Ends what this end is saying. Until something of the new epoch was sent, it is enough to drop what waits. */
  flush(stream: number): Promise<void> {
    const voice = this.#options.media.voice(stream);
    const sender = voice?.sender;
    if (voice === undefined || sender === undefined)
      throw notHere("This end of the call does not send audio.");
    const { sent } = this.#epochsOf(voice);
    const { own } = sent;
    if (own?.state === "asked" && own.epoch === sender.epoch && !sender.sentInEpoch) {
      sender.flush();
      return own.answered;
    }
    const epoch = sender.epoch + 1;
    sender.beginEpoch(epoch);
    return this.#announce(sent, this.#options.session.leg, sender);
  }

  /**
   * The call goes on over another connection, where these epochs are in force: an end that is behind follows. Who began them says so by
   * what it signed, which comes on its own way.
   */
  catchUp(streams: readonly StreamParameters[]): void {
    for (const { stream, direction, epoch = 0 } of streams) {
      const voice = this.#options.media.voice(stream);
      const end = direction === "send" ? voice?.sender : voice?.receiver;
      if (voice === undefined || end === undefined || epoch <= end.epoch) continue;
      const { sent, heard } = this.#epochsOf(voice);
      const epochs = direction === "send" ? sent : heard;
      epochs.begun = Math.max(epochs.begun, epoch);
      end.beginEpoch(epoch);
    }
  }

  /** A voice is closed. */
  forget(stream: number): void {
    this.#voices.delete(stream);
  }

  /** The server says that the other end signed an interrupt. Throws where that is not so. */
  told(fields: JsonObject): void {
    const encoded = typeof fields.interrupt === "string" ? fields.interrupt : "";
    this.#take(unwrap(decodeBase64url(encoded, "interrupt")));
  }

  /** The same, handed on by the server before it is on record. */
  arrived(bytes: Uint8Array): void {
    try {
      this.#take(bytes);
    } catch (error) {
      this.#options.report(error);
    }
  }

  #take(bytes: Uint8Array): void {
    const { session, media, interrupted } = this.#options;
    const { speakerLeg, stream, epoch } = unwrap(this.#check(bytes));
    const isMine = speakerLeg === session.leg;
    const voice = media.voice(stream);
    const end = isMine ? voice?.sender : voice?.receiver;
    if (voice === undefined || end === undefined) throw notHere("No such stream can be interrupted.");
    const known = this.#epochsOf(voice);
    const epochs = isMine ? known.sent : known.heard;
    if (isMine && !this.#mayBeInterrupted(stream, speakerLeg)) throw forbidden();
    if (epoch <= epochs.told) return;
    const { own } = epochs;
    // Of two that begin one epoch the server takes one: whose is on record, the other's cannot be.
    if (own?.epoch === epoch && own.state === "recorded") return;
    if (epoch > end.epoch + 1) {
      throw new ParleyError({ code: "field-invalid", message: "The epoch jumps.", at: "interrupt.epoch" });
    }
    epochs.told = epoch;
    epochs.begun = Math.max(epochs.begun, epoch);
    if (epoch > end.epoch) end.beginEpoch(epoch);
    // Both ends began this epoch: the listener wants none of what the speaker has gone on to say in it.
    else if (epoch === end.epoch && isMine) voice.sender?.flush();
    if (isMine) interrupted({ stream, epoch, by: agentOf(session.peer) });
  }

  /** Tells the server of the epoch that `end` has begun. Where it refuses that for good, `end` goes back to the last that it has. */
  #announce(epochs: Epochs, speakerLeg: number, end: StreamEnd): Promise<void> {
    const { epoch } = end;
    const before = epochs.own;
    const took = (state: "recorded" | "overtaken") => {
      own.state = state;
      epochs.begun = Math.max(epochs.begun, epoch);
    };
    const isEarly = () => before?.state === "asked";
    const answered = this.#send(speakerLeg, end.stream, epoch, isEarly, took).catch((error: unknown) => {
      if (own.state === "asked") {
        own.state = "refused";
        if (epochs.own === own) {
          epochs.own = undefined;
          if (end.epoch === epoch && epochs.begun < epoch) end.returnToEpoch(epochs.begun);
        }
      }
      throw error;
    });
    const own: OwnEpoch = { epoch, answered, state: "asked" };
    epochs.own = own;
    return answered;
  }

  /** `isEarly`: the epoch before it is still asked for, so that this one may overtake it on the way. */
  async #send(
    speakerLeg: number,
    stream: number,
    epoch: number,
    isEarly: () => boolean,
    took: (state: "recorded" | "overtaken") => void,
  ): Promise<void> {
    const { session, control, clock, wall, mediaSigner, isOver } = this.#options;
    const { sessionDigest, leg, mediaKey, sessionId } = session;
    const keyGeneration = mediaKey.generation;
    const time = unixMsToNtp(wall());
    const bytes = encodeInterrupt(
      { sessionDigest, leg, speakerLeg, stream, keyGeneration, epoch, time },
      mediaSigner,
    );
    const content = { event: "interrupt", stream, epoch, interrupt: encodeBase64url(bytes) };
    for (;;) {
      try {
        const path = `/sessions/${sessionId}`;
        const answer = await control.request({
          method: "NOTIFY",
          path,
          parameters: { content },
          timeout: ANSWER_MS,
        });
        took("recorded");
        requireRecorded(answer, "interrupt", encodeHex(interruptDigest(bytes)));
        return;
      } catch (error) {
        if (!(error instanceof ParleyError) || isOver()) throw error;
        const { epoch: present } = error.details;
        const isOutdated = error.code === "epoch-outdated" && typeof present === "number";
        // The other end was quicker, or this had arrived when its answer was not waited for: what was to end has ended.
        if (isOutdated && present >= epoch) return took("overtaken");
        const isToRepeat = isTooEarly(error) || isUnanswered(error) || (isOutdated && isEarly());
        if (!isToRepeat) throw error;
        await pauseAfter(error, clock);
      }
    }
  }

  #epochsOf({ stream, sender, receiver }: Pick<AudioMedia, "stream" | "sender" | "receiver">): VoiceEpochs {
    const begun = (epoch = 0): Epochs => ({ own: undefined, told: epoch, begun: epoch });
    const known = this.#voices.get(stream) ?? { sent: begun(sender?.epoch), heard: begun(receiver?.epoch) };
    this.#voices.set(stream, known);
    return known;
  }

  #mayBeInterrupted(stream: number, speaker: number): boolean {
    return isInterruptible(this.#options.terms.present, stream, speaker);
  }

  #check(bytes: Uint8Array): Result<Interrupt> {
    const { session, verifier, peerKey } = this.#options;
    const parsed = parseInterrupt(bytes);
    if (!parsed.ok) return parsed;
    const { sessionDigest, leg, keyGeneration } = parsed.value;
    const key = peerKey(keyGeneration);
    const isOfPeer = encodeHex(sessionDigest) === encodeHex(session.sessionDigest) && leg === 1 - session.leg;
    if (!isOfPeer || key === undefined)
      return refuse("field-invalid", "The other end did not make this.", "interrupt");
    if (verifyInterrupt(bytes, key, verifier)) return parsed;
    return refuse("signature-invalid", "The other end did not sign this.", "interrupt");
  }
}

function forbidden(): ParleyError {
  return new ParleyError({
    code: "interrupt-forbidden",
    message: "The speaker of this stream signed that it is not to be interrupted.",
  });
}

function notHere(message: string): ParleyError {
  return new ParleyError({ code: "field-invalid", message });
}
