/** The `parley` command: what it takes and what it teaches. The work itself is loaded when a command runs. */
import { Command, CommanderError } from "commander";
import { addAgent } from "./agent-program.ts";
import { addAnswer } from "./answer-program.ts";
import { addBots } from "./bots-program.ts";
import { addCall } from "./call-program.ts";
import { addCert } from "./cert-program.ts";
import { addDiscover } from "./discover-program.ts";
import { addDoctor } from "./doctor-program.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import * as help from "./help-texts.ts";
import { addInspect } from "./inspect-program.ts";
import { addKeygen } from "./keygen-program.ts";
import { Output, usageError } from "./output.ts";
import { addServe } from "./serve-program.ts";
import { addToken } from "./token-program.ts";
import { addVerify } from "./verify-program.ts";

/** Runs one command line (without `node` and the script) and gives its exit code. */
export async function run(argv: readonly string[]): Promise<ExitCode> {
  const json = argv.includes("--json");
  let exit: ExitCode = EXIT.done;
  const program = createProgram((code) => {
    exit = code;
  });
  // With --json the failure is told once, as an object and one line.
  if (json) program.configureOutput({ writeErr: () => {} });
  inherit(program);
  if (argv.length === 0) {
    program.outputHelp({ error: true });
    return EXIT.usage;
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exit;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.done;
    if (json) new Output(true).failure(usageError(error.message.replace(/^error: /, "")));
    return EXIT.usage;
  }
}

/** Every command with its options and help. `exit` takes the exit code of the command that ran. */
export function createProgram(exit: (code: ExitCode) => void): Command {
  const program = new Command("parley")
    .description(help.prose(help.PROGRAM))
    .exitOverride()
    .configureHelp({ helpWidth: HELP_WIDTH })
    .helpCommand("help [command]", "show the help of a command")
    .showHelpAfterError("(add --help for what it takes)")
    .addHelpText("after", help.PROGRAM_AFTER);
  for (const add of COMMANDS) add(program, exit);
  return program;
}

/** Has every command, and those below it, fail and speak as the program does. */
function inherit(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    inherit(command);
  }
}

const HELP_WIDTH = 100;
/** In the order of the help. */
const COMMANDS = [
  addServe,
  addDoctor,
  addKeygen,
  addCert,
  addToken,
  addAgent,
  addInspect,
  addCall,
  addAnswer,
  addDiscover,
  addVerify,
  addBots,
] as const;
