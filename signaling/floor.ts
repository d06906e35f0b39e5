import { type Result, refuse } from "../codecs/result.ts";

/**
 * Methods of the floor that every AGTP service takes at `/` and that this one can only refuse, with what it lacks for them.
 * They are asked for at `/`; at any other path they are as little allowed as any verb without a route.
 */
const LACKING: ReadonlyMap<string, { readonly missing: string; readonly explanation: string }> = new Map([
  ["SUMMARIZE", { missing: "language-model", explanation: "Nothing here reads or writes text of its own." }],
  ["PLAN", { missing: "language-model", explanation: "Nothing here plans: this server carries calls." }],
  ["EXECUTE", { missing: "task-runner", explanation: "This server runs no tasks: it carries calls." }],
  [
    "DELEGATE",
    { missing: "delegation", explanation: "A call is between two agents; authority is not passed on here." },
  ],
  [
    "ESCALATE",
    { missing: "escalation-handler", explanation: "No person or agent stands behind this server to decide." },
  ],
]);

/** The methods {@link refuseFloorMethod} refuses. */
export const REFUSED_FLOOR_METHODS: readonly string[] = [...LACKING.keys(), "PROPOSE"];

/**
 * The refusal of a floor method at `/` that cannot be served: `synthesis-disabled` as the reason of 463 for PROPOSE, else
 * `method-unserved` with `details.missing`. `undefined` for every other method and path.
 */
export function refuseFloorMethod(method: string, path: string): Result<never> | undefined {
  if (path !== "/") return undefined;
  if (method === "PROPOSE") {
    return refuse(
      "proposal-rejected",
      "The endpoints of this server are fixed: none is synthesised.",
      "method",
      {
        reason: "synthesis-disabled",
      },
    );
  }
  const lack = LACKING.get(method);
  if (lack === undefined) return undefined;
  return refuse("method-unserved", lack.explanation, "method", { method, missing: lack.missing });
}
