import type { JsonObject, JsonValue } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { CLOSE_CODES } from "../sfu/carrier.ts";
import { latestTerms, readSteps } from "../signaling/latest-terms.ts";
import { type MediaKey, verifyMediaKey } from "../signaling/media-key.ts";
import { type CheckedSession, checkSession } from "../signaling/peer-check.ts";
import type { ClockStatement } from "../signaling/stream-fields.ts";
import { type AgentContext, ownIdentity } from "./agent-context.ts";
import type { Call } from "./call.ts";
import { documentsOf, makeCall, objectOf, refuseSession, textOf } from "./call-assembly.ts";
import { type ReopenedConnection, reopenCallConnection } from "./call-connection.ts";
import type { CallOptions } from "./call-options.ts";
import { createMediaKeyPair } from "./media-key-pair.ts";
import { listSessions, type SessionListing } from "./session-listing.ts";
import { readStatementPlaces } from "./stream-parameters.ts";
import { unwrap } from "./unwrap.ts";
import type { Withdrawal } from "./withdrawal.ts";

/** How often a session is asked for that another process asks for as well. */
const TRIES = 3;

/** A session as both ends signed it, with what has changed since. */
interface TakenSession {
  readonly session: CheckedSession;
  /** Of this agent's media key in force, which another process has. */
  readonly generation: number;
  readonly peerClock: ClockStatement;
  readonly suspension: JsonObject | undefined;
}

/** Goes on with a session that another process of this agent has, or had: see `Agent.takeUp`. */
export async function takeUpSession(
  context: AgentContext,
  sessionId: string,
  options: CallOptions,
  withdrawal: Withdrawal,
): Promise<Call> {
  return await withdrawal.unless(
    () => takeUp(context, sessionId, options),
    // It goes on wherever it is taken up next.
    (late) => late.agentClosed({ code: CLOSE_CODES.normal, reason: "" }),
  );
}

