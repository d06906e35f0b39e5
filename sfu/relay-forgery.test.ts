import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { writeU16, writeU32 } from "../codecs/big-endian.ts";
import { FrameView, parseFrame } from "../codecs/frame.ts";
import { seedSigner } from "../test/keys.ts";
import {
  datagram,
  events,
  FIRST_SEQUENCE,
  packet,
  relayWith,
  row,
  SPEAKER_CONNECTION,
  SPEAKER_FLOW,
  send,
  speaker,
  WALL,
} from "../test/relay-scene.ts";
import { BAD_SIGNATURE_LIMIT } from "./admission-table.ts";
import { CLOSE_CODES } from "./carrier.ts";
import { MAX_STRAY_CONNECTIONS } from "./stray-frames.ts";

describe("a signed frame", () => {
  it("with any one bit flipped is never admitted, and the true one still is", () => {
    const relay = relayWith(row());
    const bytes = datagram(packet({ info: { startOfTurn: true }, audioLevel: { level: 30, voice: true } }));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const verdict = relay.admit(SPEAKER_CONNECTION, flipped, 0, WALL);
      expect(["admitted", "held"], `bit ${bit}`).not.toContain(verdict.outcome);
      expect(verdict.egressCount).toBe(0);
    }
    expect(relay.admit(SPEAKER_CONNECTION, bytes, 0, WALL).outcome).toBe("admitted");
  });

  it("cut short or lengthened is never admitted", () => {
    const relay = relayWith(row());
    const bytes = datagram(packet());
    for (let length = 0; length < bytes.length; length++) {
      expect(relay.admit(SPEAKER_CONNECTION, bytes.slice(0, length), 0, WALL).outcome).not.toBe("admitted");
    }
    expect(relay.admit(SPEAKER_CONNECTION, Uint8Array.from([...bytes, 0]), 0, WALL).outcome).toBe(
      "signature",
    );
  });

  it.each([
    ["session", { sessionId: "session-b", sessionDigest: new Uint8Array(32).fill(0xbb) }],
    ["leg", { leg: 1 }],
    ["stream", { stream: 2 }],
  ] as const)(
    "moved to another %s does not verify there, though key, SSRC and format are the same",
    (_, other) => {
      const relay = relayWith(row(), row({ ...other, flow: 8 }));
      const bytes = packet();
      expect(relay.admit(SPEAKER_CONNECTION, datagram(bytes, 8), 0, WALL).outcome).toBe("signature");
      expect(relay.admit(SPEAKER_CONNECTION, datagram(bytes), 0, WALL).outcome).toBe("admitted");
    },
  );

  it("reflected to its speaker by the listener is refused", () => {
    const listener = seedSigner(12);
    const theirs = row({ connection: 2, flow: 6, leg: 1, keys: new Map([[0, listener.publicKey]]) });
    const relay = relayWith(row(), theirs);
    expect(relay.admit(2, datagram(packet(), 6), 0, WALL).outcome).toBe("signature");
    const sameKey = relayWith(row(), { ...theirs, keys: new Map([[0, speaker.publicKey]]) });
    expect(sameKey.admit(2, datagram(packet(), 6), 0, WALL).outcome).toBe("signature");
  });

  it("sent by another connection on the same flow identifier belongs to nobody", () => {
    expect(relayWith(row()).admit(7, datagram(packet()), 0, WALL).outcome).toBe("unknown-flow");
  });

  it("is refused after the RTP sequence number has wrapped, whole or renumbered", () => {
    const relay = relayWith(row());
    const old = packet();
    relay.admit(SPEAKER_CONNECTION, datagram(old), 0, WALL);
    for (let turn = 1; turn <= 64; turn++) {
      expect(send(relay, { sequence: FIRST_SEQUENCE + turn * 1024 - 1 })).toBe("admitted");
    }
    // The low 16 bits of the next number are those of the old frame again.
    expect((FIRST_SEQUENCE + 65_536) & 0xffff).toBe(FIRST_SEQUENCE & 0xffff);
    expect(relay.admit(SPEAKER_CONNECTION, datagram(old), 0, WALL).outcome).toBe("window");
    const view = new FrameView();
    parseFrame(old, 0, view);
    writeU32(old, view.tagOffset - 12, Math.floor((FIRST_SEQUENCE + 65_536) / 65_536));
    expect(relay.admit(SPEAKER_CONNECTION, datagram(old), 0, WALL).outcome).toBe("signature");
    expect(send(relay, { sequence: FIRST_SEQUENCE + 65_536 })).toBe("admitted");
  });

  it("cannot be kept out by a forger who runs ahead or takes its number", () => {
    const relay = relayWith(row());
    const forger = seedSigner(66);
    expect(send(relay)).toBe("admitted");
    expect(send(relay, { sequence: FIRST_SEQUENCE + 1, signer: forger })).toBe("signature");
    expect(send(relay, { sequence: 2 ** 48 - 1, signer: forger })).toBe("signature");
    const renumbered = packet({ sequence: FIRST_SEQUENCE + 2 });
    writeU16(renumbered, 2, (FIRST_SEQUENCE + 1) & 0xffff);
    expect(relay.admit(SPEAKER_CONNECTION, datagram(renumbered), 0, WALL).outcome).toBe("signature");
    expect(send(relay, { sequence: FIRST_SEQUENCE + 1 })).toBe("admitted");
  });
});

