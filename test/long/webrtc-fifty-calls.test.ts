/** Fifty WebRTC peers in calls with agents by QUIC for a minute, in each of which somebody speaks half of the time: every packet comes back, and what they took is given back. */
import { expect, it } from "vitest";
import { look, rest, withServer } from "../../bench/churn.ts";
import { CALLS, callsWith, workersOf } from "../../bench/webrtc.ts";

/** Calls before the first look, so that code is compiled and pools are filled. */
const FIRST_CALLS = 10;
/** Each peer is of a new agent, of whom the server keeps what it registered with; the allocator keeps the room that all of them took at one time. */
const SLACK_BYTES = 96 * 2 ** 20;
/** Sockets and pipes of the media workers stay, timers of the runtime come and go. */
const SLACK_HANDLES = 2;

it("50 calls of WebRTC peers last a minute, and not a packet of them is lost", async () => {
  await withServer(async (server) => {
    const { certificateHash, pid, url } = server;
    const target = { address: new URL(url).host, certificateHash };
    await callsWith(target, pid, { ...CALLS, peers: FIRST_CALLS, seconds: 2 });
    await rest();
    const before = look(server);
    const { cpuSeconds, echoed, report } = await callsWith(target, pid, CALLS);
    const workers = workersOf(pid);
    await rest();
    const after = look(server);
    console.info(JSON.stringify({ cpuSeconds, echoed, report, before, after }));
    const { ended, missing, received, sent } = report;
    expect({ ended, missing, received }).toEqual({ ended: [], missing: [], received: sent });
    expect(echoed?.calls).toBe(CALLS.peers);
    expect(echoed?.refused).toEqual({});
    // None of them ended meanwhile, and none is left over.
    expect(workersOf(pid)).toEqual(workers);
    expect(after.handles).toBeLessThanOrEqual((before.handles ?? 0) + SLACK_HANDLES);
    expect(after.ownMemory).toBeLessThan(before.ownMemory + SLACK_BYTES);
  });
}, 600_000);
