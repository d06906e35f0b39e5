import { expect, it } from "vitest";
import { ERRORS } from "../../codecs/error-codes.ts";
import { REFUSALS } from "../../signaling/admission.ts";
import { messageFrom, messageText } from "./data-message.ts";
import { fullFingerprint, picture, shortFingerprint } from "./fingerprint.ts";
import { guestName, nameFrom } from "./own-name.ts";
import { clockText, endSentence, FAILED, failureSentence, qualitySentence, refusalWords } from "./words.ts";

it("has words for every reason a frame can be refused for", () => {
  for (const reason of REFUSALS) expect(refusalWords(reason), reason).not.toBe(reason);
  expect(refusalWords("something-new")).toBe("something-new");
});

it("has its own words for codes that exist, and the library's message for the rest", () => {
  for (const code of Object.keys(FAILED)) expect(Object.keys(ERRORS), code).toContain(code);
  expect(failureSentence("callee-busy", "x")).toBe("This agent is busy.");
  expect(failureSentence("field-invalid", "The name is empty.")).toBe("The name is empty.");
});

it.each([
  ["hung-up", "me", "You hung up."],
  ["hung-up", "peer", "Echo hung up."],
  ["connection-lost", "server", "The connection to the server was lost."],
  ["transport-closed", "server", "The other end's connection was lost."],
  ["moved", "server", "You went on with this call in another tab."],
  ["detach-expired", "server", "Nobody came back to it in time."],
  ["agent-closed", "me", "You went offline here."],
  ["agent-closed", "peer", "Echo ended the call: the agent went offline."],
  ["quota-used-up", "server", "Quota used up."],
] as const)("says of a call ended as %s by %s: %s", (reason, by, sentence) => {
  expect(endSentence({ reason, by }, "Echo")).toBe(sentence);
});

it("sends JSON as it stands and everything else as text", () => {
  expect(messageFrom(' {"read": "hello"} ')).toEqual({ read: "hello" });
  expect(messageFrom("[1, 2]")).toEqual([1, 2]);
  expect(messageFrom("42")).toEqual({ text: "42" });
  expect(messageFrom("{ not json")).toEqual({ text: "{ not json" });
  expect(messageFrom("  \n")).toBeUndefined();
});

it("shows a lone text as itself and everything else as JSON", () => {
  expect(messageText({ text: "hello" })).toBe("hello");
  expect(messageText({ text: "hello", more: 1 })).toContain('"more": 1');
  expect(messageText({ text: 4 })).toContain('"text": 4');
  expect(messageText([1])).toBe("[\n  1\n]");
});

it("groups keys for the eye, and draws them alike on both sides", () => {
  const key = "0123456789abcdef".repeat(4);
  expect(shortFingerprint(key)).toBe("0123 4567 89ab cdef");
  expect(fullFingerprint(key).replaceAll(" ", "")).toBe(key);
  const cells = picture(key);
  expect(cells).toHaveLength(25);
  for (let row = 0; row < 5; row += 1) {
    const line = cells.slice(row * 5, row * 5 + 5);
    expect(line.toReversed()).toEqual(line);
  }
});

it("keeps names on one line and of a length, and finds one for guests", () => {
  expect(nameFrom("  Ada \n Lovelace\u0007 ")).toBe("Ada Lovelace");
  expect(nameFrom(" \t ")).toBeUndefined();
  expect(nameFrom("x".repeat(100))).toHaveLength(40);
  expect(guestName(Uint8Array.of(0, 1, 2, 255))).toMatch(/^Guest [2-9A-Z]{4}$/);
});

it("tells time in minutes and seconds", () => {
  expect([0, 59_999, 60_000, 3_725_000, -5].map(clockText)).toEqual([
    "0:00",
    "0:59",
    "1:00",
    "62:05",
    "0:00",
  ]);
});

it("says who hears badly and why, and that it is over", () => {
  const told = { degraded: true, reason: "loss" };
  expect(qualitySentence(told, "me", "Ada")).toBe("You hear Ada badly: frames are lost on the way.");
  expect(qualitySentence({ ...told, reason: "new-reason" }, "peer", "Ada")).toBe(
    "Ada hears you badly: new reason.",
  );
  expect(qualitySentence({ ...told, degraded: false }, "peer", "Ada")).toBe("Ada hears you well again.");
});
