"""`dae mirror serve` beside devpi-server and pypiserver: requests per CPU second of the server, and its memory.

    mirror_peers.py [--lines page4k,page64k,file1m] [--connections 32] [--seconds 3] [--rounds 3] [--quick] [--json FILE] [--markdown]

The mirror and devpi-server pull through from one fixture index on loopback and have everything before they are measured: hits.
pypiserver, which does not pull through, has the same files in its folder, and its cache of pages. All are asked as pip asks (JSON, else
HTML); pypiserver answers HTML. Both peers run as they come, pypiserver with gunicorn, which costs it less than its own server.

A miss: the time to the first byte of files that nobody has asked for, from the upstream itself and through the mirror and devpi-server. The
upstream sends the first half, waits 50 ms, and sends the rest. The bar: the mirror's first byte within 5 ms of the upstream's.

wrk loads one server at a time, in alternation. CPU is utime + stime of all of a server's processes; a file counts by the bytes
that arrived divided by its size. Medians of the rounds; the ratio is the median of each round's ratio. The bar: 20 times
devpi-server and pypiserver on each line.
"""
import argparse
import base64
import contextlib
import datetime
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import frozen_index as frozen  # noqa: E402
import peer_tools  # noqa: E402
import serve  # noqa: E402

BAR, MISS_BAR_MS = 20, 5
MISSES, MISS_BYTES, MISS_PAUSE_S = 30, 1 << 18, 0.05
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
LINES = {name: words for name, words in serve.LINES.items() if name != "file100m"}
PEERS = ("devpi-server", "pypiserver", "pypiserver+gunicorn")
BARRED = PEERS[:2]  # as they come


class Upstream(serve.Upstream):
    """With the list of its projects, which devpi-server asks for, and files that come in two halves."""

    def __init__(self):
        super().__init__()
        self.paths["/simple/"] = (json.dumps({"meta": {"api-version": "1.1"}, "projects": [{"name": name} for name in [*serve.LINES, "miss"]]}).encode(), serve.JSON)
        self.slow = SlowFiles()
        files = []
        for number in range(MISSES):
            name = f"miss-1.{number}-py3-none-any.whl"
            data = self.slow.files[f"/files/{name}"] = os.urandom(MISS_BYTES)
            files.append({**self._entry(name, hashlib.sha256(data).hexdigest(), len(data)), "url": f"{self.slow.url}/files/{name}"})
        self._page("miss", files)

    def stop(self):
        super().stop()
        self.slow.server.shutdown()


