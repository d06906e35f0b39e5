/** `parley bots`: what it takes. */
import { type Command, Option } from "commander";
import type { BotsFlags } from "./bots-command.ts";
import type { ExitCode } from "./exit-codes.ts";
import * as values from "./flag-values.ts";
import * as help from "./help-texts.ts";
import { attempt } from "./output.ts";

/** Adds `parley bots`. `exit` takes the exit code of the command that ran. */
export function addBots(program: Command, exit: (code: ExitCode) => void): void {
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
      new Option("--media <kind>", "what the bots say, or show; av: opus and a video")
        .choices(["opus", "g711", "data", "video", "av"])
        .default("opus"),
    )
    .option(
      "--video <file>",
      "IVF file to show in place of the clip that comes along; again: a smaller rendition of the same video",
      values.collect,
    )
    .option(
      "--data <list>",
      "data streams beside it, both ways: reliable, latest or reliable,latest",
      values.deliveries,
    )
    .addOption(
      new Option("--data-rate <bits>", "bits a second of each of them")
        .argParser(values.rates)
        .default({ least: 16_000, most: 16_000 }, "16k"),
    )
    .addOption(
      new Option("--profile <name>", "how frames are attributed")
        .choices(["frame", "chain"])
        .default("frame"),
    )
    .addOption(
      new Option("--rate <bits>", "bits a second of what a bot says: 24k, 16k..32k; G.711 has 64k")
        .argParser(values.rates)
        .default({ least: 24_000, most: 24_000 }, "24k"),
    )
    .option(
      "--network <list>",
      "network before each bot, drawn from a list: wifi, wifi,cellular+rate=1m..3m",
      values.networks,
    )
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
    .action(async ({ json, ...flags }: BotsFlags & { readonly json?: true }) => {
      exit(
        await attempt(json === true, async (output) => {
          const { botsCommand } = await import("./bots-command.ts");
          return await botsCommand(flags, output);
        }),
      );
    });
}
