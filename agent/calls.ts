import type { CloseInfo } from "../sfu/carrier.ts";
import { SESSION_NOTICE_EVENTS } from "../signaling/session-notice.ts";
import type { AgentContext } from "./agent-context.ts";
import type { Call } from "./call.ts";
import type { InboxEvent } from "./inbox.ts";

/** Events of sessions whose call is still being assembled that are kept; the oldest goes. */
const EARLY_EVENTS = 256;
/** Events of the inbox that belong to a call. */
const CALL_EVENTS: ReadonlySet<string> = new Set([
  "session-ended",
  "frames_refused",
  "frames_contradicted",
  "terms-changed",
  "change-asked",
  ...SESSION_NOTICE_EVENTS,
  "authority-narrowed",
  "interrupted",
  "session-suspended",
  "session-resumed",
  "peer-detached",
  "peer-attached",
  "media-key-changed",
  "media-moved",
]);

/** The calls of an agent, over all its connections. */
export class Calls {
  readonly #report: (error: unknown) => void;
  readonly #up = new Map<string, Call>();
  /** Calls that are up, and those that are over while their last statements are still on the way. */
  readonly #leaving = new Set<Call>();
  #earlyEvents: { readonly sessionId: string; readonly event: InboxEvent }[] = [];
  /** Of the connection that is up. */
  #present: AgentContext | undefined;
  #over: CloseInfo | undefined;

  /** `report` takes what calls fail with when nobody waits. */
  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  /** Calls that are up. */
  get up(): readonly Call[] {
    return [...this.#up.values()];
  }

  /** The one of this session, while it is up. */
  get(sessionId: string): Call | undefined {
    return this.#up.get(sessionId);
  }

  /** Whether `event` is one that `deliver` takes. */
  takes({ event }: InboxEvent): boolean {
    return CALL_EVENTS.has(event);
  }

  /** A call has come up over the connection of `context`. */
  adopt(call: Call, context: AgentContext): Call {
    this.#up.set(call.id, call);
    this.#leaving.add(call);
    call.settled.catch(this.#report).finally(() => this.#leaving.delete(call));
    void call.ended.then(() => {
      if (this.#up.get(call.id) === call) this.#up.delete(call.id);
    });
    const early = this.#earlyEvents.filter(({ sessionId }) => sessionId === call.id);
    this.#earlyEvents = this.#earlyEvents.filter(({ sessionId }) => sessionId !== call.id);
    for (const { event } of early) {
      try {
        call.told(event);
      } catch (error) {
        this.#report(error);
      }
    }
    if (this.#over !== undefined) call.agentClosed(this.#over);
    else if (this.#present !== context) {
      call.agentOffline();
      if (this.#present !== undefined) call.agentOnline(this.#present);
    }
    return call;
  }

  /** An event about one session. */
  deliver(sessionId: string, event: InboxEvent): void {
    const call = this.#up.get(sessionId);
    if (call !== undefined) {
      call.told(event);
      return;
    }
    if (this.#earlyEvents.length >= EARLY_EVENTS) this.#earlyEvents.shift();
    this.#earlyEvents.push({ sessionId, event });
  }

  /** The agent has a connection: calls go on over it. */
  online(context: AgentContext): void {
    if (this.#present === context || this.#over !== undefined) return;
    this.#present = context;
    for (const call of this.#leaving) call.agentOnline(context);
  }

  /** The agent has none, and will try again. */
  offline(): void {
    this.#present = undefined;
    for (const call of this.#leaving) call.agentOffline();
  }

  /** The agent has none any more. */
  closed(info: CloseInfo): void {
    this.#present = undefined;
    this.#over = info;
    for (const call of this.#leaving) call.agentClosed(info);
  }

  /** Hangs up every call; resolves when each is over and its last statements are with the server, or cannot be. */
  async hangUp(reason: string): Promise<void> {
    await Promise.allSettled([...this.#leaving].map((call) => call.end(reason)));
  }
}
