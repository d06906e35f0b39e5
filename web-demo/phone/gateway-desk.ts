/** One call of this page over WebRTC: the server's gateway signs for it, and verifies what it hears. */
import { type GatewayCall, type GatewayCallOptions, ParleyError } from "@parley-rt/parley/agent";
import { gatewayLine } from "../audio/gateway-line.ts";
import { codecText } from "../model/gateway-facts.ts";
import { LiveMedia } from "../model/live-media.ts";
import { OwnCall } from "../model/own-call.ts";
import { type PageState, withMessage } from "../model/page-state.ts";
import { LossMeter } from "../model/series.ts";
import type { Store } from "../model/store.ts";
import { endSentence, refusalWords } from "../model/words.ts";
import type { CaptureKind } from "../video/capture.ts";
import type { Desk, DeskParts } from "./desk.ts";
import { saveEvidence, saveSound } from "./evidence.ts";
import { failureOf } from "./failure.ts";
import { GatewayHearing } from "./gateway-hearing.ts";
import { GatewayPictures } from "./gateway-pictures.ts";
import { RecordReader } from "./record-reader.ts";
import type { CallSound } from "./sound.ts";

/** How often what the browser measured is read, ms. */
const SAMPLE_MS = 500;

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
  readonly #loss = new LossMeter();
  #sampling: ReturnType<typeof setInterval> | undefined;

  constructor(options: DeskParts) {
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
    this.#own.failed(failureOf(error));
  }

  /** The other end answered, and the peer connection is up. */
  up(call: GatewayCall): void {
    this.#call = call;
    const { name, agentId } = this.#store.state;
    const end = { mediaKey: undefined, scope: [] };
    this.#own.update((state) => ({
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
      update: (change) => this.#own.update(change),
      notice: (text, tone) => this.#own.notice(text, tone),
      report: this.#report,
    });
    for (const track of call.incoming.getTracks()) this.#follow(track);
    call.on("track", ({ track }) => this.#follow(track));
    this.#sampling = setInterval(() => void this.#sample(call).catch(this.#report), SAMPLE_MS);
    this.#records.begin(call);
    const said = (pcm: Int16Array) => this.live.myLevel.hearPcm(pcm, performance.now());
    this.#sound.begin(gatewayLine(call, { said, report: this.#report }));
    void call.ended.then((end) => {
      this.#stopMedia();
      clearInterval(this.#sampling);
      this.#records.end();
      this.#own.update((state) => ({ ...state, away: undefined }));
      const sentence = endSentence(end, this.#own.state.peerName);
      this.#own.ended({ sentence, code: end.reason }, this.#hearing.recording.seconds);
      this.#over();
    });
  }

  hangUp(): void {
    if (this.#call === undefined) {
      this.#placing.abort();
      return;
    }
    this.#own.ending();
    this.#sound.end();
    this.#call.hangUp().catch(this.#report);
  }

  mute(): void {
    const call = this.#call;
    if (call === undefined) return;
    call.muted = !call.muted;
    this.#own.update((state) => ({ ...state, muted: call.muted }));
  }

  async interrupt(): Promise<void> {
    this.#call?.interrupt();
    this.#own.notice(`You asked the gateway to interrupt ${this.#own.state.peerName}.`);
  }

  async show(kind: CaptureKind): Promise<void> {
    await this.#pictures?.toggle(kind);
  }

  async send(value: object): Promise<void> {
    try {
      this.#call?.sendMessage(value);
      this.#own.update((state) => withMessage(state, { mine: true, value, at: Date.now() }));
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.#own.notice(failureOf(error).sentence, "warning");
    }
  }

  async saveEvidence(): Promise<void> {
    if (this.#call !== undefined) await saveEvidence(this.#own, this.#call);
  }

  saveSound(): void {
    saveSound(this.#own, this.#hearing.recording);
  }

  serverStops(deadline: number | undefined): void {
    this.#own.serverStops(deadline);
  }

  backOnline(): void {
    this.#records.ask();
  }

  leave(): void {
    this.#placing.abort();
    clearInterval(this.#sampling);
    this.#records.stop();
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
      this.#own.update((state) => ({ ...state, speaking: { ...state.speaking, [who]: speaking } })),
    );
    call.on("interrupted", () =>
      this.#own.notice(`${name} interrupted: what waited to be said was dropped.`),
    );
    call.on("muted", ({ who, muted }) => {
      if (who === "peer") this.#own.notice(muted ? `${name} is muted.` : `${name} is no longer muted.`);
    });
    call.on("verified", ({ frames, refused }) =>
      this.#own.update((state) => ({
        ...state,
        gateway: state.gateway && { ...state.gateway, verified: frames, refused },
      })),
    );
    call.on("refused", ({ reason, count }) => {
      if (this.#told.has(reason)) return;
      this.#told.add(reason);
      const which = count === 1 ? "A frame" : `${count} frames`;
      const tone = reason === "epoch" ? "plain" : "warning";
      this.#own.notice(
        `${which} of yours, signed by the gateway, refused, reason ${reason}: ${refusalWords(reason)}.`,
        tone,
      );
    });
    call.on("connection", ({ connected }) => {
      this.#own.update((state) => ({ ...state, away: connected ? undefined : "me" }));
      if (connected) this.#own.notice("The call goes on.");
      else this.#own.notice("Nothing comes through any more. This page looks for another way.", "warning");
    });
    call.on("message", ({ value }) =>
      this.#own.update((state) => withMessage(state, { mine: false, value, at: Date.now() })),
    );
  }

  async #sample(call: GatewayCall): Promise<void> {
    const stats = await call.stats();
    const now = performance.now();
    this.live.peerConnection = stats;
    this.#pictures?.measured(stats);
    this.live.roundTrip.add(now, stats.roundTrip);
    this.live.playoutDelay.add(now, stats.heard?.delay);
    const { heard } = stats;
    if (heard !== undefined)
      this.live.loss.add(now, this.#loss.look({ heard: heard.packets, missing: heard.lost }));
    const codec = heard?.codec ?? stats.spoken?.codec;
    const text = codec === undefined ? undefined : codecText(codec);
    if (this.#own.state.codec !== text) this.#own.update((state) => ({ ...state, codec: text }));
    this.#own.recorded(this.#hearing.recording);
  }

  #stopMedia(): void {
    this.#sound.end();
    this.#pictures?.end();
    this.#hearing.end();
  }
}
