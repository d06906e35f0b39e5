import { ParleyError } from "../codecs/parley-error.ts";
import type { CallData } from "./call-data.ts";
import { RPC_LABEL, TEXT_LABEL } from "./data-offer.ts";
import type { AgentPlatform } from "./platform.ts";
import { RpcChannel } from "./rpc-channel.ts";
import { TextChannel } from "./text-channel.ts";

/** What a call has over data streams of Parley's own labels: texts, requests and answers. */
export class DataChannels {
  readonly texts: TextChannel;
  readonly rpc: RpcChannel;

  /** `open`: has the call open a stream of a label; resolves once both ends agree. Default: none can be opened. */
  constructor(options: {
    readonly media: { readonly data: readonly CallData[] };
    readonly platform: Pick<AgentPlatform, "clock" | "random">;
    readonly report: (error: unknown) => void;
    readonly open?: (label: string) => Promise<CallData>;
  }) {
    const { media, platform, report, open = unopened } = options;
    const { clock, random } = platform;
    // Far apart, so that a process that takes the call up means none of those of the one before.
    const first = () => new DataView(random(4).buffer).getUint32(0) * 2 ** 16;
    this.texts = new TextChannel({ clock, report, first: first(), open: () => open(TEXT_LABEL) });
    this.rpc = new RpcChannel({ clock, report, first: first(), open: () => open(RPC_LABEL) });
    for (const stream of media.data) this.add(stream);
  }

  /** A data stream of the call is there. Idempotent. */
  add(stream: CallData): void {
    if (stream.label === TEXT_LABEL) this.texts.add(stream);
    else if (stream.label === RPC_LABEL) this.rpc.add(stream);
  }

  /** The call is over. Idempotent. */
  finish(): void {
    this.texts.finish();
    this.rpc.finish();
  }
}

async function unopened(label: string): Promise<never> {
  throw new ParleyError({
    code: "field-invalid",
    message: "The call was made without such a stream.",
    at: label,
  });
}
