/** The `parley` command: what it takes and what it teaches. The work itself is loaded when a command runs. */
import { Command, CommanderError, Option } from "commander";
import { TRUST_FLOORS } from "../../signaling/trust.ts";
import { NETWORKS } from "../bots/plan.ts";
import { addAgent } from "./agent-program.ts";
import type { AnswerFlags } from "./answer-command.ts";
import type { BotsFlags } from "./bots-command.ts";
import type { CallFlags } from "./call-command.ts";
import { addCert } from "./cert-program.ts";
import type { DiscoverFlags } from "./discover-command.ts";
import type { DoctorFlags } from "./doctor-command.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import * as values from "./flag-values.ts";
import * as help from "./help-texts.ts";
import { addInspect } from "./inspect-program.ts";
import type { KeygenFlags } from "./keygen-command.ts";
import { attempt, Output, usageError } from "./output.ts";
import type { ServeFlags } from "./serve-command.ts";
import { addToken } from "./token-program.ts";
import type { VerifyFlags } from "./verify-command.ts";

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
  addServe(program, exit);
  addDoctor(program, exit);
  addKeygen(program, exit);
  addCert(program, exit);
  addToken(program, exit);
  addAgent(program, exit);
  addInspect(program, exit);
  addCall(program, exit);
  addAnswer(program, exit);
  addDiscover(program, exit);
  addVerify(program, exit);
  addBots(program, exit);
  return program;
}

/** Has every command, and those below it, fail and speak as the program does. */
function inherit(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    inherit(command);
  }
}

type Exit = (code: ExitCode) => void;
type Json = { readonly json?: true };

function addServe(program: Command, exit: Exit): void {
  program
    .command("serve")
    .summary(help.summary(help.SERVE))
    .description(help.prose(help.SERVE))
    .option("--host <address>", "IP address to listen on (default: 127.0.0.1, this machine alone)")
    .option("--port <number>", "UDP port, 0 for a free one (default: 4480)", values.integer(0, 65_535))
    .option("--no-web-transport", "do not listen on UDP: TCP alone")
    .option(
      "--tcp-port <number>",
      "TCP port of AGTP and WebSockets over TLS, or off (default: the number of the UDP port)",
      values.portOrOff,
    )
    .option(
      "--http-port <number>",
      "TCP port of the page, health and metrics on 127.0.0.1, or off (default: 8480)",
      values.portOrOff,
    )
    .option("--no-page", "serve no page")
    .option("--no-well-known", "serve no /.well-known/agtp and no manifest over HTTP")
    .option("--no-residents", "run no resident agents")
    .option("--data-folder <folder>", "records, identity and certificate (default: parley-data)")
    .option(
      "--shared-folder <folder>",
      "used proofs and spent rates, which servers of one host may share (default: in the data folder)",
    )
    .addOption(
      new Option(
        "--registration <who>",
        "open: any agent registers itself; token: one that an access token names; closed: known agents only (default: closed)",
      ).choices(["open", "token", "closed"]),
    )
    .addOption(
      new Option(
        "--tokens <when>",
        "required: calls take an access token of the server or a trusted issuer (default: optional)",
      ).choices(["optional", "required"]),
    )
    .addOption(
      new Option(
        "--trust-floor <who>",
        "who may talk: verified (tier 1, or an Agent Certificate), org-asserted (tier 2 without one too), experimental (tier 3 too) (default: verified where registration is closed, else org-asserted)",
      ).choices(TRUST_FLOORS),
    )
    .option("--origin <origin>", "further origin that agents dial; may be repeated", values.collect)
    .option(
      "--allowed-origin <origin>",
      "origin of pages elsewhere that may open WebSockets; may be repeated",
      values.collect,
    )
    .addOption(
      new Option(
        "--watching <where>",
        "everywhere: health and metrics answer under every name of the server, also through a proxy (default: loopback)",
      ).choices(["loopback", "everywhere"]),
    )
    .addOption(
      new Option(
        "--url-tokens <when>",
        "required: WebTransport takes only who brings a token from /connect.json (default: optional)",
      ).choices(["optional", "required"]),
    )
    .option(
      "--certificate-file <pem>",
      "certificate and chain (default: self-made, 13 days, kept in the data folder)",
    )
    .option("--certificate-key-file <pem>", "private key of the certificate")
    .addOption(
      new Option(
        "--client-certificates <when>",
        "asked: the TLS port asks clients for a certificate, as browsers then ask their users (default: off)",
      ).choices(["off", "asked"]),
    )
    .option(
      "--certificate-authority <pem>",
      "whose Agent Certificates tell who a client is; may be repeated",
      values.collect,
    )
    .option(
      "--webhook <url>",
      "POST what happens to sessions and agents there; may be repeated",
      values.collect,
    )
    .option("--name <name>", "name in the server's Genesis, on the first start")
    .option("--server-id <id>", "Server-ID of every answer (default: the address it listens on)")
    .option(
      "--grace <seconds>",
      "how long calls may go on after a stop (default: 10)",
      values.integer(0, 3_600),
    )
    .option("--stop-ends-calls", "a stop ends persistent calls too; else the next start goes on with them")
    .addOption(
      new Option("--log-level <level>", "least weighty events logged (default: info)").choices([
        "debug",
        "info",
        "warn",
        "error",
        "silent",
      ]),
    )
    .option("--config <file>", "JSON file of these and further settings; flags win over it")
    .option("--trust <file>", "add this server to the trust anchors in a file")
    .option("--json", "print one JSON object when the server is up")
    .addHelpText("after", help.SERVE_AFTER)
    .action(async ({ json, ...given }: GivenServeFlags & Json) => {
      const flags = serveFlags(given);
      exit(
        await attempt(json === true, async (output) => {
          const { serveCommand } = await import("./serve-command.ts");
          return await serveCommand(flags, output);
        }),
      );
    });
}

