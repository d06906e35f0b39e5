import type { JsonObject } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { encodeHex } from "../codecs/hex.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { makeClosing } from "../signaling/closing.ts";
import { agentOf } from "../signaling/gateway.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import type { CallRequests } from "./call-control.ts";
import type { CallMedia } from "./call-media.ts";
import { closingTotals } from "./call-stats.ts";
import type { AgentIdentity } from "./identity.ts";

/** Longest wait for final checkpoints and receipts to leave before hanging up, ms. */
const FLUSH_MS = 1_000;

/** How often the end is asked for over a connection that is up and brings no answer. */
const ASKED_IN_VAIN = 2;
/** Until it is asked again, or seen that the connection is gone, ms. */
const ASK_AGAIN_MS = 500;

/** What requests fail with when nothing gets through to the server. */
const LOST: ReadonlySet<string> = new Set([
  ...["closed", "offline", "request-timeout", "connection-lost", "connect-refused", "connect-timeout"],
]);

/** How a call ended. */
export interface CallEnd {
  /**
   * The reason given by whoever ended it, or the server's: `transport-closed`, `ttl-expired`, `connection-lost` … `moved` and `replaced`:
   * it goes on in another process of this agent.
   */
  readonly reason: string;
  readonly by: "me" | "peer" | "server";
}

export interface CallEndingOptions {
  readonly session: CheckedSession;
  readonly control: CallRequests;
  /** Signs the closing statement. */
  readonly identity: AgentIdentity;
  /** As the server names this end. */
  readonly agentId: string;
  readonly clock: Clock;
  /** Unix milliseconds. */
  readonly wall: () => number;
  readonly media: CallMedia;
  /** Resolves when the call has a connection, or will have none any more; undefined while it has. */
  readonly ready: () => Promise<void> | undefined;
  /** The call has a connection: what this end states gets to the server. */
  readonly isAttached: () => boolean;
  /** This end stops sending and hearing. May be told twice. */
  readonly leaving: () => void;
  /** The call is over. Told once. */
  readonly ended: (end: CallEnd) => void;
  readonly report: (error: unknown) => void;
}

/** The end of a call, by whichever side: says the last words of this end once, and knows how it ended. */
export class CallEnding {
  readonly #options: CallEndingOptions;
  readonly #over = Promise.withResolvers<CallEnd>();
  readonly #settling = Promise.withResolvers<void>();
  #leaving: Promise<void> | undefined;
  #end: CallEnd | undefined;
  /** What the server was asked to end it for, without an answer. */
  #asked: string | undefined;
  /** The server has to be told that it is over. */
  #isToAsk = false;

  constructor(options: CallEndingOptions) {
    this.#options = options;
  }

