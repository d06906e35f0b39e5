import { CLOSE_CODES, type CloseInfo } from "../sfu/carrier.ts";
import type { AgentContext } from "./agent-context.ts";
import type { AnsweredSession } from "./call-assembly.ts";
import { MediaPort } from "./media-port.ts";
import { readStreamParameters, type StreamParameters } from "./stream-parameters.ts";
import { unwrap } from "./unwrap.ts";

/** The connection that carries the media of one call. */
export interface CallConnection {
  readonly port: MediaPort;
  /** The call's streams, by their flows there. */
  readonly streams: readonly StreamParameters[];
  /** Resolves when a connection for this call alone is over; undefined where the agent's own carries the media. */
  readonly over: Promise<CloseInfo> | undefined;
  /** Closes a connection for this call alone. Idempotent. */
  close(): void;
}

/**
 * The agent's connection where that carries media, else one that the server lets this session's media flow on. Throws the
 * refusal, and as dialling does.
 */
export async function openCallConnection(
  context: AgentContext,
  { sessionId, result }: Pick<AnsweredSession, "sessionId" | "result">,
): Promise<CallConnection> {
  const door = context.connection.media;
  if (door === undefined) {
    const streams = unwrap(readStreamParameters(result.streams));
    return { port: context.port, streams, over: undefined, close: () => {} };
  }
  const port = new MediaPort(context.platform.clock);
  const { promise: over, resolve } = Promise.withResolvers<CloseInfo>();
  const { answer, connection } = await context.control.openMedia(
    door,
    {
      method: "OPEN",
      path: `/sessions/${sessionId}/media`,
      parameters: { attach_seq: 1 },
      prove: true,
    },
    (opened) => {
      port.attach(opened);
      return {
        datagram: (bytes) => port.datagram(bytes),
        stream: (stream) => void port.stream(stream).catch(context.report),
        exchange: (stream) => stream.receive.stop(CLOSE_CODES.protocolViolation),
        closed: resolve,
      };
    },
  );
  const close = () => connection.close(CLOSE_CODES.normal, "the call is over");
  try {
    return { port, streams: unwrap(readStreamParameters(answer.result.streams)), over, close };
  } catch (error) {
    close();
    throw error;
  }
}
