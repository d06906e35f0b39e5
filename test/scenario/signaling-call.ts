/** A call between Alice and Bob that is up, for tests of what happens to it then. */
import { encodeBase64url } from "../../codecs/base64url.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { encodeCheckpoint } from "../../codecs/checkpoint.ts";
import type { HeaderField } from "../../codecs/headers.ts";
import { encodeInterrupt } from "../../codecs/interrupt.ts";
import { encodeReceipt, type Receipt, receiptDigest } from "../../codecs/receipt.ts";
import { verifyAnswer } from "../../signaling/answer.ts";
import { readRecord } from "../../signaling/attribution.ts";
import { type OfferPayload, verifyOffer } from "../../signaling/offer.ts";
import { buildSessionCore, type SessionCore } from "../../signaling/session-core.ts";
import { strictVerifier } from "../keys.ts";
import { ALICE, BOB, must, type TestAgent } from "../signed-call.ts";
import { type Answers, overTls, SignalingPeer } from "./signaling-peer.ts";
import { type OpeningFacts, Stage, type StageOptions } from "./signaling-stage.ts";

export interface SceneOptions extends StageOptions {
  readonly offer?: Partial<OfferPayload>;
  /** Alice and Bob with other documents. */
  readonly alice?: TestAgent;
  readonly bob?: TestAgent;
  /** What is said of the connections of both. */
  readonly shows?: { readonly alice?: OpeningFacts; readonly bob?: OpeningFacts };
  /** Bob comes over TLS: his inbox is on one connection, his CONFIRM on another. */
  readonly bobOverTls?: true;
  /** Further headers of Bob's CONFIRM. */
  readonly confirmHeaders?: readonly HeaderField[];
}

export class CallScene {
  readonly stage: Stage;
  readonly alice: SignalingPeer;
  /** Where Bob's inbox is. */
  readonly bob: SignalingPeer;
  /** Where Bob confirmed. */
  readonly bobConfirming: SignalingPeer;
  readonly aliceInbox: Answers;
  readonly bobInbox: Answers;
  readonly established: Answers;
  readonly confirmed: Answers;
  /** The signed answer that Bob confirmed with. */
  readonly bobAnswer: string;
  readonly sessionId: string;
  readonly core: SessionCore;

  constructor(options: SceneOptions = {}) {
    this.stage = new Stage(options);
    const { alice = ALICE, bob: asBob = BOB, shows } = options;
    this.alice = new SignalingPeer(this.stage, alice, shows?.alice);
    const bob = () =>
      options.bobOverTls ? overTls(this.stage, asBob) : new SignalingPeer(this.stage, asBob, shows?.bob);
    this.bob = bob();
    this.bobConfirming = options.bobOverTls ? bob() : this.bob;
    this.aliceInbox = this.alice.subscribe();
    this.bobInbox = this.bob.subscribe();
    const offer = this.alice.offer(BOB, options.offer);
    this.established = this.alice.call(BOB, { offer });
    const event = this.bobInbox.event("offer");
    const answer = this.bob.answerTo(event);
    this.bobAnswer = answer;
    this.confirmed = this.bobConfirming.accept(event, {
      answer,
      ...(options.confirmHeaders === undefined ? {} : { headers: options.confirmHeaders }),
    });
    this.sessionId = String(event.session_id);
    const { now } = this.stage;
    const verified = must(
      verifyOffer(offer, { publicKey: ALICE.identity.publicKey, caller: this.alice.id, now }, strictVerifier),
    );
    const agreed = must(
      verifyAnswer(answer, { publicKey: BOB.identity.publicKey, offer: verified, now }, strictVerifier),
    );
    const { server } = this.stage;
    const identity = { agentId: server.genesis.agentId, key: server.identity.publicKey };
    this.core = buildSessionCore(identity, verified, agreed);
  }

