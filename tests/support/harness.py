"""For the black-box tests: an isolated home, the sample index over real HTTP, and `dae` as a user runs it."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support" / "sample_index"))
import make as sample_index  # noqa: E402

DAE = os.environ.get("DAE_BINARY", str(ROOT / "build" / "release" / "bin" / "dae"))


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\n-- stdout\n{self.out}\n-- stderr\n{self.err}"


class SampleIndex:
    """The sample index on a port of its own; counts what was asked of it."""

    def __init__(self, folder, html_only=False, port=0):
        self.root = pathlib.Path(folder)
        sample_index.write(self.root)
        self._server = sample_index.serve(self.root, port, html_only=html_only)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/simple/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class DaeTest(unittest.TestCase):
    """Each test has its own folder, cache, data and configuration; nothing of the user's is read."""

    html_only = False

    @classmethod
    def setUpClass(cls):
        cls._class_dir = tempfile.mkdtemp(prefix="dae-cli-")
        cls.index = SampleIndex(os.path.join(cls._class_dir, "index"), cls.html_only)

    @classmethod
    def tearDownClass(cls):
        cls.index.stop()
        shutil.rmtree(cls._class_dir, ignore_errors=True)

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dt-"))
        self.addCleanup(self._remove)
        self.work = self.dir / "work"
        self.work.mkdir()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("DAE_", "PIP_", "GIT_", "XDG_"))}
        self.env.update(
            HOME=str(self.dir / "home"), DAE_CACHE_DIR=str(self.dir / "cache"), DAE_DATA_DIR=str(self.dir / "data"),
            DAE_CONFIG_DIR=str(self.dir / "config"), DAE_INDEX=self.index.url, NO_COLOR="1", USER="tester",
            PYTHONDONTWRITEBYTECODE="1",
            GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@example.invalid", GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.invalid",
            GIT_CONFIG_GLOBAL="/dev/null")
        if "PYENV_ROOT" in os.environ or os.path.isdir(os.path.expanduser("~/.pyenv")):
            self.env["PYENV_ROOT"] = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
        (self.dir / "home").mkdir()

    def _remove(self):
        # The unpacked store is read-only on purpose.
        for base, folders, _ in os.walk(self.dir):
            for folder in folders:
                path = os.path.join(base, folder)
                if not os.path.islink(path):
                    os.chmod(path, 0o755)
        shutil.rmtree(self.dir, ignore_errors=True)

    def dae(self, *args, cwd=None, code=0, env=None, timeout=120):
        done = subprocess.run([DAE, *map(str, args)], cwd=cwd or self.work, env={**self.env, **(env or {})},
                              capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        result = Result(done)
        if code is not None:
            self.assertEqual(result.code, code, result)
        return result

    def create_app(self, name="bubbler", install=True):
        self.dae("create", name)
        app = self.work / name
        if install:
            self.dae("install", cwd=app)
        return app

    def git(self, app, *args):
        return subprocess.run(["git", *args], cwd=app, env=self.env, check=True, capture_output=True, text=True).stdout

    def commit(self, app, message="change"):
        if not (app / ".git").exists():
            self.git(app, "init", "-q")
        self.git(app, "add", "-A")
        self.git(app, "commit", "-qm", message)


def get(url, timeout=10):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read()


def wait_for(condition, seconds=30, what="the condition"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come true in {seconds} s")


def tree(root, skip=(".git",)):
    """relative name -> bytes of every file below root: to see that nothing was changed."""
    root = pathlib.Path(root)
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*"))
            if p.is_file() and not p.is_symlink() and not any(part in skip for part in p.relative_to(root).parts)}


def kill9(pid):
    os.kill(pid, signal.SIGKILL)
