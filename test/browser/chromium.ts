/** Debian's Chromium with a profile of its own and fake sound devices, driven from a test. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";

/** `--disable-quic` stays out: WebTransport needs it. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
];

export interface ChromiumOptions {
  /** WAV that the microphone plays, once; default: Chromium's own beeps. */
  readonly microphone?: string;
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
  /** Leads what goes to one host and port to others, e.g. `127.0.0.1:4480 127.0.0.1:9`: a network that is not what it seems. */
  readonly reroute?: string;
  /** What else runs on the machine gives way to it, where the system lets a test say so: for what is judged by the ear. */
  readonly goesFirst?: boolean;
}

/** A browser whose storage outlives reloads, and what its pages complained about. */
export interface Chromium extends AsyncDisposable {
  readonly context: BrowserContext;
  /** Errors on any page's console, and exceptions nobody caught. */
  readonly complaints: readonly string[];
  /** Opens a page at `url`; without one, a blank page. */
  open(url?: string): Promise<Page>;
  close(): Promise<void>;
}

/** Of Linux's groups of processes that were started together: as nice as may be is 19, and most urgent -20. */
const GOES_FIRST = "-10";

/** Starts Chromium. Close it, or leave its scope, to remove its profile. */
export async function startChromium(options: ChromiumOptions = {}): Promise<Chromium> {
  const profile = mkdtempSync(join(tmpdir(), "parley-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
    headless: true,
    args: [
      ...FLAGS,
      ...(options.microphone === undefined
        ? []
        : [`--use-file-for-fake-audio-capture=${options.microphone}%noloop`]),
      ...(options.reroute === undefined ? [] : [`--host-resolver-rules=MAP ${options.reroute}`]),
    ],
    viewport: { width: options.width ?? 1280, height: options.height ?? 900 },
    colorScheme: options.colorScheme ?? "light",
    permissions: ["microphone", "camera"],
    acceptDownloads: true,
  });
  const goBack = options.goesFirst === true ? letGoFirst(profile) : () => {};
  const complaints: string[] = [];
  context.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= context.close().then(() => {
      goBack();
      rmSync(profile, { recursive: true, force: true });
    });
    return closed;
  };
  return {
    context,
    complaints,
    async open(url) {
      const page = await context.newPage();
      if (url !== undefined) await page.goto(url);
      return page;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * Puts the browser with that profile and this process, with the server in it, before others, on systems that have such groups and let
 * this user. The function it gives takes that back for this process.
 */
function letGoFirst(profile: string): () => void {
  if (!existsSync("/proc/self/autogroup")) return () => {};
  const browser = readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && commandOf(name).includes(`--user-data-dir=${profile}`);
    } catch {
      // It is gone by now.
      return false;
    }
  });
  for (const process of ["self", ...browser]) setPlace(process, GOES_FIRST);
  return () => setPlace("self", "0");
}

function commandOf(process: string): string {
  return readFileSync(`/proc/${process}/cmdline`, "utf8");
}

function setPlace(process: string, place: string): void {
  try {
    writeFileSync(`/proc/${process}/autogroup`, place);
  } catch {
    // This user may not: it takes its turn like others.
  }
}
