import type { JsonObject, JsonValue } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import { formatUtc, parseUtc } from "../signaling/utc-time.ts";
import { ANSWER_MS, isTooEarly, isUnanswered, pauseAfter } from "./asking-again.ts";
import type { CallRequests } from "./call-control.ts";
import type { CallMedia } from "./call-media.ts";
import type { ControlAnswer, ControlRequest } from "./control.ts";
import { unwrap } from "./unwrap.ts";

/** How a call is suspended. */
export interface SuspendOptions {
  /** At most 64 characters; `awaiting_input`, `resource_limit`, `scheduled_pause` and `external_dependency` are the usual ones. */
  readonly reason?: string;
  /** Unix milliseconds by the server's clock, to the second: it ends then unless it was resumed. Default: in an hour. */
  readonly resumeBy?: number;
  /** Kept by the server and given to whoever resumes: JSON of at most 4,096 bytes. */
  readonly checkpoint?: JsonValue;
}

/** The call is suspended: nothing is sent or heard. */
export interface Suspended {
  readonly id: string;
  /** Agent-ID of the end that asked for it. */
  readonly by: string;
  readonly reason: string | undefined;
  /** When the call ends unless it is resumed, Unix milliseconds by the server's clock. */
  readonly resumeBy: number;
  /** What resumes it, once; at the end that suspended it alone. */
  readonly nonce: string | undefined;
}

/** The call goes on. */
export interface Resumed {
  /** Agent-ID of the end that resumed it. */
  readonly by: string;
  /** What the end that suspended it left with the server, at the end that resumed it. */
  readonly checkpoint: JsonValue | undefined;
}

export interface CallSuspensionOptions {
  readonly session: CheckedSession;
  readonly agentId: string;
  readonly control: CallRequests;
  readonly clock: Clock;
  readonly media: CallMedia;
  /** Whether the call has ended: nothing is asked again then. */
  readonly isOver: () => boolean;
  readonly suspended: (event: Suspended) => void;
  readonly resumed: (event: Resumed) => void;
}

/** The pauses of a call, by either end. */
export class CallSuspension {
  readonly #options: CallSuspensionOptions;
  #present: Suspended | undefined;
  /** The latest that is over: news of its beginning may come after this end has ended it. */
  #past: JsonValue | undefined;
  #isAsking = false;

  constructor(options: CallSuspensionOptions) {
    this.#options = options;
  }

  get present(): Suspended | undefined {
    return this.#present;
  }