function addDoctor(program: Command, exit: Exit): void {
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
    .action(async ({ json, ...flags }: DoctorFlags & Json) => {
      exit(
        await attempt(json === true, async (output) => {
          const { doctorCommand } = await import("./doctor-command.ts");
          return await doctorCommand(flags, output);
        }),
      );
    });
}

type GivenServeFlags = ServeFlags & {
  readonly origin?: string[];
  readonly allowedOrigin?: string[];
  readonly webhook?: string[];
  readonly certificateAuthority?: string[];
};

/** A `--no-…` flag that was not given is `true` for commander, and must not overrule the file of settings. */
function serveFlags({
  origin,
  allowedOrigin,
  webhook,
  certificateAuthority,
  ...rest
}: GivenServeFlags): ServeFlags {
  const { webTransport, page, wellKnown, residents, ...others } = rest;
  return {
    ...others,
    ...(webTransport === false ? { webTransport } : {}),
    ...(page === false ? { page } : {}),
    ...(wellKnown === false ? { wellKnown } : {}),
    ...(residents === false ? { residents } : {}),
    ...(origin === undefined ? {} : { origins: origin }),
    ...(allowedOrigin === undefined ? {} : { allowedOrigins: allowedOrigin }),
    ...(webhook === undefined ? {} : { webhooks: webhook }),
    ...(certificateAuthority === undefined ? {} : { certificateAuthorities: certificateAuthority }),
  };
}

function addKeygen(program: Command, exit: Exit): void {
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
    .action(async (file: string | undefined, { json, ...flags }: KeygenFlags & Json) => {
      exit(
        await attempt(json === true, async (output) => {
          const { keygenCommand } = await import("./keygen-command.ts");
          return await keygenCommand(file, flags, output);
        }),
      );
    });
}

function addCall(program: Command, exit: Exit): void {
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
    .action(async (callee: string, { json, ...flags }: CallFlags & Json) => {
      exit(
        await attempt(json === true, async (output) => {
          const { callCommand } = await import("./call-command.ts");
          return await callCommand(callee, flags, output);
        }),
      );
    });
}

function addAnswer(program: Command, exit: Exit): void {
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
    .action(async ({ json, ...flags }: AnswerFlags & Json) => {
      exit(
        await attempt(json === true, async (output) => {
          const { answerCommand } = await import("./answer-command.ts");
          return await answerCommand(flags, output);
        }),
      );
    });
}

function addDiscover(program: Command, exit: Exit): void {
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
    .action(async (server: string, path: string, { json, ...flags }: DiscoverFlags & Json) => {
      exit(
        await attempt(json === true, async (output) => {
          const { discoverCommand } = await import("./discover-command.ts");
          return await discoverCommand(server, path, flags, output);
        }),
      );
    });
}

