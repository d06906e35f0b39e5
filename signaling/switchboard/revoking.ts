import type { JsonObject } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { parseUtc } from "../utc-time.ts";
import type { AskedByAnybody } from "./asked.ts";
import type { Authorities } from "./authorities.ts";
import type { Desk } from "./desk.ts";
import { isOperator } from "./operator.ts";
import type { RevocationNotice } from "./parameters.ts";
import { BROADCAST } from "./requirements.ts";
import type { SessionLeg } from "./session.ts";

/** How often the certificates of connections are held against time and revocations, milliseconds; what is revoked now, at once. */
const CERTIFICATE_CHECK = 5_000;
/** How far ahead a revocation may be told, milliseconds: no certificate that is used now lasts longer. */
const LATEST_EFFECT = 90 * 86_400_000;
const OPERATOR = "operator";
/** Code of `sfu/carrier`, which this room cannot see. */
const CLOSE_FORBIDDEN = 6;

/** Takes revocations of Agent Certificates, and ends what goes on under one that does not hold any more. */
export class Revoking {
  readonly #desk: Desk;
  readonly #authorities: Authorities;
  #isWatching = false;

  constructor(desk: Desk, authorities: Authorities) {
    this.#desk = desk;
    this.#authorities = authorities;
  }

  /**
   * NOTIFY / to `infrastructure:broadcast`: a certificate is revoked, for good. Faults:
   * `revocation-forbidden`, `field-invalid`, `capacity`.
   */
  notify(asked: AskedByAnybody, { content }: RevocationNotice, now: number): Result<void> {
    const { replies, certification } = this.#desk;
    const { agent_id: agentId, revocation_reason: reason = "unspecified" } = content;
    const serial = content.certificate_serial
      .replaceAll(":", "")
      .toLowerCase()
      .replace(/^0+(?=.)/, "");
    const effective = content.effective_at === undefined ? ok(now) : parseUtc(content.effective_at);
    if (!effective.ok) return refuse("field-invalid", effective.fault.message, "content.effective_at");
    const speaker = this.#speaker(asked, agentId, now);
    if (!speaker.ok) return speaker;
    if (effective.value > now + LATEST_EFFECT)
      return refuse("field-invalid", "A revocation takes effect within 90 days.", "content.effective_at");
    const { by, issuerKeyId } = speaker.value;
    const effectiveAt = Math.floor(effective.value);
    const revocation = { agentId, serial, issuerKeyId, reason, effectiveAt };
    const added = certification.revocations.add(revocation, now, by !== OPERATOR);
    if (added === "full") return refuse("capacity", "No further revocations fit here.");
    const id = replies.uuid(now);
    const facts: JsonObject = { agent_id: agentId, certificate_serial: serial, effective_at: effectiveAt };
    const result = {
      notification_id: id,
      delivery_id: id,
      recipient: BROADCAST,
      status: "delivered",
      ...facts,
    };
    if (added === "known") {
      replies.answer(asked.exchange, { result: { ...result, noop: true } }, now);
      return ok(undefined);
    }
    replies.answer(
      asked.exchange,
      {
        result,
        event: "certificate-revoked",
        extra: { ...facts, revocation_reason: reason, revoked_by: by },
        entries: [{ kind: "revocation", ...revocation }],
      },
      now,
    );
    this.#desk.outputs.log("warn", "certificate-revoked", { agentId, serial, reason, by });
    this.#check(now);
    return ok(undefined);
  }

  /** From here on the certificates of connections are looked at again and again, while any is in use. */
  watch(now: number): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#desk.timers.set("certificates", "", now + CERTIFICATE_CHECK);
  }

  /** Time passed. */
  due(now: number): void {
    this.#isWatching = false;
    if (this.#check(now)) this.watch(now);
  }

  /** Ends sessions whose certificate was revoked, and closes connections whose certificate does not hold now. Whether any other is in use. */
  #check(now: number): boolean {
    const { certification, connections, outputs } = this.#desk;
    const isRevoked = ({ authority: { certificate } }: SessionLeg) =>
      certificate !== undefined && certification.revocations.find(certificate, now) !== undefined;
    this.#authorities.endFor(isRevoked, "identity-revoked", "certificate-revoked", now);
    let isInUse = false;
    for (const connection of connections.all()) {
      const { certificate } = connection.authority;
      if (certificate === undefined || connection.closing) continue;
      const holds = certification.holds(certificate, now);
      isInUse ||= holds.ok;
      if (holds.ok) continue;
      connection.closing = true;
      const reason = `certificate-${holds.fault.details?.flaw}`;
      outputs.push({ kind: "close", connection: connection.id, code: CLOSE_FORBIDDEN, reason });
    }
    return isInUse;
  }

  /** Who may say it, and for which certificates. Failures are in the log: they are attempts on somebody's identity. */
  #speaker(
    asked: AskedByAnybody,
    agentId: string,
    now: number,
  ): Result<{ readonly by: string; readonly issuerKeyId: string | undefined }> {
    const { certification, registry, outputs } = this.#desk;
    const { connection, exchange } = asked;
    if (isOperator(this.#desk, asked)) return ok({ by: OPERATOR, issuerKeyId: undefined });
    const issuerKeyId = certification.authorityOf(connection, now);
    if (issuerKeyId !== undefined) return ok({ by: `authority ${issuerKeyId}`, issuerKeyId });
    const issuerKey = registry.get(agentId)?.genesis.issuerKey;
    const { peerKey } = connection;
    if (peerKey !== undefined && issuerKey !== undefined && encodeHex(peerKey) === encodeHex(issuerKey))
      return ok({ by: `genesis-issuer ${encodeHex(issuerKey)}`, issuerKeyId: undefined });
    outputs.log("warn", "revocation-refused", {
      agentId,
      claimed: exchange.agentId,
      certificate: peerKey !== undefined,
    });
    return refuse(
      "revocation-forbidden",
      "A certificate is revoked by who issued it, by who issued its agent's Genesis, or by this server's operator.",
      "connection",
    );
  }
}
