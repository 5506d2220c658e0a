"""The policy of a mirror and its overlays as an unmodified pip meets them, and `dae mirror allow` and `audit` beside it."""
import datetime
import hashlib
import http.server
import json
import pathlib
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request
import venv

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "support"))
from harness import DaeTest, sample_index  # noqa: E402
from running_mirror import RunningMirror  # noqa: E402

JSON = "application/vnd.pypi.simple.v1+json"


def hours_ago(hours):
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
    return then.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Upstream:
    """`demo` 1.0 of long ago and 2.0 of an hour ago, and somebody else's `acme-core`."""

    def __init__(self):
        self.asked, answers, pages = [], {}, {}
        for name, version, hours in (("demo", "1.0", 9000), ("demo", "2.0", 1), ("acme-core", "6.6", 9000)):
            file, data = sample_index.make_wheel(name, version, [], ">=3.8", None, {})
            answers[f"/files/{file}"] = (data, "application/octet-stream")
            pages.setdefault(name, []).append(
                {"filename": file, "url": f"../../files/{file}", "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
                 "size": len(data), "upload-time": hours_ago(hours)})
        for name, files in pages.items():
            page = {"meta": {"api-version": "1.1"}, "name": name, "versions": [], "files": files}
            answers[f"/simple/{name}/"] = (json.dumps(page).encode(), JSON)
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                upstream.asked.append(self.path)
                body, kind = answers.get(self.path, (b"not here", "text/plain"))
                self.send_response(200 if self.path in answers else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/simple/"
        self.digest = pages["demo"][1]["hashes"]["sha256"]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class MirrorPolicy(DaeTest):
    def setUp(self):
        super().setUp()
        self.upstream = Upstream()
        self.addCleanup(self.upstream.stop)
        self.feed = self.dir / "feed"
        self.feed.mkdir()
        self.mirror = RunningMirror(self.dir / "mirror", f"""\
indexes:
  pypi: {{upstream: "{self.upstream.url}", cooldown: {{uploaded: 7d}}, deny: {{osv: "{self.feed}"}}}}
  team: {{mode: private}}
  all: {{overlay: [team, pypi], claims: ["acme-*"]}}
""")
        self.addCleanup(self.mirror.stop)
        self.config = str(self.dir / "mirror" / "mirror.yaml")
        venv.create(self.dir / "venv", with_pip=True)

    def pip(self, *words, index="all"):
        return subprocess.run(
            [self.dir / "venv/bin/python", "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--isolated", "--retries", "0",
             "--disable-pip-version-check", "--index-url", f"{self.mirror.url}/{index}/simple/", "-d", self.work, *words],
            capture_output=True, text=True, env=self.env, cwd=self.work)

    def status(self, url):
        try:
            with urllib.request.urlopen(url) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def downloaded(self):
        return sorted(path.name for path in self.work.iterdir())

    def eventually(self, test):
        deadline = time.monotonic() + 15
        while not test():
            self.assertLess(time.monotonic(), deadline, "the mirror does not follow")
            time.sleep(0.3)

    def test_pip_gets_what_the_policy_offers(self):
        self.assertEqual(self.pip("demo").returncode, 0)
        self.assertEqual(self.downloaded(), ["demo-1.0-py3-none-any.whl"])
        url = f"{self.mirror.url}/packages/{self.upstream.digest[:2]}/{self.upstream.digest}/demo-2.0-py3-none-any.whl"
        refused = self.pip(url)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("403", refused.stderr)
        self.assertIn("too fresh", refused.stderr)

        done = self.dae("mirror", "allow", "-c", self.config, "demo==2.0", "--index", "pypi", "--reason", "fixes the outage", "--until", "2h")
        self.assertEqual(done.code, 0, done)
        self.eventually(lambda: self.pip("demo==2.0").returncode == 0)
        entry, = self.dae("mirror", "audit", "-c", self.config, "--json").json()
        self.assertEqual((entry["who"], entry["action"], entry["index"], entry["subject"], entry["reason"]),
                         ("tester", "allow", "pypi", "demo==2.0", "fixes the outage"))

        (self.feed / "MAL-2026-1.json").write_text(json.dumps(
            {"id": "MAL-2026-1", "modified": "2026-01-01T00:00:00Z", "summary": "steals tokens",
             "affected": [{"package": {"ecosystem": "PyPI", "name": "demo"}, "versions": ["2.0"]}]}))
        self.eventually(lambda: self.status(url) == 403)
        (self.work / "demo-2.0-py3-none-any.whl").unlink()  # pip does not ask again for what it has
        self.assertIn("MAL-2026-1", self.pip(url).stderr)
        self.assertNotEqual(self.pip("demo==2.0").returncode, 0)

    def test_a_claimed_name_is_never_asked_of_the_upstream(self):
        for index in ("all", "pypi"):
            self.assertNotEqual(self.pip("acme-core", index=index).returncode, 0)
        self.assertEqual(self.upstream.asked, [])

    def test_allow_wants_a_version_an_index_and_a_reason(self):
        for words, what in ((("demo", "--index", "pypi", "--reason", "x"), "one version"),
                            (("demo==2.0", "--index", "pypi"), "a reason is wanted"),
                            (("demo==2.0", "--reason", "x"), "which index"),
                            (("demo==2.0", "--index", "all", "--reason", "x"), "no policy of its own"),
                            (("demo==2.0", "--index", "none", "--reason", "x"), "no such index"),
                            (("demo==2.0", "--index", "pypi", "--reason", "x", "--until", "soon"), "a duration or a time"),
                            (("demo==2.0", "--index", "pypi", "--reason", "x", "--revoke"), "not among those allowed")):
            refused = self.dae("mirror", "allow", "-c", self.config, *words, code=None)
            self.assertNotEqual(refused.code, 0, words)
            self.assertIn(what, refused.err)
        self.assertEqual(self.dae("mirror", "audit", "-c", self.config, "--json").json(), [])

    def test_a_mistyped_storage_is_named_and_not_made(self):
        typo = self.work / "typo"
        for words in (("audit",), ("status",), ("gc",), ("verify",), ("token", "list"), ("snapshots",), ("snapshot", "pypi"),
                      ("promote", "pypi", "pypi")):
            refused = self.dae("mirror", *words, "--storage", typo, code=None)
            self.assertNotEqual(refused.code, 0, words)
            self.assertIn("there is no mirror", refused.err, words)
            self.assertFalse(typo.exists(), words)


if __name__ == "__main__":
    unittest.main()
