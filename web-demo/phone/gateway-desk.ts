/** One call of this page over WebRTC: the server's gateway signs for it, and verifies what it hears. */
import {
  type GatewayCall,
  type GatewayCallOptions,
  ParleyError,
  type PeerStats,
} from "@parley-rt/parley/agent";
import { gatewayLine } from "../audio/gateway-line.ts";
import { codecText } from "../model/gateway-facts.ts";
import { LiveMedia } from "../model/live-media.ts";
import { OwnCall } from "../model/own-call.ts";
import { type CallState, type Notice, type PageState, withMessage, withNotice } from "../model/page-state.ts";
import { lossBetween } from "../model/series.ts";
import type { Store } from "../model/store.ts";
import { RECORDING_IS_FULL } from "../model/wav.ts";
import { endSentence, failureSentence, refusalWords } from "../model/words.ts";
import type { CaptureKind } from "../video/capture.ts";
import { evidenceName } from "../view/stage-view.ts";
import type { Desk } from "./desk.ts";
import { download } from "./download.ts";
import { saveEvidence, sentenceOf } from "./evidence.ts";
import { GatewayHearing } from "./gateway-hearing.ts";
import { GatewayPictures } from "./gateway-pictures.ts";
import { RecordReader } from "./record-reader.ts";
import type { CallSound } from "./sound.ts";

/** How often what the browser measured is read, and records asked for, ms. */
const SAMPLE_MS = 500;
const RECORDS_MS = 1_000;
/** How long after the end records are still asked for: the closing statements come then, ms. */
const LAST_RECORDS_MS = 3_000;

export class GatewayDesk implements Desk {
  readonly live = new LiveMedia();
  /** The browser decodes what comes: see `CallState.picture`. */
  readonly screens = [];
  readonly #own: OwnCall;
  readonly #store: Store<PageState>;
  readonly #sound: CallSound;
  readonly #records: RecordReader;
  readonly #hearing: GatewayHearing;
  readonly #over: () => void;
  readonly #report: (error: unknown) => void;
  readonly #placing = new AbortController();
  readonly #told = new Set<string>();
  #call: GatewayCall | undefined;
  #pictures: GatewayPictures | undefined;
  #counted = { heard: 0, missing: 0 };
  #timers: ReturnType<typeof setInterval>[] = [];

