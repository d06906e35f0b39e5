import { ok, type Result } from "../../codecs/result.ts";
import { parseScopes, type ScopeSet } from "../scope.ts";
import { readDer, TAG } from "./der.ts";
import { flawed } from "./flaws.ts";
import type { CertificateExtension } from "./x509.ts";

/**
 * AGTP's certificate extensions (`spec/agtp.md` 4.5) and their identifiers: what the reference implementation writes, and, where a name
 * changed since, what follows from the new one. The first is the one to write.
 */
export const AGENT_EXTENSIONS = {
  "agent-id": [
    "2.25.268315605531543067570885820853135175300",
    "2.25.270589222713521482848242912882674957013",
  ],
  "owner-id": ["2.25.1702125237121760682219637876567909613", "2.25.23114076405071288504909871284023186248"],
  "authority-scope-commitment": ["2.25.282163161526436136340860154693646256049"],
  "governance-zone": ["2.25.166172302800383381461126246055580541663"],
  "trust-tier": ["2.25.198335757712203466569903271149789286606"],
  archetype: ["2.25.73414372111527645744102975685149753054"],
  "activation-certificate-id": ["2.25.251807688045435852997712124138766290036"],
  "agtp-ctl-sct": ["2.25.265641071119838462866957460025010755013"],
} as const;
export type AgentExtension = keyof typeof AGENT_EXTENSIONS;

/** What the extensions say. */
export interface AgentExtensions {
  readonly agentId: string;
  readonly ownerId: string;
  readonly commitment: ScopeSet;
  readonly governanceZone: string | undefined;
  readonly trustTier: 1 | 2 | 3 | undefined;
  readonly archetype: string | undefined;
  /** 64 hex. */
  readonly activationCertificateId: string | undefined;
  /** When a log says it took the certificate, Unix milliseconds (RFC 6962, section 3.2): read, and never decided on. */
  readonly loggedAt: number | undefined;
}

/** Which of AGTP's extensions an identifier names. */
export function agentExtensionOf(oid: string): AgentExtension | undefined {
  return BY_OID.get(oid);
}

/**
 * Reads AGTP's extensions among those of a certificate, critical or not; `undefined` when there is none. Faults:
 * `agent-certificate-refused` with `extension-duplicate`, `extension-missing`, `extension-malformed`.
 */
export function readAgentExtensions(
  extensions: readonly CertificateExtension[],
): Result<AgentExtensions | undefined> {
  const values = new Map<AgentExtension, Uint8Array>();
  for (const { oid, value } of extensions) {
    const name = agentExtensionOf(oid);
    if (name === undefined) continue;
    if (values.has(name))
      return flawed("extension-duplicate", `Two extensions say its ${name}.`, undefined, {
        oid,
        extension: name,
      });
    values.set(name, value);
  }
  if (values.size === 0) return ok(undefined);
  const missing = MANDATORY.find((name) => !values.has(name));
  if (missing !== undefined)
    return flawed("extension-missing", `The certificate has no ${missing}.`, undefined, {
      extension: missing,
    });
  const text = (name: AgentExtension, pattern: RegExp): string | undefined => {
    const value = values.get(name);
    if (value === undefined) return undefined;
    const read = textOf(value);
    if (read === undefined || !pattern.test(read)) throw new ExtensionError(name);
    return read;
  };
  try {
    return ok({
      agentId: text("agent-id", HEX_64) as string,
      ownerId: text("owner-id", LINE) as string,
      commitment: commitmentOf(text("authority-scope-commitment", COMMITMENT) as string),
      governanceZone: text("governance-zone", ZONE),
      trustTier: tierOf(values.get("trust-tier")),
      archetype: text("archetype", ARCHETYPE),
      activationCertificateId: text("activation-certificate-id", HEX_64),
      loggedAt: loggedAt(values.get("agtp-ctl-sct")),
    });
  } catch (error) {
    if (!(error instanceof ExtensionError)) throw error;
    const { extension } = error;
    return flawed("extension-malformed", `Its ${extension} is none.`, undefined, { extension });
  }
}

/** An extension's value is none. */
class ExtensionError extends Error {
  readonly extension: AgentExtension;

  constructor(extension: AgentExtension) {
    super(extension);
    this.extension = extension;
  }
}

/** UTF-8 that stands in the extension as it is, without a tag of its own. */
function textOf(value: Uint8Array): string | undefined {
  if (value.length > MAX_TEXT_BYTES) return undefined;
  try {
    return decoder.decode(value);
  } catch {
    return undefined;
  }
}

function commitmentOf(list: string): ScopeSet {
  const scope = parseScopes(list === "" ? [] : list.split(","));
  if (!scope.ok) throw new ExtensionError("authority-scope-commitment");
  return scope.value;
}

function tierOf(value: Uint8Array | undefined): 1 | 2 | 3 | undefined {
  if (value === undefined) return undefined;
  const read = readDer(value, (reader) => reader.smallInteger("the tier"));
  if (!read.ok || read.value < 1 || read.value > 3) throw new ExtensionError("trust-tier");
  return read.value as 1 | 2 | 3;
}

/** The time in a list of signed certificate timestamps, or in a single one; of others nothing is known. */
function loggedAt(value: Uint8Array | undefined): number | undefined {
  if (value === undefined) return undefined;
  const inner = readDer(value, (reader) => reader.read(TAG.octetString, "a list").content);
  const bytes = inner.ok ? inner.value.subarray(LIST_HEADER_BYTES) : value;
  if (bytes.length < SCT_TIME_END || bytes[0] !== 0) return undefined;
  const time = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(SCT_TIME_END - 8);
  return time <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(time) : undefined;
}

const MANDATORY = ["agent-id", "owner-id", "authority-scope-commitment"] as const;
const BY_OID: ReadonlyMap<string, AgentExtension> = new Map(
  Object.entries(AGENT_EXTENSIONS).flatMap(([name, oids]) =>
    oids.map((oid) => [oid, name as AgentExtension] as const),
  ),
);
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** As many bytes as 64 scope tokens of 128 characters take with their commas. */
const MAX_TEXT_BYTES = 8_256;
const HEX_64 = /^[0-9a-f]{64}$/;
/** Up to 256 characters, none of them a control character. */
const LINE = /^\P{Cc}{1,256}$/u;
const ZONE = /^zone:[!-~]{1,251}$/;
const ARCHETYPE = /^[a-z][a-z-]{0,31}$/;
const COMMITMENT = /^[!-~]*$/;
/** Two lengths before the first timestamp of a list; version and log before the time in each (RFC 6962, section 3.3). */
const LIST_HEADER_BYTES = 4;
const SCT_TIME_END = 1 + 32 + 8;
