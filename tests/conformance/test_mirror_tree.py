"""A mirror that keeps its pages as files (`tree: true`) behind a real nginx with share/nginx/dae-mirror.conf, over TLS: what nginx
answers by itself is what the mirror answers; pip and uv install without the mirror being asked, and while it is down; 200 uploads,
yanks and removals beside eight readers, none of whom ever sees half a page or an old one.

Needs Debian's nginx and openssl; skipped without.
"""
import gzip
import hashlib
import http.client
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import peer_tools  # noqa: E402
from harness import DAE, sample_index  # noqa: E402
from nginx_front import NGINX, OPENSSL, NginxFront  # noqa: E402
from running_mirror import RunningMirror  # noqa: E402
from test_mirror_nginx import Upstream  # noqa: E402
from uploading import upload  # noqa: E402

JSON, HTML = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"
# What clients send with requests for pages, and what they get then.
CLIENTS = {
    "pip": (f"{JSON}, {HTML}; q=0.1, text/html; q=0.01", "gzip, deflate, br, zstd"),
    "pip of 2021": ("text/html", "gzip, deflate"),
    "uv": (f"{JSON}, {HTML};q=0.2, text/html;q=0.01", "gzip, br, zstd, deflate"),
    "poetry": (JSON, "gzip, deflate"),
    "pdm": (f"{JSON}, {HTML};q=0.2, text/html;q=0.01", "gzip, deflate, br"),
    "twine": ("*/*", "gzip, deflate"),
    "browser": ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", "gzip, deflate, br, zstd"),
    "curl": ("*/*", None),
    "nothing": (None, None),
    "latest": ("application/vnd.pypi.simple.latest+json", "gzip"),
}
# Whoever asks so is answered by dae.
STRANGERS = {
    "html first": (f"{HTML}, {JSON};q=0.5", "gzip"),
    "json later": (f"text/html;q=0.5, {JSON}", "gzip"),
    "json, somewhat": (f"{JSON};q=0.4, text/html;q=0.5", "gzip"),
    "both named": (f"text/html, {JSON}", "gzip"),
    "only what is not there": ("image/png", "gzip"),
    "no gzip": (JSON, "gzip;q=0"),
    "identity": (JSON, "identity, gzip;q=0.5"),
    "any coding": (JSON, "*"),
    "any application": ("application/*", "gzip"),
    "upper case": (JSON.upper(), "gzip"),
}
SAME_FIELDS = ("Content-Type", "Vary", "Cache-Control", "Content-Encoding", "Location", "X-Content-Type-Options")
# The time after a change in which an old page may be seen. Measured: 0.1 to 0.3 s, on a machine with much else to do.
LAG_S = 1.0


def headers_of(accept, encoding):
    return {**({"Accept": accept} if accept is not None else {}), **({"Accept-Encoding": encoding} if encoding is not None else {})}


def raw(connection, path, headers, method="GET"):
    """Without what http.client adds."""
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer, answer.read()


