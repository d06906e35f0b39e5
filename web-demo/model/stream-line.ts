/** The streams of a call as lines of a list. */

/** What a stream carries, and between whom. */
export interface StreamLine {
  readonly id: number;
  readonly modality: string;
  /** Which way it flows, as this end sees it. */
  readonly direction: "sendrecv" | "sendonly" | "recvonly";
  readonly muted: boolean;
  readonly held: boolean;
  /** It can be closed alone. */
  readonly canClose: boolean;
  /** What this end shows in it. */
  readonly showing: "camera" | "screen" | undefined;
}

const NAMES: Readonly<Record<string, string>> = { audio: "Voice", video: "Picture", data: "Data" };

/** What it is, in a word or two. */
export function streamTitle({ modality, showing }: StreamLine): string {
  if (showing !== undefined) return showing === "camera" ? "Your camera" : "Your screen";
  return NAMES[modality] ?? modality;
}

/** Whose it is, and how it stands. */
export function streamState({ direction, muted, held }: StreamLine, peer: string): string {
  const way = { sendrecv: "both ways", sendonly: "from you", recvonly: `from ${peer}` }[direction];
  const parts = [way, muted ? "muted" : undefined, held ? "on hold" : undefined];
  return parts.filter((part) => part !== undefined).join(", ");
}

/** Whether two lists say the same. */
export function sameStreams(one: readonly StreamLine[], other: readonly StreamLine[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
