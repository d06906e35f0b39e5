import { expect, it } from "vitest";
import { AUDIO_FORMATS, audioFormat, findAudioFormat } from "./audio-formats.ts";
import { G711Codec } from "./g711.ts";
import { G722Codec } from "./g722.ts";

it("has each format once, under a lower-case name, with its RTP numbers", () => {
  expect(
    AUDIO_FORMATS.map(({ name, clockRate, rtpClockRate, payloadType }) => [
      name,
      clockRate,
      rtpClockRate,
      payloadType,
    ]),
  ).toEqual([
    ["opus", 48_000, 48_000, 111],
    ["g722", 16_000, 8000, 9],
    ["pcmu", 8000, 8000, 0],
    ["pcma", 8000, 8000, 8],
  ]);
});

it("finds a format by exactly its name", () => {
  expect(findAudioFormat("pcmu")?.payloadType).toBe(0);
  expect(findAudioFormat("PCMU")).toBeUndefined();
  expect(findAudioFormat("constructor")).toBeUndefined();
});

it("gives frames of whole samples for every length it allows", () => {
  for (const { name, clockRate, rtpClockRate, channels, frameMs } of AUDIO_FORMATS) {
    for (const ms of frameMs) {
      const format = audioFormat(name, channels[0] as number, ms);
      expect(format).toEqual({
        name,
        clockRate,
        rtpClockRate,
        channels: channels[0],
        frameSamples: (clockRate * ms) / 1000,
      });
      expect(Number.isInteger(format?.frameSamples)).toBe(true);
    }
  }
  expect(audioFormat("pcma", 1, 20)).toEqual(new G711Codec("pcma").format);
  expect(audioFormat("g722", 1, 20)).toEqual(new G722Codec().format);
});

it.each([
  ["speex", 1, 20],
  ["pcmu", 2, 20],
  ["g722", 2, 20],
  ["opus", 3, 20],
  ["opus", 1, 15],
  ["opus", 1, Number.NaN],
])("has no %s of %i channels and %d ms", (name, channels, ms) => {
  expect(audioFormat(name, channels, ms)).toBeUndefined();
});
