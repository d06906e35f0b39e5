import { expect, it } from "vitest";
import { originsOf } from "./origins.ts";

it.each([
  ["127.0.0.1:4480", ["https://127.0.0.1:4480", "https://localhost:4480"]],
  ["127.0.0.7:4480", ["https://127.0.0.1:4480", "https://localhost:4480", "https://127.0.0.7:4480"]],
  ["[::1]:4480", ["https://127.0.0.1:4480", "https://localhost:4480", "https://[::1]:4480"]],
  ["0.0.0.0:443", ["https://127.0.0.1", "https://localhost"]],
  ["[::]:4480", ["https://127.0.0.1:4480", "https://localhost:4480"]],
])("a server on %s is dialled on loopback too", (address, origins) => {
  expect(originsOf(address)).toEqual(origins);
});

it.each([
  ["192.0.2.7:4480", "https://192.0.2.7:4480"],
  ["[2001:db8::7]:4480", "https://[2001:db8::7]:4480"],
])("a server on %s cannot be dialled on loopback, so no proof may name it", (address, origin) => {
  expect(originsOf(address)).toEqual([origin]);
});
