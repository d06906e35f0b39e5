import type { Clock } from "../../codecs/clock.ts";
import type { Result } from "../../codecs/result.ts";
import type { Sha256 } from "../../codecs/sha256.ts";
import type { Verifier } from "../../codecs/signer.ts";
import type { Connection, ConnectionHandlers } from "../../sfu/carrier.ts";
import type { ConnectionId } from "../../signaling/admission.ts";
import type { AccessGrant } from "../../signaling/authority.ts";
import type { CertificateRules } from "../../signaling/certificate/agent-certificate.ts";
import { buildEvidence } from "../../signaling/evidence/build.ts";
import type { RecordLog } from "../../signaling/record-log.ts";
import type { SharedState } from "../../signaling/shared-state.ts";
import type { ServerIdentity, SwitchboardConfig } from "../../signaling/switchboard/config.ts";
import { Switchboard } from "../../signaling/switchboard/switchboard.ts";
import { isTombstone, makeTombstone } from "../../signaling/tombstone.ts";
import type { PeerDesk } from "../gateway/desk.ts";
import { offDesk } from "../gateway/off-desk.ts";
import type { TokenIssuer } from "../tokens/token-issuers.ts";
import { TokenJudge } from "../tokens/token-judge.ts";
import { Driver } from "./driver.ts";
import type { EventLog } from "./event-log.ts";
import { type Instruments, NO_INSTRUMENTS } from "./instruments.ts";
import type { ServerOverview } from "./overview.ts";

export interface MediaServerOptions {
  readonly config: SwitchboardConfig;
  readonly identity: ServerIdentity;
  readonly log: RecordLog;
  /** Used proofs and spent rates, shared with other servers where they are. Default: kept in this process alone. */
  readonly shared?: SharedState;
  /** Whose access tokens are taken, beside the server's own and those that agents make for themselves. Default: nobody's. */
  readonly tokenIssuers?: readonly TokenIssuer[];
  readonly clock: Clock;
  readonly verifier: Verifier;
  /** For the digests of frames. */
  readonly sha256: Sha256;
  readonly random: (length: number) => Uint8Array;
  /** What Agent Certificates are judged by. Default: none is looked at. */
  readonly certificates?: CertificateRules | undefined;
  readonly events: EventLog;
  /** What is measured besides. Default: nothing. */
  readonly instruments?: Instruments;
  /** Where WebRTC peers are opened that agents ask for; asked at each request. Default: nowhere. */
  readonly desk?: () => PeerDesk;
  /** Records became durable that tell of a session's or an agent's life: there is news in `log.events`. Default: nobody is told. */
  readonly onLifeEvents?: () => void;
  /**
   * Sessions that the log holds open are left to the server's next start, untouched: nothing is judged by this configuration. Those of an
   * agent that is stopped or erased end. Default: they are taken up.
   */
  readonly leavesSessions?: boolean;
  /** The log cannot be written: stop, nothing can be acknowledged any more. */
  readonly onFatal: (error: unknown) => void;
}

/** A media server without its listeners: hand it the connections that any carrier accepts. */
export class MediaServer {
  readonly agentId: string;
  readonly #driver: Driver;
  readonly #tokens: TokenJudge;
  readonly #switchboard: Switchboard;
  #isDraining = false;
  readonly #drained = Promise.withResolvers<void>();

  constructor(options: MediaServerOptions) {
    this.agentId = options.identity.agentId;
    const { log, identity, verifier, config, events, clock } = options;
    const switchboard = new Switchboard({
      config,
      identity,
      verifier,
      random: options.random,
      agents: log.agents(),
      certificates: options.certificates,
      revocations: log.revocations(),
      forgotten: log.forgotten(),
      head: log.head(),
      ...(options.shared === undefined ? {} : { shared: options.shared }),
    });
    const tokens = new TokenJudge({
      issuers: options.tokenIssuers ?? [],
      server: {
        agentId: identity.agentId,
        publicKey: identity.signer.publicKey,
        serverId: config.serverId,
      },
      verifier,
      clock,
      keyOf: (agentId) => switchboard.identityKey(agentId),
      failed: (issuer, error) =>
        events.log("warn", "token-keys-not-fetched", { issuer, error: String(error) }),
    });
    this.#tokens = tokens;
    this.#switchboard = switchboard;
    this.#driver = new Driver({
      switchboard,
      judgeToken: (request, origins, connection) => tokens.judge(request, origins, connection),
      log,
      clock: options.clock,
      verifier,
      sha256: options.sha256,
      events: options.events,
      instruments: options.instruments ?? NO_INSTRUMENTS,
      buildEvidence: (sessionId) => {
        const session = log.session(sessionId);
        if (session === undefined) return undefined;
        if (session.artifacts.length === 0 && session.records.some(isTombstone)) return "erased";
        return buildEvidence({ session, server: identity, now: options.clock.wall() }, verifier);
      },
      desk: options.desk ?? (() => offDesk()),
      tombstone: (record) => makeTombstone(record, identity.signer, options.clock.wall()),
      leavesSessions: options.leavesSessions,
      onDrained: () => this.#drained.resolve(),
      onFatal: options.onFatal,
      onLifeEvents: options.onLifeEvents ?? (() => {}),
    });
  }

  /** Connections that are up. */
  get connections(): number {
    return this.#driver.connections;
  }

  /** Calls that are up, being set up, ringing or ending. */
  get calls(): number {
    return this.#driver.calls;
  }

  /** Requests taken since the start. */
  get requests(): number {
    return this.#driver.requests;
  }

  /** What is going on now: for whoever watches, not for every frame. */
  overview(): ServerOverview {
    return this.#driver.overview();
  }

  /** The server's signed manifest: what it answers to `DISCOVER /` without an Agent-ID. */
  manifest(): Uint8Array {
    return this.#driver.manifest();
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    return this.#driver.sizes();
  }

  /** Why no new calls are taken, if so. */
  get unready(): string | undefined {
    return this.#isDraining ? "The server stops." : undefined;
  }

  /**
   * Takes a connection that a listener accepted. `origins`: what its client may have dialled to come to that listener,
   * e.g. `https://127.0.0.1:4480`; possession proofs on it may name no other audience.
   */
  accept(connection: Connection, origins: readonly string[]): ConnectionHandlers {
    return this.#driver.accept(connection, origins);
  }

  /**
   * What an access token grants here that came by another road than a request; `origins` as for {@link accept}. Faults: `token-invalid`,
   * `token-expired`, `token-issuer-unavailable`, `capacity`. Never rejects.
   */
  judgeToken(token: string, origins: readonly string[]): Promise<Result<AccessGrant>> {
    return this.#tokens.judgeToken(token, origins, BESIDE_CONNECTIONS);
  }

  /** The name by which an agent's owner is counted; `undefined` for an agent that is not known here. */
  ownerOf(agentId: string): string | undefined {
    return this.#switchboard.ownerOf(agentId);
  }

  /** Takes no new calls, ends what is up after `grace` ms, and resolves when every connection was told to close. */
  async drain(grace: number): Promise<void> {
    this.#isDraining = true;
    this.#driver.shutDown(grace);
    await this.#drained.promise;
  }

  /** Stops at once; resolves when what was acknowledged is durable. The log stays open. */
  close(): Promise<void> {
    return this.#driver.close();
  }
}

/** Stands for the connection of tokens that come on none: connections are counted from 1. */
const BESIDE_CONNECTIONS: ConnectionId = 0;
