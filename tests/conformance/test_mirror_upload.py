"""twine and uv publish, unmodified, upload to a private index of the mirror; pip installs the result. And a mirror that is killed amid
uploads: each file is there as a whole, or not at all.

The clients are looked for in venvs below $DAE_BUILD, made from the index that pip uses here; without it the tests that need them are
skipped. The uploads themselves stay on loopback."""
import hashlib
import io
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import peer_tools  # noqa: E402
from harness import DAE, sample_index  # noqa: E402
from running_mirror import RunningMirror  # noqa: E402
from uploading import upload  # noqa: E402

SETTINGS = "indexes:\n  team: {mode: private, uploads: true}\nlimits: {upload: 8MiB}\n"


BUILD_SDIST = """

def build_sdist(directory, config_settings=None):
    import tarfile
    root = f"{MODULE}-{VERSION}"
    def plain(info):
        info.mtime = 1577836800
        return info
    import gzip
    with open(f"{directory}/{root}.tar.gz", "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w:") as tar:
            for name in ("PKG-INFO", "pyproject.toml", "backend.py", f"{MODULE}.py"):
                tar.add(name, f"{root}/{name}", filter=plain)
    return f"{root}.tar.gz"
"""


def client(name, package):
    """The program itself, or None."""
    folder = peer_tools.venv(name, package)
    return folder / name if folder else None


