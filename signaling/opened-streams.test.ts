import { describe, expect, it } from "vitest";
import { strictVerifier } from "../test/keys.ts";
import {
  ALICE,
  ANSWER,
  BOB,
  CALL_SECONDS,
  CORE,
  CORE_DIGEST,
  must,
  OFFER,
  SESSION_ID,
  ZERO_DIGEST,
} from "../test/signed-call.ts";
import { latestTerms, type TermsStep } from "./latest-terms.ts";
import { closedOf, makeNarrowing, narrowedTerms } from "./narrowing.ts";
import { MAX_STREAMS } from "./offer.ts";
import { pictureCaps } from "./sending-limits.ts";
import {
  deriveTerms,
  lastStreamOf,
  type OpenedStream,
  type StreamSetting,
  streamIn,
  streamsSentBy,
  type Terms,
} from "./terms.ts";
import {
  changedTerms,
  makeTermsAcceptance,
  makeTermsChange,
  settingsOf,
  type TermsSettings,
  termsChangeDigest,
  withSetting,
  withStreams,
} from "./terms-change.ts";
import type { VideoCodec } from "./video-stream.ts";

const first = deriveTerms(OFFER, ANSWER);
const SCOPE = ["communication:bilateral"];
/** Both ends may send anything. */
const terms: Terms = { ...first, legs: [0, 1].map((leg) => ({ leg, scope: SCOPE })) };

function messages(stream: number, by: 0 | 1 = 0): OpenedStream {
  const common = { stream, modality: "data", direction: "sendrecv", label: `tokens ${stream}` } as const;
  const format = { name: "text", payload_type: 99 };
  return {
    by,
    offer: { ...common, ssrc: stream * 2, formats: [format] },
    answer: { ...common, ssrc: stream * 2 + 1, format },
  };
}

function picture(
  stream: number,
  changes: { source?: number; rendition?: number; name?: string } = {},
): OpenedStream {
  const { name = "vp8", ...rendition } = changes;
  const codec: VideoCodec = {
    ...{ name, clock_rate: 90_000, payload_type: 96 },
    ...{ max_width: 640, max_height: 360, max_frame_rate: 30 },
  };
  const common = { stream, modality: "video", ...rendition } as const;
  return {
    by: 0,
    offer: { ...common, direction: "sendonly", ssrc: stream * 2, codecs: [codec] },
    answer: { ...common, direction: "recvonly", ssrc: stream * 2 + 1, codec },
  };
}

const opening = (from: Terms, ...streams: OpenedStream[]) => withStreams(settingsOf(from), streams);
const open = (from: Terms, ...streams: OpenedStream[]) =>
  must(changedTerms(from, opening(from, ...streams), { asker: streams[0]?.by ?? 0 }));
const close = (from: Terms, ...streams: number[]) =>
  must(narrowedTerms(from, { leg: 0, scope: from.legs[0]?.scope ?? [], closed: closedOf(from, streams) }))
    .terms;
const asked = (from: Terms, settings: TermsSettings, asker: 0 | 1 = 0) => {
  const judged = changedTerms(from, settings, { asker });
  return judged.ok ? "taken" : `${judged.fault.code} at ${judged.fault.at}`;
};
const numbers = ({ streams }: Terms) => streams.map(({ stream }) => stream);

