/** `parley agent …`: commands for the agents of a server. */
import type { Command } from "commander";
import type { AgentChange, AgentFlags } from "./agent-command.ts";
import type { ExitCode } from "./exit-codes.ts";
import * as values from "./flag-values.ts";
import * as help from "./help-texts.ts";
import { attempt } from "./output.ts";

type Flags = AgentFlags & { readonly json?: true };

/** Adds `agent` and what is below it. `exit` takes the exit code of the command that ran. */
export function addAgent(program: Command, exit: (code: ExitCode) => void): void {
  const agent = program
    .command("agent")
    .summary(help.summary(help.AGENT))
    .description(help.prose(help.AGENT))
    .addHelpText("after", help.AGENT_AFTER)
    .helpCommand(false);
  const below = (name: string, summary: string) =>
    withFolder(agent.command(name).description(summary).option("--json", "print one JSON object"));

  below("add", "register an agent; again, take its newer identity document")
    .argument("<file>", "identity file of the agent, or a JSON file of its genesis and identity_document")
    .option("--reason <text>", "why, for the record", values.reason)
    .action(async (file: string, { json, ...flags }: Flags) => {
      exit(
        await attempt(json === true, async (output) => {
          const { agentAddCommand } = await import("./agent-command.ts");
          return await agentAddCommand(file, flags, output);
        }),
      );
    });
  below("list", "list the agents that the server knows").action(async ({ json, ...flags }: Flags) => {
    exit(
      await attempt(json === true, async (output) => {
        const { agentListCommand } = await import("./agent-command.ts");
        return await agentListCommand(flags, output);
      }),
    );
  });
  below("show", "show an agent's documents and standing")
    .argument("<agent-id>", "whose", values.agentId)
    .action(async (agentId: string, { json, ...flags }: Flags) => {
      exit(
        await attempt(json === true, async (output) => {
          const { agentShowCommand } = await import("./agent-command.ts");
          return await agentShowCommand(agentId, flags, output);
        }),
      );
    });
  below("erase", "erase what is kept of an agent, for good; its calls end at once")
    .argument("[agent-id]", "whom", values.agentId)
    .option("--session <session-id>", "erase what is kept of one session that is over instead")
    .action(
      async (agentId: string | undefined, { json, ...flags }: Flags & { readonly session?: string }) => {
        exit(
          await attempt(json === true, async (output) => {
            const { agentEraseCommand } = await import("./agent-command.ts");
            return await agentEraseCommand(agentId, flags, output);
          }),
        );
      },
    );
  for (const [change, summary] of Object.entries(CHANGES) as [AgentChange, string][]) {
    below(change, summary)
      .argument("<agent-id>", "whom", values.agentId)
      .option("--reason <text>", "why, for the record", values.reason)
      .action(async (agentId: string, { json, ...flags }: Flags) => {
        exit(
          await attempt(json === true, async (output) => {
            const { agentChangeCommand } = await import("./agent-command.ts");
            return await agentChangeCommand(change, agentId, flags, output);
          }),
        );
      });
  }
}

const CHANGES: Readonly<Record<AgentChange, string>> = {
  suspend: "stop an agent for now; its calls end at once",
  reinstate: "let a suspended or deprecated agent act again",
  revoke: "retire an agent for good; its calls end at once",
  deprecate: "mark an agent as deprecated; it is served all the same",
};

function withFolder(command: Command): Command {
  return command.option("--data, --data-folder <folder>", "the server's data folder", "parley-data");
}
