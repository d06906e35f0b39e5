import { beforeEach, describe, expect, it } from "vitest";
import { FrameView, parseFrame } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { Checkpointer } from "../sfu/checkpointer.ts";
import { FrameSender } from "../sfu/frame-sender.ts";
import { DATA_WINDOW } from "../signaling/data-stream.ts";
import { seedSigner } from "../test/keys.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { DataSender } from "./data-sender.ts";
import { MediaTime } from "./media-time.ts";

const STALL_MS = 20_000;

describe("the sender of data while the call is suspended", () => {
  let clock: VirtualClock;
  let sender: DataSender;
  let sent: number;
  let isTaking: boolean;

  beforeEach(() => {
    clock = new VirtualClock();
    sent = 0;
    isTaking = true;
    const signed = {
      ...{ sessionDigest: new Uint8Array(32), leg: 0, stream: 2, keyGeneration: 0 },
      signer: seedSigner(1),
      seal: { profile: "frame", signer: seedSigner(1) } as const,
      startSequence: 10,
    };
    sender = new DataSender({
      clock,
      time: new MediaTime(clock),
      frames: new FrameSender({
        ...signed,
        ...{ flow: 2, ssrc: 1, payloadType: 0, clockRate: 1_000, frameSamples: 0, startTimestamp: 0 },
      }),
      checkpointer: new Checkpointer(signed),
      outlet: {
        frame: () => {
          sent += 1;
          return isTaking ? Promise.resolve(true) : new Promise(() => undefined);
        },
        checkpoint: () => undefined,
        giveUp: () => undefined,
      },
      stream: 2,
    });
  });

  const send = (): { outcome: string | undefined } => {
    const result: { outcome: string | undefined } = { outcome: undefined };
    sender.send(Uint8Array.of(1)).then(
      () => {
        result.outcome = "sent";
      },
      (error: unknown) => {
        result.outcome = error instanceof ParleyError ? error.code : String(error);
      },
    );
    return result;
  };

  it("signs nothing until it goes on, then what waits, in order", async () => {
    sender.pause("suspended");
    sender.pause("suspended");
    const waiting = [send(), send()];
    await clock.advance(60_000);
    expect([sent, ...waiting.map(({ outcome }) => outcome)]).toEqual([0, undefined, undefined]);
    sender.goOn("suspended");
    await clock.advance(1_000);
    expect([sent, ...waiting.map(({ outcome }) => outcome)]).toEqual([2, "sent", "sent"]);
  });

  it("refuses what waits when the call ends, or what it may no longer send once it goes on", async () => {
    sender.pause("suspended");
    const narrowed = send();
    sender.permitted = false;
    sender.goOn("suspended");
    await clock.advance(10);
    expect(narrowed.outcome).toBe("scope-violation");
    sender.permitted = true;
    sender.pause("suspended");
    const late = send();
    await clock.advance(10);
    sender.finish();
    await clock.advance(10);
    expect([late.outcome, sent]).toEqual(["closed", 0]);
  });

  it("does not take the server's silence meanwhile for a stall, but again once it goes on", async () => {
    isTaking = false;
    const stuck = send();
    await clock.advance(STALL_MS - 1_000);
    sender.pause("suspended");
    await clock.advance(10 * STALL_MS);
    expect(stuck.outcome).toBeUndefined();
    sender.goOn("suspended");
    await clock.advance(STALL_MS - 1_000);
    expect(stuck.outcome).toBeUndefined();
    await clock.advance(2_000);
    expect(stuck.outcome).toBe("data-stalled");
  });
});