function addVerify(program: Command, exit: Exit): void {
  program
    .command("verify")
    .summary(help.summary(help.VERIFY))
    .description(help.prose(help.VERIFY))
    .argument("<file>", "evidence of a call")
    .option("--trust <file>", "trust anchors: whom you believe")
    .option("--media <file>", "kept frames to be proven as well")
    .option("--wav <file>", "write the proven frames as sound")
    .option("--messages <file>", "write the proven data messages, one JSON object a line")
    .addOption(
      new Option("--speaker <end>", "whose sound, where both were kept").choices(["caller", "callee"]),
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", help.VERIFY_AFTER)
    .action(async (file: string, { json, ...flags }: VerifyFlags & Json) => {
      exit(
        await attempt(json === true, async (output) => {
          const { verifyCommand } = await import("./verify-command.ts");
          return await verifyCommand(file, flags, output);
        }),
      );
    });
}

function addBots(program: Command, exit: Exit): void {
  program
    .command("bots")
    .summary(help.summary(help.BOTS))
    .description(help.prose(help.BOTS))
    .option("--calls <number>", "calls to make, of two bots each", values.integer(1, 10_000), 10)
    .addOption(
      new Option("--duration <time>", "how long each call is talked: 20s, 2m, 10s..20s")
        .argParser(values.durations)
        .default({ least: 20_000, most: 20_000 }, "20s"),
    )
    .option(
      "--ramp <time>",
      "time over which the calls are placed, 0s for all at once (default: 100 ms a call)",
      values.durations,
    )
    .addOption(
      new Option("--media <kind>", "what the bots say").choices(["opus", "g711", "data"]).default("opus"),
    )
    .addOption(
      new Option("--rate <bits>", "bits a second of what a bot says: 24k, 16k..32k; G.711 has 64k")
        .argParser(values.rates)
        .default({ least: 24_000, most: 24_000 }, "24k"),
    )
    .addOption(new Option("--network <preset>", "network before each bot").choices(NETWORKS))
    .addOption(
      new Option("--carrier <kind>", "what the bots connect by")
        .choices(["webtransport", "websocket", "tls", "auto"])
        .default("webtransport"),
    )
    .option("--seed <number>", "what is left to chance repeats with it", values.integer(0, 999_999_999), 1)
    .option("--duplex", "both bots of a call speak at once")
    .option("--decode", "decode what is heard")
    .option(
      "--server <url>",
      "the server: https://host:port/agtp or agtp://host[:port] (default: one is started, in a process of its own)",
      values.server,
    )
    .option("--cert-hash <hash>", "SHA-256 of its certificate", values.certificateHashes)
    .option("--jsonl <file>", "write counters that only grow, one line a second, and the summary")
    .option("--json", "print one JSON object")
    .addHelpText("after", help.BOTS_AFTER)
    .action(async ({ json, ...flags }: BotsFlags & Json) => {
      exit(
        await attempt(json === true, async (output) => {
          const { botsCommand } = await import("./bots-command.ts");
          return await botsCommand(flags, output);
        }),
      );
    });
}

function addConnectOptions(command: Command): Command {
  return command
    .option(
      "--url, --server <url>",
      "the server: https://host:port/agtp or agtp://host[:port] (default: https://127.0.0.1:4480/agtp)",
      values.server,
    )
    .addOption(
      new Option(
        "--carrier <kind>",
        "what to connect by; auto: WebTransport, or WebSocket where that fails; tls: AGTP over TLS alone",
      )
        .choices(["auto", "webtransport", "websocket", "tls"])
        .default("auto"),
    )
    .option(
      "--cert-hash <hash>",
      "SHA-256 of the server's certificate; may be repeated (default: what the system's roots vouch for)",
      values.certificateHashes,
    )
    .requiredOption("--key <file>", "identity file of this agent, made by parley keygen")
    .option("--certificate <pem>", "Agent Certificate to show instead of proofs; over TLS alone")
    .option("--certificate-key <pem>", "its private key (default: in the same file)")
    .option("--trust <file>", "talk only to agents whose issuer is a trust anchor in this file")
    .option("--token <jwt>", "access token to bring, made by parley token or a backend")
    .option("--server-id <agent-id>", "Agent-ID the server must have", values.agentId);
}

function addSoundOptions(command: Command): Command {
  return command
    .option("--in <wav>", "say this: 16-bit WAV of 48000 Hz (8000 Hz for G.711), one or two channels")
    .addOption(
      new Option("--tone [seconds]", "say a tone (3 s unless told otherwise)")
        .argParser(values.seconds)
        .preset(3)
        .conflicts("in"),
    )
    .option("--out <wav>", "record what is heard")
    .option("--evidence <file>", "keep the call's evidence, for parley verify")
    .option("--keep <file>", "keep the frames heard, for parley verify --media")
    .option(
      "--codec <name>",
      "codec to agree on: opus, pcmu or pcma; may be repeated, best first",
      values.codecs,
    );
}

const HELP_WIDTH = 100;
