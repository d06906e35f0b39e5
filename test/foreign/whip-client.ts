/** Debian's simple-whip-client: GStreamer's WebRTC, which speaks WHIP and has never heard of Parley. */
import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const STAND_IN = fileURLToPath(new URL("no-port-mapping.c", import.meta.url));

/** One that sings a tone to a WHIP endpoint. */
export class WhipClient implements Disposable {
  /** What it printed. */
  printed = "";
  /** Resolves when it is gone. */
  readonly left: Promise<void>;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #folder = mkdtempSync(join(tmpdir(), "parley-whip-client-"));

  constructor(url: string, token: string, frequency: number) {
    execFileSync("cc", ["-shared", "-fPIC", "-o", join(this.#folder, "libgupnp-igd-1.0.so.4"), STAND_IN]);
    const tone = `audiotestsrc is-live=true wave=sine freq=${frequency} ! audio/x-raw,rate=48000,channels=2`;
    const caps = "application/x-rtp,media=audio,encoding-name=OPUS,payload=111";
    const pipeline = `${tone} ! opusenc ! rtpopuspay pt=111 ! queue ! ${caps}`;
    this.#child = spawn("whip-client", ["-u", url, "-t", token, "-A", pipeline], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        LD_LIBRARY_PATH: this.#folder,
        GST_REGISTRY: join(this.#folder, "registry"),
      },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.printed += text;
      });
    this.left = new Promise((resolve) => this.#child.once("close", () => resolve()));
  }

  /** As somebody who presses Ctrl+C. */
  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
