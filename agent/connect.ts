import type { JsonObject } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { CLOSE_CODES, type CloseInfo, type Connection } from "../sfu/carrier.ts";
import { ClockSync } from "../sfu/clock-sync.ts";
import type { GatewayStatement } from "../signaling/gateway.ts";
import { readGenesis } from "../signaling/genesis.ts";
import { readIdentityDocument } from "../signaling/identity-document.ts";
import { effectiveScope } from "../signaling/scope.ts";
import { AccessTokens, type TokenSource } from "./access-tokens.ts";
import { type AddressSource, lookUp, type ServerAddress } from "./address.ts";
import { Agent } from "./agent.ts";
import type { AgentContext } from "./agent-context.ts";
import { type BackOff, DEFAULT_BACK_OFF } from "./back-off.ts";
import type { OtherWay } from "./carrier-change.ts";
import { ControlChannel } from "./control.ts";
import type { AgentIdentity } from "./identity.ts";
import { Inbox } from "./inbox.ts";
import { MediaPort } from "./media-port.ts";
import { MediaTime } from "./media-time.ts";
import { meetServer } from "./meeting-server.ts";
import type { AgentPlatform } from "./platform.ts";
import { Presence, type PresenceOwner } from "./presence.ts";
import { unwrap } from "./unwrap.ts";

/** The inbox of an agent that names none. */
const DEFAULT_INBOX = "main";
/** Samples of the clock exchange made on connecting, at the most. */
const CLOCK_SAMPLES = 4;
/** Uncertainty, ms, that no further sample has to lessen: half of an audio frame. Each costs the server a record on disk. */
const CLOCK_WELL_KNOWN = 10;
/** A sample that leaves more than this share of the uncertainty before it is the last: the way, or who is busy, takes that long. */
const CLOCK_GAIN = 0.8;
/** How long a server that ended the inbox has for closing the connection itself, ms. */
const LAST_WORD_MS = 1_000;
/** Where the inbox has a connection of its own: how often it is asked for again when that breaks, and the pause before the second time, ms. */
const INBOX_TRIES = 5;
const INBOX_PAUSE_MS = 500;

/** How an agent connects. */
export interface ConnectOptions {
  readonly identity: AgentIdentity;
  /**
   * SHA-256 of the server certificates to accept, as 32 bytes or 64 hex digits. Default: what the system's roots vouch for.
   * Where the address is looked up, the hashes that come with it count instead.
   */
  readonly certificateHashes?: ServerAddress["certificateHashes"];
  /** Issuer keys (raw Ed25519, 32 bytes) that may vouch for the other ends of calls. When given, others are refused. */
  readonly anchors?: readonly Uint8Array[];
  /**
   * Name of the inbox to come online at, default `main`: 1 to 64 of letters, digits, `.`, `_` and `-`. Several of one agent stand beside
   * each other, at most 8, and calls ring at all of them; coming online at one again closes what was online there (`replaced`).
   */
  readonly inbox?: string;
  /**
   * An access token to bring along, which narrows what the agent may do there, or a function that gets one: it is asked for the next one
   * before the last runs out, and calls that are up go on with that. A call ends with a token that nothing follows.
   */
  readonly token?: TokenSource;
  /** Agent-ID the server must have. */
  readonly serverId?: string;
  /** Milliseconds until `connect-timeout`. Default 5,000. */
  readonly connectTimeout?: number;
  /** Comes online again when the connection is lost, after waits that grow and are drawn by lot. Default: it stays closed. */
  readonly reconnect?: boolean | BackOff;
  /** Takes errors that listeners throw and faults nobody asked about. Default: they are dropped. */
  readonly report?: (error: unknown) => void;
}

/** How a gateway connects for an agent; its identity is its own, and `token` that of the agent. */
export interface GatewayOptions extends ConnectOptions {
  /** For whom it acts there, and by what: it stands in what the gateway signs. */
  readonly onBehalfOf: GatewayStatement;
  /** Whether calls are taken there; else the agent cannot be called by it, nor looks so to others. Default true. */
  readonly takesCalls?: boolean;
}

/**
 * Connects an agent, or a gateway that acts for one, and brings its inbox up. Throws `connect-timeout`, `connect-refused`, `peer-untrusted` when the server
 * is not who it should be, or the refusal of the inbox (`agent-unknown`, `proof-invalid`, …); also with `reconnect`, which
 * is for connections that were up.
 */