@unittest.skipUnless(NGINX, "nginx is not installed (Debian's package nginx-light)")
@unittest.skipUnless(OPENSSL, "openssl is not installed (Debian's package of that name)")
class TreeBehindNginx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="dae-tree-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.folder.chmod(0o755)
        (cls.folder / "upstream").mkdir()
        cls.upstream = Upstream(cls.folder / "upstream")
        cls.addClassCleanup(cls.upstream.server.shutdown)
        cls.settings = (f'indexes:\n  team: {{mode: private, uploads: true}}\n  far: {{upstream: "{cls.upstream.url}"}}\n'
                        f'  pypi: {{mode: sync, upstream: "{cls.upstream.url}", include: [demo]}}\n  all: {{overlay: [team, pypi]}}\ntree: true\n')
        cls.mirror = RunningMirror(cls.folder / "mirror", cls.settings)
        cls.addClassCleanup(lambda: cls.mirror.stop())
        cls.mirror_port = int(cls.mirror.url.rpartition(":")[2])
        cls.storage = cls.folder / "mirror" / "storage"
        cls.nginx = NginxFront(cls.folder, cls.mirror.url, cls.storage)
        cls.addClassCleanup(cls.nginx.stop)
        cls.ask = staticmethod(cls.nginx.ask)
        cls.secret = cls.dae("token", "create", "--index", "team")
        cls.dae("sync", "pypi")
        cls.wheels = {}
        for version in range(1, 9):
            cls.upload_wheel("big-thing", f"{version}.0")
        cls.upload_wheel("small", "1.0")
        cls.wait_for(lambda: cls.page_file("all", "demo").exists() and b"8.0-py3" in cls.page_file("all", "big-thing").read_bytes()
                     and cls.page_file("all", "small").exists())
        cls.wait_for(lambda: b"small" in (cls.storage / "www/live/lists/all.html").read_bytes())

    @classmethod
    def dae(cls, *words):
        done = subprocess.run([os.path.abspath(DAE), "mirror", *words, "--config", cls.folder / "mirror" / "mirror.yaml"], capture_output=True, text=True)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    @classmethod
    def upload_wheel(cls, project, version):
        file, data = sample_index.make_wheel(project, version, [], ">=3.8", None, {})
        status = upload(f"{cls.mirror.url}/team/legacy/", cls.secret, file, data)
        assert status == 200, status
        cls.wheels[file] = data
        return file

    @classmethod
    def page_file(cls, index, project, form=".json"):
        return cls.storage / "www" / "live" / ("pages" if index == "pypi" else "checked") / index / (project + form)

    @staticmethod
    def wait_for(is_so, seconds=20):
        deadline = time.monotonic() + seconds
        while True:
            try:
                if is_so():
                    return
            except FileNotFoundError:
                pass
            if time.monotonic() > deadline:
                raise AssertionError("waited in vain")
            time.sleep(0.01)

    def path_of(self, file):
        sha256 = hashlib.sha256(self.wheels[file]).hexdigest()
        return f"/packages/{sha256[:2]}/{sha256}/{file}"

    def direct(self):
        return http.client.HTTPConnection(self.mirror.url.removeprefix("http://"), timeout=30)

    def compare(self, path, headers, method="GET"):
        front, back = self.nginx.connect(), self.direct()
        got, got_data = raw(front, path, headers, method)
        wanted, wanted_data = raw(back, path, headers, method)
        front.close()
        back.close()
        what = f"{method} {path} {headers}"
        self.assertEqual(got.status, wanted.status, what)
        self.assertEqual(got_data, wanted_data, what)
        for field in SAME_FIELDS:
            self.assertEqual(got.getheader(field), wanted.getheader(field), f"{what}: {field}")
        if wanted.status == 200:
            self.assertEqual(got.getheader("Content-Length"), wanted.getheader("Content-Length"), what)
            self.assertRegex(got.getheader("ETag"), '^"[^"]+"$', what)
            self.assertIsNone(got.getheader("Last-Modified") if "/simple/" in path else None, what)
        return got, got_data

    def was_asked(self, path):
        self.wait_for(lambda: self.nginx.asked(path))
        return self.nginx.asked(path)[-1]

    def test_every_client_gets_what_the_mirror_answers(self):
        projects = ("team/simple/big-thing", "team/simple/small", "all/simple/big-thing", "all/simple/demo", "pypi/simple/demo", "team/simple", "all/simple", "pypi/simple")
        # A list is written some time after the last change of its index; until then the mirror is asked for it.
        self.wait_for(lambda: all((self.storage / f"www/live/lists/{index}.json").exists() for index in ("team", "all", "pypi")))
        for name, (accept, encoding) in CLIENTS.items():
            for project in projects:
                for method in ("GET", "HEAD"):
                    with self.subTest(client=name, path=project, method=method):
                        answer, data = self.compare(f"/{project}/", headers_of(accept, encoding), method)
                        self.assertEqual(answer.status, 200)
                        self.assertFalse(self.was_asked(f"/{project}/"))
                        if method == "GET" and "big-thing" in project:
                            self.assertEqual(answer.getheader("Content-Encoding"), "gzip" if encoding else None)
                            text = gzip.decompress(data) if encoding else data
                            self.assertIn(b"big_thing-8.0-py3-none-any.whl", text)

    def test_whoever_asks_in_another_way_is_answered_by_the_mirror(self):
        for name, (accept, encoding) in STRANGERS.items():
            for path in ("/team/simple/big-thing/", "/all/simple/"):
                with self.subTest(client=name, path=path):
                    self.compare(path, headers_of(accept, encoding))
                    self.assertTrue(self.was_asked(path))
        plain = headers_of(*CLIENTS["pip"])
        for path in ("/team/simple/Big_Thing/", "/team/simple/big-thing", "/team/simple/big-thing?a=b", "/team/simple", "/team/simple/absent/", "/none/simple/x/",
                     f"/team/simple/big-thing/?format={HTML.replace('+', '%2B')}", "/team/simple/v1+html/big-thing/", "/team/simple/v1+html/", "/far/simple/demo/",
                     "/team/simple/..%2f..%2fsmall/", "/pages/team/small.json", "/lists/team.json", "/team/simple//"):
            with self.subTest(path=path):
                self.compare(path, plain)
                self.assertTrue(self.was_asked(path))
        # With the serials in a header field, for a mirror of this one.
        for client, is_told in (("pip/26.1", False), ("dae-mirror/1", True)):
            answer, _ = self.ask("/team/simple/big-thing/", headers={**plain, "User-Agent": client})
            self.assertEqual(answer.getheader("X-PyPI-Last-Serial") is not None, is_told)

    def test_pages_are_revalidated(self):
        for accept, encoding in (CLIENTS["pip"], CLIENTS["pip of 2021"], CLIENTS["curl"]):
            with self.subTest(accept=accept):
                headers = headers_of(accept, encoding)
                connection = self.nginx.connect()
                first, data = raw(connection, "/team/simple/big-thing/", headers)
                etag = first.getheader("ETag")
                for condition in (etag, "*", f'"other", {etag}'):
                    again, none = raw(connection, "/team/simple/big-thing/", {**headers, "If-None-Match": condition})
                    self.assertEqual((again.status, none, again.getheader("ETag")), (304, b"", etag))
                    self.assertEqual(again.getheader("Cache-Control"), "no-cache")
                    self.assertEqual(again.getheader("Vary"), "Accept, Accept-Encoding")
                other, whole = raw(connection, "/team/simple/big-thing/", {**headers, "If-None-Match": '"other"'})
                self.assertEqual((other.status, whole), (200, data))
                # Times tell nothing here: they are not times.
                timed, _ = raw(connection, "/team/simple/big-thing/", {**headers, "If-Modified-Since": "Sat, 01 Jan 2039 00:00:00 GMT"})
                self.assertEqual(timed.status, 200)
                connection.close()
        etags = {self.ask("/team/simple/big-thing/", headers=headers_of(*client))[0].getheader("ETag") for client in (
            (JSON, "gzip"), (JSON, None), ("text/html", "gzip"), ("text/html", None), (HTML, "gzip"), (HTML, None))}
        self.assertEqual(len(etags), 6)

    def test_files_ranges_and_conditions(self):
        file = "big_thing-3.0-py3-none-any.whl"
        path, data = self.path_of(file), self.wheels[file]
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        for headers, method, asked in (({}, "GET", False), ({}, "HEAD", False), ({"Range": "bytes=10-99"}, "GET", False), ({"Range": "bytes=-20"}, "GET", False),
                                       ({"Range": "bytes=50-"}, "GET", False), ({"Range": f"bytes={len(data)}-"}, "GET", False),
                                       ({"Range": "bytes=10-99", "If-Range": etag}, "GET", False), ({"Range": "bytes=10-99", "If-Range": '"other"'}, "GET", False),
                                       ({"If-None-Match": etag}, "GET", True), ({"If-None-Match": '"other"'}, "GET", True), ({"If-Match": etag}, "GET", True)):
            with self.subTest(headers=headers, method=method):
                front, back = self.nginx.connect(), self.direct()
                got, got_data = raw(front, path, headers, method)
                wanted, wanted_data = raw(back, path, headers, method)
                front.close()
                back.close()
                self.assertEqual(got.status, wanted.status)
                if got.status != 416:
                    self.assertEqual(got_data, wanted_data)
                    self.assertEqual(got.getheader("ETag"), etag)
                for field in ("Content-Range", "Cache-Control", "X-Content-Type-Options") if got.status != 416 else ("Content-Range",):
                    self.assertEqual(got.getheader(field), wanted.getheader(field), field)
                self.assertEqual(self.was_asked(path), asked)
        answer, _ = self.ask(path)
        self.assertEqual((answer.getheader("Content-Type"), answer.getheader("Accept-Ranges")), ("application/octet-stream", "bytes"))
        answer, _ = self.compare(path + ".metadata", {})
        self.assertFalse(self.was_asked(path + ".metadata"))
        again, none = self.ask(path + ".metadata", headers={"If-None-Match": answer.getheader("ETag")})
        self.assertEqual((again.status, none), (304, b""))
        for wrong in (path.replace(file, "other-1.0-py3-none-any.whl"), path.replace(path[10:12], "zz"), path + ".provenance", path.replace("/packages/", "/packages/none/")):
            self.compare(wrong, {})

    def install(self, *words, env=None):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_")) and not name.endswith(("_CA_BUNDLE", "SSL_CERT_FILE"))}
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, env={**clean, **(env or {})}, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def pip_installs(self, name):
        target = self.folder / f"target-{name}"
        self.install(sys.executable, "-m", "pip", "install", "--isolated", "--no-cache-dir", "--disable-pip-version-check", "--target", target, "--index-url",
                     f"{self.nginx.url}/all/simple/", "--cert", self.nginx.certificate, "demo", "big-thing==7.0")
        self.assertTrue((target / "demo" / "data.bin").exists())
        self.assertTrue((target / "big_thing-7.0.dist-info").exists())

    def test_pip_and_uv_install_without_the_mirror(self):
        log = self.nginx.folder / "access.log"
        before = len(log.read_text().splitlines())
        self.pip_installs("pip")
        uv = next((folder / "uv" for folder in (peer_tools.venv("uv", "uv"),) if folder), None)
        if uv:
            target = self.folder / "target-uv"
            self.install(uv, "pip", "install", "--no-cache", "--no-config", "--target", target, "--python", sys.executable, "--default-index",
                         f"{self.nginx.url}/all/simple/", "demo", "big-thing==6.0", env={"SSL_CERT_FILE": str(self.nginx.certificate)})
            self.assertTrue((target / "big_thing-6.0.dist-info").exists())
        lines = log.read_text().splitlines()[before:]
        self.assertGreater(len(lines), 4)
        self.assertEqual([line for line in lines if not line.endswith("asked=-")], [])

    def test_nginx_goes_on_while_the_mirror_is_down(self):
        self.mirror.process.kill()
        self.mirror.stop()
        try:
            self.pip_installs("down")
            self.assertEqual(self.ask("/all/simple/absent/")[0].status, 502)
            self.dae("remove", "team", "small", "--reason", "a test")
            self.assertEqual(self.ask("/team/simple/small/")[0].status, 200)  # nobody has told nginx
        finally:
            type(self).mirror = RunningMirror(self.folder / "mirror", self.settings, self.mirror_port)
        # Said to be ready, the mirror has taken the tree off, or has compared it already.
        self.assertEqual(self.ask("/team/simple/small/")[0].status, 404)
        self.wait_for(lambda: (self.storage / "www/live").exists())
        self.assertEqual(self.ask("/team/simple/small/")[0].status, 404)
        self.assertEqual(self.ask("/all/simple/big-thing/")[0].status, 200)
        self.nginx.stop()
        self.nginx.start()
        self.wait_for(lambda: self.ask("/all/simple/big-thing/")[0].status == 200 and not self.was_asked("/all/simple/big-thing/"))

    def test_a_tree_that_cannot_be_written_is_off_until_it_can(self):
        live, in_the_way = self.storage / "www" / "live", self.storage / "www" / "made"
        in_the_way.mkdir()
        try:
            file = self.upload_wheel("unwritten", "1.0")
            self.wait_for(lambda: not live.exists())
            answer, data = self.ask("/team/simple/unwritten/", headers=headers_of(JSON, None))
            self.assertEqual((answer.status, json.loads(data)["files"][0]["filename"]), (200, file))
            self.assertTrue(self.was_asked("/team/simple/unwritten/"))
            self.assertEqual(self.ask(self.path_of(file))[1], self.wheels[file])
        finally:
            in_the_way.rmdir()
        self.wait_for(lambda: self.page_file("team", "unwritten").exists() and self.page_file("team", "big-thing").exists())
        self.compare("/team/simple/unwritten/", headers_of(JSON, None))
        self.assertFalse(self.was_asked("/team/simple/unwritten/"))

    def test_readers_beside_changes_see_whole_pages_that_are_not_old(self):
        project, rng = "busy", random.Random(7)
        states = [(0.0, 0.0, frozenset())]  # begun, done, what is listed since
        listed, versions, wrong, worst = {}, iter(range(1, 10_000)), [], [0.0, 0]
        stop = threading.Event()

        def read():
            try:
                read_on()
            except Exception as error:  # noqa: BLE001
                wrong.append(repr(error))

        def read_on():
            connection = self.nginx.connect()
            accept, encoding = rng.choice([CLIENTS["pip"], CLIENTS["uv"], CLIENTS["poetry"]])
            while not stop.is_set():
                begun = time.monotonic()
                answer, data = raw(connection, f"/team/simple/{project}/", headers_of(accept, encoding))
                ended = time.monotonic()
                try:
                    text = gzip.decompress(data) if answer.getheader("Content-Encoding") == "gzip" else data
                    seen = frozenset((file["filename"], bool(file.get("yanked", False))) for file in json.loads(text)["files"]) if answer.status == 200 else frozenset()
                except ValueError as error:
                    wrong.append(f"half a page: {error}")
                    continue
                if answer.status not in (200, 404):
                    wrong.append(f"status {answer.status}")
                fits = [(number, done) for number, (started, done, now) in enumerate(list(states)) if now == seen and started <= ended]
                if not fits:
                    wrong.append(f"a page that never was: {sorted(seen)[:3]}")
                    continue
                # The state after the one that was seen was there since …
                after = [done for _, done, _ in list(states)[fits[-1][0] + 1:]]
                lag = begun - after[0] if after and after[0] else 0.0
                worst[0] = max(worst[0], lag)
                worst[1] += 1
                if lag > LAG_S:
                    wrong.append(f"a page that was old for {lag:.2f} s")
            connection.close()

        def change(what, after):
            begun = time.monotonic()
            states.append((begun, 0.0, frozenset(after.items())))
            what()
            states[-1] = (begun, time.monotonic(), frozenset(after.items()))

        readers = [threading.Thread(target=read) for _ in range(8)]
        for reader in readers:
            reader.start()
        gone_after = []
        try:
            for number in range(200):
                kind = rng.choice(["upload", "upload", "upload", "yank", "remove"]) if len(listed) > 3 else "upload"
                if kind == "upload":
                    version = f"{next(versions)}.0"
                    change(lambda: self.upload_wheel(project, version), {**listed, f"{project}-{version}-py3-none-any.whl": False})
                    listed[f"{project}-{version}-py3-none-any.whl"] = False
                    continue
                file = rng.choice(sorted(listed))
                if kind == "yank" and not listed[file]:
                    change(lambda: self.dae("yank", "team", file, "--reason", "a test"), {**listed, file: True})
                    listed[file] = True
                elif kind == "remove":
                    change(lambda: self.dae("remove", "team", file, "--reason", "a test"), {name: yanked for name, yanked in listed.items() if name != file})
                    del listed[file]
                    removed = time.monotonic()
                    self.wait_for(lambda: self.ask(self.path_of(file))[0].status == 404, LAG_S)
                    gone_after.append(time.monotonic() - removed)
        finally:
            stop.set()
            for reader in readers:
                reader.join()
        self.assertEqual(wrong[:5], [])
        self.assertGreater(worst[1], 200)
        print(f"\n{worst[1]} pages read; the oldest was old for {worst[0]:.2f} s; removed files were gone after {max(gone_after):.2f} s at most")
        # At the end everything is where it should be, and in the tree.
        self.wait_for(lambda: {file["filename"] for file in json.loads(self.page_file("team", project).read_bytes())["files"]} == set(listed))
        self.compare(f"/team/simple/{project}/", headers_of(*CLIENTS["pip"]))


if __name__ == "__main__":
    unittest.main()
