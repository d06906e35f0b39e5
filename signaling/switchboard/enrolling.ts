import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { AgentRoom } from "./agent-room.ts";
import type { Desk } from "./desk.ts";
import type { LifecycleParameters } from "./parameters.ts";
import type { RegisteredAgent } from "./registry.ts";
import type { Exchange } from "./replies.ts";

/**
 * The operator's ACTIVATE with documents. An agent that is not known is registered, active where its identity document says so, and the
 * request answered: `true`. Of one that is, a newer identity document is taken, and the rest is an ACTIVATE like any other: `false`.
 * Faults: `genesis-invalid`, `field-invalid` and the other faults of documents, `agent-mismatch`, `capacity`.
 */
export function enrol(
  desk: Desk,
  agentRoom: AgentRoom,
  exchange: Exchange,
  agentId: string,
  { genesis, identity_document: document, reason }: LifecycleParameters,
  now: number,
): Result<boolean> {
  const { registry } = desk;
  if (genesis === undefined && document === undefined) return ok(false);
  const known = registry.get(agentId);
  if (known !== undefined) return renew(desk, known, document);
  if (genesis === undefined || document === undefined) {
    const missing = genesis === undefined ? "genesis" : "identity_document";
    return refuse(
      "field-invalid",
      "An agent is registered with both of its documents.",
      `parameters.${missing}`,
    );
  }
  const agent = registry.enrol(agentId, genesis, document);
  if (!agent.ok) return agent;
  const room = agentRoom.make({ isOwn: false });
  if (!room.ok) return room;
  const entry = registry.admit(agent.value, "other");
  const { status } = agent.value;
  const facts = { agent_id: agentId, status };
  desk.replies.answer(
    exchange,
    {
      result: { ...facts, registered: true, effective_at: Math.floor(now) },
      event: "agent-registered",
      extra: { ...facts, by: "operator", ...(reason === undefined ? {} : { reason }) },
      entries: entry === undefined ? [] : [entry],
    },
    now,
  );
  return ok(true);
}

function renew(
  { registry, outputs }: Desk,
  known: RegisteredAgent,
  document: string | undefined,
): Result<false> {
  const renewed = registry.find(known.agentId, undefined, document);
  if (!renewed.ok) return renewed;
  const entry = registry.admit(renewed.value, "other");
  if (entry !== undefined) outputs.push({ kind: "append", entries: [entry] });
  return ok(false);
}
