import { nodePlatform } from "../../agent/node.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { createClock } from "../../platform/node/clock.ts";
import type { LoadedIdentity } from "../../platform/node/identity-file.ts";
import { sha256 } from "../../platform/node/sha256.ts";
import { random } from "../../platform/node/sodium.ts";
import { isOpenToOthers, prepareFolder } from "../../store/data-folder.ts";
import { openLmdbLog } from "../../store/lmdb-log.ts";
import { audienceOf } from "../../transports/url.ts";
import { acceptWebSocket } from "../../transports/websocket/server.ts";
import { parseServerConfig, type ServerSettings, trustOf } from "../config.ts";
import { EventFeed } from "../events/event-feed.ts";
import { eventsToken } from "../events/events-token.ts";
import { startWebhooks, type Webhooks } from "../events/webhooks.ts";
import { ServerMetrics } from "../metrics/server-metrics.ts";
import {
  RESIDENTS_ORIGIN,
  type ResidentKind,
  type Residents,
  registerResidents,
  residentIdentities,
  startResidents,
} from "../residents/residents.ts";
import { certificateRules } from "./certificate-authorities.ts";
import { Ending } from "./ending.ts";
import type { EventLog } from "./event-log.ts";
import { lockFolder } from "./folder-lock.ts";
import { type Listeners, openListeners } from "./listeners.ts";
import { MediaServer } from "./media-server.ts";
import { certificateOf, residentToken, serverIdentity } from "./own-papers.ts";
import { createPinoLog } from "./pino-log.ts";
import { writeRunningFile } from "./running-file.ts";
import { openSharedFolder } from "./shared-folder.ts";
import { type RunningServer, UpServer } from "./up-server.ts";
import { factsOf, openDesk, openWebRtc } from "./webrtc.ts";

export type { RunningServer } from "./up-server.ts";

/** How to run a server: every setting may be left out. */
export interface ServeOptions extends ServerSettings {
  /** Where events go. Default: JSON lines on standard error from `logLevel` on. */
  readonly events?: EventLog;
}

/**
 * Runs a server: its listeners over a data folder. Throws `usage` for a setting out of range, `data-folder-in-use`,
 * `data-folder-unwritable`, `data-folder-broken`, `key-file-invalid` for the stored identity, `certificate-broken`,
 * `port-taken`, `native-unavailable`, `webrtc-unavailable` where that is asked for; nothing is left open then.
 */
