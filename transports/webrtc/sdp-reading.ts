import { type MediaDescription, parse } from "sdp-transform";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type {
  DtlsFingerprint,
  DtlsSetup,
  IceCredentials,
  LocalDescription,
  RemoteDescription,
  RtpHeaderExtension,
  Section,
} from "./description.ts";
import { readFingerprint, sha256Of } from "./fingerprints.ts";
import { readCandidates, readCredentials, sameCredentials } from "./sdp-ice.ts";
import { readMappings, readSection } from "./sdp-sections.ts";
import { DESCRIPTION_CAPS, malformed, type SdpPart, splitSdp } from "./sdp-text.ts";

/**
 * Reads an offer. Sections that nothing here takes come as `none`, and what stands in them is not judged. Faults: `sdp-malformed`, `at` the
 * line, section or attribute; `codec-unsupported`, `details.offered`, where no codec of a kind of media that is offered is taken.
 */
export function readOffer(text: string): Result<RemoteDescription> {
  return readDescription(text, OFFER_SETUPS);
}

/**
 * Reads the answer to an offer of ours: the same sections in the same order, each of its kind or refused, with codecs that were offered
 * under the payload types they were offered under. Faults as `readOffer`.
 */
export function readAnswer(text: string, offered: LocalDescription): Result<RemoteDescription> {
  const answer = readDescription(text, ANSWER_SETUPS);
  if (!answer.ok) return answer;
  const { sections } = answer.value;
  if (sections.length !== offered.sections.length)
    return malformed(`The answer has ${sections.length} sections, the offer ${offered.sections.length}.`);
  for (const [index, section] of sections.entries()) {
    const own = offered.sections[index] as Section;
    const at = `section ${index}`;
    if (section.kind === "none") continue;
    if (section.kind !== own.kind) return malformed("Not the kind of section that was offered here.", at);
    if (section.mid !== own.mid) return malformed("Not the a=mid that was offered here.", at);
    if (section.kind === "data" || own.kind === "data") continue;
    if (!directionsFit(own.direction, section.direction))
      return malformed(`The offer's ${own.direction} cannot be answered with ${section.direction}.`, at);
    const isOffered = (codec: (typeof own.codecs)[number]) =>
      own.codecs.some(
        ({ mimeType, payloadType }) => payloadType === codec.payloadType && mimeType === codec.mimeType,
      );
    if (!section.codecs.every(isOffered))
      return malformed("A payload type that was not offered, or with another codec.", at);
  }
  return answer;
}

function readDescription(text: string, setups: readonly DtlsSetup[]): Result<RemoteDescription> {
  const split = splitSdp(text, DESCRIPTION_CAPS);
  if (!split.ok) return split;
  if (!BEGIN.test(text)) return malformed("Does not begin with v=0, o= and s=.", "line 1");
  const { session, sections: parts } = split.value;
  const parsed = parse(text);
  if (parts.length === 0) return malformed("There is no section.");
  const groups = session.all("group").filter((group) => group.startsWith("BUNDLE"));
  if (groups.length > 1) return malformed("a=group:BUNDLE stands twice.", "session");
  // One alone has nobody to share its transport with, and need not say so.
  const alone = groups.length === 0 && parts.length === 1 ? parts[0]?.one("mid") : undefined;
  const bundled = new Set(alone === undefined ? (groups[0] ?? "").split(" ").slice(1) : [alone]);
  const sections: Section[] = [];
  const mappedExtensions: RtpHeaderExtension[] = [];
  for (const [index, part] of parts.entries()) {
    const media = parsed.media[index] as MediaDescription;
    const section = readSection(media, part, bundled);
    if (!section.ok) return section;
    if (section.value.kind !== "none" && sections.some(({ mid }) => mid === part.one("mid")))
      return malformed("Two sections have one a=mid.", `${part.at}: a=mid`);
    sections.push(section.value);
    if (section.value.kind !== "none" && section.value.kind !== "data")
      mappedExtensions.push(...readMappings(media).filter((one) => !isMapped(mappedExtensions, one)));
  }
  const lacking = lackingKind(sections);
  if (lacking !== undefined) return lacking;
  const used = parts.filter((_part, index) => sections[index]?.kind !== "none");
  if (used.length === 0) return malformed("No section is of WebRTC: bundled, over DTLS, and not refused.");
  const transport = readTransport(session, used, setups);
  if (!transport.ok) return transport;
  const candidates = readCandidates([session, ...used]);
  if (!candidates.ok) return candidates;
  const [first] = used as [SdpPart, ...SdpPart[]];
  const options = [...session.all("ice-options"), ...first.all("ice-options")].join(" ").split(/[ ,]/);
  return ok({
    ...transport.value,
    iceLite: session.has("ice-lite"),
    trickles: options.includes("trickle"),
    candidates: candidates.value,
    sections,
    mappedExtensions,
  });
}

