import type { Session } from "./session.ts";

/** How often the authority of a live session's ends is judged again though nobody asks anything, milliseconds. */
const AUTHORITY_CHECK = 15_000;

/** When a session is judged next: after the usual time, or as soon as something that an end showed runs out. */
export function nextJudgement({ legs }: Session, now: number): number {
  const ends = legs.flatMap(({ authority: { certificate, grant } }) => [
    certificate?.notAfter ?? Number.POSITIVE_INFINITY,
    grant?.expiresAt ?? Number.POSITIVE_INFINITY,
  ]);
  return Math.min(now + AUTHORITY_CHECK, ...ends.map((at) => Math.max(at, now) + 1));
}
