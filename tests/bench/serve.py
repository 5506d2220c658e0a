"""`dae mirror serve` and nginx side by side: requests per CPU second of the server, and its memory.

    serve.py [--lines page4k,page64k,file1m,file100m] [--connections 32,4000] [--seconds 3] [--rounds 5]
             [--open-file-cache] [--json FILE] [--markdown]

The mirror serves through its real routes: pages of a pull-through index, whose upstream is a fixture on loopback, and
wheels of that index. nginx (sendfile, tcp_nopush, no log, a worker per core) serves the same bytes as plain files; the
wheels are hard links to the mirror's blobs, so that both send from the same pages of the cache. With --open-file-cache
nginx also keeps files open, which is not its default.

wrk loads one server at a time, in alternation, so that a slow moment of the machine hits both. CPU is utime + stime of
all of a server's processes; wall time says little where load and server share the cores. A file counts by the bytes that
arrived divided by its size: at 4,000 connections few of 100 MiB end within a run. The numbers are medians of the rounds;
the ratio is the median of each round's ratio.
"""
import argparse
import contextlib
import datetime
import hashlib
import http.server
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import DAE  # noqa: E402

JSON = "application/vnd.pypi.simple.v1+json"
MIB = 1 << 20
BAR, MEMORY_BAR_MIB = 1, 100
LINES = {"page4k": "4 KiB page", "page64k": "64 KiB page", "file1m": "1 MiB file", "file100m": "100 MiB file"}
REPORT = """done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d\\n", summary.requests, summary.bytes, summary.duration,
    e.connect + e.read + e.write + e.status))
end
"""


class Upstream:
    """An index of four projects: two with pages of the wanted sizes, two with one large wheel each."""

    def __init__(self):
        self.paths = {}
        for name, entries in (("page4k", 14), ("page64k", 240)):
            files = [self._entry(f"{name}-1.{i}-py3-none-any.whl", hashlib.sha256(f"{name}{i}".encode()).hexdigest(), 1000 + i) for i in range(entries)]
            self._page(name, files)
        for name, size in (("file1m", MIB), ("file100m", 100 * MIB)):
            data = os.urandom(MIB) * (size // MIB)
            wheel = f"{name}-1.0-py3-none-any.whl"
            self.paths[f"/files/{wheel}"] = (data, "application/octet-stream")
            self._page(name, [self._entry(wheel, hashlib.sha256(data).hexdigest(), size)])
        paths = self.paths

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                data, kind = paths.get(self.path, (None, None))
                self.send_response(200 if data else 404)
                self.send_header("Content-Length", str(len(data or b"")))
                self.send_header("Cache-Control", "max-age=86400")
                self.send_header("Content-Type", kind or "text/plain")
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @staticmethod
    def _entry(name, sha256, size):
        return {"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": sha256}, "size": size,
                "requires-python": ">=3.9", "upload-time": "2025-03-04T05:06:07.000000Z"}

    def _page(self, name, files):
        page = {"meta": {"api-version": "1.1"}, "name": name, "versions": [], "files": files}
        self.paths[f"/simple/{name}/"] = (json.dumps(page).encode(), JSON)

    def stop(self):
        self._server.shutdown()


class Server:
    """A process and its children."""

    def __init__(self, process, urls):
        self.process, self.urls = process, urls

    def pids(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def cpu_seconds(self):
        ticks = 0
        for pid in self.pids():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def peak_mib(self):
        return sum(int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) for pid in self.pids()) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def fetch(url, accept=JSON):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept})) as answer:
        return answer.read()


def wait_for(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not start")
        time.sleep(0.02)


def start_mirror(folder, upstream):
    ready = folder / "ready"
    command = [DAE, "mirror", "serve", "--storage", folder / "storage", "--upstream", upstream.url, "--port", "0", "--ready-file", ready]
    log = open(folder / "mirror.log", "wb")
    process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
    wait_for(ready.exists, "dae mirror serve")
    root = ready.read_text().split()[1] + "/pypi/simple/"
    urls = {}
    for name in LINES:
        page = fetch(root + name + "/")
        urls[name] = root + name + "/"
        if name.startswith("file"):
            urls[name] = urllib.parse.urljoin(urls[name], json.loads(page)["files"][0]["url"])
            fetch(urls[name])
    return Server(process, urls)


NGINX = """daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes auto; worker_rlimit_nofile 20000;
{user}
events {{ worker_connections 8192; multi_accept on; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 60s; {cache}
  types {{ application/vnd.pypi.simple.v1+json json; application/octet-stream whl; }}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {folder}/www; }}
}}
"""


def start_nginx(folder, mirror, keep_open):
    www = folder / "www"
    www.mkdir()
    for name, url in mirror.urls.items():
        if name.startswith("page"):
            (www / f"{name}.json").write_bytes(fetch(url))
        else:
            digest = url.split("/")[-2]
            os.link(folder / "storage" / "blobs" / "sha256" / digest[:2] / digest, www / f"{name}.whl")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    conf = folder / "nginx.conf"
    conf.write_text(NGINX.format(folder=folder, port=port, user="user root;" if os.geteuid() == 0 else "",
                                 cache="open_file_cache max=1000; open_file_cache_valid 60s;" if keep_open else ""))
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(conf)], stderr=subprocess.DEVNULL)
    wait_for(lambda: (folder / "nginx.pid").exists(), "nginx")
    time.sleep(0.3)
    return Server(process, {name: f"http://127.0.0.1:{port}/{name}" + (".json" if name.startswith("page") else ".whl") for name in LINES})


