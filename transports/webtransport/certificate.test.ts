import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CERTIFICATE_FILE, givenCertificate, storedCertificate } from "./certificate.ts";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 2, 1);

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-certificate-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("stored certificate", () => {
  test("is ECDSA P-256, self-signed, valid for 13 days, for this machine's names and those given", async () => {
    const made = await storedCertificate({ folder, hosts: ["media.example", "192.0.2.7"], now: NOW });
    const certificate = new X509Certificate(made.certificatePem);
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)).toBe(13 * DAY);
    expect(Date.parse(certificate.validFrom)).toBeLessThan(NOW);
    expect(made.notAfter).toBe(Date.parse(certificate.validTo));
    expect(Buffer.from(made.hash).toString("hex")).toBe(
      certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    );
    for (const host of ["localhost", "media.example"]) expect(certificate.checkHost(host)).toBe(host);
    for (const ip of ["127.0.0.1", "::1", "192.0.2.7"]) expect(certificate.checkIP(ip)).toBe(ip);
    expect(certificate.checkHost("other.example")).toBeUndefined();
  });

  test("its file is readable by the owner alone, and nothing else is left in the folder", async () => {
    await storedCertificate({ folder, now: NOW });
    expect(await readdir(folder)).toEqual([CERTIFICATE_FILE]);
    expect((await stat(join(folder, CERTIFICATE_FILE))).mode & 0o777).toBe(0o600);
  });

  test("is used again while a day remains, and replaced after", async () => {
    const made = await storedCertificate({ folder, now: NOW });
    expect(await storedCertificate({ folder, now: NOW + DAY })).toEqual(made);
    expect(await storedCertificate({ folder, now: made.notAfter - DAY })).toEqual(made);
    const renewed = await storedCertificate({ folder, now: made.notAfter - DAY + 1 });
    expect(renewed.hash).not.toEqual(made.hash);
    expect(await storedCertificate({ folder, now: made.notAfter })).toEqual(renewed);
  });

  test("is replaced when it lacks a host that is asked for", async () => {
    const made = await storedCertificate({ folder, now: NOW });
    const wider = await storedCertificate({ folder, hosts: ["media.example"], now: NOW });
    expect(wider.hash).not.toEqual(made.hash);
    expect(await storedCertificate({ folder, now: NOW })).toEqual(wider);
  });

  test("is refused as broken when the file is torn, empty, or holds another's key", async () => {
    await storedCertificate({ folder, now: NOW });
    const path = join(folder, CERTIFICATE_FILE);
    const whole = await readFile(path, "utf8");
    const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
      type: "pkcs8",
      format: "pem",
    });
    const otherKey = whole.replace(
      /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/,
      String(key),
    );
    for (const text of [
      "",
      "junk",
      whole.slice(0, 300),
      whole.slice(0, -40),
      whole.replace("M", "!"),
      otherKey,
    ]) {
      await writeFile(path, text);
      await expect(storedCertificate({ folder, now: NOW })).rejects.toMatchObject({
        code: "certificate-broken",
        at: path,
      });
    }
  });

  test("says when the folder cannot be written", async () => {
    await writeFile(join(folder, "file"), "");
    await expect(storedCertificate({ folder: join(folder, "file", "data"), now: NOW })).rejects.toMatchObject(
      {
        code: "data-folder-unwritable",
      },
    );
  });
});

describe("given certificate", () => {
  const files = async (): Promise<{
    certificateFile: string;
    keyFile: string;
    hash: Uint8Array;
    notAfter: number;
  }> => {
    const made = await storedCertificate({ folder, now: NOW });
    const certificateFile = join(folder, "given.pem");
    const keyFile = join(folder, "given.key");
    await writeFile(certificateFile, made.certificatePem);
    await writeFile(keyFile, made.privateKeyPem);
    return { certificateFile, keyFile, hash: made.hash, notAfter: made.notAfter };
  };

  test("is loaded from its two files, its chain kept, the hash being the first one's", async () => {
    const { certificateFile, keyFile, hash } = await files();
    const other = await storedCertificate({ folder: join(folder, "other"), now: NOW });
    await writeFile(certificateFile, (await readFile(certificateFile, "utf8")) + other.certificatePem);
    const given = await givenCertificate({ certificateFile, keyFile, now: NOW });
    expect(given.hash).toEqual(hash);
    expect(given.certificatePem.match(/BEGIN CERTIFICATE/g)?.length).toBe(2);
  });

  test("is refused when missing, swapped, mismatched or expired", async () => {
    const { certificateFile, keyFile, notAfter } = await files();
    const refused = (options: Partial<Parameters<typeof givenCertificate>[0]>) =>
      expect(givenCertificate({ certificateFile, keyFile, now: NOW, ...options })).rejects.toMatchObject({
        code: "certificate-broken",
      });
    await refused({ certificateFile: join(folder, "absent.pem") });
    await refused({ keyFile: join(folder, "absent.key") });
    await refused({ certificateFile: keyFile, keyFile: certificateFile });
    await refused({ now: notAfter });
    const other = await storedCertificate({ folder: join(folder, "other"), now: NOW });
    await writeFile(keyFile, other.privateKeyPem);
    await refused({});
  });
});
