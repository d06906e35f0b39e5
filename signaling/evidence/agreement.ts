import { canonicalize } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import type { Verifier } from "../../codecs/signer.ts";
import { type Answer, readAnswer, verifyAnswer } from "../answer.ts";
import type { GatewayStatement } from "../gateway.ts";
import { type Offer, verifyOffer } from "../offer.ts";
import { formatScopes, type ScopeSet } from "../scope.ts";
import { checkSendingAuthority } from "../sending-authority.ts";
import { buildSessionCore, type SessionCore, verifyCoreWitness } from "../session-core.ts";
import { deriveTerms, type Terms, type TermsFormat } from "../terms.ts";
import type { EvidenceLines } from "./integrity.ts";
import type { Party } from "./parties.ts";
import type { Findings } from "./report.ts";

/** What both ends signed, and what follows from it. */
export interface Agreement {
  readonly sessionId: string;
  readonly offer: Offer;
  readonly answer: Answer;
  readonly core: SessionCore;
  readonly terms: Terms;
}

/** Judges offer, answer, session core, witness and terms; `undefined` when there is no agreement to go by. */
export function checkAgreement(
  lines: EvidenceLines,
  parties: { readonly server: Party; readonly caller: Party; readonly callee: Party },
  verifier: Verifier,
  findings: Findings,
): Agreement | undefined {
  const { server, caller, callee } = parties;
  const header = lines.only("evidence", findings);
  const offerLine = lines.only("offer", findings);
  const answerLine = lines.only("answer", findings);
  if (header === undefined || offerLine === undefined || answerLine === undefined) return undefined;
  const stated = readAnswer(answerLine.line.jws);
  const answering = stated.ok ? stated.value.gateway : undefined;
  const called = answering?.subject ?? callee.agentId;
  const offer = verifyOffer(
    offerLine.line.jws,
    { publicKey: caller.genesis.agentKey, caller: caller.agentId, callee: called },
    verifier,
  );
  if (!offer.ok) {
    findings.fault(offer.fault.message, `line ${offerLine.number}, ${offer.fault.at ?? "offer"}`);
    return undefined;
  }
  const answer = verifyAnswer(
    answerLine.line.jws,
    {
      publicKey: callee.genesis.agentKey,
      gateway: answering === undefined ? undefined : callee.agentId,
      ...{ offer: offer.value, sessionId: header.line.session_id },
    },
    verifier,
  );
  if (!answer.ok) {
    findings.fault(answer.fault.message, `line ${answerLine.number}, ${answer.fault.at ?? "answer"}`);
    return undefined;
  }
  const core = buildSessionCore(
    { agentId: server.agentId, key: server.genesis.agentKey },
    offer.value,
    answer.value,
  );
  const terms = deriveTerms(offer.value, answer.value);
  checkDerived(lines, core, terms, server, verifier, findings);
  const { profile } = terms;
  tellGateway(0, caller, offer.value.payload.gateway, findings);
  tellGateway(1, callee, answer.value.payload.gateway, findings);
  findings.say("both", `session ${header.line.session_id}, digest ${encodeHex(core.digest)}`);
  for (const agreed of terms.streams) {
    findings.say("both", `stream ${agreed.stream}: ${inWords(agreed)}, profile ${profile}`);
  }
  checkAuthority(caller, offer.value.scope, terms, 0, findings);
  checkAuthority(callee, answer.value.scope, terms, 1, findings);
  return { sessionId: header.line.session_id, offer: offer.value, answer: answer.value, core, terms };
}

/** All that is told of an end for which a gateway signs is that gateway's word. */
function tellGateway(
  leg: 0 | 1,
  { role, agentId }: Party,
  gateway: GatewayStatement | undefined,
  findings: Findings,
): void {
  if (gateway === undefined) return;
  const { subject, issuer, evidence } = gateway;
  const { jti, token, fingerprint } = evidence;
  findings.say(
    "speaker-signed",
    `${role}: as stated by gateway ${agentId}, for agent ${subject}, token ${jti} issued by ${issuer} (SHA-256 ${token}), DTLS fingerprint ${fingerprint}; the agent itself signed nothing`,
  );
  findings.signedByGateway(leg);
}

/** What was agreed of a stream: modality, codec or format, and how it comes. */
export function inWords(agreed: TermsFormat): string {
  switch (agreed.modality) {
    case "audio": {
      const { name, clock_rate: clockRate, frame_ms: frameMs } = agreed.codec;
      return `audio, ${name} ${clockRate} Hz, ${frameMs} ms frames`;
    }
    case "video": {
      const { codec, source, rendition } = agreed;
      const { name, max_width: width, max_height: height, max_frame_rate: rate } = codec;
      const which = source === undefined ? "" : `, rendition ${rendition} of picture ${source}`;
      return `video, ${name} up to ${width}x${height} at ${rate} frames/s${which}`;
    }
    case "data": {
      const { format, label, delivery, deadline_ms: deadline } = agreed;
      const named = label === undefined ? "" : ` ${JSON.stringify(label)}`;
      const within = deadline === undefined ? "" : ` within ${deadline} ms`;
      return `data${named}, ${format.name} messages${delivery === undefined ? "" : `, the latest one${within}`}`;
    }
  }
}

/** What an end claimed must lie within what its issuer grants, and cover what it sends. */
function checkAuthority(party: Party, claim: ScopeSet, terms: Terms, leg: 0 | 1, findings: Findings): void {
  const { role, genesis, identity } = party;
  if (identity === undefined) return;
  const listed = (scope: ScopeSet) => formatScopes(scope).join(", ") || "nothing";
  findings.say("issuer-signed", `${role}: may claim ${listed(identity.scope)}; status ${identity.status}`);
  // The callee's answer names the offer it answers: what the caller claims, both have signed.
  findings.say(
    leg === 0 ? "both" : "speaker-signed",
    `${role}: claims ${listed(claim)}`,
    leg === 0 ? [0, 1] : [1],
  );
  const authority = checkSendingAuthority({ leg, genesis, identity, claim, terms });
  if (!authority.ok) {
    findings.fault(
      `The ${role} had no authority for what it sent: ${authority.fault.message}`,
      `${role}, scope`,
    );
  }
}

/** Core, terms and witness must be those that follow from the signatures. */
function checkDerived(
  lines: EvidenceLines,
  core: SessionCore,
  terms: Terms,
  server: Party,
  verifier: Verifier,
  findings: Findings,
): void {
  const coreLine = lines.only("core", findings);
  if (coreLine !== undefined && coreLine.line.document !== new TextDecoder().decode(core.bytes)) {
    findings.fault("The session core is not the one that offer and answer make.", `line ${coreLine.number}`);
  }
  const termsLine = lines.only("terms", findings);
  if (termsLine !== undefined && termsLine.line.document !== canonicalize(terms)) {
    findings.fault("The terms are not those that offer and answer make.", `line ${termsLine.number}`);
  }
  const witness = lines.only("core-witness", findings);
  if (witness === undefined) return;
  const held = verifyCoreWitness(
    witness.line.jws,
    { digest: core.digest, serverKey: server.genesis.agentKey },
    verifier,
  );
  if (!held.ok)
    findings.fault(held.fault.message, `line ${witness.number}, ${held.fault.at ?? "core-witness"}`);
}
