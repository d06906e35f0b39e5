import { beforeEach, describe, expect, it } from "vitest";
import { type PipeEnd, pipe } from "../test/message-pipe.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { TextChannel } from "./text-channel.ts";
import { MAX_APPEND, MAX_TEXT } from "./text-message.ts";
import type { HeardText } from "./text-reader.ts";

let clock: VirtualClock;
let way: PipeEnd;
let back: PipeEnd;
let opened: number;
let ada: TextChannel;
let bob: TextChannel;

beforeEach(() => {
  clock = new VirtualClock();
  [way, back] = pipe(clock);
  opened = 0;
  const report = (error: unknown) => {
    throw error;
  };
  ada = new TextChannel({
    clock,
    report,
    first: 100,
    open: async () => {
      opened += 1;
      bob.add(back);
      return way;
    },
  });
  bob = new TextChannel({ clock, report, first: 7, open: async () => back });
});

/** The next text that Bob hears. */
async function next(): Promise<HeardText> {
  const heard = bob.heard[Symbol.asyncIterator]().next();
  await clock.advance(0);
  const read = await heard;
  if (read.done === true) throw new Error("no text");
  return read.value;
}

/** What of `text` is handed out from now on. */
function partsOf(text: HeardText): string[] {
  const parts: string[] = [];
  void (async () => {
    for await (const part of text.parts) parts.push(part.text);
    parts.push(`(${text.state})`);
  })();
  return parts;
}

it("that goes over one of two streams outlives the other", async () => {
  const text = ada.write();
  await text.append("Hel");
  await clock.advance(20);
  const heard = await next();
  const [other, otherBack] = pipe(clock);
  ada.add(other);
  bob.add(otherBack);
  other.end();
  otherBack.end();
  await clock.advance(0);
  expect([text.state, heard.state]).toEqual(["open", "open"]);
  await text.append("lo");
  await text.finish();
  await clock.advance(20);
  expect([heard.text, heard.state]).toEqual(["Hello", "finished"]);
});

describe("a text", () => {
  it("opens its stream on first use, once, and arrives as it grows", async () => {
    const [one, two] = [ada.write(), ada.write()];
    await one.append("Hel");
    await two.append("x");
    await clock.advance(20);
    const [first, second] = [await next(), await next()];
    const parts = partsOf(first);
    await one.append("lo");
    await clock.advance(20);
    await one.finish();
    await clock.advance(0);
    expect(opened).toBe(1);
    expect([first.id, first.speaker, first.text, first.state]).toEqual([100, "ada", "Hello", "finished"]);
    expect(parts).toEqual(["Hel", "lo", "(finished)"]);
    expect([second.text, second.state]).toEqual(["x", "open"]);
    expect(await first.ended()).toBe("finished");
    expect(ada.stats).toMatchObject({ written: 2, open: 1 });
  });

  it("puts what is appended within 20 ms in one message", async () => {
    const text = ada.write();
    for (let token = 0; token < 100; token += 1) {
      await text.append(`${token} `);
      await clock.advance(1);
    }
    await text.finish();
    await clock.advance(0);
    expect(way.sent.length).toBeLessThanOrEqual(6);
    expect((await next()).text).toBe(Array.from({ length: 100 }, (_, token) => `${token} `).join(""));
  });

  it("may be empty, and may end in the message that begins it", async () => {
    await ada.write().finish();
    const text = ada.write();
    void text.append("all at once");
    await text.finish();
    expect(way.sent).toEqual([
      { text: 100, begin: true, end: "finished" },
      { text: 101, begin: true, append: "all at once", end: "finished" },
    ]);
    expect([(await next()).text, (await next()).text]).toEqual(["", "all at once"]);
  });

  it("is cut where a message is full, and never inside a character", async () => {
    const text = ada.write();
    const said = "\u{1f600}".repeat(MAX_APPEND);
    await text.append("x");
    void text.append(said);
    await text.append("\ud83d");
    await clock.advance(100);
    await text.append("\ude00 and half: \ud83d");
    await text.finish();
    await clock.advance(0);
    expect((await next()).text).toBe(`x${said}\u{1f600} and half: \ufffd`);
    expect(way.sent.length).toBe(4);
  });

  it("that is cancelled frees what waits, at both ends", async () => {
    way.delay = 50;
    const text = ada.write();
    await text.append("said");
    await clock.advance(100);
    const heard = await next();
    const parts = partsOf(heard);
    await clock.advance(0);
    void text.append("never sent");
    const cancelled = text.cancel("barge-in");
    await clock.advance(60);
    await cancelled;
    expect(parts).toEqual(["said", "(cancelled)"]);
    expect([heard.state, heard.reason, heard.text]).toEqual(["cancelled", "barge-in", "said"]);
    expect(text.state).toBe("cancelled");
    await expect(text.append("more")).rejects.toMatchObject({ code: "closed" });
    // One that nobody took is not handed out at all.
    const other = ada.write();
    void other.append("unread");
    await clock.advance(200);
    void other.cancel();
    await clock.advance(200);
    bob.finish();
    expect(await bob.heard[Symbol.asyncIterator]().next()).toMatchObject({ done: true });
    expect(bob.stats.heard).toMatchObject({ begun: 2, cancelled: 2 });
  });

  it("has a writer wait for the network, and refuses what passes the caps", async () => {
    way.delay = 1_000;
    const text = ada.write();
    await text.append("y".repeat(8_192));
    let isRoomy = false;
    const waiting = text.append("z".repeat(20_000)).then(() => {
      isRoomy = true;
    });
    await clock.advance(500);
    expect(isRoomy).toBe(false);
    await expect(text.append("w".repeat(50_000))).rejects.toMatchObject({ code: "buffer-full" });
    await expect(text.append("w".repeat(MAX_TEXT))).rejects.toMatchObject({ code: "too-large" });
    await clock.advance(20_000);
    await waiting;
    for (let open = 1; open < 16; open += 1) ada.write();
    expect(() => ada.write()).toThrow(expect.objectContaining({ code: "buffer-full" }));
  });

  it("is cancelled at both ends when its stream ends", async () => {
    const text = ada.write();
    await text.append("a");
    await clock.advance(20);
    const heard = await next();
    way.end();
    back.end();
    await clock.advance(0);
    expect([heard.state, heard.reason]).toEqual(["cancelled", "closed"]);
    await expect(text.finish()).rejects.toMatchObject({ code: "closed" });
    ada.finish();
    expect(() => ada.write()).toThrow(expect.objectContaining({ code: "closed" }));
  });
});