export async function connectAgent(
  platform: AgentPlatform,
  address: AddressSource,
  options: ConnectOptions | GatewayOptions,
): Promise<Agent> {
  const { identity, reconnect = false, report = () => {} } = options;
  const delays = typeof reconnect === "boolean" ? {} : reconnect;
  const tokens = options.token === undefined ? undefined : new AccessTokens(options.token, platform.clock);
  const agent = new Agent({
    id: actsFor(options)?.subject ?? identity.agentId,
    inbox: options.inbox ?? DEFAULT_INBOX,
    platform,
    backOff: reconnect === false ? undefined : { ...DEFAULT_BACK_OFF, ...delays },
    report,
    attempt: (owner, way) => comeOnline(platform, address, { ...options, tokens }, owner, way),
  });
  await agent.start();
  return agent;
}

function actsFor(options: ConnectOptions | GatewayOptions): GatewayStatement | undefined {
  return "onBehalfOf" in options ? options.onBehalfOf : undefined;
}

/** Dials once, proves who this is, and brings the inbox up. */
async function comeOnline(
  platform: AgentPlatform,
  address: AddressSource,
  options: (ConnectOptions | GatewayOptions) & { readonly tokens: AccessTokens | undefined },
  owner: PresenceOwner,
  way: OtherWay | undefined,
): Promise<Presence> {
  const time = new MediaTime(platform.clock);
  const port = new MediaPort(platform.clock);
  const report = options.report ?? (() => {});
  const ending = new Ending();
  const dialled = await lookUp(address, options.certificateHashes, platform.clock);
  const { url, webSocketUrl, certificateHashes } = dialled;
  const connectTimeout = way?.connectTimeout ?? options.connectTimeout;
  const dialling = {
    ...(certificateHashes === undefined ? {} : { certificateHashes }),
    ...(webSocketUrl === undefined ? {} : { webSocketUrl }),
    ...(connectTimeout === undefined ? {} : { connectTimeout }),
  };
  const connection = await (way?.carrier ?? platform.carrier).connect(url, dialling, () => ({
    datagram: (bytes) => port.datagram(bytes),
    stream: (stream) => void port.stream(stream).catch(report),
    // Clients open every exchange: a server that opens one speaks something else.
    exchange: (stream) => stream.receive.stop(CLOSE_CODES.protocolViolation),
    closed: (info) => ending.set(info),
  }));
  try {
    return await bringUp(platform, options, owner, { connection, time, port, report, ending, way });
  } catch (error) {
    connection.close(CLOSE_CODES.normal, "could not come online");
    throw error;
  }
}

async function bringUp(
  platform: AgentPlatform,
  options: (ConnectOptions | GatewayOptions) & { readonly tokens: AccessTokens | undefined },
  owner: PresenceOwner,
  parts: {
    readonly connection: Connection;
    readonly time: MediaTime;
    readonly port: MediaPort;
    readonly report: (error: unknown) => void;
    readonly ending: Ending;
    readonly way: OtherWay | undefined;
  },
): Promise<Presence> {
  const { connection, time, port, report, ending, way } = parts;
  const { identity, tokens } = options;
  const takesCalls = !("takesCalls" in options) || options.takesCalls !== false;
  port.attach(connection);
  const control = new ControlChannel({
    connection,
    identity,
    clock: platform.clock,
    wall: () => platform.clock.wall(),
    random: (length) => platform.random(length),
    verifier: platform.verifier,
    tokens,
  });
  const server = await meetServer(control, platform, options.serverId, way?.known.server);
  control.trust(server);
  const context: AgentContext = {
    platform,
    identity,
    agentId: actsFor(options)?.subject ?? identity.agentId,
    onBehalfOf: actsFor(options),
    inbox: options.inbox ?? DEFAULT_INBOX,
    ...ownFacts(identity, platform),
    control,
    reachable: () => (ending.isOver ? owner.control() : control),
    connection,
    port,
    time,
    server,
    clock: way?.known.clock ?? (await compareClocks(control, time)),
    anchors: options.anchors,
    report,
  };
  if (way?.isWanted() === false) {
    throw new ParleyError({ code: "closed", message: "The connection before has answers again." });
  }
  const presence = new Presence(context, connection, owner);
  ending.watch((info) => presence.connectionClosed(info));
  await subscribe(presence, owner, takesCalls);
  if (tokens !== undefined) {
    const stop = tokens.keepFresh(
      () => owner.calls.up.length > 0,
      (token) => showToken(context, owner, token),
      report,
    );
    void presence.ended.then(stop);
  }
  return presence;
}

