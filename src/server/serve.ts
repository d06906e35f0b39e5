import { existsSync } from "node:fs";
import { join } from "node:path";
import { createIdentity } from "../../agent/node.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { createClock } from "../../platform/node/clock.ts";
import { type LoadedIdentity, loadIdentity, saveIdentity } from "../../platform/node/identity-file.ts";
import { random, verifier } from "../../platform/node/sodium.ts";
import { prepareFolder } from "../../store/data-folder.ts";
import { openLmdbLog } from "../../store/lmdb-log.ts";
import { AGTP_PATH } from "../../transports/url.ts";
import {
  givenCertificate,
  type ServerCertificate,
  storedCertificate,
} from "../../transports/webtransport/certificate.ts";
import { listenWebTransport, type WebTransportListener } from "../../transports/webtransport/server.ts";
import { parseServerConfig, type ServerConfig, type ServerSettings } from "../config.ts";
import type { EventLog } from "./event-log.ts";
import { lockFolder } from "./folder-lock.ts";
import { MediaServer } from "./media-server.ts";
import { bare, isAnyAddress, originsOf } from "./origins.ts";
import { createPinoLog } from "./pino-log.ts";

/** The server's own Genesis, identity document and key, in the data folder; readable by its owner alone. */
const SERVER_IDENTITY_FILE = "server-identity.json";

/** How to run a server: every setting may be left out. */
export interface ServeOptions extends ServerSettings {
  /** Where events go. Default: JSON lines on standard error from `logLevel` on. */
  readonly events?: EventLog;
}

/** A server that is up. */
export interface RunningServer {
  /** Agent-ID of the server. */
  readonly agentId: string;
  /** Where agents connect, e.g. `https://127.0.0.1:4480/agtp`. */
  readonly url: string;
  /** Every origin that agents may dial. */
  readonly origins: readonly string[];
  /** SHA-256 of the certificate, 64 hex digits: what agents are given to trust. */
  readonly certificateHash: string;
  /** End of the certificate's validity, Unix milliseconds. */
  readonly certificateNotAfter: number;
  readonly config: ServerConfig;
  /** Connections that are up. */
  readonly connections: number;
  /** Resolves when the server is down: with the error that brought it down, if one did. Never rejects. */
  readonly ended: Promise<ParleyError | undefined>;
  /**
   * Stops in order: no new calls, `grace` seconds (default: the configured ones) for those that are up, then closes
   * everything. Idempotent; resolves when the server is down.
   */
  stop(grace?: number): Promise<void>;
}

/**
 * Runs a server: a WebTransport listener over a data folder. Throws `usage` for a setting out of range, `data-folder-in-use`,
 * `data-folder-unwritable`, `data-folder-broken`, `key-file-invalid` for the stored identity, `certificate-broken`,
 * `port-taken`, `native-unavailable`; nothing is left open then.
 */
export async function serve(options: ServeOptions = {}): Promise<RunningServer> {
  const { events: given, ...settings } = options;
  const parsed = parseServerConfig(settings);
  if (!parsed.ok) throw new ParleyError(parsed.fault);
  const config = parsed.value;
  const events = given ?? createPinoLog({ level: config.logLevel });
  await using opened = new AsyncDisposableStack();
  const { dataFolder } = config;
  prepareFolder(dataFolder);
  opened.defer(lockFolder(dataFolder));
  const identity = await serverIdentity(config);
  const certificate = await certificateOf(config);
  const log = await openLmdbLog(dataFolder);
  opened.defer(() => log.close());

  const clock = createClock();
  const over = new Ending(events);
  // Connections come only in later turns, when the media server stands.
  let media: MediaServer | undefined;
  const listener = await listenWebTransport(
    {
      clock,
      certificate,
      host: config.host,
      port: config.port,
      maxConnections: config.limits.connections,
      fault: (error) => {
        if (error instanceof ParleyError && error.code === "server-error") over.fail(error);
        else events.log("error", "connection-fault", { error: String(error) });
      },
    },
    (connection) => (media as MediaServer).accept(connection),
  );
  opened.defer(() => listener.close());
  const origins = [...new Set([...originsOf(listener.address), ...config.origins])];
  media = new MediaServer({
    config: {
      serverId: config.serverId ?? listener.address,
      origins,
      certificateHashes: () => [certificate.hash],
      registration: config.registration,
      policyScope: config.policyScope,
      lowestTrustTier: config.lowestTrustTier,
      agentDisclosure: config.agentDisclosure,
      limits: config.limits,
    },
    identity,
    log,
    clock,
    verifier,
    random,
    events,
    onFatal: (error) => over.fail(error),
  });
  const up = new UpServer({ config, identity, certificate, listener, media, origins, over, events, clock });
  up.own(opened.move());
  return up;
}

