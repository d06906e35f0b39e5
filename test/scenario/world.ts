/** A whole Parley on virtual time: a media server and any number of agents over the memory carrier, nothing pretended, and every run the same. */
import type { Agent } from "../../agent/agent.ts";
import { connectAgent, type GatewayOptions } from "../../agent/connect.ts";
import type { AgentIdentity } from "../../agent/identity.ts";
import { type Issuer, type NewIdentity, newIdentity } from "../../agent/new-identity.ts";
import type { AgentPlatform } from "../../agent/platform.ts";
import type { Signer } from "../../codecs/signer.ts";
import { AUDIO_FORMAT_CHOICES, codecMaker } from "../../platform/audio-formats.ts";
import { sha256 } from "../../platform/node/sha256.ts";
import { createExchangeKey, createSigner, frameMac, verifier } from "../../platform/node/sodium.ts";
import { createOpusCodec } from "../../platform/opus.ts";
import type { Carrier, Connection, Listener } from "../../sfu/carrier.ts";
import type { CertificateRules } from "../../signaling/certificate/agent-certificate.ts";
import type { RecordLog } from "../../signaling/record-log.ts";
import { DEFAULT_LIMITS, type SwitchboardConfig } from "../../signaling/switchboard/config.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { KnownSignatures } from "../../src/gateway/known-signatures.ts";
import { SILENT_LOG } from "../../src/server/event-log.ts";
import { MediaServer } from "../../src/server/media-server.ts";
import { createMemoryLog } from "../../store/memory-log.ts";
import { type LinkModel, MemoryNetwork, type MemoryOptions } from "../../transports/memory.ts";
import { VirtualClock } from "../net/virtual-clock.ts";
import { SeparateNetwork } from "./separate-network.ts";

export const ORIGIN = "https://127.0.0.1:4480";

export interface WorldOptions {
  readonly toServer?: LinkModel;
  readonly toClient?: LinkModel;
  readonly config?: Partial<SwitchboardConfig>;
  /** What the server's clients may have dialled. Default: what agents here do dial. */
  readonly origins?: readonly string[];
  /** What Agent Certificates are judged by. Default: none is looked at. */
  readonly certificates?: CertificateRules;
  /** What Opus may cost. Default 0, the least: how well it sounds is for the tests of codecs and players. */
  readonly opusComplexity?: number;
  /** Where Opus codecs come from, which takes real time. Default: the platform. */
  readonly createOpus?: typeof createOpusCodec;
  /** Default: a fresh one in memory. */
  readonly log?: RecordLog;
  /** Default: a fresh one. */
  readonly serverIdentity?: AgentIdentity<Signer>;
  /** What all keys, identifiers and nonces come of: worlds of one seed have the same. Default 1. */
  readonly seed?: number;
}

export class World {
  readonly clock = new VirtualClock();
  readonly log: RecordLog;
  readonly network: MemoryNetwork;
  /** The same way to the same server, with connections of their own for requests and media. */
  readonly separate: SeparateNetwork;
  server: MediaServer;
  readonly serverId: string;
  /** The server's own key and documents: what a server gone bad has at hand. */
  readonly serverIdentity: AgentIdentity<Signer>;
  /** What a key of this world signed is not checked at each end once more; everything else is judged as anywhere. */
  readonly #signatures = new KnownSignatures(verifier);
  readonly #createSigner = (seed: Uint8Array) => this.#signatures.signer(createSigner(seed));
  readonly issuer: Issuer = {
    name: "registrar.test",
    signer: this.#createSigner(new Uint8Array(32).fill(0x77)),
  };
  /** What listeners and drivers reported as errors: must stay empty where nothing is wrong. */
  readonly reported: unknown[] = [];
  readonly #config: Partial<SwitchboardConfig>;
  readonly #origins: readonly string[];
  readonly #certificates: CertificateRules | undefined;
  readonly #way: MemoryOptions;
  readonly #opus: Required<Pick<WorldOptions, "opusComplexity" | "createOpus">>;
  readonly #chance: SeededRandom;
  readonly #keys: (length: number) => Uint8Array;
  #listeners: readonly Listener[];

  constructor(options: WorldOptions = {}) {
    this.#signatures.remember();
    this.log = options.log ?? createMemoryLog();
    const way: MemoryOptions = {
      clock: this.clock,
      ...(options.toServer === undefined ? {} : { toServer: options.toServer }),
      ...(options.toClient === undefined ? {} : { toClient: options.toClient }),
      fault: (error) => this.reported.push(error),
    };
    this.#way = way;
    const { opusComplexity = 0, createOpus = createOpusCodec } = options;
    this.#opus = { opusComplexity, createOpus };
    this.#chance = new SeededRandom(options.seed ?? 1);
    this.#keys = this.random();
    this.network = new MemoryNetwork(way);
    this.separate = new SeparateNetwork(way);
    const fresh = this.identity({ name: "Parley test server", scope: ["communication:audio:*"] });
    const identity = options.serverIdentity ?? fresh;
    this.serverId = identity.agentId;
    this.serverIdentity = identity;
    this.#config = options.config ?? {};
    this.#certificates = options.certificates;
    this.#origins = options.origins ?? [ORIGIN];
    this.server = this.#makeServer();
    this.#listeners = this.#listen();
  }