class SlowFiles:
    def __init__(self):
        files = self.files = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                data = files.get(self.path)
                self.send_response(200 if data else 404)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                if data:
                    self.wfile.write(data[:len(data) // 2])
                    self.wfile.flush()
                    time.sleep(MISS_PAUSE_S)
                    self.wfile.write(data[len(data) // 2:])

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": ACCEPT}), timeout=60) as answer:
        return answer.read()


def file_urls(page_url):
    """The absolute URLs of the files on a page of either form."""
    page = fetch(page_url)
    found = [entry["url"] for entry in json.loads(page)["files"]] if page.startswith(b"{") else re.findall(r'href="([^"]+)"', page.decode())
    return [urllib.parse.urljoin(page_url, url).partition("#")[0] for url in found]


def answers(url):
    try:
        fetch(url)
    except urllib.error.HTTPError:
        pass  # it answers
    except OSError:
        return False
    return True


def start(command, folder, root, name):
    log = open(folder / f"{name}.log", "wb")
    env = {key: value for key, value in os.environ.items() if not key.startswith(("DAE_", "PIP_"))}
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=env)
    deadline = time.monotonic() + 60
    while not answers(root):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise SystemExit(f"{name} does not start\n{(folder / f'{name}.log').read_text()[-3000:]}")
        time.sleep(0.05)
    return process


def lines_below(index):
    """line -> URL, each asked for once: a server that pulls through has it from now on."""
    urls = {name: f"{index}{name}/" for name in LINES}
    urls["file1m"] = file_urls(urls["file1m"])[0]
    for url in urls.values():
        fetch(url)
    return urls


def start_devpi(folder, upstream):
    bin_, data, port = peer_tools.venv("devpi-server", "devpi-server"), folder / "devpi", free_port()
    subprocess.run([bin_ / "devpi-init", "--serverdir", data, "--no-root-pypi", "--root-passwd", "bench"], check=True, capture_output=True)
    root = f"http://127.0.0.1:{port}"
    (folder / "logger.json").write_text(json.dumps({"version": 1, "disable_existing_loggers": False, "root": {"level": "ERROR", "handlers": []}}))
    process = start([bin_ / "devpi-server", "--serverdir", data, "--host", "127.0.0.1", "--port", port, "--logger-cfg", folder / "logger.json"],
                    folder, root + "/+api", "devpi-server")

    def ask(method, path, body, headers):
        request = urllib.request.Request(root + path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["result"]

    try:
        token = ask("POST", "/+login", {"user": "root", "password": "bench"}, {})["password"]
        proof = base64.b64encode(f"root:{token}".encode()).decode()
        ask("PUT", "/root/up", {"type": "mirror", "mirror_url": upstream.url, "mirror_cache_expiry": 86400}, {"X-Devpi-Auth": proof})
        return serve.Server(process, lines_below(root + "/root/up/+simple/"))
    except BaseException:
        process.kill()
        raise


def start_pypiserver(folder, upstream, *options):
    bin_, data, port = peer_tools.venv("pypiserver", "pypiserver[cache]", "gunicorn"), folder / "wheels", free_port()
    data.mkdir(exist_ok=True)
    for name in LINES:
        page = json.loads(upstream.paths[f"/simple/{name}/"][0])
        for number, entry in enumerate(page["files"]):
            held = upstream.paths.get(f"/files/{entry['filename']}")
            (data / entry["filename"]).write_bytes(held[0] if held else f"{name}{number}".encode())
    process = start([bin_ / "pypi-server", "run", "-i", "127.0.0.1", "-p", port, "--disable-fallback", "--log-stream", "none", *options, data],
                    folder, f"http://127.0.0.1:{port}/simple/", "pypiserver")
    return serve.Server(process, lines_below(f"http://127.0.0.1:{port}/simple/"))


def start_under_gunicorn(folder, upstream):
    return start_pypiserver(folder, upstream, "--server", "gunicorn")


def load(server, line, connections, seconds, script, size):
    before = server.cpu_seconds()
    done = subprocess.run(["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-H", f"Accept: {ACCEPT}", "-s", script, server.urls[line]],
                          capture_output=True, text=True, check=True)
    cpu = server.cpu_seconds() - before
    requests, received, duration_us, errors = map(int, re.search(r"RESULT (\d+) (\d+) (\d+) (\d+)", done.stdout).groups())
    got = received / size if line.startswith("file") else requests
    if not got or errors > requests / 100:
        raise SystemExit(f"{line}: {errors} errors, {requests} requests\n{done.stdout}")
    return {"per_cpu_s": got / max(cpu, 0.01), "per_s": got / (duration_us / 1e6), "cpu_us": cpu / got * 1e6}


def measure(servers, line, arguments, script):
    sizes = {name: len(fetch(server.urls[line])) for name, server in servers.items()}
    if line.startswith("file") and set(sizes.values()) != {serve.MIB}:
        raise SystemExit(f"{line}: the servers do not send the same: {sizes}")
    samples = {name: [] for name in servers}
    for _ in range(arguments.rounds):
        for name, server in servers.items():
            samples[name].append(load(server, line, arguments.connections, arguments.seconds, script, sizes[name]))
            print(".", end="", file=sys.stderr, flush=True)
    result = {name: {key: statistics.median(sample[key] for sample in of) for key in of[0]} | {"bytes": sizes[name]} for name, of in samples.items()}
    for peer in PEERS:
        result[peer]["times"] = statistics.median(ours["per_cpu_s"] / theirs["per_cpu_s"] for ours, theirs in zip(samples["dae"], samples[peer]))
    return result


def first_byte_ms(url):
    """Until the first byte of the body, and until the last; a connection of its own."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    connection.connect()
    started = time.perf_counter()
    connection.request("GET", parts.path)
    answer = connection.getresponse()
    first = answer.read(1)
    got = time.perf_counter()
    rest = answer.read()
    ended = time.perf_counter()
    connection.close()
    if answer.status != 200 or len(first) + len(rest) != MISS_BYTES:
        raise SystemExit(f"{url}: {answer.status}, {len(first) + len(rest)} bytes")
    return (got - started) * 1e3, (ended - started) * 1e3


def misses(servers, upstream):
    """name -> medians in ms of the first byte and of the last; each file once with each, and the upstream's before."""
    pages = {"upstream": [upstream.slow.url + path for path in upstream.slow.files]}
    for name, server in servers.items():
        if "pypiserver" not in name:
            pages[name] = file_urls(server.urls["page4k"].replace("page4k", "miss"))
    samples = {name: [first_byte_ms(url) for url in urls] for name, urls in pages.items()}
    return {name: [statistics.median(sample[at] for sample in of) for at in (0, 1)] for name, of in samples.items()}


def table(results, servers):
    rows = [["", "dae req/CPU s", *(f"{peer}" for peer in PEERS), *(f"dae / {peer}" for peer in PEERS), "dae, peers: CPU us", "answer bytes"]]
    for line, result in results.items():
        rows.append([LINES[line], *(f"{result[name]['per_cpu_s']:,.0f}" for name in servers), *(f"{result[peer]['times']:.0f}" for peer in PEERS),
                     " ".join(f"{result[name]['cpu_us']:,.0f}" for name in servers), " ".join(f"{result[name]['bytes']:,}" for name in servers)])
    rows.append(["peak MiB", *(f"{server.peak_mib():.0f}" for server in servers.values()), *[""] * (len(PEERS) + 2)])
    return rows


def print_rows(rows, markdown):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        text = (" | " if markdown else "   ").join(cell.ljust(width) for cell, width in zip(row, widths))
        print(f"| {text} |" if markdown else text.rstrip())
        if markdown and number == 0:
            print("|" + "---|" * len(row))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", default=",".join(LINES))
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of a second")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds = arguments.seconds = 1
    if not shutil.which("wrk"):
        frozen.skip("wrk is needed, Debian's package of that name")
    if not peer_tools.venv("devpi-server", "devpi-server") or not peer_tools.venv("pypiserver", "pypiserver[cache]", "gunicorn"):
        frozen.skip("the peers cannot be had from the index that pip uses here")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dae-bench-peers-"))
    script = folder / "report.lua"
    script.write_text(serve.REPORT)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, True)
        upstream = Upstream()
        stack.callback(upstream.stop)
        servers = {}
        for name, how in (("dae", serve.start_mirror), ("devpi-server", start_devpi), ("pypiserver", start_pypiserver),
                          ("pypiserver+gunicorn", start_under_gunicorn)):
            servers[name] = how(folder, upstream)
            stack.callback(servers[name].stop)
        results = {line: measure(servers, line, arguments, script) for line in arguments.lines.split(",")}
        rows = table(results, servers)
        missed = misses(servers, upstream)
    print(f"\n{datetime.date.today()}, {os.cpu_count()} cores, {platform.machine()}, {arguments.connections} connections, {arguments.rounds} rounds of "
          f"{arguments.seconds} s\n")
    print_rows(rows, arguments.markdown)
    late = missed["dae"][0] - missed["upstream"][0]
    print("\na miss, ms to the first byte and to the last: " + ", ".join(f"{name} {first:.1f} and {last:.1f}" for name, (first, last) in missed.items()))
    print(f"the mirror's first byte {late:.1f} ms after the upstream's (bar {MISS_BAR_MS}): {'held' if late <= MISS_BAR_MS else 'NOT HELD'}")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps({**results, "miss": missed}, indent=1) + "\n")
    least = min(result[peer]["times"] for result in results.values() for peer in BARRED)
    ratios = "; ".join(f"{peer}: " + ", ".join(f"{LINES[line]} {result[peer]['times']:.0f}" for line, result in results.items()) for peer in PEERS)
    print(f"dae / peers, requests per CPU second: {ratios}; of {' and '.join(BARRED)} at least {least:.0f} (bar {BAR}): {'held' if least >= BAR else 'NOT HELD'}")
    return 0 if least >= BAR and late <= MISS_BAR_MS else 1


if __name__ == "__main__":
    sys.exit(main())
