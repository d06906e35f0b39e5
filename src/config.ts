/** What an operator decides, from flags and a file, read into one typed object. */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { isJsonObject, parseJson } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import { verifier } from "../platform/node/sodium.ts";
import { decodePublicKey } from "../signaling/keys.ts";
import { parseScopes } from "../signaling/scope.ts";
import type { ScopeViolationCode } from "../signaling/status.ts";
import { DEFAULT_LIMITS, type SwitchboardLimits } from "../signaling/switchboard/config.ts";
import { TRUST_FLOORS, type TrustFloor } from "../signaling/trust.ts";
import { type AddressLimits, DEFAULT_ADDRESS_LIMITS } from "./http/address-limits.ts";
import { DEFAULT_TLS_LIMITS, type TlsLimits } from "./server/tls-door.ts";
import {
  flag,
  integer,
  isOrigin,
  isServiceUrl,
  limits,
  list,
  oneOf,
  portOrOff,
  text,
  Wrong,
} from "./setting-parsers.ts";
import { readTokenIssuers, type TokenIssuer } from "./tokens/token-issuers.ts";

/** Levels of the log, from everything to nothing. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type ServerLogLevel = (typeof LOG_LEVELS)[number];

/** Every setting of a server. */
export interface ServerConfig {
  /** IP address to listen on, or `localhost`. Default `127.0.0.1`: this machine alone. */
  readonly host: string;
  /** UDP port of WebTransport; 0 picks a free one. Default 4480. */
  readonly port: number;
  /** Whether WebTransport is served at all. Default true. */
  readonly webTransport: boolean;
  /** TCP port of AGTP and WebSocket over TLS 1.3; 0 picks a free one, `off`: none. Default: the number of the UDP port. */
  readonly tcpPort: number | "off" | undefined;
  /** TCP port of the plain HTTP side, on 127.0.0.1 whatever `host` is; 0 picks a free one, `off`: none. Default 8480. */
  readonly httpPort: number | "off";
  /**
   * Whether WebRTC peers are taken: `auto`: where mediasoup's worker is on this machine (`npm run webrtc:setup`); `on`: the server does not
   * start without. Default `auto`.
   */
  readonly webrtc: "on" | "off" | "auto";
  /**
   * UDP and TCP port of WebRTC's first media worker; the next ones have the next. 0: free ones. Default: 10 above the UDP port, 4490; free
   * ones where that is 0.
   */
  readonly webrtcPort: number | undefined;
  /** What WebRTC peers are told to dial instead of `host`: an IP address or a name. Default: the addresses that are listened on. */
  readonly webrtcAddress: string | undefined;
  /** How many media workers may run, 1 to 64. Default: one a core. */
  readonly webrtcWorkers: number | undefined;
  /** Origins of pages elsewhere that may open WebSockets here, beside the server's own. Default none. */
  readonly allowedOrigins: readonly string[];
  /** Whether the page and `/connect.json` are served. Default true. */
  readonly page: boolean;
  /** Whether `/.well-known/agtp` and the manifest are served over HTTP and HTTPS. Default true. */
  readonly wellKnown: boolean;
  /** Whether the resident agents are there. Default true. */
  readonly residents: boolean;
  /**
   * `loopback`: `/healthz`, `/readyz` and `/metrics` answer only who dials 127.0.0.1 or localhost. `everywhere`: under every
   * name of the server, so that a proxy makes them public. Default `loopback`.
   */
  readonly watching: "loopback" | "everywhere";
  /** `required`: WebTransport takes only who brings a token from `/connect.json` in the URL. Default `optional`. */
  readonly urlTokens: "optional" | "required";
  /** Folder of the record log, the server's identity and its certificate; made when missing. Default `parley-data`. */
  readonly dataFolder: string;
  /**
   * Folder of the used proofs and spent rates; made when missing. Servers of one host that name the same one refuse each other's proofs
   * and count together who asks how much. Default: `shared` in the data folder.
   */
  readonly sharedFolder: string | undefined;
  /** Name in the server's Genesis, used when that is made. Printable ASCII. Default `Parley server`. */
  readonly name: string;
  /** `Server-ID` of every answer. Default: the address it listens on. */
  readonly serverId: string | undefined;
  /**
   * `closed`: only agents in the data folder are served. `open`: any agent registers itself on its first proof, for
   * demonstrations and closed networks. `token`: an agent registers itself with an access token that names it. Default `closed`.
   */
  readonly registration: "open" | "token" | "closed";
  /** Whose access tokens are taken, beside the server's own and those that agents make for themselves. Default none. */
  readonly tokenIssuers: readonly TokenIssuer[];
  /** `required`: calls take an access token that somebody else than the agent has made. Default `optional`. */
  readonly tokens: "optional" | "required";
  /** Origins clients may dial beside those of the address it listens on, e.g. `https://media.example:4480`. Default none. */
  readonly origins: readonly string[];
  /** PEM file of the operator's certificate and its chain. Default: a self-made one, 13 days, kept in the data folder. */
  readonly certificateFile: string | undefined;
  /** PEM file of its private key. Goes with `certificateFile`. */
  readonly certificateKeyFile: string | undefined;
  /**
   * `asked`: clients are asked for a certificate in the handshake of the TLS port; browsers ask their users then. Who shows none comes in
   * as well. Default `off`.
   */
  readonly clientCertificates: "off" | "asked";
  /**
   * PEM files of the authorities whose Agent Certificates tell who a client is. With none, certificates tell nothing but who issued an
   * agent. Goes with `clientCertificates: "asked"`. Default none.
   */
  readonly certificateAuthorities: readonly string[];
  /**
   * Where to POST what happens to sessions and agents (`docs/events.md`): URLs, `https:` or, on this machine, `http:`. At most 8.
   * Default none.
   */
  readonly webhooks: readonly string[];
  /** Seconds that calls may go on after an orderly stop began, 0 to 3,600. Default 10. */
  readonly grace: number;
  /** Whether an orderly stop ends persistent calls as well. Default false: the next start goes on with them. */
  readonly stopEndsCalls: boolean;
  /** Least weighty events that are logged. Default `info`. */
  readonly logLevel: ServerLogLevel;
  /** Scope tokens anybody may use here; what agents claim is cut to it. Default `communication:bilateral`. */
  readonly policyScope: readonly string[];
  /**
   * Who may talk here. `verified`: agents of trust tier 1, and of tier 2 with an Agent Certificate. `org-asserted`: tier 2 without one as
   * well, which every answer to or about them warns of. `experimental`: tier 3 too, never in production. Default: `verified` where registration is closed,
   * else `org-asserted`, since who may register itself is of tier 2.
   */
  readonly trustFloor: TrustFloor | undefined;
  /**
   * Issuers whose word counts when they say that an agent is of tier 1: raw Ed25519 keys, base64url, as in a trust file. Default: any where
   * registration is closed, since the operator let each agent in; else none.
   */
  readonly genesisIssuers: readonly string[] | undefined;
  /** Who may list agents and read their documents. Default `authenticated`. */
  readonly agentDisclosure: "public" | "authenticated";
  /**
   * Who reads records with INSPECT: `agent_only` those whose they are, and the operator; `public` everybody, without an identity too;
   * `operator_only` the operator. Default `agent_only`.
   */
  readonly recordReading: "public" | "agent_only" | "operator_only";
  /** Status of scope refusals: `auto` by the dialect of the request, or one for all. Default `auto`. */
  readonly scopeViolationCode: ScopeViolationCode;
  /**
   * Days after which records, and what is kept of calls that were over by then, are erased: at the start and daily. Default: they are kept.
   */
  readonly retentionDays: number | undefined;
  /** What bounds the server; members left out keep their default. */
  readonly limits: SwitchboardLimits;
  /** What one address may have on the TCP ports; members left out keep their default. */
  readonly addressLimits: AddressLimits;
  /** What bounds the TLS port; members left out keep their default. */
  readonly tlsLimits: TlsLimits;
}

