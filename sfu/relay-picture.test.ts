import { describe, expect, it } from "vitest";
import { unwrap } from "../agent/unwrap.ts";
import type { VideoFormatName } from "../codecs/video-formats.ts";
import { readPayloadFacts, VideoPayloadWriter } from "../codecs/video-payload.ts";
import { writeVp8Payload } from "../codecs/vp8.ts";
import { type PictureBounds, UNIT_FRESHNESS_MS } from "../signaling/admission.ts";
import { strictVerifier } from "../test/keys.ts";
import {
  FIRST_SEQUENCE,
  packet,
  relayWith,
  row,
  SPEAKER_CONNECTION,
  SPEAKER_FLOW,
  WALL,
} from "../test/relay-scene.ts";
import { film } from "../test/scenario/showing.ts";
import { vp8Frame } from "../test/vp8-frame.ts";
import { Relay } from "./relay.ts";

const VP8: PictureBounds = { format: "vp8", maxWidth: 640, maxHeight: 360 };

/** What becomes of payloads, each in a unit of its own, at a relay that knows these bounds. */
function relayOf(picture: PictureBounds, relay = relayWith(row({ video: { rendition: 0 }, picture }))) {
  let sequence = FIRST_SEQUENCE;
  return {
    relay,
    judge: (payload: Uint8Array, now = 0, keyFrame = true) =>
      relay.admitItem(
        SPEAKER_CONNECTION,
        SPEAKER_FLOW,
        packet({ sequence: sequence++, payload, info: { keyFrame }, captured: WALL + now }),
        now,
        WALL + now,
      ).outcome,
    agree: (termsNumber: number, changed: PictureBounds, now: number) =>
      relay.apply(
        {
          ...{ kind: "terms", connection: SPEAKER_CONNECTION, flow: SPEAKER_FLOW },
          ...{ termsNumber, transmitAllowed: true, picture: changed },
        },
        now,
      ),
  };
}

function vp8(height: number, key = true): Uint8Array {
  return writeVp8Payload({}, vp8Frame(key, 100, height));
}

describe("pictures at a relay", () => {
  it.each([
    ["vp8", "vp8-small"],
    ["vp9", "vp9-layers"],
    ["av1", "av1-libaom"],
  ] as const)(
    "of %s pass at the size that was agreed, and are refused by name one line or column above it",
    (format, name) => {
      const { ivf, units } = film(name);
      const writer = new VideoPayloadWriter(format satisfies VideoFormatName, { picture: 1, base: 1 });
      const payloads = units.slice(0, 8).map(({ data }) => unwrap(writer.write(data)).payload);
      const [first] = payloads as [Uint8Array];
      expect(unwrap(readPayloadFacts(format, first))).toMatchObject({
        key: true,
        width: ivf.width,
        height: ivf.height,
      });
      const agreed = { format, maxWidth: ivf.width, maxHeight: ivf.height };
      const { judge } = relayOf(agreed);
      expect(payloads.map((payload, at) => judge(payload, at, at === 0))).toEqual(
        payloads.map(() => "admitted"),
      );
      for (const less of [
        { maxWidth: ivf.width - 1 },
        { maxHeight: ivf.height - 1 },
        { heightLimit: ivf.height - 1 },
      ]) {
        const strict = relayOf({ ...agreed, ...less });
        expect(strict.judge(first)).toBe("picture");
        expect(strict.relay.counters("session-a")[0]?.refused).toEqual({ picture: 1 });
      }
    },
  );

  it("are looked at whatever their frame says of them, and are of their codec", () => {
    const { judge } = relayOf(VP8);
    expect(judge(vp8(720), 0, false), "a key frame that calls itself a delta").toBe("picture");
    expect(judge(vp8(720, false), 1, true), "a delta says no size").toBe("admitted");
    expect(judge(new Uint8Array(40), 2)).toBe("picture");
  });

  it("of a size agreed on before pass while they may be on their way, and none above the scope's", () => {
    const { judge, agree } = relayOf({ ...VP8, maxWidth: 1_280, maxHeight: 720 });
    expect(judge(vp8(720))).toBe("admitted");
    agree(2, { ...VP8, maxWidth: 1_280 }, 1_000);
    expect(judge(vp8(720), 1_000)).toBe("admitted");
    expect(judge(vp8(720), 1_000 + UNIT_FRESHNESS_MS)).toBe("admitted");
    expect(judge(vp8(720), 1_001 + UNIT_FRESHNESS_MS)).toBe("picture");
    expect(judge(vp8(360), 1_002 + UNIT_FRESHNESS_MS)).toBe("admitted");
    agree(3, { ...VP8, maxWidth: 1_280, heightLimit: 180 }, 20_000);
    expect(judge(vp8(181), 20_000)).toBe("picture");
    agree(4, { ...VP8, maxWidth: 1_280, maxHeight: 720 }, 20_001);
    expect(judge(vp8(720), 20_002)).toBe("admitted");
  });

  it("are not looked at by who cannot read them", () => {
    const relay = new Relay({ verifier: strictVerifier });
    relay.apply({ kind: "install", row: row({ video: { rendition: 0 }, picture: VP8 }) }, 0);
    expect(relayOf(VP8, relay).judge(vp8(720))).toBe("admitted");
  });
});
