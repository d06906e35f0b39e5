import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { CHANGE_ID } from "../../test/scenario/changing-call.ts";
import { opening, Streaming, voice } from "../../test/scenario/streaming-call.ts";
import { ALICE, BOB, OFFER, scopes, testAgent } from "../../test/signed-call.ts";
import type { TermsSettings } from "../terms-change.ts";
import { DEFAULT_LIMITS } from "./config.ts";
import { loadOfOffer } from "./load.ts";
import { STREAM_CLOSING_WINDOW } from "./stream-ends.ts";

describe("opening a stream in mid-call", () => {
  it("is in force with both signatures: flows told to both ends, rows in the relay before", () => {
    const scene = new Streaming();
    const { asked, accepted } = scene.open(2, voice(1));
    expect([asked.outcome, accepted.outcome]).toEqual(["ok 200", "ok 200"]);
    expect(scene.steps(1)).toEqual(["install 0", "install 1"]);
    const flows = (told: JsonObject) =>
      (told.laid_out as JsonObject[]).map((each) => [each.stream, each.direction, each.ssrc]);
    const atAlice = [
      [1, "send", 101],
      [1, "receive", 201],
    ];
    expect(flows(asked.last.result)).toEqual(atAlice);
    expect(flows(scene.aliceInbox.event("terms-changed"))).toEqual(atAlice);
    const atBob = [
      [1, "receive", 101],
      [1, "send", 201],
    ];
    expect(flows(accepted.last.result)).toEqual(atBob);
    expect(flows(scene.bobInbox.event("terms-changed"))).toEqual(atBob);
    expect(asked.raw.at(-1)?.headers.get("Stream-Parameters")).toContain("stream=1;modality=audio");
    expect(scene.streamIds()).toEqual([0, 1]);
  });

  it.each([
    ["in the other end's name", 0, opening(voice(1, 1)), ALICE, "field-invalid"],
    ["signed by the other end", 0, opening(voice(1)), BOB, "signature-invalid"],
    ["with a number that there is", 0, opening(voice(0)), ALICE, "field-invalid"],
    [
      "beside another profile",
      0,
      { ...opening(voice(1)), profile: "chain" as const },
      ALICE,
      "field-invalid",
    ],
    [
      "one too many",
      0,
      opening(...Array.from({ length: 16 }, (_, at) => voice(at + 1))),
      ALICE,
      "limit-exceeded",
    ],
  ] as const)("is refused %s", (_, leg, settings, by, outcome) => {
    const scene = new Streaming();
    expect(scene.ask(leg, scene.change(leg, { settings }, by)).outcome).toBe(outcome);
    expect(scene.bobInbox.events).not.toContain("change-asked");
    expect(scene.steps(1)).toEqual([]);
  });

  it("is held to what the server lets each end do, whatever both signed for", () => {
    const speaking = "communication:audio:capture, communication:audio:transmit";
    const capped = (limit: string) =>
      testAgent("alice", 1, { document: { scope: scopes(`${speaking}, communication:limit:${limit}`) } });
    const under = (limit: string, settings: TermsSettings, at: "OPEN" | "ADJUST" = "OPEN") => {
      const scene = new Streaming({ alice: capped(limit) });
      const change = scene.change(0, { settings });
      const path = `/sessions/${scene.sessionId}${at === "OPEN" ? "/streams" : ""}`;
      return scene.alice.ask(at, path, { change }).last;
    };
    expect(under("streams:1", opening(voice(1)))).toMatchObject({
      status: 456,
      error: { code: "limit-exceeded", details: { limit: "streams", cap: 1, asked: 2 } },
    });
    const faster = { profile: "frame", streams: [{ leg: 0, stream: 0, bitrate_bps: 48_000 }] } as const;
    expect(under("bitrate-bps:32000", faster, "ADJUST")).toMatchObject({
      status: 456,
      error: { code: "limit-exceeded", details: { limit: "bitrate-bps", cap: 32_000, asked: 48_000 } },
    });
    // What the other end would send is held to what that one may do.
    const bob = testAgent("bob", 2, {
      document: { scope: scopes(`${speaking}, communication:limit:bitrate-bps:32000`) },
    });
    const scene = new Streaming({ bob });
    const settings = { profile: "frame", streams: [{ leg: 1, stream: 0, bitrate_bps: 48_000 }] } as const;
    const change = scene.change(0, { settings });
    expect(scene.alice.ask("ADJUST", `/sessions/${scene.sessionId}`, { change }).last).toMatchObject({
      status: 456,
      error: { code: "limit-exceeded", details: { leg: 1, cap: 32_000, asked: 48_000 } },
    });
  });

  it.each([
    ["streams", 4],
    // Frames of 10 ms were on offer, those of 20 ms were agreed: there is room for as much again.
    ["kilobits", 1.1 * loadOfOffer(OFFER).kilobits],
  ] as const)("is refused where the server has no room for it: %s", (limit, most) => {
    const scene = new Streaming({ config: { limits: { ...DEFAULT_LIMITS, [limit]: most } } });
    expect(scene.open(2, voice(1)).asked.outcome).toBe("ok 200");
    const more = scene.change(0, { number: 3, settings: opening(voice(1), voice(2)) });
    expect(scene.ask(0, more).last).toMatchObject({
      status: 503,
      error: { code: "capacity", details: { limit } },
    });
    expect(scene.steps(2)).toEqual([]);
    scene.closeStreams(0, 3, [1]);
    scene.stage.advance(STREAM_CLOSING_WINDOW);
    expect(scene.open(4, voice(2)).asked.outcome, "there is room again").toBe("ok 200");
  });

  it("is for OPEN alone, and OPEN for nothing else", () => {
    const scene = new Streaming();
    const opens = scene.change(0, { settings: opening(voice(1)) });
    expect(scene.adjust(0, opens).outcome).toBe("field-invalid");
    expect(scene.ask(0, scene.change(0)).outcome).toBe("field-invalid");
  });

  it("leaves no stream where the acceptance is forged, or another end's", () => {
    const scene = new Streaming();
    const change = scene.change(0, { settings: opening(voice(1)) });
    const asked = scene.ask(0, change);
    const forged = scene.acceptance(1, change, {}, ALICE);
    expect(scene.accept(1, `${CHANGE_ID}1`, forged).outcome).toBe("signature-invalid");
    expect(scene.accept(0, `${CHANGE_ID}1`, scene.acceptance(0, change)).outcome).toBe("target-not-found");
    scene.stage.advance(6_000);
    expect(asked.outcome).toBe("change-unanswered");
    expect([scene.steps(1), scene.streamIds()]).toEqual([[], [0]]);
  });

  it("is taken once where both ends open at the same time: the other is told to follow", () => {
    const scene = new Streaming();
    const mine = scene.ask(0, scene.change(0, { settings: opening(voice(1)) }));
    const theirs = scene.change(1, { settings: opening(voice(1, 1)) });
    const other = scene.ask(1, theirs);
    scene.accept(0, `${CHANGE_ID}2`, scene.acceptance(0, theirs));
    scene.stage.advance(1_000);
    expect([mine.outcome, other.outcome]).toEqual(["terms-outdated", "ok 200"]);
    expect(scene.steps(1)).toEqual(["install 0", "install 1"]);
  });
});

