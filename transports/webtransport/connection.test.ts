import { describe, expect, test } from "vitest";
import { CLOSE_CODES, type CloseInfo, MAX_DATAGRAM_BYTES } from "../../sfu/carrier.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { WebTransportConnection } from "./connection.ts";
import type { NativeSession } from "./native.ts";

const never = new Promise<never>(() => {});

/**
 * A session whose peer behaves as none made with the real binding can: the wording of its failures is the real binding's,
 * recorded against such peers.
 */
function hostile(overrides: Partial<NativeSession>) {
  const ended = Promise.withResolvers<{ closeCode: number; reason: string }>();
  const closes: [number, string][] = [];
  const session: NativeSession = {
    acceptUni: () => never,
    acceptBi: () => never,
    openUni: () => never,
    openBi: () => never,
    sendDatagram() {},
    recvDatagram: () => ended.promise.then(fails("session error")),
    maxDatagramSize: () => 1400,
    close: (code, reason) => void closes.push([code, reason]),
    closed: () => ended.promise,
    ...overrides,
  };
  const closed: CloseInfo[] = [];
  const clock = new VirtualClock();
  const connection = new WebTransportConnection(
    session,
    { role: "server", url: "https://h/agtp" },
    { clock },
  );
  const start = (): void =>
    connection.start(() => ({
      datagram() {},
      stream() {},
      exchange() {},
      closed: (info) => closed.push(info),
    }));
  return { session, connection, start, clock, closes, closed, end: ended.resolve };
}

const fails = (message: string) => (): never => {
  throw new Error(message);
};

describe("WebTransport connection", () => {
  test.each([
    [1, 20],
    [4, 75],
  ])(
    "where %d may be asked for at once, all of them come, and each takes 50 ms, %d come in a second",
    async (reads, count) => {
      const clock = new VirtualClock();
      const { session } = hostile({
        recvDatagram: () =>
          new Promise((resolve) => clock.at(clock.now() + 50, () => resolve(Uint8Array.of(9, 1)))),
      });
      const facts = {
        role: "server",
        url: "https://h/agtp",
        mostReads: () => reads,
        beforeNext: (next: () => void) => void clock.at(clock.now(), next),
      } as const;
      const connection = new WebTransportConnection(session, facts, { clock });
      let came = 0;
      connection.start(() => ({
        datagram: () => {
          came += 1;
        },
        stream() {},
        exchange() {},
        closed() {},
      }));
      await clock.advance(1_000);
      expect(came).toBe(count);
    },
  );

  test.each(["datagrams not supported by peer", "datagram support disabled", "datagram too large"])(
    "a peer to whom no ping can be sent (%s) is closed, and its datagram limit is never asked for",
    async (failure) => {
      // Asking aborts the whole process when the peer takes no datagrams.
      let asked = 0;
      const { connection, start, closes, closed, clock } = hostile({
        sendDatagram: fails(`send datagram error: ${failure}`),
        maxDatagramSize: () => ++asked,
      });
      expect(connection.maxDatagram).toBe(MAX_DATAGRAM_BYTES);
      start();
      expect(connection.maxDatagram).toBe(MAX_DATAGRAM_BYTES);
      await clock.settle();
      expect(closes).toEqual([[CLOSE_CODES.protocolViolation, "datagrams are required"]]);
      expect(closed).toEqual([{ code: CLOSE_CODES.protocolViolation, reason: "datagrams are required" }]);
      expect(asked).toBe(0);
    },
  );

  test("a path that takes less than Parley's limit is told, and what exceeds it is refused at sending", async () => {
    const { connection, start } = hostile({
      maxDatagramSize: () => 1100,
      sendDatagram: (bytes) => {
        if (bytes.length > 1100) throw new Error("send datagram error: datagram too large");
      },
    });
    start();
    expect(connection.maxDatagram).toBe(1100);
    expect(connection.sendDatagram(new Uint8Array(1100))).toBe("sent");
    expect(connection.sendDatagram(new Uint8Array(1101))).toBe("too-large");
  });

  test("a session that ended before its first ping keeps the peer's word", async () => {
    const { start, closes, closed, clock, end } = hostile({
      sendDatagram: fails("webtransport error: closed: code=7 reason=full"),
    });
    start();
    end({ closeCode: 7, reason: "full" });
    await clock.settle();
    expect(closes).toEqual([]);
    expect(closed).toEqual([{ code: 7, reason: "full" }]);
  });

  test("the stack's own timeout counts as one of liveness, a transport failure keeps its text", async () => {
    for (const [reason, info] of [
      [
        "connection error: timed out",
        { code: CLOSE_CODES.livenessTimeout, reason: "the connection timed out" },
      ],
      ["connection error: reset by peer", { code: 0, reason: "connection error: reset by peer" }],
    ] as const) {
      const { start, closed, clock, end } = hostile({});
      start();
      end({ closeCode: 0, reason });
      await clock.settle();
      expect(closed).toEqual([info]);
    }
  });

  test("openings that wait when the connection ends fail with its end, not with a timeout", async () => {
    const { connection, start, end } = hostile({});
    start();
    const opening = connection.openStream();
    end({ closeCode: 5, reason: "replaced" });
    await expect(opening).rejects.toMatchObject({ code: "connection-lost", details: { close_code: 5 } });
  });
});
