"""The mirror's artifact registry and Debian's docker-registry side by side: wall time, the server's CPU time, its memory.

    registry.py [--runs N] [--small 1000] [--small-bytes 4096] [--large-mib 512] [--connections 4] [--folder DIR] [--json FILE]

Both get, in turns and each time with an empty storage on the same file system: so many small blobs (POST and PUT for each, as
clients push them), one large blob, and then all of it pulled. Requests are made beforehand and go out over a few kept
connections; the large blob leaves by sendfile, and the bytes of answers are counted and dropped by the kernel (MSG_TRUNC), so that the
client costs little beside the server. Medians of the runs, the first of
which is dropped; "times" is docker-registry's over ours. Both flush what they store before they answer.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from running_mirror import RunningMirror  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
STEPS = ["push small", "push large", "pull small", "pull large"]


class DockerRegistry:
    def __init__(self, folder):
        folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (folder / "config.yml").write_text(
            f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {folder / 'storage'}}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'}}\n")
        self.process = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("docker-registry does not start")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def size_of(body):
    return len(body) if isinstance(body, bytes) else body.stat().st_size


class Connection:
    def __init__(self, url):
        host, port = url.removeprefix("http://").split(":")
        self.host = f"{host}:{port}"
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(16 << 20)

    def ask(self, method, path, want, body=b""):
        """The answer's head, lower case; the body is read and dropped. Returns (head, bytes of the body)."""
        length = f"Content-Length: {size_of(body)}\r\n" if method != "GET" else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{length}\r\n".encode()
        if isinstance(body, bytes):
            self.socket.sendall(head + body)
        else:
            self.socket.sendall(head)
            with open(body, "rb") as file:
                self.socket.sendfile(file)
        got = b""
        while b"\r\n\r\n" not in got:
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise RuntimeError(f"{method} {path}: the connection ended")
            got += piece
        head, rest = got.split(b"\r\n\r\n", 1)
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        fields = {name.lower(): value for name, value in fields.items()}
        if int(head[9:12]) != want:
            raise RuntimeError(f"{method} {path}: {head[:15]!r} {rest[:300]!r}")
        size = 0 if want in (202, 204) else int(fields.get("content-length", 0))
        left = size - len(rest)
        while left > 0:
            left -= self.socket.recv_into(self.buffer, min(left, len(self.buffer)), socket.MSG_TRUNC)
        return fields, size


def push(connection, digest, body):
    place = connection.ask("POST", "/v2/bench/blobs/uploads/", 202)[0]["location"].removeprefix(f"http://{connection.host}")
    connection.ask("PUT", place + ("&" if "?" in place else "?") + "digest=" + digest, 201, body)


def pull(connection, digest, body):
    assert connection.ask("GET", "/v2/bench/blobs/" + digest, 200)[1] == size_of(body)


def spent(pid):
    """CPU seconds of the process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mib(pid):
    return next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")) / 1024


def measure(server, small, large, connections):
    """step -> (wall seconds, CPU seconds), and the memory."""
    pool = [Connection(server.url) for _ in range(connections)]
    figures = {}

    def timed(step, work, blobs):
        cpu, start = spent(server.process.pid), time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(len(pool)) as threads:
            for done in [threads.submit(lambda i=i: [work(pool[i], *blob) for blob in blobs[i::len(pool)]]) for i in range(len(pool))]:
                done.result()
        figures[step] = (time.perf_counter() - start, spent(server.process.pid) - cpu)

    timed("push small", push, small)
    timed("push large", push, large)
    timed("pull small", pull, small)
    timed("pull large", pull, large)
    return figures, peak_mib(server.process.pid)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--small-bytes", type=int, default=4096)
    parser.add_argument("--large-mib", type=int, default=512)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--folder", default="/var/tmp")
    parser.add_argument("--json")
    choices = parser.parse_args()
    if not shutil.which("docker-registry"):
        print("skipped: docker-registry is not installed", file=sys.stderr)
        return 77
    root = pathlib.Path(tempfile.mkdtemp(prefix="dae-registry-bench-", dir=choices.folder))
    found = {"dae": [], "docker-registry": []}
    try:
        for number in range(choices.runs + 1):
            for name, start in (("dae", RunningMirror), ("docker-registry", DockerRegistry)):
                # New bytes each time; the inodes of the run before are not waited for.
                bodies = [os.urandom(choices.small_bytes) for _ in range(choices.small)]
                small = [("sha256:" + hashlib.sha256(body).hexdigest(), body) for body in bodies]
                body = os.urandom(1 << 20) * choices.large_mib
                large = [("sha256:" + hashlib.sha256(body).hexdigest(), root / "large")]
                (root / "large").write_bytes(body)
                os.sync()  # not in the server's time
                server = start(root / f"{name}-{number}")
                try:
                    figures = measure(server, small, large, choices.connections)
                finally:
                    server.stop()
                shutil.rmtree(root / f"{name}-{number}" / "storage")
                if number:
                    found[name].append(figures)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print(f"{choices.small} blobs of {choices.small_bytes} bytes, 1 of {choices.large_mib} MiB, {choices.connections} connections, {choices.runs} runs")
    print(f"{'':12}{'wall ms':>10}{'docker':>10}{'times':>8}{'CPU ms':>12}{'docker':>10}{'times':>8}")
    table = {}
    for step in STEPS:
        row = {}
        for at, kind in enumerate(("wall", "cpu")):
            ours, theirs = (statistics.median(figures[step][at] for figures, _ in found[name]) for name in ("dae", "docker-registry"))
            row[kind] = {"dae_s": ours, "docker_s": theirs, "times": theirs / max(ours, 1 / TICKS)}
        table[step] = row
        print(f"{step:12}" + "".join(f"{cell['dae_s'] * 1e3:{width}.0f}{cell['docker_s'] * 1e3:10.0f}{cell['times']:8.1f}" for cell, width in ((row["wall"], 10), (row["cpu"], 12))))
    table["peak memory"] = {name: statistics.median(peak for _, peak in runs) for name, runs in found.items()}
    print(f"peak memory: {table['peak memory']['dae']:.0f} MiB, docker-registry {table['peak memory']['docker-registry']:.0f} MiB")
    if choices.json:
        pathlib.Path(choices.json).write_text(json.dumps(table, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
