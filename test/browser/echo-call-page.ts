/** A page that calls through the gateway, shows its camera, speaks when it is told to, and measures what comes back. */
import { Agent, callThroughGateway, type GatewayCall, openMicrophone } from "../../agent/browser.ts";

declare global {
  var echoCall: {
    readonly begin: (asked: EchoCallAsked) => Promise<void>;
    readonly say: () => Promise<void>;
    /** Milliseconds of sound that came, silence left out, since `heard` was asked. */
    readonly audible: () => number;
    /** Since it was asked before, in pieces of 16-bit PCM, base64. */
    readonly heard: () => readonly string[];
    readonly watch: (milliseconds: number) => Promise<Watched>;
    readonly standing: () => Promise<{ readonly state: string; readonly codec: string | undefined }>;
    readonly hangUp: () => Promise<unknown>;
  };
  /** Put there by tests that lead the way to the server through something: gives the server's description as it is to be used. */
  var leadDescription: ((sdp: string) => Promise<string>) | undefined;
}

export interface EchoCallAsked {
  readonly url: string;
  readonly hash: string;
  readonly callee: string;
}

/** What the browser counted of pictures in a while. */
export interface Watched {
  /** The longest that no picture was shown, ms. */
  readonly longestGap: number;
  readonly seen: Counts<(typeof SEEN)[number]>;
  readonly shown: Counts<(typeof SHOWN)[number]>;
}

type Counts<Name extends string> = Readonly<Record<Name, number>>;

/** As `RTCPeerConnection.getStats()` names them. */
const SEEN = [
  ...(["framesDecoded", "framesDropped", "keyFramesDecoded", "freezeCount", "totalFreezesDuration"] as const),
  ...(["packetsReceived", "packetsLost", "nackCount", "pliCount"] as const),
] as const;
const SHOWN = ["framesEncoded", "keyFramesEncoded", "nackCount", "pliCount"] as const;

const BLOCK_MS = 20;
const LOUD = 3_000;
const PLAIN = { echoCancellation: false, noiseSuppression: false, autoGainControl: false } as const;

let connection: RTCPeerConnection | undefined;

globalThis.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(configuration?: RTCConfiguration) {
    super(configuration);
    connection = this;
  }

  override async setRemoteDescription({ type, sdp = "" }: RTCSessionDescriptionInit): Promise<void> {
    const led = (await globalThis.leadDescription?.(sdp)) ?? sdp;
    await super.setRemoteDescription({ type, sdp: led });
  }
};

let call: GatewayCall | undefined;
let microphone: MediaStream | undefined;
let recording: Int16Array[] = [];
const player = document.createElement("video");
/** When pictures were shown, monotonic milliseconds. */
const pictures: number[] = [];

globalThis.echoCall = {
  async begin({ url, hash, callee }) {
    const agent = await Agent.connect(url, { identity: "Ada", certificateHashes: [hash] });
    const camera = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 } });
    const [picture] = camera.getVideoTracks();
    if (picture === undefined) throw new Error("There is no camera.");
    call = await callThroughGateway(agent, callee, { picture });
    player.muted = true;
    player.srcObject = call.incoming;
    document.body.append(player);
    const shown = () => {
      pictures.push(performance.now());
      player.requestVideoFrameCallback(shown);
    };
    player.requestVideoFrameCallback(shown);
    await player.play();
    record(new MediaStream(call.incoming.getAudioTracks())).catch(console.error);
  },

  async say() {
    for (const track of microphone?.getTracks() ?? []) track.stop();
    microphone = await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
    await call?.send("audio", microphone.getAudioTracks()[0] ?? null);
  },

  audible: () => BLOCK_MS * recording.filter((block) => block.some((sample) => sample > LOUD)).length,

  heard() {
    const pieces = recording;
    recording = [];
    return pieces.map((piece) => btoa(String.fromCharCode(...new Uint8Array(piece.buffer))));
  },

  async watch(milliseconds) {
    const before = await counts();
    const from = performance.now();
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    const to = performance.now();
    const after = await counts();
    const moments = [from, ...pictures.filter((at) => at > from && at < to), to];
    const gaps = moments.slice(1).map((at, index) => at - (moments[index] as number));
    return {
      longestGap: Math.max(...gaps),
      seen: risen(SEEN, before.seen, after.seen),
      shown: risen(SHOWN, before.shown, after.shown),
    };
  },

  async standing() {
    const codec = (await call?.stats())?.seen?.codec;
    return { state: call?.state ?? "none", codec };
  },

  async hangUp() {
    await call?.hangUp();
    return await call?.ended;
  },
};

async function record(stream: MediaStream): Promise<void> {
  const ear = await openMicrophone({ stream, blockMs: BLOCK_MS });
  await ear.resume();
  for await (const pcm of ear) recording.push(pcm);
}

type Row = Readonly<Record<string, unknown>>;

async function counts(): Promise<{ readonly seen: Row; readonly shown: Row }> {
  const rows: Row[] = [];
  (await connection?.getStats())?.forEach((row: Row) => {
    rows.push(row);
  });
  const find = (type: string) => rows.find((row) => row.type === type && row.kind === "video") ?? {};
  return { seen: find("inbound-rtp"), shown: find("outbound-rtp") };
}

function risen<Name extends string>(names: readonly Name[], before: Row, after: Row): Counts<Name> {
  const entries = names.map((name) => [name, Number(after[name] ?? 0) - Number(before[name] ?? 0)]);
  return Object.fromEntries(entries) as Counts<Name>;
}
