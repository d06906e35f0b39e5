import { describe, expect, it } from "vitest";
import { OWN_TRANSPORT, takenOffer } from "../../test/sdp-offers.ts";
import type { LocalDescription, MediaSection, RtpCodec, Section, SentMedia } from "./description.ts";
import { offeredExtensions } from "./header-extensions.ts";
import { FEEDBACK } from "./sdp-codecs.ts";
import { readOffer } from "./sdp-reading.ts";
import { answeredSections, type Taken, writeDescription } from "./sdp-writing.ts";

const VOICE: SentMedia = {
  encodings: [{ ssrc: 71 }],
  cname: "own",
  stream: { stream: "parley", track: "voice" },
};
const PICTURES: SentMedia = {
  encodings: [{ ssrc: 72, rtx: { ssrc: 73 } }],
  cname: "own",
  stream: { stream: "parley", track: "sight" },
};
const VP8: RtpCodec = {
  ...{ mimeType: "video/VP8", payloadType: 96, clockRate: 90_000, parameters: {} },
  rtcpFeedback: FEEDBACK.video,
};

function answer(name: string, taken: readonly Taken[], withData = false): LocalDescription {
  const data = withData ? { sctpPort: 5000, maxMessageSize: 65_536 } : undefined;
  return { ...OWN_TRANSPORT, setup: "passive", sections: answeredSections(takenOffer(name), taken, data) };
}

/** As its own reader reads it back, which takes offers; only a role differs. */
function readBack(local: LocalDescription) {
  const read = readOffer(writeDescription(local));
  if (!read.ok) throw new Error(JSON.stringify(read.fault));
  return read.value;
}

describe("a description of ours", () => {
  it("that offers reads as what it was written of", () => {
    const rtx = {
      mimeType: "video/rtx",
      payloadType: 97,
      clockRate: 90_000,
      parameters: { apt: 96 },
      rtcpFeedback: [],
    };
    const sections: readonly Section[] = [
      {
        ...{ kind: "video", mid: "0", direction: "sendrecv", codecs: [VP8, rtx], sends: PICTURES },
        headerExtensions: offeredExtensions("video"),
      },
      { kind: "data", mid: "1", sctpPort: 5000, maxMessageSize: 65_536 },
    ];
    const read = readBack({ ...OWN_TRANSPORT, setup: "actpass", sections });
    expect(read).toEqual({
      ...{ ice: OWN_TRANSPORT.ice, iceLite: true, trickles: true, candidates: OWN_TRANSPORT.candidates },
      ...{ fingerprints: OWN_TRANSPORT.fingerprints, setup: "actpass", sections },
      mappedExtensions: offeredExtensions("video"),
    });
  });

  it("names no two tracks alike, which Chromium does not take", () => {
    const section = { direction: "sendrecv", codecs: [VP8], headerExtensions: [] } as const;
    const sends = { ...PICTURES, stream: { stream: "parley" } };
    const text = writeDescription({
      ...{ ...OWN_TRANSPORT, setup: "actpass" },
      sections: [
        { ...section, kind: "video", mid: "0", sends },
        { ...section, kind: "video", mid: "1", sends },
      ],
    });
    expect(text.match(/^a=msid:.*$/gm)).toEqual(["a=msid:parley 0", "a=msid:parley 1"]);
  });

  it("has the lines that other programs look for, ending in CRLF", () => {
    const text = writeDescription(
      answer("simple-whip-client", [{ kind: "audio", payloadType: 111, receives: true }]),
    );
    expect(text.split("\r\n")).toEqual([
      ...["v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0"],
      ...["a=ice-lite", "a=msid-semantic: WMS *", "a=group:BUNDLE audio0"],
      "m=audio 9 UDP/TLS/RTP/SAVPF 111",
      "c=IN IP4 0.0.0.0",
      "a=rtpmap:111 opus/48000/2",
      "a=fmtp:111 minptime=10;useinbandfec=1",
      "a=rtcp-fb:111 nack",
      "a=setup:passive",
      "a=mid:audio0",
      "a=recvonly",
      "a=ice-ufrag:s3rv",
      "a=ice-pwd:aServersPasswordOf22Chars",
      `a=fingerprint:sha-256 ${Array(32).fill("C0").join(":")}`,
      "a=candidate:udp 1 udp 1076302079 192.0.2.1 4481 typ host",
      "a=candidate:tcp 1 tcp 1076276479 192.0.2.1 4481 typ host tcptype passive",
      "a=end-of-candidates",
      "a=ice-options:trickle",
      "a=rtcp-mux",
      "a=rtcp-rsize",
      "m=video 0 UDP/TLS/RTP/SAVPF 96",
      "c=IN IP4 0.0.0.0",
      "a=mid:video1",
      "",
    ]);
  });
});

