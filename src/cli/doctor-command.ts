import { ParleyError } from "../../codecs/parley-error.ts";
import { parseServerConfig, readConfigFile, type ServerSettings } from "../config.ts";
import { examine } from "../doctor/doctor.ts";
import type { Finding } from "../doctor/finding.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import type { Output } from "./output.ts";

/** Flags of `parley doctor`: the settings of the server that is meant. */
export interface DoctorFlags extends ServerSettings {
  /** JSON file of settings; flags win over it. */
  readonly config?: string;
}

/** `parley doctor`: says what of this machine and configuration a server could not work with. */
export async function doctorCommand(flags: DoctorFlags, output: Output): Promise<ExitCode> {
  const { config: file, ...settings } = flags;
  const parsed = parseServerConfig(file === undefined ? {} : await readConfigFile(file), settings);
  if (!parsed.ok) throw new ParleyError(parsed.fault);
  const found = await examine(parsed.value);
  const isFit = found.every(({ state }) => state !== "failed");
  output.result({ fit: isFit, findings: found }, ...found.map(lineOf));
  return isFit ? EXIT.done : EXIT.unfit;
}

function lineOf({ name, state, found, fix }: Finding): string {
  return `${state.padEnd(8)} ${name.padEnd(12)} ${found}${fix === undefined ? "" : `. Fix: ${fix}`}`;
}
