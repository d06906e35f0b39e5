/** `parley keygen`: what it takes. */
import type { Command } from "commander";
import type { ExitCode } from "./exit-codes.ts";
import * as values from "./flag-values.ts";
import * as help from "./help-texts.ts";
import type { KeygenFlags } from "./keygen-command.ts";
import { attempt } from "./output.ts";

/** Adds `parley keygen`. `exit` takes the exit code of the command that ran. */
export function addKeygen(program: Command, exit: (code: ExitCode) => void): void {
  program
    .command("keygen")
    .summary(help.summary(help.KEYGEN))
    .description(help.prose(help.KEYGEN))
    .argument("[file]", "identity file to make")
    .option("--name <name>", "the agent's name (default: the file's)")
    .option("--owner <id>", "who the agent belongs to (default: from its name)")
    .option(
      "--scope <token>",
      "widest authority it may ever claim (default: capture and transmit audio); may be repeated",
      values.collect,
    )
    .option("--issuer <file>", "have the agent vouched for by this issuer")
    .option("--new-issuer <file>", "make an issuer; with FILE it vouches for the agent")
    .option("--issuer-name <name>", "name of the new issuer", "issuer")
    .option("--trust <file>", "add the issuer, or the agent that has none, to the trust anchors in a file")
    .option("--json", "print one JSON object")
    .addHelpText("after", help.KEYGEN_AFTER)
    .action(async (file: string | undefined, { json, ...flags }: KeygenFlags & { readonly json?: true }) => {
      exit(
        await attempt(json === true, async (output) => {
          const { keygenCommand } = await import("./keygen-command.ts");
          return await keygenCommand(file, flags, output);
        }),
      );
    });
}
