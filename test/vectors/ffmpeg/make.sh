#!/usr/bin/env bash
# Makes these vectors anew with ffmpeg, and with the ffmpeg inside PyAV where Debian's has no payload format for AV1:
#     make.sh PYTHON      PYTHON: one that can `import av` (18.1.0)
set -euo pipefail
out=$(cd "$(dirname "$0")" && pwd)
python=${1:?a python with PyAV}
ff() { ffmpeg -hide_banner -loglevel error -nostdin -y "$@"; }
# One thread and no clock: the same bytes every time.
same=(-threads 1 -fflags +bitexact -flags +bitexact -an)

source=(-f lavfi -i "testsrc2=size=320x180:rate=15:duration=3.2,noise=alls=6:allf=t:all_seed=7")
live=(-deadline realtime -cpu-used -4 -lag-in-frames 0 -auto-alt-ref 0 -g 16 -keyint_min 16 -error-resilient default)
# Three temporal layers, 0 2 1 2 and over again: a quarter, half and all of the frames.
layers() { echo "ts_number_layers=3:ts_target_bitrate=$1:ts_rate_decimator=4,2,1:ts_periodicity=4:ts_layer_id=0,2,1,2:ts_layering_mode=3"; }

ff "${source[@]}" "${same[@]}" -c:v libvpx -b:v 160k "${live[@]}" -ts-parameters "$(layers 80,110,160)" -f ivf "$out/vp8-layers.ivf"
ff "${source[@]}" "${same[@]}" -vf scale=160:90 -c:v libvpx -b:v 40k "${live[@]}" -f ivf "$out/vp8-small.ivf"
ff "${source[@]}" "${same[@]}" -c:v libvpx-vp9 -b:v 120k -qmin 44 -qmax 60 "${live[@]}" -ts-parameters "$(layers 60,85,120)" -f ivf "$out/vp9-layers.ivf"
# Hidden frames inside superframes, and an RGB picture: what a live encoder does not make.
ff -t 1.5 "${source[@]}" "${same[@]}" -c:v libvpx-vp9 -b:v 60k -deadline good -cpu-used 4 -lag-in-frames 16 -auto-alt-ref 1 -g 40 -f ivf "$out/vp9-superframes.ivf"
ff -t 0.2 "${source[@]}" "${same[@]}" -vf scale=64:36,format=gbrp -c:v libvpx-vp9 -crf 60 -b:v 0 -f ivf "$out/vp9-rgb.ivf"
ff -t 2 "${source[@]}" "${same[@]}" -c:v libaom-av1 -b:v 100k -usage realtime -cpu-used 8 -lag-in-frames 0 -g 15 -keyint_min 15 -f ivf "$out/av1-libaom.ivf"
ff -t 2 "${source[@]}" "${same[@]}" -c:v libsvtav1 -b:v 80k -preset 12 -g 15 -svtav1-params lp=1 -f ivf "$out/av1-svt.ivf"

# What the frames decode to, by a hash of each.
for file in "$out"/*.ivf; do ff -i "$file" -f framemd5 - | grep -v '^#' > "${file%.ivf}.framemd5"; done
"$python" "$out/layers.py" "$out/vp8-layers" "$out/vp9-layers"
for name in vp8-layers vp8-small vp9-layers vp9-superframes vp9-rgb av1-libaom av1-svt; do "$python" "$out/payloads.py" "$out/$name"; done
