import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { strictVerifier } from "../test/keys.ts";
import { ALICE, BOB, must, signedAnswer, signedOffer } from "../test/signed-call.ts";
import { verifyAnswer } from "./answer.ts";
import type { AudioOfferStream, OfferCodec } from "./audio-stream.ts";
import { type AudioCapabilities, type AudioCapability, MAX_PAYLOAD_BYTES } from "./negotiate-audio.ts";
import { checkOfferHeaders, negotiate as negotiateStreams } from "./negotiation.ts";
import { type OfferPayload, verifyOffer } from "./offer.ts";
import type { Direction, Profile } from "./stream-fields.ts";

const opus: OfferCodec = {
  name: "opus",
  clock_rate: 48_000,
  channels: 1,
  frame_ms: [20, 10],
  payload_type: 111,
};
const stereo: OfferCodec = { ...opus, channels: 2, payload_type: 112 };
const pcmu: OfferCodec = { name: "pcmu", clock_rate: 8000, channels: 1, frame_ms: [20], payload_type: 0 };
const pcma: OfferCodec = { name: "pcma", clock_rate: 8000, channels: 1, frame_ms: [20], payload_type: 8 };

const canOpus: AudioCapability = { name: "opus", clockRate: 48_000, channels: 1, frameMs: [10, 20, 40] };
const canPcmu: AudioCapability = {
  name: "pcmu",
  clockRate: 8000,
  channels: 1,
  frameMs: [20, 60],
  bytesPerMs: 8,
};

type Offered = Pick<OfferPayload, "streams" | "profiles">;
function offer(
  codecs: readonly OfferCodec[],
  changes: Partial<AudioOfferStream> = {},
  profiles: readonly Profile[] = ["frame"],
): Offered {
  return {
    profiles,
    streams: [{ stream: 0, modality: "audio", direction: "sendrecv", ssrc: 1, codecs, ...changes }],
  };
}
function local(
  codecs: readonly AudioCapability[],
  changes: Partial<AudioCapabilities> = {},
): AudioCapabilities {
  return { codecs, send: true, receive: true, ...changes };
}
const ssrcOf = (stream: number) => 1000 + stream;
const negotiate = (offered: Offered, audio: AudioCapabilities) =>
  negotiateStreams(offered, { profiles: ["frame"], audio }, ssrcOf);
const chosen = (offered: Offered, mine: AudioCapabilities) => {
  const stream = must(negotiate(offered, mine)).streams[0];
  return stream?.modality === "audio" ? stream.codec : undefined;
};

test("an answer takes each stream with one codec and an SSRC of its own", () => {
  expect(must(negotiate(offer([opus, pcmu]), local([canPcmu, canOpus])))).toEqual({
    profile: "frame",
    streams: [
      {
        stream: 0,
        modality: "audio",
        direction: "sendrecv",
        ssrc: 1000,
        codec: { name: "opus", clock_rate: 48_000, channels: 1, frame_ms: 20, payload_type: 111 },
      },
    ],
  });
});

describe("packets that carry earlier frames", () => {
  const red = { ...opus, red_payload_type: 63 };

  test("are agreed where both ends take them, under the type that was offered", () => {
    expect(chosen(offer([red]), local([canOpus], { redundancy: true }))?.red_payload_type).toBe(63);
    expect(chosen(offer([red]), local([canOpus]))).not.toHaveProperty("red_payload_type");
    expect(chosen(offer([opus]), local([canOpus], { redundancy: true }))).not.toHaveProperty(
      "red_payload_type",
    );
  });

  test("may share their type among codecs, and with no codec", () => {
    const both = offer([red, { ...pcmu, red_payload_type: 63 }]);
    expect(chosen(both, local([canPcmu], { redundancy: true }))?.red_payload_type).toBe(63);
    const clashing = negotiate(offer([{ ...opus, red_payload_type: 0 }, pcmu]), local([canOpus]));
    expect(clashing.ok ? "taken" : clashing.fault.details?.reason).toBe("ambiguous");
  });
});