describe("a stream opened in mid-call", () => {
  it("is as if its opener had offered it and the other end had answered", () => {
    const made = open(terms, picture(1));
    expect(made.number).toBe(terms.number + 1);
    expect(streamIn(made, 1)).toMatchObject({
      ...{ modality: "video", codec: { name: "vp8", max_height: 360 } },
      ...{ directions: ["sendonly", "recvonly"], ssrcs: [2, 3] },
    });
    expect(streamsSentBy(made, 1).map(({ stream }) => stream)).toEqual([0]);
    const mirrored = open(terms, { ...picture(1), by: 1 });
    expect(streamIn(mirrored, 1)).toMatchObject({ directions: ["recvonly", "sendonly"], ssrcs: [3, 2] });
  });

  it("stays open through later changes, and is closed by one end alone", () => {
    const two = open(open(terms, messages(1)), messages(2, 1));
    expect(numbers(two)).toEqual([0, 1, 2]);
    const slower = must(
      changedTerms(two, withSetting(settingsOf(two), { leg: 1, stream: 2, bitrate_bps: 8_000 })),
    );
    expect(numbers(slower)).toEqual([0, 1, 2]);
    const one = close(slower, 2);
    expect(one).toMatchObject({ opened: [messages(1)], closed_since: [2], last_stream: 2 });
    expect(one.settings).toBeUndefined();
    expect(one.closed).toBeUndefined();
  });

  it("has a number above all that ever were, those of closed streams included", () => {
    let present = terms;
    for (let stream = 1; stream <= 40; stream += 1) present = close(open(present, messages(stream)), stream);
    expect(numbers(present)).toEqual([0]);
    expect(lastStreamOf(present)).toBe(40);
    expect(asked(present, opening(present, messages(40)))).toBe(
      "field-invalid at change.settings.opened[0].offer.stream",
    );
    expect(asked(present, opening(present, messages(41)))).toBe("taken");
    // One that leaves numbers out could leave none for later ones.
    expect(asked(present, opening(present, messages(42)))).toBe(
      "field-invalid at change.settings.opened[0].offer.stream",
    );
    expect(asked(present, opening(present, messages(41), messages(0xffff_ffff)))).toBe(
      "field-invalid at change.settings.opened[1].offer.stream",
    );
    // What remains to be told of forty streams does not grow with them.
    expect(open(present, messages(41)).closed_since).toBeUndefined();
  });

  it("is counted in the highest number, also where the steps between are not known", () => {
    const one = open(terms, messages(1));
    const said = (last_stream: number | undefined) => {
      const { last_stream: _, ...settings } = opening(one, messages(2));
      const counted = { ...settings, ...(last_stream === undefined ? {} : { last_stream }) };
      const judged = changedTerms(one, counted, { leavesOut: true });
      return judged.ok ? lastStreamOf(judged.value) : `${judged.fault.code} at ${judged.fault.at}`;
    };
    expect([said(2), said(7)]).toEqual([2, 7]);
    for (const less of [undefined, 0, 1])
      expect(said(less)).toBe("field-invalid at change.settings.last_stream");
  });

  it("may be closed though it stood in the offer, for good", () => {
    const without = close(terms, 0);
    expect(without).toMatchObject({ streams: [], closed: [0] });
    const after = open(without, messages(1));
    expect(after.closed).toEqual([0]);
    expect(numbers(after)).toEqual([1]);
    expect(asked(without, opening(without, messages(0)))).toBe(
      "field-invalid at change.settings.opened[0].offer.stream",
    );
  });

  const one = open(terms, messages(1));
  const data = messages(2);
  it.each<[string, TermsSettings, string]>([
    [
      "in the other end's name",
      opening(one, { ...data, by: 1 }),
      "field-invalid at change.settings.opened[1].by",
    ],
    [
      "of a number that is taken",
      opening(terms, messages(1), { ...messages(1), by: 0 }),
      "field-invalid at change.settings.opened[1].offer.stream",
    ],
    [
      "in place of one that is open",
      opening(terms, { ...messages(1), answer: messages(9).answer }),
      "field-invalid at change.settings.opened[0]",
    ],
    [
      "while another one is left out",
      withStreams({ profile: "frame", streams: [] }, [data]),
      "field-invalid at change.settings.opened",
    ],
    [
      "without saying how high the numbers are",
      { ...opening(one, data), last_stream: 1 },
      "field-invalid at change.settings.last_stream",
    ],
    [
      "with more choices than one",
      opening(one, {
        ...data,
        offer: {
          ...data.offer,
          formats: [
            { name: "text", payload_type: 99 },
            { name: "json", payload_type: 98 },
          ],
        } as OpenedStream["offer"],
      }),
      "field-invalid at change.settings.opened[1].offer",
    ],
    [
      "answered with something else",
      opening(one, { ...data, answer: { ...data.answer, label: "other" } as OpenedStream["answer"] }),
      "field-invalid at change.settings.opened[1].answer.label",
    ],
    [
      "with a deadline and no end of trying",
      opening(one, {
        ...data,
        offer: { ...data.offer, deadline_ms: 100 } as OpenedStream["offer"],
        answer: { ...data.answer, deadline_ms: 100 } as OpenedStream["answer"],
      }),
      "field-invalid at change.settings.opened",
    ],
    [
      "with an SSRC that is taken",
      opening(one, { ...data, offer: { ...data.offer, ssrc: 2 } }),
      "field-invalid at change.settings.opened",
    ],
    [
      "as a rendition that is sent already",
      opening(one, picture(2, { source: 1, rendition: 0 }), picture(3, { source: 1, rendition: 0 })),
      "field-invalid at change.settings.opened",
    ],
    [
      "as a rendition with another codec",
      opening(
        one,
        picture(2, { source: 1, rendition: 0 }),
        picture(3, { source: 1, rendition: 1, name: "av1" }),
      ),
      "field-invalid at change.settings.opened",
    ],
  ])("is not opened %s", (_how, settings, refusal) => {
    expect(asked(one, settings)).toBe(refusal);
  });

  it("needs the scope of whoever would send it, and room under its caps", () => {
    const scoped = (...scope: string[]): Terms => ({
      ...terms,
      legs: [
        { leg: 0, scope },
        { leg: 1, scope: SCOPE },
      ],
    });
    const attempt = (from: Terms, ...streams: OpenedStream[]) => asked(from, opening(from, ...streams));
    const voice = ["communication:audio:capture", "communication:audio:transmit"];
    expect(attempt(scoped(...voice), picture(1))).toBe("scope-violation at change.settings.opened");
    expect(
      attempt(scoped(...voice), { ...picture(1), answer: { ...picture(1).answer, direction: "recvonly" } }),
    ).toBe("scope-violation at change.settings.opened");
    const limited = (limit: string) => scoped(...SCOPE, `communication:limit:${limit}`);
    expect(attempt(limited("height:359"), picture(1))).toBe("limit-exceeded at change.settings.opened");
    expect(attempt(limited("frame-rate:29"), picture(1))).toBe("limit-exceeded at change.settings.opened");
    expect(attempt(limited("streams:1"), picture(1))).toBe("limit-exceeded at change.settings.opened");
    expect(attempt(limited("bitrate-bps:35999"), picture(1))).toBe(
      "limit-exceeded at change.settings.opened",
    );
    expect(attempt(limited("bitrate-bps:36000"), picture(1))).toBe("taken");
  });

  it("may be opened beside a picture whose height was capped since", () => {
    const shown = open(terms, picture(1));
    const scope = [...SCOPE, "communication:limit:height:180"];
    const capped = must(narrowedTerms(shown, { leg: 0, scope })).terms;
    expect(asked(capped, opening(capped, messages(2)))).toBe("taken");
    expect(asked(capped, opening(capped, picture(2)))).toBe("limit-exceeded at change.settings.opened");
  });

  it("is one of sixteen at the most", () => {
    const many = Array.from({ length: MAX_STREAMS }, (_, i) => messages(i + 1));
    expect(asked(terms, opening(terms, ...many.slice(0, -1)))).toBe("taken");
    expect(asked(terms, opening(terms, ...many))).toBe("limit-exceeded at change.settings.opened");
  });
});

