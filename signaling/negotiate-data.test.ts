import { describe, expect, test } from "vitest";
import { must } from "../test/signed-call.ts";
import type { AudioOfferStream } from "./audio-stream.ts";
import { checkDataLabel, type DataOfferStream } from "./data-stream.ts";
import { type Capabilities, checkOfferHeaders, negotiate } from "./negotiation.ts";
import type { OfferStream } from "./offer.ts";

const json = { name: "json", payload_type: 98 };
const data: DataOfferStream = {
  stream: 2,
  modality: "data",
  direction: "sendrecv",
  ssrc: 7,
  formats: [{ name: "cbor", payload_type: 99 }, json],
};
const audio: AudioOfferStream = {
  stream: 1,
  modality: "audio",
  direction: "sendrecv",
  ssrc: 8,
  codecs: [{ name: "pcmu", clock_rate: 8000, channels: 1, frame_ms: [20], payload_type: 0 }],
};
const canData: Capabilities["data"] = { formats: ["json"], send: true, receive: true };
const canAudio: Capabilities["audio"] = {
  codecs: [{ name: "pcmu", clockRate: 8000, channels: 1, frameMs: [20] }],
  send: true,
  receive: true,
};
const answer = (streams: readonly OfferStream[], local: Omit<Capabilities, "profiles">) =>
  negotiate({ profiles: ["frame"], streams }, { profiles: ["frame"], ...local }, (stream) => 100 + stream);

test("a data stream is answered with the first offered format that is known here", () => {
  expect(must(answer([data], { data: canData })).streams).toEqual([
    { stream: 2, modality: "data", direction: "sendrecv", ssrc: 102, format: json },
  ]);
});

test("a label is printable ASCII with no blank at either end, and not too long", () => {
  for (const label of ["a", "~", "tasks to do", "x".repeat(64)]) must(checkDataLabel(label, "label"));
  for (const label of ["", " a", "a ", "\u00fc", "a\tb", "x".repeat(65)])
    expect(checkDataLabel(label, "data[0].label")).toMatchObject({
      ok: false,
      fault: { code: "field-invalid", at: "data[0].label" },
    });
});

test("label, delivery and deadline are those of the offer", () => {
  const values = { label: "pose", delivery: "latest", deadline_ms: 200 } as const;
  expect(must(answer([{ ...data, ...values }], { data: canData })).streams).toMatchObject([values]);
  const endless = { ...data, deadline_ms: 200 };
  expect(answer([endless], { data: canData })).toMatchObject({ fault: { details: { reason: "ambiguous" } } });
});

test("each end takes of an offer the modalities it has", () => {
  const taken = (local: Omit<Capabilities, "profiles">) =>
    must(answer([audio, data], local)).streams.map(({ modality }) => modality);
  expect(taken({ audio: canAudio, data: canData })).toEqual(["audio", "data"]);
  expect(taken({ audio: canAudio })).toEqual(["audio"]);
  expect(taken({ data: canData })).toEqual(["data"]);
});

describe("463", () => {
  test.each<[string, readonly OfferStream[], Omit<Capabilities, "profiles">, string]>([
    ["no modality in common", [data], { audio: canAudio }, "composition-impossible"],
    [
      "no format in common",
      [{ ...data, formats: [{ ...json, name: "xml" }] }],
      { data: canData },
      "composition-impossible",
    ],
    [
      "no direction",
      [{ ...data, direction: "sendonly" }],
      { data: { ...canData, receive: false } },
      "composition-impossible",
    ],
    [
      "two formats of one payload type",
      [{ ...data, formats: [json, { ...json, name: "cbor" }] }],
      { data: canData },
      "ambiguous",
    ],
  ])("%s", (_what, streams, local, reason) => {
    expect(answer(streams, local)).toMatchObject({
      fault: { code: "proposal-rejected", details: { reason } },
    });
  });

  test("says what data would do", () => {
    expect(answer([audio], { data: canData })).toMatchObject({
      fault: {
        details: {
          counter_proposal: {
            modalities: ["data"],
            codecs: [],
            data_formats: ["json"],
            data_directions: ["sendrecv", "sendonly", "recvonly"],
          },
        },
      },
    });
  });
});

test.each([
  [{ dataFormats: ["cbor", "json"], modalities: ["structured-data", "audio"] }, true],
  [{ dataFormats: ["json"] }, false],
  [{ modalities: ["audio"] }, false],
])("headers %j agree with the offer: %s", (headers, agrees) => {
  const offered = { streams: [audio, data] };
  expect(checkOfferHeaders(offered, headers, { profiles: ["frame"], data: canData }).ok).toBe(agrees);
});
