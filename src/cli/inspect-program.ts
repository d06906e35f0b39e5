/** `parley inspect …`: looking at what a server recorded. */
import type { Command } from "commander";
import type { ExitCode } from "./exit-codes.ts";
import * as values from "./flag-values.ts";
import * as help from "./help-texts.ts";
import type { InspectFlags, InspectTarget } from "./inspect-command.ts";
import { attempt } from "./output.ts";

/** Adds `inspect` and what is below it. `exit` takes the exit code of the command that ran. */
export function addInspect(program: Command, exit: (code: ExitCode) => void): void {
  const inspect = program
    .command("inspect")
    .summary(help.summary(help.INSPECT))
    .description(help.prose(help.INSPECT))
    .addHelpText("after", help.INSPECT_AFTER)
    .helpCommand(false);
  const below = (name: string, summary: string) =>
    inspect
      .command(name)
      .description(summary)
      .option("--data, --data-folder <folder>", "the server's data folder", "parley-data")
      .option("--key <file>", "read as this agent, on --url, what is its own")
      .option("--url, --server <url>", "the server, with --key", values.server, "https://127.0.0.1:4480/agtp")
      .option("--cert-hash <hash>", "SHA-256 of its certificate; may be repeated", values.certificateHashes)
      .option("--json", "print one JSON object");
  const look = async (target: InspectTarget, { json, ...flags }: InspectFlags & { readonly json?: true }) => {
    exit(
      await attempt(json === true, async (output) => {
        const { inspectCommand } = await import("./inspect-command.ts");
        return await inspectCommand(target, flags, output);
      }),
    );
  };
  below("record", "one record by its Audit-ID")
    .argument("<audit-id>", "its name", values.agentId)
    .action((auditId: string, flags: InspectFlags) => look({ kind: "record", auditId }, flags));
  below("session", "a session's records in order")
    .argument("<session-id>", "which")
    .action((sessionId: string, flags: InspectFlags) => look({ kind: "session", sessionId }, flags));
  below("agent", "what became of an agent's status, and its sessions")
    .argument("<agent-id>", "whose", values.agentId)
    .action((agentId: string, flags: InspectFlags) => look({ kind: "agent", agentId }, flags));
  below("chain", "the server's whole chain").action((flags: InspectFlags) => look({ kind: "chain" }, flags));
}
