"""NAME: sends NAME.ivf as RTP on the loopback and writes the packets to NAME.rtp, each behind its length (RFC 4571)."""
import socket
import subprocess
import sys
import threading

import av

name = sys.argv[1]
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
receiver.bind(("127.0.0.1", 0))
receiver.settimeout(2)
url = f"rtp://127.0.0.1:{receiver.getsockname()[1]}?pkt_size=60000"
packets = []


def listen():
    try:
        while True:
            packet = receiver.recv(65536)
            if not 200 <= packet[1] <= 213:  # RTCP
                packets.append(packet)
    except TimeoutError:
        pass


listener = threading.Thread(target=listen)
listener.start()
if "/av1" in name:
    with av.open(f"{name}.ivf") as source, av.open(url, "w", format="rtp", options={"seq": "0", "ssrc": "1", "strict": "experimental"}) as sink:
        stream = sink.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                sink.mux(packet)
else:
    options = ["-seq", "0", "-ssrc", "1", "-strict", "experimental"]
    command = ["ffmpeg", "-loglevel", "error", "-nostdin", "-i", f"{name}.ivf", "-c", "copy", *options, "-f", "rtp", url]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
listener.join()
with open(f"{name}.rtp", "wb") as file:
    for packet in packets:
        # The timestamp begins at random; what the payload is does not hang on it.
        file.write(len(packet).to_bytes(2, "big") + packet[:4] + bytes(4) + packet[8:])