describe("changing one stream in mid-call", () => {
  it("is about that stream and no other", () => {
    const scene = new Streaming();
    scene.open(2, voice(1));
    const settings = (stream: number) => ({
      ...opening(voice(1)),
      streams: [{ leg: 0 as const, stream, bitrate_bps: 16_000 }],
    });
    const about = (at: string, stream: number) =>
      scene.ask(0, scene.change(0, { number: 3, settings: settings(stream) }), at, "ADJUST");
    expect(about("streams/1", 0).outcome).toBe("field-invalid");
    expect(about("streams/7", 1).outcome).toBe("target-not-found");
    expect(about("streams/one", 1).outcome).toBe("target-not-found");
    about("streams/1", 1);
    expect(scene.bobInbox.event("change-asked")).toMatchObject({ number: 3 });
  });
});

describe("closing a stream in mid-call", () => {
  it("takes one signature; it stays for its last words and is gone from the relay then", () => {
    const scene = new Streaming();
    scene.open(2, voice(1));
    const closed = scene.closeStreams(1, 3, [1]);
    expect(closed.outcome).toBe("ok 200");
    expect(closed.last.result).toMatchObject({ number: 3, leg: 1, closes: [1] });
    // Nothing of it is forwarded to who closed it; what that one had said goes on.
    expect(scene.steps(1)).toEqual(["install 0", "install 1", "hold 0"]);
    expect(scene.streamIds()).toEqual([0]);
    expect(scene.aliceInbox.event("terms-changed")).toMatchObject({ number: 3, closes: [1] });
    scene.stage.advance(STREAM_CLOSING_WINDOW);
    expect(scene.steps(1).slice(3)).toEqual(["lift 0", "lift 1"]);
  });

  it("waits for the last words of an end that is away", () => {
    const scene = new Streaming();
    scene.open(2, voice(1));
    const scope = scene.scope(1);
    scene.alice.drop();
    expect(scene.closeStreams(1, 3, [1], { scope }).outcome).toBe("ok 200");
    scene.stage.advance(3 * STREAM_CLOSING_WINDOW);
    expect(scene.steps(1)).toEqual(["install 0", "install 1", "hold 0"]);
  });

  it("lets what its speaker had said through, while the scope of that one covers it", () => {
    const scene = new Streaming();
    const { last } = scene.open(2, voice(1)).asked;
    const sent = (last.result.laid_out as JsonObject[]).find(({ direction }) => direction === "send");
    const isAllowed = () => {
      const told = scene.stage.admissions.findLast(
        (each) => each.kind === "terms" && each.flow === sent?.flow,
      );
      return told?.kind === "terms" && told.transmitAllowed;
    };
    scene.closeStreams(1, 3, [1]);
    expect(isAllowed()).toBe(true);
    const narrowing = scene.narrowing(0, 4, [1], { scope: ["communication:audio:capture"] });
    scene.alice.ask("ADJUST", `/sessions/${scene.sessionId}`, { narrowing });
    expect(isAllowed()).toBe(false);
  });

  it("is refused in another's name, for a stream that there is not, and for more than it says", () => {
    const scene = new Streaming();
    scene.open(2, voice(1), voice(2));
    expect(scene.closeStreams(0, 3, [1], { by: BOB }).outcome).toBe("signature-invalid");
    expect(scene.closeStreams(0, 3, [9]).outcome).toBe("field-invalid");
    expect(scene.closeStreams(0, 3, [1, 2]).outcome).toBe("field-invalid");
    expect(scene.streamIds()).toEqual([0, 1, 2]);
  });

  it("leaves numbers that are not given again", () => {
    const scene = new Streaming();
    scene.open(2, voice(1));
    scene.closeStreams(0, 3, [1]);
    const again = scene.change(0, { number: 4, settings: opening(voice(1)) });
    expect(scene.ask(0, again).outcome).toBe("field-invalid");
    expect(scene.open(4, voice(2)).asked.outcome).toBe("ok 200");
  });

  it("may take all streams: the session goes on without media", () => {
    const scene = new Streaming();
    expect(scene.closeStreams(0, 2, [0]).outcome).toBe("ok 200");
    scene.stage.advance(2 * STREAM_CLOSING_WINDOW);
    expect(scene.alice.query(scene.sessionId).last.result).toMatchObject({ state: "active" });
    expect(scene.open(3, voice(1)).asked.outcome).toBe("ok 200");
  });
});

