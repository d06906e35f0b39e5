import { expect, it } from "vitest";
import { pageOrigin } from "./page-origin.ts";

const OWN = [
  "https://127.0.0.1:4480",
  "http://127.0.0.1:8480",
  "http://localhost:8480",
  "https://media.example",
];

it.each([
  [false, "127.0.0.1:8480", "http://127.0.0.1:8480"],
  [false, "LOCALHOST:8480", "http://localhost:8480"],
  // Behind a proxy that ends TLS.
  [false, "media.example", "https://media.example"],
  [true, "127.0.0.1:4480", "https://127.0.0.1:4480"],
  [true, "media.example:443", "https://media.example"],
])("secure %s, host %s: it is %s", (secure, host, origin) => {
  expect(pageOrigin({ secure, host }, OWN)).toBe(origin);
});

it.each([
  // A name that somebody else led here.
  [false, "attacker.example:8480"],
  [false, "127.0.0.1:8481"],
  [false, "127.0.0.1"],
  [true, "127.0.0.1:8480"],
  [false, undefined],
  [false, ""],
  [false, "127.0.0.1:8480@attacker.example"],
  [false, "attacker.example/127.0.0.1:8480"],
  [false, "127.0.0.1:8480 "],
])("secure %s, host %s: it is none of ours", (secure, host) => {
  expect(pageOrigin({ secure, host }, OWN)).toBeUndefined();
});
