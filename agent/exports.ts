/** What both entries of the library export besides their own: the Node one and the browser one. */
export { ParleyError } from "../codecs/parley-error.ts";
export type { IdentitySigner, Signer } from "../codecs/signer.ts";
export type {
  PeerStats,
  ReceivedAudioStats,
  ReceivedStats,
  ReceivedVideoStats,
  SentStats,
  SentVideoStats,
} from "../sfu/peer-stats.ts";
export type { RecordedFrame, Recording } from "../signaling/evidence/recording.ts";
export type { GatewayEvidence, GatewayStatement } from "../signaling/gateway.ts";
export type { CarrierChoice } from "../transports/choosing.ts";
export type { TokenSource } from "./access-tokens.ts";
export type { AddressSource, ServerAddress } from "./address.ts";
export type { AgentCarrier, AgentEvents } from "./agent.ts";
export type { VoiceStream } from "./audio-media.ts";
export type { BackOff } from "./back-off.ts";
export type { Call, CallState } from "./call.ts";
export type { Detached, Reattached } from "./call-attachment.ts";
export type { CallAudio, CallAudioEvents } from "./call-audio.ts";
export type { AskedChange, ChangePolicy, ProposedChange, WantedChange } from "./call-changes.ts";
export type { CallData, CallData as DataStream, DataMessage, DataStats } from "./call-data.ts";
export type { CallEnd } from "./call-ending.ts";
export type { CallEvents, FramesRefused, StreamClosed, StreamOpened } from "./call-events.ts";
export type { HeardPosition } from "./call-heard.ts";
export type { Interrupted } from "./call-interrupts.ts";
export type { StreamHeld, StreamMuted } from "./call-notices.ts";
export type { CallAudioOptions, CallOptions, OutgoingCallOptions, VoiceKind } from "./call-options.ts";
export type { CallPeer, PeerGateway } from "./call-peer.ts";
export type { SessionRecord } from "./call-records.ts";
export type { CallStats } from "./call-stats.ts";
export type { CallStream } from "./call-stream.ts";
export type { Resumed, Suspended, SuspendOptions } from "./call-suspension.ts";
export type { TermsChanged } from "./call-terms.ts";
export type { LatestFate } from "./data-latest-sender.ts";
export type { DataStreamOptions } from "./data-offer.ts";
export type { AgentListing } from "./directory.ts";
export type { EncodedFormat } from "./encoded-format.ts";
export type { EncodedReceiverCounters } from "./encoded-receiver.ts";
export type { EncodedDrop, EncodedFrame, EncodedSenderCounters, EncodedWants } from "./encoded-sender.ts";
export type { EncodedVoice, EncodedVoiceEvents, EncodedVoiceStats } from "./encoded-voice.ts";
export type { FrameFate, FrameWatch } from "./frame-fate.ts";
export type { PacketTap } from "./frame-intake.ts";
export type { HeardAudio, HeardFiller, HeardRecording, HeardSpeech } from "./heard-audio.ts";
export type { HeardEncoded } from "./heard-encoded.ts";
export type { HeardVideo } from "./heard-video.ts";
export type { AgentIdentity } from "./identity.ts";
export type { DeclineReason, IncomingCall } from "./incoming-call.ts";
export type { CallHandler } from "./incoming-calls.ts";
export type { Issuer, NewIdentity } from "./new-identity.ts";
export type { Offline } from "./online.ts";
export type { RecordingFiles } from "./recording.ts";
export type { RpcHandler, RpcRequestContext } from "./rpc-answering.ts";
export type { RpcOptions } from "./rpc-asking.ts";
export type { SessionListing } from "./session-listing.ts";
export type { AskedPicture, AskedStream, WantedStream } from "./stream-opening.ts";
export type { HeardText } from "./text-reader.ts";
export type { TextState, TextWriter } from "./text-writer.ts";
export { LoudnessDetector } from "./turns/loudness-detector.ts";
export type { SpeakingChanged, VoiceStalled } from "./turns/speaking.ts";
export type { PcmFormat, TurnChange, TurnDetector } from "./turns/turn-detector.ts";
export type { RenditionWants, VideoStats, VideoStream, VideoUnitToSend, VideoWants } from "./video-stream.ts";
