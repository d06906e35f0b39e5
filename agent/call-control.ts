import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { ControlAnswer, ControlChannel, ControlRequest } from "./control.ts";

/** How long a request about a call waits for its agent to be online again, ms. Then it fails with `offline`. */
const ONLINE_WAIT_MS = 3_000;

/** What the parts of a call ask the server with. */
export interface CallRequests
  extends Pick<ControlChannel, "request" | "lastAuditIdOf" | "freshId" | "serverKey"> {
  /**
   * As `request`, over the present connection alone: what it says would not be true any more over another. Throws `closed` where it was
   * not sent and there is another one now, `offline` where there was none in time.
   */
  requestHere(request: ControlRequest): Promise<ControlAnswer>;
}

/** Requests about one call, over whichever connection its agent has. While it has none they wait a moment. */
export class CallControl implements CallRequests {
  readonly #sessionId: string;
  readonly #clock: Clock;
  readonly #reachable: () => ControlChannel;
  #present: ControlChannel | undefined;
  /** The newest one, over or not. */
  #newest: ControlChannel;
  /** The newest record of the session that an earlier connection brought. */
  #head: string | undefined;
  #change = Promise.withResolvers<void>();

  /** `reachable` throws what a request fails with that waited in vain: see `AgentContext`. */
  constructor(sessionId: string, control: ControlChannel, reachable: () => ControlChannel, clock: Clock) {
    this.#sessionId = sessionId;
    this.#present = control;
    this.#newest = control;
    this.#reachable = reachable;
    this.#clock = clock;
  }

  get serverKey(): Uint8Array {
    return this.#newest.serverKey;
  }

  lastAuditIdOf(sessionId: string): string {
    return this.#newest.sessionHead(sessionId) ?? this.#head ?? this.#newest.lastAuditIdOf(sessionId);
  }

  freshId(): string {
    return this.#newest.freshId();
  }

  /** The agent has another connection. */
  use(control: ControlChannel): void {
    this.#head = this.#newest.sessionHead(this.#sessionId) ?? this.#head;
    this.#present = control;
    this.#newest = control;
    this.#changed();
  }

  /** The agent has none. */
  lose(): void {
    this.#present = undefined;
  }

  /** The agent will have none any more: what waits fails. */
  close(): void {
    this.#present = undefined;
    this.#changed();
  }

  /** As `ControlChannel.request`; throws `offline` where the agent was not online within `ONLINE_WAIT_MS`. */
  async request(request: ControlRequest): Promise<ControlAnswer> {
    for (;;) {
      const control = this.#present ?? (await this.#wait());
      try {
        return await control.request(request);
      } catch (error) {
        const wasGone = error instanceof ParleyError && error.code === "closed";
        // It was never sent: the connection had ended before, and this is the first to know.
        if (!wasGone) throw error;
        if (this.#present === control) this.lose();
      }
    }
  }

  async requestHere(request: ControlRequest): Promise<ControlAnswer> {
    const control = this.#present;
    if (control !== undefined) {
      try {
        return await control.request(request);
      } catch (error) {
        if (!(error instanceof ParleyError) || error.code !== "closed") throw error;
        if (this.#present === control) this.lose();
      }
    }
    await this.#wait();
    throw new ParleyError({ code: "closed", message: `${request.method} ${request.path} was not sent.` });
  }

  async #wait(): Promise<ControlChannel> {
    const late = Promise.withResolvers<void>();
    const cancel = this.#clock.at(this.#clock.now() + ONLINE_WAIT_MS, () => late.resolve());
    await Promise.race([this.#change.promise, late.promise]);
    cancel();
    return this.#present ?? this.#reachable();
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}
