"""Mixed load on `dae mirror serve` for ten minutes: its memory has to stay as it is, and every answer has to be right.

    mirror_soak.py [--seconds 600] [--fill 20000] [--threads 4] [--only KIND,…] [--quick] [--json FILE]

The upstream is tests/support/fixture_upstream.py's generated index on loopback. First the mirror pulls 20,000 projects through: it
may keep so many answers, pages and documents in memory, and what is kept of new ones must not look like a leak. That is not
judged. Then, all at once and until the time is over:

- pages in every form, plain and gzipped, pages that have not changed (304), redirects, 404 of names that are not there, 406;
- files whole, in ranges and unchanged, their digests checked;
- projects that nobody has asked for before, one each second;
- pushes, pulls and deletions of artifacts; one upload each second of a small wheel to a private
  index, which lists and serves it from then on;
- syncs of a second index every few seconds, by `dae mirror sync` beside the mirror, each with a few other projects than the last;
- wrk, when it is installed, as fast as it goes on 16 connections; and connections that are opened and say nothing.

--only is for finding out what it is that makes it grow: some of page, file, odd, artifact, upload, silent, new, sync, wrk.

Every few seconds its resident memory, open files and requests are printed. It fails when memory at the end is more than 4 MiB above
that in the middle, when descriptors grow (judged by runs of 4 minutes and more), or when an answer is wrong.
"""
import argparse
import contextlib
import datetime
import gzip
import hashlib
import http.client
import json
import os
import pathlib
import random
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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fixture_upstream  # noqa: E402
from harness import DAE, sample_index  # noqa: E402
from running_mirror import RunningMirror, has_command  # noqa: E402

GROWTH, QUICK_GROWTH = (4, 64), (12, 600)  # MiB and descriptors; a quick run still fills what may be kept
SETTLED_S = 240  # files that nobody asked for in a minute are closed: before, their number grows
JSON, HTML = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"
NEW_EACH_SECOND, UPLOADS_EACH_SECOND = 1, 1
PROJECTS = 25_000  # of the upstream
WRK = """local paths = {%s}
local accepts = {"%s", "text/html", "%s"}
local n = 0
request = function()
  n = n + 1
  local headers = {["Accept"] = accepts[n %% 3 + 1], ["Accept-Encoding"] = n %% 2 == 0 and "gzip" or nil}
  if n %% 5 == 0 then headers["If-None-Match"] = "*" end
  if n %% 7 == 0 then headers["Range"] = "bytes=10-200" end
  return wrk.format("GET", paths[n %% #paths + 1], headers)
end
"""


class Wrong(Exception):
    pass


