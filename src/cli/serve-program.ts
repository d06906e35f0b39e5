/** `parley serve`: what it takes. */
import { type Command, Option } from "commander";
import { TRUST_FLOORS } from "../../signaling/trust.ts";
import type { ExitCode } from "./exit-codes.ts";
import * as values from "./flag-values.ts";
import * as help from "./help-texts.ts";
import { attempt } from "./output.ts";
import type { ServeFlags } from "./serve-command.ts";

/** Adds `parley serve`. `exit` takes the exit code of the command that ran. */
export function addServe(program: Command, exit: (code: ExitCode) => void): void {
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
    .addOption(
      new Option(
        "--webrtc <when>",
        "take WebRTC peers: auto, where mediasoup's worker is there; on, or do not start; off (default: auto)",
      ).choices(["on", "off", "auto"]),
    )
    .option(
      "--webrtc-port <number>",
      "UDP and TCP port of the first media worker, 0 for free ones (default: 10 above the UDP port)",
      values.integer(0, 65_471),
    )
    .option(
      "--webrtc-address <address>",
      "address or name that WebRTC peers dial (default: what is listened on)",
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
    .action(async ({ json, ...given }: GivenServeFlags & { readonly json?: true }) => {
      const flags = serveFlags(given);
      exit(
        await attempt(json === true, async (output) => {
          const { serveCommand } = await import("./serve-command.ts");
          return await serveCommand(flags, output);
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
