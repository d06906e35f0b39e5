import { describe, expect, it } from "vitest";
import { parseRtcp } from "./rtcp.ts";
import { encodePictureLoss, parsePictureLoss } from "./rtcp-pli.ts";

function read(bytes: Uint8Array) {
  const packets = parseRtcp(bytes);
  if (!packets.ok || packets.value[0] === undefined) throw new Error("no RTCP");
  return parsePictureLoss(bytes, packets.value[0]);
}

describe("a picture loss indication", () => {
  it("is 12 bytes: who asks, and for which stream", () => {
    const bytes = encodePictureLoss({ sender: 0x01020304, ssrc: 0x5ca1ab1e });
    expect([...bytes]).toEqual([0x81, 206, 0, 2, 1, 2, 3, 4, 0x5c, 0xa1, 0xab, 0x1e]);
    expect(read(bytes)).toEqual({ ok: true, value: { sender: 0x01020304, ssrc: 0x5ca1ab1e } });
  });

  it("is refused where it is longer or shorter, or something else", () => {
    expect(read(Uint8Array.of(0x81, 206, 0, 1, 1, 2, 3, 4)).ok).toBe(false);
    expect(read(Uint8Array.of(0x81, 206, 0, 3, 1, 2, 3, 4, 1, 2, 3, 4, 0, 0, 0, 0)).ok).toBe(false);
    expect(read(Uint8Array.of(0x8f, 206, 0, 2, 1, 2, 3, 4, 1, 2, 3, 4)).ok).toBe(false);
  });

  it("takes no number that is no synchronization source", () => {
    expect(() => encodePictureLoss({ sender: -1, ssrc: 1 })).toThrow();
    expect(() => encodePictureLoss({ sender: 1, ssrc: 2 ** 32 })).toThrow();
  });
});
