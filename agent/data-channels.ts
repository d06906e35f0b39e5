import { CallData } from "./call-data.ts";
import type { CallStream } from "./call-stream.ts";
import { RPC_LABEL, TEXT_LABEL } from "./data-offer.ts";
import type { AgentPlatform } from "./platform.ts";
import { RpcChannel } from "./rpc-channel.ts";
import { TextChannel } from "./text-channel.ts";

/** What a call has over data streams of Parley's own labels: texts, requests and answers. */
export class DataChannels {
  readonly texts: TextChannel;
  readonly rpc: RpcChannel;

  /** `open`: has the call open a stream of a label; resolves once both ends agree. */
  constructor(options: {
    readonly media: { readonly data: readonly CallData[] };
    readonly platform: Pick<AgentPlatform, "clock" | "random">;
    readonly report: (error: unknown) => void;
    readonly open: (label: string) => Promise<CallData>;
  }) {
    const { media, platform, report, open } = options;
    const { clock, random } = platform;
    // Far apart, so that a process that takes the call up means none of those of the one before.
    const first = () => new DataView(random(4).buffer).getUint32(0) * 2 ** 16;
    this.texts = new TextChannel({ clock, report, first: first(), open: () => open(TEXT_LABEL) });
    this.rpc = new RpcChannel({ clock, report, first: first(), open: () => open(RPC_LABEL) });
    for (const stream of media.data) this.add(stream);
  }

  /** A stream of the call is there, which is passed over where it has another label. Idempotent. */
  add(stream: CallStream): void {
    if (!(stream instanceof CallData)) return;
    if (stream.label === TEXT_LABEL) this.texts.add(stream);
    else if (stream.label === RPC_LABEL) this.rpc.add(stream);
  }

  /** The call is over. Idempotent. */
  finish(): void {
    this.texts.finish();
    this.rpc.finish();
  }
}