  /** Stream parameters of one end in one direction. */
  stream(leg: 0 | 1, direction: "send" | "receive"): JsonObject {
    const { result } = (leg === 0 ? this.established : this.confirmed).last;
    const found = (result.streams as JsonObject[]).find((stream) => stream.direction === direction);
    if (found === undefined) throw new Error(`leg ${leg} has no stream to ${direction}`);
    return found;
  }

  closing(leg: 0 | 1): string {
    return (leg === 0 ? this.alice : this.bob).closing(this.sessionId, this.core.digest, leg);
  }

  /** The last checkpoint of a speaker that sent nothing. */
  finalCheckpoint(leg: 0 | 1): Uint8Array {
    return encodeCheckpoint(
      {
        sessionDigest: this.core.digest,
        leg,
        stream: 0,
        keyGeneration: 0,
        final: true,
        index: 0,
        previous: new Uint8Array(32),
        firstSequence: 1,
        digests: [],
        firstCapture: { seconds: 0, fraction: 0 },
        lastCapture: { seconds: 0, fraction: 0 },
        epoch: 0,
        totalFrames: 0,
      },
      (leg === 0 ? ALICE : BOB).media,
    );
  }

  /** The last receipt of a listener that heard nothing. */
  finalReceipt(leg: 0 | 1): Uint8Array {
    return this.receipt(leg, { final: true });
  }

  /** The receipt that follows `first`. */
  secondReceipt(leg: 0 | 1, first: Uint8Array): Uint8Array {
    return this.receipt(leg, { index: 1, previous: receiptDigest(first) });
  }

  /** `leg` interrupts what the other end says on stream 0: NOTIFY on its inbox's connection. */
  interrupt(leg: 0 | 1, epoch: number): Answers {
    const bytes = encodeInterrupt(
      {
        sessionDigest: this.core.digest,
        ...{ leg, speakerLeg: 1 - leg, stream: 0, keyGeneration: 0, epoch },
        time: { seconds: 0, fraction: 0 },
      },
      (leg === 0 ? ALICE : BOB).media,
    );
    const content = { event: "interrupt", stream: 0, epoch, interrupt: encodeBase64url(bytes) };
    const peer = leg === 0 ? this.alice : this.bob;
    return peer.ask("NOTIFY", `/sessions/${this.sessionId}`, { content }, { proof: false });
  }

  /** A listener's first receipt, of nothing heard, unless told otherwise. */
  receipt(leg: 0 | 1, changes: Partial<Receipt> = {}): Uint8Array {
    return encodeReceipt(
      {
        sessionDigest: this.core.digest,
        listenerLeg: leg,
        speakerLeg: leg === 0 ? 1 : 0,
        stream: 0,
        keyGeneration: 0,
        final: false,
        index: 0,
        previous: new Uint8Array(32),
        time: { seconds: 0, fraction: 0 },
        totals: { received: 0, heard: 0, concealed: 0, late: 0, refused: 0 },
        received: [],
        heard: [],
        ...changes,
      },
      (leg === 0 ? ALICE : BOB).media,
    );
  }

  /** Sends what an end owes on its streams when a call ends. */
  sendFinals(leg: 0 | 1): void {
    const { connection } = leg === 0 ? this.alice : this.bob;
    const sending = Number(this.stream(leg, "send").checkpoint_flow);
    const receiving = Number(this.stream(leg, "receive").receipt_flow);
    this.stage.handle({ kind: "item", connection, flow: sending, bytes: this.finalCheckpoint(leg) });
    this.stage.handle({ kind: "item", connection, flow: receiving, bytes: this.finalReceipt(leg) });
  }

  /** What the final record says, `undefined` while there is none. */
  finalRecord() {
    const last = this.stage.sessionRecords(this.sessionId).at(-1);
    const record = last === undefined ? undefined : must(readRecord(last));
    return record?.event?.match(/^session-(?:terminated|expired)$/) ? record : undefined;
  }

  /** Both ends close as they should. */
  close(): void {
    this.sendFinals(0);
    this.alice.hangUp(this.sessionId, this.closing(0));
    this.sendFinals(1);
    this.bob.lastWord(this.sessionId, this.closing(1));
  }
}
