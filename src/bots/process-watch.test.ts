import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, test } from "vitest";
import { cpuSecondsOf, processOfUdpPort, sampleProcess } from "./process-watch.ts";

test("CPU time is read from /proc/<pid>/stat whatever the program is called", () => {
  const stat = "1234 (node (a) b) S 1 1 1 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 11 0 100 1 1 1";
  expect(cpuSecondsOf(stat)).toBe(3);
  expect(() => cpuSecondsOf("1 (x) S")).toThrow("no CPU time");
});

test("a process is sampled from outside, and found by the port it listens on", async () => {
  const own = sampleProcess(process.pid);
  expect(own?.memory).toBeGreaterThan(10 * 2 ** 20);
  expect(own?.ownMemory).toBeGreaterThan(10 * 2 ** 20);
  expect(own?.ownMemory).toBeLessThan(own?.memory ?? 0);
  expect(own?.cpuSeconds).toBeGreaterThan(0);
  expect(own?.handles).toBeGreaterThan(3);
  expect(sampleProcess(2 ** 30)).toBeUndefined();
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  expect(processOfUdpPort(port)).toBe(process.pid);
  socket.close();
  await once(socket, "close");
  expect(processOfUdpPort(port)).toBeUndefined();
});
