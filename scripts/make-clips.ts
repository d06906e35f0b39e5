/**
 * Makes what bots show: `src/bots/clips/large.ivf`, `small.ivf` and `tiny.ivf`, one video of 4 s in three sizes. VP8 with a key frame every
 * 2 s and temporal layers 0 2 1 2 and over again. Needs ffmpeg with libvpx; the same version gives the same bytes.
 *
 *     node scripts/make-clips.ts [FOLDER]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CLIPS = [
  { name: "large", size: "640:360", kilobits: 400 },
  { name: "small", size: "320:180", kilobits: 110 },
  { name: "tiny", size: "160:90", kilobits: 32 },
] as const;

/** A moving pattern with the noise of a camera in poor light. */
const PICTURE = "testsrc2=size=640x360:rate=30:duration=4,noise=alls=5:allf=t:all_seed=7";
const KEY_EVERY = "60";

const folder = process.argv[2] ?? fileURLToPath(new URL("../src/bots/clips/", import.meta.url));
mkdirSync(folder, { recursive: true });

for (const { name, size, kilobits } of CLIPS) {
  // Of each layer with those beneath it.
  const rates = [0.5, 0.7, 1].map((share) => Math.round(kilobits * share)).join(",");
  const layers = `ts_number_layers=3:ts_target_bitrate=${rates}:ts_rate_decimator=4,2,1:ts_periodicity=4:ts_layer_id=0,2,1,2:ts_layering_mode=3`;
  execFileSync(
    "ffmpeg",
    [
      ...["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-f", "lavfi", "-i", PICTURE],
      ...["-vf", `scale=${size}`, "-an", "-c:v", "libvpx", "-b:v", `${kilobits}k`],
      ...["-deadline", "realtime", "-cpu-used", "-4", "-lag-in-frames", "0", "-auto-alt-ref", "0"],
      ...["-g", KEY_EVERY, "-keyint_min", KEY_EVERY, "-error-resilient", "default", "-ts-parameters", layers],
      ...[
        "-threads",
        "1",
        "-fflags",
        "+bitexact",
        "-flags",
        "+bitexact",
        "-f",
        "ivf",
        join(folder, `${name}.ivf`),
      ],
    ],
    { stdio: "inherit" },
  );
}
