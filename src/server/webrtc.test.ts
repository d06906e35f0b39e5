import { describe, expect, it, onTestFinished, vi } from "vitest";
import { DEFAULT_SERVER_CONFIG, type ServerConfig } from "../config.ts";
import type { EventLog } from "./event-log.ts";
import { factsOf, openWebRtc, webrtcPortOf } from "./webrtc.ts";

describe("the WebRTC carrier", () => {
  it("starts no process before the first peer", async () => {
    const { carrier } = await open("auto");
    expect(carrier.workers?.counts).toEqual({ running: 0, peers: 0, deaths: 0 });
  });

  it("has one up where it is asked for", async () => {
    const { carrier, logged } = await open("on");
    expect(carrier.workers?.counts.running).toBe(1);
    expect(logged).toEqual(["media-worker-started"]);
  });

  it("is off when it is switched off", async () => {
    const { carrier } = await open("off");
    expect(carrier.off).toMatch(/switched off/);
    expect(factsOf(carrier)).toEqual({ off: carrier.off });
  });

  it("is off without a worker, and says why and how to turn it on", async () => {
    withoutWorker();
    const { carrier, logged } = await open("auto");
    expect(carrier.off).toMatch(/cannot be run\. Name a worker of mediasoup/);
    expect(logged).toEqual(["webrtc-off"]);
  });

  it("does not come up without a worker where it is asked for", async () => {
    withoutWorker();
    await expect(open("on")).rejects.toMatchObject({ code: "webrtc-unavailable" });
  });

  it("has a port for each worker that may run, from the first one's on, or free ones", async () => {
    const free = await open("auto", { webrtcWorkers: 3 });
    expect(factsOf(free.carrier)).toEqual({ ports: [0, 0, 0] });
    const set = await open("auto", { webrtcWorkers: 2, webrtcPort: 5_004 });
    expect(factsOf(set.carrier)).toEqual({ ports: [5_004, 5_005] });
  });

  it("listens near the port of AGTP, and on free ports where that is free", () => {
    expect(webrtcPortOf(DEFAULT_SERVER_CONFIG)).toBe(4490);
    expect(webrtcPortOf({ ...DEFAULT_SERVER_CONFIG, port: 0 })).toBe(0);
    expect(webrtcPortOf({ ...DEFAULT_SERVER_CONFIG, webrtcPort: 5_000 })).toBe(5_000);
  });
});

async function open(webrtc: "on" | "off" | "auto", settings: Partial<ServerConfig> = {}) {
  const logged: string[] = [];
  const events: EventLog = { log: (_level, event) => logged.push(event) };
  const config = { ...DEFAULT_SERVER_CONFIG, webrtc, webrtcPort: 0, ...settings };
  const carrier = await openWebRtc(config, events);
  onTestFinished(() => carrier.workers?.close());
  return { carrier, logged };
}

function withoutWorker(): void {
  vi.stubEnv("MEDIASOUP_WORKER_BIN", "/nowhere/mediasoup-worker");
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
}