describe("the choice", () => {
  test.each<
    [
      sentence: string,
      offered: readonly OfferCodec[],
      mine: readonly AudioCapability[],
      name: string,
      ms: number,
      pt: number,
    ]
  >([
    ["follows the offer's preference, not ours", [pcmu, opus], [canOpus, canPcmu], "pcmu", 20, 0],
    ["falls to a later codec when the first is not ours", [pcma, opus], [canOpus], "opus", 20, 111],
    ["keeps the offer's payload type", [{ ...opus, payload_type: 96 }], [canOpus], "opus", 20, 96],
    [
      "takes the first frame size that is ours",
      [{ ...opus, frame_ms: [60, 40, 20] }],
      [canOpus],
      "opus",
      40,
      111,
    ],
    ["needs the same channels", [stereo, opus], [canOpus], "opus", 20, 111],
    [
      "needs the same sample rate",
      [{ ...opus, clock_rate: 16_000, payload_type: 96 }, opus],
      [canOpus],
      "opus",
      20,
      111,
    ],
    ["needs a frame size in common", [{ ...opus, frame_ms: [60] }, pcmu], [canOpus, canPcmu], "pcmu", 20, 0],
    ["knows one codec in several forms", [stereo], [canOpus, { ...canOpus, channels: 2 }], "opus", 20, 112],
  ])("%s", (_sentence, offered, mine, name, frame_ms, payload_type) => {
    expect(chosen(offer(offered), local(mine))).toMatchObject({ name, frame_ms, payload_type });
  });

  test("leaves out frames that do not fit a packet", () => {
    const wide: AudioCapability = { ...canPcmu, channels: 1, frameMs: [20, 120, 150], bytesPerMs: 8 };
    expect(chosen(offer([{ ...pcmu, frame_ms: [150, 120, 20] }]), local([wide]))?.frame_ms).toBe(120);
    expect(
      chosen(offer([{ ...pcmu, frame_ms: [120, 20] }]), local([wide], { maxPayloadBytes: 200 }))?.frame_ms,
    ).toBe(20);
    expect(MAX_PAYLOAD_BYTES).toBe(977);
  });

  test.each<[offered: readonly Profile[], mine: readonly Profile[], profile: Profile]>([
    [["frame"], ["frame"], "frame"],
    [["chain", "frame"], ["frame", "chain"], "chain"],
    [["chain", "frame"], ["frame"], "frame"],
  ])("of profile %j by %j is %s", (offered, mine, profile) => {
    const capable = { profiles: mine, audio: local([canOpus]) };
    expect(must(negotiateStreams(offer([opus], {}, offered), capable, ssrcOf)).profile).toBe(profile);
  });

  test.each<[offered: Direction, send: boolean, receive: boolean, answered: Direction | undefined]>([
    ["sendrecv", true, true, "sendrecv"],
    ["sendrecv", true, false, "sendonly"],
    ["sendrecv", false, true, "recvonly"],
    ["sendrecv", false, false, undefined],
    ["sendonly", true, true, "recvonly"],
    ["sendonly", false, true, "recvonly"],
    ["sendonly", true, false, undefined],
    ["recvonly", true, true, "sendonly"],
    ["recvonly", true, false, "sendonly"],
    ["recvonly", false, true, undefined],
  ])("of direction: %s, when we may send %j and receive %j, is %s", (direction, send, receive, answered) => {
    const result = negotiate(offer([opus], { direction }), local([canOpus], { send, receive }));
    expect(result.ok ? result.value.streams[0]?.direction : undefined).toBe(answered);
  });

  test("takes the streams that can be taken and leaves the others", () => {
    const [first] = offer([opus]).streams;
    const [second] = offer([pcma]).streams;
    if (first === undefined || second === undefined) throw new Error("offers have a stream");
    const streams = [second, { ...first, stream: 7, ssrc: 2 }];
    expect(must(negotiate({ profiles: ["frame"], streams }, local([canOpus]))).streams).toMatchObject([
      { stream: 7, ssrc: 1007 },
    ]);
  });
});

