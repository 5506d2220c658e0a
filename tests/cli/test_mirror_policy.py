"""The policy of a mirror and its overlays as an unmodified pip meets them, and `dae mirror allow` and `audit` beside it."""
import datetime
import json
import pathlib
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
import venv

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "support"))
from harness import DaeTest  # noqa: E402
from package_upstream import PackageUpstream  # noqa: E402
from running_mirror import RunningMirror  # noqa: E402


def hours_ago(hours):
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
    return then.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def upstream():
    """`demo` 1.0 of long ago and 2.0 of an hour ago, and somebody else's `acme-core`."""
    made = PackageUpstream()
    for name, version, hours in (("demo", "1.0", 9000), ("demo", "2.0", 1), ("acme-core", "6.6", 9000)):
        made.wheel(name, version, **{"upload-time": hours_ago(hours)})
    return made


class MirrorPolicy(DaeTest):
    def setUp(self):
        super().setUp()
        self.upstream = upstream()
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
        digest = self.upstream.sha256("demo-2.0-py3-none-any.whl")
        url = f"{self.mirror.url}/packages/{digest[:2]}/{digest}/demo-2.0-py3-none-any.whl"
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