/** Settings of one source; what is left out is decided by the source before it, in the end by the defaults. */
export type ServerSettings = {
  readonly [Name in keyof ServerConfig]?:
    | (Name extends "limits" | "addressLimits" | "tlsLimits"
        ? Partial<ServerConfig[Name]>
        : ServerConfig[Name])
    | undefined;
};

/** What a server does without any settings. */
export const DEFAULT_SERVER_CONFIG: ServerConfig = {
  host: "127.0.0.1",
  port: 4480,
  webTransport: true,
  tcpPort: undefined,
  httpPort: 8480,
  webrtc: "auto",
  webrtcPort: undefined,
  webrtcAddress: undefined,
  webrtcWorkers: undefined,
  allowedOrigins: [],
  page: true,
  wellKnown: true,
  residents: true,
  watching: "loopback",
  urlTokens: "optional",
  dataFolder: "parley-data",
  sharedFolder: undefined,
  name: "Parley server",
  serverId: undefined,
  registration: "closed",
  tokenIssuers: [],
  tokens: "optional",
  origins: [],
  certificateFile: undefined,
  certificateKeyFile: undefined,
  clientCertificates: "off",
  certificateAuthorities: [],
  webhooks: [],
  grace: 10,
  stopEndsCalls: false,
  logLevel: "info",
  policyScope: ["communication:bilateral"],
  trustFloor: undefined,
  genesisIssuers: undefined,
  agentDisclosure: "authenticated",
  recordReading: "agent_only",
  scopeViolationCode: "auto",
  retentionDays: undefined,
  limits: DEFAULT_LIMITS,
  addressLimits: DEFAULT_ADDRESS_LIMITS,
  tlsLimits: DEFAULT_TLS_LIMITS,
};

