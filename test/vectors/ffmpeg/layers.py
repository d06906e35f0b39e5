"""NAME...: checks that without its upper layers NAME.ivf decodes to the same pictures as with them."""
import subprocess
import sys
import tempfile

for name in sys.argv[1:]:
    with open(f"{name}.ivf", "rb") as file:
        header, rest = file.read(32), file.read()
    with open(f"{name}.framemd5") as file:
        pictures = [line.split()[-1] for line in file]
    frames = []
    while rest:
        end = 12 + int.from_bytes(rest[:4], "little")
        frames.append(rest[:end])
        rest = rest[end:]
    for highest in (0, 1):
        kept = [index for index in range(len(frames)) if (0, 2, 1, 2)[index % 4] <= highest]
        with tempfile.NamedTemporaryFile(suffix=".ivf") as file:
            file.write(header + b"".join(frames[index] for index in kept))
            file.flush()
            command = ["ffmpeg", "-loglevel", "error", "-nostdin", "-i", file.name, "-f", "framemd5", "-"]
            lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        decoded = [line.split()[-1] for line in lines if not line.startswith("#")]
        assert decoded == [pictures[index] for index in kept], (name, highest)
