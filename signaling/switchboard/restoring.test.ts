import { expect, test } from "vitest";
import { verifyAnswer } from "../../signaling/answer.ts";
import { seedSigner, strictVerifier } from "../../test/keys.ts";
import {
  ALICE,
  BOB,
  CALL_TIME,
  mediaKey,
  must,
  OFFER_ID,
  SERVER,
  SESSION_ID,
  signedAnswer,
  signedOffer,
  WITNESS,
} from "../../test/signed-call.ts";
import { DOCUMENTS_ALONE } from "../authority.ts";
import { verifyMediaKey } from "../media-key.ts";
import { verifyOffer } from "../offer.ts";
import { SessionLink } from "../record-chain.ts";
import { deriveTerms } from "../terms.ts";
import { trustPosture } from "../trust.ts";
import { DEFAULT_LIMITS } from "./config.ts";
import { makeDesk } from "./desk.ts";
import { Detaching } from "./detaching.ts";
import { Endings } from "./endings.ts";
import { LastWords } from "./last-words.ts";
import { type LeftSession, restoreSession } from "./restoring.ts";
import { SessionTable } from "./session-table.ts";
import { StreamEnds } from "./stream-ends.ts";

const NOW = CALL_TIME + 60_000;
const NEXT = seedSigner(77);
const publicKeys = { alice: ALICE.identity.publicKey, bob: BOB.identity.publicKey };

/** What the log holds of a persistent session in which Bob changed his key once. */
function leftSession(changes: Partial<LeftSession> = {}): LeftSession {
  const jws = signedOffer({ session: { model: "persistent", ttl: 3_600 } });
  const caller = ALICE.genesis.agentId;
  const offer = must(verifyOffer(jws, { publicKey: publicKeys.alice, caller }, strictVerifier));
  const answer = must(
    verifyAnswer(
      signedAnswer({ offer_digest: offer.digest }),
      { publicKey: publicKeys.bob, offer },
      strictVerifier,
    ),
  );
  const key = must(
    verifyMediaKey(
      mediaKey(BOB, { generation: 1, ed25519: NEXT.publicKey }),
      { agentId: BOB.genesis.agentId, publicKey: publicKeys.bob, offerId: OFFER_ID },
      strictVerifier,
    ),
  );
  const nothing = { nextIndex: 0, previous: new Uint8Array(32), isFinal: false };
  const registered = ({ genesis, document }: typeof ALICE) => ({
    agentId: genesis.agentId,
    ...{ genesis, document, status: "active" as const, trust: trustPosture(genesis, document, true) },
  });
  const leg = (agent: typeof ALICE, signed: typeof offer | typeof answer) => ({
    agent: registered(agent),
    signer: registered(agent),
    scope: signed.scope,
    mediaKeys: [signed.mediaKey] as const,
    clock: signed.payload.clock,
    attachSeq: 0,
    statementBytes: 0,
    authority: DOCUMENTS_ALONE,
    hasHadMedia: true,
    hasClosed: false,
  });
  return {
    ...{ offer, answer, witness: WITNESS, terms: deriveTerms(offer, answer) },
    narrowings: [undefined, undefined],
    change: undefined,
    legs: [leg(ALICE, offer), { ...leg(BOB, answer), attachSeq: 4, mediaKeys: [answer.mediaKey, key] }],
    flows: [
      {
        ...{ speaker: 1, stream: 0, epoch: 2, leastSequence: 70_000, isHeld: false },
        ...{
          checkpoints: { nextIndex: 3, previous: new Uint8Array(32).fill(7), isFinal: false },
          receipts: nothing,
        },
      },
    ],
    link: new SessionLink(SESSION_ID, { sessionSeq: 5, auditId: "a".repeat(64) }),
    ...{ artifacts: 12, establishedAt: CALL_TIME, ttl: 3_600, expiresAt: CALL_TIME + 1_800_000 },
    suspension: undefined,
    ...{ state: "active", ending: undefined, noncesRefused: 0, statementsDropped: {} },
    ...changes,
  };
}