describe("463", () => {
  const counter_proposal = {
    modalities: ["audio"],
    profiles: ["frame"],
    directions: ["sendrecv", "sendonly", "recvonly"],
    codecs: [{ name: "opus", clock_rate: 48_000, channels: 1, frame_ms: [10, 20, 40] }],
  };
  test.each<[what: string, reason: string, offered: Offered, mine: AudioCapabilities]>([
    ["nothing in common", "composition-impossible", offer([pcmu]), local([canOpus])],
    [
      "another sample rate only",
      "composition-impossible",
      offer([{ ...opus, clock_rate: 16_000 }]),
      local([canOpus]),
    ],
    ["other channels only", "composition-impossible", offer([stereo]), local([canOpus])],
    [
      "other frame sizes only",
      "composition-impossible",
      offer([{ ...opus, frame_ms: [60] }]),
      local([canOpus]),
    ],
    ["another profile only", "composition-impossible", offer([opus], {}, ["chain"]), local([canOpus])],
    [
      "a common codec that policy forbids",
      "policy-refused",
      offer([pcmu]),
      local([canOpus, canPcmu], { forbiddenCodecs: ["pcmu"] }),
    ],
    [
      "a forbidden codec that was not common",
      "composition-impossible",
      offer([pcma]),
      local([canOpus], { forbiddenCodecs: ["pcma"] }),
    ],
    [
      "a payload type for two codecs",
      "ambiguous",
      offer([opus, { ...pcmu, payload_type: 111 }]),
      local([canOpus]),
    ],
    [
      "a stream twice",
      "ambiguous",
      { profiles: ["frame"], streams: [...offer([opus]).streams, ...offer([opus], { ssrc: 2 }).streams] },
      local([canOpus]),
    ],
    [
      "an SSRC twice",
      "ambiguous",
      { profiles: ["frame"], streams: [...offer([opus]).streams, ...offer([opus], { stream: 1 }).streams] },
      local([canOpus]),
    ],
  ])("%s: %s, with a counter-proposal", (_what, reason, offered, mine) => {
    expect(negotiate(offered, mine)).toMatchObject({
      ok: false,
      fault: {
        code: "proposal-rejected",
        details: { reason, counter_proposal, explanation: expect.stringMatching(/\.$/) },
      },
    });
  });

  test("no direction in common", () => {
    expect(
      negotiate(offer([opus], { direction: "sendonly" }), local([canOpus], { receive: false })),
    ).toMatchObject({
      fault: {
        details: { reason: "composition-impossible", counter_proposal: { directions: ["sendonly"] } },
      },
    });
  });

  test("the counter-proposal names neither forbidden codecs nor frames that do not fit", () => {
    const mine = local([canOpus, { ...canPcmu, frameMs: [20, 150] }], { forbiddenCodecs: ["opus"] });
    expect(negotiate(offer([pcma]), mine)).toMatchObject({
      fault: { details: { counter_proposal: { codecs: [{ name: "pcmu", frame_ms: [20] }] } } },
    });
  });
});

describe("headers beside the offer", () => {
  const offered = offer([opus, stereo, pcmu]);
  const check = (headers: Parameters<typeof checkOfferHeaders>[1]) =>
    checkOfferHeaders(offered, headers, { profiles: ["frame"], audio: local([canOpus]) });

  test("that say the same, or nothing, are fine", () => {
    expect(check({}).ok).toBe(true);
    expect(check({ modalities: ["audio"], audioCodecs: ["opus", "pcmu"] }).ok).toBe(true);
  });

  test.each([
    { modalities: ["audio", "video"] },
    { modalities: [] },
    { audioCodecs: ["opus"] },
    { audioCodecs: ["pcmu", "opus"] },
    { audioCodecs: ["opus", "pcmu", "g722"] },
  ])("%j contradict it", (headers) => {
    expect(check(headers)).toMatchObject({
      fault: { code: "proposal-rejected", details: { reason: "ambiguous" } },
    });
  });
});

test("whatever is chosen lies within the offer", () => {
  const codec = fc.constantFrom(opus, stereo, pcmu, pcma, { ...opus, frame_ms: [60, 40], payload_type: 96 });
  const stream = fc.record({
    direction: fc.constantFrom<Direction>("sendrecv", "sendonly", "recvonly"),
    codecs: fc.uniqueArray(codec, { minLength: 1, selector: (entry) => entry.payload_type }),
  });
  const mine = fc.record({
    codecs: fc.uniqueArray(fc.constantFrom(canOpus, canPcmu, { ...canOpus, channels: 2 } as const), {
      minLength: 1,
    }),
    profiles: fc.constant<Profile[]>(["frame"]),
    send: fc.boolean(),
    receive: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(stream, { minLength: 1, maxLength: 3 }), mine, (drafts, capabilities) => {
      const streams = drafts.map((draft, i) => ({
        ...draft,
        stream: i,
        ssrc: i,
        modality: "audio" as const,
      }));
      const verified = must(
        verifyOffer(
          signedOffer({ streams }),
          { publicKey: ALICE.identity.publicKey, caller: ALICE.genesis.agentId },
          strictVerifier,
        ),
      );
      const choice = negotiate(verified.payload, capabilities);
      if (!choice.ok) return;
      const answer = signedAnswer({ offer_digest: verified.digest, ...choice.value });
      expect(
        verifyAnswer(answer, { publicKey: BOB.identity.publicKey, offer: verified }, strictVerifier).ok,
      ).toBe(true);
    }),
    { numRuns: 60 },
  );
});
