"""Dependencies that come from repositories, folders and archives, as a user writes them."""
import http.server
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "support"))
from harness import DaeTest  # noqa: E402

# A build back end in the project's own tree: building needs nothing from elsewhere.
BACKEND = r'''
import base64, hashlib, os, re, zipfile
NAME = re.search(r'name = "([^"]+)"', open("pyproject.toml").read())[1]
REQUIRES = re.findall(r'# requires (\S+)', open("pyproject.toml").read())
def make(folder, files):
    info = NAME + "-1.0.dist-info/"
    files[info + "WHEEL"] = "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[info + "METADATA"] = "Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n" % NAME + "".join("Requires-Dist: %s\n" % r for r in REQUIRES) + "\n"
    rows = "".join("%s,sha256=%s,%d\n" % (k, base64.urlsafe_b64encode(hashlib.sha256(v.encode()).digest()).decode().rstrip("="), len(v.encode()))
                   for k, v in files.items())
    files[info + "RECORD"] = rows + info + "RECORD,,\n"
    name = NAME + "-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for k, v in files.items():
            archive.writestr(zipfile.ZipInfo(k, (2020, 1, 1, 0, 0, 0)), v)
    return name
def build_wheel(folder, config_settings=None, metadata_directory=None):
    return make(folder, {NAME + ".py": open(NAME + ".py").read()})
def build_editable(folder, config_settings=None, metadata_directory=None):
    return make(folder, {NAME + ".pth": os.getcwd() + "\n"})
'''


