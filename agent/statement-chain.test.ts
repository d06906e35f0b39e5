import { beforeEach, describe, expect, it } from "vitest";
import { encodeHex } from "../codecs/hex.ts";
import { StatementChain } from "./statement-chain.ts";

const digest = (bytes: Uint8Array) => new Uint8Array(32).fill(bytes[0] ?? 0);
const statement = (index: number) => Uint8Array.of(index);
const NONE = "0".repeat(64);
const digestOf = (index: number) => encodeHex(digest(statement(index)));

describe("the statements of one stream", () => {
  let sent: number[];
  let chain: StatementChain;

  beforeEach(() => {
    sent = [];
    chain = new StatementChain({ first: 0, digest, send: (bytes) => sent.push(bytes[0] as number) });
    for (const index of [0, 1, 2]) chain.add(statement(index));
  });

  it("go at once while there is a connection, and wait while there is none", () => {
    chain.detach();
    chain.add(statement(3));
    expect(sent).toEqual([0, 1, 2]);
    expect(chain.resume({ nextIndex: 3, previous: digestOf(2), state: "open" })).toBe(true);
    expect(sent).toEqual([0, 1, 2, 3]);
    chain.add(statement(4));
    expect(sent).toEqual([0, 1, 2, 3, 4]);
  });

  it("go again from where the server has them, each as it was signed", () => {
    chain.detach();
    expect(chain.resume({ nextIndex: 1, previous: digestOf(0), state: "open" })).toBe(true);
    expect(sent).toEqual([0, 1, 2, 1, 2]);
    chain.detach();
    expect(chain.resume({ nextIndex: 2, previous: digestOf(1), state: "open" })).toBe(true);
    expect(sent).toEqual([0, 1, 2, 1, 2, 2]);
  });

  it("do not go on after one that this end did not sign, a broken chain, or one that is kept no longer", () => {
    chain.detach();
    expect(chain.resume({ nextIndex: 2, previous: digestOf(7), state: "open" })).toBe(false);
    expect(chain.resume({ nextIndex: 9, previous: digestOf(8), state: "open" })).toBe(false);
    expect(chain.resume({ nextIndex: 2, previous: digestOf(1), state: "broken" })).toBe(false);
    for (let index = 3; index < 140; index += 1) chain.add(statement(index));
    expect(chain.resume({ nextIndex: 2, previous: digestOf(1), state: "open" })).toBe(false);
    expect(chain.resume({ nextIndex: 139, previous: digestOf(138), state: "open" })).toBe(true);
    expect(sent.at(-1)).toBe(139);
  });

  it("have room for 128 without a connection", () => {
    chain.detach();
    for (let index = 3; index < 128; index += 1) {
      expect(chain.hasRoom).toBe(true);
      chain.add(statement(index));
    }
    expect(chain.hasRoom).toBe(false);
    expect(chain.resume({ nextIndex: 0, previous: NONE, state: "open" })).toBe(true);
    expect([chain.hasRoom, sent.length]).toEqual([true, 3 + 128]);
  });
});