  /** Holds media at once, and lets it go again where the server refuses. */
  async suspend({ reason, resumeBy, checkpoint }: SuspendOptions): Promise<Suspended> {
    const { media, control } = this.#options;
    if (this.#present !== undefined || this.#isAsking) throw isSuspended();
    media.hold();
    const id = control.freshId();
    try {
      return await this.#ask({
        suspension_id: id,
        ...(reason === undefined ? {} : { reason }),
        ...(resumeBy === undefined ? {} : { resume_by: formatUtc(resumeBy) }),
        ...(checkpoint === undefined ? {} : { checkpoint }),
      });
    } catch (error) {
      // Taken the first time, as this end was told since: without the nonce nobody could end it.
      if (this.#lacksNonce(id)) return await this.#ask({ suspension_id: id });
      if (this.#present === undefined) media.release();
      throw error;
    }
  }

  /** Goes on, by the nonce that the end which suspended the call was given. */
  async resume(nonce: string | undefined = this.#present?.nonce): Promise<void> {
    if (nonce === undefined) {
      const message =
        this.#present === undefined ? "The call is not suspended." : "The other end has the nonce.";
      throw new ParleyError({ code: "nonce-invalid", message });
    }
    const id = this.#present?.id;
    const { result } = await this.#insist("RESUME", { resumption_nonce: nonce });
    this.#end(result.suspension_id ?? id, this.#options.agentId, result.checkpoint);
  }

  /** The server says what the other end did. */
  told(event: "session-suspended" | "session-resumed", fields: JsonObject): void {
    if (event === "session-suspended") this.#begin(fields);
    else this.#end(fields.suspension_id, textOf(fields.by), undefined);
  }

  /**
   * What the server says when this end's media flows again: `fields` of the suspension in force, if there is one. `before`: the one that was
   * known here when it was asked; a later one is none of what its answer knows.
   */
  caughtUp(fields: JsonObject | undefined, before: Suspended | undefined, peer: string): void {
    if (fields !== undefined) {
      if (this.#present?.id !== fields.suspension_id) this.#begin(fields);
      const id = this.#present?.id;
      // A later look at how the call stands asks again.
      if (id !== undefined && this.#lacksNonce(id)) this.#ask({ suspension_id: id }).catch(() => undefined);
    } else if (before !== undefined) this.#end(before.id, peer, undefined);
  }

  /** For a suspension, or once more for one of this end that is in force, whose nonce the answer gives. */
  async #ask(parameters: JsonObject): Promise<Suspended> {
    this.#isAsking = true;
    try {
      const { result } = await this.#insist("SUSPEND", parameters);
      return this.#begin(result);
    } finally {
      this.#isAsking = false;
    }
  }

  /** This end suspended the call, and cannot resume it: the answer to its request never came. */
  #lacksNonce(id: string): boolean {
    const { present } = this;
    const isOwn = present?.id === id && present.by === this.#options.agentId;
    return isOwn && present.nonce === undefined && !this.#isAsking;
  }

  #begin(fields: JsonObject): Suspended {
    const { reason, resumption_nonce: nonce } = fields;
    const suspended: Suspended = {
      id: textOf(fields.suspension_id),
      by: textOf(fields.by),
      reason: typeof reason === "string" ? reason : undefined,
      resumeBy: unwrap(parseUtc(textOf(fields.resume_by), "resume_by")),
      nonce: typeof nonce === "string" ? nonce : undefined,
    };
    if (suspended.id === this.#past) return suspended;
    this.#present = suspended;
    this.#options.media.hold();
    this.#options.suspended(suspended);
    return suspended;
  }

  /** Only of the suspension in force: the other end may have begun the next one by now. */
  #end(id: JsonValue | undefined, by: string, checkpoint: JsonValue | undefined): void {
    this.#past = id;
    if (this.#present === undefined || this.#present.id !== id) return;
    this.#present = undefined;
    this.#options.media.release();
    this.#options.resumed({ by, checkpoint });
  }

  /** Asks until the server answers. */
  async #insist(
    method: "SUSPEND" | "RESUME",
    parameters: JsonObject,
  ): Promise<Pick<ControlAnswer, "result">> {
    const { session, control, clock, isOver } = this.#options;
    const path = `/sessions/${session.sessionId}`;
    const prove = method === "RESUME";
    const request: ControlRequest = { method, path, parameters, prove, timeout: ANSWER_MS };
    for (let wasUnanswered = false; ; ) {
      try {
        return await control.request(request);
      } catch (error) {
        if (!(error instanceof ParleyError) || isOver()) throw error;
        // Taken the first time, though its answer was not waited for.
        const wasTaken = error.code === "nonce-invalid" && error.details.state === "active";
        if (wasTaken && wasUnanswered) return { result: {} };
        if (!isTooEarly(error) && !isUnanswered(error)) throw error;
        wasUnanswered ||= isUnanswered(error);
        await pauseAfter(error, clock);
      }
    }
  }
}

function isSuspended(): ParleyError {
  return new ParleyError({
    code: "session-state-conflict",
    message: "The call is suspended already.",
    details: { state: "suspended" },
  });
}

function textOf(value: JsonValue | undefined): string {
  if (typeof value === "string") return value;
  throw new ParleyError({ code: "body-malformed", message: "The server's message lacks a text." });
}
