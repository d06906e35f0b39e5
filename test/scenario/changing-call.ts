/** A call between Alice and Bob whose ends sign changes of its terms by hand. */
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { readRecord } from "../../signaling/attribution.ts";
import {
  makeTermsAcceptance,
  makeTermsChange,
  type TermsAcceptancePayload,
  type TermsChangePayload,
  termsChangeDigest,
} from "../../signaling/terms-change.ts";
import { ALICE, BOB, must, type TestAgent, ZERO_DIGEST } from "../signed-call.ts";
import { CallScene } from "./signaling-call.ts";

const ENDS = [ALICE, BOB] as const;
/** Of the first change that a scene makes, but for its last digit, which is the number of the change. */
export const CHANGE_ID = "019b76da-c6e8-7000-8000-00000000000";

/** A call whose ends ask for changes by hand. */
export class Changing extends CallScene {
  #id = 0;

  change(leg: 0 | 1, changes: Partial<TermsChangePayload> = {}, by: TestAgent = ENDS[leg]): string {
    this.#id += 1;
    const stream = Number(this.stream(0, "send").stream);
    return makeTermsChange(
      {
        v: 1,
        session_id: this.sessionId,
        session_digest: encodeHex(this.core.digest),
        leg,
        number: 2,
        change_id: `${CHANGE_ID}${this.#id}`,
        settings: { profile: "frame", streams: [{ leg, stream, bitrate_bps: 16_000 }] },
        reason: "bandwidth",
        last_audit_id: ZERO_DIGEST,
        iat: Math.floor(this.stage.now / 1000),
        ...changes,
      },
      by.identity,
    );
  }

  acceptance(
    leg: 0 | 1,
    change: string,
    changes: Partial<TermsAcceptancePayload> = {},
    by: TestAgent = ENDS[leg],
  ): string {
    return makeTermsAcceptance(
      {
        v: 1,
        session_id: this.sessionId,
        session_digest: encodeHex(this.core.digest),
        leg,
        change_digest: termsChangeDigest(change),
        last_audit_id: ZERO_DIGEST,
        iat: Math.floor(this.stage.now / 1000),
        ...changes,
      },
      by.identity,
    );
  }

  adjust(leg: 0 | 1, change: string) {
    return [this.alice, this.bob][leg]!.ask("ADJUST", `/sessions/${this.sessionId}`, { change });
  }

  confirm(leg: 0 | 1, id: string, more: JsonObject) {
    const parameters = { target_id: id, ...more };
    return [this.alice, this.bob][leg]!.ask("CONFIRM", `/sessions/${this.sessionId}`, parameters);
  }

  accept(leg: 0 | 1, id: string, acceptance: string) {
    return this.confirm(leg, id, { status: "accepted", acceptance });
  }

  get terms(): JsonObject {
    const answers = this.alice.query(this.sessionId);
    this.stage.advance(1_000);
    return answers.last.result.terms as JsonObject;
  }

  recorded(event: string) {
    return this.stage
      .sessionRecords(this.sessionId)
      .map((jws) => must(readRecord(jws)))
      .filter((record) => record.event === event);
  }
}
