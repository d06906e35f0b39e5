import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { ExchangeId, SwitchboardInput, SwitchboardOutput } from "../../signaling/switchboard/io.ts";
import type { PeerWish } from "../../signaling/switchboard/peer-requests.ts";
import { readFragment } from "../../transports/webrtc/sdp-fragment.ts";
import { writeDescription } from "../../transports/webrtc/sdp-writing.ts";
import type { JudgedAsker, PeerDesk } from "./desk.ts";

type Wanted = Extract<SwitchboardOutput, { kind: "peer-wanted" }>;

/** Brings what agents ask of WebRTC peers in AGTP exchanges to the desk, and what the desk says back to the switchboard. */
export class DeskExchanges {
  readonly #desk: () => PeerDesk;
  readonly #input: (input: SwitchboardInput) => void;
  /** Those that the desk has not answered, which the switchboard bounds. */
  readonly #asked = new Map<ExchangeId, AbortController>();

  /** `desk`: asked for at each request. `input` takes what came of it; must not throw. */
  constructor(options: {
    readonly desk: () => PeerDesk;
    readonly input: (input: SwitchboardInput) => void;
  }) {
    this.#desk = options.desk;
    this.#input = options.input;
  }

  /** Resolves when what came of it was handed in. Rejects where the desk did. */
  async ask({ exchange, agentId, origins, token, wish }: Wanted): Promise<void> {
    const abandoned = new AbortController();
    this.#asked.set(exchange, abandoned);
    let outcome: Result<JsonObject> = refuse("server-error", "The desk of WebRTC peers failed.");
    try {
      const desk = this.#desk();
      const off = desk.unavailable();
      if (off !== undefined) outcome = { ok: false, fault: off };
      else if (token === undefined)
        outcome = refuse(
          "token-required",
          "Bring an access token: the gateway acts by it.",
          "parameters.access_token",
        );
      else {
        const asker = await desk.judge({ token, origins, agentId });
        outcome = asker.ok ? await outcomeOf(desk, asker.value, wish, abandoned.signal) : asker;
      }
    } finally {
      this.#asked.delete(exchange);
      this.#input({ kind: "peer", exchange, outcome });
    }
  }

  /** Nobody waits for that one any more. */
  drop(exchange: ExchangeId): void {
    this.#asked.get(exchange)?.abort();
  }
}

async function outcomeOf(
  desk: PeerDesk,
  asker: JudgedAsker,
  wish: PeerWish,
  abandoned: AbortSignal,
): Promise<Result<JsonObject>> {
  if (wish.kind === "open") {
    const { to, session_id: sessionId, audio, video, data = false } = wish;
    const opened = await desk.open({
      ...{ way: "exchange", asker, audio, video, data, abandoned },
      ...(to === undefined ? {} : { to }),
      ...(sessionId === undefined ? {} : { sessionId }),
    });
    if (!opened.ok) return opened;
    return ok({ peer_id: opened.value.id, sdp: writeDescription(opened.value.description) });
  }
  const { peerId: id } = wish;
  const done = (result: Result<void>): Result<JsonObject> => (result.ok ? ok({ peer_id: id }) : result);
  switch (wish.kind) {
    case "answer":
      return done(await desk.answer({ id, asker }, wish.sdp));
    case "trickle": {
      const fragment = readFragment(wish.fragment);
      return fragment.ok ? done(await desk.trickle({ id, asker }, fragment.value, undefined)) : fragment;
    }
    case "restart": {
      const restarted = await desk.restart({ id, asker }, undefined);
      return restarted.ok
        ? ok({ peer_id: id, sdp: writeDescription(restarted.value.description) })
        : restarted;
    }
    case "close":
      return done(await desk.close({ id, asker }));
  }
}