def load(server, line, connections, seconds, script, size):
    before = server.cpu_seconds()
    done = subprocess.run(["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-H", f"Accept: {JSON}", "-s", script, server.urls[line]],
                          capture_output=True, text=True, check=True)
    cpu = server.cpu_seconds() - before
    requests, received, duration_us, errors = map(int, re.search(r"RESULT (\d+) (\d+) (\d+) (\d+)", done.stdout).groups())
    if errors:
        raise SystemExit(f"{line}, {connections} connections: {errors} errors\n{done.stdout}")
    answers = received / size if line.startswith("file") else requests
    return {"per_cpu_s": answers / cpu, "per_s": answers / (duration_us / 1e6), "cpu_us": cpu / answers * 1e6}


def measure(servers, line, connections, arguments, script):
    sizes = {len(fetch(server.urls[line])) for server in servers.values()}
    if len(sizes) != 1:
        raise SystemExit(f"{line}: the servers do not send the same: {sizes}")
    samples = {name: [] for name in servers}
    for _ in range(arguments.rounds):
        for name, server in servers.items():
            samples[name].append(load(server, line, connections, arguments.seconds, script, sizes.copy().pop()))
    result = {name: {key: statistics.median(sample[key] for sample in of) for key in of[0]} for name, of in samples.items()}
    result["ratio"] = statistics.median(dae["per_cpu_s"] / nginx["per_cpu_s"] for dae, nginx in zip(samples["dae"], samples["nginx"]))
    result["spread"] = sorted(round(dae["per_cpu_s"] / nginx["per_cpu_s"], 2) for dae, nginx in zip(samples["dae"], samples["nginx"]))
    return result


HEADER = ["", "connections", "dae req/CPU s", "nginx req/CPU s", "dae/nginx", "ratio of each round", "dae CPU us", "nginx CPU us", "peak MiB dae / nginx"]


def cells(line, connections, result):
    def number(value):
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    dae, nginx = result["dae"], result["nginx"]
    return [LINES[line], f"{connections:,}", number(dae["per_cpu_s"]), number(nginx["per_cpu_s"]), f"{result['ratio']:.2f}",
            " ".join(f"{value:.2f}" for value in result["spread"]), number(dae["cpu_us"]), number(nginx["cpu_us"]),
            f"{result['peak_mib']['dae']:.0f} / {result['peak_mib']['nginx']:.0f}"]


def print_table(rows, markdown):
    table = [HEADER, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEADER))]
    for number, row in enumerate(table):
        line = ("| {} |" if markdown else "{}").format((" | " if markdown else "   ").join(cell.ljust(width) for cell, width in zip(row, widths)))
        print(line.rstrip())
        if markdown and number == 0:
            print("|" + "---|" * len(row))


def summary(every):
    """One line: the ratios, and what the mirror had of memory at most."""
    ratios = ", ".join(f"{LINES[one['line']]} at {one['connections']:,}: {one['ratio']:.2f}" for one in every)
    peaks = {name: max(one["peak_mib"][name] for one in every) for name in ("dae", "nginx")}
    good = all(one["ratio"] >= BAR for one in every) and peaks["dae"] < MEMORY_BAR_MIB
    return (f"dae / nginx, requests per CPU second: {ratios} (bar {BAR}); peak memory {peaks['dae']:.0f} MiB (bar {MEMORY_BAR_MIB}), nginx {peaks['nginx']:.0f}: "
            f"{'held' if good else 'NOT HELD'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", default=",".join(LINES))
    parser.add_argument("--connections", default="32,4000")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--open-file-cache", action="store_true")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    for tool in ("nginx", "wrk"):
        if not shutil.which(tool):
            raise SystemExit(f"{tool} is needed: it is Debian's package of that name")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dae-bench-serve-"))
    folder.chmod(0o755)
    script = folder / "report.lua"
    script.write_text(REPORT)
    rows, every = [], []
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, True)
        upstream = Upstream()
        stack.callback(upstream.stop)
        mirror = start_mirror(folder, upstream)
        stack.callback(mirror.stop)
        nginx = start_nginx(folder, mirror, arguments.open_file_cache)
        stack.callback(nginx.stop)
        servers = {"dae": mirror, "nginx": nginx}
        for connections in map(int, arguments.connections.split(",")):
            for line in arguments.lines.split(","):
                result = measure(servers, line, connections, arguments, script)
                result["peak_mib"] = {name: server.peak_mib() for name, server in servers.items()}
                rows.append(cells(line, connections, result))
                every.append({"line": line, "connections": connections, **result})
                print(".", end="", file=sys.stderr, flush=True)
    version = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip().rpartition("/")[2]
    print(f"\n{datetime.date.today()}, {os.cpu_count()} cores, {platform.machine()}, nginx {version}, {arguments.rounds} rounds of {arguments.seconds} s\n")
    print_table(rows, arguments.markdown)
    print("\n" + summary(every))
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(every, indent=1) + "\n")


if __name__ == "__main__":
    main()
