import { isJsonObject, type JsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyGenesis } from "../../signaling/genesis.ts";
import { type EventPayload, verifyLifeEvent } from "../../signaling/life-events.ts";

/** A server whose events are believed. */
export interface EventSource {
  /** Its Agent-ID, from a source you trust: `parley serve` prints it. */
  readonly agentId: string;
  /** Its Genesis, from anywhere: `/events` has it. It must hash to the Agent-ID. */
  readonly genesis: string;
}

/**
 * Reads the body of a webhook's request, or of an answer of `/events`: every event in it, each checked to be that server's, in
 * ascending order. Throws `body-malformed`, `genesis-invalid`, `signature-invalid`, `field-invalid`; then believe nothing of it.
 */
export function readEvents(body: string | Uint8Array, source: EventSource): EventPayload[] {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const parsed = parseJson(bytes);
  const texts = parsed.ok && isJsonObject(parsed.value) ? textsOf(parsed.value) : undefined;
  if (texts === undefined)
    throw new ParleyError({ code: "body-malformed", message: "These are no events.", at: "events" });
  const genesis = verifyGenesis(encoder.encode(source.genesis), source.agentId, verifier);
  if (!genesis.ok) throw new ParleyError(genesis.fault);
  const server = { agentId: source.agentId, publicKey: genesis.value.agentKey };
  const events = texts.map((text, i) => {
    const event = verifyLifeEvent(text, server, verifier);
    if (event.ok) return event.value;
    throw new ParleyError({ ...event.fault, at: `events[${i}] ${event.fault.at ?? ""}`.trimEnd() });
  });
  return events.sort((a, b) => a.seq - b.seq);
}

function textsOf({ events }: JsonObject): string[] | undefined {
  const isList = Array.isArray(events) && events.every((event) => typeof event === "string");
  return isList ? (events as string[]) : undefined;
}

const encoder = new TextEncoder();
