/** What an operator decides, from flags and a file, read into one typed object. */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { isJsonObject, parseJson } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import { parseScopes } from "../signaling/scope.ts";
import { DEFAULT_LIMITS, type SwitchboardLimits } from "../signaling/switchboard/config.ts";

/** Levels of the log, from everything to nothing. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type ServerLogLevel = (typeof LOG_LEVELS)[number];

/** Every setting of a server. */
export interface ServerConfig {
  /** IP address to listen on, or `localhost`. Default `127.0.0.1`: this machine alone. */
  readonly host: string;
  /** UDP port; 0 picks a free one. Default 4480. */
  readonly port: number;
  /** Folder of the record log, the server's identity and its certificate; made when missing. Default `parley-data`. */
  readonly dataFolder: string;
  /** Name in the server's Genesis, used when that is made. Printable ASCII. Default `Parley server`. */
  readonly name: string;
  /** `Server-ID` of every answer. Default: the address it listens on. */
  readonly serverId: string | undefined;
  /**
   * `closed`: only agents in the data folder are served. `open`: any agent registers itself on its first proof, for
   * demonstrations and closed networks. Default `closed`.
   */
  readonly registration: "open" | "closed";
  /** Origins clients may dial beside those of the address it listens on, e.g. `https://media.example:4480`. Default none. */
  readonly origins: readonly string[];
  /** PEM file of the operator's certificate and its chain. Default: a self-made one, 13 days, kept in the data folder. */
  readonly certificateFile: string | undefined;
  /** PEM file of its private key. Goes with `certificateFile`. */
  readonly certificateKeyFile: string | undefined;
  /** Seconds that calls may go on after an orderly stop began, 0 to 3,600. Default 10. */
  readonly grace: number;
  /** Least weighty events that are logged. Default `info`. */
  readonly logLevel: ServerLogLevel;
  /** Scope tokens anybody may use here; what agents claim is cut to it. Default `communication:bilateral`. */
  readonly policyScope: readonly string[];
  /** Least trusted tier that is served: 1 only verified agents, 3 everybody. Default 2. */
  readonly lowestTrustTier: 1 | 2 | 3;
  /** Who may list agents and read their documents. Default `authenticated`. */
  readonly agentDisclosure: "public" | "authenticated";
  /** What bounds the server; members left out keep their default. */
  readonly limits: SwitchboardLimits;
}

/** Settings of one source; what is left out is decided by the source before it, in the end by the defaults. */
export type ServerSettings = {
  readonly [Name in keyof ServerConfig]?:
    | (Name extends "limits" ? Partial<SwitchboardLimits> : ServerConfig[Name])
    | undefined;
};

/** What a server does without any settings. */
export const DEFAULT_SERVER_CONFIG: ServerConfig = {
  host: "127.0.0.1",
  port: 4480,
  dataFolder: "parley-data",
  name: "Parley server",
  serverId: undefined,
  registration: "closed",
  origins: [],
  certificateFile: undefined,
  certificateKeyFile: undefined,
  grace: 10,
  logLevel: "info",
  policyScope: ["communication:bilateral"],
  lowestTrustTier: 2,
  agentDisclosure: "authenticated",
  limits: DEFAULT_LIMITS,
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
  return ok(config);
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

/** What a setting should have been. */
class Wrong {
  readonly expected: string;

  constructor(expected: string) {
    this.expected = expected;
  }
}

type Parsers = { readonly [Name in keyof ServerConfig]-?: (value: unknown) => ServerConfig[Name] | Wrong };

const SETTINGS: Parsers = {
  host: (value) =>
    typeof value === "string" && (value === "localhost" || isIP(value) !== 0)
      ? value
      : new Wrong("It is an IP address to listen on, or localhost"),
  port: (value) => integer(value, 0, 65_535),
  dataFolder: text,
  name: (value) =>
    typeof value === "string" && /^[\x20-\x7e]{1,128}$/.test(value)
      ? value
      : new Wrong("It is 1 to 128 printable ASCII characters"),
  serverId: (value) =>
    typeof value === "string" && /^[\x21-\x7e]{1,255}$/.test(value)
      ? value
      : new Wrong("It is 1 to 255 printable ASCII characters without a blank"),
  registration: (value) => oneOf(value, ["open", "closed"]),
  origins: (value) => list(value, isOrigin, "It is a list of origins such as https://media.example:4480"),
  certificateFile: text,
  certificateKeyFile: text,
  grace: (value) => integer(value, 0, 3_600),
  logLevel: (value) => oneOf(value, LOG_LEVELS),
  policyScope: (value) =>
    list(
      value,
      (token) => parseScopes([token]).ok,
      "It is a list of scope tokens such as communication:bilateral",
    ),
  lowestTrustTier: (value) => oneOf(value, [1, 2, 3]),
  agentDisclosure: (value) => oneOf(value, ["public", "authenticated"]),
  limits,
};

function text(value: unknown): string | Wrong {
  return typeof value === "string" && value.length > 0 ? value : new Wrong("It is a text");
}

function integer(value: unknown, least: number, most: number): number | Wrong {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
    ? (value as number)
    : new Wrong(`It is a whole number from ${least} to ${most}`);
}

function oneOf<const Choice>(value: unknown, choices: readonly Choice[]): Choice | Wrong {
  return choices.find((choice) => choice === value) ?? new Wrong(`It is one of ${choices.join(", ")}`);
}

function list(value: unknown, isItem: (item: string) => boolean, expected: string): string[] | Wrong {
  const holds = Array.isArray(value) && value.every((item) => typeof item === "string" && isItem(item));
  return holds ? (value as string[]) : new Wrong(expected);
}

/** As a browser writes it: scheme, host and port, nothing after it. */
function isOrigin(value: string): boolean {
  return URL.canParse(value) && value.startsWith("https://") && new URL(value).origin === value;
}

function limits(value: unknown): SwitchboardLimits | Wrong {
  if (typeof value !== "object" || value === null) return new Wrong("It is an object of limits");
  const merged: Record<string, unknown> = { ...DEFAULT_LIMITS };
  for (const [name, limit] of Object.entries(value)) {
    const standard = Object.hasOwn(DEFAULT_LIMITS, name) ? merged[name] : undefined;
    if (standard === undefined) return new Wrong(`There is no limit "${name}"`);
    if (typeof standard === "number") {
      const parsed = integer(limit, 1, LARGEST_LIMIT);
      if (parsed instanceof Wrong) return new Wrong(`${name}: ${parsed.expected}`);
      merged[name] = parsed;
      continue;
    }
    const { perSecond, burst } = (limit ?? {}) as Readonly<Record<string, unknown>>;
    if (
      integer(perSecond, 1, LARGEST_LIMIT) instanceof Wrong ||
      integer(burst, 1, LARGEST_LIMIT) instanceof Wrong
    )
      return new Wrong(`${name}: It has perSecond and burst, whole numbers from 1`);
    merged[name] = { perSecond, burst };
  }
  return merged as unknown as SwitchboardLimits;
}

const LARGEST_LIMIT = 1_000_000_000;