  /** The server goes away and takes every connection with it. */
  async stopServer(): Promise<void> {
    for (const listener of this.#listeners) await listener.close();
    await this.server.close();
  }

  /** A server that knows nothing but the log of the one before takes its place. */
  startServer(): void {
    this.server = this.#makeServer();
    this.#listeners = this.#listen();
  }

  #listen(): Listener[] {
    const accept = (connection: Connection) => this.server.accept(connection, this.#origins);
    return [this.network, this.separate].map((network) => network.listen("127.0.0.1:4480", accept));
  }

  #makeServer(): MediaServer {
    return new MediaServer({
      config: {
        serverId: "media.test",
        bindings: [],
        certificateHashes: () => [],
        registration: "open",
        policyScope: ["communication:bilateral"],
        trustFloor: "org-asserted",
        genesisIssuers: "any",
        agentDisclosure: "public",
        limits: DEFAULT_LIMITS,
        ...this.#config,
      },
      ...(this.#certificates === undefined ? {} : { certificates: this.#certificates }),
      identity: this.serverIdentity,
      log: this.log,
      clock: this.clock,
      verifier: this.#signatures,
      sha256,
      random: this.random(),
      events: SILENT_LOG,
      onFatal: (error) => this.reported.push(error),
    });
  }

  /** A way to this server for clients that show it this in their handshake. */
  showing(facts: Pick<Connection, "peerKey" | "peerCertificates">): Carrier {
    const network = new MemoryNetwork(this.#way);
    network.listen("127.0.0.1:4480", (connection) =>
      this.server.accept(Object.assign(connection, facts), this.#origins),
    );
    return network;
  }

  /** Another way to this server, for who dials through it alone. */
  way(links: Pick<MemoryOptions, "toServer" | "toClient">): Carrier {
    const network = new MemoryNetwork({ ...this.#way, ...links });
    network.listen("127.0.0.1:4480", (connection) => this.server.accept(connection, this.#origins));
    return network;
  }

  /** A fresh agent's documents and key. */
  identity(fields: NewIdentity): AgentIdentity<Signer> {
    const signer = this.#createSigner(this.#keys(32));
    return newIdentity(fields, signer, this.issuer, this.clock.wall() - 60_000, this.#signatures);
  }

  /** Random bytes for one who draws them: the same in every run, however many others draw. */
  random(): (length: number) => Uint8Array {
    const chance = this.#chance.fork();
    return (length) => chance.bytes(length);
  }

  /** The platform agents of this world run on. */
  platform(carrier: Carrier = this.network): AgentPlatform {
    const random = this.random();
    const { createOpus, opusComplexity } = this.#opus;
    const createAudioCodec = codecMaker((options) => createOpus({ ...options, complexity: opusComplexity }));
    return {
      clock: this.clock,
      random,
      verifier: this.#signatures,
      createSigner: this.#createSigner,
      createExchangeKey: () => createExchangeKey(random(32)),
      frameMac,
      sha256,
      audioFormats: AUDIO_FORMAT_CHOICES,
      createAudioCodec: (...wanted) => this.clock.real(createAudioCodec(...wanted)),
      carrier,
    };
  }

  /** Connects an agent; time passes meanwhile. `carrier` is what it dials through. */
  async agent(name: string, options: Partial<GatewayOptions> = {}, carrier?: Carrier): Promise<Agent> {
    return await this.during(this.connecting(name, options, carrier));
  }

  /** The same, with the time left to the caller. */
  connecting(name: string, options: Partial<GatewayOptions> = {}, carrier?: Carrier): Promise<Agent> {
    return connectAgent(this.platform(carrier), ORIGIN, {
      identity: this.identity({ name }),
      anchors: [this.issuer.signer.publicKey],
      report: (error) => this.reported.push(error),
      ...options,
    });
  }

  /** Lets time pass, 1 ms at a time, until the promise settles. */
  async during<Some extends Promise<unknown>>(promise: Some, limit = 120_000): Promise<Awaited<Some>> {
    let settled = false;
    const watched = promise.finally(() => {
      settled = true;
    });
    watched.catch(() => undefined);
    await this.clock.settle();
    for (let waited = 0; !settled && waited < limit; waited += 1) await this.clock.advance(1);
    if (!settled) throw new Error("nothing happened in the time allowed");
    return (await watched) as Awaited<Some>;
  }
}