/** Brings a fresh token into every call that is up. */
async function showToken(context: AgentContext, { calls }: PresenceOwner, token: string): Promise<void> {
  const shown = calls.up.map(async (call) => {
    const path = `/sessions/${call.id}`;
    await context.reachable().request({ method: "QUERY", path, prove: true, token });
  });
  const failed = (await Promise.allSettled(shown)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected" && calls.up.length > 0) throw failed.reason;
}

/** What this agent's own documents say: its key, and the widest scope it may claim. */
function ownFacts(
  identity: AgentIdentity,
  { verifier }: AgentPlatform,
): Pick<AgentContext, "publicKey" | "declaredScope"> {
  const genesis = unwrap(readGenesis(identity.genesis, verifier));
  const document = unwrap(readIdentityDocument(identity.identityDocument, genesis, verifier));
  const declaredScope = unwrap(effectiveScope({ document: document.scope, genesis: genesis.scope }));
  return { publicKey: genesis.agentKey, declaredScope };
}

/** Measures this machine's clock against the server's. */
async function compareClocks(control: ControlChannel, time: MediaTime): Promise<AgentContext["clock"]> {
  const sync = new ClockSync();
  let before = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample < CLOCK_SAMPLES; sample += 1) {
    const t0 = time.wall();
    const { result } = await control.request({ method: "QUERY", path: "/clock", parameters: { t0 } });
    const { t1, t2 } = result;
    if (typeof t1 === "number" && typeof t2 === "number") sync.add(t0, t1, t2, time.wall());
    const { uncertainty = Number.POSITIVE_INFINITY } = sync.estimate(time.wall()) ?? {};
    if (uncertainty <= CLOCK_WELL_KNOWN || uncertainty > CLOCK_GAIN * before) break;
    before = uncertainty;
  }
  const estimate = sync.estimate(time.wall());
  if (estimate === undefined) {
    throw new ParleyError({
      code: "body-malformed",
      message: "The server does not tell its time.",
      at: "/clock",
    });
  }
  return { offset_ms: round(estimate.offset), uncertainty_ms: round(estimate.uncertainty) };
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}

/**
 * Brings the inbox up; when it ends for good while the connection lives, the connection is closed: by the server, which may
 * say why, or else from here.
 */
async function subscribe(presence: Presence, owner: PresenceOwner, takesCalls: boolean): Promise<void> {
  const { connection, context } = presence;
  const { identity, onBehalfOf } = context;
  const { clock } = context.platform;
  const documents: JsonObject = {
    genesis: new TextDecoder().decode(identity.genesis),
    identity_document: new TextDecoder().decode(identity.identityDocument),
    ...(onBehalfOf === undefined ? {} : { on_behalf_of: onBehalfOf.subject }),
    ...(takesCalls ? {} : { calls: false }),
  };
  const inbox = new Inbox(
    context.control,
    clock,
    { agentId: context.agentId, name: context.inbox },
    owner.inboxCursor,
    documents,
  );
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
  const up = (): void => {
    owner.calls.online(context);
    resolve();
  };
  // When the server closes the connection, its streams may break before it says so.
  const closeLater = (reason: string): void => {
    // Not as one who leaves: its calls go on over the next one.
    clock.at(clock.now() + LAST_WORD_MS, () => connection.close(CLOSE_CODES.livenessTimeout, reason));
  };
  keepUp(inbox, presence, up)
    .then(() => {
      reject(new ParleyError({ code: "connection-lost", message: "The inbox ended." }));
      closeLater("inbox ended");
    })
    .catch((error: unknown) => {
      reject(error);
      closeLater("inbox lost");
    });
  await ready;
  context.control.becomeKnown();
}

/** Resolves when the server ends the inbox; rejects when it is lost, with all that goes over the connection. */
async function keepUp(inbox: Inbox, presence: Presence, up: () => void): Promise<void> {
  const { clock } = presence.context.platform;
  let failures = Number.POSITIVE_INFINITY;
  for (;;) {
    try {
      const ready = () => {
        failures = 0;
        up();
      };
      return await inbox.run(ready, (event) => presence.inboxEvent(event));
    } catch (error) {
      // Elsewhere the connection that carries the inbox carries everything.
      const isAlone = presence.connection.media !== undefined && !presence.isOver;
      if (!isAlone || !(error instanceof ParleyError) || failures >= INBOX_TRIES) throw error;
      const pause = failures === 0 ? 0 : INBOX_PAUSE_MS * 2 ** (failures - 1);
      failures += 1;
      await new Promise<void>((resolve) => clock.at(clock.now() + pause, resolve));
    }
  }
}

/** How the connection ended, for whoever comes to watch it before or after. */
class Ending {
  #info: CloseInfo | undefined;
  #watcher: ((info: CloseInfo) => void) | undefined;

  get isOver(): boolean {
    return this.#info !== undefined;
  }

  set(info: CloseInfo): void {
    this.#info = info;
    this.#watcher?.(info);
  }

  watch(watcher: (info: CloseInfo) => void): void {
    this.#watcher = watcher;
    if (this.#info !== undefined) watcher(this.#info);
  }
}
