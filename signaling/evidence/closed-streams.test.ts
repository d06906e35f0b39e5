/** How far closed streams had got by the records: what the file says of it, and what it may not say. */
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { contentLines, placesOf, rememberingVerifier, resigned, swapped } from "../../test/evidence-edit.ts";
import { ANCHORS } from "../../test/logged-call.ts";
import { loggedStreams, TOKENS } from "../../test/logged-streams.ts";
import { must, SERVER } from "../../test/signed-call.ts";
import { buildRecord, readRecord } from "../attribution.ts";
import type { EvidenceLine } from "./lines.ts";
import { verifyEvidence } from "./verify.ts";

/** Streams 2 (closed by the callee) and 1 (by the caller), both ways; without closing statements, which name records as they were. */
const LINES = contentLines(loggedStreams({ closes: [] }).evidence);
const verifier = rememberingVerifier();

function judged(lines: readonly EvidenceLine[]) {
  return verifyEvidence(resigned(lines, SERVER.identity, 0), ANCHORS, verifier).report;
}

function faults(lines: readonly EvidenceLine[]): string[] {
  return judged(lines).faults.map(({ message, at }) => `${message} [${at.replace(/line \d+/, "line N")}]`);
}

function said(lines: readonly EvidenceLine[]): string[] {
  return judged(lines).statements.flatMap(({ by, text }) => (by === "server-claimed" ? text : []));
}

const eventOf = (line: EvidenceLine | undefined) =>
  line?.kind === "record" ? must(readRecord(line.jws)).event : undefined;

function placesOfEvent(event: string): number[] {
  return placesOf(LINES, "record").filter((at) => eventOf(LINES[at]) === event);
}

/** The nth record of an event with what it says of streams said otherwise. */
function withStreams(
  event: string,
  nth: number,
  alter: (streams: readonly JsonObject[]) => readonly JsonObject[],
): EvidenceLine[] {
  const at = placesOfEvent(event)[nth] as number;
  const payload = must(readRecord((LINES[at] as Extract<EvidenceLine, { kind: "record" }>).jws));
  const extra = { ...payload.extra, streams: [...alter(payload.extra?.streams as JsonObject[])] };
  return LINES.with(at, { kind: "record", jws: buildRecord({ ...payload, extra }, SERVER.identity).jws });
}

const lastIs = (last: number | null) => (streams: readonly JsonObject[]) =>
  streams.map((each) => ({ ...each, last_sequence: last }));

describe("a file says how far a closed stream had got", () => {
  it("with what its closer heard when it was closed, with both directions when it was gone", () => {
    const about = said(LINES).filter(
      (text) => text.includes(`stream ${TOKENS}:`) && text.includes("let through"),
    );
    expect(about).toEqual([
      expect.stringMatching(/^caller, stream 2: frames up to \d+ let through before the closing$/),
      expect.stringMatching(/^caller, stream 2: frames up to \d+ let through in all$/),
      expect.stringMatching(/^callee, stream 2: frames up to \d+ let through in all$/),
    ]);
    expect(faults(LINES)).toEqual([]);
  });

  it("or that nobody knows, or that the session was over before", () => {
    const unknown = withStreams("stream-closed", 0, (streams) =>
      streams.map(({ last_sequence: _, ...place }) => place),
    );
    expect(said(unknown)).toContain("callee, stream 2: no word on which frame was its last");
    const [first] = placesOfEvent("stream-closed") as [number];
    const record = LINES[first] as Extract<EvidenceLine, { kind: "record" }>;
    const { extra: _, ...payload } = must(readRecord(record.jws));
    const other = buildRecord({ ...payload, event: "something-else" }, SERVER.identity);
    const never = LINES.with(first, { kind: "record", jws: other.jws });
    expect(said(never)).toContain("caller, stream 2: it was not over before the session was");
    expect([faults(unknown), faults(never)]).toEqual([[], []]);
  });
});

describe("no file may say", () => {
  it("that its closer received what came after the closing", () => {
    expect(faults(withStreams("terms-narrowed", 0, lastIs(0)))).toEqual([
      expect.stringMatching(/^The listener received frame \d+, beyond the closing\. \[caller, stream 2\]$/),
    ]);
  });

  it("that anything was received or counted after the end", () => {
    const beyond = (who: string, stream: number) => [
      expect.stringMatching(
        `^The listener received frame \\d+, beyond the end .* \\[${who}, stream ${stream}\\]$`,
      ),
      expect.stringMatching(
        `^The relay counts frames up to \\d+, beyond the end .*${who}, stream ${stream}\\]$`,
      ),
    ];
    expect(faults(withStreams("stream-closed", 0, lastIs(null)))).toEqual([
      ...beyond("caller", 2),
      ...beyond("callee", 2),
    ]);
    expect(faults(withStreams("stream-closed", 1, lastIs(null)))).toEqual([
      ...beyond("caller", 1),
      ...beyond("callee", 1),
    ]);
  });

  it("that a stream was over which nobody closed, that was over already, or before it was closed", () => {
    const stray = (stream: number, leg = 0) =>
      expect.stringMatching(
        `^It tells the end of a stream that was not closed before.*leg ${leg}, stream ${stream}\\]$`,
      );
    const more = (place: JsonObject) =>
      faults(withStreams("stream-closed", 1, (streams) => [...streams, { ...place, last_sequence: null }]));
    expect(more({ leg: 0, stream: 0 })).toEqual([stray(0)]);
    expect(more({ leg: 0, stream: 2 })).toEqual([stray(2)]);
    expect(more({ leg: 0, stream: 1 })).toEqual([stray(1)]);
    expect(more({ leg: 0, stream: 9 })).toEqual([stray(9)]);
    expect(more({})).toEqual([stray(-1, -1)]);
    const [closing] = placesOfEvent("terms-narrowed") as [number];
    const [gone] = placesOfEvent("stream-closed") as [number];
    expect(faults(swapped(LINES, closing, gone))).toEqual([stray(2, 0), stray(2, 1)]);
  });
});
