/** One call of this page: from before it is placed, accepted or taken up until its evidence is saved. */
import { type Call, type CallOptions, type FrameFate, ParleyError } from "@parley-rt/parley/agent";
import { signedLine } from "../audio/signed-line.ts";
import { LiveMedia } from "../model/live-media.ts";
import { OwnCall } from "../model/own-call.ts";
import { type CallState, type PageState, withMessage } from "../model/page-state.ts";
import { EVERYTHING, scopeWithin } from "../model/scope-tokens.ts";
import { LossMeter } from "../model/series.ts";
import type { Store } from "../model/store.ts";
import { Recording } from "../model/wav.ts";
import { durationText, endSentence, refusalWords } from "../model/words.ts";
import type { CaptureKind } from "../video/capture.ts";
import type { Screen } from "../video/screen.ts";
import { endpointsOf, termsFacts, withoutTransmit } from "./agreed.ts";
import { CallPictures } from "./call-pictures.ts";
import type { Desk, DeskParts } from "./desk.ts";
import { saveEvidence, saveSound } from "./evidence.ts";
import { failureOf } from "./failure.ts";
import { forgetCall, keepCall } from "./kept-call.ts";
import { RecordReader } from "./record-reader.ts";
import { SentRate } from "./sent-rate.ts";
import type { CallSound } from "./sound.ts";
import { TabSign } from "./tab-sign.ts";
import { Tampering } from "./tampering.ts";
import { TROUBLES, type TroubleKind } from "./troubles.ts";
import { watchVoice } from "./voice-news.ts";

/** How often counters are read for the charts, ms. */
const SAMPLE_MS = 500;

export class CallDesk implements Desk {
  readonly live = new LiveMedia();
  readonly #store: Store<PageState>;
  readonly #own: OwnCall;
  readonly #sound: CallSound;
  readonly #records: RecordReader;
  readonly #roundTrip: () => number | undefined;
  readonly #report: (error: unknown) => void;
  readonly #placing = new AbortController();
  readonly #over: () => void;
  #call: Call | undefined;
  /** This tab has the call: for a reloaded page to see. */
  #here: TabSign | undefined;
  /** When the other end went away, and up to when the gap of an end that is away was drawn, monotonic milliseconds. */
  #peerLeftAt: number | undefined;
  #drawnTo: number | undefined;
  #pictures: CallPictures | undefined;
  #recording: Recording | undefined;
  readonly #tampering = new Tampering();
  /** Reasons of refusal that were told already; told again after each deliberate act. */
  readonly #told = new Set<string>();
  #sampling: ReturnType<typeof setInterval> | undefined;
  readonly #loss = new LossMeter();
  readonly #rates = new SentRate();

  constructor(
    options: DeskParts & {
      readonly phase: "calling" | "returning";
      readonly roundTrip: () => number | undefined;
    },
  ) {
    this.#store = options.store;
    this.#sound = options.sound;
    this.#roundTrip = options.roundTrip;
    this.#report = options.report;
    this.#over = options.over;
    this.#own = new OwnCall(options.store, options.peer, options.phase);
    this.#records = new RecordReader(this.#own, options.report);
  }

  /** Aborted when people take the call back before it is answered. */
  get placing(): AbortSignal {
    return this.#placing.signal;
  }

  get sessionId(): string | undefined {
    return this.#call?.id;
  }

  /** What the call is made or taken with. `offered`: the caller's scope, where it is taken. */
  options(offered: readonly string[] = EVERYTHING): CallOptions {
    return {
      data: true,
      ...scopeWithin(offered),
      streams: () => true,
      keepSending: true,
      watch: (fate) => this.#frame(fate),
      outgoing: (packet) => this.#packet(packet),
    };
  }

  /** The pictures of the other end, while the call is up. */
  get screens(): readonly Screen[] {
    return this.#pictures?.screens ?? [];
  }

  ringing(): void {
    this.#own.update((state) => ({ ...state, phase: "ringing" }));
  }

  /** The call could not be made or taken. */
  failed(error: unknown): void {
    this.#own.failed(failureOf(error));
  }

  /**
   * A call that was up before is up here: after another tab had it, or this page was reloaded and last had it at `at`, Unix
   * milliseconds.
   */
  takenUp(
    call: Call,
    before: { readonly since?: number | undefined; readonly at?: number | undefined },
  ): void {
    this.up(call, before.since);
    if (before.at === undefined) {
      this.#own.notice("You went on with this call in this tab.");
      return;
    }
    const away = Math.max(0, Date.now() - before.at);
    this.live.heard.away(away);
    this.live.sent.away(away);
    this.#own.notice(`This page was reloaded. For ${durationText(away)} nothing was said or heard here.`);
  }