/** Credentials, certificate and role of the one transport: said for all, or alike in every section that says them. */
function readTransport(
  session: SdpPart,
  used: readonly SdpPart[],
  setups: readonly DtlsSetup[],
): Result<{
  readonly ice: IceCredentials;
  readonly fingerprints: readonly DtlsFingerprint[];
  readonly setup: DtlsSetup;
}> {
  let ice: IceCredentials | undefined;
  let fingerprints: readonly DtlsFingerprint[] = [];
  let setup: string | undefined;
  for (const part of [session, ...used]) {
    const credentials = readCredentials(part);
    if (!credentials.ok) return credentials;
    if (ice !== undefined && credentials.value !== undefined && !sameCredentials(ice, credentials.value))
      return malformed(
        "Sections of one bundle have ICE credentials of their own.",
        `${part.at}: a=ice-ufrag`,
      );
    ice ??= credentials.value;
    const certificate = readFingerprints(part);
    if (!certificate.ok) return certificate;
    if (fingerprints.length > 0 && certificate.value.length > 0 && !alike(fingerprints, certificate.value))
      return malformed("Sections of one bundle have certificates of their own.", `${part.at}: a=fingerprint`);
    if (fingerprints.length === 0) fingerprints = certificate.value;
    const role = part.one("setup");
    if (role !== undefined && !setups.includes(role as DtlsSetup))
      return malformed(`a=setup is none of ${setups.join(", ")}.`, `${part.at}: a=setup`);
    if (setup !== undefined && role !== undefined && role !== setup)
      return malformed("Sections of one bundle have DTLS roles of their own.", `${part.at}: a=setup`);
    setup ??= role;
  }
  if (ice === undefined) return malformed("There is no a=ice-ufrag and a=ice-pwd.");
  if (setup === undefined) return malformed("There is no a=setup.");
  if (sha256Of(fingerprints) === undefined) return malformed("There is no a=fingerprint of sha-256.");
  return ok({ ice, fingerprints, setup: setup as DtlsSetup });
}

function readFingerprints(part: SdpPart): Result<readonly DtlsFingerprint[]> {
  const read: DtlsFingerprint[] = [];
  const at = `${part.at}: a=fingerprint`;
  for (const line of part.all("fingerprint")) {
    const [algorithm = "", value = "", ...rest] = line.split(" ");
    const fingerprint = readFingerprint(algorithm, value);
    if (fingerprint === undefined || rest.length > 0)
      return malformed("a=fingerprint is of no known hash function, or not its digits.", at);
    const other = read.find((one) => one.algorithm === fingerprint.algorithm);
    if (other === undefined) read.push(fingerprint);
    else if (other.value !== fingerprint.value)
      return malformed("Two fingerprints of one hash function.", at);
  }
  return ok(read);
}

/** A kind of media of which nothing is taken: who offers it would miss it later, and nobody would say why. */
function lackingKind(sections: readonly Section[]): Result<never> | undefined {
  for (const kind of ["audio", "video"] as const) {
    const offered = sections.flatMap((one) => (one.kind === "none" && one.media === kind ? one.offered : []));
    if (offered.length === 0 || sections.some((section) => section.kind === kind)) continue;
    const message = `None of the codecs offered for ${kind} is taken here: ${TAKEN[kind]}.`;
    return refuse("codec-unsupported", message, undefined, { offered: [...new Set(offered)].slice(0, 32) });
  }
  return undefined;
}

function alike(left: readonly DtlsFingerprint[], right: readonly DtlsFingerprint[]): boolean {
  return left.every(({ algorithm, value }) =>
    right.every((other) => other.algorithm !== algorithm || other.value === value),
  );
}

function isMapped(mapped: readonly RtpHeaderExtension[], one: RtpHeaderExtension): boolean {
  return mapped.some(({ id, uri }) => id === one.id && uri === one.uri);
}

function directionsFit(offered: string, answered: string): boolean {
  const sends = offered === "sendrecv" || offered === "sendonly";
  const receives = offered === "sendrecv" || offered === "recvonly";
  if (answered === "sendrecv") return sends && receives;
  return answered === "inactive" || (answered === "sendonly" ? receives : sends);
}

const TAKEN = { audio: "Opus 48000/2", video: "VP8, VP9 of profile 0, AV1 of profile 0" } as const;
const OFFER_SETUPS = ["actpass", "active", "passive"] as const;
const ANSWER_SETUPS = ["active", "passive"] as const;
const BEGIN = /^v=0\r?\no=[^\n]+\ns=[^\n]*\n/;
