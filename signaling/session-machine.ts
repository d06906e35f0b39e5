import { ok, type Result, refuse } from "../codecs/result.ts";

/** `none` is "no such session"; `rejected`, `expired` and `terminated` are final. */
export const SESSION_STATES = [
  "none",
  "establishing",
  "active",
  "suspended",
  "detached",
  "rejected",
  "expired",
  "terminated",
] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/** Everything that can happen to a session. */
export const SESSION_TRIGGERS = [
  "establish",
  "checks-passed",
  "check-failed",
  "control",
  "suspend",
  "resume",
  "resume-deadline",
  "persistent-transport-lost",
  "reattach",
  "bounded-transport-lost",
  "terminate",
  "identity-revoked",
  "scope-violation",
  "ttl-elapsed",
  "inactivity",
  "detach-limit",
  "agent-deactivated",
  "shutdown",
] as const;
export type SessionTrigger = (typeof SESSION_TRIGGERS)[number];

/** One row of the machine (`spec/agtp.md` 2.5). */
export interface Transition {
  /** `T1` to `T17`. */
  readonly id: string;
  readonly from: readonly SessionState[];
  readonly trigger: SessionTrigger;
  readonly to: SessionState;
  /** What the server does when it takes this transition. */
  readonly duty: string;
  /** The reason the final record and `session-ended` carry, where the transition alone decides it. */
  readonly reason?: string;
}

const LIVE = ["active", "suspended", "detached"] as const;

/** The machine: every transition there is. Whatever is not listed is refused by {@link step}. */
export const TRANSITIONS: readonly Transition[] = [
  {
    id: "T1",
    from: ["none"],
    trigger: "establish",
    to: "establishing",
    duty: "run the checks in order; nothing is visible yet",
  },
  {
    id: "T2",
    from: ["establishing"],
    trigger: "checks-passed",
    to: "active",
    duty: "fix the core, install the flows, write the root record, answer 200",
  },
  {
    id: "T3",
    from: ["establishing"],
    trigger: "check-failed",
    to: "rejected",
    duty: "answer the refusal; no session id is told to the caller",
  },
  {
    id: "T4",
    from: ["active"],
    trigger: "control",
    to: "active",
    duty: "verify identity and scope again, record with the session id, reset the idle timer",
  },
  {
    id: "T5",
    from: ["active"],
    trigger: "suspend",
    to: "suspended",
    duty: "stop media both ways, keep the terms, issue a single-use nonce, tell the peer",
  },
  {
    id: "T6",
    from: ["suspended"],
    trigger: "resume",
    to: "active",
    duty: "burn the nonce first; verify identity, revocation, scope and lifetime again",
  },
  {
    id: "T7",
    from: ["suspended"],
    trigger: "resume-deadline",
    to: "expired",
    duty: "write the final record; a later RESUME is answered 408",
    reason: "resume-expired",
  },
  {
    id: "T8",
    from: ["active"],
    trigger: "persistent-transport-lost",
    to: "detached",
    duty: "stop sending, tell the peer, record it; keep the state until the detach limit or the end of its lifetime",
  },
  {
    id: "T9",
    from: ["detached"],
    trigger: "reattach",
    to: "active",
    duty: "verify identity, standing and scope as for a new connection and bind the leg to it; taken once both ends are there",
  },
  {
    id: "T10",
    from: ["active"],
    trigger: "bounded-transport-lost",
    to: "terminated",
    duty: "tell the peer, write the final record (a connection that was lost, not closed: once another one was waited for in vain)",
    reason: "transport-closed",
  },
  {
    id: "T11",
    from: LIVE,
    trigger: "terminate",
    to: "terminated",
    duty: "take the closing statement, tell the peer, write the final record with the given reason",
  },
  {
    id: "T12",
    from: LIVE,
    trigger: "identity-revoked",
    to: "terminated",
    duty: "end before the next request on the session; a certificate's revocation or end is named as such",
    reason: "identity-revoked",
  },
  {
    id: "T13",
    from: ["active"],
    trigger: "scope-violation",
    to: "terminated",
    duty: "tell both ends, write the final record",
    reason: "scope-violation",
  },
  {
    id: "T14",
    from: LIVE,
    trigger: "ttl-elapsed",
    to: "expired",
    duty: "judged by the server's clock; tell both ends, write the final record; suspended and detached sessions live no longer than others",
    reason: "ttl-expired",
  },
  {
    id: "T15",
    from: ["active"],
    trigger: "inactivity",
    to: "terminated",
    duty: "60 s without control, media, checkpoints or receipts; tell both ends, write the final record",
    reason: "inactivity",
  },
  {
    id: "T15",
    from: ["detached"],
    trigger: "detach-limit",
    to: "terminated",
    duty: "an end did not come back within the limit T8 names, which stands for the idle limit there; tell both ends, write the final record",
    reason: "detach-expired",
  },
  {
    id: "T16",
    from: ["active"],
    trigger: "agent-deactivated",
    to: "terminated",
    duty: "as T12; later requests of that agent are answered 503 or 410",
    reason: "agent-deactivated",
  },
  {
    id: "T17",
    from: LIVE,
    trigger: "shutdown",
    to: "terminated",
    duty: "tell both ends, write the final record (persistent sessions only where the operator says so: else they detach, as T8, until the server's next start)",
    reason: "server-shutdown",
  },
];

/** Takes one step, or names why it is illegal (`spec/agtp.md` 2.6); `details.state` is the present state. */
export function step(state: SessionState, trigger: SessionTrigger): Result<Transition> {
  const transition = BY_TRIGGER.get(trigger);
  if (transition?.from.includes(state)) return ok(transition);
  const code = refusalOf(state, trigger);
  return refuse(code, `${trigger} is illegal while the session is ${state}`, undefined, { state });
}

/** True when nothing can happen to the session any more. */
export function isFinal(state: SessionState): boolean {
  return state === "rejected" || state === "expired" || state === "terminated";
}

/** The refusal of a trigger no row allows in this state. */
function refusalOf(state: SessionState, trigger: SessionTrigger): RefusalCode {
  switch (state) {
    // A rejected ESTABLISH leaves nothing behind, so both look the same from outside.
    case "none":
    case "rejected":
      return "session-not-found";
    case "expired":
      return trigger === "resume" ? "resume-expired" : "session-terminated";
    case "terminated":
      return "session-terminated";
    default:
      return "session-state-conflict";
  }
}

type RefusalCode = "session-not-found" | "resume-expired" | "session-terminated" | "session-state-conflict";

const BY_TRIGGER: ReadonlyMap<SessionTrigger, Transition> = new Map(
  TRANSITIONS.map((transition) => [transition.trigger, transition]),
);
