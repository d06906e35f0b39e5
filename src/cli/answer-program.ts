/** `parley answer`: what it takes. */
import { type Command, Option } from "commander";
import { addConnectOptions, addSoundOptions } from "./agent-options.ts";
import type { AnswerFlags } from "./answer-command.ts";
import type { ExitCode } from "./exit-codes.ts";
import * as values from "./flag-values.ts";
import * as help from "./help-texts.ts";
import { attempt } from "./output.ts";

/** Adds `parley answer`. `exit` takes the exit code of the command that ran. */
export function addAnswer(program: Command, exit: (code: ExitCode) => void): void {
  const answer = program
    .command("answer")
    .summary(help.summary(help.ANSWER))
    .description(help.prose(help.ANSWER));
  addConnectOptions(answer);
  addSoundOptions(answer)
    .addOption(new Option("--echo", "say back what is heard").conflicts(["in", "tone"]))
    .option("--once", "take one call, then stop")
    .addOption(new Option("--busy", "tell every caller that the agent is busy").conflicts("decline"))
    .option("--decline", "decline every call")
    .option("--for <seconds>", "hang up a call after so long", values.seconds)
    .option("--reason <text>", "why, when hanging up; the other end reads it", values.reason, "done")
    .option("--json", "print one JSON object at the end")
    .addHelpText("after", help.ANSWER_AFTER)
    .action(async ({ json, ...flags }: AnswerFlags & { readonly json?: true }) => {
      exit(
        await attempt(json === true, async (output) => {
          const { answerCommand } = await import("./answer-command.ts");
          return await answerCommand(flags, output);
        }),
      );
    });
}