describe("a hostile writer of texts", () => {
  beforeEach(() => bob.add(back));

  it("begins a text once, and goes on with none that ended", async () => {
    await way.send({ text: 1, begin: true, append: "a" });
    await way.send({ text: 1, begin: true, append: "b" });
    await way.send({ text: 1, append: "c", end: "finished" });
    const heard = await next();
    await way.send({ text: 1, append: "d" });
    await way.send({ text: 1, begin: true, append: "e" });
    await way.send({ text: 2, append: "never begun" });
    await clock.advance(0);
    expect([heard.text, heard.state]).toEqual(["ac", "finished"]);
    expect(bob.stats.heard).toMatchObject({ begun: 1, finished: 1, strays: 4 });
  });

  it("has 16 texts open at most, none longer than may be", async () => {
    const texts: HeardText[] = [];
    void (async () => {
      for await (const text of bob.heard) texts.push(text);
    })();
    for (let text = 0; text < 20; text += 1) await way.send({ text, begin: true });
    const append = "x".repeat(MAX_APPEND);
    for (let sent = 0; sent <= MAX_TEXT; sent += MAX_APPEND) await way.send({ text: 0, append });
    await clock.advance(0);
    expect(texts).toHaveLength(16);
    expect([texts[0]?.state, texts[0]?.reason]).toEqual(["cancelled", "too-large"]);
    expect(bob.stats.heard).toMatchObject({ begun: 16, refused: 5 });
  });

  it("has what is no message of a text counted and passed over", async () => {
    const none = [null, 1, [], { text: -1 }, { text: 1, begin: true, append: 3 }, { text: 1, other: 1 }];
    for (const value of none) await way.send(value);
    await way.send({ text: 1, begin: true, append: "x".repeat(MAX_APPEND + 1) });
    await clock.advance(0);
    expect(bob.stats.heard).toMatchObject({ begun: 0, malformed: 7 });
  });

  it("waits for a reader that takes no texts", async () => {
    let sent = 0;
    void (async () => {
      for (let text = 0; text < 60; text += 1) {
        await way.send({ text, begin: true, end: "finished" });
        sent += 1;
      }
    })();
    await clock.advance(1_000);
    // 16 with the reader, and what may be on its way.
    expect(sent).toBeLessThan(24);
    const texts: number[] = [];
    void (async () => {
      for await (const text of bob.heard) texts.push(text.id);
    })();
    await clock.advance(0);
    expect(texts).toEqual(Array.from({ length: 60 }, (_, text) => text));
  });
});
