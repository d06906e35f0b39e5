import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ERRORS } from "../codecs/error-codes.ts";
import {
  isFinal,
  SESSION_STATES,
  SESSION_TRIGGERS,
  type SessionState,
  type SessionTrigger,
  step,
  TRANSITIONS,
} from "./session-machine.ts";
import { renderStates } from "./session-machine-doc.ts";

/** `spec/agtp.md` 2.5, written out a second time: row, states it starts from, trigger, state it leads to. */
const SPEC: readonly [string, readonly SessionState[], SessionTrigger, SessionState][] = [
  ["T1", ["none"], "establish", "establishing"],
  ["T2", ["establishing"], "checks-passed", "active"],
  ["T3", ["establishing"], "check-failed", "rejected"],
  ["T4", ["active"], "control", "active"],
  ["T5", ["active"], "suspend", "suspended"],
  ["T6", ["suspended"], "resume", "active"],
  ["T7", ["suspended"], "resume-deadline", "expired"],
  ["T8", ["active"], "persistent-transport-lost", "detached"],
  ["T9", ["detached"], "reattach", "active"],
  ["T10", ["active"], "bounded-transport-lost", "terminated"],
  ["T11", ["active", "suspended", "detached"], "terminate", "terminated"],
  ["T12", ["active", "suspended", "detached"], "identity-revoked", "terminated"],
  ["T13", ["active"], "scope-violation", "terminated"],
  ["T14", ["active", "suspended", "detached"], "ttl-elapsed", "expired"],
  ["T15", ["active"], "inactivity", "terminated"],
  ["T15", ["detached"], "detach-limit", "terminated"],
  ["T16", ["active"], "agent-deactivated", "terminated"],
  ["T17", ["active", "suspended", "detached"], "shutdown", "terminated"],
];

describe("the session machine", () => {
  test.each(SPEC)("%s: %s on %s leads to %s", (id, from, trigger, to) => {
    for (const state of from) {
      const outcome = step(state, trigger);
      expect(outcome.ok && { id: outcome.value.id, to: outcome.value.to }).toEqual({ id, to });
    }
  });

  test("has these 17 rows and no other", () => {
    expect(TRANSITIONS.map(({ id, from, trigger, to }) => [id, from, trigger, to])).toEqual(SPEC);
  });

  test.each(SESSION_STATES.flatMap((state) => SESSION_TRIGGERS.map((trigger) => [state, trigger] as const)))(
    "%s, %s: a row, or a refusal by name",
    (state, trigger) => {
      const legal = SPEC.some(([, from, on]) => on === trigger && from.includes(state));
      const outcome = step(state, trigger);
      expect(outcome.ok).toBe(legal);
      if (outcome.ok) return;
      expect(outcome.fault.code).toBe(expectedRefusal(state, trigger));
      expect(outcome.fault.details).toEqual({ state });
    },
  );

  test("every ending but TERMINATE, whose caller gives one, has its reason", () => {
    for (const row of TRANSITIONS) {
      const needsReason = isFinal(row.to) && !["terminate", "check-failed"].includes(row.trigger);
      expect(row.reason !== undefined, row.id).toBe(needsReason);
    }
  });

  test("docs/states.md is current", () => {
    expect(readFileSync(new URL("../docs/states.md", import.meta.url), "utf8")).toBe(renderStates());
  });
});

/** `spec/agtp.md` 2.6. */
function expectedRefusal(state: SessionState, trigger: SessionTrigger): keyof typeof ERRORS {
  if (state === "none" || state === "rejected") return "session-not-found";
  if (state === "expired" && trigger === "resume") return "resume-expired";
  return state === "expired" || state === "terminated" ? "session-terminated" : "session-state-conflict";
}
