/** A call between Alice and Bob whose ends open and close streams by hand. */
import { encodeHex } from "../../codecs/hex.ts";
import type { AnswerStream } from "../../signaling/answer.ts";
import { makeNarrowing } from "../../signaling/narrowing.ts";
import type { OfferStream } from "../../signaling/offer.ts";
import type { OpenedStream } from "../../signaling/terms.ts";
import { ALICE, BOB, type TestAgent, ZERO_DIGEST } from "../signed-call.ts";
import { Changing } from "./changing-call.ts";

const CODEC = { name: "opus", clock_rate: 48_000, channels: 1, payload_type: 111 } as const;

/** A further voice both ways, as `by` opens it. */
export function voice(stream: number, by: 0 | 1 = 0): OpenedStream {
  const facts = { stream, modality: "audio", direction: "sendrecv" } as const;
  const offer: OfferStream = { ...facts, ssrc: 100 + stream, codecs: [{ ...CODEC, frame_ms: [20] }] };
  const answer: AnswerStream = { ...facts, ssrc: 200 + stream, codec: { ...CODEC, frame_ms: 20 } };
  return { by, offer, answer };
}

/** What a change says that opens these streams. */
export const opening = (...opened: readonly OpenedStream[]) => ({
  profile: "frame" as const,
  streams: [],
  opened,
  last_stream: Math.max(...opened.map(({ offer }) => offer.stream)),
});

/** A call whose ends open and close streams by hand. */
export class Streaming extends Changing {
  peer(leg: 0 | 1) {
    return leg === 0 ? this.alice : this.bob;
  }

  ask(leg: 0 | 1, change: string, at = "streams", method = "OPEN") {
    return this.peer(leg).ask(method, `/sessions/${this.sessionId}/${at}`, { change });
  }

  /** Opens streams in Alice's name and has Bob take them. */
  open(number: number, ...opened: readonly OpenedStream[]) {
    const change = this.change(0, { number, settings: opening(...opened) });
    const asked = this.ask(0, change);
    const id = String(this.bobInbox.event("change-asked").change_id);
    const accepted = this.accept(1, id, this.acceptance(1, change));
    this.stage.advance(1_000);
    return { asked, accepted };
  }

  narrowing(
    leg: 0 | 1,
    number: number,
    closed: readonly number[],
    { by = leg === 0 ? ALICE : BOB, scope = this.scope(leg) } = {},
  ): string {
    return makeNarrowing(
      {
        ...{ v: 1, session_id: this.sessionId, session_digest: encodeHex(this.core.digest), leg, number },
        ...{ scope, closed, last_audit_id: ZERO_DIGEST },
        iat: Math.floor(this.stage.now / 1000),
      },
      by.identity,
    );
  }

  closeStreams(
    leg: 0 | 1,
    number: number,
    closed: readonly number[],
    as: { readonly by?: TestAgent; readonly scope?: readonly string[] } = {},
  ) {
    const narrowing = this.narrowing(leg, number, closed, as);
    const path = `/sessions/${this.sessionId}/streams/${closed.at(-1)}`;
    const answers = this.peer(leg).ask("CLOSE", path, { narrowing });
    this.stage.advance(1_000);
    return answers;
  }

  scope(leg: 0 | 1): readonly string[] {
    const legs = this.terms.legs as { leg: number; scope: string[] }[];
    return legs.find((each) => each.leg === leg)?.scope ?? [];
  }

  /** Of the relay's messages, those about one stream, by kind and leg. */
  steps(stream: number): string[] {
    return this.stage.admissions.flatMap((message) => {
      if (message.kind === "install")
        return message.row.stream === stream ? [`install ${message.row.leg}`] : [];
      const about = message as { readonly stream?: number; readonly leg?: number };
      return about.stream === stream ? [`${message.kind} ${about.leg}`] : [];
    });
  }

  streamIds(): number[] {
    return (this.terms.streams as { stream: number }[]).map(({ stream }) => stream);
  }
}
