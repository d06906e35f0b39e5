import { ok, type Result } from "../../codecs/result.ts";
import type { IceFragment, LocalDescription } from "./description.ts";
import { candidateText, readCandidates, readCredentials, sameCredentials } from "./sdp-ice.ts";
import { FRAGMENT_CAPS, malformed, splitSdp } from "./sdp-text.ts";

/**
 * Reads a fragment of RFC 8840 (`application/trickle-ice-sdpfrag`): ICE credentials, said for all or alike in every section, and any
 * number of candidates. Fault: `sdp-malformed`.
 */
export function readFragment(text: string): Result<IceFragment> {
  const split = splitSdp(text, FRAGMENT_CAPS);
  if (!split.ok) return split;
  const parts = [split.value.session, ...split.value.sections];
  let ice: IceFragment["ice"] | undefined;
  for (const part of parts) {
    const read = readCredentials(part);
    if (!read.ok) return read;
    if (ice !== undefined && read.value !== undefined && !sameCredentials(ice, read.value))
      return malformed(
        "Sections of one bundle have ICE credentials of their own.",
        `${part.at}: a=ice-ufrag`,
      );
    ice ??= read.value;
  }
  if (ice === undefined) return malformed("There is no a=ice-ufrag and a=ice-pwd.");
  const candidates = readCandidates(parts);
  if (!candidates.ok) return candidates;
  const isComplete = parts.some((part) => part.has("end-of-candidates"));
  return ok({ ice, candidates: candidates.value, isComplete });
}

/** What this end answers to new credentials with: its own new ones and its candidates, for the bundle of `local`. */
export function writeFragment(local: Pick<LocalDescription, "ice" | "candidates" | "sections">): string {
  const used = local.sections.filter((section) => section.kind !== "none");
  const [first] = used;
  if (first === undefined) throw new TypeError("A fragment is of a description with a section.");
  const media = first.kind === "data" ? "application 9 UDP/DTLS/SCTP webrtc-datachannel" : undefined;
  const lines = [
    "a=ice-lite",
    "a=ice-options:trickle",
    `a=group:BUNDLE ${used.map(({ mid }) => mid).join(" ")}`,
    `m=${media ?? `${first.kind} 9 UDP/TLS/RTP/SAVPF 0`}`,
    `a=mid:${first.mid}`,
    `a=ice-ufrag:${local.ice.usernameFragment}`,
    `a=ice-pwd:${local.ice.password}`,
    ...local.candidates.map((candidate) => `a=candidate:${candidateText(candidate)}`),
    "a=end-of-candidates",
  ];
  return `${lines.join("\r\n")}\r\n`;
}