  /** Both ends agreed: sound, data and records begin. */
  up(call: Call, since = Date.now()): void {
    this.#call = call;
    this.#recording = new Recording(call.audio.hears?.clockRate ?? 48_000);
    const { peerName: peer } = this.#own.state;
    const names = { me: this.#store.state.name, peer };
    this.#own.update((state) => ({
      ...state,
      ...endpointsOf(call, names),
      ...termsFacts(call),
      phase: "up",
      sessionId: call.id,
      since,
      hasData: call.data !== undefined,
      peerGateway: call.peer.gateway,
    }));
    call.on("interrupted", () =>
      this.#own.notice(`${peer} interrupted: what waited to be said was dropped.`),
    );
    call.on("terms-changed", () =>
      this.#own.update((state) => ({ ...state, ...endpointsOf(call, names), ...termsFacts(call) })),
    );
    this.#watchConnections(call);
    watchVoice(call, {
      name: peer,
      live: this.live,
      update: (change) => this.#own.update(change),
      notice: (text, tone) => this.#own.notice(text, tone),
    });
    this.#pictures = new CallPictures({
      call,
      peer,
      live: this.live.pictures,
      update: (change) => this.#own.update(change),
      notice: (text, tone) => this.#own.notice(text, tone),
      choice: () => {
        const { pictureCodec, renditions } = this.#store.state;
        return { codec: pictureCodec, renditions };
      },
      soundDelay: () => this.#sound.delay,
      report: this.#report,
    });
    this.#here = new TabSign(`call ${call.id}`);
    void this.#here.show(true);
    this.#keep(call);
    this.#sampling = setInterval(() => this.#sample(call), SAMPLE_MS);
    this.#records.begin(call);
    this.#sound.begin(signedLine(call, this.#report));
    this.#hear(call).catch(this.#report);
    this.#readData(call).catch(this.#report);
    void call.ended.then((end) => {
      this.#sound.end();
      this.#pictures?.end();
      void this.#here?.show(false);
      forgetCall();
      clearInterval(this.#sampling);
      this.#records.end();
      const outcome = { sentence: endSentence(end, peer), code: end.reason };
      this.#own.ended(outcome, this.#recording?.seconds ?? 0);
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
    this.#call.end("hung-up").catch(this.#report);
  }

  mute(): void {
    const { audio } = this.#up();
    audio.muted = !audio.muted;
    this.#own.update((state) => ({ ...state, muted: audio.muted }));
  }

  /** Shows the camera or the screen, or no longer. */
  async show(kind: CaptureKind): Promise<void> {
    await this.#pictures?.toggle(kind);
  }

  muteStream(id: number): void {
    this.#pictures?.mute(id);
    const { audio } = this.#up();
    this.#own.update((state) => ({ ...state, muted: audio.muted }));
  }

  holdStream(id: number): void {
    this.#pictures?.hold(id);
  }

  async closeStream(id: number): Promise<void> {
    await this.#try(this.#pictures?.close(id) ?? Promise.resolve());
  }

  async interrupt(): Promise<void> {
    const call = this.#up();
    this.#sound.silence();
    await this.#try(call.interrupt());
    this.#own.notice(
      `You interrupted ${this.#own.state.peerName}. What it had said and you had not heard was dropped.`,
    );
  }

  async narrow(): Promise<void> {
    const call = this.#up();
    this.#told.clear();
    this.#own.update((state) => ({ ...state, narrowed: true }));
    this.#own.notice(
      "You gave up the authority to transmit. This page goes on sending, to show what the server does.",
    );
    await this.#try(call.narrow(withoutTransmit(call)));
  }

  tamper(): void {
    this.#told.clear();
    this.#tampering.ask();
  }

  async send(value: object): Promise<void> {
    const { data } = this.#up();
    if (data === undefined) return;
    await this.#try(data.send(value));
    this.#own.update((state) => withMessage(state, { mine: true, value, at: Date.now() }));
  }

  async saveEvidence(): Promise<void> {
    if (this.#call !== undefined) await saveEvidence(this.#own, this.#call);
  }

  saveSound(): void {
    if (this.#recording !== undefined) saveSound(this.#own, this.#recording);
  }

  /** The server will stop; `deadline` is when it ends the calls that are still up, Unix milliseconds. */
  serverStops(deadline: number | undefined): void {
    this.#own.serverStops(deadline);
  }

  /** Everything goes through another network from now on. */
  networkChanged(kind: TroubleKind): void {
    const { label, about } = TROUBLES[kind];
    if (this.#own.state.phase === "up") this.#own.notice(`Network trouble: ${label}. ${about}`);
  }

  /** The page is online again: what the server recorded meanwhile can be read now. */
  backOnline(): void {
    this.#records.ask();
  }

  /** Nothing of this call runs or is kept any more. */
  leave(): void {
    this.#placing.abort();
    void this.#here?.show(false);
    clearInterval(this.#sampling);
    this.#records.stop();
    this.#sound.end();
    this.#pictures?.end();
  }

  #up(): Call {
    if (this.#call !== undefined) return this.#call;
    throw new Error("There is no call.");
  }

  /** A refusal is said on the page; anything else is a fault. */
  async #try(act: Promise<unknown>): Promise<void> {
    try {
      await act;
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.#own.notice(failureOf(error).sentence, "warning");
    }
  }

  #frame({ direction, stream, sequence, fate, reason, level }: FrameFate): void {
    if (direction === "sent") this.#tampering.sent({ sequence, fate });
    const isPicture = this.#call?.streams.find(({ id }) => id === stream)?.modality === "video";
    // What came of a picture is drawn where it is decoded, with its size.
    if (isPicture && fate === "verified") return;
    const { seen, shown } = this.live.pictures;
    const [sent, heard] = isPicture ? [shown, seen] : [this.live.sent, this.live.heard];
    (direction === "sent" ? sent : heard).add({ sequence, fate, reason, level });
    if (fate === "sent" && level !== undefined) this.live.myLevel.hear(-level, performance.now());
    if (fate !== "refused" || reason === undefined || this.#told.has(direction + reason)) return;
    // Under way as the call came to wait for an end: that is told.
    if (reason === "session-state") return;
    this.#told.add(direction + reason);
    const which = sequence === undefined ? "A frame" : `Frame ${sequence}`;
    const whose =
      direction === "sent" ? "of yours was refused by the server" : "of the other end was refused";
    // What an interrupt cut off was meant to be refused.
    const tone = reason === "epoch" ? "plain" : "warning";
    this.#own.notice(`${which} ${whose}, reason ${reason}: ${refusalWords(reason)}.`, tone);
  }

  #packet(packet: Uint8Array): void {
    if (this.#tampering.alter(packet))
      this.#own.notice("One bit of your next frame was flipped, after it was signed.");
  }

  async #hear(call: Call): Promise<void> {
    for await (const heard of call.audio.heard({ silence: true })) {
      this.#sound.play(heard.pcm);
      if (heard.kind === "silence") continue;
      this.#recording?.put(heard.pcm, heard.position, heard.channels);
      this.live.peerLevel.hearPcm(heard.pcm, performance.now());
    }
  }

  async #readData(call: Call): Promise<void> {
    if (call.data === undefined) return;
    for await (const { value } of call.data)
      this.#own.update((state) => withMessage(state, { mine: false, value, at: Date.now() }));
  }

  #sample(call: Call): void {
    const now = performance.now();
    if (call.state === "active") this.#keep(call);
    this.#pictures?.sample(now);
    this.#drawGap();
    const stats = call.stats();
    const { heard } = stats;
    this.live.way = { ...this.live.way, ...this.#rates.wayOf(stats, now) };
    this.live.roundTrip.add(now, this.#roundTrip());
    if (heard !== undefined && this.#drawnTo === undefined) {
      this.live.playoutDelay.add(now, heard.delay);
      this.live.loss.add(now, this.#loss.look({ heard: heard.heard, missing: heard.concealed }));
    }
    if (this.#recording !== undefined) this.#own.recorded(this.#recording);
  }

  /** What becomes of the two ends' connections while it goes on. */
  #watchConnections(call: Call): void {
    const { peerName: name } = this.#own.state;
    const away = (who: CallState["away"]) => {
      this.#drawGap();
      this.#drawnTo = who === undefined ? undefined : performance.now();
      this.#own.update((state) => ({ ...state, away: who }));
    };
    call.on("detached", () => {
      away("me");
      this.#own.notice("This page lost the call's connection, and tries again.", "warning");
    });
    call.on("reattached", ({ after }) => {
      away(this.#peerLeftAt === undefined ? undefined : "peer");
      this.#own.notice(`The call goes on. For ${durationText(after)} nothing was said or heard here.`);
    });
    call.on("peer-detached", ({ until }) => {
      this.#peerLeftAt = performance.now();
      if (this.#own.state.away === undefined) away("peer");
      const time = new Date(until).toLocaleTimeString();
      this.#own.notice(`${name} lost its connection. The call waits for it until ${time}.`, "warning");
    });
    call.on("peer-attached", () => {
      const left = this.#peerLeftAt;
      this.#peerLeftAt = undefined;
      if (this.#own.state.away === "peer") away(undefined);
      if (left === undefined) return;
      this.#own.notice(`${name} is back after ${durationText(performance.now() - left)}.`);
    });
  }

  /** While an end is away the strip goes on, with nothing in it. */
  #drawGap(): void {
    if (this.#drawnTo === undefined) return;
    const now = performance.now();
    this.live.heard.away(now - this.#drawnTo);
    this.#drawnTo = now;
  }

  /** Keeps the call for this page when it is reloaded. */
  #keep(call: Call): void {
    const { since = Date.now(), me } = this.#own.state;
    if (me === undefined || this.#own.state.phase !== "up") return;
    const { peerId: agentId, peerName: name } = this.#own.state;
    keepCall({
      sessionId: call.id,
      agentId: me.agentId,
      peer: { agentId, name },
      since,
      at: Date.now(),
    });
  }
}
