import { expect, it } from "vitest";
import {
  type CallPhase,
  FIRST_STATE,
  isBusy,
  newCall,
  rootFacts,
  wayOf,
  withMessage,
  withNotice,
} from "./page-state.ts";
import { Store } from "./store.ts";

it.each<[CallPhase, boolean]>([
  ["calling", true],
  ["ringing", true],
  ["returning", true],
  ["up", true],
  ["ending", true],
  ["ended", false],
  ["failed", false],
])("is busy while a call is %s: %s", (phase, busy) => {
  expect(isBusy({ ...FIRST_STATE, call: { ...newCall("e", "Echo"), phase } })).toBe(busy);
});

it("numbers notices and messages, and keeps the newest two hundred", () => {
  let call = newCall("e", "Echo");
  for (let at = 1; at <= 250; at += 1) {
    call = withNotice(call, `notice ${at}`);
    call = withMessage(call, { mine: true, value: at, at });
  }
  expect([call.notices.length, call.notices[0]?.id, call.notices.at(-1)?.id]).toEqual([200, 51, 250]);
  expect([call.messages.length, call.messages.at(-1)?.id]).toEqual([200, 250]);
});

it("tells line, call, carrier and how calls are made for the page's root", () => {
  expect(rootFacts(FIRST_STATE)).toEqual({ line: "starting", state: "idle", carrier: "none", way: "signed" });
  const call = { ...newCall("e", "Echo"), phase: "up" as const };
  const line = { kind: "online", carrier: "websocket", why: "" } as const;
  expect(rootFacts({ ...FIRST_STATE, line, call })).toEqual({
    line: "online",
    way: "signed",
    state: "up",
    carrier: "websocket",
  });
});

it("tells who listens of every change, until they leave", () => {
  const store = new Store({ one: 1, two: 2 });
  const seen: object[] = [];
  const leave = store.subscribe((state) => seen.push(state));
  store.set({ two: 3 });
  leave();
  store.set({ one: 9 });
  expect(seen).toEqual([{ one: 1, two: 3 }]);
  expect(store.state).toEqual({ one: 9, two: 3 });
});

it("makes calls over WebRTC where people want that and the server does it", () => {
  const wanted = { ...FIRST_STATE, way: "gateway" } as const;
  expect(wayOf(wanted)).toBe("gateway");
  expect(rootFacts({ ...wanted, gatewayOff: "No worker is set up." }).way).toBe("signed");
  // A call that is up goes on as it was made.
  expect(rootFacts({ ...wanted, call: newCall("e", "Echo") }).way).toBe("signed");
});
