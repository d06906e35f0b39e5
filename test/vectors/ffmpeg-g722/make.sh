#!/usr/bin/env bash
# Makes these vectors anew with ffmpeg. Run it anywhere in the repository.
set -euo pipefail
out=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$out/../../.." && pwd)
ff() { ffmpeg -hide_banner -loglevel error -y "$@"; }
pcm=(-ar 16000 -ac 1 -f s16le)

ff -ss 0.6 -t 0.4 -i "$root/examples/speech/ada-1.wav" "${pcm[@]}" "$out/speech.pcm"
# A voice never reaches the ends of the scales: full-scale noise, a tone over the middle of the band, steps.
ff -f lavfi -i "anoisesrc=r=16000:a=1:d=0.1:s=7" "${pcm[@]}" "$out/noise.pcm"
ff -f lavfi -i "aevalsrc='sin(2*PI*(100+60000*t)*t)*(0.2+8*t)':s=16000:d=0.12" "${pcm[@]}" "$out/sweep.pcm"
for name in speech noise sweep; do
  ff "${pcm[@]}" -i "$out/$name.pcm" -c:a g722 -f g722 "$out/$name.g722"
  ff -f g722 -i "$out/$name.g722" "${pcm[@]}" "$out/$name.heard.pcm"
done
# Any bytes are G.722: these visit codes that an encoder rarely makes.
for block in $(seq 1 40); do printf '%s' "$block" | openssl dgst -sha256 -binary; done > "$out/any.g722"
ff -f g722 -i "$out/any.g722" "${pcm[@]}" "$out/any.heard.pcm"
