"""A mirror that pulls through, beside its upstream and beside a plain hit: when the first byte comes, and what a hit costs.

    pull_through.py [--files 40] [--requests 4000] [--json FILE]

Miss: the upstream sends 64 KiB of a file of 4 MiB, waits 100 ms and sends the rest; the client asks for a file that the mirror
does not have. Counted is the time between the upstream's first bytes handed to its socket and the client's first byte of the
body; for comparison the same with the upstream asked directly, by the same client.

Hit: a file of 256 KiB that came by pull-through, and one pushed as a blob (which no index knows): mean time of many requests
over one connection, alternating.
"""
import argparse
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import socket
import statistics
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from running_mirror import RunningMirror  # noqa: E402

MISS_BAR_MS = 5
FIRST, SIZE, HIT_SIZE, PAUSE_S = 64 << 10, 4 << 20, 256 << 10, 0.1


class Upstream:
    def __init__(self, count):
        self.sent_at, self.files = {}, {}
        for number in range(count):
            self.files[f"demo-1.{number}-py3-none-any.whl"] = os.urandom(SIZE)
        self.files["demo-2.0-py3-none-any.whl"] = os.urandom(HIT_SIZE)
        page = json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "versions": [], "files": [
            {"filename": name, "url": f"/files/{name}", "hashes": {"sha256": hashlib.sha256(data).hexdigest()}, "size": len(data)} for name, data in self.files.items()]}).encode()
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                name = self.path.rpartition("/")[2]
                data = upstream.files.get(name) or page
                self.send_response(200)
                self.send_header("Content-Type", "application/octet-stream" if name else "application/vnd.pypi.simple.v1+json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                upstream.sent_at[name] = time.perf_counter()
                self.wfile.write(data[:FIRST])
                if len(data) == SIZE:
                    time.sleep(PAUSE_S)
                self.wfile.write(data[FIRST:])

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def first_byte(url, expected):
    """When the first byte of the body came; all of it is read and compared."""
    parts = urllib.parse.urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as client:
        client.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        data, at = b"", None
        while piece := client.recv(1 << 20):
            data += piece
            end = data.find(b"\r\n\r\n")
            if at is None and end >= 0 and len(data) > end + 4:
                at = time.perf_counter()
    if data.partition(b"\r\n\r\n")[2] != expected:
        raise SystemExit(f"{url}: not the bytes of the upstream: {data[:200]}")
    return at


def summary(samples):
    samples = sorted(samples)
    return {"median_ms": statistics.median(samples), "p95_ms": samples[int(len(samples) * 0.95) - 1], "max_ms": samples[-1]}


def misses(upstream, mirror_root, names):
    result = {"direct": [], "mirror": []}
    for name in names:
        data = upstream.files[name]
        path = f"/packages/{hashlib.sha256(data).hexdigest()[:2]}/{hashlib.sha256(data).hexdigest()}/{name}"
        for way, url in (("direct", upstream.url + f"/files/{name}"), ("mirror", mirror_root + path)):
            at = first_byte(url, data)
            result[way].append((at - upstream.sent_at[name]) * 1000)
    return {way: summary(samples) for way, samples in result.items()}


def hits(mirror_root, pulled, pushed, count):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(mirror_root).netloc)
    times = {"pulled": [], "pushed": []}
    for _ in range(count):
        for which, path in (("pulled", pulled), ("pushed", pushed)):
            begin = time.perf_counter()
            connection.request("GET", path)
            if len(connection.getresponse().read()) != HIT_SIZE:
                raise SystemExit(f"{path}: not whole")
            times[which].append((time.perf_counter() - begin) * 1e6)
    connection.close()
    return {which: statistics.median(samples) for which, samples in times.items()}


def push(mirror_root, data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(mirror_root).netloc)
    connection.request("POST", f"/v2/bench/blob/blobs/uploads/?digest={digest}", body=data, headers={"Content-Type": "application/octet-stream"})
    answer = connection.getresponse()
    if answer.status != 201:
        raise SystemExit(f"push: {answer.status} {answer.read()}")
    connection.close()
    return f"/v2/bench/blob/blobs/{digest}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    upstream = Upstream(arguments.files)
    with tempfile.TemporaryDirectory(prefix="dae-bench-pull-") as folder:
        with RunningMirror(folder, f'indexes:\n  pypi: {{upstream: "{upstream.url}/simple/"}}\n') as mirror:
            first_page = http.client.HTTPConnection(urllib.parse.urlsplit(mirror.url).netloc)
            first_page.request("GET", "/pypi/simple/demo/")
            first_page.getresponse().read()
            first_page.close()
            *slow, hit = upstream.files
            result = {"miss": misses(upstream, mirror.url, slow)}
            digest = hashlib.sha256(upstream.files[hit]).hexdigest()
            pulled = f"/packages/{digest[:2]}/{digest}/{hit}"
            first_byte(mirror.url + pulled, upstream.files[hit])
            result["hit_us"] = hits(mirror.url, pulled, push(mirror.url, os.urandom(HIT_SIZE)), arguments.requests)
    for way in ("direct", "mirror"):
        line = result["miss"][way]
        print(f"miss, first byte after the upstream's, {way:6}: median {line['median_ms']:.2f} ms, p95 {line['p95_ms']:.2f} ms, most {line['max_ms']:.2f} ms")
    added = result["miss"]["mirror"]["median_ms"] - result["miss"]["direct"]["median_ms"]
    print(f"hit of 256 KiB: pulled through {result['hit_us']['pulled']:.0f} us, plain {result['hit_us']['pushed']:.0f} us")
    good = added <= MISS_BAR_MS
    print(f"a miss adds {added:.2f} ms to the first byte (bar {MISS_BAR_MS}: {'held' if good else 'NOT HELD'}); a hit takes "
          f"{result['hit_us']['pulled'] / result['hit_us']['pushed']:.3f} of a plain one")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(result, indent=1) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
