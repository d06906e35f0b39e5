/** `parley call`: what it takes. */
import { type Command, Option } from "commander";
import { addConnectOptions, addSoundOptions } from "./agent-options.ts";
import type { CallFlags } from "./call-command.ts";
import type { ExitCode } from "./exit-codes.ts";
import * as values from "./flag-values.ts";
import * as help from "./help-texts.ts";
import { attempt } from "./output.ts";

/** Adds `parley call`. `exit` takes the exit code of the command that ran. */
export function addCall(program: Command, exit: (code: ExitCode) => void): void {
  const call = program
    .command("call")
    .summary(help.summary(help.CALL))
    .description(help.prose(help.CALL))
    .argument(
      "<agent>",
      "whom to call: an Agent-ID of 64 hex digits, agtp://ID@host[:port] or agtp://domain/agents/NAME",
      values.callee,
    );
  addConnectOptions(call);
  addSoundOptions(call)
    .addOption(
      new Option(
        "--replay <file>",
        "play these frames, kept from an earlier call and marked as that",
      ).conflicts(["in", "tone"]),
    )
    .option("--replay-evidence <file>", "evidence of that call")
    .addOption(
      new Option("--replay-speaker <end>", "whose frames, where both were kept").choices([
        "caller",
        "callee",
      ]),
    )
    .addOption(
      new Option(
        "--gateways <rule>",
        "whether a gateway may answer for the agent, whose peer speaks WebRTC alone",
      )
        .choices(["accept", "refuse"])
        .default("refuse"),
    )
    .option(
      "--linger <seconds>",
      "hang up when nothing was heard for so long after speaking",
      values.seconds,
      2,
    )
    .option("--for <seconds>", "hang up after so long, whatever goes on", values.seconds)
    .option("--reason <text>", "why, when hanging up; the other end reads it", values.reason, "done")
    .option("--json", "print one JSON object")
    .addHelpText("after", help.CALL_AFTER)
    .action(async (callee: string, { json, ...flags }: CallFlags & { readonly json?: true }) => {
      exit(
        await attempt(json === true, async (output) => {
          const { callCommand } = await import("./call-command.ts");
          return await callCommand(callee, flags, output);
        }),
      );
    });
}
