import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ErrorCode } from "../../codecs/error-codes.ts";
import { type Fault, ok, type Result, refuse } from "../../codecs/result.ts";
import { readFragment, writeFragment } from "../../transports/webrtc/sdp-fragment.ts";
import { readOffer } from "../../transports/webrtc/sdp-reading.ts";
import { DESCRIPTION_CAPS } from "../../transports/webrtc/sdp-text.ts";
import { writeDescription } from "../../transports/webrtc/sdp-writing.ts";
import type { Asker, JudgedAsker, OpenedPeer, PeerDesk, PeerNamed } from "../gateway/desk.ts";
import type { AddressBook } from "./address-limits.ts";
import { sendProblem } from "./problem.ts";

/** What the routes are for and who may ask. */
export interface WebRtcParts {
  readonly desk: () => PeerDesk;
  /** Who asks too often. */
  readonly addresses: AddressBook;
  /** What clients of this listener may have dialled. */
  readonly origins: () => readonly string[];
  /** Why nobody is taken now, if so. */
  readonly unready: () => string | undefined;
}

const SDP = "application/sdp";
const FRAGMENT = "application/trickle-ice-sdpfrag";
const PEERS = "/webrtc/peers";

/**
 * Adds WHIP (RFC 9725) and WHEP: `POST /webrtc/whip`, `POST /webrtc/whep`, and the peers that they make. Pages of any origin may ask: what
 * they show is a token, and cookies mean nothing here.
 */
export async function addWebRtc(app: FastifyInstance, parts: WebRtcParts): Promise<void> {
  await app.register((scope, _options, registered) => {
    scope.removeAllContentTypeParsers();
    const asText = { parseAs: "string", bodyLimit: DESCRIPTION_CAPS.bytes } as const;
    scope.addContentTypeParser([SDP, FRAGMENT], asText, (_request, body, done) => done(null, body));
    scope.addHook("onRequest", (_request, reply, done) => {
      reply.headers(FOR_ANY_PAGE);
      done();
    });
    const routes = new WebRtcRoutes(parts);
    scope.setErrorHandler(
      async (error: { readonly code?: string; readonly statusCode?: number }, request, reply) =>
        await routes.unread(faultOf(error), request, reply),
    );
    for (const way of ["whip", "whep"] as const) {
      const url = `/webrtc/${way}`;
      scope.post(url, (request, reply) => routes.open(way, request, reply));
      scope.options(url, (_request, reply) => preflight(reply, "POST, OPTIONS", { "accept-post": SDP }));
      scope.route({
        ...{ method: ["GET", "HEAD", "PUT", "PATCH", "DELETE"], url },
        handler: (_request, reply) => notAllowed(reply, "POST, OPTIONS"),
      });
    }
    const url = `${PEERS}/:id`;
    scope.patch(url, (request, reply) => routes.patch(request, reply));
    scope.delete(url, (request, reply) => routes.close(request, reply));
    scope.options(url, (_request, reply) =>
      preflight(reply, "PATCH, DELETE, OPTIONS", { "accept-patch": `${FRAGMENT}, ${SDP}` }),
    );
    scope.route({
      ...{ method: ["GET", "HEAD", "PUT", "POST"], url },
      handler: (_request, reply) => notAllowed(reply, "PATCH, DELETE, OPTIONS"),
    });
    registered();
  });
}

class WebRtcRoutes {
  readonly #parts: WebRtcParts;

  constructor(parts: WebRtcParts) {
    this.#parts = parts;
  }

  async open(way: "whip" | "whep", request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { unready } = this.#parts;
    const desk = this.#parts.desk();
    const abandoned = new AbortController();
    reply.raw.once("close", () => abandoned.abort());
    const shown = this.#shown(request);
    if (!shown.ok) return sendProblem(reply, shown.fault);
    const stopping = unready();
    if (stopping !== undefined) return sendProblem(reply, refuse("draining", stopping).fault);
    const off = desk.unavailable();
    if (off !== undefined) return sendProblem(reply, off);
    const asked = await desk.judge(shown.value);
    if (!asked.ok) return sendProblem(reply, asked.fault);
    const to = calledAgent(request);
    if (!to.ok) return sendProblem(reply, to.fault);
    if (!isOfType(request, SDP)) return sendProblem(reply, notOf(SDP));
    const offer = readOffer(String(request.body ?? ""));
    if (!offer.ok) return sendProblem(reply, offer.fault);
    const opened = await desk.open({
      ...{ way, asker: asked.value, offer: offer.value, abandoned: abandoned.signal },
      ...(to.value === undefined ? {} : { to: to.value }),
    });
    if (!opened.ok) return sendProblem(reply, opened.fault);
    const { id, kind, description, iceTag } = opened.value;
    return reply
      .code(kind === "answer" ? 201 : 406)
      .headers({
        location: `${request.pageOrigin}${PEERS}/${id}`,
        etag: `"${iceTag}"`,
        "accept-patch": kind === "answer" ? FRAGMENT : `${SDP}, ${FRAGMENT}`,
      })
      .type(SDP)
      .send(writeDescription(description));
  }

