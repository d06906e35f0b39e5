/** `parley discover`: what it takes. */
import type { Command } from "commander";
import type { DiscoverFlags } from "./discover-command.ts";
import type { ExitCode } from "./exit-codes.ts";
import * as values from "./flag-values.ts";
import * as help from "./help-texts.ts";
import { attempt } from "./output.ts";

/** Adds `parley discover`. `exit` takes the exit code of the command that ran. */
export function addDiscover(program: Command, exit: (code: ExitCode) => void): void {
  program
    .command("discover")
    .summary(help.summary(help.DISCOVER))
    .description(help.prose(help.DISCOVER))
    .argument("<server>", "agtp://host[:port] or https://host:port/agtp", values.server)
    .argument("[path]", "what to DISCOVER", "/")
    .option(
      "--cert-hash <hash>",
      "SHA-256 of the server's certificate; may be repeated (default: what the system's roots vouch for)",
      values.certificateHashes,
    )
    .option("--json", "print one JSON object on one line")
    .addHelpText("after", help.DISCOVER_AFTER)
    .action(
      async (server: string, path: string, { json, ...flags }: DiscoverFlags & { readonly json?: true }) => {
        exit(
          await attempt(json === true, async (output) => {
            const { discoverCommand } = await import("./discover-command.ts");
            return await discoverCommand(server, path, flags, output);
          }),
        );
      },
    );
}
