"""A mirror of what jupyter needs, synced from the index that pip uses here; then pip and dae install jupyter from it where there is
no other network than loopback, and what they installed starts.

What is taken is a lock that dae makes first: its names, its versions, of their files those that Python 3.11 on this machine's
Linux can install. Nothing else is asked for upstream. Minutes, and some 100 MB: `ctest -C outside -L outside`, or this file with DAE_BINARY
and DAE_BUILD. Without the index that pip uses it is skipped (exit code 77).
"""
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import frozen_index as frozen  # noqa: E402
import peer_tools  # noqa: E402
from harness import DAE  # noqa: E402
from running_mirror import RunningMirror, has_command  # noqa: E402

ROOT_REQUIREMENT = "jupyter"
PYTHON = None
SEPARATE = ["unshare", "--map-root-user", "--net"]
JSON = "application/vnd.pypi.simple.v1+json"
INDEXES = """indexes:
  pypi:
    mode: sync
    upstream: pip
    include: {{lock: {lock}}}
    pythons: ["3.11"]
    platforms: [{platform}]
    sdists: without-wheel
"""
INSTALLED = "import importlib.metadata as m, json; print(json.dumps({d.name.lower().replace('_', '-').replace('.', '-'): d.version for d in m.distributions()}))"


def settings(folder):
    glibc = platform.libc_ver()[1].replace(".", "_")
    return INDEXES.format(lock=folder / "pylock.toml", platform=f"manylinux_{glibc}_{platform.machine()}")


def without_settings(**more):
    env = {key: value for key, value in os.environ.items() if not key.startswith(("DAE_", "PIP_", "UV_", "XDG_", "VIRTUAL_ENV"))}
    return {**env, "NO_COLOR": "1", "USER": "tester", **more}


class Steps(unittest.TestCase):
    """Both halves: what needs the index (this class's tests), and, in a network of its own, what must not need it."""

    def run_command(self, *command, env, code=0, timeout=1800, cwd=None):
        done = subprocess.run(list(map(str, command)), env=env, cwd=cwd or self.dir, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout


class Real(Steps):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dae-mirror-real-", dir=os.environ.get("DAE_REAL_DIR", "/var/tmp")))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.addCleanup(subprocess.run, ["chmod", "-R", "u+w", self.dir])  # the store of unpacked wheels is read-only

    def lock(self, env):
        (self.dir / "in.txt").write_text(ROOT_REQUIREMENT + "\n")
        self.run_command(os.path.abspath(DAE), "lock", "in.txt", "-o", "pylock.toml", "-p", PYTHON, env=env)
        names = re.findall(r'(?m)^\[\[packages\]\]\nname = "([^"]+)"', (self.dir / "pylock.toml").read_text())
        self.assertIn(ROOT_REQUIREMENT, names)
        return sorted(names)

    def sync(self, env, *options):
        report = json.loads(self.run_command(os.path.abspath(DAE), "mirror", "sync", "--json", "--config", "mirror.yaml", *options, env=env))
        return report["indexes"][0]

    def test_jupyter_installs_from_what_was_synced(self):
        # pip's own settings stay: they say where the index is.
        env = {key: value for key, value in os.environ.items() if not key.startswith("DAE_")}
        env.update(DAE_CACHE_DIR=str(self.dir / "cache"), DAE_DATA_DIR=str(self.dir / "data"), DAE_CONFIG_DIR=str(self.dir / "config"), NO_COLOR="1")
        names = self.lock(env)
        (self.dir / "mirror.yaml").write_text(f"storage: {self.dir / 'mirror' / 'storage'}\n{settings(self.dir)}")
        (self.dir / "mirror").mkdir()
        plan = self.sync(env, "--plan")
        self.assertEqual((plan["new"], len(plan["failures"])), (len(names), 0), plan)
        done = self.sync(env)
        self.assertEqual((done["new"], done["files"], done["failures"]), (len(names), plan["files"], []))
        print(f"{len(names)} projects, {done['files']} files, {done['bytes'] / 1e6:.0f} MB in {done['duration_ms'] / 1000:.1f} s", flush=True)
        again = self.sync(env)
        self.assertEqual((again["new"], again["changed"], again["removed"], again["files"]), (0, 0, 0, 0), again)
        self.assertIn("sdists", self.run_command(os.path.abspath(DAE), "mirror", "explain", ROOT_REQUIREMENT, "--config", "mirror.yaml", env=env))
        shutil.rmtree(self.dir / "cache")  # dae has seen these packages
        done = subprocess.run([*SEPARATE, sys.executable, __file__, "--offline", str(self.dir), ",".join(names)], capture_output=True, text=True)
        print(done.stdout, end="", flush=True)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-6000:])


