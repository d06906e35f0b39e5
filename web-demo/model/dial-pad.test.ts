import { expect, it } from "vitest";
import { aboutEntry, dialEntries } from "./dial-pad.ts";

const listing = (agentId: string, name: string, online = true) => ({ agentId, name, online });

it("lists residents first, then others by name, without oneself and those who are away", () => {
  const residents = [
    { agent_id: "e", name: "Echo", kind: "echo" },
    { agent_id: "r", name: "Reader", kind: "reader" },
  ];
  const directory = [
    listing("b", "Zoë"),
    listing("a", "Ada"),
    listing("c", "Ada"),
    listing("d", "Gone", false),
    listing("e", "Echo"),
    listing("me", "Me"),
    listing("r", "Reader", false),
  ];
  const entries = dialEntries("me", residents, directory);
  expect(entries.map(({ agentId, online }) => [agentId, online])).toEqual([
    ["e", true],
    ["r", false],
    ["a", true],
    ["c", true],
    ["b", true],
  ]);
});

it("trusts that residents are online where the directory is silent, as a closed one is", () => {
  expect(dialEntries(undefined, [{ agent_id: "e", name: "Echo", kind: "echo" }], [])).toEqual([
    { agentId: "e", name: "Echo", resident: "echo", online: true },
  ]);
});

it("says of each what it is", () => {
  const about = (resident: string | undefined) =>
    aboutEntry({ agentId: "x", name: "X", resident, online: true });
  expect(new Set(["echo", "reader", "other", undefined].map(about)).size).toBe(4);
});