export async function serve(options: ServeOptions = {}): Promise<RunningServer> {
  const { events: given, ...settings } = options;
  const parsed = parseServerConfig(settings);
  if (!parsed.ok) throw new ParleyError(parsed.fault);
  const config = parsed.value;
  const events = given ?? createPinoLog({ level: config.logLevel });
  await using opened = new AsyncDisposableStack();
  const clock = createClock();
  const { dataFolder } = config;
  prepareFolder(dataFolder);
  if (isOpenToOthers(dataFolder)) events.log("warn", "data-folder-open", { folder: dataFolder });
  opened.defer(lockFolder(dataFolder));
  const identity = await serverIdentity(config);
  const certificate = await certificateOf(config);
  const certificates = await certificateRules(config.certificateAuthorities);
  const log = await openLmdbLog(dataFolder);
  opened.defer(() => log.close());
  const shared = await openSharedFolder(config, clock, events);
  opened.defer(() => shared.close());
  const identities = config.residents
    ? await residentIdentities(dataFolder, { ...config, ...identity })
    : new Map<ResidentKind, LoadedIdentity>();
  await registerResidents(log, identities.values());

  const webrtc = await openWebRtc(config, events);
  opened.defer(() => webrtc.workers?.close());
  const over = new Ending(events);
  // Connections come only in later turns, when the media server stands.
  let media: MediaServer | undefined;
  let residents: Residents | undefined;
  let listeners: Listeners | undefined;
  let webhooks: Webhooks | undefined;
  const feed = new EventFeed(log, identity);
  const token = eventsToken(dataFolder);
  const metrics = new ServerMetrics({
    overview: () => media?.overview(),
    refused: () => listeners?.refused() ?? {},
    tlsPort: () => listeners?.tlsPort(),
    webrtc: () => webrtc.workers?.counts,
    webrtcLegs: () => desk.counts(),
    webhooks: () => webhooks?.states() ?? [],
  });
  const fault = (error: unknown): void => {
    if (error instanceof ParleyError && error.code === "server-error") over.fail(error);
    else events.log("error", "connection-fault", { error: String(error) });
  };
  const desk = await openDesk(webrtc, {
    ...{ dataFolder, clock, events, identity },
    name: config.name,
    media: () => media as MediaServer,
  });
  listeners = await openListeners({
    config,
    clock,
    certificate,
    rates: shared.rates,
    watch: {
      agentId: identity.agentId,
      unready: () => over.unready ?? media?.unready,
      metrics: () => metrics.text(),
      eventsToken: () => token,
      events: (after, count) => {
        if (media === undefined) return undefined;
        const genesis = new TextDecoder().decode(identity.genesis);
        return { server: identity.agentId, genesis, ...feed.page(after, count) };
      },
    },
    residents: () => residents?.listings ?? [],
    manifest: () => media?.manifest(),
    desk: () => desk.desk,
    accept: (connection, origins) => (media as MediaServer).accept(connection, origins),
    acceptSocket: (socket, facts) =>
      void acceptWebSocket(socket, facts, { clock, fault }, (connection) =>
        (media as MediaServer).accept(connection, [audienceOf(facts.url)]),
      ),
    fault,
  });
  const { close, address, bindings } = listeners;
  opened.defer(close);
  media = new MediaServer({
    desk: () => desk.desk,
    config: {
      gateways: desk.gateways,
      serverId: config.serverId ?? address,
      bindings,
      certificateHashes: () => [certificate.hash],
      registration: config.registration,
      tokens: config.tokens,
      policyScope: config.policyScope,
      ...trustOf(config),
      agentDisclosure: config.agentDisclosure,
      recordReading: config.recordReading,
      stopEndsCalls: config.stopEndsCalls,
      scopeViolationCode: config.scopeViolationCode,
      retentionDays: config.retentionDays,
      limits: config.limits,
    },
    identity,
    certificates,
    log,
    shared,
    tokenIssuers: config.tokenIssuers,
    clock,
    verifier: desk.verifier,
    sha256,
    random,
    events,
    instruments: metrics,
    onFatal: (error) => over.fail(error),
    onLifeEvents: () => webhooks?.wake(),
  });
  webhooks = await startWebhooks({
    ...{ urls: config.webhooks, dataFolder, feed },
    ...{ clock, random, events },
  });
  opened.defer(webhooks.close);
  opened.defer(desk.stop);
  const { agentId } = identity;
  if (config.residents) {
    residents = await startResidents({
      identities,
      serverId: agentId,
      platform: { ...nodePlatform(), clock },
      accept: (connection) => (media as MediaServer).accept(connection, [RESIDENTS_ORIGIN]),
      ...(config.tokens === "required" ? { token: (resident) => residentToken(identity, resident) } : {}),
      report: (error) => events.log("error", "resident-fault", { error: String(error) }),
    });
    opened.defer(residents.close);
  }
  const { url, agtpUrl, webSocketUrl } = listeners;
  opened.defer(
    writeRunningFile(dataFolder, {
      pid: process.pid,
      agent_id: agentId,
      certificate_hash: encodeHex(certificate.hash),
      url,
      ...(agtpUrl === undefined ? {} : { agtp_url: agtpUrl }),
      ...(webSocketUrl === undefined ? {} : { websocket_url: webSocketUrl }),
    }),
  );
  const up = new UpServer({
    ...{ config, agentId, certificate, listeners, media, over, events, clock },
    webRtc: factsOf(webrtc),
  });
  up.own(opened.move());
  return up;
}