describe("the sender of data whose connection is lost", () => {
  let clock: VirtualClock;
  let sender: DataSender;
  /** Sequence numbers and what was said, as handed over; each with its capture time. */
  let handed: { readonly sequence: number; readonly said: number; readonly captured: number }[];
  let isTaking: boolean;

  beforeEach(() => {
    clock = new VirtualClock();
    handed = [];
    isTaking = true;
    const signed = {
      ...{ sessionDigest: new Uint8Array(32), leg: 0, stream: 2, keyGeneration: 0 },
      signer: seedSigner(1),
      seal: { profile: "frame", signer: seedSigner(1) } as const,
      startSequence: 10,
    };
    sender = new DataSender({
      clock,
      time: new MediaTime(clock),
      frames: new FrameSender({
        ...signed,
        ...{ flow: 2, ssrc: 1, payloadType: 0, clockRate: 1_000, frameSamples: 0, startTimestamp: 0 },
      }),
      checkpointer: new Checkpointer(signed),
      outlet: {
        frame: (packet) => {
          const view = new FrameView();
          expect(parseFrame(packet, 0, view)).toBeUndefined();
          const [said = 0] = view.payload(packet);
          handed.push({ sequence: view.sequence, said, captured: view.captureMs });
          return Promise.resolve(isTaking);
        },
        checkpoint: () => undefined,
        giveUp: () => undefined,
      },
      stream: 2,
    });
  });

  const say = (said: number) => {
    const done = { outcome: "" };
    sender.send(Uint8Array.of(said)).then(
      () => {
        done.outcome = "sent";
      },
      (error: unknown) => {
        done.outcome = error instanceof ParleyError ? error.code : String(error);
      },
    );
    return done;
  };
  const numbers = () => handed.map(({ sequence, said }) => [sequence, said]);

  it("sends again what the server did not have, unchanged and before anything new", async () => {
    for (const said of [1, 2, 3]) say(said);
    await clock.advance(100);
    sender.detach();
    const waiting = say(4);
    await clock.advance(5_000);
    expect([numbers().length, waiting.outcome]).toEqual([3, ""]);
    const [, second] = handed;
    handed = [];
    void sender.attach(7, 11);
    await clock.advance(100);
    expect(numbers()).toEqual([
      [11, 2],
      [12, 3],
      [13, 4],
    ]);
    expect(handed[0]).toEqual(second);
    expect([waiting.outcome, sender.counters.sentAgain]).toEqual(["sent", 2]);
  });

  it("keeps what the server had and the listener may lack, for a server that knows of nothing", async () => {
    for (const said of [1, 2, 3]) say(said);
    await clock.advance(100);
    sender.detach();
    void sender.attach(7, 13);
    await clock.advance(100);
    sender.detach();
    handed = [];
    void sender.attach(9, 0);
    await clock.advance(100);
    expect(numbers()).toEqual([
      [10, 1],
      [11, 2],
      [12, 3],
    ]);
  });

  it("signs nothing anew, and sends nothing, before the listener has said what it has", async () => {
    for (const said of [1, 2, 3]) say(said);
    await clock.advance(100);
    sender.detach();
    await clock.advance(25_000);
    handed = [];
    void sender.attach(7, 10, false);
    say(4);
    await clock.advance(60_000);
    expect(numbers()).toEqual([]);
    sender.peerCame(12);
    await clock.advance(100);
    expect(numbers()).toEqual([
      [13, 3],
      [14, 4],
    ]);
  });

  it("takes the listener's word that came before the server's answer, and not that of an earlier return", async () => {
    say(1);
    await clock.advance(100);
    sender.peerCame(10);
    sender.detach();
    void sender.attach(7, 0, false);
    await clock.advance(100);
    expect(numbers()).toHaveLength(1);
    sender.detach();
    sender.peerCame(11);
    void sender.attach(9, 0, false);
    say(2);
    await clock.advance(100);
    expect(numbers()).toEqual([
      [10, 1],
      [11, 2],
    ]);
  });

  it("lets no more be on its way than it keeps, until the listener confirms some", async () => {
    const outcomes = await fill();
    expect(numbers()).toHaveLength(DATA_WINDOW.messages);
    await clock.advance(10_000);
    expect(numbers()).toHaveLength(DATA_WINDOW.messages);
    sender.confirmed(10 + 5);
    await clock.advance(1_000);
    expect(numbers()).toHaveLength(DATA_WINDOW.messages + 5);
    expect(outcomes.filter(({ outcome }) => outcome !== "sent")).toHaveLength(5);
  });

  it("goes on after 25 s where a listener that is there confirms nothing, and not while it is away", async () => {
    await fill();
    sender.peerLeft();
    await clock.advance(120_000);
    expect(numbers()).toHaveLength(DATA_WINDOW.messages);
    sender.peerCame();
    await clock.advance(24_000);
    expect(numbers()).toHaveLength(DATA_WINDOW.messages);
    await clock.advance(30_000);
    expect(numbers()).toHaveLength(DATA_WINDOW.messages + 10);
    expect(sender.counters.unconfirmed).toBe(10);
  });

  /** Says ten messages more than may be on their way. */
  async function fill() {
    const outcomes: { readonly outcome: string }[] = [];
    for (let said = 0; said < DATA_WINDOW.messages + 10; said += 1) {
      outcomes.push(say(said));
      await clock.advance(11);
    }
    return outcomes;
  }

  it("signs all of it anew, in order, where the first would be stale", async () => {
    for (const said of [1, 2]) say(said);
    await clock.advance(100);
    sender.detach();
    await clock.advance(25_000);
    handed = [];
    void sender.attach(7, 10);
    say(3);
    await clock.advance(100);
    expect(numbers()).toEqual([
      [12, 1],
      [13, 2],
      [14, 3],
    ]);
  });

  it("fulfils a send whose message was lost with the connection once that has gone again", async () => {
    isTaking = false;
    const lost = say(1);
    await clock.advance(500);
    sender.detach();
    await clock.advance(5_000);
    expect(lost.outcome).toBe("");
    isTaking = true;
    void sender.attach(7, 10);
    await clock.advance(10);
    expect([lost.outcome, numbers()]).toEqual([
      "sent",
      [
        [10, 1],
        [10, 1],
      ],
    ]);
  });

  it("refuses as closed what was not taken for the end of the call", async () => {
    isTaking = false;
    const refused = say(1);
    await clock.advance(100);
    sender.finish();
    await clock.advance(2_000);
    expect(refused.outcome).toBe("closed");
    expect(sender.counters.undelivered).toEqual({ closed: 1 });
  });

  it("gives the stream up where the other side takes no more though the connection stands", async () => {
    isTaking = false;
    const refused = say(1);
    await clock.advance(900);
    expect(refused.outcome).toBe("");
    await clock.advance(200);
    expect(refused.outcome).toBe("data-stalled");
  });
});
