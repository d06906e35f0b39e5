import { ok, type Result } from "../../codecs/result.ts";
import type { IceCandidate, IceCredentials } from "./description.ts";
import { malformed, type SdpPart } from "./sdp-text.ts";

/** Candidates that are kept of one text; of further ones nobody knows, since the end that answers checks needs none of them. */
const MAX_CANDIDATES = 32;

/** The credentials of a part, `undefined` where it names none. Fault: `sdp-malformed` where one is lacking or not of RFC 8839. */
export function readCredentials(part: SdpPart): Result<IceCredentials | undefined> {
  const [usernameFragment, password] = [part.one("ice-ufrag"), part.one("ice-pwd")];
  if (usernameFragment === undefined && password === undefined) return ok(undefined);
  if (!FRAGMENT.test(usernameFragment ?? ""))
    return malformed("a=ice-ufrag is not 4 to 256 characters of ICE.", part.at);
  if (!PASSWORD.test(password ?? ""))
    return malformed("a=ice-pwd is not 22 to 256 characters of ICE.", part.at);
  return ok({ usernameFragment: usernameFragment ?? "", password: password ?? "" });
}

export function sameCredentials(left: IceCredentials, right: IceCredentials): boolean {
  return left.usernameFragment === right.usernameFragment && left.password === right.password;
}

/** Candidates of the first component, each once. Fault: `sdp-malformed`. Those of transports that are not known are passed over (RFC 8839). */
export function readCandidates(parts: readonly SdpPart[]): Result<readonly IceCandidate[]> {
  const found = new Map<string, IceCandidate>();
  for (const part of parts) {
    for (const line of part.all("candidate")) {
      // What browsers send last of all, of no candidate.
      if (line === "") continue;
      const match = CANDIDATE.exec(line);
      if (match === null) return malformed("a=candidate is not of RFC 8839.", part.at);
      const [, foundation = "", component, transport = "", priority, address = "", port, type, rest = ""] =
        match;
      const protocol = transport.toLowerCase();
      if (Number(priority) > 0xffffffff || Number(port) > 0xffff)
        return malformed("a=candidate has a priority or port that none has.", part.at);
      if (component !== "1" || (protocol !== "udp" && protocol !== "tcp")) continue;
      const tcpType = / tcptype (active|passive|so)(?= |$)/.exec(rest)?.[1];
      const candidate: IceCandidate = {
        ...{ foundation, priority: Number(priority), address, protocol, port: Number(port) },
        type: type as IceCandidate["type"],
        ...(tcpType === undefined ? {} : { tcpType: tcpType as NonNullable<IceCandidate["tcpType"]> }),
      };
      if (found.size < MAX_CANDIDATES) found.set(JSON.stringify(candidate), candidate);
    }
  }
  return ok([...found.values()]);
}

/** The value of `a=candidate` for one of ours. */
export function candidateText(candidate: IceCandidate): string {
  const { foundation, protocol, priority, address, port, type, tcpType } = candidate;
  const end = tcpType === undefined ? "" : ` tcptype ${tcpType}`;
  return `${foundation} 1 ${protocol} ${priority} ${address} ${port} typ ${type}${end}`;
}

const FRAGMENT = /^[A-Za-z\d+/]{4,256}$/;
const PASSWORD = /^[A-Za-z\d+/]{22,256}$/;
const CANDIDATE =
  /^([A-Za-z\d+/]{1,32}) (\d{1,3}) ([A-Za-z\d-]{1,16}) (\d{1,10}) ([\w.:%-]{1,253}) (\d{1,5}) typ (host|srflx|prflx|relay)((?: [^ ]+)*)$/;
