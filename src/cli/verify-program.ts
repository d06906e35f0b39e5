/** `parley verify`: what it takes. */
import { type Command, Option } from "commander";
import type { ExitCode } from "./exit-codes.ts";
import * as help from "./help-texts.ts";
import { attempt } from "./output.ts";
import type { VerifyFlags } from "./verify-command.ts";

/** Adds `parley verify`. `exit` takes the exit code of the command that ran. */
export function addVerify(program: Command, exit: (code: ExitCode) => void): void {
  program
    .command("verify")
    .summary(help.summary(help.VERIFY))
    .description(help.prose(help.VERIFY))
    .argument("<file>", "evidence of a call")
    .option("--trust <file>", "trust anchors: whom you believe")
    .option("--media <file>", "kept frames to be proven as well")
    .option("--source <file>", "evidence of the call that frames marked as recorded were said in")
    .option("--source-media <file>", "its kept frames: the recorded ones are held against them")
    .option("--wav <file>", "write the proven frames as sound")
    .option("--ivf <file>", "write the proven video as it was signed, as IVF")
    .option("--messages <file>", "write the proven data messages, one JSON object a line")
    .addOption(
      new Option("--speaker <end>", "whose sound or video, where both were kept").choices([
        "caller",
        "callee",
      ]),
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", help.VERIFY_AFTER)
    .action(async (file: string, { json, ...flags }: VerifyFlags & { readonly json?: true }) => {
      exit(
        await attempt(json === true, async (output) => {
          const { verifyCommand } = await import("./verify-command.ts");
          return await verifyCommand(file, flags, output);
        }),
      );
    });
}
