import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KeptFrame } from "../../codecs/kept-frames.ts";
import { contentLines, resigned } from "../../test/evidence-edit.ts";
import { bitFlips } from "../../test/generators/media.ts";
import { strictVerifier } from "../../test/keys.ts";
import { ANCHORS, loggedCall } from "../../test/logged-call.ts";
import { packet } from "../../test/relay-scene.ts";
import { ALICE, CALL_TIME, SERVER } from "../../test/signed-call.ts";
import { verifyMedia } from "./media.ts";
import { type JudgedEvidence, verifyEvidence } from "./verify.ts";

const CALL = loggedCall();
const OTHER = loggedCall({ number: 2 });
const EVIDENCE = verifyEvidence(CALL.evidence, ANCHORS, strictVerifier);
const FRAME = CALL.kept[4] as KeptFrame;

function refusals(kept: readonly KeptFrame[]) {
  const { frames, faults } = verifyMedia(kept, EVIDENCE, strictVerifier);
  expect(frames.length + faults.length).toBe(kept.length);
  return faults.map(({ code, at }) => `${code} ${at}`);
}

describe("kept frames", () => {
  it("belong to their call, each listed by its speaker's checkpoint, whatever order they come in", () => {
    const { frames, faults } = verifyMedia([...CALL.kept].reverse(), EVIDENCE, strictVerifier);
    expect(faults).toEqual([]);
    expect(frames).toHaveLength(20);
    expect(frames.every(({ checkpointed }) => checkpointed)).toBe(true);
    const voice = frames.filter(({ stream }) => stream === 0);
    expect(voice.map(({ leg, payload }) => [leg, ...payload])).toEqual(
      [0, 1].flatMap((leg) =>
        [0, 1, 2].flatMap((round) => [0, 1, 2].map((index) => [leg, leg, round, index])),
      ),
    );
  });

  it("of another call are refused, one by one", () => {
    const kept = [FRAME, OTHER.kept[4] as KeptFrame, CALL.kept[5] as KeptFrame];
    expect(refusals(kept)).toEqual(["signature-invalid kept frame 1"]);
    expect(refusals(OTHER.kept)).toHaveLength(20);
  });

  it("with any one bit flipped are refused", () => {
    for (const { bit, bytes } of bitFlips(FRAME.packet)) {
      expect(refusals([{ ...FRAME, packet: bytes }]), `bit ${bit}`).toEqual([
        "signature-invalid kept frame 0",
      ]);
    }
  });

  it("said to be of the other leg, or of a stream nobody agreed on, are refused", () => {
    expect(refusals([{ ...FRAME, leg: 1 }])).toEqual(["signature-invalid kept frame 0"]);
    expect(refusals([{ ...FRAME, leg: 2 }])).toEqual(["evidence-invalid kept frame 0"]);
    expect(refusals([{ ...FRAME, stream: 1 }])).toEqual(["signature-invalid kept frame 0"]);
    expect(refusals([{ ...FRAME, stream: 2 }])).toEqual(["evidence-invalid kept frame 0"]);
  });

  it("stand once in the file", () => {
    expect(refusals([FRAME, FRAME])).toEqual(["evidence-invalid kept frame 1"]);
  });

  it("that are cut, lengthened or no frames at all are refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (packet) => {
        expect(refusals([{ ...FRAME, packet }])).toHaveLength(1);
      }),
    );
    const { packet } = FRAME;
    for (let length = 1; length < packet.length; length += 1) {
      expect(refusals([{ ...FRAME, packet: packet.slice(0, length) }])).toHaveLength(1);
    }
    expect(refusals([{ ...FRAME, packet: Uint8Array.from([...packet, 0]) }])).toHaveLength(1);
  });

  it("stand alone where the speaker's checkpoints were withheld: signed, and not listed", () => {
    const bare = contentLines(CALL.evidence).filter(
      ({ kind }) => !["closing", "checkpoint", "receipt"].includes(kind),
    );
    const evidence = verifyEvidence(resigned(bare, SERVER.identity, 0), ANCHORS, strictVerifier);
    const { frames, faults } = verifyMedia(CALL.kept, evidence, strictVerifier);
    expect(faults).toEqual([]);
    expect(frames.map(({ checkpointed }) => checkpointed)).toEqual(new Array(20).fill(false));
  });

  it("are of the epochs that interrupts began, each in its place", () => {
    const { frames } = verifyMedia(CALL.kept, EVIDENCE, strictVerifier);
    const epochs = frames.filter(({ leg, stream }) => leg === 0 && stream === 0).map(({ epoch }) => epoch);
    expect(epochs).toEqual([0, 0, 0, 1, 1, 1, 1, 1, 1]);
    expect(frames.filter(({ interrupted }) => interrupted)).toEqual([]);
  });

  it("of an epoch that nobody began, that is over, or that the checkpoint lists otherwise are refused", () => {
    const bare: JudgedEvidence = {
      ...EVIDENCE,
      streams: EVIDENCE.streams.map((stream) => ({ ...stream, checkpoints: [] })),
    };
    const told = (kept: readonly KeptFrame[], evidence = bare) =>
      verifyMedia(kept, evidence, strictVerifier).faults.map(({ message }) => message);
    const signed = (sequence: number, epoch: number): KeptFrame => ({
      leg: 0,
      stream: 0,
      packet: packet({
        ...{ sequence, payloadType: 111, ssrc: 1, signer: ALICE.media, captured: CALL_TIME },
        ...(epoch === 0 ? {} : { epoch }),
        boundTo: { sessionDigest: CALL.core.digest, leg: 0, stream: 0 },
      }),
    });
    expect(told([signed(1, 0), signed(2, 1)])).toEqual([]);
    expect(told([signed(1, 2)])).toEqual(["Of epoch 2, which no interrupt began."]);
    expect(told([signed(1, 0), signed(2, 1), signed(3, 0)])).toEqual([
      "Of epoch 0, and sent after a frame of epoch 1.",
    ]);
    const early = { ...EVIDENCE, epochs: [] };
    expect(new Set(told(CALL.kept.slice(3, 9), early))).toEqual(
      new Set(["Of epoch 1, which no interrupt began."]),
    );
    const moved = {
      ...EVIDENCE,
      streams: EVIDENCE.streams.map((stream) => ({
        ...stream,
        checkpoints: stream.checkpoints.map((checkpoint) => ({ ...checkpoint, epoch: 1 })),
      })),
    };
    expect(told([CALL.kept[0] as KeptFrame], moved)).toEqual([
      "Of epoch 0, and the speaker's checkpoint lists it in epoch 1.",
    ]);
  });

  it("that the relay says it no longer let through are named, and are the speaker's all the same", () => {
    const epochs = EVIDENCE.epochs.map((start) =>
      start.leg === 0 ? { ...start, lastBefore: 70_000 } : start,
    );
    const { frames, faults } = verifyMedia(CALL.kept, { ...EVIDENCE, epochs }, strictVerifier);
    expect(faults).toEqual([]);
    const named = frames.filter(({ interrupted }) => interrupted);
    expect(named.map(({ leg, stream, sequence }) => [leg, stream, sequence])).toEqual([
      [0, 0, 70_001],
      [0, 0, 70_002],
    ]);
  });

  it("prove nothing against a file without an agreement", () => {
    const nothing = verifyEvidence(new Uint8Array(0), ANCHORS, strictVerifier);
    expect(verifyMedia([FRAME], nothing, strictVerifier).frames).toEqual([]);
  });
});
