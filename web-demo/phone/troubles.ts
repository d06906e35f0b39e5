/** Networks that a call can be sent through, to see what it does there. */
import { type LinkConditions, PRESETS } from "@parley-rt/parley/emulation";
import { networkText } from "../model/network-text.ts";

/** A narrow way: the voice fits, and little else. */
const NARROW: LinkConditions = { delay: 20, rate: 300_000 };

interface Trouble {
  readonly label: string;
  /** What it does, for people. */
  readonly about: string;
  readonly conditions: LinkConditions | undefined;
}

export const TROUBLES = {
  none: { label: "None", about: "The network is as it is.", conditions: undefined },
  wifi: { label: "Wi-Fi", about: networkText(PRESETS.wifi), conditions: PRESETS.wifi },
  "lossy-wifi": {
    label: "Lossy Wi-Fi",
    about: networkText(PRESETS["lossy-wifi"]),
    conditions: PRESETS["lossy-wifi"],
  },
  cellular: { label: "Cellular", about: networkText(PRESETS.cellular), conditions: PRESETS.cellular },
  congested: { label: "Congested", about: networkText(PRESETS.congested), conditions: PRESETS.congested },
  satellite: { label: "Satellite", about: networkText(PRESETS.satellite), conditions: PRESETS.satellite },
  narrow: { label: "0.3 Mbit/s", about: networkText(NARROW), conditions: NARROW },
} as const satisfies Record<string, Trouble>;

export type TroubleKind = keyof typeof TROUBLES;

export const TROUBLE_KINDS = Object.keys(TROUBLES) as readonly TroubleKind[];
