import { describe, expect, it } from "vitest";
import { OWN_TRANSPORT } from "../../test/sdp-offers.ts";
import { readFragment, writeFragment } from "./sdp-fragment.ts";

// Of RFC 9725, figures 4 and 6.
const TRICKLED = `a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=mid:0
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1
a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0 ufrag EsAw network-id 2
a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0 ufrag EsAw network-id 1
a=end-of-candidates
`;
const RESTARTED = `a=ice-options:trickle ice2
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=mid:0
a=ice-ufrag:ysXw
a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k
`;

describe("a fragment", () => {
  it("brings credentials and candidates", () => {
    expect(readFragment(TRICKLED)).toMatchObject({
      ok: true,
      value: {
        ice: { usernameFragment: "EsAw", password: "P2uYro0UCOQ4zxjKXaWCBui1" },
        candidates: [{ port: 61_764 }, { port: 61_765 }, { protocol: "tcp", tcpType: "active" }],
        isComplete: true,
      },
    });
    expect(readFragment(RESTARTED.replaceAll("\n", "\r\n"))).toEqual({
      ok: true,
      value: {
        ice: { usernameFragment: "ysXw", password: "vw5LmwG4y/e6dPP/zAP9Gp5k" },
        candidates: [],
        isComplete: false,
      },
    });
  });

  it("passes over candidates of other components and transports, and those past the 32nd", () => {
    const lines = (...candidates: readonly string[]) =>
      readFragment(`${RESTARTED}${candidates.map((line) => `a=candidate:${line}\n`).join("")}`);
    expect(lines("1 2 udp 1 192.0.2.1 9 typ host", "1 1 quic 1 192.0.2.1 9 typ host", "")).toMatchObject({
      value: { candidates: [] },
    });
    const many = lines(
      ...Array.from(
        { length: 100 },
        (_, port) => `1 1 udp 1 a.local ${port} typ srflx raddr 0.0.0.0 rport 0`,
      ),
    );
    expect(many.ok && many.value.candidates).toHaveLength(32);
  });

  it.each([
    ["nothing", "", "line 1"],
    ["no credentials", TRICKLED.replaceAll(/a=ice-.*\n/g, ""), undefined],
    ["a username alone", RESTARTED.replace(/a=ice-pwd.*\n/, ""), "section 0"],
    [
      "credentials that differ",
      `${RESTARTED}m=video 9 UDP/TLS/RTP/SAVPF 96\na=ice-ufrag:EsAw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\n`,
      "section 1: a=ice-ufrag",
    ],
    ["a candidate that is none", TRICKLED.replace("typ host", "typ guest"), "section 0"],
    ["20,000 bytes", TRICKLED + "a=x\n".repeat(5000), undefined],
    ["a line that is none", `hello\n${TRICKLED}`, "line 1"],
  ])("with %s is refused", (_what, text, at) => {
    const read = readFragment(text);
    expect(read).toMatchObject({ ok: false, fault: { code: "sdp-malformed" } });
    expect(read.ok ? undefined : read.fault.at).toBe(at);
  });

  it("of ours answers new credentials with our own", () => {
    const section = { kind: "data", mid: "0", sctpPort: 5000, maxMessageSize: 0 } as const;
    const text = writeFragment({ ...OWN_TRANSPORT, sections: [section] });
    expect(text).toMatch(/^a=ice-lite\r\n/);
    expect(readFragment(text)).toEqual({
      ok: true,
      value: { ice: OWN_TRANSPORT.ice, candidates: OWN_TRANSPORT.candidates, isComplete: true },
    });
  });
});