describe("the answer to an offer", () => {
  it("takes one codec of a kind, with its repetition, under the offer's own numbers", () => {
    const read = readBack(
      answer("chromium-whip", [
        { kind: "audio", payloadType: 111, receives: true, sends: VOICE },
        { kind: "video", payloadType: 98, receives: true },
      ]),
    );
    const [audio, video] = read.sections as [MediaSection, MediaSection];
    expect(audio).toMatchObject({ direction: "recvonly", codecs: [{ payloadType: 111 }] });
    expect(audio.sends).toBeUndefined();
    expect(video.codecs.map(({ mimeType, payloadType }) => `${mimeType} ${payloadType}`)).toEqual([
      ...["video/VP9 98", "video/rtx 99"],
    ]);
    expect(video.headerExtensions.map(({ id }) => id)).toEqual([2, 3, 4]);
  });

  it("goes in the directions that both want", () => {
    const taken = (sends?: SentMedia, receives = true): readonly Taken[] => [
      { kind: "audio", payloadType: 96, receives, ...(sends === undefined ? {} : { sends }) },
    ];
    const direction = (name: string, wanted: readonly Taken[]) => {
      const [section] = readBack(answer(name, wanted)).sections;
      return section?.kind === "audio" ? section.direction : section?.kind;
    };
    expect(direction("werift-both", taken(VOICE))).toBe("sendrecv");
    expect(direction("werift-both", taken())).toBe("recvonly");
    expect(direction("werift-both", taken(VOICE, false))).toBe("sendonly");
    expect(direction("werift-both", taken(undefined, false))).toBe("inactive");
    expect(direction("werift-whep", taken(VOICE))).toBe("sendonly");
  });

  it("says what is sent, and refuses in its place what is not taken", () => {
    const read = readBack(
      answer("chromium-both", [{ kind: "video", payloadType: 96, receives: true, sends: PICTURES }], true),
    );
    expect(read.sections).toMatchObject([
      { kind: "none", mid: "0", media: "audio" },
      { kind: "video", mid: "1", direction: "sendrecv", sends: PICTURES },
      { kind: "data", mid: "2", sctpPort: 5000, maxMessageSize: 65_536 },
    ]);
  });

  it("is of one stream where a simulcast was offered", () => {
    const text = writeDescription(
      answer("chromium-simulcast", [{ kind: "video", payloadType: 96, receives: true }]),
    );
    expect(text).not.toMatch(/simulcast|a=rid/);
    expect(text).toContain("m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n");
  });

  it("wants in-band correction of Opus, stereo where it is offered, and never gaps in silence", () => {
    const parameters = (name: string, payloadType: number) => {
      const { sections } = answer(name, [{ kind: "audio", payloadType, receives: true }]);
      return (sections.find(({ kind }) => kind === "audio") as MediaSection).codecs[0]?.parameters;
    };
    expect(parameters("chromium-whip", 111)).toEqual({ minptime: 10, useinbandfec: 1 });
    const stereo = { minptime: 10, useinbandfec: 1, stereo: 1, "sprop-stereo": 1 };
    expect(parameters("firefox", 109)).toEqual(stereo);
    expect(parameters("obs-av1", 111)).toEqual(stereo);
  });
});