describe("what is agreed of video and data", () => {
  const seen = open(
    {
      ...terms,
      legs: [
        { leg: 0, scope: [...SCOPE, "communication:limit:bitrate-bps:500000"] },
        { leg: 1, scope: SCOPE },
      ],
    },
    picture(1),
    messages(2),
  );
  const set = (setting: Partial<StreamSetting>) =>
    asked(seen, withSetting(settingsOf(seen), { leg: 0, stream: 1, ...setting }));

  it("is a rate, a height and a number of frames within what was opened", () => {
    expect(set({ bitrate_bps: 300_000, max_height: 180, max_frame_rate: 15 })).toBe("taken");
    expect(set({ max_height: 361 })).toBe("field-invalid at change.settings.streams[0].max_height");
    expect(set({ max_frame_rate: 31 })).toBe("field-invalid at change.settings.streams[0].max_frame_rate");
    expect(set({ redundancy: 1 })).toBe("field-invalid at change.settings.streams[0].redundancy");
    expect(set({ bitrate_bps: 29_999 })).toBe("field-invalid at change.settings.streams[0].bitrate_bps");
    expect(set({ bitrate_bps: 500_001 })).toBe("limit-exceeded at change.settings.streams[0].bitrate_bps");
    expect(set({ leg: 1 })).toBe("field-invalid at change.settings.streams[0].stream");
    expect(set({})).toBe("field-invalid at change.settings.streams[0]");
    expect(set({ stream: 2, bitrate_bps: 64_000 })).toBe("taken");
    expect(set({ stream: 2, max_height: 100 })).toBe(
      "field-invalid at change.settings.streams[0].max_height",
    );
    expect(set({ stream: 0, max_frame_rate: 10 })).toBe(
      "field-invalid at change.settings.streams[0].max_frame_rate",
    );
  });

  it("holds with the codec and the scope: the lowest of them", () => {
    const slower = must(
      changedTerms(seen, withSetting(settingsOf(seen), { leg: 0, stream: 1, max_height: 180 })),
    );
    const shown = streamIn(slower, 1);
    if (shown?.modality !== "video") throw new Error("no picture");
    expect(pictureCaps(shown, slower, 0)).toEqual({
      maxWidth: 640,
      maxHeight: 180,
      maxFrameRate: 30,
      bitrate: 500_000,
    });
    const narrowed = must(
      narrowedTerms(slower, {
        leg: 0,
        scope: [...SCOPE, "communication:limit:bitrate-bps:500000", "communication:limit:frame-rate:10"],
      }),
    ).terms;
    expect(pictureCaps(shown, narrowed, 0)).toMatchObject({ maxFrameRate: 10 });
  });
});

