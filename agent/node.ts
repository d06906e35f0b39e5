/** Parley agents in Node: the agent library with Node's keys, codecs, clock and carriers. */
import { basename, extname } from "node:path";
import { v7 as uuidv7 } from "uuid";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Signer } from "../codecs/signer.ts";
import { AUDIO_FORMAT_CHOICES, createAudioCodec } from "../platform/audio-codecs.ts";
import { createClock } from "../platform/node/clock.ts";
import { keptIdentity, type StoredIdentity } from "../platform/node/identity-file.ts";
import { sha256 } from "../platform/node/sha256.ts";
import {
  createExchangeKey,
  createSigner,
  frameMac,
  generateSeed,
  random,
  verifier,
} from "../platform/node/sodium.ts";
import { checkMade, makeAccessToken } from "../signaling/access-token.ts";
import type { Recording } from "../signaling/evidence/recording.ts";
import { parseScopes } from "../signaling/scope.ts";
import { type CarrierChoice, choosingCarrier } from "../transports/choosing.ts";
import { tlsCarrier } from "../transports/tls/client.ts";
import {
  type ClientCertificate,
  type ClientCertificateFiles,
  clientCertificate,
} from "../transports/tls/client-certificate.ts";
import { webSocketCarrier } from "../transports/websocket/client.ts";
import { webTransportCarrier } from "../transports/webtransport/client.ts";
import type { AddressSource } from "./address.ts";
import type { Agent as ConnectedAgent } from "./agent.ts";
import { type ConnectOptions, connectAgent } from "./connect.ts";
import type { AgentIdentity } from "./identity.ts";
import { type Issuer, type NewIdentity, newIdentity } from "./new-identity.ts";
import type { AgentPlatform } from "./platform.ts";
import { type RecordingFiles, readRecording as readRecordingWith } from "./recording.ts";
import { unwrap } from "./unwrap.ts";

export type { ClientCertificate, ClientCertificateFiles } from "../transports/tls/client-certificate.ts";
export * from "./exports.ts";

/** How a Node agent connects. */
export interface NodeConnectOptions extends Omit<ConnectOptions, "identity"> {
  /** The agent, or the path of its identity file. A file that does not exist is made: a new agent that vouches for itself. */
  readonly identity: AgentIdentity | string;
  /** Default `auto`: WebTransport, and WebSocket where it does not answer; `agent.carrier` says which and why. */
  readonly carrier?: CarrierChoice;
  /**
   * The agent's certificate (an Agent Certificate) and its key, as PEM or in files: shown in every handshake, it stands for proofs where the
   * server takes it. AGTP over TLS alone shows one: `carrier` is `tls` then.
   */
  readonly certificate?: ClientCertificate | ClientCertificateFiles;
  /** Where WebSocket goes, `wss://host:port/agtp`. Default: the same host and port. */
  readonly webSocketUrl?: string;
}

/** An agent that is online at one server. */
export type Agent = ConnectedAgent;

export const Agent = {
  /**
   * Connects an agent to the server at `address` (`https://host:4480/agtp`, or a function that looks it up) and brings its
   * inbox up. Throws `connect-timeout`, `connect-refused`, `peer-untrusted`, `key-file-invalid`, `certificate-broken`, `usage`, or the
   * refusal of the inbox.
   */
  async connect(address: AddressSource, options: NodeConnectOptions): Promise<ConnectedAgent> {
    const { identity, carrier, webSocketUrl, certificate: source, ...rest } = options;
    if (source !== undefined && carrier !== undefined && carrier !== "tls")
      throw new ParleyError({ code: "usage", message: "Certificates are shown over the carrier tls alone." });
    const certificate = source && (await clientCertificate(source));
    const choice = certificate === undefined ? carrier : "tls";
    return await connectAgent(nodePlatform({ choice, webSocketUrl, certificate }), address, {
      ...rest,
      identity: typeof identity === "string" ? await openIdentity(identity) : identity,
    });
  },
} as const;

/** A platform for Node agents. It holds nothing but what the machine offers: share one or make many. */
export function nodePlatform(
  wanted: {
    readonly choice?: CarrierChoice | undefined;
    readonly webSocketUrl?: string | undefined;
    readonly certificate?: ClientCertificate | undefined;
  } = {},
): AgentPlatform {
  const clock = createClock();
  const { choice, webSocketUrl, certificate } = wanted;
  return {
    clock,
    random,
    verifier,
    createSigner,
    createExchangeKey,
    frameMac,
    sha256,
    audioFormats: AUDIO_FORMAT_CHOICES,
    createAudioCodec,
    carrier: choosingCarrier({
      choice,
      webSocketUrl,
      clock,
      webTransport: webTransportCarrier({ clock }),
      webSocket: webSocketCarrier({ clock }),
      tls: tlsCarrier({ clock }, certificate),
    }),
  };
}

/** Makes a new agent around a fresh key. Without an issuer it vouches for itself. Throws `field-invalid`. */
export function createIdentity(
  fields: NewIdentity,
  issuer?: Issuer,
): { identity: AgentIdentity<Signer>; file: StoredIdentity } {
  const seed = generateSeed();
  const identity = newIdentity(fields, createSigner(seed), issuer, Date.now(), verifier);
  return { identity, file: { seed, genesis: identity.genesis, identityDocument: identity.identityDocument } };
}

/** What an access token says, and who makes it. */
export interface AccessTokenOptions {
  /** An issuer that the server was told to trust by that name; the server's own identity; or the agent's, for itself. */
  readonly by: Issuer | AgentIdentity<Signer>;
  /** Agent-ID that it is for. Default: the identity that makes it. */
  readonly agentId?: string;
  /** What the server goes by: the origin that is dialled, e.g. `https://media.example:4480`, its `Server-ID` or its Agent-ID. */
  readonly audience: string | readonly string[];
  /** What the agent may do there, limits among it: `["communication:audio:*", "communication:limit:duration-s:600"]`. */
  readonly scope: readonly string[];
  /** Seconds until it runs out, 1 to 3,600. Default 600. */
  readonly lifetime?: number;
  /** Of a WebRTC peer that is to use it: SHA-256 of its DTLS certificate, 64 hex digits, as `a=fingerprint` has it. Default: any may. */
  readonly fingerprint?: string;
}

/** Makes an access token, for backends: their clients bring it as `token` of `Agent.connect`. Throws `field-invalid`, `scope-malformed`. */
export function createAccessToken({
  by,
  audience,
  scope,
  lifetime = 600,
  ...options
}: AccessTokenOptions): string {
  const own = "agentId" in by ? by.agentId : undefined;
  const agentId = options.agentId ?? own ?? "";
  const token = makeAccessToken(
    {
      issuer: own ?? (by as Issuer).name,
      agentId,
      audience,
      scope: unwrap(parseScopes(scope)),
      lifetime,
      fingerprint: options.fingerprint,
      jti: uuidv7(),
      now: Date.now(),
    },
    by.signer,
  );
  unwrap(checkMade(token));
  return token;
}

/** What was said in the call of these files, for `call.audio.replay`. Throws `evidence-invalid`, `stream-malformed`, `field-invalid`. */
export function readRecording(files: RecordingFiles): Recording {
  return readRecordingWith(files, verifier);
}

/** The agent of an identity file; makes the file, and the agent, when there is none. Throws `key-file-invalid`. */
export async function openIdentity(path: string): Promise<AgentIdentity<Signer>> {
  return await keptIdentity(path, () => createIdentity({ name: basename(path, extname(path)) }).file);
}
