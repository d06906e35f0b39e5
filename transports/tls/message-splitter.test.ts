import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeHex } from "../../codecs/hex.ts";
import { CLOSE_CODES } from "../../sfu/carrier.ts";
import { textOf } from "../../test/house/tree.ts";
import { CARRIER_FLOW, PING, PING_BYTES } from "../liveness.ts";
import { encodeFrame, MAX_MESSAGE_BYTES, type MuxFrame } from "../mux/frames.ts";
import { MessageSplitter, withLength } from "./message-splitter.ts";

function split(...pieces: Uint8Array[]): { found: Uint8Array[]; fault: string | undefined } {
  const found: Uint8Array[] = [];
  const splitter = new MessageSplitter((message) => found.push(message.slice()));
  let fault: string | undefined;
  for (const piece of pieces) fault = splitter.push(piece)?.code;
  return { found, fault };
}

describe("messages behind their lengths", () => {
  test("are found however the bytes are cut", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 20 });
    fc.assert(
      fc.property(sizes, sizes, (lengths, cuts) => {
        const messages = lengths.map((length, index) => new Uint8Array(length).fill(index));
        const bytes = new Uint8Array(Buffer.concat(messages.map(withLength)));
        const pieces: Uint8Array[] = [];
        let at = 0;
        for (const cut of cuts) {
          pieces.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        expect(split(...pieces, bytes.subarray(at))).toEqual({ found: messages, fault: undefined });
      }),
    );
  });

  test("are found at every cut of the longest one", () => {
    const message = new Uint8Array(MAX_MESSAGE_BYTES).fill(5);
    const bytes = withLength(message);
    for (let at = 1; at < bytes.length; at += at < 10 ? 1 : 1_111)
      expect(split(bytes.subarray(0, at), bytes.subarray(at)).found).toEqual([message]);
    expect(split(...Array.from(bytes, (byte) => Uint8Array.of(byte))).found).toEqual([message]);
  });

  test("may have lengths longer than needed", () => {
    const long = Uint8Array.of(0xc0, 0, 0, 0, 0, 0, 0, 2, 8, 9, 1, 7);
    expect(split(long).found).toEqual([Uint8Array.of(8, 9), Uint8Array.of(7)]);
    expect(split(...Array.from(long, (byte) => Uint8Array.of(byte))).found).toHaveLength(2);
  });

  test.each([
    ["nothing", [0]],
    ["more than a message may have", [0x80, 0, 0x40, 0x0a]],
    ["more than a number may be", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ])("are not of %s, and what follows is not read", (_, length) => {
    const bytes = Uint8Array.of(1, 7, ...length, 1, 8);
    expect(split(bytes)).toEqual({ found: [Uint8Array.of(7)], fault: "mux-malformed" });
    expect(split(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual({
      found: [Uint8Array.of(7)],
      fault: "mux-malformed",
    });
  });

  test("are documented with these very bytes", () => {
    const ping = new Uint8Array(PING_BYTES);
    ping.set([CARRIER_FLOW, PING, 0, 0, 0, 1]);
    const frames: MuxFrame[] = [
      { type: "datagram", bytes: ping },
      { type: "open", stream: 2 },
      { type: "data", stream: 2, bytes: new TextEncoder().encode("hi") },
      { type: "close", code: CLOSE_CODES.shutdown, reason: "bye!" },
    ];
    const rows = [...textOf("docs/wire-tls.md").matchAll(/^\| `([0-9a-f]{2})` `([0-9a-f ]+)` \|/gm)];
    expect(rows.map(([, length, message]) => `${length} ${message}`)).toEqual(
      frames.map((frame) => encodeHex(withLength(encodeFrame(frame))).replaceAll(/(..)(?!$)/g, "$1 ")),
    );
  });
});