class Sources(DaeTest):
    def setUp(self):
        super().setUp()
        self.env["PIP_NO_INDEX"] = "1"
        self.app = self.create_app(install=False)
        shutil.rmtree(self.app / ".git", ignore_errors=True)

    def write_project(self, folder, name, value, requires=()):
        """A project that its own back end builds; `requires` shows only in what the build says."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pyproject.toml").write_text(
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            f'[project]\nname = "{name}"\ndynamic = ["version", "dependencies"]\n' + "".join(f"# requires {r}\n" for r in requires))
        (folder / "backend.py").write_text(BACKEND)
        (folder / f"{name}.py").write_text(f"VALUE = {value!r}\n")

    def repository(self, name="x", value="one", subdirectory="", requires=()):
        repo = self.dir / f"repo-{name}"
        self.write_project(repo / subdirectory, name, value, requires)
        self.git(repo, "init", "-q", "-b", "main")
        return repo, self.commit_all(repo)

    def commit_all(self, repo):
        self.git(repo, "add", "-A")
        self.git(repo, "commit", "-qm", "change")
        return self.git(repo, "rev-parse", "HEAD").strip()

    def requirements(self, *lines):
        (self.app / "pyproject.toml").unlink(missing_ok=True)
        (self.app / "pip-req.txt").write_text("\n".join(lines) + "\n")

    def dependencies(self, *requirements):
        listed = "".join(f'    "{r}",\n' for r in requirements)
        (self.app / "pyproject.toml").write_text(f'[project]\nname = "bubbler"\nversion = "0.1"\ndependencies = [\n{listed}]\n')

    def value(self, name="x"):
        done = subprocess.run([self.app / ".venv/bin/python", "-c", f"import {name}; print({name}.VALUE)"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def lock(self):
        return (self.app / "pylock.toml").read_text()

    def install(self, *args, **options):
        return self.dae("install", *args, cwd=self.app, **options)

    def test_a_repository_in_pip_req_is_pinned_until_it_is_upgraded(self):
        repo, first = self.repository(requires=["markupsafe"])
        self.requirements(f"-e git+file://{repo}@main#egg=x")
        self.install()
        self.assertEqual(self.value(), "one")
        self.assertIn(first, self.lock())
        self.assertIn("markupsafe", self.lock(), "what only the build could tell")
        again = self.install()
        self.assertIn("nothing to do", again.err)

        (repo / "x.py").write_text("VALUE = 'two'\n")
        second = self.commit_all(repo)
        self.assertIn("nothing to do", self.install().err)
        self.requirements(f"-e git+file://{repo}@main#egg=x", "click")
        self.install()
        self.assertIn(first, self.lock(), "another requirement is no reason to move this one")
        self.assertEqual(self.value(), "one")
        self.install("--upgrade-package", "x")
        self.assertIn(second, self.lock())
        self.assertEqual(self.value(), "two")

    def test_a_repository_in_pyproject_with_tag_and_folder(self):
        repo, commit = self.repository(subdirectory="py/lib")
        self.git(repo, "tag", "-a", "v1", "-m", "one")
        self.dependencies(f"x @ git+file://{repo}@v1#subdirectory=py/lib")
        self.install()
        self.assertEqual(self.value(), "one")
        lock = self.lock()
        self.assertIn(commit, lock)
        self.assertIn('subdirectory = "py/lib"', lock)
        direct = next((self.app / ".venv").glob("lib/python3*/site-packages/x-1.0.dist-info/direct_url.json")).read_text()
        self.assertIn('"requested_revision":"v1"', direct)
        self.assertIn("nothing to do", self.install().err)

    def test_what_is_locked_installs_elsewhere_without_asking_what_the_branch_is_now(self):
        repo, first = self.repository()
        self.requirements(f"git+file://{repo}#egg=x")
        self.install()
        (repo / "x.py").write_text("VALUE = 'two'\n")
        self.commit_all(repo)
        for place in (self.app / ".venv", self.dir / "cache"):
            subprocess.run(["chmod", "-R", "u+w", place], check=True)
            shutil.rmtree(place)
        self.install("--locked")
        self.assertEqual(self.value(), "one")
        # And once it is here, without the repository.
        shutil.rmtree(repo)
        shutil.rmtree(self.app / ".venv")
        self.dae("--offline", "install", cwd=self.app)
        self.assertEqual(self.value(), "one")

    def test_a_folder_and_an_editable_one(self):
        self.write_project(self.app / "libs/plain", "plain", 1)
        self.write_project(self.app / "libs/live", "live", 1)
        self.requirements("./libs/plain", "-e ./libs/live")
        self.install()
        self.assertIn("nothing to do", self.install().err)
        for name in ("plain", "live"):
            (self.app / f"libs/{name}/{name}.py").write_text("VALUE = 2\n")
        self.assertEqual(self.value("plain"), "1")
        self.assertEqual(self.value("live"), "2", "an editable one shows its changes at once")
        self.install()
        self.assertEqual(self.value("plain"), "2")
        self.commit(self.app)
        refused = self.dae("build", cwd=self.app, code=1)
        self.assertRegex(refused.err, r"`(plain|live)` is a folder of this machine")

    def test_an_archive_is_checked_against_its_digest(self):
        folder = self.dir / "served"
        self.write_project(self.dir / "tree/x-main/py", "x", "archived")
        folder.mkdir()
        with zipfile.ZipFile(folder / "main.zip", "w") as archive:
            for path in sorted((self.dir / "tree").rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(self.dir / "tree"))

        class Quiet(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=folder)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}/main.zip"
        self.dependencies(f"x @ {url}#sha256={'0' * 64}&subdirectory=py")
        wrong = self.install(code=7)
        self.assertIn("its digest is not the one that was stated", wrong.err)
        self.dependencies(f"x @ {url}#subdirectory=py")
        self.install()
        self.assertEqual(self.value(), "archived")
        self.assertIn("nothing to do", self.install().err)

    def test_mistakes_are_named(self):
        repo, _ = self.repository()
        for line, code, words in [
                (f"git+file://{repo}@nowhere#egg=x", 1, ["no branch, tag or commit `nowhere`", "it has main"]),
                (f"git+file://{repo}#egg=y", 2, ["the project there is `x`, not `y`"]),
                (f"git+file://{self.dir}/gone#egg=x", 1, ["cannot be read"]),
                ("-e git@host.invalid:a/b.git#egg=x", 2, ["git+ssh://git@host.invalid/a/b.git"]),
                ("git+http://u:s3cret@127.0.0.1:1/x.git#egg=x", 1, ["http://127.0.0.1:1/x.git"]),
        ]:
            with self.subTest(line):
                self.requirements(line)
                failed = self.install(code=code)
                for word in words:
                    self.assertIn(word, failed.err)
                self.assertNotIn("s3cret", failed.err)
                self.assertFalse((self.app / "pylock.toml").exists())
        self.requirements("git+https://host.invalid/x.git#egg=x")
        offline = self.dae("--offline", "install", cwd=self.app, code=1)
        self.assertIn("--offline", offline.err)

    def test_mercurial(self):
        hg = os.environ.get("DAE_TEST_HG") or shutil.which("hg")
        if not hg:
            self.skipTest("no hg here: `pip install mercurial` and DAE_TEST_HG=<its hg>")
        self.env["PATH"] = os.path.dirname(hg) + os.pathsep + self.env["PATH"]
        repo = self.dir / "hg"
        self.write_project(repo, "x", "mercurial")

        def run(*args):
            return subprocess.run([hg, "--config", "ui.username=t", *args], cwd=repo, env=self.env, check=True, capture_output=True, text=True).stdout

        run("init", ".")
        run("commit", "-A", "-m", "one")
        run("tag", "v1")
        node = run("log", "-r", "0", "--template", "{node}").strip()
        self.requirements(f"-e hg+file://{repo}@v1#egg=x")
        self.install()
        self.assertEqual(self.value(), "mercurial")
        self.assertTrue(re.search(node, self.lock()))
        self.assertIn("nothing to do", self.install().err)


if __name__ == "__main__":
    unittest.main()
