"""Locks of ours in other tools' hands: `packaging.pylock` loads them, pip (>= 26.1) and uv install from them.
The tools come from the index that pip uses here; without it this is skipped (exit 77)."""
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import DaeTest  # noqa: E402
from peer_tools import tools_or_skip  # noqa: E402

TOOLS = None


class LockClients(DaeTest):
    def wanted(self, app):
        out = self.dae("run", "python", "-c", "import importlib.metadata as m; print(sorted((d.name, d.version) for d in m.distributions()))", cwd=app).out
        return eval(out)  # our own print of a list of pairs

    def installed(self, venv):
        done = subprocess.run([venv / "bin" / "python", "-c", "import importlib.metadata as m; print(sorted((d.name, d.version) for d in m.distributions() if d.name not in ('pip', 'setuptools')))"], capture_output=True, text=True, check=True)
        return eval(done.stdout)

    def test_packaging_loads_it(self):
        app = self.create_app()
        program = ("import sys, tomllib; from packaging.pylock import Pylock; "
                   "lock = Pylock.from_dict(tomllib.load(open(sys.argv[1], 'rb'))); lock.validate() if hasattr(lock, 'validate') else None; "
                   "print(len(lock.packages))")
        done = subprocess.run([TOOLS / "python", "-c", program, app / "pylock.toml"], capture_output=True, text=True)
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


if __name__ == "__main__":
    TOOLS = tools_or_skip()
    unittest.main()