async function takeUp(context: AgentContext, sessionId: string, options: CallOptions): Promise<Call> {
  const listing = (await listSessions(context.control)).find((each) => each.sessionId === sessionId);
  if (listing === undefined) {
    throw new ParleyError({
      code: "session-not-found",
      message: "This agent has no such session.",
      at: sessionId,
    });
  }
  const clock: JsonObject = { ...context.clock };
  // What was agreed says which call the media key is for: it comes with the second OPEN.
  const first = await openNext(context, listing, { take_up: true, clock });
  const taken = await checkTaken(context, listing, objectOf(first.result, "agreement"));
  const { session, generation, peerClock, suspension } = taken;
  const ttl = Math.max(1, Math.ceil(session.terms.expires_at - context.platform.clock.wall() / 1000));
  const key = await createMediaKeyPair(context, session.offer.payload.offer_id, ttl, generation + 1);
  const connection = await openNext(
    context,
    { ...listing, attachSeq: first.attachSeq },
    { media_key: key.certificate, clock },
  ).finally(() => first.close());
  try {
    const statements = unwrap(readStatementPlaces(connection.result.statements));
    const mediaKey = ownKey(context, session, key.certificate);
    return await makeCall(context, options, {
      authorityScope: objectOf(first.result, "agreement").authority_scope,
      session: { ...session, mediaKey },
      mediaSigner: key.signer,
      exchange: key.exchange,
      connection,
      peerClock,
      statements,
      suspension,
      state: connection.result.state,
    });
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** OPEN with a number above the one known, or above the one that another process was quicker with. */
async function openNext(
  context: AgentContext,
  { sessionId, attachSeq: known }: Pick<SessionListing, "sessionId" | "attachSeq">,
  parameters: JsonObject,
): Promise<ReopenedConnection> {
  let attachSeq = known + 1;
  for (let tries = 1; ; tries += 1) {
    try {
      return await reopenCallConnection(context, sessionId, { ...parameters, attach_seq: attachSeq });
    } catch (error) {
      const isOutdated = error instanceof ParleyError && error.code === "attach-outdated" && tries < TRIES;
      const present = isOutdated ? error.details.attach_seq : undefined;
      if (typeof present !== "number") throw error;
      attachSeq = present + 1;
    }
  }
}

/** Checks what was agreed. A session that does not hold is ended at the server, as one that is established. */
async function checkTaken(
  context: AgentContext,
  listing: SessionListing,
  agreement: JsonObject,
): Promise<TakenSession> {
  try {
    return readTaken(context, listing, agreement);
  } catch (error) {
    const reason = error instanceof ParleyError ? error.code : "local-failure";
    await refuseSession(context, listing.sessionId, reason);
    throw error;
  }
}

function readTaken(context: AgentContext, listing: SessionListing, agreement: JsonObject): TakenSession {
  const { platform, identity, server, anchors, publicKey } = context;
  const { verifier } = platform;
  const { leg, sessionId, peer: peerAgentId } = listing;
  const now = platform.clock.wall();
  const agreed = unwrap(
    checkSession(
      {
        leg,
        me: ownIdentity(context),
        peerAgentId,
        offer: textOf(agreement, "offer"),
        answer: textOf(agreement, "answer"),
        peer: documentsOf(objectOf(agreement, "peer")),
        witness: textOf(agreement, "core"),
        server,
        sessionId,
        anchors,
        now,
      },
      verifier,
    ),
  );
  const { peer } = agreed;
  const keys = objectOf(agreement, "media_keys");
  const offerId = agreed.offer.payload.offer_id;
  const me = { agentId: identity.agentId, publicKey, offerId };
  const other = { agentId: peer.agentId, publicKey: peer.genesis.agentKey, offerId, now };
  const own = keysOf(keys[`${leg}`], agreed.mediaKey, (jws) => verifyMediaKey(jws, me, verifier));
  const theirs = keysOf(keys[`${1 - leg}`], peer.mediaKey, (jws) => verifyMediaKey(jws, other, verifier));
  const publicKeys =
    leg === 0 ? ([publicKey, peer.genesis.agentKey] as const) : ([peer.genesis.agentKey, publicKey] as const);
  const { sessionDigest } = agreed;
  const terms = unwrap(
    latestTerms(agreed.terms, unwrap(readSteps(agreement)), { publicKeys, sessionDigest }, verifier),
  );
  return {
    session: { ...agreed, terms, peer: { ...peer, mediaKey: theirs } },
    generation: own.generation,
    peerClock: clockOf(objectOf(agreement, "clocks")[`${1 - leg}`]),
    suspension: agreement.suspension === undefined ? undefined : objectOf(agreement, "suspension"),
  };
}

/** The newest of a leg's media keys: they begin with the one that was `agreed`, and rise. */
function keysOf(
  presented: JsonValue | undefined,
  agreed: MediaKey,
  verify: (jws: string) => ReturnType<typeof verifyMediaKey>,
): MediaKey {
  const [first, ...later] = textsOf(presented);
  if (first !== agreed.jws) throw mismatch("media_keys");
  return later.reduce((before, jws) => {
    const key = unwrap(verify(jws));
    if (key.generation !== before.generation + 1) throw mismatch("media_keys");
    return key;
  }, agreed);
}

/** This process' own media key, as everybody else reads it. */
function ownKey(context: AgentContext, { offer }: CheckedSession, certificate: string): MediaKey {
  const { identity, publicKey, platform } = context;
  const expected = { agentId: identity.agentId, publicKey, offerId: offer.payload.offer_id };
  return unwrap(verifyMediaKey(certificate, expected, platform.verifier));
}

function textsOf(value: JsonValue | undefined): string[] {
  const isList = Array.isArray(value) && value.every((text) => typeof text === "string");
  if (isList) return value as string[];
  throw new ParleyError({ code: "body-malformed", message: "The server's message lacks a list of texts." });
}

function clockOf(value: JsonValue | undefined): ClockStatement {
  const { offset_ms: offset, uncertainty_ms: uncertainty } = (value ?? {}) as Partial<
    Record<string, JsonValue>
  >;
  if (typeof offset === "number" && typeof uncertainty === "number") {
    return { offset_ms: offset, uncertainty_ms: uncertainty };
  }
  throw new ParleyError({
    code: "body-malformed",
    message: "The server's message lacks a clock.",
    at: "clocks",
  });
}

function mismatch(at: string): ParleyError {
  return new ParleyError({
    code: "session-core-mismatch",
    message: "The server presents another session than the one that was agreed.",
    at,
  });
}
