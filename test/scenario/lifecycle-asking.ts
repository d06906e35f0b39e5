/** Lifecycle methods as an issuer asks for them: no proof, but the key of a certificate. */
import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import { Headers } from "../../codecs/headers.ts";
import { requestBody } from "../../signaling/body.ts";
import type { Stage } from "./signaling-stage.ts";

/** Asks for a change of an agent's status over a connection whose client showed a certificate of this key, or none. */
export function askByKey(
  stage: Stage,
  method: string,
  agentId: string,
  key?: Uint8Array,
  parameters: JsonObject = {},
) {
  const shown = stage.open(key === undefined ? {} : { carrier: "tls", peerKey: key });
  const { arrivals } = stage.request(shown, {
    dialect: "base",
    method,
    path: `/agents/${agentId}`,
    query: new Map(),
    headers: new Headers([["Content-Type", "application/vnd.agtp+json"]]),
    body: canonicalBytes(requestBody({ method, parameters })),
  });
  const [response] = arrivals.responses;
  if (response === undefined) throw new Error("no answer");
  const body = JSON.parse(new TextDecoder().decode(response.body));
  return { status: response.status, code: body.error?.code, result: body.result, headers: response.headers };
}
