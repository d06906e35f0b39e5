import { Agent, type BrowserConnectOptions } from "../../agent/browser.ts";

declare global {
  var callOut: (asked: CallAsked) => Promise<CallReport>;
}

/** Whom a page should call, and over what. */
export interface CallAsked {
  readonly url: string;
  readonly hash: string;
  readonly webSocketUrl: string;
  readonly carrier: NonNullable<BrowserConnectOptions["carrier"]>;
  /** WebTransport is taken away from the page first. */
  readonly withoutWebTransport?: boolean;
  readonly callee: string;
  readonly words: string;
}

/** What the page saw of its call. */
export interface CallReport {
  readonly kind: string;
  readonly reason: string | undefined;
  readonly hasRoundTrip: boolean;
  readonly answer: unknown;
  readonly heard: number;
  readonly refused: object;
}

globalThis.callOut = async ({ url, hash, webSocketUrl, carrier, withoutWebTransport, callee, words }) => {
  if (withoutWebTransport) Reflect.deleteProperty(globalThis, "WebTransport");
  const agent = await Agent.connect(url, {
    identity: `${carrier} page`,
    carrier,
    webSocketUrl,
    certificateHashes: [hash],
  });
  const { kind, reason, roundTrip } = agent.carrier;
  const call = await agent.call(callee, { data: true });
  const second = Array.from({ length: 50 }, () => new Int16Array(960).fill(1_000));
  for (const pcm of second) await call.audio.write(pcm);
  await call.data?.send(words);
  let answer: unknown;
  for await (const message of call.data ?? []) {
    answer = message.value;
    break;
  }
  while ((call.stats().heard?.verified ?? 0) < 20) await new Promise((resolve) => setTimeout(resolve, 50));
  const { verified = 0, refused = {} } = call.stats().heard ?? {};
  await call.end("said-everything");
  await agent.close();
  return { kind, reason, hasRoundTrip: roundTrip !== undefined, answer, heard: verified, refused };
};
