import type { JsonObject } from "../codecs/canonical-json.ts";
import type { HeaderField } from "../codecs/headers.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { offerHeaders } from "../signaling/negotiation.ts";
import { makeOffer, OFFER_LIFETIME_SECONDS, type OfferPayload } from "../signaling/offer.ts";
import type { AgentContext } from "./agent-context.ts";
import type { Call } from "./call.ts";
import { takeUpCall, textOf } from "./call-assembly.ts";
import type { OutgoingCallOptions } from "./call-options.ts";
import type { ControlAnswer } from "./control.ts";
import { createMediaKeyPair, randomSsrc } from "./media-key-pair.ts";
import { offerStreams, profilesOf, sendingScope } from "./media-offer.ts";
import type { Withdrawal } from "./withdrawal.ts";

const DEFAULT_TTL_SECONDS = 3_600;
/** Longer than ringing lasts (45 s), ms: the server ends the wait, not this end. */
const RINGING_TIMEOUT_MS = 60_000;

/** Calls another agent: offer, ringing, answer, check, media. Throws the refusal by its code. */
export async function placeCall(
  context: AgentContext,
  callee: string,
  options: OutgoingCallOptions,
  withdrawal: Withdrawal,
): Promise<Call> {
  const { payload, offer, key } = await withdrawal.unless(() => signOffer(context, callee, options));
  const result = await establish(context, { callee, offer, payload, options }, withdrawal);
  const answered = {
    sessionId: textOf(result, "session_id"),
    leg: 0,
    peerAgentId: callee,
    offer,
    mediaSigner: key.signer,
    exchange: key.exchange,
    result,
  } as const;
  return await takeUpCall(context, options, answered, withdrawal);
}

async function signOffer(context: AgentContext, callee: string, options: OutgoingCallOptions) {
  const ttl = options.ttl ?? DEFAULT_TTL_SECONDS;
  const offerId = context.control.freshId();
  const key = await createMediaKeyPair(context, offerId, ttl);
  const payload = offerPayload(context, callee, options, { offerId, ttl, mediaKey: key.certificate });
  return { payload, offer: await makeOffer(payload, context.identity.signer), key };
}

function offerPayload(
  context: AgentContext,
  callee: string,
  options: OutgoingCallOptions,
  ids: { readonly offerId: string; readonly ttl: number; readonly mediaKey: string },
): OfferPayload {
  const streams = offerStreams(
    context.platform,
    options,
    () => randomSsrc(context),
    context.declaredScope.limits,
  );
  const iat = Math.floor(context.platform.clock.wall() / 1000);
  return {
    v: 1,
    offer_id: ids.offerId,
    caller: context.identity.agentId,
    callee,
    ...(context.onBehalfOf === undefined ? {} : { gateway: context.onBehalfOf }),
    ...(options.gateways === "accept" ? { gateways: true } : {}),
    media_key: ids.mediaKey,
    session: { model: options.model ?? "bounded", ttl: ids.ttl },
    scope: options.scope ?? sendingScope(streams),
    profiles: profilesOf(options, ["frame"]),
    streams,
    clock: context.clock,
    last_audit_id: context.control.lastAuditId,
    iat,
    exp: iat + OFFER_LIFETIME_SECONDS,
  };
}

async function establish(
  context: AgentContext,
  call: {
    readonly callee: string;
    readonly offer: string;
    readonly payload: OfferPayload;
    readonly options: OutgoingCallOptions;
  },
  withdrawal: Withdrawal,
): Promise<JsonObject> {
  const { payload, options } = call;
  const offerId = payload.offer_id;
  const cancel = () => void cancelOffer(context, offerId);
  if (withdrawal.isWithdrawn) throw withdrawal.error;
  const remove = withdrawal.on(cancel);
  try {
    const answers = context.control.series({
      method: "ESTABLISH",
      path: "/sessions",
      parameters: {
        target_agent_id: call.callee,
        offer: call.offer,
        provisional: true,
        session_model: payload.session.model,
        session_ttl: payload.session.ttl,
      },
      headers: [
        ["Session-Intent", "communication"],
        ...mediaHeaders(payload),
        ["Idempotency-Key", offerId],
        ...(payload.scope.length === 0 ? [] : [["Authority-Scope", payload.scope.join(", ")] as const]),
      ],
      prove: true,
      timeout: RINGING_TIMEOUT_MS,
    });
    let rings = false;
    for await (const answer of answers) {
      if (answer.final) return answer.result;
      // Taken back before the server had the offer: it said then that there is none.
      if (withdrawal.isWithdrawn) cancel();
      // Over TLS it is told now and then.
      else if (isRinging(answer) && !rings) {
        rings = true;
        options.onRinging?.();
      }
    }
  } catch (error) {
    // The server's word for it; here it is known why.
    const isTakenBack = error instanceof ParleyError && error.code === "cancelled" && withdrawal.isWithdrawn;
    throw isTakenBack ? withdrawal.error : error;
  } finally {
    remove();
  }
  throw new ParleyError({ code: "connection-lost", message: "The call was never answered finally." });
}

/** What the headers of an ESTABLISH say about its streams. */
function mediaHeaders({ streams }: OfferPayload): HeaderField[] {
  const { modalities, audioCodecs, videoCodecs, dataFormats } = offerHeaders(streams);
  const fields = [
    ["Communication-Modalities", modalities],
    ["Audio-Codecs", audioCodecs],
    ["Video-Codecs", videoCodecs],
    ["Data-Formats", dataFormats],
  ] as const;
  return fields.flatMap(([name, words]) => (words.length === 0 ? [] : [[name, words.join(", ")] as const]));
}

function isRinging(answer: ControlAnswer): boolean {
  return answer.status === 202;
}

/** Takes an offer back; the pending ESTABLISH is then answered `cancelled`. */
async function cancelOffer(context: AgentContext, offerId: string): Promise<void> {
  try {
    await context.control.request({ method: "TERMINATE", path: `/offers/${offerId}` });
  } catch (error) {
    // Answered or gone already: the pending ESTABLISH tells how it ended.
    if (!(error instanceof ParleyError)) context.report(error);
  }
}
