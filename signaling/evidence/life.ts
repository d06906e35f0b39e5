import type { JsonObject, JsonValue } from "../../codecs/canonical-json.ts";
import type { EvidenceLines } from "./integrity.ts";
import type { MediaKeys } from "./media-keys.ts";
import { type Party, ROLES } from "./parties.ts";
import type { CheckedRecords } from "./records.ts";
import type { Findings } from "./report.ts";
import type { CheckedStream } from "./streams.ts";

/** What tells a session's life: its records, which the server alone signs. */
interface LifeInput {
  readonly lines: EvidenceLines;
  readonly records: CheckedRecords;
  readonly keys: MediaKeys;
  readonly parties: { readonly caller: Party; readonly callee: Party };
  readonly streams: readonly CheckedStream[];
  readonly findings: Findings;
}

/** Where an end is by the records so far. */
interface Whereabouts {
  /** It was said by which carrier it came. */
  isHere: boolean;
  isAway: boolean;
  attachSeq: number;
}

/** One record that is being told. */
interface Told {
  readonly index: number;
  readonly issuedAt: string;
  readonly extra: JsonObject;
  /** For faults. */
  readonly at: string;
}

/**
 * Tells what became of the session between its beginning and its end: suspensions, ends that went and came back, media that moved,
 * restarts of the server. All of it is the server's word; what no honest server can have recorded in this order is a fault.
 */
export function tellLife(input: LifeInput): void {
  const { lines, records, findings } = input;
  const placed = lines.of("record");
  const life = new Life(input);
  for (const [index, { payload }] of records.records.entries()) {
    const { event, extra = {}, issued_at: issuedAt } = payload;
    const at = `line ${placed[index]?.number}, record ${index}`;
    const told = { index, issuedAt, extra, at };
    const wrong = life.tell(event, told);
    if (wrong !== undefined) findings.fault(wrong, at);
  }
}

