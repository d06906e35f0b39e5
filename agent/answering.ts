import type { JsonObject } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { type AnswerPayload, makeAnswer } from "../signaling/answer.ts";
import { agentOf } from "../signaling/gateway.ts";
import { type Choice, negotiate } from "../signaling/negotiation.ts";
import type { IncomingOffer } from "../signaling/peer-check.ts";
import { permitsSending } from "../signaling/scope.ts";
import type { AgentContext } from "./agent-context.ts";
import type { Call } from "./call.ts";
import { takeUpCall } from "./call-assembly.ts";
import type { CallOptions } from "./call-options.ts";
import type { DeclineReason } from "./incoming-call.ts";
import { answeredElsewhere } from "./incoming-ends.ts";
import { createMediaKeyPair, randomSsrc } from "./media-key-pair.ts";
import { capabilitiesOf, sendingScope } from "./media-offer.ts";
import type { Withdrawal } from "./withdrawal.ts";

/** What a refusal of a call that rings no longer is answered. */
const GONE: ReadonlySet<string> = new Set(["offer-dead", "offer-answered", "session-not-found"]);

/** The call that rings: the checked offer, and the session id the server has allocated for it. */
export interface RingingCall {
  readonly sessionId: string;
  readonly checked: IncomingOffer;
}

/** Answers a ringing call: negotiation, signed answer, CONFIRM, check, media. Throws the refusal by its code. */
export async function answerCall(
  context: AgentContext,
  ringing: RingingCall,
  options: CallOptions,
  withdrawal: Withdrawal,
): Promise<Call> {
  const { sessionId, checked } = ringing;
  const { offer } = checked;
  const negotiated = negotiate(
    offer.payload,
    capabilitiesOf(
      context.platform,
      options,
      (modality) => permitsSending(context.declaredScope, modality),
      context.declaredScope.limits,
    ),
    () => randomSsrc(context),
  );
  if (!negotiated.ok) {
    await refuse(context, sessionId, { ...negotiated.fault.details, reason: "proposal-rejected" });
    throw new ParleyError(negotiated.fault);
  }
  const signing = () => signAnswer(context, ringing, options, negotiated.value);
  const { key, answer } = await withdrawal.unless(signing).catch(async (error: unknown) => {
    if (withdrawal.isWithdrawn) await declineAnyhow(context, sessionId);
    throw error;
  });
  const result = await confirm(context, sessionId, answer);
  const answered = {
    sessionId,
    leg: 1,
    peerAgentId: agentOf(checked.caller),
    offer: offer.jws,
    answer,
    peer: { genesis: checked.caller.genesis.bytes, identityDocument: checked.caller.identity.bytes },
    mediaSigner: key.signer,
    exchange: key.exchange,
    result,
  } as const;
  return await takeUpCall(context, options, answered, withdrawal);
}

async function confirm(context: AgentContext, sessionId: string, answer: string): Promise<JsonObject> {
  try {
    const { result } = await context.control.request({
      method: "CONFIRM",
      path: `/sessions/${sessionId}`,
      parameters: { target_id: sessionId, status: "accepted", answer, inbox: context.inbox },
      prove: true,
    });
    return result;
  } catch (error) {
    const isElsewhere = error instanceof ParleyError && error.code === "offer-answered";
    throw isElsewhere ? answeredElsewhere(error.details) : error;
  }
}

async function signAnswer(
  context: AgentContext,
  { sessionId, checked }: RingingCall,
  options: CallOptions,
  negotiated: Choice,
) {
  const { offer } = checked;
  const key = await createMediaKeyPair(context, offer.payload.offer_id, offer.payload.session.ttl);
  const payload: AnswerPayload = {
    v: 1,
    session_id: sessionId,
    offer_digest: offer.digest,
    caller: checked.caller.agentId,
    callee: context.agentId,
    ...(context.onBehalfOf === undefined ? {} : { gateway: context.onBehalfOf }),
    media_key: key.certificate,
    scope: options.scope ?? sendingScope(negotiated.streams),
    profile: negotiated.profile,
    streams: negotiated.streams,
    clock: context.clock,
    last_audit_id: context.control.lastAuditIdOf(sessionId),
    iat: Math.floor(context.platform.clock.wall() / 1000),
  };
  return { key, answer: await makeAnswer(payload, context.identity.signer) };
}

/** The call that is withdrawn rings no longer; where the server cannot be told, it rings out. */
async function declineAnyhow(context: AgentContext, sessionId: string): Promise<void> {
  try {
    await refuse(context, sessionId, { reason: "declined" });
  } catch (error) {
    if (!(error instanceof ParleyError)) context.report(error);
  }
}

/** Declines a ringing call. Resolves also when it is gone already. */
export async function declineCall(
  context: AgentContext,
  sessionId: string,
  reason: DeclineReason,
): Promise<void> {
  await refuse(context, sessionId, { reason });
}

async function refuse(
  context: AgentContext,
  sessionId: string,
  why: Readonly<Record<string, unknown>> & { readonly reason: unknown },
): Promise<void> {
  try {
    await context.control.request({
      method: "CONFIRM",
      path: `/sessions/${sessionId}`,
      parameters: {
        target_id: sessionId,
        status: "rejected",
        inbox: context.inbox,
        ...(why as { reason: string }),
      },
      prove: true,
    });
  } catch (error) {
    if (error instanceof ParleyError && GONE.has(error.code)) return;
    throw error;
  }
}
