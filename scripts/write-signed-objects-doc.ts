/** Writes docs/wire-signed-objects.md from the table of signed objects and the examples. A test fails while it is stale. */
import { writeFileSync } from "node:fs";
import { encodeHex } from "../codecs/hex.ts";
import { keyId } from "../signaling/keys.ts";
import { SIGNED_OBJECTS, type SignedObject } from "../signaling/signed-objects.ts";
import { AGREED, CAST, EXAMPLES, type Example } from "../test/docs/signed-object-examples.ts";

/** The page that belongs to the present table and examples. */
export function signedObjectsPage(): string {
  const rows = SIGNED_OBJECTS.map(
    ({ name, mark, key, audience, verifiers }) =>
      `| [${name}](#${anchor(name)}) | \`${visible(mark)}\` | ${key} | ${audience} | ${verifiers} |`,
  );
  const cast = CAST.map(
    ([who, seed, key]) =>
      `| ${who} | 32 times 0x${encodeHex(Uint8Array.of(seed))} | \`${encodeHex(key)}\` | \`${keyId(key)}\` |`,
  );
  return `${INTRODUCTION}
| object | \`typ\` or domain | signed by | meant for, bound by | judged by |
|---|---|---|---|---|
${rows.join("\n")}
${RULES}
| who | seed | public key | kid |
|---|---|---|---|
${cast.join("\n")}

The call is at 2026-01-01T00:00:00Z and a few seconds later; Genesis and identity document are a day older. Lines are
broken and JSON is indented for reading only.

${SIGNED_OBJECTS.map(section).join("\n")}
## What is agreed and not signed by itself

The **session core** is RFC 8785 canonical JSON that offer and answer determine. The **session digest** is SHA-256 of
\`parley session v1\\0\` and the core; frames, checkpoints and receipts are bound to it.

\`\`\`json
${readable(new TextDecoder().decode(AGREED.core))}
\`\`\`

Session digest: \`${AGREED.digest}\`

The **terms** follow from offer and answer as well: whoever has both derives the same ones. They are numbered from 1.

\`\`\`json
${readable(new TextDecoder().decode(AGREED.terms))}
\`\`\`
`;
}

function section(object: SignedObject): string {
  const example = EXAMPLES.get(object.name);
  if (example === undefined) throw new Error(`no example of ${object.name}`);
  return `## ${object.name}

Says: ${object.says}. Made and judged in \`${object.module}\`. This one is signed by ${example.signer}.

${body(object, example)}`;
}

function body(object: SignedObject, example: Example): string {
  switch (example.envelope) {
    case "JWS": {
      const [header = "", payload = ""] = example.jws.split(".");
      return `${fenced("json", `${text(header)}\n${readable(text(payload))}`)}
${fenced("text", wrapped(example.jws))}`;
    }
    case "member":
      return fenced("json", readable(new TextDecoder().decode(example.bytes)));
    case "bytes":
      return `${fenced("text", `domain     ${visible(object.mark)}\nbytes      ${wrapped(encodeHex(example.body), 11)}\nsignature  ${wrapped(encodeHex(example.signature), 11)}`)}`;
  }
}

function fenced(language: string, content: string): string {
  return `\`\`\`${language}\n${content}\n\`\`\`\n`;
}

function text(segment: string): string {
  return new TextDecoder().decode(Uint8Array.fromBase64(segment, { alphabet: "base64url" }));
}

/** Indented JSON, with a signed object inside it named rather than repeated. */
function readable(json: string): string {
  const shortened = (_name: string, value: unknown) =>
    typeof value === "string" && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(value)
      ? `(JWS, ${value.length} characters)`
      : value;
  return JSON.stringify(JSON.parse(json), shortened, 2);
}

function wrapped(line: string, indent = 0): string {
  return (line.match(/.{1,96}/g) ?? []).join(`\n${" ".repeat(indent)}`);
}

function visible(mark: string): string {
  return mark.replaceAll("\0", "\\0");
}

function anchor(name: string): string {
  return name.toLowerCase().replaceAll(" ", "-");
}

const INTRODUCTION = `# Signed objects

Everything that Parley signs, with what keeps one from passing for another. All signatures are Ed25519 (RFC 8032), judged
by libsodium's rule: keys of small order or in a second encoding, and signatures with S past the group order, are refused.
`;

const RULES = `
- A **JWS** (RFC 7515, compact) has exactly \`alg\` \`EdDSA\`, \`kid\` and \`typ\` in its header. Header and payload are RFC 8785
  canonical JSON, base64url is unpadded and canonical, and a member that is not known is refused (an Attribution-Record may
  have more). \`typ\` must be the one expected; \`none\` and every other algorithm are refused.
- \`kid\` is \`ed25519-\` and the first 16 hex digits of SHA-256 of the raw public key. It must name the key at hand; it never
  chooses one.
- A **Genesis** and an **identity document** hold their signature in a member (\`signature\`, \`manifest_signature\`); what is
  signed is the canonical JSON of the rest. The Agent-ID is SHA-256 of what is signed, as hex; an \`agent_id\` inside a
  Genesis does not enter it. A Genesis is printable ASCII, so that every canonical form of it is the same bytes.
- **Media keys** sign raw bytes that begin with a zero byte, never JSON or JWS, which begin with \`{\` or \`ey\`. The domain
  string is signed and not sent. Byte layouts are in [wire-media.md](wire-media.md).
- An object refers to another by the SHA-256 of its compact form: \`offer_digest\`, \`signed\` in the core, Audit-IDs.
- Where a [gateway](wire-signaling.md#gateways) takes part for an agent, its identity key signs what an agent's would, and its media key the frames. Its offer or answer says so
  in the member \`gateway\`, which others do not have, nor an offer \`gateways\` that takes none.
- Times in JWS are Unix seconds. Clocks may differ by 30 s.

This page is generated by \`node scripts/write-signed-objects-doc.ts\`; its examples can be made again from these seeds:
`;

if (import.meta.main)
  writeFileSync(new URL("../docs/wire-signed-objects.md", import.meta.url), signedObjectsPage());