function restored(left: LeftSession) {
  const { genesis, document, identity: signer } = SERVER;
  const desk = makeDesk({
    config: {
      ...{ serverId: "parley.test", bindings: [], certificateHashes: () => [], registration: "open" },
      ...{
        policyScope: ["communication:*"],
        trustFloor: "experimental",
        genesisIssuers: "any",
        agentDisclosure: "public",
      },
      limits: DEFAULT_LIMITS,
    },
    identity: {
      ...{ agentId: genesis.agentId, genesis: genesis.bytes, identityDocument: document.bytes, signer },
    },
    verifier: strictVerifier,
    random: (n) => new Uint8Array(n),
    agents: [],
    head: undefined,
  });
  const table = new SessionTable();
  const endings = new Endings(desk, table, new LastWords(desk, table));
  const detaching = new Detaching(desk, table, endings, new StreamEnds(desk, table, endings));
  const session = must(restoreSession(desk, left, { id: -1, nextFlow: 2 }, { now: NOW, mediaTime: NOW }));
  detaching.restore(session, left.flows, "server-restarted", NOW);
  return { desk, table, detaching, session };
}

test("a session of an earlier process stands still, with all that was on record", () => {
  const { desk, table, session } = restored(leftSession());
  expect(session).toMatchObject({
    ...{ id: SESSION_ID, state: "detached", model: "persistent", artifacts: 12 },
    expiresAt: CALL_TIME + 1_800_000,
    legs: [
      { attached: false, attachSeq: 0, detachedAt: NOW },
      { attached: false, attachSeq: 4, detachedAt: NOW },
    ],
  });
  expect(table.routesOf(session)).toMatchObject([
    { kind: "checkpoint", speaker: 0, nextIndex: 0, keys: new Map([[0, ALICE.media.publicKey]]) },
    { kind: "receipt", speaker: 0, nextIndex: 0, keys: new Map([[1, NEXT.publicKey]]) },
    { kind: "checkpoint", speaker: 1, nextIndex: 3, keys: new Map([[1, NEXT.publicKey]]), hasMoved: true },
    { kind: "receipt", speaker: 1, nextIndex: 0 },
  ]);
  const messages = [];
  for (let out = desk.outputs.shift(); out !== undefined; out = desk.outputs.shift()) {
    if (out.kind === "admission") messages.push(out.message);
  }
  expect(messages.map(({ kind }) => kind)).toEqual(["install", "move", "install", "move", "state"]);
  expect(messages[3]).toMatchObject({
    epoch: 2,
    row: { leg: 1, leastSequence: 70_000, resumedAt: NOW, egress: [] },
  });
  expect(messages.at(-1)).toMatchObject({ state: "held" });
});

test("it waits for its ends like any detached session", () => {
  const { desk, detaching, session } = restored(leftSession());
  const limit = NOW + DEFAULT_LIMITS.detachedSeconds * 1000;
  expect(desk.timers.due(limit - 1)?.kind).toBe("authority");
  expect(desk.timers.due(limit - 1)).toBeUndefined();
  expect(desk.timers.due(limit)?.kind).toMatch(/^attach-/);
  detaching.overdue(session, 0, limit);
  expect(session).toMatchObject({ state: "terminated", ending: { reason: "detach-expired" } });
});

test("a suspended one stays suspended, until it is to be resumed", () => {
  const resumeBy = NOW + 30_000;
  const suspension = {
    ...{ id: "s1", by: ALICE.genesis.agentId, reason: undefined, nonce: undefined },
    ...{
      nonceDigest: "0".repeat(64),
      usedDigest: undefined,
      suspendedAt: CALL_TIME,
      resumeBy,
      checkpoint: undefined,
    },
  };
  const { desk, session } = restored(leftSession({ suspension, state: "suspended" }));
  expect(session.state).toBe("suspended");
  const due = [];
  for (let timer = desk.timers.due(resumeBy); timer !== undefined; timer = desk.timers.due(resumeBy)) {
    due.push(timer.kind);
  }
  expect(due).toEqual(["authority", "resume-by"]);
});
