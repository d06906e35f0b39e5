import { ok, type Result, refuse } from "../codecs/result.ts";

/** Where AGTP is when a URI names no port. */
export const AGTP_PORT = 4480;

/** Where a server is. */
export interface AgtpAuthority {
  /** A name in lower case, an IPv4 address, or an IPv6 address in brackets. */
  readonly host: string;
  readonly port: number;
}

/** What an `agtp://` URI addresses. */
export type AgtpUri =
  /** `agtp://{64 hex}`, and `agtp://{64 hex}@{host}[:port]`, which hints where the agent is. */
  | { readonly kind: "agent"; readonly agentId: string; readonly server: AgtpAuthority | undefined }
  /** `agtp://{host}[:port]`. */
  | { readonly kind: "server"; readonly server: AgtpAuthority }
  /** `agtp://{domain}/agents/{name}`, and `agtp://agtp.{domain}/agents/{name}`: the agent that `domain` calls so. */
  | {
      readonly kind: "name";
      readonly server: AgtpAuthority;
      readonly domain: string;
      readonly name: string;
    };

/** Whether a text is meant as an `agtp://` URI, well-formed or not. */
export function isAgtpUri(text: string): boolean {
  return SCHEME.test(text);
}

/**
 * Reads an `agtp://` URI of any canonical form. A name that is an Agent-ID addresses that agent: the canonical ID wins over any name. Fault:
 * `uri-invalid`, `at` naming the part.
 */
export function parseAgtpUri(text: string): Result<AgtpUri> {
  if (text.length > MAX_URI)
    return refuse("uri-invalid", `It is longer than ${MAX_URI} characters.`, "length");
  if (!isAgtpUri(text)) return refuse("uri-invalid", "It does not begin with agtp://.", "scheme");
  const rest = text.slice("agtp://".length);
  if (/[?#]/.test(rest)) return refuse("uri-invalid", "It has no query and no fragment.", "query");
  const slash = rest.indexOf("/");
  const authority = slash === -1 ? rest : rest.slice(0, slash);
  const path = slash === -1 ? "" : rest.slice(slash);
  const at = authority.lastIndexOf("@");
  if (at !== -1 || AGENT_LIKE.test(authority)) {
    const agentId = at === -1 ? authority : authority.slice(0, at);
    if (!AGENT_ID.test(agentId))
      return refuse("uri-invalid", "An Agent-ID is 64 hex digits in lower case.", "agent id");
    if (path !== "" && path !== "/")
      return refuse("uri-invalid", "An Agent-ID is followed by no path.", "path");
    if (at === -1) return ok({ kind: "agent", agentId, server: undefined });
    const server = readAuthority(authority.slice(at + 1));
    return server.ok ? ok({ kind: "agent", agentId, server: server.value }) : server;
  }
  const server = readAuthority(authority);
  if (!server.ok) return server;
  if (path === "" || path === "/") return ok({ kind: "server", server: server.value });
  return readNamed(authority, server.value, path);
}

function readNamed(authority: string, server: AgtpAuthority, path: string): Result<AgtpUri> {
  const segment = NAMED_PATH.exec(path)?.[1];
  if (segment === undefined) return refuse("uri-invalid", "A path is /agents/ and one name.", "path");
  if (PORT.test(authority)) return refuse("uri-invalid", "An agent's name goes with no port.", "port");
  if (server.host.startsWith("[") || IPV4.test(server.host))
    return refuse("uri-invalid", "An agent's name belongs to a domain, not to an address.", "host");
  const name = decoded(segment);
  if (name === undefined || UNFIT_NAME.test(name))
    return refuse("uri-invalid", "The name is no text that an agent may have.", "name");
  if (FILE_SUFFIX.test(name)) return refuse("uri-invalid", "A name has no file suffix.", "name");
  if (AGENT_LIKE.test(name)) {
    return AGENT_ID.test(name)
      ? ok({ kind: "agent", agentId: name, server })
      : refuse("uri-invalid", "An Agent-ID is 64 hex digits in lower case.", "name");
  }
  const domain = server.host.startsWith("agtp.") ? server.host.slice("agtp.".length) : server.host;
  return ok({ kind: "name", server, domain, name });
}

function readAuthority(text: string): Result<AgtpAuthority> {
  const port = PORT.exec(text)?.[1];
  const host = (port === undefined ? text : text.slice(0, -port.length - 1)).toLowerCase();
  if (!isHost(host)) return refuse("uri-invalid", "It names no host.", "host");
  if (port === undefined) return ok({ host, port: AGTP_PORT });
  const number = /^[1-9]\d{0,4}$/.test(port) ? Number(port) : 0;
  if (number < 1 || number > 65_535)
    return refuse("uri-invalid", "A port is a number from 1 to 65535.", "port");
  return ok({ host, port: number });
}

function isHost(host: string): boolean {
  if (host.startsWith("[")) return IPV6.test(host) && URL.canParse(`https://${host}`);
  if (IPV4.test(host)) return true;
  const isName = host.length <= MAX_HOST && host.split(".").every((label) => LABEL.test(label));
  // Readers of URLs take other ways of writing a number for an address, too (WHATWG URL, section 3.5).
  const url = `https://${host}`;
  return isName && URL.canParse(url) && new URL(url).hostname === host;
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

const MAX_URI = 2_048;
const MAX_HOST = 253;
const SCHEME = /^agtp:\/\//i;
const AGENT_ID = /^[0-9a-f]{64}$/;
const AGENT_LIKE = /^[0-9a-f]{64}$/i;
/** A port at the end of an authority, be it one or not. */
const PORT = /:([^:\]]*)$/;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const IPV6 = /^\[[0-9a-f:.]*:[0-9a-f:.]*\]$/;
const NAMED_PATH = /^\/agents\/([^/]{1,256})$/;
/** Slashes and control characters have no place in a name. */
const UNFIT_NAME = /[/\p{Cc}]/u;
const FILE_SUFFIX = /\.[A-Za-z][A-Za-z0-9]*$/;
