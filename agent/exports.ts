/** What both entries of the library export besides their own: the Node one and the browser one. */
export { ParleyError } from "../codecs/parley-error.ts";
export type { IdentitySigner, Signer } from "../codecs/signer.ts";
export type { AddressSource, ServerAddress } from "./address.ts";
export type { AgentCarrier, AgentEvents } from "./agent.ts";
export type { PacketTap } from "./audio-receiver.ts";
export type { BackOff } from "./back-off.ts";
export type { Call, CallEnd, CallEvents, CallPeer, FramesRefused } from "./call.ts";
export type { CallAudio } from "./call-audio.ts";
export type { CallAudioOptions, CallOptions, OutgoingCallOptions } from "./call-options.ts";
export type { CallStats } from "./call-stats.ts";
export type { AgentListing } from "./directory.ts";
export type { FrameFate, FrameWatch } from "./frame-fate.ts";
export type { HeardAudio, HeardFiller, HeardSpeech } from "./heard-audio.ts";
export type { AgentIdentity } from "./identity.ts";
export type { DeclineReason, IncomingCall } from "./incoming-call.ts";
export type { CallHandler } from "./incoming-calls.ts";
export type { Issuer, NewIdentity } from "./new-identity.ts";
export type { Offline } from "./online.ts";
