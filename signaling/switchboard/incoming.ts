import { headerFlaw } from "../../codecs/headers.ts";
import type { AgtpRequest, Dialect } from "../../codecs/message.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { bodyHash } from "../attribution.ts";
import type { ConnectionState } from "./connections.ts";
import type { ExchangeId } from "./io.ts";
import type { Exchange } from "./replies.ts";

/** Longest `Request-ID` or `Task-ID` echoed and recorded, characters. */
const MAX_ID_CHARACTERS = 128;

/** The exchange of a request. Identifiers that cannot be echoed are left out: {@link checkIdentifiers} refuses them. */
export function readExchange(connection: ConnectionState, id: ExchangeId, request: AgtpRequest): Exchange {
  const { headers } = request;
  const short = (name: string) => {
    const value = headers.get(name);
    return isEchoable(name, value) ? value : undefined;
  };
  return {
    connection: connection.id,
    id,
    dialect: request.dialect,
    method: request.method,
    path: request.path,
    requestHash: bodyHash(request.body),
    agentId: short("Agent-ID"),
    requestId: short("Request-ID"),
    taskId: short("Task-ID"),
    caller: connection.agentId,
    gateway: connection.gateway?.agentId,
    assurance: assuranceOf(connection),
  };
}

/** What it is known by whose a connection is; nothing of an agent for which a gateway speaks. */
export function assuranceOf({ agentId, gateway, authority }: ConnectionState): Exchange["assurance"] {
  if (agentId === undefined || gateway !== undefined) return undefined;
  return authority.certificate === undefined ? "proof-bound" : "certificate-bound";
}

/** Identifiers that go back in a header and into the record must fit there. */
export function checkIdentifiers(request: AgtpRequest): Result<void> {
  for (const name of ["Agent-ID", "Request-ID", "Task-ID"]) {
    if (!isEchoable(name, request.headers.get(name))) {
      return refuse(
        "field-invalid",
        `This is longer than ${MAX_ID_CHARACTERS} characters.`,
        `header ${name}`,
      );
    }
  }
  return ok(undefined);
}

/** True for an identifier that fits in a header and a record, or none. */
export function isEchoable(name: string, value: string | undefined): boolean {
  return value === undefined || (value.length <= MAX_ID_CHARACTERS && headerFlaw(name, value) === undefined);
}

/** The exchange on which something came that is no request. */
export function unreadExchange(connection: ConnectionState, id: ExchangeId, dialect: Dialect): Exchange {
  return {
    connection: connection.id,
    id,
    dialect,
    method: "",
    path: "",
    requestHash: bodyHash(),
    agentId: undefined,
    requestId: undefined,
    taskId: undefined,
    caller: connection.agentId,
  };
}