/**
 * Settings of any origin to a configuration; of several sources the later ones decide. Faults: `usage` naming the setting
 * that is unknown or out of range.
 */
export function parseServerConfig(
  ...sources: readonly Readonly<Record<string, unknown>>[]
): Result<ServerConfig> {
  const settings: Record<string, unknown> = { ...DEFAULT_SERVER_CONFIG };
  for (const source of sources) {
    for (const [name, value] of Object.entries(source)) {
      if (value === undefined) continue;
      const parse = Object.hasOwn(SETTINGS, name) ? SETTINGS[name as keyof ServerConfig] : undefined;
      if (parse === undefined) return refuse("usage", `There is no setting "${name}".`, name);
      const parsed = parse(value);
      if (parsed instanceof Wrong) return refuse("usage", `${parsed.expected}.`, name);
      settings[name] = parsed;
    }
  }
  const config = settings as unknown as ServerConfig;
  if ((config.certificateFile === undefined) !== (config.certificateKeyFile === undefined)) {
    return refuse("usage", "A certificate and its key go together.", "certificateFile, certificateKeyFile");
  }
  if (config.certificateAuthorities.length > 0 && config.clientCertificates !== "asked") {
    return refuse(
      "usage",
      "Certificate authorities are for clients that are asked for a certificate.",
      "certificateAuthorities, clientCertificates",
    );
  }
  if (!config.webTransport && config.tcpPort === "off" && config.httpPort === "off") {
    return refuse("usage", "A server listens somewhere.", "webTransport, tcpPort, httpPort");
  }
  return ok(config);
}

/** The trust that a configuration asks for, where it leaves that to the default as well. */
export function trustOf({ registration, trustFloor, genesisIssuers }: ServerConfig) {
  const isClosed = registration === "closed";
  return {
    trustFloor: trustFloor ?? (isClosed ? "verified" : "org-asserted"),
    genesisIssuers: genesisIssuers ?? (isClosed ? "any" : []),
  } as const;
}

/** The settings in a JSON file, names as in {@link ServerConfig}. Throws `usage` where it is none. */
export async function readConfigFile(path: string): Promise<Readonly<Record<string, unknown>>> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ParleyError({ code: "usage", message: `The file ${path} cannot be read: ${code}.` }, { cause });
  }
  const parsed = parseJson(bytes);
  if (parsed.ok && isJsonObject(parsed.value)) return parsed.value;
  throw new ParleyError({ code: "usage", message: `The file ${path} is not a JSON object.` });
}

