"""The mirror's artifact registry, Debian's docker-registry and distribution 3 side by side: wall time, the server's CPU time, its
memory.

    registry.py [--runs N] [--small 1000] [--small-bytes 4096] [--large-mib 512] [--large-pulls 8] [--connections 4]
                [--peers docker-registry,distribution] [--folder DIR] [--json FILE]

Each gets, in turns and each time with an empty storage on the same file system: so many small blobs (POST and PUT for each, as
clients push them), one large blob, and then all of it pulled, the large one several times on one connection: a single pull
takes less than the time slices of the client and of what else runs, so the wall time is the median of the pulls. Requests are made beforehand and go out over a few kept
connections; the large blob leaves by sendfile, and the bytes of answers are counted and dropped by the kernel (MSG_TRUNC), so that the
client costs little beside the server. Medians of the runs, the first of which is dropped; "times" is the peer's over ours. All
flush what they store before they answer (fsync of the file, then of its folder), so that the wall time of a large push is the
disk's where the disk is the slowest part; the CPU time says what the program adds. Pulls leave by sendfile here, in distribution
through its own memory.

distribution 3 is built by `go install` into $DAE_BUILD/peer-tools. A peer that cannot be had is left out.
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
import peer_tools  # noqa: E402
from running_mirror import RunningMirror  # noqa: E402

BAR = 2
DISTRIBUTION = ("github.com/distribution/distribution/v3/cmd/registry", "v3.1.2")
STEPS = ["push small", "push large", "pull small", "pull large"]


class Registry:
    """Docker's registry 2 and its successor take the same configuration."""

    def __init__(self, program, folder):
        folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (folder / "config.yml").write_text(
            f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {folder / 'storage'}}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'}}\n")
        env = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        self.process = subprocess.Popen([program, "serve", folder / "config.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        self.url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{program} does not start")

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
    """CPU seconds of the process's threads so far; /proc/PID/stat counts in steps of 10 ms. No thread of these servers ends."""
    return sum(int(task.read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def peak_mib(pid):
    return next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")) / 1024


def measure(server, small, large, connections, large_pulls):
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
    walls = []

    def pull_often(connection, digest, body):
        for _ in range(large_pulls):
            start = time.perf_counter()
            pull(connection, digest, body)
            walls.append(time.perf_counter() - start)
    timed("pull large", pull_often, large)
    figures["pull large"] = (statistics.median(walls), figures["pull large"][1] / large_pulls)
    return figures, peak_mib(server.process.pid)


def peers(chosen):
    """name -> how it is started, of those that can be had."""
    found = {}
    if "docker-registry" in chosen and shutil.which("docker-registry"):
        found["docker-registry"] = lambda folder: Registry("docker-registry", folder)
    if "distribution" in chosen:
        program = peer_tools.go_program(*DISTRIBUTION)
        if program:
            found["distribution"] = lambda folder: Registry(program, folder)
    return found


def one_run(start, folder, large_file, choices):
    # New bytes each time; the inodes of the run before are not waited for.
    bodies = [os.urandom(choices.small_bytes) for _ in range(choices.small)]
    small = [("sha256:" + hashlib.sha256(body).hexdigest(), body) for body in bodies]
    body = os.urandom(1 << 20) * choices.large_mib
    large = [("sha256:" + hashlib.sha256(body).hexdigest(), large_file)]
    large_file.write_bytes(body)
    os.sync()  # not in the server's time
    server = start(folder)
    try:
        return measure(server, small, large, choices.connections, choices.large_pulls)
    finally:
        server.stop()
        shutil.rmtree(folder / "storage")


def table_of(found):
    """step -> kind -> name -> seconds; "peak memory" -> name -> MiB."""
    table = {step: {kind: {name: statistics.median(figures[step][at] for figures, _ in runs) for name, runs in found.items()}
                    for at, kind in enumerate(("wall", "cpu"))} for step in STEPS}
    table["peak memory"] = {name: statistics.median(peak for _, peak in runs) for name, runs in found.items()}
    return table


def report(table, others):
    print(f"{'':12}{'wall ms':>10}" + "".join(f"{name:>18}{'times':>7}" for name in others) + f"{'CPU ms':>12}" + "".join(f"{name:>18}{'times':>7}" for name in others))
    for step in STEPS:
        line = f"{step:12}"
        for kind, width in (("wall", 10), ("cpu", 12)):
            cell = table[step][kind]
            line += f"{cell['dae'] * 1e3:{width}.0f}" + "".join(f"{cell[name] * 1e3:18.0f}{cell[name] / cell['dae']:7.1f}" for name in others)
        print(line)
    print("peak memory: " + ", ".join(f"{name} {mib:.0f} MiB" for name, mib in table["peak memory"].items()))
    for name in others:
        ratios = {step: [table[step][kind][name] / table[step][kind]["dae"] for kind in ("wall", "cpu")] for step in STEPS}
        good = all(wall >= BAR for wall, _ in ratios.values())
        print(f"{name} / dae, wall (CPU): " + ", ".join(f"{step} {wall:.1f} ({cpu:.1f})" for step, (wall, cpu) in ratios.items())
              + f"; bar {BAR}: {'held' if good else 'NOT HELD'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--small-bytes", type=int, default=4096)
    parser.add_argument("--large-mib", type=int, default=512)
    parser.add_argument("--large-pulls", type=int, default=8)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--peers", default="docker-registry,distribution")
    parser.add_argument("--folder", default="/var/tmp")
    parser.add_argument("--json")
    choices = parser.parse_args()
    others = peers(choices.peers.split(","))
    if not others:
        print("skipped: no other registry can be had: neither Debian's docker-registry nor go, to build distribution", file=sys.stderr)
        return 77
    root = pathlib.Path(tempfile.mkdtemp(prefix="dae-registry-bench-", dir=choices.folder))
    every = {"dae": RunningMirror, **others}
    found = {name: [] for name in every}
    try:
        for number in range(choices.runs + 1):
            for name, start in every.items():
                run = one_run(start, root / f"{name}-{number}", root / "large", choices)
                if number:
                    found[name].append(run)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print(f"{choices.small} blobs of {choices.small_bytes} bytes, 1 of {choices.large_mib} MiB, {choices.connections} connections, {choices.runs} runs")
    table = table_of(found)
    report(table, list(others))
    if choices.json:
        pathlib.Path(choices.json).write_text(json.dumps(table, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
