import { ParleyError } from "../../codecs/parley-error.ts";
import { readGatewayNotice } from "../../signaling/gateway-channel.ts";
import type { AgentContext } from "../agent-context.ts";
import { Withdrawal } from "../withdrawal.ts";
import { GatewayCall, type UpNotice } from "./gateway-call.ts";
import type { WebRtc } from "./peer.ts";
import { GatewaySignaling, type WantedDirection, type WantedPeer } from "./signaling.ts";
import { OWN_TOKEN_SECONDS, signOwnToken } from "./token.ts";

/** How long the peer connection has to come up once the call is answered, ms. */
const CONNECT_MS = 20_000;
/** What comes before the call is up waits; more than so many messages and events are passed over: the gateway begins by saying that it is up. */
const MOST_EARLY = 256;
/** Part of an own token's life after which a fresh one is shown. */
const RENEW_AFTER = 0.75;

/** How a call over WebRTC is made or taken. */
export interface GatewayCallOptions {
  /** Which way each kind may flow. Default `sendrecv`: what is sent can be decided later. */
  readonly audio?: WantedDirection;
  readonly video?: WantedDirection;
  /** What is sent from the first moment on; they stay their owner's. */
  readonly voice?: MediaStreamTrack;
  readonly picture?: MediaStreamTrack;
  /**
   * Gets the access token with which the gateway acts for this agent, bound (`cnf`) to the certificate of that SHA-256 fingerprint, 64 hex
   * digits. Asked again before an hour is over. Default: one that the agent signs for itself.
   */
  readonly token?: (fingerprint: string) => string | Promise<string>;
  /** Takes the call back until it is up; then `cancelled` is thrown. */
  readonly signal?: AbortSignal;
}

/** Makes or takes a call over WebRTC. Throws the refusal by its code, and `connect-timeout` where no peer connection comes up. */
export async function openGatewayCall(
  webRtc: WebRtc,
  context: AgentContext,
  to: WantedPeer["to"],
  options: GatewayCallOptions,
): Promise<GatewayCall> {
  const withdrawal = new Withdrawal(options.signal);
  return await withdrawal.unless(
    () => open(webRtc, context, to, options, withdrawal),
    (late) => void late.hangUp().catch(context.report),
  );
}

async function open(
  webRtc: WebRtc,
  context: AgentContext,
  to: WantedPeer["to"],
  options: GatewayCallOptions,
  withdrawal: Withdrawal,
): Promise<GatewayCall> {
  const { audio = "sendrecv", video = "sendrecv" } = options;
  const certificate = await webRtc.createCertificate();
  const { fingerprint } = certificate;
  const token = async () =>
    (await options.token?.(fingerprint)) ?? (await signOwnToken(context, fingerprint));
  const signaling = new GatewaySignaling(context, token);
  const { peerId, offer } = await signaling.open({ to, audio, video }, withdrawal);
  if (withdrawal.isWithdrawn) {
    await signaling.close(peerId);
    throw withdrawal.error;
  }
  const up = Promise.withResolvers<UpNotice>();
  up.promise.catch(() => {
    // Told to who waits for it, or nobody does any more.
  });
  /** What came before the call was up. */
  const early: ((call: GatewayCall) => void)[] = [];
  let call: GatewayCall | undefined;
  const tell = (what: (call: GatewayCall) => void) => {
    if (call !== undefined) what(call);
    else if (early.length < MOST_EARLY) early.push(what);
  };
  const connection = webRtc.connect(certificate, {
    control(text) {
      const notice = readGatewayNotice(text);
      if (call === undefined && notice.ok && notice.value?.type === "call") {
        const { state, reason = "unknown" } = notice.value;
        if (state === "up" && isKnown(notice.value)) up.resolve(notice.value);
        else if (state === "ended") up.reject(endedEarly(reason));
      } else tell((one) => one.heardControl(text));
    },
    data: (message) => tell((one) => one.heardData(message)),
    track: (track) => tell((one) => one.heardTrack(track)),
    ready: () => tell((one) => one.controlReady()),
    state: (state) => tell((one) => one.connectionChanged(state)),
  });
  const drop = () => {
    connection.close();
    signaling.close(peerId).catch(() => undefined);
  };
  const remove = withdrawal.on(drop);
  try {
    await connection.send("audio", options.voice ?? null);
    await connection.send("video", options.picture ?? null);
    await signaling.answer(peerId, await connection.answer(offer));
    const made = new GatewayCall({
      ...{ context, signaling, peerId, connection, fingerprint },
      up: await inTime(context, up.promise),
      voice: options.voice ?? null,
    });
    call = made;
    made.whenOver(webRtc.watchNetwork(() => made.networkChanged()));
    made.whenOver(renewal(context, () => made.renewed(signaling.renew())));
    for (const what of early) what(made);
    return made;
  } catch (error) {
    drop();
    throw error;
  } finally {
    remove();
  }
}

function isKnown(notice: {
  readonly session_id?: string;
  readonly peer?: object;
  readonly gateway?: object;
}): notice is UpNotice {
  return notice.session_id !== undefined && notice.peer !== undefined && notice.gateway !== undefined;
}

function endedEarly(reason: string): ParleyError {
  return new ParleyError({
    code: "session-terminated",
    message: `The call ended before the peer connection was up: ${reason}.`,
    details: { reason },
  });
}

async function inTime<Value>({ platform: { clock } }: AgentContext, coming: Promise<Value>): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.at(clock.now() + CONNECT_MS, () =>
    late.reject(
      new ParleyError({
        code: "connect-timeout",
        message: "The peer connection to the gateway did not come up.",
      }),
    ),
  );
  try {
    return await Promise.race([coming, late.promise]);
  } finally {
    cancel();
  }
}

/** Has a fresh token shown again and again. The function it gives stops that. */
function renewal({ platform: { clock }, report }: AgentContext, renew: () => Promise<void>): () => void {
  let cancel = () => {};
  const arm = () => {
    cancel = clock.at(clock.now() + OWN_TOKEN_SECONDS * RENEW_AFTER * 1_000, () => {
      arm();
      renew().catch(report);
    });
  };
  arm();
  return () => cancel();
}
