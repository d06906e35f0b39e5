/** A certificate authority, and Agent Certificates, made by OpenSSL's own command. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AGENT_EXTENSIONS } from "../../signaling/certificate/agent-extensions.ts";

/** What a certificate is to say, and how. */
export interface WantedCertificate {
  readonly agentId: string;
  readonly ownerId: string;
  readonly scope: readonly string[];
  readonly zone?: string;
  /** Under which identifiers; default: those of the reference implementation. */
  readonly names?: "old" | "new";
  /** Default true. */
  readonly isCritical?: boolean;
}

export class OpensslAuthority {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly #folder: string;
  #made = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.certificateFile = join(folder, "ca.pem");
    this.keyFile = join(folder, "ca.key");
    const authority = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign";
    this.#run(
      `req -x509 -newkey ed25519 -nodes -subj /CN=openssl -days 30 ${authority} -keyout ca.key -out ca.pem`,
    );
  }

  /** What TLS takes of the authority itself. */
  get tls() {
    return { cert: readFileSync(this.certificateFile), key: readFileSync(this.keyFile) };
  }

  /** Files of an agent's certificate and its key, and the serial number in hex as OpenSSL prints it. */
  issue({ agentId, ownerId, scope, zone, names = "old", isCritical = true }: WantedCertificate) {
    const name = `agent${++this.#made}`;
    const set = names === "old" ? 0 : 1;
    const line = (id: string, value: string, critical = isCritical) =>
      `${id}=${critical ? "critical," : ""}DER:${Buffer.from(value).toString("hex")}`;
    const extensions = [
      line(AGENT_EXTENSIONS["agent-id"][set], agentId),
      line(AGENT_EXTENSIONS["owner-id"][set], ownerId),
      line(AGENT_EXTENSIONS["authority-scope-commitment"][0], scope.toSorted().join(",")),
      ...(zone === undefined ? [] : [line(AGENT_EXTENSIONS["governance-zone"][0], zone, false)]),
    ];
    writeFileSync(join(this.#folder, `${name}.ext`), `${extensions.join("\n")}\n`);
    this.#run(
      `req -new -newkey ed25519 -nodes -subj /CN=${name}/O=Acme -keyout ${name}.key -out ${name}.csr`,
    );
    this.#run(
      `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ${name}.ext -out ${name}.pem`,
    );
    const serial = this.#run(`x509 -in ${name}.pem -noout -serial`).trim().replace("serial=", "");
    const path = (ending: string) => join(this.#folder, `${name}.${ending}`);
    return { certificateFile: path("pem"), keyFile: path("key"), serial };
  }

  #run(args: string): string {
    return execFileSync("openssl", args.split(" "), { cwd: this.#folder, encoding: "utf8", stdio: "pipe" });
  }
}
