/** What `parley call` and `parley answer` take both. */
import { type Command, Option } from "commander";
import * as values from "./flag-values.ts";

/** How to reach the server, and as whom: `AgentConnectFlags`. */
export function addConnectOptions(command: Command): Command {
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
    .option(
      "--token <jwt>",
      "access token to bring, made by parley token or a backend; everybody on this machine can read it in the list of processes",
    )
    .option(
      "--token-file <file>",
      "file with the access token to bring, read again whenever a fresh one is needed; - for standard input",
    )
    .option("--server-id <agent-id>", "Agent-ID the server must have", values.agentId);
}

/** What is said, heard and kept. */
export function addSoundOptions(command: Command): Command {
  return command
    .option(
      "--in <wav>",
      "say this: 16-bit WAV of 48000 Hz (16000 Hz for G.722, 8000 Hz for G.711), one or two channels",
    )
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
      "codec to agree on: opus, g722, pcmu or pcma; may be repeated, best first",
      values.codecs,
    )
    .addOption(
      new Option("--frame-ms <ms>", "wished length of a frame (default: 20)").argParser(values.frameMs),
    )
    .addOption(
      new Option("--channels <n>", "most channels to agree on (default: 1)")
        .choices(["1", "2"])
        .argParser(Number),
    )
    .option(
      "--profile <name>",
      "how frames are attributed, frame or chain; may be repeated, best first (default: frame to call, either to answer)",
      values.profiles,
    )
    .option("--bitrate <bps>", "bits a second that Opus aims at", values.integer(6_000, 510_000))
    .option("--dtx", "do not send silence: one frame of it goes every 400 ms")
    .addOption(
      new Option(
        "--redundancy <n>",
        "how many of the frames before it each frame carries once more, where the other end takes that (default: 0)",
      ).argParser(values.integer(0, 2)),
    );
}
