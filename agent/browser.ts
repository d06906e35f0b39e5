/** Parley agents in browsers: the agent library with the browser's keys, codecs, clock, sound devices and carriers. */
import type { Clock } from "../codecs/clock.ts";
import { portableSha256 } from "../codecs/sha256.ts";
import { AUDIO_FORMAT_CHOICES } from "../platform/audio-formats.ts";
import { createAudioCodec, loadOpus } from "../platform/browser/audio-codecs.ts";
import { createClock } from "../platform/browser/clock.ts";
import { createIdentityKey, signerOf } from "../platform/browser/identity-key.ts";
import { type KeptIdentity, keepIdentity, loadIdentity } from "../platform/browser/identity-store.ts";
import { random } from "../platform/browser/random.ts";
import { loadSodium } from "../platform/browser/sodium.ts";
import type { Carrier } from "../sfu/carrier.ts";
import type { Recording } from "../signaling/evidence/recording.ts";
import { type CarrierChoice, choosingCarrier } from "../transports/choosing.ts";
import { webSocketCarrier } from "../transports/websocket/browser-client.ts";
import { hasWebTransport, webTransportCarrier } from "../transports/webtransport/browser-client.ts";
import type { AddressSource } from "./address.ts";
import type { Agent as ConnectedAgent } from "./agent.ts";
import { resolveCallee } from "./callee.ts";
import { type ConnectOptions, connectAgent } from "./connect.ts";
import type { AgentIdentity } from "./identity.ts";
import type { IncomingCall } from "./incoming-call.ts";
import { type Issuer, type NewIdentity, newIdentity } from "./new-identity.ts";
import type { AgentPlatform } from "./platform.ts";
import { type RecordingFiles, readRecording as readRecordingWith } from "./recording.ts";
import type { GatewayCall } from "./webrtc/gateway-call.ts";
import type { GatewayCallOptions } from "./webrtc/opening.ts";
import type { WantedPeer } from "./webrtc/signaling.ts";

export { forgetIdentity } from "../platform/browser/identity-store.ts";
export {
  type Loudspeaker,
  type LoudspeakerOptions,
  type LoudspeakerStats,
  openLoudspeaker,
} from "../platform/browser/loudspeaker.ts";
export { type Microphone, type MicrophoneOptions, openMicrophone } from "../platform/browser/microphone.ts";
export * from "./exports.ts";
export type { GatewayCall, GatewayPeer } from "./webrtc/gateway-call.ts";
export type { GatewayCallEvents } from "./webrtc/gateway-news.ts";
export type { GatewayCallOptions } from "./webrtc/opening.ts";

/** How a browser's agent connects. */
export interface BrowserConnectOptions extends Omit<ConnectOptions, "identity"> {
  /** The agent, or the name it is kept under. A name under which none is kept makes one: a new agent that vouches for itself. */
  readonly identity: AgentIdentity | string;
  /** Default `auto`: WebTransport, and WebSocket where it is missing or does not answer; `agent.carrier` says which and why. */
  readonly carrier?: Exclude<CarrierChoice, "tls">;
  /** Where WebSocket goes, `wss://host:port/agtp`. Default: the same host and port. */
  readonly webSocketUrl?: string;
  /**
   * Puts something between the agent and each carrier, such as an emulated network (`@parley-rt/parley/emulation`): for tests and
   * demonstrations.
   */
  readonly network?: NetworkBetween;
}

/** Gives a carrier with something before it. `clock`: the agent's own, whose timers go on in a hidden page. */
export type NetworkBetween = (carrier: Carrier, clock: Clock) => Carrier;

/** An agent that is online at one server. */
export type Agent = ConnectedAgent;

export const Agent = {
  /**
   * Connects an agent to the server at `address` (`https://host:4480/agtp`, or a function that looks it up) and brings its
   * inbox up. Throws `connect-timeout`, `connect-refused`, `peer-untrusted`, `key-file-invalid`, `storage-unavailable`,
   * `native-unavailable`, or the refusal of the inbox.
   */
  async connect(address: AddressSource, options: BrowserConnectOptions): Promise<ConnectedAgent> {
    const { identity, carrier, webSocketUrl, network, ...rest } = options;
    return await connectAgent(await browserPlatform({ choice: carrier, webSocketUrl, network }), address, {
      ...rest,
      identity: typeof identity === "string" ? await openIdentity(identity) : identity,
    });
  },
} as const;

