"""Locks of ours in other tools' hands: `packaging.pylock` loads them, pip (>= 26.1) and uv install from them.
The tools come from the index that pip uses here; without it this is skipped (exit 77)."""
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import DAE, DaeTest  # noqa: E402
from peer_tools import tools_or_skip  # noqa: E402

TOOLS = None
PROBE = pathlib.Path(DAE).parent / "lock_probe"
LOADS = ("import sys, tomllib; from packaging.pylock import Pylock; lock = Pylock.from_dict(tomllib.load(open(sys.argv[1], 'rb'))); "
         "lock.validate(); print(len(lock.packages))")
# Every kind of source and key that the format has.
RICH = """lock-version = "1.0"
environments = ["sys_platform == 'linux'"]
requires-python = ">=3.9"
extras = ["docs"]
dependency-groups = ["dev"]
default-groups = ["dev"]
created-by = "by hand"

[[packages]]
name = "repo"
marker = "'docs' in extras"
vcs = {{type = "git", url = "https://git.example/repo", requested-revision = "main", commit-id = "{commit}", subdirectory = "python"}}

[[packages]]
name = "folder"
directory = {{path = "../folder", editable = true}}
dependencies = [{{name = "bundle"}}]

[[packages]]
name = "bundle"
version = "1.0"
archive = {{url = "https://files.example/bundle.zip", size = 3, upload-time = 2025-01-01T00:00:00Z, hashes = {{sha256 = "{sha}"}}, subdirectory = "lib"}}

[[packages]]
name = "plain"
version = "2.0"
marker = "'dev' in dependency_groups or python_version < '3.12'"
requires-python = ">=3.8"
index = "https://index.example/simple/"
sdist = {{name = "plain-2.0.tar.gz", url = "https://files.example/plain-2.0.tar.gz", hashes = {{sha256 = "{sha}", md5 = "00"}}}}
wheels = [{{path = "wheels/plain-2.0-py3-none-any.whl", hashes = {{sha256 = "{sha}"}}}}]
[[packages.attestation-identities]]
kind = "GitHub"
repository = "x/plain"
workflow = "release.yml"
[packages.tool.other]
note = 1

[tool.other]
anything = [1, {{deep = true}}]
""".format(commit="a" * 40, sha="b" * 64)


class LockClients(DaeTest):
    def wanted(self, app):
        out = self.dae("run", "python", "-c", "import importlib.metadata as m; print(sorted((d.name, d.version) for d in m.distributions()))", cwd=app).out
        return eval(out)  # our own print of a list of pairs

    def installed(self, venv):
        done = subprocess.run([venv / "bin" / "python", "-c", "import importlib.metadata as m; print(sorted((d.name, d.version) for d in m.distributions() if d.name not in ('pip', 'setuptools')))"], capture_output=True, text=True, check=True)
        return eval(done.stdout)

    def test_packaging_loads_it(self):
        app = self.create_app()
        done = subprocess.run([TOOLS / "python", "-c", LOADS, app / "pylock.toml"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(int(done.stdout), 7)

    def test_pip_installs_from_it(self):
        app = self.create_app()
        venv = self.dir / "venv"
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        done = subprocess.run([TOOLS / "python", "-m", "pip", "--python", venv / "bin" / "python", "install", "-q", "-r", app / "pylock.toml"],
                              capture_output=True, text=True, env={**self.env, "PIP_INDEX_URL": self.index.url})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.installed(venv), self.wanted(app))

    def test_uv_installs_from_it(self):
        app = self.create_app()
        venv = self.dir / "venv"
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        done = subprocess.run([TOOLS / "uv", "pip", "install", "-q", "--preview", "--python", venv / "bin" / "python", "-r", app / "pylock.toml"],
                              capture_output=True, text=True, env={**self.env, "UV_CACHE_DIR": str(self.dir / "uv")})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.installed(venv), self.wanted(app))

    def probe(self, *args):
        if not PROBE.exists():
            self.skipTest("lock_probe is not built")
        done = subprocess.run([PROBE, *map(str, args)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_packaging_loads_every_kind_of_source_that_we_write(self):
        lock = self.dir / "pylock.toml"
        lock.write_text(RICH)
        again = self.dir / "pylock.again.toml"
        again.write_text(self.probe("render", lock))
        done = subprocess.run([TOOLS / "python", "-c", LOADS, again], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr + again.read_text())
        self.assertEqual(int(done.stdout), 4)
        self.assertEqual(self.probe("render", again), again.read_text())
        compare = ("import sys, tomllib; from packaging.pylock import Pylock; "
                   "a, b = (Pylock.from_dict(tomllib.load(open(f, 'rb'))) for f in sys.argv[1:3]); "
                   "key = lambda p: (str(p.name), str(p.version), str(p.marker), str(p.requires_python), p.vcs, p.directory, p.archive, "
                   "p.index, [dict(i) for i in p.attestation_identities or []], [(w.filename, dict(w.hashes)) for w in p.wheels or []]); "
                   "assert sorted(map(key, a.packages), key=str) == sorted(map(key, b.packages), key=str), (a, b); "
                   "assert (a.environments, a.extras, a.dependency_groups, a.default_groups) == (b.environments, b.extras, b.dependency_groups, b.default_groups)")
        done = subprocess.run([TOOLS / "python", "-c", compare, lock, again], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_pip_and_uv_accept_the_exported_requirements(self):
        app = self.create_app()
        requirements = self.dir / "requirements.txt"
        requirements.write_text(self.probe("export", app / "pylock.toml"))
        self.assertIn("--hash=sha256:", requirements.read_text())
        venv = self.dir / "venv"
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pip = subprocess.run([TOOLS / "python", "-m", "pip", "--python", venv / "bin" / "python", "install", "--dry-run", "--require-hashes",
                              "-r", requirements], capture_output=True, text=True, env={**self.env, "PIP_INDEX_URL": self.index.url})
        self.assertEqual(pip.returncode, 0, pip.stderr)
        uv = subprocess.run([TOOLS / "uv", "pip", "install", "-q", "--require-hashes", "--python", venv / "bin" / "python", "--index-url",
                             self.index.url, "-r", requirements], capture_output=True, text=True, env={**self.env, "UV_CACHE_DIR": str(self.dir / "uv")})
        self.assertEqual(uv.returncode, 0, uv.stderr)
        self.assertEqual(self.installed(venv), self.wanted(app))


if __name__ == "__main__":
    TOOLS = tools_or_skip()
    unittest.main()
