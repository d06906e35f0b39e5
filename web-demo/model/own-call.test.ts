import { expect, it } from "vitest";
import { OwnCall } from "./own-call.ts";
import { FIRST_STATE, type PageState, withNotice } from "./page-state.ts";
import { Store } from "./store.ts";
import { RECORDING_IS_FULL } from "./wav.ts";

it("an earlier call says nothing into the next one, nor into the page without a call", () => {
  const store = new Store<PageState>(FIRST_STATE);
  const begin = (name: string) => new OwnCall(store, { agentId: name, name });
  const say = (call: OwnCall, text: string) => call.update((state) => withNotice(state, text));
  const first = begin("Ada");
  say(first, "one");
  const second = begin("Bob");
  say(first, "a late word");
  say(second, "two");
  expect(store.state.call).toMatchObject({ peerName: "Bob", notices: [{ text: "two" }] });
  expect([first.isShown, second.isShown]).toEqual([false, true]);
  expect(first.state.notices).toHaveLength(1);
  store.set({ call: undefined });
  say(second, "a late word");
  expect(store.state.call).toBeUndefined();
});

it("says once that the recording is full, and shows whole seconds of it", () => {
  const store = new Store<PageState>(FIRST_STATE);
  const call = new OwnCall(store, { agentId: "Ada", name: "Ada" });
  call.recorded({ overflowed: false, seconds: 1.9 });
  expect(store.state.call).toMatchObject({ recordedSeconds: 1, recordingFull: false, notices: [] });
  call.recorded({ overflowed: true, seconds: 2 });
  call.recorded({ overflowed: true, seconds: 2 });
  const full = { recordedSeconds: 2, recordingFull: true, notices: [{ text: RECORDING_IS_FULL }] };
  expect(store.state.call).toMatchObject(full);
});

it("ends with its sentence, once it was up, and is not told after that that the server stops", () => {
  const store = new Store<PageState>(FIRST_STATE);
  const call = new OwnCall(store, { agentId: "Ada", name: "Ada" });
  call.ending();
  call.serverStops(undefined);
  expect(store.state.call).toMatchObject({ phase: "calling", notices: [] });
  call.update((state) => ({ ...state, phase: "up" }));
  call.serverStops(undefined);
  call.serverStops(0);
  const texts = store.state.call?.notices.map(({ text }) => text);
  expect(texts).toEqual([
    "The server is about to stop.",
    expect.stringMatching(/^The server is about to stop\. This call can go on until .*\d.*\.$/),
  ]);
  call.ending();
  expect(store.state.call?.phase).toBe("ending");
  const outcome = { sentence: "You hung up.", code: "hung-up" };
  call.ended(outcome, 3.5);
  call.serverStops(undefined);
  expect(store.state.call).toMatchObject({ phase: "ended", outcome, recordedSeconds: 3.5 });
  expect(store.state.call?.notices).toHaveLength(2);
});