class Client:
    """One kept connection and what is asked on it; each of the methods below is one kind of load."""

    def __init__(self, soak, number):
        self.soak, self.rng = soak, random.Random(number)
        self.connection, self.requests, self.kinds = None, 0, {}

    def ask(self, path, want, method="GET", headers=None, body=None):
        self.requests += 1
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.soak.port, timeout=60)
        try:
            self.connection.request(method, path, body, headers or {})
            answer = self.connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            raise
        if answer.status not in (want if isinstance(want, tuple) else (want,)):
            raise Wrong(f"{method} {path} {headers}: {answer.status} instead of {want}: {data[:200]!r}")
        return answer, data

    def name(self):
        return self.rng.choice(self.soak.filled)

    def page(self):
        path = f"/pypi/simple/{self.name()}/"
        accept, packed = self.rng.choice((JSON, HTML, "text/html")), self.rng.random() < 0.5
        answer, data = self.ask(path, 200, headers={"Accept": accept, "Accept-Encoding": "gzip" if packed else "identity"})
        text = gzip.decompress(data) if answer.getheader("Content-Encoding") == "gzip" else data
        if path.split("/")[3].replace("-", "_").encode() not in text:
            raise Wrong(f"{path}: another page: {text[:200]!r}")
        self.ask(path, 304, headers={"Accept": accept, "Accept-Encoding": "gzip" if packed else "identity", "If-None-Match": answer.getheader("ETag")})

    def file(self, name=None):
        _, data = self.ask(f"/pypi/simple/{name or self.name()}/", 200, headers={"Accept": JSON})
        entry = self.rng.choice(json.loads(data)["files"])
        path = entry["url"][entry["url"].index("/packages/"):]
        answer, whole = self.ask(path, 200)
        if hashlib.sha256(whole).hexdigest() != entry["hashes"]["sha256"]:
            raise Wrong(f"{path}: wrong bytes")
        start = self.rng.randrange(len(whole))
        if self.ask(path, 206, headers={"Range": f"bytes={start}-{start + 99}"})[1] != whole[start:start + 100]:
            raise Wrong(f"{path}: another part than asked for")
        self.ask(path, 304, headers={"If-None-Match": answer.getheader("ETag")})
        if "core-metadata" in entry:
            core = self.ask(path + ".metadata", 200)[1]
            if hashlib.sha256(core).hexdigest() != entry["core-metadata"]["sha256"]:
                raise Wrong(f"{path}.metadata: wrong bytes")

    def odd(self):
        self.ask(f"/pypi/simple/not-there-{self.rng.randrange(10**9)}/", 404)
        self.ask(f"/pypi/simple/{self.name().upper()}", 301)
        self.ask(f"/pypi/simple/{self.name()}/", 406, headers={"Accept": "image/png"})
        self.ask("/metrics", 200)
        self.ask(f"/pypi/simple/{self.name()}/", 200, method="HEAD")

    def artifact(self):
        body = self.rng.randbytes(self.rng.randrange(100, 200_000))
        digest, repository = "sha256:" + hashlib.sha256(body).hexdigest(), f"soak/{self.rng.randrange(20)}"
        place = self.ask(f"/v2/{repository}/blobs/uploads/", 202, "POST")[0].getheader("Location")
        place = "/" + place.split("/", 3)[3] if "://" in place else place
        self.ask(place + ("&" if "?" in place else "?") + "digest=" + digest, 201, "PUT", body=body)
        if self.ask(f"/v2/{repository}/blobs/{digest}", 200)[1] != body:
            raise Wrong(f"{digest}: wrong bytes")
        self.ask(f"/v2/{repository}/blobs/{digest}", 202, "DELETE")

    def upload(self):
        name = f"soak-{self.rng.getrandbits(40):x}"
        file, data = sample_index.make_wheel(name, "1.0", [], ">=3.8", None, {})
        fields = {":action": "file_upload", "protocol_version": "1", "metadata_version": "2.2", "name": name, "version": "1.0", "filetype": "bdist_wheel",
                  "pyversion": "py3", "requires_python": ">=3.8", "sha256_digest": hashlib.sha256(data).hexdigest()}
        edge = "soak" + self.rng.randbytes(16).hex()
        parts = [f'--{edge}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode() for field, value in fields.items()]
        parts.append(f'--{edge}\r\nContent-Disposition: form-data; name="content"; filename="{file}"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode() + data)
        self.ask("/team/legacy/", 200, "POST", {"Content-Type": f"multipart/form-data; boundary={edge}", "Authorization": f"Bearer {self.soak.token}"},
                 b"".join(parts) + f"\r\n--{edge}--\r\n".encode())
        entry, = json.loads(self.ask(f"/team/simple/{name}/", 200, headers={"Accept": JSON})[1])["files"]
        if self.ask(entry["url"][entry["url"].index("/packages/"):], 200)[1] != data:
            raise Wrong(f"{file}: wrong bytes")

    def silent(self):
        with socket.create_connection(("127.0.0.1", self.soak.port)) as connection:
            connection.sendall(self.rng.choice((b"", b"GET /pypi/simple/ HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=" + b"1" * 5000)))

    def work(self):
        weights = {"page": 6, "file": 5, "odd": 2, "artifact": 1, "silent": 1, "upload": 1 if self.soak.token else 0}
        kinds = [getattr(self, kind) for kind, weight in weights.items() for _ in range(weight if self.soak.does(kind) else 0)]
        while kinds and not self.soak.over.is_set():
            kind = self.rng.choice(kinds)
            if kind == self.upload and not self.soak.upload_is_due():
                time.sleep(0.001)
                continue
            try:
                kind()
                self.kinds[kind.__name__] = self.kinds.get(kind.__name__, 0) + 1
            except (OSError, Wrong, http.client.HTTPException) as error:
                self.soak.wrong.append(f"{time.strftime('%H:%M:%S')} {kind.__name__}: {type(error).__name__}: {error}")
                time.sleep(0.1)

    def pull(self, names, pause_s=0.0):
        """Asks for projects that were not asked for before."""
        for name in names:
            if self.soak.over.is_set():
                return
            try:
                self.file(name)
                for accept in ("text/html", HTML):  # every form: each is kept by itself
                    self.ask(f"/pypi/simple/{name}/", 200, headers={"Accept": accept, "Accept-Encoding": "gzip"})
            except (OSError, Wrong, http.client.HTTPException) as error:
                self.soak.wrong.append(f"{time.strftime('%H:%M:%S')} pulling {name}: {type(error).__name__}: {error}")
            time.sleep(pause_s)


class Soak:
    def __init__(self, mirror, names, fill, only):
        self.only = only
        self.pid, self.port = mirror.process.pid, int(mirror.url.rpartition(":")[2])
        self.filled, self.fresh = names[:fill], names[fill:]
        self.over, self.wrong, self.samples, self.syncs = threading.Event(), [], [], 0
        self.token = ""  # for the index `team`
        self.lock, self.next_upload = threading.Lock(), 0.0

    def upload_is_due(self):
        with self.lock:
            due = time.monotonic() >= self.next_upload
            if due:
                self.next_upload = time.monotonic() + 1 / UPLOADS_EACH_SECOND
            return due

    def does(self, kind):
        return not self.only or kind in self.only

    def fill(self, threads):
        clients = [Client(self, f"fill {number}") for number in range(threads)]
        run_all([threading.Thread(target=client.pull, args=(self.filled[number::threads],)) for number, client in enumerate(clients)])

    def rss_mib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.pid}/status").read_text())[1]) / 1024

    def sample(self, second):
        row = {"second": second, "rss_mib": self.rss_mib(), "descriptors": len(os.listdir(f"/proc/{self.pid}/fd"))}
        self.samples.append(row)
        return row

    def load(self, seconds, threads, wrk_script, place):
        pressure = shutil.which("wrk") and self.does("wrk")
        clients = [Client(self, number) for number in range(threads)]
        newcomer = Client(self, "new")
        workers = [threading.Thread(target=client.work) for client in clients]
        if self.does("new"):
            workers.append(threading.Thread(target=newcomer.pull, args=(self.fresh[:seconds * NEW_EACH_SECOND], 1 / NEW_EACH_SECOND)))
        if place and self.does("sync"):
            workers.append(threading.Thread(target=self.sync, args=(place, self.fresh[-2000:])))
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: [worker.join(60) for worker in workers])
            stack.callback(self.over.set)
            if pressure:
                wrk = subprocess.Popen(["wrk", "-t1", "-c16", f"-d{seconds}s", "-s", wrk_script, f"http://127.0.0.1:{self.port}/"], stdout=subprocess.PIPE, text=True)
                stack.callback(lambda: wrk.poll() is None and wrk.send_signal(signal.SIGINT))
            for worker in workers:
                worker.start()
            self.watch(seconds)
        if pressure:
            print(next(line.strip() for line in wrk.communicate()[0].splitlines() if "requests in" in line), "by wrk")
        kinds = {}
        for client in clients:
            for kind, count in client.kinds.items():
                kinds[kind] = kinds.get(kind, 0) + count
        print(f"{sum(client.requests for client in [*clients, newcomer]):,} requests whose answers were checked; rounds of each kind: {dict(sorted(kinds.items()))}; {self.syncs} syncs")

    def sync(self, place, names):
        """A second index, of other projects with each sync."""
        at = 0
        while not self.over.is_set():
            chosen = names[at:at + 40]
            (place / "names.txt").write_text("\n".join(chosen) + "\n")
            done = subprocess.run([DAE, "mirror", "sync", "--json", "--config", place / "mirror.yaml"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
            self.syncs += 1
            client = Client(self, "sync")
            try:
                report = json.loads(done.stdout)["indexes"][0] if done.returncode == 0 else done.stderr[-500:]
                if done.returncode != 0 or report["failures"]:
                    raise Wrong(f"exit {done.returncode}: {report}")
                self.see(client, chosen)
            except (OSError, Wrong, ValueError, http.client.HTTPException) as error:
                self.wrong.append(f"{time.strftime('%H:%M:%S')} sync: {type(error).__name__}: {error}")
            at = (at + 10) % (len(names) - 40)
            self.over.wait(3)

    def see(self, client, chosen):
        """The mirror notices what another process wrote within 100 ms."""
        deadline = time.monotonic() + 5
        while sorted(project["name"] for project in json.loads(client.ask("/synced/simple/", 200, headers={"Accept": JSON})[1])["projects"]) != sorted(chosen):
            if time.monotonic() > deadline:
                raise Wrong("the list of the synced index is not that of the sync")
            time.sleep(0.05)

    def watch(self, seconds):
        started, shown = time.monotonic(), -1
        print(f"{'second':>7}{'RSS MiB':>10}{'descriptors':>13}{'wrong':>7}")
        while (now := time.monotonic() - started) < seconds:
            row = self.sample(now)
            if int(now * 20 / seconds) > shown:
                shown = int(now * 20 / seconds)
                print(f"{now:7.0f}{row['rss_mib']:10.1f}{row['descriptors']:13}{len(self.wrong):7}", flush=True)
            time.sleep(min(1, seconds / 40))

    def growth(self, what):
        """From the middle to the end, medians of a tenth of the time each."""
        count = len(self.samples)
        middle, end = self.samples[count // 2:count // 2 + max(1, count // 10)], self.samples[-max(1, count // 10):]
        return statistics.median(row[what] for row in end) - statistics.median(row[what] for row in middle)


def run_all(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--fill", type=int, default=20_000, help="projects pulled through before")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--only", default="", metavar="KIND,…")
    parser.add_argument("--quick", action="store_true", help="20 seconds, 1,000 projects before")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.fill = 20, 1000
    fixture_upstream.require_nginx()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dae-soak-", dir="/var/tmp"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, True)
        upstream = stack.enter_context(fixture_upstream.FixtureUpstream(fixture_upstream.kept(PROJECTS)))
        settings, syncs, uploads = f"indexes:\n  pypi: {{upstream: \"{upstream.url}\"}}\n", has_command("sync"), has_command("token", "create")
        if syncs:
            settings += f"  synced: {{mode: sync, upstream: \"{upstream.url}\", include: {{names: names.txt}}}}\n"
        if uploads:
            settings += "  team: {mode: private, uploads: true}\n"
        mirror = stack.enter_context(RunningMirror(folder / "mirror", settings))
        names = fixture_upstream.names(PROJECTS)
        random.Random(1).shuffle(names)
        soak = Soak(mirror, names, arguments.fill, [kind for kind in arguments.only.split(",") if kind])
        if uploads:
            soak.token = subprocess.run([DAE, "mirror", "token", "create", "--config", folder / "mirror" / "mirror.yaml", "--index", "team"], check=True,
                                        capture_output=True, text=True).stdout.strip()
        print(f"{datetime.date.today()}: empty, {soak.rss_mib():.1f} MiB", flush=True)
        soak.fill(16)
        print(f"{arguments.fill:,} projects pulled through: {soak.rss_mib():.1f} MiB", flush=True)
        script = folder / "mix.lua"
        hot = [f'"/pypi/simple/{name}/"' for name in soak.filled[:500]] + ['"/pypi/simple/not-there/"', '"/metrics"']
        script.write_text(WRK % (", ".join(hot), JSON, HTML))
        soak.load(arguments.seconds, arguments.threads, script, folder / "mirror" if syncs else None)
        if mirror.process.poll() is not None:
            raise SystemExit("the mirror has ended\n" + (folder / "mirror" / "log").read_text()[-3000:])
    bar_mib, bar_descriptors = QUICK_GROWTH if arguments.quick else GROWTH
    if arguments.seconds < SETTLED_S:
        bar_descriptors = QUICK_GROWTH[1]
    grown, descriptors = soak.growth("rss_mib"), soak.growth("descriptors")
    for line in soak.wrong[:10]:
        print("wrong:", line)
    good = grown <= bar_mib and descriptors <= bar_descriptors and not soak.wrong
    most = {what: max(row[what] for row in soak.samples) for what in ("rss_mib", "descriptors")}
    print(f"{arguments.seconds} s, at most {most['rss_mib']:.1f} MiB and {most['descriptors']} descriptors; from the middle to the end: {grown:+.1f} MiB (bar {bar_mib}), {descriptors:+.0f} descriptors (bar {bar_descriptors}), {len(soak.wrong)} wrong: "
          f"{'held' if good else 'NOT HELD'}")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps({"samples": soak.samples, "growth_mib": grown, "wrong": soak.wrong[:100]}, indent=1) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
