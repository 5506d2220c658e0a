"""What dae installs is what pip installs, file by file: wheels with everything that wheels can have (support/fancy_wheels.py),
each installed by both at the same place, in every link mode. Differences that may be are listed in install_tree.py. And pip
and uv get along with an environment of dae's: they list it, check it and take out of it what dae put in.

Needs a pip: a new one beside uv where they can be had (peer_tools.py), else the interpreter's own.
"""
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fancy_wheels  # noqa: E402
import install_tree  # noqa: E402
from harness import DAE, DaeTest, sample_index  # noqa: E402
from peer_tools import tools_or_skip  # noqa: E402

PYTHON = os.path.realpath(sys.executable)
VERSION = "%d.%d" % sys.version_info[:2]
PIP, UV = None, None
MODES = []
SEEN = collections.Counter()  # justified differences of all fixtures
ABOUT = """import importlib.metadata as m, json, sys
about = {}
for d in m.distributions():
    missing = [str(f) for f in d.files or ["no RECORD"] if not f.locate().exists()]
    about[d.name] = [d.version, missing, sorted((e.group, e.name, e.value) for e in d.entry_points), d.read_text("INSTALLER")]
print(json.dumps(about))
"""


class Index:
    """All fixtures on a port of their own, and as files for pip."""

    def __init__(self, folder):
        projects = {}
        for make in fancy_wheels.FIXTURES.values():
            for wheel in make():
                projects.setdefault(install_name(wheel), []).append((wheel.file_name, wheel.pack(), wheel.version, ">=3.8", wheel.metadata))
        self.folder = pathlib.Path(folder)
        sample_index.write_pages(self.folder, projects)
        self._server = sample_index.serve(self.folder, 0)
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def install_name(wheel):
    return re.sub(r"[-_.]+", "-", wheel.name).lower()


def link_modes():
    """None is what dae chooses by itself."""
    words = subprocess.run([DAE, "install", "--help"], capture_output=True, text=True).stdout
    return ["hardlink", "copy", "symlink"] if "--link-mode" in words else [None]


