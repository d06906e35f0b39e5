import { closeSync, openSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import type { FrameProfile } from "../../codecs/frame.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { CarrierChoice } from "../../transports/choosing.ts";
import { readClip } from "../bots/clips.ts";
import { type BotsMedia, type BotsPlan, hasVideo } from "../bots/plan.ts";
import { processOfUdpPort } from "../bots/process-watch.ts";
import type { Range } from "../bots/ranges.ts";
import { runBots, type Seen } from "../bots/run-bots.ts";
import { startServerProcess } from "../bots/server-process.ts";
import { type BotsSummary, tableOf } from "../bots/summary.ts";
import { total } from "../bots/tally.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { takeInterrupts } from "./interrupts.ts";
import { type Output, usageError } from "./output.ts";

/** Flags of `parley bots`. */
export interface BotsFlags {
  readonly calls: number;
  readonly duration: Range;
  readonly ramp?: Range;
  readonly media: BotsMedia;
  readonly video?: readonly string[];
  readonly data?: BotsPlan["data"];
  readonly dataRate: Range;
  readonly rate: Range;
  readonly network?: BotsPlan["networks"];
  readonly carrier: CarrierChoice;
  readonly seed: number;
  readonly duplex?: true;
  readonly decode?: true;
  readonly profile: FrameProfile;
  readonly server?: string;
  readonly certHash?: readonly string[];
  readonly jsonl?: string;
}

/** `parley bots`: loads a server with calls between bots and says how they went. */
export async function botsCommand(flags: BotsFlags, output: Output): Promise<ExitCode> {
  const plan = planOf(flags);
  if (hasVideo(plan)) await readClip(plan.clips);
  const lines = flags.jsonl === undefined ? undefined : new LineFile(flags.jsonl);
  const started = flags.server === undefined ? await startServerProcess() : undefined;
  const interrupts = takeInterrupts(() => output.note("stopping; the calls under way are ended"));
  try {
    const certificateHash = started?.certificateHash ?? flags.certHash?.[0];
    const own = flags.carrier === "tls" ? started?.agtpUrl : started?.url;
    const url = own ?? (flags.server as string);
    output.note(`${plan.calls} calls to ${url}, seed ${plan.seed}`);
    const summary = await runBots({
      plan,
      target: {
        url,
        ...(started === undefined ? {} : { webSocketUrl: started.webSocketUrl }),
        ...(certificateHash === undefined ? {} : { certificateHash }),
      },
      serverPid: started?.pid ?? pidBehind(url),
      progress: (seen) => {
        output.note(progressLine(plan, seen));
        lines?.write(progressObject(seen));
      },
      stop: interrupts.signal,
    });
    lines?.write({ kind: "summary", ...summary });
    output.result(summary, ...tableOf(summary));
    if (summary.tester_overloaded) output.note("parley: the bots could not keep their own schedule");
    return exitOf(summary);
  } finally {
    interrupts.release();
    await started?.stop();
    lines?.close();
  }
}

/** Partial data weighs more than a tester that was overloaded. */
export function exitOf(summary: Pick<BotsSummary, "partial" | "tester_overloaded">): ExitCode {
  if (summary.partial) return EXIT.partial;
  return summary.tester_overloaded ? EXIT.overloaded : EXIT.done;
}

function planOf(flags: BotsFlags): BotsPlan {
  if (flags.certHash !== undefined && flags.certHash.length > 1) {
    throw usageError("Bots take one --cert-hash.");
  }
  if (flags.certHash !== undefined && flags.server === undefined) {
    throw usageError("--cert-hash is for a server given with --server.");
  }
  if (flags.network !== undefined && flags.carrier !== "webtransport") {
    throw usageError("--network stands before UDP alone: it goes with --carrier webtransport.");
  }
  if (flags.video !== undefined && !hasVideo(flags)) {
    throw usageError("--video goes with --media video or av.");
  }
  const { calls, duration, media, rate, seed, carrier } = flags;
  return {
    ...{ calls, duration, media, rate, seed, carrier },
    ramp: flags.ramp?.most ?? calls * RAMP_MS_PER_CALL,
    networks: flags.network ?? [],
    data: flags.data ?? [],
    dataRate: flags.dataRate.most,
    clips: (flags.video ?? []).map((path) => resolve(path)),
    duplex: flags.duplex === true,
    decode: flags.decode === true,
    profile: flags.profile,
  };
}

/** The server's process, where its address is this machine's loopback. */
function pidBehind(url: string): number | undefined {
  if (!URL.canParse(url)) throw usageError(`${url} is no URL.`);
  const { hostname, port } = new URL(url);
  const isHere = hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
  return isHere ? processOfUdpPort(Number(port || 443)) : undefined;
}

function progressLine(plan: BotsPlan, { elapsed, tally }: Seen): string {
  const { up, made, failed, sent, verified, late, refused } = tally;
  const arrived = verified + late;
  // Frames under way count as lost for as long as they are.
  const missing = Math.max(0, sent - arrived - total(refused));
  const share = sent === 0 ? 0 : (missing / sent) * 100;
  const seconds = elapsed / 1_000;
  return `${seconds.toFixed(0).padStart(4)} s  ${up} up, ${made} of ${plan.calls} made, ${total(failed)} failed, ${(arrived / seconds).toFixed(0)} frames/s, ${share.toFixed(2)} % missing, ${late} late`;
}

function progressObject({ elapsed, tally, server }: Seen): object {
  return { kind: "second", elapsed_ms: Math.round(elapsed), ...tally, server: server ?? null };
}

/** Unless told otherwise: what is asked is how calls go that are up, not how many come up at the same moment. */
const RAMP_MS_PER_CALL = 100;

/** A file of JSON lines, each there as soon as it is written. */
class LineFile {
  readonly #file: number;

  constructor(path: string) {
    try {
      this.#file = openSync(path, "w");
    } catch (error) {
      throw new ParleyError({ code: "usage", message: `${path} cannot be written.` }, { cause: error });
    }
  }

  write(line: object): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}
