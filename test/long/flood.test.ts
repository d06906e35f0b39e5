/** Somebody floods the server, in every way there is, while others talk: they hear each other, and its memory has an end. */
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Agent, createIdentity } from "../../agent/node.ts";
import { readScript } from "../../examples/conversation/script.ts";
import { connectCall, say } from "../calling.ts";
import { RunningCommand } from "../command-line.ts";
import { CallListener } from "../listener.ts";
import type { Flood, FlooderNotice, FlooderOptions } from "../processes/flooder.ts";
import { pause, until, within } from "../waiting.ts";

const FLOOD_MS = 12_000;
/** What a server of one call has no reason to hold more of, MiB. */
const MOST_MEMORY_MIB = 400;
/** Share of the frames that must arrive: a machine of two cores has the flooder, the server and both ends on it. */
const LEAST_ARRIVING = 0.9;

let folder: string;
let command: RunningCommand;
let url: string;
let certificateHash: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-flood-"));
  const args = [
    "serve",
    "--port",
    "0",
    "--http-port",
    "off",
    "--data-folder",
    join(folder, "data"),
    "--registration",
    "open",
    "--json",
  ];
  command = new RunningCommand(args);
  const [line] = await within("the server coming up", command.says(/^\{.*"certificate_hash".*\}$/m));
  const up = JSON.parse(line) as { url: string; certificate_hash: string };
  url = up.url;
  certificateHash = up.certificate_hash;
});
afterEach(async () => {
  command.kill("SIGTERM");
  expect((await within("the server stopping", command.finished, 40_000)).code).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

it.each<Flood>(["datagrams", "streams", "requests", "unfinished", "connections"])(
  "a flood of %s leaves a call alone",
  async (flood) => {
    const [ada, bob] = await Promise.all(["Ada", "Bob"].map(online));
    const { call, answered } = await connectCall(ada as Agent, bob as Agent);
    const listener = new CallListener(answered);
    const before = memory();
    const options: FlooderOptions = { url, certificateHash, flood };
    const flooder = fork(new URL("../processes/flooder.ts", import.meta.url), [JSON.stringify(options)], {
      execArgv: ["--conditions=source"],
    });
    const notices: FlooderNotice[] = [];
    flooder.on("message", (notice: FlooderNotice) => notices.push(notice));
    try {
      await until("the flood", () => notices.length > 0);
      const until_ = performance.now() + FLOOD_MS;
      let most = 0;
      const { pcm } = readScript()[0] as { pcm: Int16Array };
      let turns = 0;
      while (performance.now() < until_) {
        await say(call, pcm);
        turns += 1;
        most = Math.max(most, memory());
      }
      await pause(500);
      const { sent } = call.stats();
      const { heard } = answered.stats();
      flooder.send("stop");
      const stopped = () => notices.find((notice) => notice.kind === "stopped");
      await until("the flooder stopping", () => stopped() !== undefined);
      const records = Math.round(statSync(join(folder, "data", "data.mdb")).size / 2 ** 20);
      console.info(flood, JSON.stringify({ before, most, records, turns, sent, heard, flooder: stopped() }));
      expect(stopped()?.sent).toBeGreaterThan(40);
      expect(heard?.verified).toBeGreaterThan(LEAST_ARRIVING * (sent?.sent ?? 0));
      expect(heard?.refused).toEqual({});
      expect(most).toBeLessThan(MOST_MEMORY_MIB);
      await call.end();
      expect((await answered.ended).by).toBe("peer");
      await listener.over;
    } finally {
      flooder.kill("SIGKILL");
      await Promise.all([ada?.close(), bob?.close()]);
    }
  },
);

function online(name: string): Promise<Agent> {
  return Agent.connect(url, {
    identity: createIdentity({ name }).identity,
    certificateHashes: [certificateHash],
  });
}

/** Resident memory of the server's process, MiB. */
function memory(): number {
  const status = readFileSync(`/proc/${command.child.pid}/status`, "utf8");
  return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024);
}
