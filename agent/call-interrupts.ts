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
import type { CheckedSession } from "../signaling/peer-check.ts";
import type { CallMedia } from "./call-media.ts";
import { requireRecorded } from "./call-records.ts";
import type { ControlChannel } from "./control.ts";
import { unwrap } from "./unwrap.ts";

/** Pause before an interrupt that the server could not take yet is sent again, where it does not say, ms. */
const RETRY_MS = 100;

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
  readonly control: ControlChannel;
  readonly clock: Clock;
  /** Unix milliseconds. */
  readonly wall: () => number;
  readonly media: CallMedia;
  readonly mediaSigner: Signer;
  readonly verifier: Verifier;
  readonly interrupted: (event: Interrupted) => void;
  readonly report: (error: unknown) => void;
}

/** An epoch that this end began. */
interface OwnEpoch {
  readonly epoch: number;
  readonly answered: Promise<void>;
  state: "asked" | "recorded" | "overtaken";
}

/** What is known of the epochs of one stream. */
interface Epochs {
  /** The last that this end began, unless the server refused it. */
  own: OwnEpoch | undefined;
  /** The last that the other end began. */
  told: number;
}

/** The media epochs of a call: either end ends what is being said on a stream. */
export class CallInterrupts {
  readonly #options: CallInterruptsOptions;
  readonly #sent: Epochs = { own: undefined, told: 0 };
  readonly #heard: Epochs = { own: undefined, told: 0 };

  constructor(options: CallInterruptsOptions) {
    this.#options = options;
    options.media.interruptedWith((bytes) => this.#arrived(bytes));
  }

  /** Ends what the other end is saying. Until something of the new epoch has come, another interrupt says nothing new. */
  interrupt(): Promise<void> {
    const { receiver } = this.#options.media;
    if (receiver === undefined) throw notHere("This end of the call does not hear audio.");
    const { own } = this.#heard;
    if (own?.state === "asked" && own.epoch === receiver.epoch && !receiver.heardInEpoch) return own.answered;
    const epoch = receiver.epoch + 1;
    receiver.beginEpoch(epoch);
    return this.#announce(this.#heard, 1 - this.#options.session.leg, receiver.stream, epoch);
  }

  /** Ends what this end is saying. Until something of the new epoch was sent, it is enough to drop what waits. */
  flush(): Promise<void> {
    const { sender } = this.#options.media;
    if (sender === undefined) throw notHere("This end of the call does not send audio.");
    const { own } = this.#sent;
    if (own?.state === "asked" && own.epoch === sender.epoch && !sender.sentInEpoch) {
      sender.flush();
      return own.answered;
    }
    const epoch = sender.epoch + 1;
    sender.beginEpoch(epoch);
    return this.#announce(this.#sent, this.#options.session.leg, sender.stream, epoch);
  }

  /** The server says that the other end signed an interrupt. Throws where that is not so. */
  told(fields: JsonObject): void {
    const encoded = typeof fields.interrupt === "string" ? fields.interrupt : "";
    this.#take(unwrap(decodeBase64url(encoded, "interrupt")));
  }

  /** The same, handed on by the server before it is on record. */
  #arrived(bytes: Uint8Array): void {
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
    const end = isMine ? media.sender : media.receiver;
    const epochs = isMine ? this.#sent : this.#heard;
    if (end === undefined || end.stream !== stream) throw notHere("No such stream can be interrupted.");
    if (epoch <= epochs.told) return;
    const { own } = epochs;
    // Of two that begin one epoch the server takes one: whose is on record, the other's cannot be.
    if (own?.epoch === epoch && own.state === "recorded") return;
    if (epoch > end.epoch + 1) {
      throw new ParleyError({ code: "field-invalid", message: "The epoch jumps.", at: "interrupt.epoch" });
    }
    epochs.told = epoch;
    if (epoch > end.epoch) end.beginEpoch(epoch);
    // Both ends began this epoch: the listener wants none of what the speaker has gone on to say in it.
    else if (epoch === end.epoch && isMine) media.sender?.flush();
    if (isMine) interrupted({ stream, epoch, by: session.peer.agentId });
  }

  #announce(epochs: Epochs, speakerLeg: number, stream: number, epoch: number): Promise<void> {
    const before = epochs.own;
    const answered = this.#send(speakerLeg, stream, epoch, () => before?.state === "asked").then(
      (state) => {
        own.state = state;
      },
      (error: unknown) => {
        if (epochs.own === own) epochs.own = undefined;
        throw error;
      },
    );
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
  ): Promise<"recorded" | "overtaken"> {
    const { session, control, clock, wall, mediaSigner } = this.#options;
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
        const answer = await control.request({ method: "NOTIFY", path, parameters: { content } });
        requireRecorded(answer, "interrupt", encodeHex(interruptDigest(bytes)));
        return "recorded";
      } catch (error) {
        if (!(error instanceof ParleyError)) throw error;
        const { epoch: present, retry_after_ms: pause } = error.details;
        const isOutdated = error.code === "epoch-outdated" && typeof present === "number";
        // The other end was quicker: what was to end has ended.
        if (isOutdated && present >= epoch) return "overtaken";
        const isToWait = error.code === "rate-limited" || (isOutdated && isEarly());
        if (!isToWait) throw error;
        const wait = typeof pause === "number" ? pause : RETRY_MS;
        await new Promise<void>((resolve) => clock.at(clock.now() + wait, resolve));
      }
    }
  }

  #check(bytes: Uint8Array): Result<Interrupt> {
    const { session, verifier } = this.#options;
    const { mediaKey } = session.peer;
    const parsed = parseInterrupt(bytes);
    if (!parsed.ok) return parsed;
    const { sessionDigest, leg, keyGeneration } = parsed.value;
    const isOfPeer =
      encodeHex(sessionDigest) === encodeHex(session.sessionDigest) &&
      leg === 1 - session.leg &&
      keyGeneration === mediaKey.generation;
    if (!isOfPeer) return refuse("field-invalid", "The other end did not make this.", "interrupt");
    if (verifyInterrupt(bytes, mediaKey.ed25519, verifier)) return parsed;
    return refuse("signature-invalid", "The other end did not sign this.", "interrupt");
  }
}

function notHere(message: string): ParleyError {
  return new ParleyError({ code: "field-invalid", message });
}
