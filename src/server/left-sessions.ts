import type { OpenSession, RecordLog } from "../../signaling/record-log.ts";
import type { LoggedSession } from "../../signaling/switchboard/left-session.ts";

/** Sessions that the log holds open and that nobody takes up here: the server's next start does. */
export class LeftSessions {
  readonly #log: Pick<RecordLog, "sessionsOf">;
  readonly #open: Map<string, OpenSession>;

  constructor(log: Pick<RecordLog, "sessionsOf">, open: Iterable<OpenSession>) {
    this.#log = log;
    this.#open = new Map([...open].map((session) => [session.sessionId, session]));
  }

  has(sessionId: string): boolean {
    return this.#open.has(sessionId);
  }

  /** Those that an agent takes part in, and gives each once: whoever takes one ends it. */
  takeOf(agentId: string): OpenSession[] {
    if (this.#open.size === 0) return [];
    return this.#log.sessionsOf(agentId, ALL, ALL).flatMap(({ sessionId }) => {
      const session = this.#open.get(sessionId);
      this.#open.delete(sessionId);
      return session ?? [];
    });
  }
}

/** Sessions that the log holds open, to be taken up. Nothing of one that cannot be read, which `failed` is told: it is then closed. */
export function* loggedSessions(
  log: Pick<RecordLog, "openSessions" | "landmarks" | "sessionRecords">,
  failed: (error: unknown) => void,
): Generator<LoggedSession> {
  const landmarksOf = ({ sessionId, state }: OpenSession) => {
    if (state === undefined) return [];
    try {
      return log.landmarks(sessionId);
    } catch (error) {
      failed(error);
      return [];
    }
  };
  for (const open of log.openSessions()) {
    const [first] = log.sessionRecords(open.sessionId, 0, 1);
    yield { ...open, landmarks: landmarksOf(open), first };
  }
}

const ALL = Number.MAX_SAFE_INTEGER;