  /** Resolves when the call is over. Never rejects. */
  get ended(): Promise<CallEnd> {
    return this.#over.promise;
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  /** Resolves when this end's last statements are with the server, or cannot be. */
  get settled(): Promise<void> {
    return this.#settling.promise;
  }

  /** Hangs up, unless this end is leaving already. */
  hangUp(reason: string): Promise<void> {
    return this.#leave(() => this.#terminate(reason));
  }

  /** The server says that the session ended. */
  told(fields: JsonObject): void {
    const { session, agentId, report } = this.#options;
    const reason = typeof fields.reason === "string" ? fields.reason : "unknown";
    const by = fields.by === agentOf(session.peer) ? "peer" : fields.by === agentId ? "me" : "server";
    this.#finished({ reason, by });
    this.#leave(async () => {
      await this.#flush();
      await this.#sendClosing(reason);
    }).catch(report);
  }

  /** There will be no connection any more: nothing can be said or heard. */
  connectionLost(): void {
    this.#finished({ reason: "connection-lost", by: "server" });
    this.#leave(() => this.#options.media.finish()).catch(this.#options.report);
  }

  /** The call goes on in another process of this agent: nothing is said of it from here. */
  elsewhere(reason: "moved" | "replaced"): void {
    this.#finished({ reason, by: "me" });
    this.#leave(() => this.#options.media.finish()).catch(this.#options.report);
  }

  /** The call cannot go on at this end, though requests can be made: the other end need not sit in silence until the server gives this one up. */
  cannotGoOn(reason: string): void {
    // The request to end it got through, and its answer did not.
    const isAnswer = this.#asked === reason;
    this.#isToAsk = this.#end === undefined && !isAnswer;
    this.#finished({ reason, by: isAnswer ? "me" : "server" });
    this.#leave(async () => {
      await this.#options.media.finish();
      await this.#askToEnd(reason, undefined);
    }).catch(this.#options.report);
  }

  /** Leaves once, in the way that comes first. */
  #leave(how: () => Promise<void>): Promise<void> {
    if (this.#leaving === undefined) {
      this.#leaving = how();
      this.#settling.resolve(this.#leaving);
    }
    return this.#leaving;
  }

  /** Asks until there is an answer, over one connection after the other: the server would keep the call for long. */
  async #terminate(reason: string): Promise<void> {
    for (let asked = 1; ; asked += 1) {
      const ready = this.#options.ready();
      if (ready !== undefined) {
        asked = 1;
        this.#options.leaving();
        this.#options.media.hold();
        await ready;
      }
      await this.#flush();
      if (this.#end !== undefined) {
        // The other end was quicker, and what is left to say is the closing statement; or it cannot go on here.
        if (this.#isToAsk) await this.#askToEnd(reason, undefined);
        else await this.#sendClosing(this.#end.reason);
        return;
      }
      // Lost again, and perhaps with what was to be counted.
      if (this.#options.ready() !== undefined) continue;
      if (await this.#askToEnd(reason, await this.#closing(reason))) return;
      await this.#pause(ASK_AGAIN_MS);
      if (this.#end === undefined && this.#options.ready() === undefined && asked >= ASKED_IN_VAIN) {
        this.#finished({ reason: "connection-lost", by: "server" });
        return;
      }
    }
  }

  /** Resolves to false where nothing is decided: no answer came. */
  async #askToEnd(reason: string, closing: string | undefined): Promise<boolean> {
    const { session, control } = this.#options;
    const parameters = closing === undefined ? { reason } : { reason, closing };
    const wasAsked = this.#asked === reason;
    this.#asked = reason;
    try {
      await control.requestHere({ method: "TERMINATE", path: `/sessions/${session.sessionId}`, parameters });
      this.#finished({ reason, by: "me" });
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      if (LOST.has(error.code)) return false;
      // An earlier one got through, and its answer did not.
      if (wasAsked && error.code === "session-terminated" && error.details.reason === reason) {
        this.#finished({ reason, by: "me" });
        return true;
      }
      // Both ends hung up at once, or the session ran out: what is left to say is the closing statement.
      if (error.code === "session-terminated" || error.code === "session-state-conflict") {
        await this.#sendClosing(reason);
        this.#finished({ reason, by: "peer" });
        return true;
      }
      this.#finished({ reason: error.code, by: "server" });
    }
    return true;
  }

  async #sendClosing(reason: string): Promise<void> {
    const { session, control } = this.#options;
    const closing = await this.#closing(reason);
    if (closing === undefined) return;
    try {
      await control.requestHere({
        method: "NOTIFY",
        path: `/sessions/${session.sessionId}`,
        parameters: { content: { event: "closing-statement", closing } },
      });
    } catch (error) {
      // Without it the evidence says that this end vanished, which is then the truth.
      if (!(error instanceof ParleyError)) throw error;
    }
  }

  #pause(ms: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => clock.at(clock.now() + ms, resolve));
  }

  #flush(): Promise<unknown> {
    const { media, leaving } = this.#options;
    leaving();
    return Promise.race([media.finish(), this.#pause(FLUSH_MS)]);
  }

  /** The closing statement; undefined where it would count what the server lacks. */
  async #closing(reason: string): Promise<string | undefined> {
    const { session, control, identity, media, wall, isAttached } = this.#options;
    if (!isAttached() || !media.isWhole) return undefined;
    const { sessionId, sessionDigest, leg } = session;
    const { generation } = session.mediaKey;
    return await makeClosing(
      {
        v: 1,
        session_id: sessionId,
        session_digest: encodeHex(sessionDigest),
        leg,
        last_audit_id: control.lastAuditIdOf(sessionId),
        reason,
        ...(generation === 0 ? {} : { generation }),
        totals: closingTotals(media),
        iat: Math.floor(wall() / 1000),
      },
      identity.signer,
    );
  }

  #finished(end: CallEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#options.leaving();
    this.#over.resolve(end);
    this.#options.ended(end);
  }
}
