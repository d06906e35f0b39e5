import { nodePlatform } from "../../agent/node.ts";
import { decodeHex } from "../../codecs/hex.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Result } from "../../codecs/result.ts";
import { loadIdentity } from "../../platform/node/identity-file.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { ZERO_AUDIT_ID } from "../../signaling/attribution.ts";
import {
  type ChainPlace,
  verifyPlace,
  verifyServerChain,
  verifySessionChain,
} from "../../signaling/record-chain.ts";
import { openChannel } from "../operator/channel.ts";
import { identityIn, openOperator, tryLock } from "../operator/operator.ts";
import { type RecordSource, sourceIn, sourceOn } from "../operator/record-source.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import type { Output } from "./output.ts";

/** Flags of every `parley inspect …`. */
export interface InspectFlags {
  /** The server's data folder. */
  readonly dataFolder: string;
  /** Identity file of an agent: reads what is its own, on a server. */
  readonly key?: string;
  readonly server: string;
  /** Hex; none: what the system's roots vouch for. */
  readonly certHash?: readonly string[];
}

/** What there is to look at. */
export type InspectTarget =
  | { readonly kind: "record"; readonly auditId: string }
  | { readonly kind: "session"; readonly sessionId: string }
  | { readonly kind: "agent"; readonly agentId: string }
  | { readonly kind: "chain" };

/** `parley inspect`: reads records, judges every hash, signature and link here, and shows them only then. */
export async function inspectCommand(
  target: InspectTarget,
  flags: InspectFlags,
  output: Output,
): Promise<ExitCode> {
  const source = await sourceOf(flags, output);
  try {
    await LOOKS[target.kind](source, target as never, output);
    return EXIT.done;
  } finally {
    await source.close();
  }
}

const LOOKS = {
  async record(source: RecordSource, { auditId }: { readonly auditId: string }, output: Output) {
    const place = unwrap(verifyPlace(await source.record(auditId), source.serverKey, verifier));
    if (place.auditId !== auditId) {
      throw new ParleyError({
        code: "evidence-invalid",
        message: "This is a record of another name.",
        at: auditId,
      });
    }
    output.result(
      { audit_id: auditId, verified: true, erased: place.kind === "erased", payload: place.payload },
      ...JSON.stringify(place.payload, null, 2).split("\n"),
      `${place.kind === "erased" ? "erased; the tombstone is" : "verified:"} signed by the server ${source.serverId}`,
    );
  },
  async session(source: RecordSource, { sessionId }: { readonly sessionId: string }, output: Output) {
    const records = await source.session(sessionId);
    const expected = { publicKey: source.serverKey, sessionId };
    const places = unwrap(verifySessionChain(records, expected, verifier));
    output.result(
      { session_id: sessionId, verified: true, ...countsOf(places), records: places.map(factsOf) },
      ...places.map(lineOf),
      summaryOf("the session's chain", places),
    );
  },
  async agent(source: RecordSource, { agentId }: { readonly agentId: string }, output: Output) {
    const lifecycle = (await source.lifecycle(agentId)).map((jws) =>
      unwrap(verifyPlace(jws, source.serverKey, verifier)),
    );
    const sessions = await source.sessions(agentId);
    output.result(
      { agent_id: agentId, verified: true, lifecycle: lifecycle.map(factsOf), sessions },
      ...lifecycle.map(lineOf),
      `${lifecycle.length} changes of its status, newest first, each signed by the server`,
      ...sessions.map((sessionId) => `session ${sessionId}`),
      `${sessions.length} sessions, newest first`,
    );
  },
  async chain(source: RecordSource, _: unknown, output: Output) {
    let after = ZERO_AUDIT_ID;
    const counts = { records: 0, erased: 0 };
    for await (const page of source.chain()) {
      const places = unwrap(verifyServerChain(page, { publicKey: source.serverKey, after }, verifier));
      for (const place of places) output.line(lineOf(place));
      after = places.at(-1)?.auditId ?? after;
      const { records, erased } = countsOf(places);
      counts.records += records;
      counts.erased += erased;
    }
    output.result(
      { verified: true, ...counts, head: after },
      `the server's chain holds: ${counts.records} records, ${counts.erased} of them erased; head ${after}`,
    );
  },
} as const;

/** As an agent on a server; else as the operator on the server of the folder; else the folder itself. */
async function sourceOf(flags: InspectFlags, output: Output): Promise<RecordSource> {
  const { key, server, certHash, dataFolder } = flags;
  if (key !== undefined) {
    const hashes = certHash?.map((hash) => unwrap(decodeHex(hash, 32, "--cert-hash")));
    const identity = await loadIdentity(key);
    const channel = await openChannel(nodePlatform(), { identity, url: server, certificateHashes: hashes });
    return sourceOn(channel, async () => channel.close());
  }
  await identityIn(dataFolder);
  const unlock = tryLock(dataFolder);
  if (unlock === undefined) {
    const operator = await openOperator(dataFolder);
    output.note(`asking the server that has ${dataFolder}, as its operator`);
    return sourceOn(operator, () => operator.end());
  }
  output.note(`no server runs on ${dataFolder}: reading the folder itself`);
  try {
    return await sourceIn(dataFolder, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

function countsOf(places: readonly ChainPlace[]) {
  return { records: places.length, erased: places.filter(({ kind }) => kind === "erased").length };
}

function factsOf(place: ChainPlace) {
  return { audit_id: place.auditId, erased: place.kind === "erased", payload: place.payload };
}

function lineOf(place: ChainPlace): string {
  const { auditId, payload } = place;
  const seq = String(payload.session_seq ?? payload.chain_seq ?? "").padStart(6);
  if (place.kind === "erased")
    return `${seq}  ${place.payload.erased_at}  ERASED  ${payload.event ?? ""}  ${auditId}`;
  const {
    issued_at,
    status,
    method = "",
    path = "",
    event = "",
    counterparty_agent_id: by = "",
    extra,
  } = place.payload;
  const reason = typeof extra?.reason === "string" ? `(${extra.reason})` : "";
  const said = [status === 0 ? "" : status, method, path, event, reason, by].filter((part) => part !== "");
  return `${seq}  ${issued_at}  ${said.join(" ")}  ${auditId}`;
}

function summaryOf(what: string, places: readonly ChainPlace[]): string {
  const { records, erased } = countsOf(places);
  return `${what} holds: ${records} records without a gap, ${erased} of them erased, all signed by the server`;
}

function unwrap<Value>(result: Result<Value>): Value {
  if (result.ok) return result.value;
  throw new ParleyError(result.fault);
}
