import { systemClock } from "../../platform/node/clock.ts";
import { loadIdentity } from "../../platform/node/identity-file.ts";
import { issueAgentCertificate } from "../certificates/issue.ts";
import { writeNewFile } from "../certificates/new-file.ts";
import { createTestAuthority, loadTestAuthority } from "../certificates/test-authority.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import type { Output } from "./output.ts";

/** Flags of `parley cert authority`. */
export interface CertAuthorityFlags {
  readonly name: string;
}

/** Flags of `parley cert agent`. */
export interface CertAgentFlags {
  /** Folder of the authority. */
  readonly authority: string;
  /** Identity file. */
  readonly identity: string;
  /** Default: the identity file's name, ending in `.pem`. */
  readonly out?: string;
  readonly days: number;
  readonly scope?: readonly string[];
  readonly zone?: string;
  /** False with `--no-critical`. */
  readonly critical: boolean;
}

/** `parley cert authority`: makes a test authority. */
export async function certAuthorityCommand(
  folder: string,
  { name }: CertAuthorityFlags,
  output: Output,
): Promise<ExitCode> {
  const path = await createTestAuthority(folder, name, systemClock.wall());
  output.result({ authority: path }, path);
  output.note(`for parley serve: --client-certificates asked --certificate-authority ${path}`);
  return EXIT.done;
}

/** `parley cert agent`: makes a certificate for an agent. */
export async function certAgentCommand(flags: CertAgentFlags, output: Output): Promise<ExitCode> {
  const [authority, identity] = await Promise.all([
    loadTestAuthority(flags.authority),
    loadIdentity(flags.identity),
  ]);
  const { days, scope, zone, critical: isCritical } = flags;
  const options = { days, scope, zone, isCritical, now: systemClock.wall() };
  const { pem, serial, notAfter } = issueAgentCertificate(authority, identity, options);
  const path = flags.out ?? `${flags.identity.replace(/\.[^./\\]*$/, "")}.pem`;
  await writeNewFile(path, pem, true);
  const facts = { certificate: path, agent_id: identity.agentId, serial };
  output.result({ ...facts, not_after: new Date(notAfter).toISOString() }, path);
  output.note(`serial ${serial}, until ${new Date(notAfter).toISOString()}; its key is in the same file`);
  return EXIT.done;
}