describe("closing", () => {
  const two = open(terms, messages(1), messages(2));
  const closing = (from: Terms, closed: readonly number[] | undefined) => {
    const judged = narrowedTerms(from, { leg: 0, scope: SCOPE, ...(closed === undefined ? {} : { closed }) });
    return judged.ok ? numbers(judged.value.terms).join() : `${judged.fault.code} at ${judged.fault.at}`;
  };

  it("takes streams that are open, and leaves none out that is closed", () => {
    expect(closing(two, [1])).toBe("0,2");
    expect(closing(two, [0, 1, 2])).toBe("");
    expect(closing(two, [3])).toBe("field-invalid at narrowing.closed");
    expect(closing(two, [2, 1])).toBe("field-invalid at narrowing.closed");
    expect(closing(two, undefined)).toBe("field-invalid at narrowing.scope");
    const one = close(two, 0, 1);
    expect(closing(one, [0, 1])).toBe("field-invalid at narrowing.scope");
    expect(closing(one, [1, 2])).toBe("field-invalid at narrowing.closed");
    expect(closing(one, [0, 1, 2])).toBe("");
  });
});

describe("the latest terms", () => {
  const audio = { ...terms, legs: first.legs };
  const owners = {
    publicKeys: [ALICE.identity.publicKey, BOB.identity.publicKey],
    sessionDigest: CORE.digest,
  } as const;
  const common = {
    v: 1,
    session_id: SESSION_ID,
    session_digest: CORE_DIGEST,
    last_audit_id: ZERO_DIGEST,
    iat: CALL_SECONDS,
  } as const;
  /** A voice beside the first one. */
  const voice = (stream: number): OpenedStream => {
    const codec = { name: "pcmu", clock_rate: 8_000, channels: 1, payload_type: 0 } as const;
    const shared = { stream, modality: "audio", direction: "sendrecv" } as const;
    return {
      by: 0,
      offer: { ...shared, ssrc: stream * 2, codecs: [{ ...codec, frame_ms: [20] }] },
      answer: { ...shared, ssrc: stream * 2 + 1, codec: { ...codec, frame_ms: 20 } },
    };
  };

  function changeTo(from: Terms, settings: TermsSettings): TermsStep {
    const change = makeTermsChange(
      {
        ...common,
        leg: 0,
        number: from.number + 1,
        change_id: "019b76da-c6e8-7000-8000-000000000001",
        settings,
        reason: "more",
      },
      ALICE.identity,
    );
    const acceptance = makeTermsAcceptance(
      { ...common, leg: 1, change_digest: termsChangeDigest(change) },
      BOB.identity,
    );
    return { change, acceptance };
  }

  function closingBy(leg: 0 | 1, from: Terms, streams: number[]): TermsStep {
    const closed = closedOf(from, streams);
    const [agent] = leg === 0 ? [ALICE] : [BOB];
    return {
      narrowing: makeNarrowing(
        { ...common, leg, number: from.number + 1, scope: from.legs[leg]?.scope ?? [], closed },
        agent.identity,
      ),
    };
  }

  it("follow from the last narrowing of each leg and the last change, whatever was between", () => {
    const steps: TermsStep[] = [];
    let present: Terms = audio;
    const take = (step: TermsStep) => {
      steps.push(step);
      present = must(latestTerms(present, [step], owners, strictVerifier));
    };
    take(changeTo(present, opening(present, voice(1), voice(2)))); // 0
    take(closingBy(1, present, [1])); // 1
    take(changeTo(present, opening(present, voice(3)))); // 2
    take(closingBy(0, present, [0])); // 3
    take(changeTo(present, opening(present, voice(4)))); // 4
    take(closingBy(1, present, [2, 4])); // 5
    expect(present).toMatchObject({ number: 7, closed: [0], closed_since: [2, 4], last_stream: 4 });
    expect(numbers(present)).toEqual([3]);
    const told = [steps[3], steps[4], steps[5]].map((step) => step as TermsStep);
    // Whoever has the first terms, or had the call up to any of the steps before those, comes to the same.
    for (const known of [0, 1, 2, 3]) {
      const before = must(latestTerms(audio, steps.slice(0, known), owners, strictVerifier));
      expect(must(latestTerms(before, told, owners, strictVerifier))).toEqual(present);
    }
  });
});