describe("junk", () => {
  it("is refused, whatever it is", () => {
    const relay = relayWith(row());
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1300 }), fc.boolean(), (bytes, addressed) => {
        const verdict = relay.admit(SPEAKER_CONNECTION, addressed ? datagram(bytes) : bytes, 0, WALL);
        expect(["malformed", "unknown-flow"]).toContain(verdict.outcome);
        expect(verdict.egressCount).toBe(0);
      }),
    );
  });

  it("on flows nobody has is counted per connection, in bounded memory, and adds up", () => {
    const relay = relayWith(row());
    const bytes = datagram(packet(), 998);
    const connections = MAX_STRAY_CONNECTIONS + 50;
    for (let connection = 100; connection < 100 + connections; connection++) {
      relay.admit(connection, bytes, 0, WALL);
      relay.admit(connection, new Uint8Array(0), 0, WALL);
    }
    expect(relay.strays(100)).toEqual({ malformed: 0, unknownFlow: 0 });
    expect(relay.strays(100 + connections - 1)).toEqual({ malformed: 1, unknownFlow: 1 });
    relay.forget(100 + connections - 1);
    expect(relay.strays()).toEqual({ malformed: connections, unknownFlow: connections });
    expect(relay.poll(0)).toBeUndefined();
  });
});

describe("bad signatures", () => {
  const forged = { signer: seedSigner(66) };

  it("close the connection when they repeat, which is said once", () => {
    const relay = relayWith(row());
    const closes = () => events(relay, 0).filter((event) => event.kind === "close-connection");
    for (let index = 0; index < BAD_SIGNATURE_LIMIT; index++) {
      expect(send(relay, { ...forged, sequence: FIRST_SEQUENCE + index })).toBe("signature");
    }
    expect(closes()).toEqual([]);
    send(relay, { ...forged, sequence: FIRST_SEQUENCE + 100 });
    expect(relay.nextTimeout()).toBe(0);
    expect(closes()).toEqual([
      {
        kind: "close-connection",
        connection: SPEAKER_CONNECTION,
        code: CLOSE_CODES.badSignatures,
        reason: "repeated bad signatures",
      },
    ]);
    for (let index = 0; index < 50; index++) send(relay, forged);
    expect(closes()).toEqual([]);
  });

  it("close nothing when they are rare", () => {
    const relay = relayWith(row());
    for (let minute = 0; minute < 120; minute++) {
      send(relay, forged, minute * 60_000);
      for (const event of events(relay, minute * 60_000)) expect(event.kind).toBe("frames-refused");
    }
  });

  it("count against the connection they came over, not the session", () => {
    const relay = relayWith(row(), row({ connection: 5, leg: 1, flow: SPEAKER_FLOW }));
    for (let index = 0; index <= BAD_SIGNATURE_LIMIT; index++) send(relay, forged);
    const closed = events(relay, 0).flatMap((event) =>
      event.kind === "close-connection" ? event.connection : [],
    );
    expect(closed).toEqual([SPEAKER_CONNECTION]);
  });
});
