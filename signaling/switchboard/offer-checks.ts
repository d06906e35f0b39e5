import type { Headers } from "../../codecs/headers.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { tokenExpired } from "../access-token.ts";
import type { Authority } from "../authority.ts";
import { checkOfferHeaders } from "../negotiation.ts";
import { type Offer, verifyOffer } from "../offer.ts";
import { missingScopes, parseScopes, type ScopeSet } from "../scope.ts";
import { excessOfOffer } from "../sending-limits.ts";
import { sends } from "../stream-fields.ts";
import type { Asked } from "./asked.ts";
import type { ConnectionState } from "./connections.ts";
import type { Desk } from "./desk.ts";
import { checkSending } from "./establishing.ts";
import { checkStated } from "./gateway-checks.ts";
import { withinLimits } from "./limit-checks.ts";
import type { RegisteredAgent } from "./registry.ts";
import { RELAY } from "./relay-capabilities.ts";
import type { EstablishParameters } from "./session-parameters.ts";

/**
 * The offer of an ESTABLISH: signed by the caller, or by the gateway that acts for it on this connection, to the agent called, of a model and intent we have. Faults:
 * `session-model-unsupported`, `field-invalid`, `signature-invalid`, `certificate-invalid`, `gateway-refused`, `fingerprint-mismatch`.
 */
export function readEstablish(
  desk: Desk,
  { agent, connection, headers }: Asked,
  parameters: EstablishParameters & { readonly offer: string },
  now: number,
): Result<Offer> {
  const signer = connection.gateway ?? agent;
  const intended = checkIntent(parameters, headers);
  if (!intended.ok) return intended;
  const model = parameters.session_model;
  const offer = verifyOffer(
    parameters.offer,
    {
      publicKey: signer.genesis.agentKey,
      caller: signer.agentId,
      callee: parameters.target_agent_id,
      now,
    },
    desk.verifier,
  );
  if (!offer.ok) return offer;
  const { session, offer_id: offerId, gateway } = offer.value.payload;
  const stated = checkStated(gateway, connection, "offer.gateway");
  if (!stated.ok) return stated;
  if (model !== undefined && model !== session.model) {
    return refuse("field-invalid", "The offer names another model.", "parameters.session_model");
  }
  if (parameters.session_ttl !== undefined && parameters.session_ttl !== session.ttl) {
    return refuse("field-invalid", "The offer names another lifetime.", "parameters.session_ttl");
  }
  const key = headers.get("Idempotency-Key");
  if (key !== undefined && key !== offerId) {
    return refuse("field-invalid", "The key of an ESTABLISH is its offer_id.", "header Idempotency-Key");
  }
  return offer;
}

/** Refuses an intent or a session model that is not served: `session-model-unsupported`. */
export function checkIntent(parameters: EstablishParameters, headers: Headers): Result<void> {
  const intent = headers.get("Session-Intent");
  if (intent !== undefined && intent !== "communication") {
    return refuse(
      "session-model-unsupported",
      "Only the intent `communication` is served.",
      "header Session-Intent",
    );
  }
  const model = parameters.session_model;
  if (model !== undefined && model !== "bounded" && model !== "persistent") {
    return refuse(
      "session-model-unsupported",
      "A session is `bounded` or `persistent`.",
      "parameters.session_model",
    );
  }
  return ok(undefined);
}

/**
 * What the caller may do under its offer, once intent and signature hold: its effective scope. Faults:
 * `scope-claim-invalid`, `scope-violation`, `scope-malformed`, `proposal-rejected`.
 */
export function authorizeOffer(
  desk: Desk,
  { agent: caller, connection: { authority }, headers }: Asked,
  offer: Offer,
  parameters: EstablishParameters,
): Result<ScopeSet> {
  const claims = [headers.get("Authority-Scope"), parameters.authority_scope];
  for (const [i, claim] of claims.entries()) {
    if (claim === undefined) continue;
    const read = parseScopes(claim, i === 0 ? "header Authority-Scope" : "parameters.authority_scope");
    if (!read.ok) return read;
    // The offer is what the other end sees signed; a claim beside it may only say the same.
    const differs = [...missingScopes(read.value, offer.scope), ...missingScopes(offer.scope, read.value)];
    if (differs.length > 0) {
      return refuse(
        "scope-claim-invalid",
        "The claim differs from the signed offer.",
        "header Authority-Scope",
        {
          missing_scopes: differs,
        },
      );
    }
  }
  const effective = scopeUnder(desk, caller, authority, offer);
  if (!effective.ok) return effective;
  const negotiable = checkNegotiable(offer, headers);
  return negotiable.ok ? effective : negotiable;
}

/**
 * The same once it rang: by the documents and the status that are on file now, and what `connection` shows, the one that the caller's end
 * of the session would be on. Faults: as {@link authorizeOffer}, `agent-suspended`, `agent-retired`, `agent-certificate-refused`, `token-expired`.
 */
export function authorizeAgain(
  desk: Desk,
  caller: RegisteredAgent,
  offer: Offer,
  { authority }: ConnectionState,
  now: number,
): Result<ScopeSet> {
  const standing = desk.registry.standing(caller, authority);
  if (!standing.ok) return standing;
  const { certificate, grant } = authority;
  const held = certificate === undefined ? ok(undefined) : desk.certification.holds(certificate, now);
  if (!held.ok) return held;
  if (grant !== undefined && now >= grant.expiresAt) return tokenExpired();
  return scopeUnder(desk, caller, authority, offer);
}

function scopeUnder(
  desk: Desk,
  caller: RegisteredAgent,
  authority: Authority,
  offer: Offer,
): Result<ScopeSet> {
  const effective = desk.registry.scopeOf(caller, offer.scope, authority);
  if (!effective.ok) return effective;
  const sent = offer.payload.streams.filter((stream) => sends(stream.direction));
  const sending = checkSending(
    effective.value,
    sent.map((stream) => stream.modality),
    "offer.scope",
  );
  if (!sending.ok) return sending;
  const { limits } = effective.value;
  const within = withinLimits(excessOfOffer(offer.payload.streams, limits), limits, "offer");
  return within.ok ? effective : within;
}

function checkNegotiable(offer: Offer, headers: Headers): Result<undefined> {
  return checkOfferHeaders(
    offer.payload,
    {
      modalities: words(headers.get("Communication-Modalities")),
      audioCodecs: words(headers.get("Audio-Codecs")),
      videoCodecs: words(headers.get("Video-Codecs")),
      dataFormats: words(headers.get("Data-Formats")),
    },
    RELAY,
  );
}

/** A comma-separated header value. */
export function words(value: string | undefined): string[] | undefined {
  return value
    ?.split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}
