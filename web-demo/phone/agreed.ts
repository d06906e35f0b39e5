/** What the signed session says, in the page's terms. */
import type { Call } from "@parley-rt/parley/agent";
import type { CallEndpoint, CallState } from "../model/page-state.ts";
import { spelledOut } from "../model/scope-tokens.ts";

/** The two ends: keys from the certificates that each signed, scopes from the terms in force. */
export function endpointsOf(
  call: Call,
  names: { readonly me: string; readonly peer: string },
): { readonly me: CallEndpoint; readonly peer: CallEndpoint } {
  const { session, leg } = call;
  const agentIdOf = (of: number) => session.core.payload.legs.find((one) => one.leg === of)?.agent_id ?? "";
  return {
    me: {
      name: names.me,
      agentId: agentIdOf(leg),
      mediaKey: hex(session.mediaKey.ed25519),
      scope: scopeOf(call, leg),
    },
    peer: {
      name: names.peer,
      agentId: call.peer.agentId,
      mediaKey: hex(session.peer.mediaKey.ed25519),
      scope: scopeOf(call, leg === 0 ? 1 : 0),
    },
  };
}

/** Codec, profile and number of the terms in force. */
export function termsFacts(call: Call): Pick<CallState, "terms" | "profile" | "codec"> {
  const audio = call.terms.streams.find((stream) => stream.modality === "audio");
  return {
    terms: call.terms.number,
    profile: call.terms.profile,
    codec: audio === undefined ? undefined : codecText(audio.codec),
  };
}

/** This end's scope without the authority to transmit audio. */
export function withoutTransmit(call: Call): readonly string[] {
  return scopeOf(call, call.leg).filter((token) => token !== "communication:audio:transmit");
}

function scopeOf(call: Call, leg: number): readonly string[] {
  return spelledOut(call.terms.legs.find((one) => one.leg === leg)?.scope ?? []);
}

function codecText(codec: { readonly name: string; readonly frame_ms: number }): string {
  const name = codec.name === "opus" ? "Opus" : codec.name.toUpperCase();
  return `${name}, ${codec.frame_ms} ms`;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
