import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Relay } from "../../sfu/relay.ts";
import type { AdmissionMessage, AdmissionRow, ConnectionId } from "../../signaling/admission.ts";
import type { OutgoingItems } from "./outgoing-items.ts";

/** How long the news may take, ms, that a listener's connection is gone with which its stream broke. */
const LOSS_NEWS_MS = 1_000;

export interface ListenerRoomOptions {
  readonly clock: Clock;
  readonly relay: Relay;
  readonly items: (id: ConnectionId) => OutgoingItems | undefined;
}

/** What reliable streams wait for, unread: a listener that is there, takes them, and has room. */
export class ListenerRoom {
  readonly #options: ListenerRoomOptions;
  /** Sessions with reliable streams that wait for news. */
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();

  constructor(options: ListenerRoomOptions) {
    this.#options = options;
  }

  /** Sessions with something that waits for news. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * What to wait for before a frame that came on this flow is judged: a listener with a connection for media, a session that is not held, and that what
   * goes again leaves room. `undefined` where there is nothing to wait for, and where the stream is not reliable.
   */
  before(connection: ConnectionId, flow: number): Promise<void> | undefined {
    const { relay, items } = this.#options;
    const row = relay.row(connection, flow);
    if (row?.reliable !== true) return undefined;
    const state = relay.stateOf(row.sessionId);
    const isUnheard = row.egress.length === 0 || row.held === true;
    if (state === "held" || (state === "active" && isUnheard)) return this.#change(row.sessionId);
    for (const leg of row.egress) {
      const room = items(leg.connection)?.room(leg.flow);
      if (room !== undefined) return room;
    }
    return undefined;
  }

  /** What to wait for before more of a reliable stream is read; nothing while its listeners keep up. Rejects with `data-stalled` when one takes no more at all. */
  after(row: AdmissionRow): Promise<void> | undefined {
    if (this.#isBroken(row)) return this.#newsOfListener(row);
    let room: Promise<void> | undefined;
    for (const { connection, flow } of row.egress) {
      const wait = this.#options.items(connection)?.room(flow);
      if (wait !== undefined)
        room = room === undefined ? wait : Promise.all([room, wait]).then(() => undefined);
    }
    return room;
  }

  /** What waited for news of a session looks again. */
  take(message: AdmissionMessage): void {
    const sessionId = sessionToReadOn(message);
    if (sessionId === undefined) return;
    this.#waiting.get(sessionId)?.resolve();
    this.#waiting.delete(sessionId);
  }

  /** A listener takes no more of the stream on its present connection. */
  #isBroken({ egress }: AdmissionRow): boolean {
    return egress.some(({ connection, flow }) => this.#options.items(connection)?.isBroken(flow) ?? true);
  }

  /** Resolves when the connection of a listener is known to be gone, with which its stream broke. Throws `data-stalled` when it stands. */
  async #newsOfListener({ sessionId, connection, flow }: AdmissionRow): Promise<void> {
    const { clock, relay } = this.#options;
    const late = Promise.withResolvers<"late">();
    const cancel = clock.at(clock.now() + LOSS_NEWS_MS, () => late.resolve("late"));
    try {
      for (;;) {
        const outcome = await Promise.race([this.#change(sessionId), late.promise]);
        const row = relay.row(connection, flow);
        if (row === undefined || !this.#isBroken(row)) return;
        if (relay.stateOf(sessionId) === "ended") return;
        if (outcome === "late") {
          throw new ParleyError({ code: "data-stalled", message: "A listener takes no more of the stream." });
        }
      }
    } finally {
      cancel();
    }
  }

  /** Resolves when something about the session changes. */
  #change(sessionId: string): Promise<void> {
    const waiting = this.#waiting.get(sessionId) ?? Promise.withResolvers<void>();
    this.#waiting.set(sessionId, waiting);
    return waiting.promise;
  }
}

/** The session whose reliable streams may be read on after this message. */
function sessionToReadOn(message: AdmissionMessage): string | undefined {
  switch (message.kind) {
    case "move":
      return message.row.sessionId;
    case "state":
    case "hold":
    case "lift":
    case "remove":
      return message.sessionId;
    default:
      return undefined;
  }
}
