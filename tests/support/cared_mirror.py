"""A mirror for the tests of what tends one: it syncs a few projects of one wheel each, and programs beside it are killed."""
import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from harness import DAE, DaeTest
from package_upstream import JSON, PackageUpstream
from running_mirror import RunningMirror

KILLS = 45
NOTICED_SECONDS = 0.15  # what another process wrote a server notices within 100 ms
PROJECTS = [f"part-{number:02}" for number in range(24)]


def fetch(url, accept=JSON):
    """(status, body); 0 when the connection broke"""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""


class Care(DaeTest):
    """A mirror of an upstream that lists a few projects of one wheel each."""

    settings = ""

    def setUp(self):
        super().setUp()
        self.upstream = PackageUpstream()
        self.addCleanup(self.upstream.stop)
        for name in PROJECTS:
            self.upstream.wheel(name, "1.0")
        self.folder = self.dir / "mirror"
        self.folder.mkdir()
        self.config, self.storage = self.folder / "mirror.yaml", self.folder / "storage"
        self.write_config()
        self.mirror = None

    def write_config(self, more=""):
        self.settings = f"""\
indexes:
  pypi: {{mode: sync, upstream: "{self.upstream.url}", include: [{", ".join(PROJECTS)}]}}
  pulled: {{upstream: "{self.upstream.url}"}}
  team: {{mode: private, uploads: true}}
  release: {{mode: private}}
care: {{grace: 1h, removed_for: 0s}}
limits: {{upload: 4MiB}}
{more}"""
        self.config.write_text(f"storage: {self.storage}\nlisten: 127.0.0.1:0\n{self.settings}")

    def serve(self):
        self.mirror = RunningMirror(self.folder, self.settings)
        self.addCleanup(self.mirror.stop)

    def run_mirror(self, *words, code=0):
        done = self.dae("mirror", *words, "-c", self.config, code=code)
        time.sleep(NOTICED_SECONDS)
        return done

    def told(self, *words, code=0):
        return self.run_mirror(*words, "--json", code=code).json()

    def blob(self, digest):
        return self.storage / "blobs" / "sha256" / digest[:2] / digest

    def wheel_of(self, name, version="1.0"):
        return f"{name.replace('-', '_')}-{version}-py3-none-any.whl"

    def digest_of(self, name, version="1.0"):
        return self.upstream.sha256(self.wheel_of(name, version))

    def corrupt(self, digest):
        path = self.blob(digest)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.chmod(0o644)
        path.write_bytes(data)

    def listed(self, index):
        status, body = fetch(f"{self.mirror.url}/{index}/simple/")
        self.assertEqual(status, 200, body)
        return sorted(one["name"] for one in json.loads(body)["projects"])

    def files_of(self, index, project):
        status, body = fetch(f"{self.mirror.url}/{index}/simple/{project}/")
        return {file["filename"]: urllib.parse.urljoin(f"{self.mirror.url}/{index}/simple/{project}/", file["url"])
                for file in json.loads(body)["files"]} if status == 200 else {}

    def eventually(self, test, what):
        deadline = time.monotonic() + 10
        while not test():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)

    def start(self, *words):
        return subprocess.Popen([DAE, "mirror", *map(str, words), "-c", self.config], cwd=self.work, env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def killed_at_growing_delays(self, prepare, *words):
        """Yields after each kill, from the program's start to beyond its end."""
        took = min(self.time_of(prepare, *words) for _ in range(4))
        amid = 0
        for number in range(KILLS):
            prepare()
            process = self.start(*words)
            time.sleep(took * 1.1 * number / KILLS)
            process.kill()
            amid += process.wait() == -signal.SIGKILL
            yield number
        self.assertGreater(amid, KILLS // 2, "the kills came too late to say anything")

    def time_of(self, prepare, *words):
        prepare()
        begun = time.monotonic()
        self.start(*words).wait()
        return time.monotonic() - begun

    def keep_storage(self):
        """A function that makes the storage again what it is now."""
        kept = self.dir / "kept"
        shutil.copytree(self.storage, kept)

        def restore():
            shutil.rmtree(self.storage)
            shutil.copytree(kept, self.storage)
        return restore