  async patch(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const asked = await this.#asked(request);
    if (!asked.ok) return sendProblem(reply, asked.fault);
    const peer = peerOf(request, asked.value);
    const body = String(request.body ?? "");
    if (isOfType(request, SDP)) return settle(reply, await this.#parts.desk().answer(peer, body));
    if (!isOfType(request, FRAGMENT)) return sendProblem(reply, notOf(FRAGMENT));
    const { "if-match": match } = request.headers;
    if (match === undefined)
      return sendProblem(
        reply,
        refuse("if-match-required", "Say by If-Match which ICE session it is for, or * for a restart.").fault,
      );
    const fragment = readFragment(body);
    if (!fragment.ok) return sendProblem(reply, fragment.fault);
    if (match.trim() !== "*") {
      const [, tag = ""] = /^"([\w.-]{1,64})"$/.exec(match.trim()) ?? [];
      return settle(reply, await this.#parts.desk().trickle(peer, fragment.value, tag));
    }
    const restarted = await this.#parts.desk().restart(peer, fragment.value.ice);
    return restarted.ok ? sendRestarted(reply, restarted.value) : sendProblem(reply, restarted.fault);
  }

  async close(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const asked = await this.#asked(request);
    if (!asked.ok) return sendProblem(reply, asked.fault);
    const closed = await this.#parts.desk().close(peerOf(request, asked.value));
    // Whoever asks twice asks for nothing else than once.
    if (!closed.ok && closed.fault.code !== "not-found") return sendProblem(reply, closed.fault);
    return reply.code(200).send();
  }

  /** Its body was not read, for this fault: that is for who shows a token that holds. */
  async unread(fault: Fault, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const asked = fault.code === "server-error" ? undefined : await this.#asked(request);
    return sendProblem(reply, asked?.ok === false ? asked.fault : fault);
  }

  /** Who asks: who shows nothing that holds is told so before anything else of the request is looked at. */
  async #asked(request: FastifyRequest): Promise<Result<JudgedAsker>> {
    const shown = this.#shown(request);
    return shown.ok ? await this.#parts.desk().judge(shown.value) : shown;
  }

  /** What the request shows, where its address does not ask too often. */
  #shown(request: FastifyRequest): Result<Asker> {
    const allowed = this.#parts.addresses.takeUpgrade(request.socket.remoteAddress);
    if (!allowed.ok) return allowed;
    const [, token] = BEARER.exec(request.headers.authorization ?? "") ?? [];
    if (token === undefined)
      return refuse("token-required", "Show an access token: `Authorization: Bearer ...`.", "authorization");
    return ok({ token, origins: this.#parts.origins() });
  }
}

function sendRestarted(reply: FastifyReply, { description, iceTag }: Omit<OpenedPeer, "id">): FastifyReply {
  return reply.code(200).header("etag", `"${iceTag}"`).type(FRAGMENT).send(writeFragment(description));
}

function settle(reply: FastifyReply, result: Result<void>): FastifyReply {
  return result.ok ? reply.code(204).send() : sendProblem(reply, result.fault);
}

function preflight(reply: FastifyReply, methods: string, accepted: Record<string, string>): FastifyReply {
  return reply
    .code(204)
    .headers({
      allow: methods,
      "access-control-allow-methods": methods,
      "access-control-allow-headers": "authorization, content-type, if-match",
      "access-control-max-age": "600",
      ...accepted,
    })
    .send();
}

function notAllowed(reply: FastifyReply, methods: string): FastifyReply {
  reply.header("allow", methods);
  return sendProblem(reply, refuse("method-not-allowed", `This takes ${methods}.`).fault);
}

function calledAgent(request: FastifyRequest): Result<string | undefined> {
  const { to } = request.query as { readonly to?: unknown };
  if (to === undefined) return ok(undefined);
  if (typeof to === "string" && AGENT_ID.test(to)) return ok(to);
  return refuse("field-invalid", "`to` is an Agent-ID: 64 hex digits.", "query.to");
}

function peerOf(request: FastifyRequest, asker: JudgedAsker): PeerNamed {
  return { id: (request.params as { readonly id: string }).id, asker };
}

function isOfType(request: FastifyRequest, type: string): boolean {
  return (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() === type;
}

function notOf(type: string): Fault {
  return refuse("media-type-unsupported", `A body of ${type} is wanted.`, "content-type").fault;
}

/** What Fastify says of a body that it does not read. */
function faultOf({
  code,
  statusCode = 500,
}: {
  readonly code?: string;
  readonly statusCode?: number;
}): Fault {
  if (statusCode === 413)
    return refuse("body-too-large", `The body is longer than ${DESCRIPTION_CAPS.bytes} bytes.`).fault;
  if (statusCode === 415) return notOf(`${SDP} or ${FRAGMENT}`);
  const known: ErrorCode = statusCode < 500 ? "message-malformed" : "server-error";
  return refuse(known, "The request could not be served.", code).fault;
}

const FOR_ANY_PAGE = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "location, etag, accept-patch, accept-post, retry-after, www-authenticate",
  "cross-origin-resource-policy": "cross-origin",
} as const;
const BEARER = /^Bearer +([\w.~+/-]{1,8192}=*)$/i;
const AGENT_ID = /^[0-9a-f]{64}$/;
