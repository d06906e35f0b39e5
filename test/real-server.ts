/** A whole server on a free UDP port of this machine, its records on disk, its deadlines as short as a test wants them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAgent } from "../agent/connect.ts";
import { type Agent, createIdentity, nodePlatform } from "../agent/node.ts";
import { encodeHex } from "../codecs/hex.ts";
import { systemClock } from "../platform/node/clock.ts";
import { sha256 } from "../platform/node/sha256.ts";
import { createSigner, generateSeed, random, verifier } from "../platform/node/sodium.ts";
import type { Carrier, CloseInfo, Connection } from "../sfu/carrier.ts";
import { DEFAULT_LIMITS, type SwitchboardConfig } from "../signaling/switchboard/config.ts";
import { MediaServer } from "../src/server/media-server.ts";
import { openLmdbLog } from "../store/lmdb-log.ts";
import type { LivenessOptions } from "../transports/liveness.ts";
import { storedCertificate } from "../transports/webtransport/certificate.ts";
import { webTransportCarrier } from "../transports/webtransport/client.ts";
import { listenWebTransport } from "../transports/webtransport/server.ts";

export interface RealServerOptions {
  readonly liveness?: LivenessOptions;
  readonly config?: Partial<SwitchboardConfig>;
}

export interface LoggedEvent {
  readonly level: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Who vouches for every agent here. */
const registrar = { name: "registrar.test", signer: createSigner(generateSeed()) };

export type RealServer = Awaited<ReturnType<typeof startRealServer>>;

export async function startRealServer(options: RealServerOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), "parley-e2e-"));
  const certificate = await storedCertificate({ folder, now: Date.now() });
  const log = await openLmdbLog(join(folder, "records"));
  const events: LoggedEvent[] = [];
  const faults: unknown[] = [];
  let media: MediaServer | undefined;
  const listener = await listenWebTransport(
    {
      clock: systemClock,
      certificate,
      port: 0,
      fault: (error) => faults.push(error),
      ...(options.liveness === undefined ? {} : { liveness: options.liveness }),
    },
    (connection) => (media as MediaServer).accept(connection, [`https://${listener.address}`]),
  );
  const { identity } = createIdentity({ name: "Server under test" }, registrar);
  const server = new MediaServer({
    config: {
      serverId: "media.test",
      bindings: ["webtransport"],
      certificateHashes: () => [certificate.hash],
      registration: "open",
      policyScope: ["communication:bilateral"],
      trustFloor: "org-asserted",
      genesisIssuers: "any",
      agentDisclosure: "public",
      limits: DEFAULT_LIMITS,
      ...options.config,
    },
    identity,
    log,
    clock: systemClock,
    verifier,
    sha256,
    random,
    events: { log: (level, event, fields) => events.push({ level, event, fields }) },
    onFatal: (error) => faults.push(error),
  });
  media = server;
  const url = `https://${listener.address}/agtp`;
  return {
    server,
    url,
    folder,
    agentId: server.agentId,
    certificateHash: certificate.hash,
    certificateHex: encodeHex(certificate.hash),
    /** What the server logged. */
    events,
    /** What went wrong inside the server: must stay empty. */
    faults,
    issuer: registrar,
    anchors: { issuerKeys: [registrar.signer.publicKey], agentIds: [server.agentId] },
    /** An agent the registrar vouches for, online here; over another carrier than the usual one where one is given. */
    agent: (name: string, carrier?: Carrier): Promise<Agent> =>
      connectAgent({ ...nodePlatform(), ...(carrier === undefined ? {} : { carrier }) }, url, {
        identity: createIdentity({ name }, registrar).identity,
        certificateHashes: [certificate.hash],
        anchors: [registrar.signer.publicKey],
        serverId: server.agentId,
        report: (error) => faults.push(error),
      }),
    /** A connection of nobody in particular, and how it ended. */
    async stranger(): Promise<{ readonly connection: Connection; readonly closed: Promise<CloseInfo> }> {
      const over = Promise.withResolvers<CloseInfo>();
      const connection = await webTransportCarrier({ clock: systemClock }).connect(
        url,
        { certificateHashes: [certificate.hash] },
        () => ({ datagram() {}, stream() {}, exchange() {}, closed: over.resolve }),
      );
      return { connection, closed: over.promise };
    },
    async stop(): Promise<void> {
      await listener.close();
      await server.close();
      await log.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
