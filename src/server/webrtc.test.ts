import { describe, expect, it, onTestFinished, vi } from "vitest";
import { DEFAULT_SERVER_CONFIG } from "../config.ts";
import type { EventLog } from "./event-log.ts";
import { openWebRtc, webrtcPortOf } from "./webrtc.ts";

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
    expect((await open("off")).carrier.off).toMatch(/switched off/);
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

  it("listens near the port of AGTP, and on free ports where that is free", () => {
    expect(webrtcPortOf(DEFAULT_SERVER_CONFIG)).toBe(4490);
    expect(webrtcPortOf({ ...DEFAULT_SERVER_CONFIG, port: 0 })).toBe(0);
    expect(webrtcPortOf({ ...DEFAULT_SERVER_CONFIG, webrtcPort: 5_000 })).toBe(5_000);
  });
});

async function open(webrtc: "on" | "off" | "auto") {
  const logged: string[] = [];
  const events: EventLog = { log: (_level, event) => logged.push(event) };
  const carrier = await openWebRtc({ ...DEFAULT_SERVER_CONFIG, webrtc, webrtcPort: 0 }, events);
  onTestFinished(() => carrier.workers?.close());
  return { carrier, logged };
}

function withoutWorker(): void {
  vi.stubEnv("MEDIASOUP_WORKER_BIN", "/nowhere/mediasoup-worker");
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
}
