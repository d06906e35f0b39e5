import { MAX_KEY_GENERATION } from "../../codecs/frame.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { encodePublicKey } from "../keys.ts";
import { type MediaKey, verifyMediaKey } from "../media-key.ts";
import { step } from "../session-machine.ts";
import type { Asked } from "./asked.ts";
import { isCovered } from "./authorities.ts";
import type { Desk } from "./desk.ts";
import { keyInForce, type Session, type SessionLeg } from "./session.ts";
import type { OpenParameters } from "./session-parameters.ts";
import type { SessionTable } from "./session-table.ts";

/** An OPEN that waits for the relay's counters: its answer says where each stream goes on. */
export interface Attachment {
  readonly asked: Asked;
  readonly parameters: OpenParameters;
}

/** An OPEN that may be carried out. */
export interface AdmittedAttachment {
  readonly session: Session;
  readonly leg: SessionLeg;
  /** The media key it brings, where that is not the one in force. */
  readonly mediaKey: MediaKey | undefined;
  /** It was carried out already, on this connection. */
  readonly isRepeat: boolean;
}

/**
 * Whether an end's media may flow on the connection of this OPEN: judged as if the agent came anew. Changes nothing. Faults: those of
 * {@link SessionTable.participation}, the session machine's, `agent-suspended`, `agent-retired`, `scope-violation`, `attach-outdated`,
 * `generation-outdated`, `generations-exhausted`, and those of the media key.
 */
export function admitAttachment(
  desk: Desk,
  table: SessionTable,
  { asked, parameters }: Attachment,
  sessionId: string,
  now: number,
): Result<AdmittedAttachment> {
  const { connection } = asked;
  const agent = desk.registry.get(asked.agent.agentId) ?? asked.agent;
  const standing = desk.registry.standing(agent, connection.authority);
  if (!standing.ok) return standing;
  const found = table.participation(sessionId, agent.agentId, now);
  if (!found.ok) return found;
  const { session, leg } = found.value;
  const allowed = mayAttach(session);
  if (!allowed.ok) return allowed;
  const { attach_seq: attachSeq, media_key: jws } = parameters;
  const isRepeat = attachSeq === leg.attachSeq && leg.attached && leg.connection === connection.id;
  if (attachSeq <= leg.attachSeq && !isRepeat) {
    return refuse("attach-outdated", "A later connection carries the media.", "parameters.attach_seq", {
      attach_seq: leg.attachSeq,
    });
  }
  if (!isCovered(session)) {
    return refuse("scope-violation", "Nothing of what the ends agreed on is covered any more.", "path");
  }
  // Whoever asks for what was agreed and holds no key will bring one: media must not leave the process that has it for nothing.
  const isKeyless = parameters.take_up === true && jws === undefined;
  if (isKeyless && keyInForce(leg).generation === MAX_KEY_GENERATION) {
    return refuse("generations-exhausted", "This end has had all media keys of this call.", "path", {
      generation: MAX_KEY_GENERATION,
    });
  }
  const mediaKey = newKey(desk, session, leg, jws, now);
  if (!mediaKey.ok) return mediaKey;
  if (isRepeat && mediaKey.value !== undefined) return generationOutdated(leg);
  return ok({ session, leg, isRepeat, mediaKey: mediaKey.value });
}

/** An end may come back to a session that is paused; that alone does not let it go on. */
function mayAttach({ state }: Session): Result<unknown> {
  if (state === "suspended") return ok(undefined);
  return step(state, state === "detached" ? "reattach" : "control");
}

/** The media key that is brought; nothing for none, or the one in force. */
function newKey(
  { verifier }: Desk,
  session: Session,
  leg: SessionLeg,
  jws: string | undefined,
  now: number,
): Result<MediaKey | undefined> {
  const present = keyInForce(leg);
  if (jws === undefined || jws === present.jws) return ok(undefined);
  const { agentId, genesis } = leg.signer;
  const { offer_id: offerId } = session.offer.payload;
  const key = verifyMediaKey(jws, { agentId, publicKey: genesis.agentKey, offerId, now }, verifier);
  if (!key.ok) return { ok: false, fault: { ...key.fault, at: `parameters.${key.fault.at ?? "media_key"}` } };
  if (key.value.generation !== present.generation + 1) return generationOutdated(leg);
  const known = session.legs.flatMap(({ mediaKeys }) => mediaKeys);
  if (known.some(({ ed25519 }) => encodePublicKey(ed25519) === encodePublicKey(key.value.ed25519))) {
    return refuse(
      "certificate-invalid",
      "This key has signed in this call already.",
      "parameters.media_key.ed25519",
    );
  }
  return ok(key.value);
}

function generationOutdated(leg: SessionLeg): Result<never> {
  return refuse(
    "generation-outdated",
    "A new media key is of the generation after the one in force.",
    "parameters.media_key.generation",
    { generation: keyInForce(leg).generation },
  );
}
