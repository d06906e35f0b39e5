/** A voice over TCP on a way that carries less than it takes, and keeps whatever it is given: how much is on the way is up to who sends. */
import { expect, it } from "vitest";
import { Agent, createIdentity } from "../../agent/node.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import { realServer } from "../exchanges/ways.ts";
import { utterance } from "../scenario/talking.ts";
import { tcpProxy } from "../tcp-proxy.ts";

/** Bits a second: two thirds of what G.711 takes with its signatures and the headers of TLS. */
const THIN = 75_000;
const SPEECH_SECONDS = 14;
/** After this the way must be known. */
const LEARNT_MS = 4_000;
/** Octets: what goes before anything is known of a way, 12 KiB, and what is asked beside it. */
const MOST_WAITING = 16 * 1024;
const VOICE = { audio: { codecs: ["pcmu"] } } as const;

it.for([
  ["websocket", "to the listener"],
  ["websocket", "to the server"],
  ["tls", "to the listener"],
  ["tls", "to the server"],
] as const)(
  "over %s %s: what is on the way is bounded by what comes back, and so is the delay",
  { timeout: 60_000 },
  async ([carrier, where], { onTestFinished }) => {
    const proxy = await tcpProxy();
    onTestFinished(() => proxy.stop());
    const server = await realServer({ origins: [`https://127.0.0.1:${proxy.port}`] });
    onTestFinished(() => server.stop());
    proxy.leadTo(server.port);
    const { certificateHashes } = server;
    const online = (name: string, address: string, choice: "webtransport" | typeof carrier) => {
      const { identity } = createIdentity({ name });
      return Agent.connect(address, { identity, certificateHashes, carrier: choice });
    };
    const near = await online("Near", server.url, "webtransport");
    const far = await online("Far", `https://127.0.0.1:${proxy.port}/agtp`, carrier);
    onTestFinished(async () => void (await Promise.all([near.close(), far.close()])));
    const arrivals: { readonly at: number; readonly age: number }[] = [];
    const view = new FrameView();
    const tap = ({ bytes }: { readonly bytes: Uint8Array }) => {
      parseFrame(bytes, 0, view);
      arrivals.push({ at: Date.now(), age: Date.now() - view.captureMs });
    };
    const [speaker, listener] = where === "to the listener" ? [near, far] : [far, near];
    listener.onCall(async (incoming) => void (await incoming.accept({ ...VOICE, tap })));
    const call = await speaker.call(listener.id, VOICE);
    proxy.throttle(THIN);
    const from = Date.now();
    await call.audio.write(utterance(SPEECH_SECONDS, 8_000));
    // What is written before the listener is there waits for it: it has gone when the turn ends.
    await call.audio.endTurn();
    const most = proxy.mostWaiting()[where === "to the listener" ? "toClient" : "toServer"];
    const learnt = arrivals.filter(({ at }) => at > from + LEARNT_MS).map(({ age }) => age);
    learnt.sort((one, other) => one - other);
    expect(learnt.length).toBeGreaterThan(200);
    // Were all of it sent on, 70 KB would wait at the end, and the last words come 7 s late.
    expect(most).toBeLessThan(MOST_WAITING);
    expect(learnt[learnt.length >> 1]).toBeLessThan(1_000);
    expect(learnt[Math.floor(learnt.length * 0.9)]).toBeLessThan(1_300);
    await call.end();
  },
);
