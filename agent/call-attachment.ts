import type { JsonObject } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { type CarrierKind, CLOSE_CODES, type CloseInfo, SESSION_OVER } from "../sfu/carrier.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import type { AgentContext } from "./agent-context.ts";
import { type CallConnection, type ReopenedConnection, reopenCallConnection } from "./call-connection.ts";
import type { CallMedia } from "./call-media.ts";
import { readStatementPlaces } from "./stream-parameters.ts";
import { unwrap } from "./unwrap.ts";

/** How long a bounded call is kept at this end without a connection, ms: as long as its server waits. */
const RETURN_MS = 10_000;
/** Pause before the call's media is asked for again over the same connection, where the server does not say: the first, and the longest, ms. */
const PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 2_000;
/** Longest wait for the news of an end that the closing of the media connection was the first sign of, ms. */
const NEWS_MS = 2_000;
/** What OPEN fails with that may pass. */
const PASSING: ReadonlySet<string> = new Set([
  ...["connection-lost", "closed", "request-timeout", "connect-refused", "connect-timeout"],
  ...["rate-limited", "capacity", "server-error"],
]);

/** What it fails with where another process of this agent has the call. */
const ELSEWHERE: ReadonlySet<string> = new Set(["attach-outdated", "generation-outdated"]);

/** The call has no connection at this end: nothing is said or heard until it is `reattached`, or ends. */
export interface Detached {
  /** Unix milliseconds by this machine's clock: it ends then unless it was reattached. */
  readonly until: number;
}

/** The call goes on over another connection. */
export interface Reattached {
  /** Milliseconds that it had none. */
  readonly after: number;
  /** What the new one runs on. */
  readonly carrier: CarrierKind;
}

export interface CallAttachmentOptions {
  readonly session: CheckedSession;
  readonly clock: Clock;
  /** Unix milliseconds. */
  readonly wall: () => number;
  readonly media: CallMedia;
  readonly context: AgentContext;
  readonly connection: CallConnection;
  /** The call has ended, or this end hangs up and wants no connection any more. */
  readonly isOver: () => boolean;
  readonly detached: (event: Detached) => void;
  /** `opened`: how the server says that the session stands, and where its streams are there. */
  readonly reattached: (event: Reattached, opened: ReopenedConnection) => void;
  /** Its media is about to be asked for. */
  readonly returning: () => void;
  /** It cannot go on here, for this reason; `isElsewhere`: another process of this agent has it. */
  readonly gone: (reason: string, isElsewhere: boolean) => void;
  readonly report: (error: unknown) => void;
}

/** Which connection carries a call at this end: the one that it came up on, then those after it. */
export class CallAttachment {
  readonly #options: CallAttachmentOptions;
  #connection: CallConnection | undefined;
  /** The agent's, while it is online. */
  #context: AgentContext | undefined;
  #attachSeq: number;
  #detachedAt = 0;
  #cancelDeadline: () => void = () => {};
  #cancelPause: () => void = () => {};
  #change = Promise.withResolvers<void>();
  #isClosed = false;

  constructor(options: CallAttachmentOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#attachSeq = options.connection.attachSeq;
    this.#take(options.connection);
  }

  get isAttached(): boolean {
    return this.#connection !== undefined;
  }

  /** Resolves when the call has a connection, or will have none any more; undefined while it has. */
  ready(): Promise<void> | undefined {
    return this.isAttached || this.#isClosed ? undefined : this.#settled();
  }

  /** The agent's connection is gone. */
  agentOffline(): void {
    this.#context = undefined;
    this.#cancelPause();
    this.#detach();
  }

