/** `parley doctor`: what it takes. */
import type { Command } from "commander";
import type { DoctorFlags } from "./doctor-command.ts";
import type { ExitCode } from "./exit-codes.ts";
import * as values from "./flag-values.ts";
import * as help from "./help-texts.ts";
import { attempt } from "./output.ts";

/** Adds `parley doctor`. `exit` takes the exit code of the command that ran. */
export function addDoctor(program: Command, exit: (code: ExitCode) => void): void {
  program
    .command("doctor")
    .summary(help.summary(help.DOCTOR))
    .description(help.prose(help.DOCTOR))
    .option("--host <address>", "IP address the server listens on (default: 127.0.0.1)")
    .option("--port <number>", "its UDP port (default: 4480)", values.integer(0, 65_535))
    .option("--tcp-port <number>", "its TCP port, or off (default: the UDP port's number)", values.portOrOff)
    .option("--http-port <number>", "its port for the page, or off (default: 8480)", values.portOrOff)
    .option("--data-folder <folder>", "its data folder (default: parley-data)")
    .option("--config <file>", "JSON file of its settings; flags win over it")
    .option("--json", "print one JSON object")
    .addHelpText("after", help.DOCTOR_AFTER)
    .action(async ({ json, ...flags }: DoctorFlags & { readonly json?: true }) => {
      exit(
        await attempt(json === true, async (output) => {
          const { doctorCommand } = await import("./doctor-command.ts");
          return await doctorCommand(flags, output);
        }),
      );
    });
}
