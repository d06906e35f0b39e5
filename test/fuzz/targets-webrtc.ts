import type { RemoteDescription } from "../../transports/webrtc/description.ts";
import { extensionsClash } from "../../transports/webrtc/header-extensions.ts";
import { readFragment } from "../../transports/webrtc/sdp-fragment.ts";
import { readAnswer, readOffer } from "../../transports/webrtc/sdp-reading.ts";
import { answeredSections, type Taken, writeDescription } from "../../transports/webrtc/sdp-writing.ts";
import { OWN_TRANSPORT, offerText } from "../sdp-offers.ts";
import type { FuzzTarget } from "./target.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const NAMES = ["chromium-whip", "chromium-simulcast", "firefox", "werift-both", "libdatachannel", "obs-av1"];
const OFFERS = [...NAMES, "gstreamer-whipsink"].map(offerText);
const TOKENS = [
  ...[
    "\r\n",
    "\r",
    "\n",
    "m=",
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
    "a=mid:",
    "a=group:BUNDLE ",
    "a=bundle-only\r\n",
  ],
  ...[
    "a=rtpmap:",
    "a=fmtp:96 ",
    "apt=",
    "a=extmap:",
    "a=ssrc:",
    "a=ssrc-group:FID ",
    "a=simulcast:send ",
    "a=rid:",
  ],
  ...[
    "a=candidate:",
    "a=fingerprint:sha-256 ",
    "a=setup:",
    "a=ice-ufrag:",
    "a=ice-pwd:",
    "a=sctp-port:",
    "a=imageattr:",
  ],
  ...[
    "__proto__",
    "constructor",
    "99999999999999999999",
    "*",
    ";",
    "\u2028",
    "\u0000",
    "[x=1]",
    "a=source-filter: incl IN IP4 ",
  ],
];
const offered = { ...OWN_TRANSPORT, setup: "actpass", sections: sectionsOf("werift-both") } as const;
const ANSWERS = [writeDescription({ ...offered, setup: "active" })];
const FRAGMENT = `a=ice-options:trickle\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0\r\na=end-of-candidates\r\n`;

export const WEBRTC_TARGETS: readonly FuzzTarget[] = [
  {
    name: "sdp-offer",
    examples: OFFERS.map(bytesOf),
    tokens: TOKENS,
    every: 20,
    run(input) {
      const offer = readOffer(textOf(input));
      if (!offer.ok) return false;
      extensionsClash(offer.value.mappedExtensions, ["audio", "video"]);
      // What was read can be answered, and the answer is as long as the offer and can be read again.
      const sections = answeredSections(offer.value, everything(offer.value), {
        sctpPort: 5000,
        maxMessageSize: 0,
      });
      const again = readOffer(writeDescription({ ...OWN_TRANSPORT, setup: "passive", sections }));
      if (!again.ok || again.value.sections.length !== offer.value.sections.length)
        throw new Error(`an answer that cannot be read: ${JSON.stringify(again)}`);
      return true;
    },
  },
  {
    name: "sdp-answer",
    examples: ANSWERS.map(bytesOf),
    tokens: TOKENS,
    every: 20,
    run: (input) => readAnswer(textOf(input), offered).ok,
  },
  {
    name: "ice-fragment",
    examples: [bytesOf(FRAGMENT)],
    tokens: TOKENS,
    run(input) {
      const read = readFragment(textOf(input));
      if (read.ok && read.value.candidates.length > 32) throw new Error("more candidates than are kept");
      return read.ok;
    },
  },
];

function sectionsOf(name: string) {
  const offer = readOffer(offerText(name));
  if (!offer.ok) throw new Error(JSON.stringify(offer.fault));
  return answeredSections(offer.value, everything(offer.value), { sctpPort: 5000, maxMessageSize: 65_536 });
}

function everything({ sections }: RemoteDescription): readonly Taken[] {
  return sections.flatMap((section) => {
    const [codec] = section.kind === "audio" || section.kind === "video" ? section.codecs : [];
    if (codec === undefined || (section.kind !== "audio" && section.kind !== "video")) return [];
    const sends = {
      encodings: [{ ssrc: 1, rtx: { ssrc: 2 } }],
      cname: "own",
      stream: { stream: "s", track: "t" },
    };
    return [{ kind: section.kind, payloadType: codec.payloadType, receives: true, sends }];
  });
}