  constructor(options: {
    readonly store: Store<PageState>;
    readonly sound: CallSound;
    readonly peer: { readonly agentId: string; readonly name: string };
    /** The call is over here. */
    readonly over: () => void;
    readonly report: (error: unknown) => void;
  }) {
    this.#store = options.store;
    this.#sound = options.sound;
    this.#over = options.over;
    this.#report = options.report;
    this.#own = new OwnCall(options.store, options.peer, "calling", "gateway");
    this.#records = new RecordReader(this.#own, options.report);
    this.#hearing = new GatewayHearing(
      (pcm) => this.live.peerLevel.hearPcm(pcm, performance.now()),
      options.report,
    );
  }

  get placing(): AbortSignal {
    return this.#placing.signal;
  }

  get sessionId(): string | undefined {
    return this.#call?.id;
  }

  /** What the call is made or taken with. */
  options(): GatewayCallOptions {
    return { signal: this.placing };
  }

  failed(error: unknown): void {
    const code = error instanceof ParleyError ? error.code : "unknown";
    const message = error instanceof Error ? error.message : String(error);
    const outcome = { sentence: failureSentence(code, message), code };
    this.#update((state) => ({ ...state, phase: "failed", outcome }));
  }

  /** The other end answered, and the peer connection is up. */
  up(call: GatewayCall): void {
    this.#call = call;
    const { name, agentId } = this.#store.state;
    const end = { mediaKey: undefined, scope: [] };
    this.#update((state) => ({
      ...state,
      me: { ...end, name, agentId: agentId ?? "" },
      peer: { ...end, name: state.peerName, agentId: call.peer.agentId },
      gateway: { agentId: call.gateway, fingerprint: call.fingerprint, verified: 0, refused: 0 },
      peerGateway:
        call.peer.gateway === undefined ? undefined : { agentId: call.peer.gateway, issuer: undefined },
      phase: "up",
      sessionId: call.id,
      since: Date.now(),
      hasData: true,
      speaking: call.speaking,
    }));
    this.#watch(call);
    this.#pictures = new GatewayPictures({
      call,
      peer: this.#own.state.peerName,
      update: (change) => this.#update(change),
      notice: (text, tone) => this.#notice(text, tone),
      report: this.#report,
    });
    for (const track of call.incoming.getTracks()) this.#follow(track);
    call.on("track", ({ track }) => this.#follow(track));
    this.#timers = [
      setInterval(() => void this.#sample(call).catch(this.#report), SAMPLE_MS),
      setInterval(() => this.#records.ask(call), RECORDS_MS),
    ];
    this.#records.ask(call);
    const said = (pcm: Int16Array) => this.live.myLevel.hearPcm(pcm, performance.now());
    this.#sound.begin(gatewayLine(call, { said, report: this.#report }));
    void call.ended.then((end) => {
      this.#stopMedia();
      this.#ended(endSentence(end, this.#own.state.peerName), end.reason);
    });
  }

  hangUp(): void {
    if (this.#call === undefined) {
      this.#placing.abort();
      return;
    }
    this.#update((state) => (state.phase === "up" ? { ...state, phase: "ending" } : state));
    this.#sound.end();
    this.#call.hangUp().catch(this.#report);
  }

  mute(): void {
    const call = this.#call;
    if (call === undefined) return;
    call.muted = !call.muted;
    this.#update((state) => ({ ...state, muted: call.muted }));
  }

  async interrupt(): Promise<void> {
    this.#call?.interrupt();
    this.#notice(`You asked the gateway to interrupt ${this.#own.state.peerName}.`);
  }

  async show(kind: CaptureKind): Promise<void> {
    await this.#pictures?.toggle(kind);
  }

  async send(value: object): Promise<void> {
    try {
      this.#call?.sendMessage(value);
      this.#update((state) => withMessage(state, { mine: true, value, at: Date.now() }));
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.#notice(sentenceOf(error), "warning");
    }
  }

  async saveEvidence(): Promise<void> {
    if (this.#call !== undefined) await saveEvidence(this.#own, this.#call);
  }

  saveSound(): void {
    const name = evidenceName(this.#own.state).replace(/evidence$/, "wav");
    download(name, this.#hearing.recording.wav(), "audio/wav");
  }

  serverStops(deadline: number | undefined): void {
    const until =
      deadline === undefined ? "" : ` This call can go on until ${new Date(deadline).toLocaleTimeString()}.`;
    if (this.#own.state.phase === "up") this.#notice(`The server is about to stop.${until}`, "warning");
  }

  backOnline(): void {
    if (this.#call !== undefined) this.#records.ask(this.#call);
  }

  leave(): void {
    this.#placing.abort();
    this.#stopTimers();
    this.#stopMedia();
    this.#call?.hangUp().catch(this.#report);
  }

  #follow(track: MediaStreamTrack): void {
    if (track.kind === "audio") this.#hearing.begin(track);
    else this.#pictures?.follow(track);
  }

  #watch(call: GatewayCall): void {
    const name = this.#own.state.peerName;
    call.on("speaking", ({ who, speaking }) =>
      this.#update((state) => ({ ...state, speaking: { ...state.speaking, [who]: speaking } })),
    );
    call.on("interrupted", () => this.#notice(`${name} interrupted: what waited to be said was dropped.`));
    call.on("muted", ({ who, muted }) => {
      if (who === "peer") this.#notice(muted ? `${name} is muted.` : `${name} is no longer muted.`);
    });
    call.on("verified", ({ frames, refused }) =>
      this.#update((state) => ({
        ...state,
        gateway: state.gateway && { ...state.gateway, verified: frames, refused },
      })),
    );
    call.on("refused", ({ reason, count }) => {
      if (this.#told.has(reason)) return;
      this.#told.add(reason);
      const which = count === 1 ? "A frame" : `${count} frames`;
      const tone = reason === "epoch" ? "plain" : "warning";
      this.#notice(
        `${which} of yours, signed by the gateway, refused, reason ${reason}: ${refusalWords(reason)}.`,
        tone,
      );
    });
    call.on("connection", ({ connected }) => {
      this.#update((state) => ({ ...state, away: connected ? undefined : "me" }));
      if (connected) this.#notice("The call goes on.");
      else this.#notice("Nothing comes through any more. This page looks for another way.", "warning");
    });
    call.on("message", ({ value }) =>
      this.#update((state) => withMessage(state, { mine: false, value, at: Date.now() })),
    );
  }

  async #sample(call: GatewayCall): Promise<void> {
    const stats = await call.stats();
    const now = performance.now();
    this.live.peerConnection = stats;
    this.#pictures?.measured(stats);
    this.live.roundTrip.add(now, stats.roundTrip);
    this.live.playoutDelay.add(now, stats.heard?.delay);
    this.live.loss.add(now, this.#lossOf(stats));
    const codec = stats.heard?.codec ?? stats.spoken?.codec;
    const { recording } = this.#hearing;
    const measured = {
      codec: codec === undefined ? undefined : codecText(codec),
      recordedSeconds: Math.floor(recording.seconds),
    };
    const { state } = this.#own;
    if (recording.overflowed && !state.recordingFull) {
      this.#update((before) => ({ ...before, recordingFull: true }));
      this.#notice(RECORDING_IS_FULL);
    }
    if (state.codec !== measured.codec || state.recordedSeconds !== measured.recordedSeconds)
      this.#update((before) => ({ ...before, ...measured }));
  }

  #lossOf({ heard }: PeerStats): number | undefined {
    if (heard === undefined) return undefined;
    const counted = { heard: heard.packets, missing: heard.lost };
    const loss = lossBetween(this.#counted, counted);
    this.#counted = counted;
    return loss;
  }

  #notice(text: string, tone: Notice["tone"] = "plain"): void {
    this.#update((state) => withNotice(state, text, tone));
  }

  #update(change: (call: CallState) => CallState): void {
    this.#own.update(change);
  }

  #ended(sentence: string, code: string): void {
    const [sampling] = this.#timers;
    clearInterval(sampling);
    setTimeout(() => this.#stopTimers(), LAST_RECORDS_MS);
    this.#update((state) => ({
      ...state,
      phase: "ended",
      away: undefined,
      until: Date.now(),
      outcome: { sentence, code },
      recordedSeconds: this.#hearing.recording.seconds,
    }));
    this.#over();
  }

  #stopMedia(): void {
    this.#sound.end();
    this.#pictures?.end();
    this.#hearing.end();
  }

  #stopTimers(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
  }
}