class Uploads(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dae-upload-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.mirror = RunningMirror(self.dir / "mirror", SETTINGS)
        self.addCleanup(lambda: self.mirror.stop())
        self.config = self.dir / "mirror" / "mirror.yaml"
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.dir), "NO_COLOR": "1", "PYTHONWARNINGS": "ignore", "COLUMNS": "300"}

    def run_it(self, *words, env=None, code=0):
        done = subprocess.run([str(word) for word in words], cwd=self.dir, env={**self.env, **(env or {})}, capture_output=True, text=True, timeout=300,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode == 0, code == 0, f"{words}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def token(self, *options):
        return self.run_it(os.path.abspath(DAE), "mirror", "token", "create", "--config", self.config, "--index", "team", *options).stdout.strip()

    def distributions(self, version="1.0"):
        folder = self.dir / f"dist-{version}"
        folder.mkdir(exist_ok=True)
        made = [sample_index.make_wheel("demo-thing", version, [], ">=3.8", None, {}), sample_index.make_sdist("demo-thing", version, [])]
        for file, data in made:
            (folder / file).write_bytes(data)
        return [folder / file for file, _ in made]

    def page(self, project="demo-thing"):
        request = urllib.request.Request(f"{self.mirror.url}/team/simple/{project}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
        try:
            return json.load(urllib.request.urlopen(request))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return {"files": []}
            raise

    def listed(self):
        return sorted(file["filename"] for file in self.page()["files"])

    def log(self):
        return (self.dir / "mirror" / "log").read_text()

    def pip_installs(self, version):
        target = self.dir / "target"
        self.run_it(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--only-binary", ":all:",
                    "--index-url", f"{self.mirror.url}/team/simple/", "--target", target, f"demo-thing=={version}")
        self.assertTrue(list(target.glob(f"demo_thing-{version}.dist-info")))

    def test_twine_uploads_and_pip_installs(self):
        twine = client("twine", "twine")
        if not twine:
            self.skipTest("twine cannot be had")
        token = self.token()
        files = self.distributions()
        env = {"TWINE_USERNAME": "__token__", "TWINE_PASSWORD": token, "TWINE_REPOSITORY_URL": f"{self.mirror.url}/team/legacy/", "TWINE_NON_INTERACTIVE": "1"}
        upload = (twine, "upload", "--disable-progress-bar")
        self.run_it(*upload, *files, env=env)
        self.assertEqual(self.listed(), sorted(file.name for file in files))
        for file in self.page()["files"]:
            self.assertEqual(file["hashes"]["sha256"], hashlib.sha256((self.dir / "dist-1.0" / file["filename"]).read_bytes()).hexdigest())
        self.pip_installs("1.0")
        self.run_it(*upload, *files, env=env)  # again: nothing happens
        data = sample_index.make_wheel("demo-thing", "1.0", ["another>=1"], ">=3.8", None, {})[1]
        files[0].write_bytes(data)
        done = self.run_it(*upload, files[0], env=env, code=1)
        self.assertIn("File already exists", done.stdout + done.stderr)
        done = self.run_it(*upload, *self.distributions("2.0"), env={**env, "TWINE_PASSWORD": "dae_wrong"}, code=1)
        self.assertIn("401", done.stdout + done.stderr)
        done = self.run_it(*upload, *self.distributions("2.0"), env={**env, "TWINE_PASSWORD": self.token("--project", "other")}, code=1)
        self.assertIn("is not for project `demo-thing`", done.stdout + done.stderr)
        self.assertNotIn(token[-40:], self.log())

    def test_uv_publishes_and_pip_installs(self):
        uv = client("uv", "uv==0.13.8")
        if not uv:
            self.skipTest("uv cannot be had")
        files = self.distributions()
        publish = (uv, "publish", "--no-config", "--trusted-publishing", "never", "--publish-url", f"{self.mirror.url}/team/legacy/")
        env = {"UV_PUBLISH_TOKEN": self.token(), "UV_CACHE_DIR": str(self.dir / "uv")}
        self.run_it(*publish, *files, env=env)
        self.assertEqual(self.listed(), sorted(file.name for file in files))
        self.pip_installs("1.0")
        self.run_it(*publish, *files, env=env)
        files[0].write_bytes(sample_index.make_wheel("demo-thing", "1.0", ["another>=1"], ">=3.8", None, {})[1])
        done = self.run_it(*publish, files[0], env=env, code=1)
        self.assertIn("File already exists", done.stderr)
        done = self.run_it(*publish, *self.distributions("2.0"), env={**env, "UV_PUBLISH_TOKEN": "dae_wrong"}, code=1)
        self.assertIn("401", done.stderr)

    def test_uv_installs_what_was_uploaded_a_moment_ago(self):
        uv = client("uv", "uv==0.13.8")
        if not uv:
            self.skipTest("uv cannot be had")
        token = self.token()
        for version in ("1.0", "2.0", "3.0"):
            self.assertEqual(self.upload(token, *sample_index.make_wheel("demo-thing", version, [], ">=3.8", None, {})), 200)
            self.run_it(uv, "pip", "install", "--no-config", "--python", sys.executable, "--target", self.dir / "target", "--upgrade", "--default-index",
                        f"{self.mirror.url}/team/simple/", "demo-thing", env={"UV_CACHE_DIR": str(self.dir / "uv")})
            self.assertTrue((self.dir / "target" / f"demo_thing-{version}.dist-info").exists(), version)

    def large(self):
        """A wheel beyond what `limits.upload` takes, whole and well-formed."""
        info = "demo_thing-9.0.dist-info"
        data = sample_index.pack_wheel(info, {
            "demo_thing.py": b"DATA = '" + random.Random(1).randbytes(40 << 20).hex().encode() + b"'\n",
            f"{info}/METADATA": sample_index.metadata("demo-thing", "9.0", [], ">=3.8").encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"})
        file = self.dir / "demo_thing-9.0-py3-none-any.whl"
        file.write_bytes(data)
        self.assertGreater(len(data), 30 << 20)
        return file

    def refused_unread(self, command, variable, *, hears):
        """A client that sends 40 MiB although it was refused hears why, and nothing of it reached the disk."""
        spool, before = self.dir / "mirror" / "storage" / "spool", time.monotonic()
        for token, words in ((self.token(), hears[0]), ("dae_wrong", hears[1])):
            watch, seen = threading.Event(), []

            def look(watch=watch, seen=seen):
                while not watch.wait(0.001):
                    seen.extend(spool.iterdir())

            watcher = threading.Thread(target=look)
            watcher.start()
            done = self.run_it(*command, env={variable: token}, code=1)
            watch.set()
            watcher.join()
            self.assertIn(words, done.stdout + done.stderr)
            self.assertEqual(seen, [])
        self.assertLess(time.monotonic() - before, 60)
        self.assertEqual(self.listed(), [])

    def test_twine_is_told_why_a_large_file_is_refused(self):
        twine = client("twine", "twine")
        if not twine:
            self.skipTest("twine cannot be had")
        self.env.update(TWINE_USERNAME="__token__", TWINE_REPOSITORY_URL=f"{self.mirror.url}/team/legacy/", TWINE_NON_INTERACTIVE="1")
        self.refused_unread((twine, "upload", "--disable-progress-bar", self.large()), "TWINE_PASSWORD", hears=("limits.upload", "the token is not known here"))

    def test_uv_is_told_why_a_large_file_is_refused(self):
        uv = client("uv", "uv==0.13.8")
        if not uv:
            self.skipTest("uv cannot be had")
        self.env.update(UV_CACHE_DIR=str(self.dir / "uv"))
        command = (uv, "publish", "--no-config", "--trusted-publishing", "never", "--publish-url", f"{self.mirror.url}/team/legacy/", self.large())
        self.refused_unread(command, "UV_PUBLISH_TOKEN", hears=("limits.upload", "the token is not known here"))

    def test_curl_sends_nothing_of_a_body_that_is_refused(self):
        file = self.large()
        command = ("curl", "-sS", "-o", self.dir / "answer", "-w", "%{http_code} %{size_upload}", "-F", ":action=file_upload", "-F", f"content=@{file}",
                   f"{self.mirror.url}/team/legacy/")
        expect = (*command, "-H", "Expect: 100-continue", "--expect100-timeout", "20")
        self.assertEqual(self.run_it(*expect).stdout, "401 0")
        self.assertIn("uploads need a token", (self.dir / "answer").read_text())
        self.assertEqual(self.run_it(*expect, "-u", f"__token__:{self.token()}").stdout, "413 0")
        self.assertIn("limits.upload", (self.dir / "answer").read_text())
        self.assertEqual(self.run_it(*command, "-H", "Expect:").stdout.split()[0], "401")
        small = self.distributions()[0]
        taken = ("curl", "-sS", "-w", "%{http_code}", "-o", self.dir / "answer", "-u", f"__token__:{self.token()}", "-H", "Expect: 100-continue",
                 "--expect100-timeout", "20", "-F", ":action=file_upload", "-F", "name=demo-thing", "-F", "version=1.0", "-F", f"content=@{small}",
                 f"{self.mirror.url}/team/legacy/")
        before = time.monotonic()
        self.assertEqual(self.run_it(*taken).stdout, "200", (self.dir / "answer").read_text() if (self.dir / "answer").exists() else "")
        self.assertLess(time.monotonic() - before, 10)

    def test_dae_publish_builds_a_library_and_uploads_it(self):
        file, data = sample_index.make_sdist("demo-thing", "3.0", [])
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            tar.extractall(self.dir)
        library = self.dir / "demo_thing-3.0"
        with open(library / "backend.py", "a") as backend:
            backend.write(BUILD_SDIST)
        token = self.token()
        env = {"DAE_CACHE_DIR": str(self.dir / "cache"), "DAE_DATA_DIR": str(self.dir / "data"), "DAE_CONFIG_DIR": str(self.dir / "config")}
        publish = (os.path.abspath(DAE), "publish", "--wheel", "-C", library, "--python", sys.executable, "--index", f"{self.mirror.url}/team/simple/")
        done = self.run_it(*publish, "--dry-run", env=env)
        self.assertIn("would upload demo_thing-3.0.tar.gz", done.stderr)
        self.assertEqual(self.listed(), [])
        done = self.run_it(*publish, env=env, code=1)
        self.assertIn("DAE_PUBLISH_TOKEN", done.stderr)
        self.run_it(*publish, env={**env, "DAE_PUBLISH_TOKEN": token})
        self.assertEqual(self.listed(), ["demo_thing-3.0-py3-none-any.whl", "demo_thing-3.0.tar.gz"])
        self.pip_installs("3.0")
        secret = self.dir / "secret"
        secret.write_text(token + "\n")
        secret.chmod(0o644)
        self.assertIn("others may read", self.run_it(*publish, "--token-file", secret, env=env, code=1).stderr)
        secret.chmod(0o600)
        self.assertIn("already", self.run_it(*publish, "--token-file", secret, env=env).stderr)
        secret.write_text("dae_wrong")
        done = self.run_it(*publish, "--token-file", secret, env=env, code=1)
        self.assertIn("401", done.stderr)
        self.assertNotIn("dae_wrong", done.stderr)

    def test_what_is_removed_or_yanked_is_so_for_clients_at_once(self):
        token = self.token()
        for version in ("1.0", "2.0"):
            self.assertEqual(self.upload(token, *sample_index.make_sdist("demo-thing", version, [])), 200)
        change = (os.path.abspath(DAE), "mirror")
        where = ("--config", self.config, "--reason", "broken", "team")
        self.run_it(*change, "yank", *where, "demo-thing==1.0")
        self.run_it(*change, "remove", *where, "demo-thing==2.0")
        deadline = time.monotonic() + 5
        while [(file["filename"], file["yanked"]) for file in self.page()["files"]] != [("demo_thing-1.0.tar.gz", "broken")]:
            self.assertLess(time.monotonic(), deadline, self.page())
            time.sleep(0.05)
        self.assertEqual(self.upload(token, *sample_index.make_sdist("demo-thing", "2.0", [])), 400)

    def test_a_token_is_revoked_while_the_mirror_runs(self):
        token = self.token("--expires", "1h", "--quota", "10GiB", "--note", "ci")
        file, data = sample_index.make_sdist("demo-thing", "1.0", [])
        self.assertEqual(self.upload(token, file, data), 200)
        listed = json.loads(self.run_it(os.path.abspath(DAE), "mirror", "token", "list", "--config", self.config, "--json").stdout)
        self.assertEqual([(row["id"], row["note"], row["quota_bytes"]) for row in listed], [(token.split("_")[1], "ci", 10 << 30)])
        self.assertTrue(listed[0]["last_used"])
        self.run_it(os.path.abspath(DAE), "mirror", "token", "revoke", "--config", self.config, token.split("_")[1])
        self.assertEqual(self.upload(token, *sample_index.make_sdist("demo-thing", "2.0", [])), 401)
        self.run_it(os.path.abspath(DAE), "mirror", "token", "create", "--config", self.config, "--index", "nowhere", code=1)

    def upload(self, token, file, data):
        return upload(f"{self.mirror.url}/team/legacy/", token, file, data)

    def test_a_kill_amid_uploads_leaves_each_file_whole_or_absent(self):
        token = self.token("--quota", "1GiB")
        rng = random.Random(7)
        sent, accepted = {}, set()
        for round_number in range(8):
            def send(round_number=round_number):
                for n in range(6):
                    file, data = sample_index.make_sdist("demo-thing", f"{round_number}.{n}", [])
                    sent[file] = data
                    if self.upload(token, file, data) == 200:
                        accepted.add(file)
            threads = [threading.Thread(target=send)]
            for thread in threads:
                thread.start()
            time.sleep(rng.uniform(0.0, 0.12))
            self.mirror.process.send_signal(signal.SIGKILL)
            self.mirror.process.wait()
            for thread in threads:
                thread.join()
            self.mirror.log.close()
            self.mirror = RunningMirror(self.dir / "mirror", SETTINGS)
            files = {file["filename"]: file for file in self.page()["files"]}
            self.assertLessEqual(accepted, set(files), "what was answered 200 is there")
            for name, file in files.items():
                with urllib.request.urlopen(urllib.parse.urljoin(f"{self.mirror.url}/team/simple/demo-thing/", file["url"])) as answer:
                    self.assertEqual(answer.read(), sent[name])
            self.assertEqual(list((self.dir / "mirror" / "storage" / "spool").iterdir()), [])
        again = f"demo_thing-{round_number}.5.tar.gz"
        self.assertEqual(self.upload(token, again, sent[again]), 200)


if __name__ == "__main__":
    unittest.main()
