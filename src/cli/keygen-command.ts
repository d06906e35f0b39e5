import { createIdentity, type NewIdentity } from "../../agent/node.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { saveIdentity } from "../../platform/node/identity-file.ts";
import { createIssuerFile, loadIssuerFile } from "../issuer-file.ts";
import { addToTrustFile } from "../trust-file.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { type Output, usageError } from "./output.ts";

/** Flags of `parley keygen`. */
export interface KeygenFlags {
  readonly name?: string;
  readonly owner?: string;
  readonly scope?: readonly string[];
  readonly issuer?: string;
  readonly newIssuer?: string;
  readonly issuerName: string;
  readonly trust?: string;
}

/** `parley keygen`: makes an agent, or one who vouches for agents, or both. */
export async function keygenCommand(
  file: string | undefined,
  flags: KeygenFlags,
  output: Output,
): Promise<ExitCode> {
  if (file === undefined && flags.newIssuer === undefined)
    throw usageError("Nothing to make: name a FILE for the agent, or --new-issuer.");
  if (flags.issuer !== undefined && flags.newIssuer !== undefined)
    throw usageError("--issuer and --new-issuer exclude each other.");
  const issuer =
    flags.newIssuer !== undefined
      ? await createIssuerFile(flags.newIssuer, flags.issuerName)
      : flags.issuer !== undefined
        ? await loadIssuerFile(flags.issuer)
        : undefined;
  const agentId = file === undefined ? undefined : await makeAgent(file, flags, issuer);
  if (flags.trust !== undefined) {
    // Who vouches is trusted rather than the one agent, where somebody does.
    const agentIds = issuer === undefined && agentId !== undefined ? [agentId] : [];
    await addToTrustFile(flags.trust, {
      issuerKeys: issuer === undefined ? [] : [issuer.signer.publicKey],
      agentIds,
    });
  }
  const issuerKey = issuer === undefined ? undefined : encodeHex(issuer.signer.publicKey);
  output.result(
    {
      agent_id: agentId,
      key_file: file,
      issuer: issuer?.name,
      issuer_key: issuerKey,
      issuer_file: flags.newIssuer ?? flags.issuer,
      trust_file: flags.trust,
    },
    ...(agentId === undefined ? [] : [agentId]),
  );
  if (flags.newIssuer !== undefined)
    output.note(`issuer ${flags.issuerName} in ${flags.newIssuer}: keep it offline`);
  if (file !== undefined)
    output.note(`agent in ${file}, vouched for by ${issuer === undefined ? "itself" : issuer.name}`);
  return EXIT.done;
}

async function makeAgent(
  file: string,
  flags: KeygenFlags,
  issuer: Awaited<ReturnType<typeof loadIssuerFile>> | undefined,
): Promise<string> {
  const fields: NewIdentity = {
    name: flags.name ?? nameOf(file),
    ...(flags.owner === undefined ? {} : { owner: flags.owner }),
    ...(flags.scope === undefined ? {} : { scope: flags.scope }),
  };
  const { identity, file: stored } = createIdentity(fields, issuer);
  await saveIdentity(file, stored);
  return identity.agentId;
}

/** `keys/ada.key` is Ada's: `ada`. */
function nameOf(file: string): string {
  const last = file.split(/[/\\]/).at(-1) ?? file;
  return last.replace(/\.[^.]*$/, "") || last;
}
