/** What a listener of profile `chain` reads: frames with a tag, and the checkpoints that prove them to others. */
import { parseCheckpoint } from "../../codecs/checkpoint.ts";
import { CheckpointCheck } from "../../sfu/checkpoint-check.ts";
import { Checkpointer } from "../../sfu/checkpointer.ts";
import { strictVerifier } from "../keys.ts";
import {
  datagram,
  FIRST_SEQUENCE,
  listenerWith,
  row,
  SPEAKER_CONNECTION,
  sealed,
  speaker,
  TAG_KEY,
  WALL,
} from "../relay-scene.ts";
import type { FuzzTarget } from "./target.ts";

const heard = row({ profile: "chain", tagKeys: new Map([[0, TAG_KEY]]), egress: [] });
const spoken = [0, 1, 2].map((index) =>
  sealed({
    profile: "chain",
    sequence: FIRST_SEQUENCE + index,
    ...(index === 1 ? { info: { endOfTurn: true }, audioLevel: { level: 30, voice: true } } : {}),
  }),
);
const signed = spoken.map(({ bytes }) => datagram(bytes));
const checkpoints = checkpointsOf();

export const CHAIN_TARGETS: readonly FuzzTarget[] = [
  {
    name: "chain-listener",
    examples: signed,
    tokens: ["\u0000", "\u0001\u001d", "\u0010", "\u0020", "\u0002\u0001"],
    run(input) {
      const listener = listenerWith(heard);
      const verdict = listener.admit(SPEAKER_CONNECTION, input, 0, WALL);
      if (verdict.outcome !== "admitted") return false;
      const admitted = input.subarray(verdict.packetOffset);
      const index = spoken.findIndex(({ bytes }) => Buffer.compare(bytes, admitted) === 0);
      if (index < 0) throw new Error("a frame was let through that nobody tagged");
      if (Buffer.compare(listener.digest(), spoken[index]?.digest ?? new Uint8Array(0)) !== 0)
        throw new Error("it is known by another digest");
      return true;
    },
  },
  {
    name: "chain-checkpoints",
    examples: checkpoints.slice(0, 1),
    tokens: ["\u0000\u0001", "\u0000\u0000\u0000\u0000\u0000\u0001", "\u0000parley checkpoint v1\u0000"],
    every: 10,
    run(input) {
      const check = new CheckpointCheck({ ...heard, verifier: strictVerifier });
      for (const [index, { digest }] of spoken.entries()) check.note(FIRST_SEQUENCE + index, digest, 0);
      const taken = check.check(input);
      if (taken.ok) {
        if (Buffer.compare(input, checkpoints[0] as Uint8Array) !== 0)
          throw new Error("a checkpoint was taken that nobody signed");
        if (taken.value.matched !== 2) throw new Error("frames that it lists were not found");
      } else if (check.counters().uncovered !== spoken.length)
        throw new Error("what is refused settles frames");
      // Whatever came before it, the speaker's own goes on.
      const expected = taken.ok ? checkpoints[1] : checkpoints[0];
      if (!check.check(expected as Uint8Array).ok) throw new Error("the true one is refused after it");
      return taken.ok && parseCheckpoint(input, "chain").ok;
    },
  },
];

/** Over two of the frames, and over the last. */
function checkpointsOf(): Uint8Array[] {
  const { sessionDigest, leg, stream } = heard;
  const checkpointer = new Checkpointer({
    ...{ sessionDigest, leg, stream, signer: speaker, keyGeneration: 0, profile: "chain" },
    startSequence: FIRST_SEQUENCE,
  });
  const made: (Uint8Array | undefined)[] = [];
  for (const [index, { digest }] of spoken.entries()) {
    made.push(checkpointer.add(FIRST_SEQUENCE + index, WALL, digest, 0));
    if (index === 1) made.push(checkpointer.poll(1_000));
  }
  made.push(checkpointer.finish());
  return made.filter((bytes) => bytes !== undefined);
}
