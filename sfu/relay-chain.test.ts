/** Profile `chain`: what a listener finds out by tags, and a relay by comparing frames with checkpoints. */
import { describe, expect, it } from "vitest";
import { FrameView, parseFrame } from "../codecs/frame.ts";
import { type AdmissionRow, PROFILE_NEWS_MS, PROFILE_OVERLAP_MS } from "../signaling/admission.ts";
import { seedSigner } from "../test/keys.ts";
import {
  datagram,
  events,
  FIRST_SEQUENCE,
  listenerWith,
  packet,
  relayWith,
  row,
  SPEAKER_CONNECTION,
  SPEAKER_FLOW,
  sealed,
  send,
  speaker,
  TAG_KEY,
  WALL,
} from "../test/relay-scene.ts";
import type { Relay } from "./relay.ts";

const tagKeys = new Map([[0, TAG_KEY]]);

function chainRow(more: Partial<AdmissionRow> = {}): AdmissionRow {
  return row({ profile: "chain", tagKeys, ...more });
}

const chained = { profile: "chain" } as const;

/** Every element that a frame may have. */
const full = {
  ...chained,
  info: { startOfTurn: true },
  audioLevel: { level: 30, voice: true },
  recorded: {
    sessionDigest: new Uint8Array(32),
    stream: 1,
    sequence: 2,
    capture: { seconds: 3, fraction: 4 },
  },
} as const;

describe("a tagged frame at its listener", () => {
  it("with any one bit flipped is never admitted, and the true one still is", () => {
    const listener = listenerWith(chainRow());
    const bytes = datagram(packet(full));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const verdict = listener.admit(SPEAKER_CONNECTION, flipped, 0, WALL);
      expect(["admitted", "held"], `bit ${bit}`).not.toContain(verdict.outcome);
    }
    expect(listener.admit(SPEAKER_CONNECTION, bytes, 0, WALL).outcome).toBe("admitted");
  });

  it("cut short or lengthened is never admitted", () => {
    const listener = listenerWith(chainRow());
    const bytes = datagram(packet(chained));
    for (let length = 0; length < bytes.length; length++)
      expect(listener.admit(SPEAKER_CONNECTION, bytes.slice(0, length), 0, WALL).outcome).not.toBe(
        "admitted",
      );
    const longer = Uint8Array.from([...bytes, 0]);
    expect(listener.admit(SPEAKER_CONNECTION, longer, 0, WALL).outcome).toBe("signature");
  });

  it.each([
    ["session", { sessionId: "session-b", sessionDigest: new Uint8Array(32).fill(0xbb) }],
    ["leg", { leg: 1 }],
    ["stream", { stream: 2 }],
  ] as const)("moved to another %s does not hold there, not even where the key is the same", (_, other) => {
    const listener = listenerWith(chainRow(), chainRow({ ...other, flow: 8 }));
    const bytes = packet(chained);
    expect(listener.admit(SPEAKER_CONNECTION, datagram(bytes, 8), 0, WALL).outcome).toBe("signature");
    expect(listener.admit(SPEAKER_CONNECTION, datagram(bytes), 0, WALL).outcome).toBe("admitted");
  });

  it("moved to another position or time, by whoever has no key, does not hold", () => {
    const listener = listenerWith(chainRow());
    const bytes = packet(chained);
    const view = new FrameView();
    parseFrame(bytes, 0, view);
    const tag = view.tag(bytes).slice();
    for (const other of [{ sequence: FIRST_SEQUENCE + 1 }, { captured: WALL + 20 }, { timestamp: 1920 }]) {
      const moved = packet({ ...chained, ...other });
      moved.set(tag, view.tagOffset);
      expect(listener.admit(SPEAKER_CONNECTION, datagram(moved), 0, WALL).outcome).toBe("signature");
    }
    expect(listener.admit(SPEAKER_CONNECTION, datagram(bytes), 0, WALL).outcome).toBe("admitted");
  });

  it("with another key, none, or a signature in the place of its tag does not hold", () => {
    const listener = listenerWith(chainRow());
    expect(send(listener, { ...chained, tagKey: new Uint8Array(32) })).toBe("signature");
    expect(send(listenerWith(row(chained)), chained), "no key").toBe("signature");
    expect(send(listener), "profile frame").toBe("profile");
  });

  it("reflected to its speaker does not hold: each direction has a key of its own", () => {
    const theirs = chainRow({
      connection: 2,
      flow: 6,
      leg: 1,
      tagKeys: new Map([[0, new Uint8Array(32).fill(0x78)]]),
    });
    const listener = listenerWith(chainRow(), theirs);
    expect(listener.admit(2, datagram(packet(chained), 6), 0, WALL).outcome).toBe("signature");
    // Nor where it had the same, since the leg is in what the tag covers.
    const same = listenerWith(chainRow(), { ...theirs, tagKeys });
    expect(same.admit(2, datagram(packet(chained), 6), 0, WALL).outcome).toBe("signature");
  });

  it("is refused when it comes again, too late or too early, of another epoch or key generation", () => {
    const listener = listenerWith(chainRow());
    expect(send(listener, chained)).toBe("admitted");
    expect(send(listener, chained)).toBe("replayed");
    const next = { ...chained, sequence: FIRST_SEQUENCE + 1 };
    expect(send(listener, next, 0, WALL + 2_001)).toBe("stale");
    expect(send(listener, { ...next, captured: WALL + 2_001 })).toBe("early");
    expect(send(listener, { ...next, keyGeneration: 1 })).toBe("key-generation");
    listener.apply({ kind: "epoch", connection: SPEAKER_CONNECTION, flow: SPEAKER_FLOW, epoch: 1 }, 0);
    expect(send(listener, next)).toBe("epoch");
    expect(send(listener, { ...next, epoch: 1 })).toBe("admitted");
  });

  it("holds with the next generation's key from its news on", () => {
    const nextKey = new Uint8Array(32).fill(0x79);
    const listener = listenerWith(chainRow());
    const keys = new Map([
      [0, speaker.publicKey],
      [1, seedSigner(12).publicKey],
    ]);
    const both = new Map([...tagKeys, [1, nextKey]]);
    listener.apply({ kind: "move", row: chainRow({ keys, tagKeys: both }), epoch: 0 }, 0);
    expect(send(listener, { ...chained, keyGeneration: 1 }), "the key before").toBe("signature");
    expect(send(listener, { ...chained, keyGeneration: 1, tagKey: nextKey })).toBe("admitted");
    expect(send(listener, { ...chained, sequence: FIRST_SEQUENCE + 1 })).toBe("key-generation");
  });
});