class Offline(Steps):
    """In a network of its own, in which nothing is but loopback."""

    dir = names = None

    def setUp(self):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        self.mirror = RunningMirror(self.dir / "mirror", settings(self.dir))
        self.addCleanup(self.mirror.stop)
        self.index = self.mirror.url + "/pypi/simple/"

    def test_there_is_no_other_network(self):
        links = json.loads(subprocess.run(["ip", "-json", "link"], check=True, capture_output=True, text=True).stdout)
        self.assertEqual([link["ifname"] for link in links if "UP" in link["flags"]], ["lo"])

    def test_the_mirror_lists_what_was_taken_and_nothing_else(self):
        listed = json.loads(self.run_command("curl", "-q", "-s", "-f", "-H", f"Accept: {JSON}", self.index, env=without_settings()))
        self.assertEqual([project["name"] for project in listed["projects"]], self.names)

    def test_pip_and_dae_install_it(self):
        by_pip, by_dae = self.by_pip(), self.by_dae()
        self.assertEqual(by_dae, by_pip)
        print(f"{len(by_pip)} packages, by pip and by dae", flush=True)

    def by_pip(self):
        venv, env = self.dir / "venv", without_settings(HOME=str(self.dir / "home"), PIP_CONFIG_FILE=os.devnull)
        self.run_command(PYTHON, "-m", "venv", venv, env=env)
        installed = set(json.loads(self.run_command(venv / "bin" / "python", "-c", INSTALLED, env=env)))
        self.run_command(venv / "bin" / "pip", "install", "-q", "--disable-pip-version-check", "--index-url", self.index, ROOT_REQUIREMENT, env=env)
        return self.starts(venv, env, installed)

    def by_dae(self):
        app = self.dir / "app"
        app.mkdir()
        (app / "app.yaml").write_text(frozen.APP)
        (app / "pip-req.txt").write_text(ROOT_REQUIREMENT + "\n")
        env = without_settings(HOME=str(self.dir / "home"), DAE_INDEX=self.index, DAE_CACHE_DIR=str(self.dir / "cache"), DAE_DATA_DIR=str(self.dir / "data"),
                               DAE_CONFIG_DIR=str(self.dir / "config"))
        self.run_command(os.path.abspath(DAE), "install", "-p", PYTHON, env=env, cwd=app)
        return self.starts(app / ".venv", env)

    def starts(self, venv, env, leave_out=frozenset()):
        """What is installed; after it was seen to run."""
        self.assertIn("jupyter_core", self.run_command(venv / "bin" / "jupyter", "--version", env=env))
        self.run_command(venv / "bin" / "python", "-c", "import notebook, jupyterlab, ipykernel, nbconvert, zmq", env=env)
        found = json.loads(self.run_command(venv / "bin" / "python", "-c", INSTALLED, env=env))
        return {name: version for name, version in found.items() if name not in leave_out | {"pip", "setuptools"}}


if __name__ == "__main__":
    PYTHON = frozen.python_311()
    if sys.argv[1:2] == ["--offline"]:
        Offline.dir, Offline.names = pathlib.Path(sys.argv[2]), sys.argv[3].split(",")
        unittest.main(argv=[sys.argv[0], "Offline"])
    if not has_command("sync"):
        frozen.skip(f"{DAE} has no `mirror sync`")
    if subprocess.run([*SEPARATE, "ip", "link"], capture_output=True).returncode != 0:
        frozen.skip("`unshare --net` and `ip` are needed to switch the upstream off")
    peer_tools.require_outside("jupyter")
    unittest.main(argv=[sys.argv[0], "Real"])
