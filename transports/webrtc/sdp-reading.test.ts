import { describe, expect, it } from "vitest";
import { OWN_TRANSPORT, offerText, takenOffer } from "../../test/sdp-offers.ts";
import type { LocalDescription, MediaSection, RemoteDescription } from "./description.ts";
import { extensionsClash, offeredExtensions, sentMid } from "./header-extensions.ts";
import { readAnswer, readOffer } from "./sdp-reading.ts";
import { writeDescription } from "./sdp-writing.ts";

const PEERS = [
  ["chromium-whip", ["audio sendonly opus:111", "video sendonly VP8:96 AV1:45 VP9:98"], "none yet"],
  ["chromium-whep", ["audio recvonly opus:111", "video recvonly VP8:96 VP9:98 AV1:45"], "candidates"],
  ["chromium-both", ["audio sendrecv opus:111", "video sendrecv VP8:96 AV1:45 VP9:98", "data"], "candidates"],
  ["chromium-simulcast", ["audio sendonly opus:111", "video sendonly VP8:96 AV1:45 VP9:98"], "candidates"],
  ["firefox", ["audio sendrecv opus:109", "video sendrecv VP8:120 VP9:121 AV1:99", "data"], "none yet"],
  ["werift-whep", ["audio recvonly opus:96", "video recvonly VP8:98"], "candidates"],
  ["werift-both", ["audio sendrecv opus:96", "video sendrecv VP8:97", "data"], "candidates"],
  ["libdatachannel", ["audio sendonly opus:111", "video sendonly VP8:96", "data"], "candidates"],
  ["obs-av1", ["audio sendonly opus:111", "video sendonly AV1:96"], "candidates"],
  ["gstreamer-whipsink", ["video sendonly VP8:96", "audio sendonly opus:98"], "none yet"],
  ["simple-whip-client", ["audio sendonly opus:111", "video sendonly VP8:96"], "none yet"],
] as const;

function summary(description: RemoteDescription): readonly string[] {
  return description.sections.map((section) => {
    if (section.kind === "data" || section.kind === "none") return section.kind;
    const codecs = section.codecs.filter(({ mimeType }) => mimeType !== "video/rtx");
    const names = codecs.map(({ mimeType, payloadType }) => `${mimeType.split("/")[1]}:${payloadType}`);
    return `${section.kind} ${section.direction} ${names.join(" ")}`;
  });
}

function section(name: string, index: number): MediaSection {
  return takenOffer(name).sections[index] as MediaSection;
}

