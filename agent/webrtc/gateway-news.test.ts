import { expect, it } from "vitest";
import type { GatewayNotice } from "../../signaling/gateway-channel.ts";
import { TypedEvents } from "../typed-events.ts";
import { type GatewayCallEvents, GatewayNews } from "./gateway-news.ts";

const TOLD = ["speaking", "end-of-turn", "interrupted", "muted", "refused", "verified"] as const;

function scene() {
  const log: unknown[] = [];
  const events = new TypedEvents<GatewayCallEvents>((error) => expect.unreachable(String(error)));
  for (const name of TOLD) events.on(name, (event) => log.push([name, event]));
  const news = new GatewayNews(events, {
    ended: (end) => log.push(["ended", end]),
    report: (error) => log.push(["reported", (error as { code: string }).code]),
  });
  /** What is told of it. */
  const heard = (notice: GatewayNotice | string) => {
    news.heard(typeof notice === "string" ? notice : JSON.stringify(notice));
    return log.splice(0);
  };
  return { heard, news };
}

it("tells what the gateway says, and how it stands", () => {
  const { heard, news } = scene();
  expect(heard({ type: "speaking", who: "me", speaking: true })).toEqual([
    ["speaking", { who: "me", speaking: true }],
  ]);
  expect(heard({ type: "speaking", who: "peer", speaking: true })).toHaveLength(1);
  expect(heard({ type: "speaking", who: "me", speaking: false })).toHaveLength(1);
  expect(news.speaking).toEqual({ me: false, peer: true });
  expect(heard({ type: "end-of-turn", who: "peer" })).toEqual([["end-of-turn", { who: "peer" }]]);
  expect(heard({ type: "interrupted" })).toEqual([["interrupted", {}]]);
  expect(heard({ type: "muted", who: "peer", muted: true })).toEqual([
    ["muted", { who: "peer", muted: true }],
  ]);
  expect(heard({ type: "refused", reason: "epoch", count: 3 })).toEqual([
    ["refused", { reason: "epoch", count: 3 }],
  ]);
  expect(news.verified).toEqual({ frames: 0, refused: 0 });
  expect(heard({ type: "verified", frames: 50, refused: 1 })).toEqual([
    ["verified", { frames: 50, refused: 1 }],
  ]);
  expect(news.verified).toEqual({ frames: 50, refused: 1 });
});

it("tells the last word alone of how the call stands", () => {
  const { heard } = scene();
  expect(heard({ type: "call", state: "up" })).toEqual([]);
  expect(heard({ type: "call", state: "ended", reason: "hung-up", by: "peer" })).toEqual([
    ["ended", { reason: "hung-up", by: "peer" }],
  ]);
  expect(heard({ type: "call", state: "ended" })).toEqual([["ended", { reason: "done", by: "server" }]]);
});

it("passes over what it does not know, and reports what is no notice", () => {
  const { heard, news } = scene();
  expect(heard('{"type":"weather","rain":true}')).toEqual([]);
  expect(heard("hello")).toEqual([["reported", "body-malformed"]]);
  expect(heard('{"type":"speaking","who":"them","speaking":true}')).toEqual([["reported", "field-invalid"]]);
  expect(news.speaking).toEqual({ me: false, peer: false });
});
