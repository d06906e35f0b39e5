import type { JsonValue } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { ControlChannel } from "./control.ts";

/** A session of this agent that is not over, as the server tells. */
export interface SessionListing {
  readonly sessionId: string;
  /** This agent's: 0 where it called. */
  readonly leg: 0 | 1;
  /** `active`, `suspended`, or `detached`: an end of it has no connection. */
  readonly state: string;
  /** A bounded one ends when an end is away for 10 s; a persistent one is kept for longer. */
  readonly model: "bounded" | "persistent";
  /** Agent-ID of the other end. */
  readonly peer: string;
  /** Agent-ID of the gateway that takes part for this agent, where one does: nobody else takes the session up. */
  readonly gateway?: string;
  /** Whether a process of this agent has a connection for it now. */
  readonly attached: boolean;
  /** How often such a connection was asked for, at least. */
  readonly attachSeq: number;
  /** Generation of this agent's media key in force. */
  readonly generation: number;
  /** Unix milliseconds by the server's clock. */
  readonly expiresAt: number;
}

/** The agent's sessions that are not over. Throws `body-malformed`, or the refusal. */
export async function listSessions(control: ControlChannel): Promise<SessionListing[]> {
  const { result } = await control.request({ method: "QUERY", path: "/" });
  const { sessions } = result;
  if (!Array.isArray(sessions)) throw malformed("sessions");
  return sessions.map((entry, index) => readListing(entry, `sessions[${index}]`));
}

function readListing(entry: JsonValue, at: string): SessionListing {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) throw malformed(at);
  const fields = entry as Readonly<Record<string, JsonValue>>;
  const text = (name: string): string => {
    const value = fields[name];
    if (typeof value !== "string") throw malformed(`${at}.${name}`);
    return value;
  };
  const count = (name: string): number => {
    const value = fields[name];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
      throw malformed(`${at}.${name}`);
    return value;
  };
  return {
    sessionId: text("session_id"),
    leg: count("leg") === 0 ? 0 : 1,
    state: text("state"),
    model: text("model") === "persistent" ? "persistent" : "bounded",
    peer: text("peer"),
    ...(typeof fields.gateway === "string" ? { gateway: fields.gateway } : {}),
    attached: fields.attached === true,
    attachSeq: count("attach_seq"),
    generation: count("generation"),
    expiresAt: count("expires_at") * 1000,
  };
}

function malformed(at: string): ParleyError {
  return new ParleyError({
    code: "body-malformed",
    message: "The server's list of sessions is not one.",
    at,
  });
}
