import { describe, expect, test } from "vitest";
import { offerPayload, scopes } from "../test/signed-call.ts";
import type { OfferStream } from "./offer.ts";
import { excessOfOffer, excessOfTerms, fitsBitrate, permittedStreams } from "./sending-limits.ts";
import type { Terms, TermsStream } from "./terms.ts";

const [AUDIO] = offerPayload().streams as [OfferStream & { readonly modality: "audio" }];
const PCMU = AUDIO.codecs.filter(({ name }) => name === "pcmu");
const DATA: OfferStream = {
  stream: 1,
  modality: "data",
  direction: "sendrecv",
  ssrc: 0xda7a,
  formats: [{ name: "json", payload_type: 109 }],
};

const limits = (text: string) => scopes(text).limits;
const cap = (name: string, value: number) => limits(`communication:limit:${name}:${value}`);

describe("what an offer would send", () => {
  test("is within caps that are not there, or are wide enough", () => {
    expect(excessOfOffer([AUDIO, DATA], {})).toBeUndefined();
    expect(excessOfOffer([AUDIO, DATA], cap("streams", 2))).toBeUndefined();
    expect(excessOfOffer([AUDIO], cap("bitrate-bps", 6_000))).toBeUndefined();
    expect(
      excessOfOffer([AUDIO], { ...cap("duration-s", 1), ...cap("frame-rate", 0), ...cap("height", 0) }),
    ).toBeUndefined();
  });

  test("counts streams that are sent, not those that are only received", () => {
    expect(excessOfOffer([AUDIO, DATA], cap("streams", 1))).toEqual({ limit: "streams", cap: 1, asked: 2 });
    expect(excessOfOffer([AUDIO, { ...DATA, direction: "recvonly" }], cap("streams", 1))).toBeUndefined();
    expect(excessOfOffer([{ ...AUDIO, direction: "recvonly" }], cap("streams", 0))).toBeUndefined();
  });

  test("takes the bits of the cheapest codec of each stream together; data as much as it gets", () => {
    expect(excessOfOffer([{ ...AUDIO, codecs: PCMU }], cap("bitrate-bps", 63_999))).toEqual({
      limit: "bitrate-bps",
      cap: 63_999,
      asked: 64_000,
    });
    const two = [AUDIO, { ...AUDIO, stream: 2, ssrc: 5 }];
    expect(excessOfOffer(two, cap("bitrate-bps", 11_999))).toMatchObject({ asked: 12_000 });
    expect(excessOfOffer([DATA], cap("bitrate-bps", 1))).toBeUndefined();
  });
});

describe("what terms let a leg send", () => {
  const stream = (number: number, modality: "audio" | "data", directions: TermsStream["directions"]) =>
    ({
      stream: number,
      directions,
      ssrcs: [number * 2 + 1, number * 2 + 2],
      ...(modality === "audio"
        ? { modality, codec: { name: "pcmu", clock_rate: 8_000, channels: 1, frame_ms: 20, payload_type: 0 } }
        : { modality, format: { name: "json", payload_type: 109 } }),
    }) as TermsStream;
  const terms: Terms = {
    ...{ v: 1, session_id: `sess-${"A".repeat(43)}`, number: 1, profile: "frame", expires_at: 0, legs: [] },
    streams: [
      stream(3, "data", ["sendrecv", "sendrecv"]),
      stream(1, "audio", ["sendrecv", "sendrecv"]),
      stream(2, "audio", ["recvonly", "sendonly"]),
    ],
  };
  const numbers = (leg: 0 | 1, text: string) =>
    permittedStreams(terms, leg, scopes(text)).map((each) => each.stream);

  test("is judged leg by leg", () => {
    expect(excessOfTerms(terms, 0, cap("bitrate-bps", 64_000))).toBeUndefined();
    expect(excessOfTerms(terms, 1, cap("bitrate-bps", 64_000))).toMatchObject({ asked: 128_000 });
    expect(excessOfTerms(terms, 0, cap("streams", 2))).toBeUndefined();
    expect(excessOfTerms(terms, 1, cap("streams", 2))).toEqual({ limit: "streams", cap: 2, asked: 3 });
  });

  test("is every stream that its scope covers, the lowest numbers first where their number is capped", () => {
    expect(numbers(1, "communication:bilateral")).toEqual([1, 2, 3]);
    expect(numbers(1, "communication:bilateral, communication:limit:streams:2")).toEqual([1, 2]);
    expect(numbers(1, "communication:data:*, communication:limit:streams:1")).toEqual([3]);
    expect(numbers(0, "communication:bilateral, communication:limit:streams:0")).toEqual([]);
    expect(numbers(0, "communication:audio:transmit")).toEqual([]);
  });
});

test.each([
  ["opus", 6_000, true],
  ["opus", 5_999, false],
  ["pcma", 64_000, true],
  ["pcma", 63_999, false],
] as const)("%s under a cap of %i bits a second: %s", (codec, bits, fits) => {
  expect(fitsBitrate(codec, cap("bitrate-bps", bits))).toBe(fits);
});