/** A platform for a browser's agents. Rejects with `native-unavailable` where the page may not run wasm. */
export async function browserPlatform(
  wanted: {
    readonly choice?: Exclude<CarrierChoice, "tls"> | undefined;
    readonly webSocketUrl?: string | undefined;
    readonly network?: NetworkBetween | undefined;
  } = {},
): Promise<AgentPlatform> {
  const { verifier, createSigner, createExchangeKey, frameMac } = await loadSodium();
  // While the agent comes online. What keeps it away is told to who makes a call.
  loadOpus().catch(() => {});
  const clock = createClock();
  const { network = (carrier: Carrier) => carrier, ...choice } = wanted;
  return {
    clock,
    random,
    verifier,
    createSigner,
    createExchangeKey,
    frameMac,
    sha256: portableSha256,
    audioFormats: AUDIO_FORMAT_CHOICES,
    createAudioCodec,
    carrier: choosingCarrier({
      ...choice,
      clock,
      webTransport: hasWebTransport() ? network(webTransportCarrier({ clock }), clock) : undefined,
      webSocket: network(webSocketCarrier({ clock }), clock),
    }),
  };
}

/**
 * Makes a new agent around a fresh key that no script can read, where the browser has such keys. Without an issuer it vouches for
 * itself. It is not kept: that is what {@link openIdentity} does. Throws `field-invalid`.
 */
export async function createIdentity(
  fields: NewIdentity,
  issuer?: Issuer,
): Promise<{ identity: AgentIdentity; file: KeptIdentity }> {
  const sodium = await loadSodium();
  const key = await createIdentityKey(sodium);
  const signer = signerOf(key, sodium);
  const identity = await newIdentity(fields, signer, issuer, Date.now(), sodium.verifier);
  return { identity, file: { key, genesis: identity.genesis, identityDocument: identity.identityDocument } };
}

/** What was said in the call of these files, for `call.audio.replay`. Rejects with `evidence-invalid`, `stream-malformed`, `field-invalid`. */
export async function readRecording(files: RecordingFiles): Promise<Recording> {
  const { verifier } = await loadSodium();
  return readRecordingWith(files, verifier);
}

/**
 * The agent that this browser keeps under `name` for the page's origin; makes it when there is none, as `fields` say. Pages that
 * open one name at once get one agent. Throws `key-file-invalid`, `storage-unavailable`.
 */
export async function openIdentity(name: string, fields: NewIdentity = { name }): Promise<AgentIdentity> {
  const sodium = await loadSodium();
  const kept = await loadIdentity(name, sodium);
  return kept ?? (await keepIdentity(name, (await createIdentity(fields)).file, sodium));
}

/**
 * Calls an agent over WebRTC: the server's gateway takes part in the call on this agent's behalf, signs with its own key what this page
 * says, and verifies what it hears; the page itself signs and verifies nothing. Resolves when the call is up. Throws by code what
 * `Agent.call` throws, and `webrtc-unavailable`, `codec-unsupported`, `fingerprint-mismatch`, `token-required` (where an agent's own token
 * does not count), `connect-timeout` where no peer connection comes up, `native-unavailable` where the browser has no WebRTC.
 */
export async function callThroughGateway(
  agent: ConnectedAgent,
  callee: string,
  options: GatewayCallOptions = {},
): Promise<GatewayCall> {
  const { control, connection } = agent.context;
  const agentId = await resolveCallee(callee, control, connection.url);
  return await throughGateway(agent, { agentId }, options);
}

/**
 * Takes a call that rings here over WebRTC, as {@link callThroughGateway} makes one. The caller must have said that a gateway may answer:
 * `incoming.offer.payload.gateways`. At this agent's inboxes the call then rings no longer, as answered elsewhere.
 */
export async function acceptThroughGateway(
  agent: ConnectedAgent,
  incoming: IncomingCall,
  options: GatewayCallOptions = {},
): Promise<GatewayCall> {
  const { sessionId } = incoming;
  return await incoming.decideThrough(() => throughGateway(agent, { sessionId }, options));
}

async function throughGateway(
  agent: ConnectedAgent,
  to: WantedPeer["to"],
  options: GatewayCallOptions,
): Promise<GatewayCall> {
  // Loaded by who wants it alone.
  const parts = [import("./webrtc/opening.ts"), import("../platform/browser/web-rtc.ts")] as const;
  const [{ openGatewayCall }, { webRtc }] = await Promise.all(parts);
  const call = await openGatewayCall(webRtc, agent.context, to, options);
  call.whenOver(agent.on("closed", () => void call.hangUp()));
  return call;
}
