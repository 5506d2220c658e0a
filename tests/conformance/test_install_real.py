"""Real closures, several hundred wheels: what dae installs is what pip installs, file by file (install_tree.py); every package
that can be imported in pip's environment can be in dae's, and every program in bin/ ends as in pip's.

The wheels are those of tests/support/install_index.py, which keeps them in $DAE_BENCH_DIR; what is not kept is asked of the
index that pip uses here, and without one the test is skipped (exit code 77). What has no wheel is left out, by name. Minutes to
half an hour: `ctest -C outside -L outside`, or this file with DAE_BINARY and DAE_BUILD; a name after it runs that closure only, and
--no-smoke compares trees only.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import frozen_index as frozen  # noqa: E402
import install_index  # noqa: E402
import install_tree  # noqa: E402
import smoke  # noqa: E402
from harness import DAE, sample_index  # noqa: E402
from peer_tools import require_outside, tools_or_skip  # noqa: E402

CLOSURES = ["boto3", "jupyter", "airflow"]
ONLY, SMOKE = [], True
ALONE_AT_MOST = 200  # imports
PINNED = re.compile(r'(?m)^\[\[packages\]\]\nname = "([^"]+)"\nversion = "([^"]+)"')


def link_modes():
    """(mode, with bytecode, whether what is in it is started)."""
    words = subprocess.run([DAE, "install", "--help"], capture_output=True, text=True).stdout
    if "--link-mode" not in words:
        return [(None, True, True)]
    return [("hardlink", True, True), ("symlink", True, True), ("copy", False, False)]


class Real(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dae-real-", dir=os.environ.get("DAE_REAL_DIR", "/var/tmp")))
        self.addCleanup(subprocess.run, ["rm", "-rf", self.folder])
        server = sample_index.serve(install_index.FOLDER, 0)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("DAE_", "PIP_", "UV_", "XDG_", "PYTHON", "VIRTUAL_ENV"))}
        self.env.update(HOME=str(self.folder / "home"), NO_COLOR="1", USER="tester", DAE_CACHE_DIR=str(self.folder / "cache"), DAE_DATA_DIR=str(self.folder / "data"),
                        DAE_CONFIG_DIR=str(self.folder / "config"))
        (self.folder / "home").mkdir()
        self.app = self.folder / "app"
        self.venv = self.app / ".venv"

    def compare(self, name):
        self.started = time.monotonic()
        kept = install_index.contents()[name]
        shutil.copytree(install_index.app_folder(name), self.app)
        lock = self.app / "pylock.toml"
        lock.write_text(lock.read_text().replace(install_index.HERE, self.url))
        pins = PINNED.findall(lock.read_text())
        self.tell(f"{name}: {len(pins)} packages; without a wheel, left out: {' '.join(kept['left_out']) or 'nothing'}")
        theirs, imports, scripts = self.by_pip(kept, pins)
        self.empty = self.paths_of_an_empty_environment()
        problems = []
        for mode, bytecode, start in link_modes():
            words = f"{name} by dae, {mode or 'the mode that it chooses'}{', bytecode' if bytecode else ''}"
            problems += [f"{words}: {line}" for line in self.by_dae(words, mode, bytecode, start and SMOKE, theirs, imports, scripts)]
            shutil.rmtree(self.venv)
        self.assertFalse(problems, "\n" + "\n".join(problems[:200]))

    def tell(self, words):
        print(f"[{time.monotonic() - self.started:6.0f} s] {words}", flush=True)

    def by_pip(self, kept, pins):
        wheels, python = self.folder / "wheels", frozen.python_311()
        wheels.mkdir()
        for file in kept["wheels"]:
            (wheels / file).symlink_to(os.path.realpath(install_index.FOLDER / "files" / file))
        (self.folder / "pins.txt").write_text("".join(f"{name}=={version}\n" for name, version in pins))
        subprocess.run([python, "-m", "venv", "--without-pip", self.venv], check=True)
        before = install_tree.files_of(self.venv)
        done = subprocess.run([tools_or_skip() / "python", "-m", "pip", "--python", self.venv / "bin" / "python", "install", "-q", "--no-deps", "--no-compile", "--no-index",
                               "--find-links", wheels, "-r", self.folder / "pins.txt"], env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-4000:])
        theirs = install_tree.added(install_tree.files_of(self.venv), before)
        self.tell(f"pip has installed them: {sum(file.kind == 'file' for file in theirs.values())} files")
        imports, scripts = {}, {}
        if SMOKE:
            env = {**self.env, "PYTHONPYCACHEPREFIX": str(self.folder / "pycache")}  # the tree stays as pip made it
            imports = smoke.import_all(self.venv, self.packages(theirs), env, smoke.GROUP)
            scripts = smoke.start_all(self.venv, [path for path, file in theirs.items() if path.startswith("bin/") and file.mode & 0o111], env)
            self.tell(f"in pip's environment: {outcomes(imports)} of {len(imports)} imports, {outcomes(scripts)} of {len(scripts)} scripts; not "
                      + ", ".join(f"{job.removeprefix('bin/')} ({smoke.verdict(result)})" for job, result in {**imports, **scripts}.items() if result[0] != 0))
        self.venv.rename(self.folder / "by-pip")
        return install_tree.moved(theirs, self.venv, self.folder / "by-pip"), imports, scripts

    def imported_by_pips(self, name):
        """In pip's environment, which has moved: its interpreter works there, too."""
        return smoke.import_all(self.folder / "by-pip", [name], {**self.env, "PYTHONPYCACHEPREFIX": str(self.folder / "pycache")})[name]

    def paths_of_an_empty_environment(self):
        app = self.folder / "empty"
        app.mkdir()
        (app / "app.yaml").write_text(frozen.APP)
        (app / "pip-req.txt").write_text("")
        subprocess.run([DAE, "install", "-q", "-p", frozen.python_311()], cwd=app, env={**self.env, "DAE_INDEX": self.url + "simple/"}, check=True, stdin=subprocess.DEVNULL)
        return set(install_tree.files_of(app / ".venv"))

    def packages(self, files):
        names = set()
        for path, file in files.items():
            if install_tree.RECORD.fullmatch(path):
                names |= smoke.top_packages(install_tree.rows_of(install_tree.read(file)))
        return sorted(names)

    def by_dae(self, words, mode, bytecode, start, theirs, imports, scripts):
        done = subprocess.run([DAE, "install", "-p", frozen.python_311(), *(["--link-mode", mode] if mode else [])], cwd=self.app,
                              env={**self.env, "DAE_BYTECODE": "1" if bytecode else "0"}, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            return [f"exit {done.returncode}: {done.stderr[-3000:]}"]
        ours = {path: file for path, file in install_tree.files_of(self.venv).items() if path not in self.empty}
        found = install_tree.Comparison(ours, theirs)
        problems = found.problems + install_tree.unrecorded(ours)
        self.tell(f"{words}: {sum(map(bool, map(install_tree.RECORD.fullmatch, ours)))} wheels, {found.compared} files compared, {len(problems)} problems, "
                  f"justified: {', '.join(f'{count} {reason}' for reason, count in sorted(found.justified.items()) if count)}")
        if start:
            env = {**self.env, "PYTHONDONTWRITEBYTECODE": "1"}
            # Once each alone, as users do, unless that took half an hour.
            alone = mode in (None, "hardlink") and len(imports) <= ALONE_AT_MOST
            mine = smoke.import_all(self.venv, list(imports), env, 1 if alone else smoke.GROUP)
            problems += smoke.differing(mine, imports, lambda name: smoke.import_all(self.venv, [name], env)[name], self.imported_by_pips)
            started = smoke.start_all(self.venv, list(scripts), env)
            problems += smoke.differing(started, scripts, lambda name: smoke.start_all(self.venv, [name], env)[name], scripts.__getitem__)
            self.tell(f"{words}: {outcomes(mine)} of {len(mine)} imports, {outcomes(started)} of {len(started)} scripts; {len(problems)} problems in all")
        return problems


def outcomes(results):
    """How many ended well; scripts may end otherwise, as programs of setuptools for one do that know no --help."""
    return sum(result[0] == 0 for result in results.values())


def keep(name):
    """Has the wheels ready; skips without them."""
    if name in install_index.contents():
        return
    frozen.require_inputs()
    require_outside(f"the wheels of {name}")
    try:
        if frozen.filled().get(name, {}).get("dae") != 0:
            frozen.fill([name])
        install_index.fill([name])
    except (OSError, SystemExit) as error:
        if error.args == (77,):
            raise  # it has told why
        frozen.skip(f"the wheels of {name} cannot be had: {error}")


for closure in CLOSURES:
    setattr(Real, "test_" + closure, lambda self, name=closure: self.compare(name))

if __name__ == "__main__":
    os.umask(0o022)
    SMOKE = "--no-smoke" not in sys.argv
    ONLY = [name for name in sys.argv[1:] if name in CLOSURES] or CLOSURES
    for closure in ONLY:
        keep(closure)
    tools_or_skip()
    ran = unittest.main(argv=[sys.argv[0], *(f"Real.test_{name}" for name in ONLY)], exit=False)
    for reason, words in install_tree.JUSTIFIED.items():
        print(f"{reason}: {words}")
    sys.exit(not ran.result.wasSuccessful())