const MAX_WORKERS = 64;
const MAX_WEBHOOKS = 8;
const WEBHOOK_EXPECTED = `It is a list of at most ${MAX_WEBHOOKS} URLs: https, or http on this machine`;

type Parsers = { readonly [Name in keyof ServerConfig]-?: (value: unknown) => ServerConfig[Name] | Wrong };

const SETTINGS: Parsers = {
  host: (value) =>
    typeof value === "string" && (value === "localhost" || isIP(value) !== 0)
      ? value
      : new Wrong("It is an IP address to listen on, or localhost"),
  port: (value) => integer(value, 0, 65_535),
  webTransport: flag,
  tcpPort: portOrOff,
  httpPort: portOrOff,
  webrtc: (value) => oneOf(value, ["on", "off", "auto"]),
  webrtcPort: (value) => integer(value, 0, 65_535 - MAX_WORKERS),
  webrtcAddress: (value) =>
    typeof value === "string" && /^[\w.:-]{1,255}$/.test(value)
      ? value
      : new Wrong("It is an IP address or a name that peers dial"),
  webrtcWorkers: (value) => integer(value, 1, MAX_WORKERS),
  allowedOrigins: (value) =>
    list(
      value,
      (item) => isOrigin(item, ["https:", "http:"]),
      "It is a list of origins such as https://pages.example",
    ),
  page: flag,
  wellKnown: flag,
  residents: flag,
  watching: (value) => oneOf(value, ["loopback", "everywhere"]),
  urlTokens: (value) => oneOf(value, ["optional", "required"]),
  dataFolder: text,
  sharedFolder: text,
  name: (value) =>
    typeof value === "string" && /^[\x20-\x7e]{1,128}$/.test(value)
      ? value
      : new Wrong("It is 1 to 128 printable ASCII characters"),
  serverId: (value) =>
    typeof value === "string" && /^[\x21-\x7e]{1,255}$/.test(value)
      ? value
      : new Wrong("It is 1 to 255 printable ASCII characters without a blank"),
  registration: (value) => oneOf(value, ["open", "token", "closed"]),
  tokenIssuers: readTokenIssuers,
  tokens: (value) => oneOf(value, ["optional", "required"]),
  origins: (value) =>
    list(
      value,
      (item) => isOrigin(item, ["https:"]),
      "It is a list of origins such as https://media.example:4480",
    ),
  certificateFile: text,
  certificateKeyFile: text,
  clientCertificates: (value) => oneOf(value, ["off", "asked"]),
  certificateAuthorities: (value) => list(value, (item) => item.length > 0, "It is a list of PEM files"),
  webhooks: (value) =>
    Array.isArray(value) && value.length <= MAX_WEBHOOKS
      ? list(value, isServiceUrl, WEBHOOK_EXPECTED)
      : new Wrong(WEBHOOK_EXPECTED),
  stopEndsCalls: flag,
  grace: (value) => integer(value, 0, 3_600),
  logLevel: (value) => oneOf(value, LOG_LEVELS),
  policyScope: (value) =>
    list(
      value,
      (token) => parseScopes([token]).ok,
      "It is a list of scope tokens such as communication:bilateral",
    ),
  trustFloor: (value) => oneOf(value, TRUST_FLOORS),
  genesisIssuers: (value) =>
    list(
      value,
      (item) => decodePublicKey(item, verifier, "genesisIssuers").ok,
      "It is a list of Ed25519 keys, base64url",
    ),
  agentDisclosure: (value) => oneOf(value, ["public", "authenticated"]),
  recordReading: (value) => oneOf(value, ["public", "agent_only", "operator_only"]),
  scopeViolationCode: (value) => oneOf(value, ["auto", 451, 455, 262]),
  retentionDays: (value) => integer(value, 1, 36_500),
  limits: (value) => limits(value, DEFAULT_LIMITS),
  addressLimits: (value) => limits(value, DEFAULT_ADDRESS_LIMITS),
  tlsLimits: (value) => limits(value, DEFAULT_TLS_LIMITS),
};
