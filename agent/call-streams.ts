import type { JsonObject } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { SessionNotice } from "../signaling/session-notice.ts";
import type { Terms } from "../signaling/terms.ts";
import type { CallChanges } from "./call-changes.ts";
import type { CallData } from "./call-data.ts";
import type { CallMedia } from "./call-media.ts";
import type { CallStream, StreamControl } from "./call-stream.ts";
import type { CallTerms } from "./call-terms.ts";
import { checkLabel } from "./data-offer.ts";
import type { AgentPlatform } from "./platform.ts";
import { offerWanted, openedFrom, type WantedStream } from "./stream-opening.ts";
import { readStreamParameters } from "./stream-parameters.ts";
import { StreamStates } from "./stream-states.ts";

export interface CallStreamsOptions {
  readonly platform: AgentPlatform;
  readonly clock: Clock;
  readonly leg: 0 | 1;
  readonly media: CallMedia;
  readonly terms: CallTerms;
  readonly changes: CallChanges;
  /** As `CallNotices.tell`. */
  readonly tell: (notice: SessionNotice) => Promise<void>;
  readonly isOver: () => boolean;
  readonly report: (error: unknown) => void;
}

/** The streams of a call while it is up: opened, muted, held and closed from here. */
export class CallStreams implements Pick<StreamControl, "mute" | "hold" | "show" | "close"> {
  readonly #options: CallStreamsOptions;
  readonly #states: StreamStates;

  constructor(options: CallStreamsOptions) {
    const { clock } = options;
    this.#options = options;
    this.#states = new StreamStates({
      ...options,
      pause: (ms) => new Promise((resolve) => clock.at(clock.now() + ms, resolve)),
    });
  }

  mute(stream: number, isMuted: boolean): void {
    this.#states.mute(stream, isMuted);
  }

  hold(stream: number, isHeld: boolean): void {
    this.#states.hold(stream, isHeld);
  }

  show(source: number, rendition: number | undefined): void {
    this.#states.show(source, rendition);
  }

  async close(stream: number): Promise<void> {
    await this.#options.terms.close(stream);
  }

  /** A stream is closed. */
  forget(stream: number): void {
    this.#states.forget(stream);
  }

  /** A stream that both ends agreed on cannot be made here: it must not stay up at the other end. */
  failed(stream: number, error: unknown): void {
    const { terms, report } = this.#options;
    report(error);
    terms.close(stream).catch(report);
  }

  /** Resolves once the other end has signed it and it flows here; with several renditions, all of them. */
  async open(wanted: WantedStream, reason?: string): Promise<CallStream> {
    if (wanted.modality === "data") checkLabel(wanted.label, "label");
    return await this.#open(wanted, reason);
  }

  /** The same for a reliable stream of JSON with one of Parley's own labels. */
  async openOwn(label: string): Promise<CallData> {
    return (await this.#open({ modality: "data", label })) as CallData;
  }

  async #open(wanted: WantedStream, reason?: string): Promise<CallStream> {
    const { platform, leg, media, changes } = this.#options;
    const freshSsrc = () => new DataView(platform.random(4).buffer).getUint32(0);
    const make = (present: Terms) =>
      openedFrom(leg, offerWanted(platform, wanted, { present, leg }, freshSsrc), freshSsrc);
    const streams = await changes.open(make, reason);
    const opened = await Promise.all(streams.map((stream) => media.opened(stream)));
    const [first] = opened;
    if (first === undefined) throw new ParleyError({ code: "field-invalid", message: "This opens nothing." });
    return first.handle;
  }

  /** The server says where streams lie that were opened. */
  laidOut({ laid_out: told }: JsonObject): void {
    if (told === undefined) return;
    const read = readStreamParameters(told);
    if (read.ok) this.#options.media.layOut(read.value);
    else this.#options.report(new ParleyError(read.fault));
  }

  /** The call has another connection: the server is told again what is muted and held. */
  again(): void {
    this.#states.again();
  }
}
