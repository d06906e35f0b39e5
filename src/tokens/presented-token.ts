import type { AgtpRequest } from "../../codecs/message.ts";
import { ok, type Result } from "../../codecs/result.ts";
import { tokenInvalid } from "../../signaling/access-token.ts";
import { readRequestBody } from "../../signaling/body.ts";

/** Member of the parameters where headers are awkward. */
const PARAMETER = "access_token";

/** Whether it is worth looking for an access token in a request: costs next to nothing, whoever sends it. */
export function mayBringToken({ headers, query, body }: AgtpRequest): boolean {
  return headers.get("Authorization") !== undefined || query.has(PARAMETER) || isNamed(body);
}

/**
 * The access token that a request brings, in `Authorization: Bearer` or `parameters.access_token`; `undefined` for none. Other schemes of
 * Authorization are none of Parley's. Faults: `token-invalid` for two of them, or one in the query, which others write down.
 */
export function presentedToken(request: AgtpRequest): Result<string | undefined> {
  const found: string[] = [];
  for (const value of request.headers.getAll("Authorization")) {
    const [scheme = "", ...rest] = value.split(" ");
    if (scheme.toLowerCase() === "bearer") found.push(rest.join(" ").trim());
  }
  if (request.query.has(PARAMETER)) return tokenInvalid(undefined, "A token does not stand in a path.");
  if (isNamed(request.body)) {
    const body = readRequestBody(request);
    const own = body.ok ? body.value.parameters[PARAMETER] : undefined;
    if (typeof own === "string") found.push(own);
    else if (own !== undefined) return tokenInvalid(undefined, "A token is a text.");
  }
  if (found.length > 1) return tokenInvalid(undefined, "A request brings one token.");
  return ok(found[0]);
}

/** Reading a body costs more than looking for a word; who writes it otherwise is refused where the parameters are read. */
function isNamed({ buffer, byteOffset, length }: Uint8Array): boolean {
  return Buffer.from(buffer, byteOffset, length).includes(`"${PARAMETER}"`);
}
