import { AUDIO_FORMATS } from "../../codecs/audio-formats.ts";
import { type Result, refuse } from "../../codecs/result.ts";
import { VIDEO_FORMATS } from "../../codecs/video-formats.ts";
import { counterProposal } from "../negotiation.ts";
import { parseScopes, type ScopeSet } from "../scope.ts";
import { AGENT_ID } from "../shape.ts";
import type { Asked } from "./asked.ts";
import type { Desk } from "./desk.ts";
import { checkSending } from "./establishing.ts";
import { checkIntent, words } from "./offer-checks.ts";
import { RELAY } from "./relay-capabilities.ts";
import { findCallee } from "./room.ts";
import type { EstablishParameters } from "./session-parameters.ts";

const CARRIED = ["audio", "video", "data"] as const;

/** Modalities that have codecs, and the header that names those wanted. */
const CODED: readonly {
  readonly modality: "audio" | "video";
  readonly header: string;
  readonly known: readonly string[];
}[] = [
  { modality: "audio", header: "Audio-Codecs", known: AUDIO_FORMATS.map(({ name }) => name) },
  { modality: "video", header: "Video-Codecs", known: VIDEO_FORMATS.map(({ name }) => name) },
];

/**
 * ESTABLISH by headers alone, as AGTP-COMMUNICATION shows it. A call here takes a signed offer, so this always refuses: but with
 * what an offer that says the same would be refused with, judged in the same order, and where nothing else is wrong with
 * `offer-required` and what would have been agreed.
 */
export function judgeWithoutOffer(desk: Desk, asked: Asked, parameters: EstablishParameters): Result<never> {
  const { agent, headers } = asked;
  const standing = desk.registry.standing(agent, asked.connection.authority);
  if (!standing.ok) return standing;
  const intended = checkIntent(parameters, headers);
  if (!intended.ok) return intended;
  const wanted = (words(headers.get("Communication-Modalities")) ?? ["audio"]).map((name) =>
    name === "structured-data" ? "data" : name,
  );
  const modalities = CARRIED.filter((modality) => wanted.includes(modality));
  const scope = claimedScope(desk, asked, parameters);
  if (!scope.ok) return scope;
  const sending = checkSending(scope.value, modalities, "header Authority-Scope");
  if (!sending.ok) return sending;
  if (modalities.length === 0) return incomposable("None of the modalities is carried here.");
  const codecs: Record<string, string> = {};
  for (const { modality, header, known } of CODED) {
    if (!modalities.includes(modality)) continue;
    const named = words(headers.get(header));
    const codec = named === undefined ? known[0] : named.find((name) => known.includes(name));
    if (codec === undefined) return incomposable(`None of the ${modality} codecs is carried here.`);
    codecs[`${modality}_codec`] = codec;
  }
  const hint = headers.get("X-AGTP-Target-Agent") ?? "";
  const hinted = AGENT_ID.check(hint, "") === undefined ? hint : undefined;
  const target = parameters.target_agent_id ?? hinted;
  if (target === undefined)
    return refuse("target-required", "Say whom to call.", "parameters.target_agent_id");
  const callee = findCallee(desk, { callee: target, gateways: true });
  if (!callee.ok) return callee;
  return refuse("offer-required", "A call begins with a signed offer.", "parameters.offer", {
    target_agent_id: target,
    communication_modalities: modalities,
    ...codecs,
  });
}

function claimedScope(
  desk: Desk,
  { agent, headers, connection }: Asked,
  parameters: EstablishParameters,
): Result<ScopeSet> {
  const source = headers.get("Authority-Scope") ?? parameters.authority_scope;
  const claim = source === undefined ? agent.document.scope : parseScopes(source, "header Authority-Scope");
  if ("ok" in claim)
    return claim.ok ? desk.registry.scopeOf(agent, claim.value, connection.authority) : claim;
  return desk.registry.scopeOf(agent, claim, connection.authority);
}

function incomposable(message: string): Result<never> {
  return refuse("proposal-rejected", message, "headers", {
    reason: "composition-impossible",
    counter_proposal: counterProposal(RELAY),
  });
}