describe("an offer", () => {
  it.each(PEERS)("of %s is read", (name, sections, candidates) => {
    const offer = takenOffer(name);
    expect(summary(offer)).toEqual(sections);
    expect(offer).toMatchObject({ setup: "actpass", iceLite: false, trickles: true });
    expect(offer.fingerprints.map(({ algorithm }) => algorithm)).toEqual(["sha-256"]);
    expect(offer.candidates.length > 0 ? "candidates" : "none yet").toBe(candidates);
  });

  it("tells formats with their parameters, feedback and repetition", () => {
    expect(section("firefox", 0).codecs).toEqual([
      {
        ...{ mimeType: "audio/opus", payloadType: 109, clockRate: 48_000, channels: 2 },
        parameters: { maxplaybackrate: 48_000, stereo: 1, useinbandfec: 1 },
        rtcpFeedback: [],
      },
    ]);
    const [vp8, rtx] = section("chromium-whip", 1).codecs;
    expect(vp8?.rtcpFeedback.map(({ type, parameter = "" }) => `${type} ${parameter}`.trim())).toEqual([
      ...["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"],
    ]);
    expect(rtx).toMatchObject({ mimeType: "video/rtx", payloadType: 97, parameters: { apt: 96 } });
  });

  it("tells what is sent: of a stream its sources, of a simulcast only that it comes", () => {
    expect(section("chromium-whip", 1).sends).toMatchObject({
      encodings: [{ ssrc: 2_436_221_884, rtx: { ssrc: 1_011_050_121 } }],
      cname: expect.any(String),
      stream: { stream: expect.any(String), track: expect.any(String) },
    });
    expect(section("chromium-simulcast", 1).sends?.encodings).toEqual([]);
    expect(section("chromium-whep", 1).sends).toBeUndefined();
    expect(section("werift-whep", 1).sends).toBeUndefined();
  });

  it("has the header extensions that are read, and tells which identifiers mean something else to its writer", () => {
    expect(section("chromium-whip", 0).headerExtensions.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
    expect(section("chromium-whip", 1).headerExtensions.map(({ id }) => id)).toEqual([2, 3, 4]);
    const clashes = ["chromium-whep", "chromium-both", "gstreamer-whipsink", "firefox"].map((name) => {
      const { mappedExtensions } = takenOffer(name);
      return [
        extensionsClash(mappedExtensions, ["audio", "video"]),
        extensionsClash(mappedExtensions, ["video"]),
      ];
    });
    expect(clashes).toEqual([
      [true, true],
      [true, true],
      [false, false],
      [false, false],
    ]);
    for (const name of ["werift-whep", "werift-both", "libdatachannel", "obs-av1"])
      expect(extensionsClash(takenOffer(name).mappedExtensions, ["audio", "video"])).toBe(false);
    const [voice = ""] = offerText("chromium-whep").replace("BUNDLE 0 1", "BUNDLE 0").split("m=video");
    const alone = readOffer(voice);
    expect(alone.ok && extensionsClash(alone.value.mappedExtensions, ["audio"])).toBe(false);
    const other = (uri: string) => extensionsClash([{ id: 5, uri }], ["video"]);
    const { mappedExtensions } = takenOffer("chromium-whip");
    const [level, sendTime, feedback, mid] = mappedExtensions.map(({ uri }) => uri) as string[];
    expect([level, sendTime, feedback, mid, "urn:of:nobody"].map((uri) => other(uri as string))).toEqual([
      ...[false, false, false, true, true],
    ]);
    expect(sentMid("0", mappedExtensions)).toHaveLength(7);
    expect(sentMid("0", takenOffer("werift-both").mappedExtensions)).toBe("0");
    for (const kind of ["audio", "video"] as const)
      expect(extensionsClash(offeredExtensions(kind), ["audio", "video"])).toBe(false);
  });

  it("without a codec that is taken is told what it offered", () => {
    expect(readOffer(offerText("obs"))).toMatchObject({
      ok: false,
      fault: { code: "codec-unsupported", details: { offered: ["H264/90000", "rtx/90000"] } },
    });
    const mono = offerText("libdatachannel").replace("opus/48000/2", "opus/48000");
    expect(readOffer(mono)).toMatchObject({
      fault: { code: "codec-unsupported", details: { offered: ["opus/48000"] } },
    });
    const other = offerText("libdatachannel").replace("VP8/90000", "VP9/90000\r\na=fmtp:96 profile-id=2");
    expect(readOffer(other)).toMatchObject({ fault: { code: "codec-unsupported" } });
  });

  it("keeps refused sections and those of other protocols in their places", () => {
    const refused = offerText("chromium-both").replace(/^m=video \d+/m, "m=video 0");
    expect(readOffer(refused)).toMatchObject({
      ok: true,
      value: { sections: [{ kind: "audio" }, { kind: "none", mid: "1", media: "video" }, { kind: "data" }] },
    });
    const plain = offerText("libdatachannel").replace(
      "m=video 51747 UDP/TLS/RTP/SAVPF",
      "m=video 51747 RTP/AVP",
    );
    expect(readOffer(plain)).toMatchObject({
      ok: true,
      value: { sections: [{}, { kind: "none", protocol: "RTP/AVP" }, {}] },
    });
  });
});

const BASE = offerText("libdatachannel");
const edit = (from: string | RegExp, to: string) => {
  const text = BASE.replace(from, to);
  if (text === BASE) throw new Error(`nothing to edit: ${String(from)}`);
  return text;
};

describe("SDP that breaks a rule is refused by name", () => {
  it.each([
    ["nothing", "", "line 1"],
    ["no SDP", "hello", "line 1"],
    ["JSON", JSON.stringify({ sdp: BASE }), "line 1"],
    ["another version", edit("v=0", "v=1"), "line 1"],
    ["a line without a type", edit("s=-\r\n", "s=-\r\nhello\r\n"), "line 4"],
    ["an empty line", edit("s=-\r\n", "s=-\r\n\r\n"), "line 4"],
    ["a control character", edit("a=mid:audio", "a=mid:au\u0000dio"), "line 12"],
    ["CR without LF", edit("a=mid:audio", "a=sendonly\ra=mid:audio"), "line 12"],
    ["a line separator of Unicode", edit("a=mid:audio", "a=x\u2028a=mid:audio"), "line 12"],
    ["no section", BASE.slice(0, BASE.indexOf("m=")), undefined],
    ["an m= line that is none", edit("m=audio 51747 UDP/TLS/RTP/SAVPF 111", "m=audio"), "line 10"],
    ["a line of 2,000 bytes", edit("s=-", `s=${"x".repeat(2000)}`), "line 3"],
    ["3,000 lines", edit("s=-", `s=-\r\n${"a=x\r\n".repeat(3000)}a=y`), undefined],
    ["100,000 bytes", BASE + "a=x\r\n".repeat(20_000), undefined],
    ["20 sections", BASE + "m=audio 0 RTP/AVP 0\r\n".repeat(20), "line 63"],
    [
      "200 payload types",
      edit("SAVPF 111", `SAVPF ${Array.from({ length: 200 }, (_, i) => i).join(" ")}`),
      "section 0",
    ],
    ["a payload type twice", edit("SAVPF 111", "SAVPF 111 111"), "section 0"],
    ["a payload type that is none", edit("SAVPF 111", "SAVPF 300"), "section 0"],
    [
      "two codecs of one payload type",
      edit("a=rtcp-mux", "a=rtpmap:111 opus/48000/2\r\na=rtcp-mux"),
      "section 0",
    ],
    ["two a=fmtp of one payload type", edit("a=rtcp-mux", "a=fmtp:111 stereo=0\r\na=rtcp-mux"), "section 0"],
    ["no group", edit(/a=group:BUNDLE.*\r\n/, ""), "section 0"],
    ["a section outside the group", edit("BUNDLE audio video 0", "BUNDLE audio 0"), "section 1"],
    ["two groups", edit("a=group:LS", "a=group:BUNDLE"), "session"],
    ["no rtcp-mux", edit("a=rtcp-mux\r\n", ""), "section 0"],
    ["no mid", edit("a=mid:audio\r\n", ""), "section 0"],
    ["two mids", edit("a=mid:audio\r\n", "a=mid:audio\r\na=mid:b\r\n"), "line 13"],
    ["a mid of 17 characters", edit("a=mid:audio", `a=mid:${"a".repeat(17)}`), "section 0: a=mid"],
    [
      "a mid of nine where there is room for eight",
      edit("a=mid:audio\r\na=sendonly", "a=mid:audio6789\r\na=sendrecv").replace(
        "BUNDLE audio",
        "BUNDLE audio6789",
      ),
      "section 0: a=mid",
    ],
    ["one mid for two sections", edit("a=mid:video", "a=mid:audio"), "section 1: a=mid"],
    ["two directions", edit("a=sendonly", "a=sendonly\r\na=recvonly"), "line 14"],
    ["no fingerprint", edit(/a=fingerprint.*\r\n/, ""), undefined],
    [
      "a fingerprint of sha-1 alone",
      edit(/a=fingerprint.*/, `a=fingerprint:sha-1 ${Array(20).fill("AB").join(":")}`),
      undefined,
    ],
    ["a fingerprint that is cut", edit(/(a=fingerprint.*):..\r\n/, "$1\r\n"), "session: a=fingerprint"],
    [
      "two fingerprints of one function",
      edit(/a=fingerprint:sha-256 35(.*)/, "$&\na=fingerprint:sha-256 36$1"),
      "session: a=fingerprint",
    ],
    [
      "certificates that differ",
      edit("a=mid:video", `a=mid:video\r\na=fingerprint:sha-256 ${Array(32).fill("AB").join(":")}`),
      "section 1: a=fingerprint",
    ],
    ["no setup", BASE.replaceAll("a=setup:actpass\r\n", ""), undefined],
    ["holdconn", BASE.replaceAll("a=setup:actpass", "a=setup:holdconn"), "section 0: a=setup"],
    ["no credentials", BASE.replaceAll(/a=ice-(?:ufrag|pwd).*\r\n/g, ""), undefined],
    ["a password alone", edit(/a=ice-ufrag.*\r\n/, ""), "section 0"],
    ["a short password", BASE.replaceAll(/a=ice-pwd.*/g, "a=ice-pwd:short"), "section 0"],
    [
      "credentials that differ",
      edit(/a=ice-ufrag:0EbI(?![\s\S]*a=ice-ufrag)/, "a=ice-ufrag:other"),
      "section 2: a=ice-ufrag",
    ],
    ["a candidate that is none", edit("typ host", "type host"), "section 0"],
    ["a candidate of port 70000", edit("51747 typ host", "70000 typ host"), "section 0"],
    ["a source that is none", edit("a=ssrc:42 cname", "a=ssrc:99999999999 cname"), "section 0: a=ssrc"],
    [
      "a pair of unknown sources",
      edit("a=mid:video", "a=mid:video\r\na=ssrc-group:FID 43 44"),
      "section 1: a=ssrc-group",
    ],
    ["nothing that tells whose packets come", edit(/a=ssrc:43.*\r\na=ssrc:43.*\r\n/, ""), "section 1"],
    ["an extension that is none", edit("a=mid:video", "a=mid:video\r\na=extmap:x y"), "section 1: a=extmap"],
    ["an extension under 0", edit("a=mid:video", "a=mid:video\r\na=extmap:0 y"), "section 1: a=extmap"],
    [
      "one identifier for two extensions",
      edit("a=mid:video", "a=mid:video\r\na=extmap:1 y\r\na=extmap:1 z"),
      "section 1: a=extmap",
    ],
    ["no SCTP port", edit("a=sctp-port:5000\r\n", ""), "section 2: a=sctp-port"],
    ["a data section of something else", edit("SCTP webrtc-datachannel", "SCTP something"), "section 2"],
  ])("%s", (_what, text, at) => {
    const read = readOffer(text);
    expect(read).toMatchObject({ ok: false, fault: { code: "sdp-malformed" } });
    expect(read.ok ? undefined : read.fault.at).toBe(at);
  });
});

const OFFERED: LocalDescription = {
  ...OWN_TRANSPORT,
  setup: "actpass",
  sections: [
    {
      ...{ kind: "audio", mid: "0", direction: "sendrecv", headerExtensions: offeredExtensions("audio") },
      codecs: [
        {
          ...{ mimeType: "audio/opus", payloadType: 111, clockRate: 48_000, channels: 2 },
          ...{ parameters: { minptime: 10, useinbandfec: 1 }, rtcpFeedback: [] },
        },
      ],
      sends: { encodings: [{ ssrc: 7 }], cname: "own", stream: { stream: "parley", track: "voice" } },
    },
    { kind: "data", mid: "1", sctpPort: 5000, maxMessageSize: 65_536 },
  ],
};
const PEERS_TRANSPORT = {
  ...OWN_TRANSPORT,
  ice: { usernameFragment: "peer", password: "aPeersPasswordOf22Character" },
};
const answerOf = (sections: LocalDescription["sections"], setup: LocalDescription["setup"] = "active") =>
  writeDescription({ ...PEERS_TRANSPORT, setup, sections }).replace("a=ice-lite\r\n", "");

describe("an answer to an offer of ours", () => {
  const [audio, data] = OFFERED.sections as [MediaSection, LocalDescription["sections"][number]];

  it("is read", () => {
    const answer = readAnswer(answerOf([{ ...audio, direction: "recvonly" }, data]), OFFERED);
    expect(answer).toMatchObject({
      ok: true,
      value: { setup: "active", ice: PEERS_TRANSPORT.ice, iceLite: false },
    });
    expect(answer.ok && summary(answer.value)).toEqual(["audio recvonly opus:111", "data"]);
  });

  it("may refuse a section", () => {
    const none = {
      kind: "none",
      mid: "1",
      media: "application",
      protocol: "UDP/DTLS/SCTP",
      formats: "webrtc-datachannel",
      offered: [],
    } as const;
    const answer = readAnswer(answerOf([audio, none]), OFFERED);
    expect(answer.ok && summary(answer.value)).toEqual(["audio sendrecv opus:111", "none"]);
  });

  it.each([
    ["leaves the DTLS role open", answerOf([audio, data], "actpass"), "section 0: a=setup"],
    ["lacks a section", answerOf([audio]), undefined],
    ["has them in another order", answerOf([data, audio]), "section 0"],
    ["has another mid", answerOf([{ ...audio, mid: "9" }, data]), "section 0"],
    [
      "has another payload type",
      answerOf([{ ...audio, codecs: [{ ...audio.codecs[0]!, payloadType: 112 }] }, data]),
      "section 0",
    ],
  ])("that %s is refused", (_what, text, at) => {
    const read = readAnswer(text, OFFERED);
    expect(read).toMatchObject({ ok: false, fault: { code: "sdp-malformed" } });
    expect(read.ok ? undefined : read.fault.at).toBe(at);
  });

  it("that sends where nothing was asked for is refused", () => {
    const receiving: LocalDescription = { ...OFFERED, sections: [{ ...audio, direction: "sendonly" }, data] };
    expect(readAnswer(answerOf([audio, data]), receiving)).toMatchObject({
      fault: { code: "sdp-malformed", at: "section 0" },
    });
    expect(readAnswer(answerOf([{ ...audio, direction: "inactive" }, data]), receiving).ok).toBe(true);
  });
});
