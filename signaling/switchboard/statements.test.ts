import { describe, expect, it } from "vitest";
import { checkpointDigest, encodeCheckpoint } from "../../codecs/checkpoint.ts";
import { seedSigner, strictVerifier } from "../../test/keys.ts";
import { type StatementRoute, statementRoute, takeStatement, useProfile } from "./statements.ts";

const SIGNER = seedSigner(5);
const SESSION_DIGEST = new Uint8Array(32).fill(0xdd);
const TIME = { seconds: 4_000_000_000, fraction: 0 };

function route(profile: StatementRoute["profile"]): StatementRoute {
  const place = { connection: 1, flow: 4 } as unknown as StatementRoute["from"];
  return statementRoute(
    {
      ...{ kind: "checkpoint", sessionId: "session", sessionDigest: SESSION_DIGEST, profile },
      ...{ signer: 0, speaker: 0, stream: 3, keys: new Map([[0, SIGNER.publicKey]]), from: place, to: place },
    },
    0,
  );
}

/** The checkpoint that comes next on `on`, of that many frames. */
function checkpoint(on: StatementRoute, count: number): Uint8Array {
  return encodeCheckpoint(
    {
      ...{ sessionDigest: SESSION_DIGEST, leg: 0, stream: 3, keyGeneration: 0, epoch: 0, final: false },
      ...{ index: on.nextIndex, previous: on.previous, firstSequence: 1, totalFrames: count },
      ...{ firstCapture: TIME, lastCapture: TIME },
      digests: Array.from({ length: count }, () => new Uint8Array(16)),
    },
    SIGNER,
  );
}

function taken(on: StatementRoute, count: number): string {
  const result = takeStatement(on, checkpoint(on, count), { verifier: strictVerifier, room: 1e6, now: 0 });
  return result.ok ? "taken" : result.fault.code;
}

describe("a checkpoint", () => {
  it("lists 500 frames in profile frame, and 60 in chain", () => {
    expect(taken(route("frame"), 500)).toBe("taken");
    expect(taken(route("chain"), 60)).toBe("taken");
    expect(taken(route("chain"), 61)).toBe("checkpoint-malformed");
  });

  it.each([
    ["frame", "chain"],
    ["chain", "frame"],
  ] as const)("may list 500 once the terms went from %s to %s: it may be of before", (before, after) => {
    const on = route(before);
    useProfile(on, after);
    expect(taken(on, 500)).toBe("taken");
  });

  it("that follows is taken by its place in the chain, and nothing is after one that did not hold", () => {
    const on = route("chain");
    const first = checkpoint(on, 1);
    expect(taken(on, 1)).toBe("taken");
    expect(on.previous).toEqual(checkpointDigest(first));
    expect(taken({ ...on, previous: new Uint8Array(32).fill(1) }, 1)).toBe("taken");
    expect(taken(on, 61)).toBe("checkpoint-malformed");
    expect(taken(on, 1), "the chain is broken").toBe("field-invalid");
  });
});
