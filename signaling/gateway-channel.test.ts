import { describe, expect, it } from "vitest";
import { readGatewayNotice, readGatewayOrder } from "./gateway-channel.ts";

const AGENT = "a".repeat(64);

describe("what a gateway says", () => {
  it.each([
    { type: "call", state: "ringing" },
    {
      type: "call",
      state: "up",
      session_id: "sess-1",
      peer: { agent_id: AGENT, gateway: AGENT },
      gateway: { agent_id: AGENT },
    },
    { type: "call", state: "ended", reason: "hung-up", by: "peer" },
    { type: "speaking", who: "peer", speaking: true },
    { type: "end-of-turn", who: "me" },
    { type: "interrupted" },
    { type: "muted", who: "peer", muted: false },
    { type: "refused", reason: "scope", count: 3 },
    { type: "verified", frames: 1_500, refused: 0, later: "member" },
  ])("is read: $type $state", (notice) => {
    expect(readGatewayNotice(JSON.stringify(notice))).toEqual({ ok: true, value: notice });
  });

  it("of a type not known here is passed over", () => {
    expect(readGatewayNotice('{"type":"weather"}')).toEqual({ ok: true, value: undefined });
  });

  it.each([
    ["no JSON", "{", "body-malformed"],
    ["no object", '["call"]', "field-invalid"],
    ["no type", "{}", "field-invalid"],
    ["a state that is none", '{"type":"call","state":"gone"}', "field-invalid"],
    ["half a count", '{"type":"verified","frames":0.5,"refused":0}', "field-invalid"],
    ["a third end", '{"type":"muted","who":"server","muted":true}', "field-invalid"],
    ["an agent without a name", '{"type":"call","state":"up","peer":{"agent_id":"bob"}}', "field-invalid"],
  ])("is refused with %s", (_, message, code) => {
    expect(readGatewayNotice(message)).toMatchObject({ ok: false, fault: { code } });
  });
});

describe("what a peer says", () => {
  it.each([
    { type: "interrupt" },
    { type: "end-of-turn" },
    { type: "mute", muted: true },
    { type: "hang-up" },
  ])("is read: $type", (order) => {
    expect(readGatewayOrder(JSON.stringify(order))).toEqual({ ok: true, value: order });
  });

  it.each([
    ['{"type":"mute"}', "field-invalid"],
    ['{"type":"mute","muted":1}', "field-invalid"],
    ["mute", "body-malformed"],
  ])("is refused: %s", (message, code) => {
    expect(readGatewayOrder(message)).toMatchObject({ ok: false, fault: { code } });
  });

  it("that only gateways say is not known", () => {
    expect(readGatewayOrder('{"type":"interrupted"}')).toEqual({ ok: true, value: undefined });
  });
});