  /** The agent is online again. */
  agentOnline(context: AgentContext): void {
    if (this.#isClosed) return;
    this.#detach();
    this.#context = context;
    void this.#return(context).catch(this.#options.report);
  }

  /** The agent's media of this session was asked for on another connection than this one, which is not this process'. */
  moved(): void {
    this.#giveUp("moved", true);
  }

  /** The call needs no connection any more: one for it alone is closed. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelDeadline();
    this.#cancelPause();
    this.#connection?.close();
    this.#changed();
  }

  /** Whether an event of the server about `attach_seq` is of an attachment that this process did not ask for. */
  isForeign({ attach_seq: sequence }: JsonObject): boolean {
    return typeof sequence === "number" && sequence > this.#attachSeq;
  }

  async #settled(): Promise<void> {
    while (!this.isAttached && !this.#isClosed) await this.#change.promise;
  }

  #take(connection: CallConnection): void {
    this.#connection = connection;
    void connection.over?.then((info) => this.#mediaOver(connection, info));
  }

  /** A connection for this call's media alone is over, and requests have others. */
  #mediaOver(connection: CallConnection, { code, reason }: CloseInfo): void {
    if (connection !== this.#connection || this.#isClosed) return;
    if (reason === SESSION_OVER) {
      // The news of that may come later. What is said until then goes nowhere.
      const { clock, media } = this.#options;
      media.detach();
      this.#cancelDeadline = clock.at(clock.now() + NEWS_MS, () => this.#giveUp("connection-lost", false));
      return;
    }
    if (code === CLOSE_CODES.replaced) {
      this.moved();
      return;
    }
    this.#detach();
    const context = this.#context;
    if (context !== undefined) void this.#return(context).catch(this.#options.report);
  }

  #detach(): void {
    const { clock, wall, media, session, detached, isOver } = this.#options;
    if (this.#connection === undefined || this.#isClosed) return;
    this.#connection.close();
    this.#connection = undefined;
    this.#changed();
    media.detach();
    if (isOver()) return;
    this.#detachedAt = clock.now();
    const left = session.terms.expires_at * 1000 - wall();
    const isBounded = session.offer.payload.session.model === "bounded";
    const wait = isBounded ? Math.min(RETURN_MS, left) : left;
    this.#cancelDeadline = clock.at(clock.now() + wait, () => this.#giveUp("connection-lost", false));
    detached({ until: wall() + wait });
  }

  #giveUp(reason: string, isElsewhere: boolean): void {
    if (this.#isClosed) return;
    if (isElsewhere) this.#options.media.detach();
    this.#options.gone(reason, isElsewhere);
    this.close();
  }

  /** Asks for the call's media on the agent's connection until it has it, or the answer is final. */
  async #return(context: AgentContext): Promise<void> {
    const isWanted = () => !this.#isClosed && this.#context === context && !this.isAttached;
    for (let pause = PAUSE_MS; isWanted(); pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      // A higher one each time: whether the last got through is not known.
      this.#attachSeq += 1;
      try {
        const { session, returning } = this.#options;
        const { sessionId, mediaKey } = session;
        returning();
        // Names the key that this process has: where another one's is in force, the server refuses.
        const parameters = { attach_seq: this.#attachSeq, media_key: mediaKey.jws, ...this.#received() };
        const opened = await reopenCallConnection(context, sessionId, parameters);
        if (isWanted()) this.#goOn(opened);
        else opened.close();
        return;
      } catch (error) {
        if (!isWanted()) return;
        if (!(error instanceof ParleyError)) throw error;
        if (ELSEWHERE.has(error.code)) return this.moved();
        const isHeld = error.code === "session-state-conflict" && error.details.state === "suspended";
        if (!PASSING.has(error.code) && !isHeld) return this.#giveUp(reasonOf(error), false);
        const { retry_after_ms: asked } = error.details;
        await this.#pause(typeof asked === "number" ? Math.min(asked, LONGEST_PAUSE_MS) : pause);
      }
    }
  }

  /** How far reliable streams were heard: the server sends again what was on its way from there. */
  #received(): JsonObject {
    const places = this.#options.media.heardPlaces;
    if (places.length === 0) return {};
    return { received: places.map(({ stream, nextSequence }) => ({ stream, next_sequence: nextSequence })) };
  }

  #goOn(opened: ReopenedConnection): void {
    const { media, clock, reattached, isOver } = this.#options;
    const statements = unwrap(readStatementPlaces(opened.result.statements));
    this.#cancelDeadline();
    media.attach(opened.port, opened.streams, statements);
    this.#take(opened);
    this.#changed();
    if (isOver()) return;
    reattached({ after: clock.now() - this.#detachedAt, carrier: opened.carrier }, opened);
  }

  #pause(ms: number): Promise<void> {
    const { clock } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.at(clock.now() + ms, resolve);
    this.#cancelPause = () => {
      cancel();
      resolve();
    };
    return promise;
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}

/** Why the session ended, where the refusal says that it did. */
function reasonOf({ code, details }: ParleyError): string {
  return code === "session-terminated" && typeof details.reason === "string" ? details.reason : code;
}
