import type { JsonObject, JsonValue } from "../../codecs/canonical-json.ts";
import { isJsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { type Operator, openOperator } from "../operator/operator.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { readInput } from "./files.ts";
import { type Output, usageError } from "./output.ts";

/** Flags of every `parley agent …`. */
export interface AgentFlags {
  /** The server's data folder. */
  readonly dataFolder: string;
  /** Goes into the record of a change. */
  readonly reason?: string;
}

/** How long an erasure may take: it goes through the whole log, and writes it anew. */
const ERASURE_MS = 3_600_000;

/** Changes of an agent's status, as the command line calls them. */
const METHODS = {
  suspend: "DEACTIVATE",
  reinstate: "REINSTATE",
  revoke: "REVOKE",
  deprecate: "DEPRECATE",
} as const;
export type AgentChange = keyof typeof METHODS;

/** `parley agent add`: registers the agent of an identity file, or of its two documents, whoever may register itself. */
export async function agentAddCommand(file: string, flags: AgentFlags, output: Output): Promise<ExitCode> {
  const documents = await documentsOf(file);
  return await operating(flags, output, async (operator) => {
    const { result } = await operator.ask({
      method: "ACTIVATE",
      path: `/agents/${documents.agentId}`,
      parameters: { ...documents.parameters, ...reasonOf(flags) },
    });
    output.result(result, documents.agentId);
    if (result.registered !== true) output.note(`was known already; it is ${textOf(result.status)}`);
  });
}

/** `parley agent list`: every agent the server knows. */
export async function agentListCommand(flags: AgentFlags, output: Output): Promise<ExitCode> {
  return await operating(flags, output, async (operator) => {
    const agents: JsonObject[] = [];
    for (let after: JsonValue | undefined; ; ) {
      const parameters = after === undefined ? {} : { after };
      const { result } = await operator.ask({ method: "DISCOVER", path: "/agents", parameters });
      if (Array.isArray(result.agents)) agents.push(...result.agents.filter(isJsonObject));
      if (typeof result.next !== "string" || result.next === after) break;
      after = result.next;
    }
    output.result({ agents }, ...agents.map(lineOf));
  });
}

/** `parley agent show`: one agent's documents, standing and what changed its status. */
export async function agentShowCommand(
  agentId: string,
  flags: AgentFlags,
  output: Output,
): Promise<ExitCode> {
  return await operating(flags, output, async (operator) => {
    const { result } = await operator.ask({ method: "DISCOVER", path: `/agents/${agentId}` });
    const shown = {
      ...result,
      genesis: documentIn(result.genesis),
      identity_document: documentIn(result.identity_document),
    };
    output.result(shown, ...JSON.stringify(shown, null, 2).split("\n"));
  });
}

/** `parley agent suspend|reinstate|revoke|deprecate`: takes effect on live sessions at once, and for good. */
export async function agentChangeCommand(
  change: AgentChange,
  agentId: string,
  flags: AgentFlags,
  output: Output,
): Promise<ExitCode> {
  return await operating(flags, output, async (operator) => {
    const { result } = await operator.ask({
      method: METHODS[change],
      path: `/agents/${agentId}`,
      parameters: reasonOf(flags),
    });
    const was = result.noop === true ? "already" : `was ${textOf(result.previous_status)}`;
    output.result(result, `${agentId} ${textOf(result.status)} (${was})`);
  });
}

/** `parley agent erase`: ends what the agent is in, and erases what is kept of it, or of one session; says how much that was. */
export async function agentEraseCommand(
  agentId: string | undefined,
  flags: AgentFlags & { readonly session?: string },
  output: Output,
): Promise<ExitCode> {
  const { session } = flags;
  if ((agentId === undefined) === (session === undefined))
    throw usageError("It is an AGENT-ID or a --session that is erased.");
  return await operating(flags, output, async (operator) => {
    const { result } = await operator.ask({
      method: "REDACT",
      path: "/records",
      parameters: session === undefined ? { agent_id: agentId as string } : { session_id: session },
      timeout: ERASURE_MS,
    });
    const { erasure, records, artifacts } = result;
    output.result(
      result,
      `erasure ${String(erasure)}: ${String(records)} records and ${String(artifacts)} kept documents and statements`,
    );
  });
}

/** Does something as the operator, and says on what. */
async function operating(
  { dataFolder }: AgentFlags,
  output: Output,
  work: (operator: Operator) => Promise<void>,
): Promise<ExitCode> {
  const operator = await openOperator(dataFolder);
  const { running } = operator;
  output.note(
    running === undefined
      ? `no server runs on ${dataFolder}: done in the folder itself`
      : `asked the server of process ${running.pid}, ${running.url}`,
  );
  try {
    await work(operator);
  } finally {
    await operator.end();
  }
  return EXIT.done;
}

/** Both documents of an identity file of `parley keygen`, or of a file that has them without a key. */
async function documentsOf(file: string) {
  const parsed = parseJson(await readInput(file));
  const content = parsed.ok && isJsonObject(parsed.value) ? parsed.value : {};
  const { genesis, identity_document } = content;
  if (typeof genesis !== "string" || typeof identity_document !== "string") {
    throw usageError(`${file} lacks \`genesis\` or \`identity_document\`: parley keygen makes such a file.`);
  }
  const read = readGenesis(new TextEncoder().encode(genesis), verifier);
  if (!read.ok) throw new ParleyError({ ...read.fault, message: `${file}: ${read.fault.message}` });
  return { agentId: read.value.agentId, parameters: { genesis, identity_document } };
}

function reasonOf({ reason }: AgentFlags): JsonObject {
  return reason === undefined ? {} : { reason };
}

function lineOf(agent: JsonObject): string {
  const { agent_id, name, status = "active", trust_tier, online, owner_id } = agent;
  const standing = `${textOf(status)}, tier ${String(trust_tier)}${online === true ? ", online" : ""}`;
  return `${textOf(agent_id)}  ${standing.padEnd(24)}  ${textOf(name)} (${textOf(owner_id)})`;
}

function documentIn(text: JsonValue | undefined): JsonValue {
  const parsed = typeof text === "string" ? parseJson(new TextEncoder().encode(text)) : undefined;
  return parsed?.ok === true ? parsed.value : null;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