class InstallTest(DaeTest):
    @classmethod
    def setUpClass(cls):
        cls._class_dir = tempfile.mkdtemp(prefix="dae-install-")
        cls.index = Index(os.path.join(cls._class_dir, "index"))

    def setUp(self):
        super().setUp()
        self.app = self.work / "app"
        for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
            self.env.pop(name, None)

    @property
    def venv(self):
        return self.app / ".venv"

    def project(self, requirements):
        self.app.mkdir(parents=True, exist_ok=True)
        (self.app / "app.yaml").write_text(f'name: fancy\npython: "=={VERSION}.*"\ninstances:\n  web: {{type: web, wsgi: "app:app"}}\n')
        (self.app / "pyproject.toml").write_text(f'[project]\nname = "fancy"\nversion = "1"\nrequires-python = "=={VERSION}.*"\n'
                                                 f"dependencies = {json.dumps(requirements, ensure_ascii=False)}\n")

    def install(self, mode=None, bytecode=True):
        self.dae("install", "-p", PYTHON, *(["--link-mode", mode] if mode else []), cwd=self.app, env={"DAE_BYTECODE": "1" if bytecode else "0"})

    def pip(self, *args):
        done = subprocess.run([*PIP, "--python", self.venv / "bin" / "python", *args], env=self.env, cwd=self.work, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def remove_venv(self):
        shutil.rmtree(self.venv)

    def empty_venv(self):
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", self.venv], check=True)
        return install_tree.files_of(self.venv)

    def run_scripts(self, files):
        """What each new program of bin/ does: (exit status, output, errors)."""
        results = {}
        for path, file in files.items():
            if not path.startswith("bin/") or not file.mode & 0o111:
                continue
            try:
                done = subprocess.run([self.venv / path, "one argument", "two"], env={**self.env, "PATH": f"{self.venv}/bin:{self.env['PATH']}"},
                                      capture_output=True, stdin=subprocess.DEVNULL, timeout=30)
                results[path] = (done.returncode, done.stdout, done.stderr)
            except OSError as error:
                results[path] = ("does not start", error.errno)
        return results


class EachFixture(InstallTest):
    """One test for each; made below."""

    def compare(self, requirements, pips, direct=False):
        self.project(requirements)
        before = self.empty_venv()
        self.pip("install", "--no-deps", "--no-compile", "--no-index", "--find-links", str(self.index.folder / "files"), "-q", *pips)
        theirs = install_tree.added(install_tree.files_of(self.venv), before)
        self.assertGreater(len(theirs), 4)
        programs = self.run_scripts(theirs)
        self.venv.rename(self.app / "by-pip")
        theirs = install_tree.moved(theirs, self.venv, self.app / "by-pip")

        self.project([])
        self.install()
        before = install_tree.files_of(self.venv)
        self.remove_venv()
        self.project(requirements)
        for mode, bytecode in [(mode, True) for mode in MODES] + [(MODES[0], False)]:
            with self.subTest(mode=mode, bytecode=bytecode):
                self.install(mode, bytecode)
                ours = install_tree.added(install_tree.files_of(self.venv), before)
                found = install_tree.Comparison(ours, theirs, direct)
                self.assertFalse(found.problems, "\n" + "\n".join(found.problems))
                self.assertEqual(install_tree.unrecorded(ours), [])
                self.assertTrue(bytecode or not found.justified["bytecode"], "bytecode that was not wanted")
                self.compare_programs(found, self.run_scripts(ours), programs)
                SEEN.update(found.justified)
            self.remove_venv()

    def compare_programs(self, found, ours, theirs):
        for path, result in ours.items():
            if path in found.scripts_by_sh or path not in theirs:
                self.assertEqual((path, result[0]), (path, 0), result)  # pip's cannot start
            else:
                self.assertEqual((path, result), (path, theirs[path]))

    def compare_fixture(self, name):
        wheels = fancy_wheels.FIXTURES[name]()
        # pip names folders of headers as it was asked; a lock has normalised names.
        self.compare([f"{wheel.name}=={wheel.version}" for wheel in wheels], [f"{install_name(wheel)}=={wheel.version}" for wheel in wheels])

    def compare_at(self, place):
        self.app = self.work / place / "app"
        for name in ("scripts", "entry-points", "fancy"):
            with self.subTest(fixture=name):
                shutil.rmtree(self.app, ignore_errors=True)
                self.compare_fixture(name)

    def test_at_a_place_with_blanks(self):
        self.compare_at("a folder with blänks")

    def test_scripts_start_at_a_place_that_needs_quotes(self):
        """pip's do not."""
        self.app = self.work / """it's "quoted" $HOME `id` \\n""" / "app"
        self.project(["points", "scripts"])
        self.install(MODES[0])
        for name, words in (("points-main", b"main ['one argument', 'two']\n"), ("with-python", b"python ['one argument', 'two'] True\n")):
            done = subprocess.run([self.venv / "bin" / name, "one argument", "two"], env=self.env, capture_output=True)
            self.assertEqual((done.returncode, done.stdout), (0, words), done.stderr)

    def test_at_a_long_place(self):
        self.compare_at("long" * 30)

    def test_named_by_address(self):
        wheel = fancy_wheels.FIXTURES["files-of-an-installer"]()[0]
        address = (self.index.folder / "files" / wheel.file_name).as_uri()
        self.compare([f"{wheel.name} @ {address}"], [f"{wheel.name} @ {address}"], direct=True)


for fixture in fancy_wheels.FIXTURES:
    setattr(EachFixture, "test_" + fixture.replace("-", "_"), lambda self, name=fixture: self.compare_fixture(name))


class OtherTools(InstallTest):
    """All fixtures in one environment of dae's."""

    def setUp(self):
        super().setUp()
        self.wheels = [wheel for make in fancy_wheels.FIXTURES.values() for wheel in make()]
        self.names = sorted(map(install_name, self.wheels))
        self.project([])
        self.install()
        self.before = install_tree.files_of(self.venv)
        self.state = {name: (self.venv / name).read_bytes() for name in install_tree.STATE_FILES}

    def install_all(self, mode, bytecode=True):
        self.project([f"{wheel.name}=={wheel.version}" for wheel in self.wheels])
        self.install(mode, bytecode)

    def left(self, folders=True):
        """Paths that differ from what was before the install, beside notes of dae's."""
        after = install_tree.files_of(self.venv)
        return sorted(path for path in after.keys() | self.before.keys() if path not in install_tree.STATE_FILES and (folders or not path.endswith("/"))
                      and (path not in after or path not in self.before or after[path][:4] != self.before[path][:4]))

    def in_each_mode(self, check, modes=None):
        for mode in modes or MODES:
            for bytecode in (True, False):
                with self.subTest(mode=mode, bytecode=bytecode):
                    self.install_all(mode, bytecode)
                    check(mode)
                shutil.rmtree(self.venv, ignore_errors=True)

    def compile_all(self):
        """As a user's Python does in time, which then is in no RECORD."""
        subprocess.run([self.venv / "bin" / "python", "-m", "compileall", "-q", self.venv / "lib"], env=self.env, capture_output=True)

    def test_uninstall_by_dae_leaves_what_was_before(self):
        def check(mode):
            if mode != "symlink":  # it would be written into the store
                self.compile_all()
            self.dae("uninstall", "-p", PYTHON, *self.names, cwd=self.app)
            self.assertEqual(self.left(), [])
            self.assertEqual(json.loads((self.venv / "dae-env.json").read_text())["packages"], [])
        self.in_each_mode(check)

    def test_pip_uninstalls_what_dae_installed(self):
        def check(mode):
            self.pip("uninstall", "-y", "-q", *self.names)
            self.assertEqual(self.left(folders=False), [])  # pip leaves empty folders, of its own installations, too
        self.in_each_mode(check, [mode for mode in MODES if mode != "symlink"])

    def test_pip_does_not_reach_through_links_into_the_store(self):
        if "symlink" not in MODES:
            self.skipTest("this dae has no link mode symlink")
        self.install_all("symlink")
        store = [path for path in (self.dir / "cache").rglob("*") if path.is_file()]
        subprocess.run([*PIP, "--python", self.venv / "bin" / "python", "uninstall", "-y", *self.names], env=self.env, capture_output=True, stdin=subprocess.DEVNULL)
        self.assertEqual([path for path in store if not path.exists()], [])

    def test_pip_lists_shows_and_checks(self):
        def check(mode):
            listed = {re.sub(r"[-_.]+", "-", item["name"]).lower(): item["version"] for item in json.loads(self.pip("list", "--format", "json"))}
            self.assertEqual(listed, {install_name(wheel): wheel.version for wheel in self.wheels})
            shown = self.pip("show", "-f", "-v", *self.names)
            self.assertEqual(shown.count("Installer: dae"), len(self.names))
            self.assertNotIn("Cannot locate", shown)
            self.pip("check")
        self.in_each_mode(check)

    def test_importlib_metadata_knows_every_distribution(self):
        self.project([])
        self.remove_venv()
        self.empty_venv()
        self.pip("install", "--no-deps", "--no-compile", "--no-index", "--find-links", str(self.index.folder / "files"), "-q",
                 *[f"{wheel.name}=={wheel.version}" for wheel in self.wheels])
        theirs = self.about()
        self.remove_venv()

        def check(mode):
            ours = self.about()
            self.assertEqual(ours.keys(), theirs.keys())
            for name, (version, missing, points, installer) in ours.items():
                self.assertEqual([name, version, missing, points, installer], [name, theirs[name][0], [], theirs[name][2], "dae\n"])
        self.in_each_mode(check)

    def about(self):
        done = subprocess.run([self.venv / "bin" / "python", "-c", ABOUT], env=self.env, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def uv(self, *args):
        done = subprocess.run([UV, "pip", *args, "--python", self.venv / "bin" / "python"], env={**self.env, "UV_CACHE_DIR": str(self.dir / "uv"), "UV_NO_CONFIG": "1"},
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_uv_lists_checks_and_uninstalls(self):
        if not UV:
            self.skipTest("no uv")

        def check(mode):
            self.assertEqual({item["name"]: item["version"] for item in json.loads(self.uv("list", "--format", "json"))},
                             {install_name(wheel): wheel.version for wheel in self.wheels})
            self.uv("check")
            self.uv("uninstall", *self.names)
            # Its own lock, and bytecode of modules that stand in no folder of their own: of its own installations, too.
            self.assertEqual([path for path in self.left(folders=False) if path != ".lock" and not re.fullmatch(r".*/site-packages/__pycache__/[^/]+", path)], [])
        self.in_each_mode(check, [mode for mode in MODES if mode != "symlink"])


def find_tools():
    """(pip as a command, uv or None); the new pip where it can be had."""
    try:
        folder = tools_or_skip()
        return [folder / "python", "-m", "pip"], folder / "uv"
    except SystemExit:
        print("not skipped: the interpreter's own pip is compared with, and uv's part left out", file=sys.stderr)
    for python in (PYTHON, sys.executable):
        if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0:
            return [python, "-m", "pip"], None
    print("skipped: no pip", file=sys.stderr)
    sys.exit(77)


if __name__ == "__main__":
    os.umask(0o022)
    PIP, UV = find_tools()
    MODES = link_modes()
    ran = unittest.main(exit=False)
    for reason, words in install_tree.JUSTIFIED.items():
        print(f"{SEEN[reason]:6} {reason}: {words}")
    unseen = [reason for reason in install_tree.JUSTIFIED if not SEEN[reason]] if len(sys.argv) == 1 else []
    if unseen:
        print("FAILED: nothing differs in this way any more; take it off the list:", *unseen)
    sys.exit(not ran.result.wasSuccessful() or bool(unseen))
