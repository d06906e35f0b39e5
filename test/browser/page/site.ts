/** A whole server with its residents, and the page that it serves. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerSettings } from "../../../src/config.ts";
import { SILENT_LOG } from "../../../src/server/event-log.ts";
import { type RunningServer, serve } from "../../../src/server/serve.ts";

/** A server on free ports, its records in a folder of its own. */
export class Site {
  readonly #folder = mkdtempSync(join(tmpdir(), "parley-site-"));
  readonly #settings: ServerSettings;
  #server: RunningServer | undefined;

  private constructor(settings: ServerSettings) {
    this.#settings = settings;
  }

  static async start(settings: ServerSettings = {}): Promise<Site> {
    const site = new Site(settings);
    await site.#serve({ port: 0, httpPort: 0 });
    return site;
  }

  get server(): RunningServer {
    if (this.#server === undefined) throw new Error("The server is down.");
    return this.#server;
  }

  /** Where people open the page. */
  get url(): string {
    return `${this.server.httpUrl}/`;
  }

  async stop(): Promise<void> {
    await this.#server?.stop(0);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #serve(ports: ServerSettings): Promise<void> {
    const dataFolder = join(this.#folder, "data");
    const settings = { dataFolder, registration: "open", events: SILENT_LOG } as const;
    this.#server = await serve({ ...settings, ...ports, ...this.#settings });
  }
}
