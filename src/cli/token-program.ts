/** `parley token`: what it takes. */
import type { Command } from "commander";
import type { ExitCode } from "./exit-codes.ts";
import * as values from "./flag-values.ts";
import * as help from "./help-texts.ts";
import { attempt } from "./output.ts";
import type { TokenFlags } from "./token-command.ts";

/** Adds `parley token`. */
export function addToken(program: Command, exit: (code: ExitCode) => void): void {
  program
    .command("token")
    .summary(help.summary(help.TOKEN))
    .description(help.prose(help.TOKEN))
    .argument("[agent]", "Agent-ID it is for (default: the identity that makes it)", values.agentId)
    .requiredOption("--by <file>", "who makes it: the file of an issuer, or of an identity")
    .option(
      "--audience <server>",
      "origin, Server-ID or Agent-ID of the server; may be repeated (default: https://127.0.0.1:4480)",
      values.collect,
    )
    .option(
      "--scope <token>",
      "what the agent may do there; may be repeated (default: audio and data)",
      values.collect,
    )
    .option("--lifetime <seconds>", "until it runs out", values.integer(1, 3_600), 600)
    .option(
      "--bind-fingerprint <hex>",
      "SHA-256 of the DTLS certificate that a WebRTC peer must hold to use it",
      values.fingerprint,
    )
    .option("--jwks", "print the keys instead that such tokens are verified with, as a JWKS")
    .option("--json", "print one JSON object")
    .addHelpText("after", help.TOKEN_AFTER)
    .action(async (agent: string | undefined, { json, ...flags }: TokenFlags & { readonly json?: true }) => {
      exit(
        await attempt(json === true, async (output) => {
          const { tokenCommand } = await import("./token-command.ts");
          return await tokenCommand(agent, flags, output);
        }),
      );
    });
}
