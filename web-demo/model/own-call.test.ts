import { expect, it } from "vitest";
import { OwnCall } from "./own-call.ts";
import { FIRST_STATE, type PageState, withNotice } from "./page-state.ts";
import { Store } from "./store.ts";

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