describe("a relay, which has no key", () => {
  /** What the speaker signed that it sent, from the first frame on. */
  function listing(
    relay: Relay,
    digests: readonly Uint8Array[],
    more: { final?: boolean; hasGap?: boolean; firstSequence?: number } = {},
  ) {
    const { sessionId, leg, stream } = row();
    const said = {
      sessionId,
      leg,
      stream,
      firstSequence: FIRST_SEQUENCE,
      digests,
      final: false,
      hasGap: false,
    };
    relay.apply({ kind: "checkpoint", ...said, ...more }, 0);
  }

  function through(relay: Relay, index: number, payload = 0): Uint8Array {
    const { bytes, digest } = sealed({
      ...chained,
      sequence: FIRST_SEQUENCE + index,
      payload: Uint8Array.of(payload),
    });
    expect(relay.admit(SPEAKER_CONNECTION, datagram(bytes), 0, WALL).outcome).toBe("admitted");
    return digest;
  }

  const contradicted = (relay: Relay) => relay.counters("session-a")[0]?.contradicted ?? 0;

  it("admits by connection, stream, rate, window and freshness, in the profile in force alone", () => {
    const relay = relayWith(row(chained));
    expect(send(relay, { ...chained, tagKey: new Uint8Array(32) })).toBe("admitted");
    expect(send(relay, chained)).toBe("replayed");
    expect(send(relay)).toBe("profile");
    expect(send(relayWith(row()), chained)).toBe("profile");
    expect(relay.admit(7, datagram(packet(chained)), 0, WALL).outcome).toBe("unknown-flow");
    expect(send(relay, { ...chained, sequence: FIRST_SEQUENCE + 1 }, 0, WALL + 2_001)).toBe("stale");
    expect(send(relay, { ...chained, ssrc: 1 })).toBe("terms");
    const slow = relayWith(row({ ...chained, rate: { framesPerSecond: 1, bytesPerSecond: 1e6, burst: 1 } }));
    expect(send(slow, chained)).toBe("admitted");
    expect(send(slow, { ...chained, sequence: FIRST_SEQUENCE + 1 })).toBe("rate");
  });

  it("finds frames as their checkpoint lists them, whichever comes first", () => {
    const relay = relayWith(row(chained));
    const digests = [through(relay, 0), through(relay, 1)];
    const late = sealed({ ...chained, sequence: FIRST_SEQUENCE + 2 });
    listing(relay, [...digests, late.digest]);
    expect(relay.admit(SPEAKER_CONNECTION, datagram(late.bytes), 0, WALL).outcome).toBe("admitted");
    expect(contradicted(relay)).toBe(0);
    expect(events(relay, 0)).toEqual([]);
  });

  it("counts and tells of frames that a checkpoint lists otherwise, passes over, or comes before", () => {
    const relay = relayWith(row(chained));
    const [first, second, third] = [through(relay, 0), through(relay, 1), through(relay, 2)];
    listing(relay, [first, third, second]);
    through(relay, 3);
    listing(relay, [], { firstSequence: FIRST_SEQUENCE + 3, final: true });
    expect(contradicted(relay)).toBe(3);
    expect(relay.totals().contradicted).toBe(3);
    expect(events(relay, 0)).toEqual([
      {
        kind: "frames-contradicted",
        ...{ sessionId: "session-a", connection: SPEAKER_CONNECTION, flow: SPEAKER_FLOW, leg: 0, stream: 1 },
        ...{ first: FIRST_SEQUENCE + 1, last: FIRST_SEQUENCE + 3, count: 3 },
      },
    ]);
  });

  it("says nothing of what another process sent, whose statements end where its key does", () => {
    const relay = relayWith(row(chained));
    through(relay, 0);
    listing(relay, [], { firstSequence: FIRST_SEQUENCE + 50, hasGap: true, final: true });
    expect(contradicted(relay)).toBe(0);
  });

  it("remembers 256 frames of a stream, and accuses nobody of what it has forgotten", () => {
    const relay = relayWith(row(chained));
    const digests = Array.from({ length: 300 }, (_, index) => through(relay, index));
    listing(relay, digests);
    expect(contradicted(relay)).toBe(0);
    // Listed, and lost on the way here: more than are remembered.
    const unseen = Array.from({ length: 300 }, () => new Uint8Array(16));
    listing(relay, unseen, { firstSequence: FIRST_SEQUENCE + 300 });
    through(relay, 301);
    expect(contradicted(relay)).toBe(0);
    through(relay, 599);
    expect(contradicted(relay)).toBe(1);
  });
});

