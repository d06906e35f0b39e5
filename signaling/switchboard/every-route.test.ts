import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { HeaderField } from "../../codecs/headers.ts";
import type { AgtpResponse } from "../../codecs/message.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import type { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { BOB, must } from "../../test/signed-call.ts";
import { readRecord } from "../attribution.ts";
import { ROUTES } from "../paths.ts";

/** Methods that change nothing. */
const READING = new Set(["QUERY", "DISCOVER", "DESCRIBE", "INSPECT"]);

/** Asks for a route as Alice, who has proved herself and is in a call with Bob. */
function ask(route: string, headers: readonly HeaderField[] = []): AgtpResponse {
  const { alice, sessionId } = new CallScene();
  const [method = "", pattern = ""] = route.split(" ");
  const path = pattern
    .replace("{agent_id}", alice.id)
    .replace("{session_id}", sessionId)
    .replace("{stream}", "1")
    .replace("{peer_id}", "p1")
    .replace("{offer_id}", alice.newUuid());
  const asked = alice.ask(method, path, parametersOf(method, alice), { proof: true, headers });
  const [answer] = asked.raw;
  if (answer === undefined) throw new Error(`${route} is not answered`);
  return answer;
}

/** ESTABLISH is answered at once only when it is refused. */
function parametersOf(method: string, alice: SignalingPeer): JsonObject {
  if (method !== "ESTABLISH") return {};
  return { target_agent_id: BOB.genesis.agentId, offer: alice.offer(BOB) };
}

function said({ status, body }: AgtpResponse): string {
  const { error } = JSON.parse(new TextDecoder().decode(body));
  return `${status} ${error?.code}`;
}

const recordOf = ({ headers }: AgtpResponse) => must(readRecord(String(headers.get("Attribution-Record"))));

describe.each(ROUTES)("%s", (route) => {
  const isEstablish = route.startsWith("ESTABLISH ");

  test("is refused with a scope that is none, and the record says so", () => {
    const answer = ask(route, [["Authority-Scope", "Audio"]]);
    expect(said(answer)).toBe("400 scope-malformed");
    expect(recordOf(answer)).toMatchObject({ status: 400, event: "scope-malformed" });
  });

  test("is refused with a scope beyond the identity document, and the record says so", () => {
    const answer = ask(route, [["Authority-Scope", "communication:audio:capture, payments:all"]]);
    expect(said(answer)).toBe("262 scope-claim-invalid");
    expect(recordOf(answer)).toMatchObject({ status: 262, event: "scope-claim-invalid" });
  });

  test("is refused with another owner than the agent's", () => {
    expect(said(ask(route, [["Owner-ID", "somebody.else"]]))).toBe("401 agent-mismatch");
  });

  test(`names ${READING.has(route.split(" ")[0] as string) ? "no action" : "an action"}`, () => {
    const answer = ask(route, isEstablish ? [["Session-Intent", "commerce"]] : []);
    const action = answer.headers.get("Action-ID");
    expect(action === undefined).toBe(READING.has(route.split(" ")[0] as string));
    expect(recordOf(answer).action_id).toBe(action);
  });
});
