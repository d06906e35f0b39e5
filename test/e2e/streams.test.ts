/** Streams that are opened and closed in mid-call, over real sockets: beside a voice, by either end. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Call, CallStream } from "../../agent/node.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { type RealServer, startRealServer } from "../real-server.ts";
import { within } from "../waiting.ts";

let server: RealServer;
beforeAll(async () => {
  server = await startRealServer();
});
afterAll(async () => {
  expect(server.faults).toEqual([]);
  await server.stop();
});

/** The next stream that comes up at an end, and the first value that comes on it. */
function nextAt(call: Call): Promise<{ readonly stream: CallStream; readonly value: unknown }> {
  const { promise, resolve } = Promise.withResolvers<{
    readonly stream: CallStream;
    readonly value: unknown;
  }>();
  const stop = call.on("stream-opened", ({ stream }) => {
    stop();
    void (async () => {
      for await (const { value } of stream as unknown as AsyncIterable<{ value: unknown }>)
        resolve({ stream, value });
    })();
  });
  return promise;
}

it("a stream comes and goes over QUIC, and a voice beside it goes on", async () => {
  const [ada, bob] = await Promise.all([server.agent("Ada"), server.agent("Bob")]);
  const taken = Promise.withResolvers<Call>();
  bob.onCall((incoming) => void incoming.accept().then(taken.resolve, taken.reject));
  const call = await ada.call(bob.id, { audio: { codecs: ["pcmu"] }, data: true });
  const answered = await taken.promise;
  const speaking = call.audio.write(new Int16Array(8_000)).then(() => call.audio.endTurn());
  for (const [opener, other] of [
    [call, answered],
    [answered, call],
  ] as const) {
    const next = nextAt(other);
    const stream = await within("the stream", opener.open({ modality: "data", label: "cursor" }));
    await stream.send({ x: 1 });
    const come = await within("the value", next);
    expect(come.value).toEqual({ x: 1 });
    await come.stream.close();
  }
  await speaking;
  await call.end();
  await answered.settled;
  expect(answered.stats().heard).toMatchObject({ lost: 0, refused: {} });
  const { report } = verifyEvidence(await call.evidence(), server.anchors, verifier);
  expect(report).toMatchObject({ verdict: "verified", faults: [] });
});