describe("a change of profile", () => {
  const place = { connection: SPEAKER_CONNECTION, flow: SPEAKER_FLOW };
  const terms = (profile: "frame" | "chain", termsNumber: number) =>
    ({ kind: "terms", ...place, termsNumber, transmitAllowed: true, profile }) as const;

  it.each([
    ["frame", "chain"],
    ["chain", "frame"],
  ] as const)(
    "from %s to %s lets what is on its way pass for 2 s, each with its own proof",
    (before, after) => {
      for (const relay of [
        relayWith(chainRow({ profile: before })),
        listenerWith(chainRow({ profile: before })),
      ]) {
        let sequence = FIRST_SEQUENCE;
        const next = (profile: "frame" | "chain", now: number) =>
          send(relay, { profile, sequence: sequence++ }, now);
        expect(next(after, 0)).toBe("profile");
        relay.apply(terms(after, 2), 100);
        expect(next(after, 100)).toBe("admitted");
        expect(next(before, 100 + PROFILE_OVERLAP_MS)).toBe("admitted");
        expect(next(before, 101 + PROFILE_OVERLAP_MS)).toBe("profile");
        expect(next(after, 101 + PROFILE_OVERLAP_MS)).toBe("admitted");
      }
    },
  );

  it("does not let unproved frames pass in between", () => {
    const relay = relayWith(chainRow());
    const listener = listenerWith(chainRow());
    for (const end of [relay, listener]) end.apply(terms("frame", 2), 0);
    expect(send(relay, { signer: seedSigner(99) })).toBe("signature");
    expect(send(listener, { ...chained, tagKey: new Uint8Array(32) })).toBe("signature");
  });

  it("that was agreed on and not yet told of lets a listener take the new profile for a while", () => {
    const listener = listenerWith(chainRow({ profile: "frame" }));
    const ahead = { kind: "profile-ahead", connection: SPEAKER_CONNECTION, flow: SPEAKER_FLOW } as const;
    listener.apply({ ...ahead, profile: "chain" }, 0);
    expect(send(listener, chained, PROFILE_NEWS_MS)).toBe("admitted");
    expect(send(listener, { sequence: FIRST_SEQUENCE + 1 }, PROFILE_NEWS_MS)).toBe("admitted");
    expect(send(listener, { ...chained, sequence: FIRST_SEQUENCE + 2 }, PROFILE_NEWS_MS + 1)).toBe("profile");
  });

  it("is not undone by older terms, nor by terms that say nothing of it", () => {
    const relay = relayWith(chainRow({ profile: "frame" }));
    relay.apply(terms("chain", 2), 0);
    relay.apply(terms("frame", 1), 0);
    const { profile: _, ...rest } = terms("frame", 3);
    relay.apply(rest, 0);
    expect(send(relay, chained, PROFILE_OVERLAP_MS + 1)).toBe("admitted");
  });
});