class Life {
  readonly #input: LifeInput;
  /** The suspension that is in force. */
  #suspension: string | undefined;
  /** By leg. */
  readonly #legs: readonly [Whereabouts, Whereabouts] = [
    { isHere: false, isAway: false, attachSeq: 0 },
    { isHere: false, isAway: false, attachSeq: 0 },
  ];

  constructor(input: LifeInput) {
    this.#input = input;
  }

  /** Says what a record tells; gives what is wrong with it, if anything is. */
  tell(event: string | undefined, told: Told): string | undefined {
    switch (event) {
      case "session-established":
        return this.#established(told);
      case "session-suspended":
        return this.#suspended(told);
      case "session-resumed":
        return this.#resumed(told);
      case "session-detached":
        return this.#detached(told);
      case "media-attached":
      case "session-rebound":
        return this.#attached(told, event === "session-rebound");
      case "session-restored":
        return this.#restored(told);
      case "unattributed":
        return this.#unattributed(told);
      case "stream-muted":
        return this.#toldOfStream(told, "speaker", told.extra.muted === true ? "muted" : "spoke again on");
      case "stream-held":
        return this.#toldOfStream(told, "listener", told.extra.held === true ? "held" : "took up again");
      case "keyframe-request":
        return this.#toldOfStream(told, "listener", "asked for a key frame of");
      case "rendition":
        return this.#rendition(told);
      case "authority-narrowed": {
        const leg = legOf(told.extra);
        const kept = Array.isArray(told.extra.scope) ? told.extra.scope.join(", ") : "";
        if (leg === undefined) return NO_LEG;
        this.#say(
          told,
          `${ROLES[leg]}: its authority covers less than it came with, keeps ${kept || "nothing"}`,
        );
        return undefined;
      }
      default:
        return undefined;
    }
  }

  /** An end that asks again is answered again, from wherever it asks: the first answer tells. */
  #established(told: Told): undefined {
    const { carrier } = told.extra;
    const leg = legOf(told.extra);
    if (leg === undefined || typeof carrier !== "string" || this.#legs[leg].isHere) return;
    this.#legs[leg].isHere = true;
    this.#say(told, `${ROLES[leg]}: has media over ${carrier}`);
  }

  #suspended(told: Told): string | undefined {
    const { suspension_id: id, by, resume_by: until, reason } = told.extra;
    if (typeof id !== "string") return "This record names no suspension.";
    // An end that asks again is answered again.
    if (this.#suspension === id) return undefined;
    if (this.#suspension !== undefined) return "It suspends a session that was suspended already.";
    this.#suspension = id;
    const why = typeof reason === "string" ? ` (${reason})` : "";
    this.#say(told, `suspended by the ${this.#roleOf(by)}${why}, to be resumed by ${String(until)}`);
    return undefined;
  }

  #resumed(told: Told): string | undefined {
    const { suspension_id: id, by } = told.extra;
    if (this.#suspension === undefined || this.#suspension !== id)
      return "It resumes what was not suspended.";
    this.#suspension = undefined;
    this.#say(told, `resumed by the ${this.#roleOf(by)}`);
    return undefined;
  }

  #detached(told: Told): string | undefined {
    const leg = legOf(told.extra);
    if (leg === undefined) return NO_LEG;
    this.#legs[leg].isAway = true;
    this.#say(told, `${ROLES[leg]}: without a connection (${String(told.extra.reason)})`);
    return undefined;
  }

  #attached(told: Told, isReturn: boolean): string | undefined {
    const { attach_seq: attachSeq, generation, carrier, media_key: named } = told.extra;
    const leg = legOf(told.extra);
    if (leg === undefined) return NO_LEG;
    const known = this.#legs[leg];
    if (typeof attachSeq !== "number" || attachSeq <= known.attachSeq)
      return "The number of an attachment does not rise.";
    known.attachSeq = attachSeq;
    const present = this.#input.keys.of(leg).findLast(({ since }) => since <= told.index)?.key.generation;
    if (generation !== undefined && generation !== present)
      return `It names key generation ${String(generation)}; in force is ${String(present)}.`;
    const what = !isReturn ? "has media" : known.isAway ? "came back" : "moved its media";
    known.isAway = false;
    const how = named === undefined ? "with the same key" : "with a new key";
    this.#say(told, `${ROLES[leg]}: ${what} over ${String(carrier)}${isReturn ? `, ${how}` : ""}`);
    return undefined;
  }

  #restored(told: Told): string | undefined {
    for (const leg of this.#legs) leg.isAway = true;
    const { reason, state } = told.extra;
    const what = state === "terminated" || state === "expired" ? "while it ended" : "and went on with it";
    this.#say(
      told,
      `the server was started anew (${String(reason)}) ${what}; what its relay had counted until then is lost`,
    );
    return undefined;
  }

  /** What a listener said of frames that it played: whose fault it is that it found no checkpoint nobody can tell, but the file may have one. */
  #unattributed(told: Told): string | undefined {
    const leg = legOf(told.extra);
    if (leg === undefined) return NO_LEG;
    const { stream, first_sequence: first, last_sequence: last } = told.extra;
    const place = `stream ${String(stream)}, frames ${String(first)} to ${String(last)}`;
    const heard = this.#input.streams.find((each) => each.stream === stream && each.leg !== leg);
    if (heard === undefined || typeof first !== "number" || typeof last !== "number" || first > last)
      return "It says unattributed of frames that this end cannot have heard.";
    const listed = heard.checkpoints.reduce((frames, { firstSequence, digests }) => {
      const within = Math.min(last, firstSequence + digests.length - 1) - Math.max(first, firstSequence) + 1;
      return frames + Math.max(0, within);
    }, 0);
    const fault =
      listed === 0
        ? "whose fault that is cannot be told"
        : `the speaker's checkpoints in this file list ${listed === last - first + 1 ? "them" : `${listed} of them`}`;
    this.#say(told, `${ROLES[leg]}: played what it found unattributed, ${place}; ${fault}`);
    return undefined;
  }

  /** What an end says of a stream that it sends, or hears: only who does can have said it. */
  #toldOfStream(told: Told, from: "speaker" | "listener", did: string): string | undefined {
    const leg = legOf(told.extra);
    if (leg === undefined) return NO_LEG;
    const { stream } = told.extra;
    const isTheirs = this.#input.streams.some(
      (each) => each.stream === stream && (each.leg === leg) === (from === "speaker"),
    );
    if (!isTheirs) return `It says this of a stream that its ${from} never had.`;
    this.#say(told, `${ROLES[leg]}: ${did} stream ${String(stream)}`);
    return undefined;
  }

  #rendition(told: Told): string | undefined {
    const leg = legOf(told.extra);
    if (leg === undefined) return NO_LEG;
    const { source, rendition } = told.extra;
    const isThere = this.#input.streams.some(
      ({ leg: speaker, agreed }) =>
        speaker !== leg &&
        agreed.modality === "video" &&
        agreed.source === source &&
        agreed.rendition === rendition,
    );
    if (!isThere) return "It names a rendition that was never agreed.";
    this.#say(told, `${ROLES[leg]}: is shown rendition ${String(rendition)} of picture ${String(source)}`);
    return undefined;
  }

  #roleOf(agentId: JsonValue | undefined): string {
    const { caller, callee } = this.#input.parties;
    // Records name the agents, whoever signs for them.
    const nameOf = ({ agentId: signer, gateway }: Party) => gateway?.subject ?? signer;
    return agentId === nameOf(caller) ? "caller" : agentId === nameOf(callee) ? "callee" : "server";
  }

  #say({ issuedAt }: Told, text: string): void {
    this.#input.findings.say("server-claimed", `${issuedAt}: ${text}`);
  }
}

const NO_LEG = "This record names no end of the session.";

function legOf({ leg }: JsonObject): 0 | 1 | undefined {
  return leg === 0 || leg === 1 ? leg : undefined;
}
