import type { JsonObject } from "../codecs/canonical-json.ts";
import { type CarrierKind, CLOSE_CODES, type CloseInfo } from "../sfu/carrier.ts";
import type { AgentContext } from "./agent-context.ts";
import type { AnsweredSession } from "./call-assembly.ts";
import type { ControlRequest } from "./control.ts";
import { MediaPort } from "./media-port.ts";
import { readStreamParameters, type StreamParameters } from "./stream-parameters.ts";
import { unwrap } from "./unwrap.ts";

/** The connection that carries the media of one call. */
export interface CallConnection {
  readonly port: MediaPort;
  /** The call's streams, by their flows there. */
  readonly streams: readonly StreamParameters[];
  /** Number of the `OPEN` that brought it about; 0 where none was needed. */
  readonly attachSeq: number;
  /** Resolves when a connection for this call alone is over; undefined where the agent's own carries the media. */
  readonly over: Promise<CloseInfo> | undefined;
  /** Closes a connection for this call alone. Idempotent. */
  close(): void;
}

/** Another connection for a call, and what the server answered to the `OPEN` of it. */
export interface ReopenedConnection extends CallConnection {
  readonly carrier: CarrierKind;
  readonly result: JsonObject;
}

/**
 * The agent's connection where that carries media, else one that the server lets this session's media flow on. Throws the
 * refusal, and as dialling does.
 */
export async function openCallConnection(
  context: AgentContext,
  { sessionId, result }: Pick<AnsweredSession, "sessionId" | "result">,
): Promise<CallConnection> {
  if (context.connection.media !== undefined) {
    return await reopenCallConnection(context, sessionId, { attach_seq: 1 });
  }
  const streams = unwrap(readStreamParameters(result.streams));
  return { port: context.port, streams, attachSeq: 0, over: undefined, close: () => {} };
}

/** Lets a session's media flow on the agent's present connection, or on a new one. Throws the refusal, and as dialling does. */
export async function reopenCallConnection(
  context: AgentContext,
  sessionId: string,
  parameters: JsonObject & { readonly attach_seq: number },
): Promise<ReopenedConnection> {
  const request = { method: "OPEN", path: `/sessions/${sessionId}/media`, parameters, prove: true };
  const opened = await (context.connection.media === undefined
    ? openHere(context, request)
    : openAnother(context, request));
  try {
    const streams = unwrap(readStreamParameters(opened.result.streams));
    const { carrier } = context.connection;
    return { ...opened, carrier, streams, attachSeq: parameters.attach_seq };
  } catch (error) {
    opened.close();
    throw error;
  }
}

type Opened = Pick<ReopenedConnection, "port" | "result" | "over" | "close">;

async function openHere(context: AgentContext, request: ControlRequest): Promise<Opened> {
  const { result } = await context.control.request(request);
  return { port: context.port, result, over: undefined, close: () => {} };
}

async function openAnother(context: AgentContext, request: ControlRequest): Promise<Opened> {
  const { media: door } = context.connection;
  if (door === undefined) return await openHere(context, request);
  const port = new MediaPort(context.platform.clock);
  const { promise: over, resolve } = Promise.withResolvers<CloseInfo>();
  const { answer, connection } = await context.control.openMedia(door, request, (opened) => {
    port.attach(opened);
    return {
      datagram: (bytes) => port.datagram(bytes),
      stream: (stream) => void port.stream(stream).catch(context.report),
      exchange: (stream) => stream.receive.stop(CLOSE_CODES.protocolViolation),
      closed: resolve,
    };
  });
  const close = () => connection.close(CLOSE_CODES.normal, "the call is over");
  return { port, result: answer.result, over, close };
}