describe("muting and holding a stream in mid-call", () => {
  const told = (scene: Streaming, leg: 0 | 1, content: JsonObject) =>
    scene.peer(leg).ask("NOTIFY", `/sessions/${scene.sessionId}`, { content }).outcome;

  it("is told to the other end; what is held is not forwarded, until it is wanted again", () => {
    const scene = new Streaming();
    expect(told(scene, 0, { event: "stream-muted", stream: 0, muted: true })).toBe("ok 200");
    expect(scene.bobInbox.event("stream-muted")).toMatchObject({ stream: 0, muted: true, leg: 0 });
    expect(told(scene, 1, { event: "stream-held", stream: 0, held: true })).toBe("ok 200");
    expect(told(scene, 1, { event: "stream-held", stream: 0, held: false })).toBe("ok 200");
    expect(scene.stage.admissions.filter(({ kind }) => kind === "hold")).toMatchObject([
      { leg: 0, stream: 0, isHeld: true },
      { leg: 0, stream: 0, isHeld: false },
    ]);
  });

  it("is for who says what is muted, and for who hears what is held or wants a key frame", () => {
    const scene = new Streaming();
    scene.open(2, {
      ...voice(1),
      offer: { ...voice(1).offer, direction: "sendonly" },
      answer: { ...voice(1).answer, direction: "recvonly" },
    });
    const outcomes = (leg: 0 | 1) => [
      told(scene, leg, { event: "stream-muted", stream: 1, muted: true }),
      told(scene, leg, { event: "stream-held", stream: 1, held: true }),
      told(scene, leg, { event: "keyframe_request", stream: 1 }),
    ];
    expect(outcomes(0)).toEqual(["ok 200", "field-invalid", "field-invalid"]);
    expect(outcomes(1)).toEqual(["field-invalid", "ok 200", "ok 200"]);
    expect(scene.stage.admissions.filter(({ kind }) => kind === "hold")).toMatchObject([
      { leg: 0, stream: 1, isHeld: true },
    ]);
  });

  it("is for streams that there are", () => {
    const scene = new Streaming();
    expect(told(scene, 1, { event: "stream-held", stream: 9, held: true })).toBe("field-invalid");
    expect(told(scene, 1, { event: "keyframe_request", stream: 0 })).toBe("ok 200");
    expect(told(scene, 1, { event: "keyframe_request", stream: 9 })).toBe("field-invalid");
    expect(told(scene, 1, { event: "rendition", source: 1, rendition: 0 })).toBe("field-invalid");
  });
});