class UpServer implements RunningServer {
  readonly agentId: string;
  readonly url: string;
  readonly origins: readonly string[];
  readonly certificateHash: string;
  readonly certificateNotAfter: number;
  readonly config: ServerConfig;
  readonly #media: MediaServer;
  readonly #over: Ending;
  readonly #events: EventLog;
  readonly #clock: ReturnType<typeof createClock>;
  readonly #cancelReminder: () => void;
  #opened = new AsyncDisposableStack();
  #stopping: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: {
    readonly config: ServerConfig;
    readonly identity: LoadedIdentity;
    readonly certificate: ServerCertificate;
    readonly listener: WebTransportListener;
    readonly media: MediaServer;
    readonly origins: readonly string[];
    readonly over: Ending;
    readonly events: EventLog;
    readonly clock: ReturnType<typeof createClock>;
  }) {
    const { address } = parts.listener;
    this.agentId = parts.identity.agentId;
    this.origins = parts.origins;
    const { hostname } = new URL(`https://${address}`);
    const dialled = isAnyAddress(bare(hostname)) ? this.origins[0] : `https://${address}`;
    this.url = `${dialled}${AGTP_PATH}`;
    this.certificateHash = encodeHex(parts.certificate.hash);
    this.certificateNotAfter = parts.certificate.notAfter;
    this.config = parts.config;
    this.#media = parts.media;
    this.#over = parts.over;
    this.#events = parts.events;
    this.#clock = parts.clock;
    const expiresIn = this.certificateNotAfter - this.#clock.wall();
    this.#cancelReminder = this.#clock.at(this.#clock.now() + expiresIn - REMIND_BEFORE_MS, () =>
      this.#events.log("warn", "certificate-expires", { notAfter: this.certificateNotAfter }),
    );
    this.#events.log("info", "server-started", {
      address,
      agentId: this.agentId,
      certificateHash: this.certificateHash,
      registration: this.config.registration,
    });
    this.#over.whenFailing(() => this.#close());
  }

  get connections(): number {
    return this.#media.connections;
  }

  get ended(): Promise<ParleyError | undefined> {
    return this.#over.promise;
  }

  /** Takes what must be closed in the end, last opened first. */
  own(opened: AsyncDisposableStack): void {
    this.#opened = opened;
  }

  stop(grace = this.config.grace): Promise<void> {
    this.#stopping ??= this.#drain(grace * 1000).then(() => this.#close());
    return this.#stopping;
  }

  async #drain(grace: number): Promise<void> {
    this.#events.log("info", "server-stopping", { graceMs: grace, connections: this.connections });
    const late = Promise.withResolvers<void>();
    const cancel = this.#clock.at(this.#clock.now() + grace + LAST_STATEMENTS_MS, late.resolve);
    await Promise.race([this.#media.drain(grace), late.promise, this.#over.failed]);
    cancel();
  }

  #close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    this.#cancelReminder();
    try {
      await this.#media.close();
      await this.#opened.disposeAsync();
    } catch (error) {
      this.#events.log("error", "stop-failed", { error: String(error) });
    }
    this.#events.log("info", "server-stopped", {});
    this.#over.end();
  }
}

/** How the server ends: once, and with the first error if any. */
class Ending {
  readonly promise: Promise<ParleyError | undefined>;
  /** Resolves when something fails. */
  readonly failed: Promise<void>;
  readonly #events: EventLog;
  readonly #resolve: (error: ParleyError | undefined) => void;
  readonly #fail: () => void;
  #error: ParleyError | undefined;
  #whenFailing: (() => Promise<void>) | undefined;
  #isOver = false;

  constructor(events: EventLog) {
    const over = Promise.withResolvers<ParleyError | undefined>();
    const failed = Promise.withResolvers<void>();
    this.#events = events;
    this.promise = over.promise;
    this.failed = failed.promise;
    this.#resolve = over.resolve;
    this.#fail = failed.resolve;
  }

  fail(error: unknown): void {
    if (this.#error !== undefined || this.#isOver) return;
    this.#error =
      error instanceof ParleyError
        ? error
        : new ParleyError({ code: "server-error", message: String(error) }, { cause: error });
    this.#events.log("error", "server-failed", { code: this.#error.code, error: this.#error.message });
    this.#fail();
    void this.#whenFailing?.();
  }

  /** `close` must not reject. */
  whenFailing(close: () => Promise<void>): void {
    this.#whenFailing = close;
    if (this.#error !== undefined) void close();
  }

  end(): void {
    this.#isOver = true;
    this.#resolve(this.#error);
  }
}

/** The identity in the data folder; on the first start the server makes itself one that it vouches for. */
async function serverIdentity(config: ServerConfig): Promise<LoadedIdentity> {
  const path = join(config.dataFolder, SERVER_IDENTITY_FILE);
  if (!existsSync(path)) {
    const { file } = createIdentity({
      name: config.name,
      archetype: "orchestrator",
      scope: config.policyScope,
      methods: ["DISCOVER", "DESCRIBE", "ESTABLISH", "CONFIRM", "TERMINATE", "SUBSCRIBE", "NOTIFY", "QUERY"],
      capabilities: ["media-relay"],
    });
    await saveIdentity(path, file);
  }
  return await loadIdentity(path);
}

async function certificateOf(config: ServerConfig): Promise<ServerCertificate> {
  const { certificateFile, certificateKeyFile: keyFile } = config;
  const now = Date.now();
  if (certificateFile !== undefined && keyFile !== undefined)
    return await givenCertificate({ certificateFile, keyFile, now });
  const named = config.origins.map((origin) => bare(new URL(origin).hostname));
  const listening = isAnyAddress(config.host) ? [] : [config.host];
  return await storedCertificate({ folder: config.dataFolder, hosts: [...listening, ...named], now });
}

/** After the grace, calls have this long for their last statements, ms; then the server closes whatever is left. */
const LAST_STATEMENTS_MS = 10_000;
/** How long before its end a certificate in use is warned about, ms. */
const REMIND_BEFORE_MS = 24 * 3_600_000;
