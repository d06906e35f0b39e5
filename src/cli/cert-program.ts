/** `parley cert …`: commands for certificates to try things with. */
import type { Command } from "commander";
import type { CertAgentFlags, CertAuthorityFlags } from "./cert-command.ts";
import type { ExitCode } from "./exit-codes.ts";
import * as values from "./flag-values.ts";
import * as help from "./help-texts.ts";
import { attempt } from "./output.ts";

type Json = { readonly json?: true };

/** Adds `cert` and what is below it. `exit` takes the exit code of the command that ran. */
export function addCert(program: Command, exit: (code: ExitCode) => void): void {
  const cert = program
    .command("cert")
    .summary(help.summary(help.CERT))
    .description(help.prose(help.CERT))
    .addHelpText("after", help.CERT_AFTER)
    .helpCommand(false);
  cert
    .command("authority")
    .description("make a certificate authority for trying things out")
    .argument("<folder>", "where its certificate and its key are kept")
    .option("--name <name>", "its name", "Parley test authority")
    .option("--json", "print one JSON object")
    .action(async (folder: string, { json, ...flags }: CertAuthorityFlags & Json) => {
      exit(
        await attempt(json === true, async (output) => {
          const { certAuthorityCommand } = await import("./cert-command.ts");
          return await certAuthorityCommand(folder, flags, output);
        }),
      );
    });
  cert
    .command("agent")
    .description("make an Agent Certificate for an agent, with a key of its own in the same file")
    .requiredOption("--authority <folder>", "whose signature it gets")
    .requiredOption("--identity <file>", "identity file of the agent")
    .option("--out <pem>", "file to write (default: the identity file's name with .pem)")
    .option("--days <number>", "how long it is valid, 1 to 90", values.integer(1, 90), 30)
    .option(
      "--scope <token>",
      "most that its holder may claim (default: what the identity document accepts); may be repeated",
      values.collect,
    )
    .option("--zone <zone>", "its governance zone, zone:NAME (default: the Genesis's)")
    .option("--no-critical", "mark no extension critical, for servers whose TLS stack refuses such")
    .option("--json", "print one JSON object")
    .action(async ({ json, ...flags }: CertAgentFlags & Json) => {
      exit(
        await attempt(json === true, async (output) => {
          const { certAgentCommand } = await import("./cert-command.ts");
          return await certAgentCommand(flags, output);
        }),
      );
    });
}
