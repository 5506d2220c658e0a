"""dae install --verify and --repair, dae doctor, and which Python an app gets: something is broken for real, the finding names
it, and following the printed hint mends it."""
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "support"))
from harness import DAE, DaeTest, tree  # noqa: E402


class Environment(DaeTest):
    def setUp(self):
        super().setUp()
        # The shims of version managers answer by the folder they are in.
        self.env.pop("PYENV_VERSION", None)
        self.env.pop("VIRTUAL_ENV", None)
        self.env.pop("PYTHONPATH", None)
        self.app = self.create_app()
        self.venv = self.app / ".venv"
        self.site = next((self.venv / "lib").glob("python3*/site-packages"))

    def doctor(self, *args, code=None, env=None, cwd=None):
        done = self.dae("doctor", "--json", *args, cwd=cwd or self.app, code=code, env=env)
        checks = json.loads(done.out)["checks"]
        return {check["name"]: check for check in sorted(checks, key=lambda c: c["state"] == "problem")}

    def problem(self, name, *args, **options):
        check = self.doctor(*args, code=1, **options)[name]
        self.assertEqual(check["state"], "problem", check)
        self.assertTrue(check["hint"], check)
        return check

    def assert_well(self, **options):
        bad = {name: check for name, check in self.doctor("--deep", **options).items() if check["state"] == "problem"}
        self.assertEqual(bad, {})

    def findings(self):
        done = self.dae("install", "--verify", "--json", cwd=self.app, code=None)
        found = json.loads(done.out)["findings"]
        self.assertEqual(done.code, 7 if found else 0)
        return [(f["kind"], f["distribution"], f["path"]) for f in found]

    def edit(self, path, text="# edited\n"):
        path.chmod(0o644)
        with open(path, "a") as file:
            file.write(text)

    def inside(self, name):
        return (self.site / name).relative_to(self.venv).as_posix()

    def by_hand(self, name, version="2.0"):
        """A distribution as `pip install` would have put it there."""
        info = f"{name}-{version}.dist-info"
        files = {f"{name}/__init__.py": "", f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n",
                 f"../../../bin/{name}": "#!/bin/sh\n"}
        for path, text in files.items():
            (self.site / path).parent.mkdir(exist_ok=True)
            (self.site / path).write_text(text)
        (self.site / info / "RECORD").write_text("".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]))

    def allow_python(self, specifiers):
        text = (self.app / "app.yaml").read_text()
        lines = [line for line in text.splitlines() if not line.startswith("python:")]
        (self.app / "app.yaml").write_text("\n".join([*lines, f'python: "{specifiers}"', ""]))

    # -- verify and repair

    def standing(self):
        return {name: data for name, data in tree(self.venv).items() if name != ".dae-lock" and not name.endswith(".pyc")}

    def test_only_exact_removes_what_dae_did_not_install(self):
        before = self.standing()
        self.by_hand("extra")
        (self.site / "lost-1.0.dist-info").mkdir()
        (self.site / "lost-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: lost\nVersion: 1.0\n\n")
        changed = self.standing()
        self.dae("install", cwd=self.app)
        self.assertEqual(self.standing(), changed)
        dry = self.dae("install", "--exact", "--dry-run", "--json", cwd=self.app)
        self.assertEqual(dry.json()["removed"], [{"name": "extra", "version": "2.0", "foreign": True}])
        self.assertIn("- extra 2.0", dry.err)
        self.assertIn("stays in the environment: lost 1.0: it has no RECORD", dry.err)
        self.assertEqual(self.standing(), changed)
        done = self.dae("install", "--exact", cwd=self.app)
        self.assertIn("- extra 2.0", done.err)
        shutil.rmtree(self.site / "lost-1.0.dist-info")
        self.assertEqual(self.standing(), before)
        self.assertIn("nothing to do", self.dae("install", "--exact", cwd=self.app).err)
        self.assertEqual(self.dae("install", "--exact", "--verify", cwd=self.app, code=2).code, 2)

    def test_exact_undoes_pip_install(self):
        probe = [sys.executable, "-m", "pip", "--python", str(self.venv / "bin/python")]
        if subprocess.run([*probe, "--version"], env=self.env, capture_output=True).returncode != 0:
            self.skipTest("no pip here that installs elsewhere")
        before = self.standing()
        wheels = sorted(path for path in (self.index.root / "files").rglob("*.whl") if path.name.startswith("click-"))
        names = {path.name for path in self.site.glob("click-*.dist-info")}
        other = next(path for path in wheels if f"{'-'.join(path.name.split('-')[:2])}.dist-info" not in names)
        subprocess.run([*probe, "install", "--no-index", "--no-deps", "--quiet", str(other)], env=self.env, check=True)
        self.assertNotEqual({path.name for path in self.site.glob("click-*.dist-info")}, names)
        self.dae("install", "--exact", cwd=self.app)
        self.assertEqual(self.standing(), before)
        self.assertEqual(self.findings(), [])

    def test_a_sound_environment_is_sound_and_nothing_is_written(self):
        before = tree(self.venv)
        done = self.dae("install", "--verify", cwd=self.app)
        self.assertIn("all as installed", done.err)
        self.assertEqual(done.out, "")
        self.assert_well()
        self.assertEqual(tree(self.venv), before)

    def test_an_edited_file_is_named_and_mended_with_its_store(self):
        self.edit(self.site / "flask/__init__.py")
        self.assertEqual(self.findings(), [("changed", "flask", self.inside("flask/__init__.py"))])
        done = self.dae("install", "--verify", cwd=self.app, code=7)
        self.assertEqual(len(done.out.splitlines()), 1)
        self.assertIn("hint: `dae install --repair`", done.err)
        self.assertIn("--repair", self.problem("files", "--deep")["hint"])
        self.dae("install", "--repair", cwd=self.app)
        self.assertEqual(self.findings(), [])
        # Another environment gets the mended file, not the edited one.
        shutil.rmtree(self.venv)
        self.dae("install", cwd=self.app)
        self.assertEqual(self.findings(), [])

    def test_missing_and_foreign_files_scripts_and_records(self):
        (self.site / "click").chmod(0o755)
        next((self.site / "click").iterdir()).unlink()
        (self.site / "mine.py").write_text("")
        (self.venv / "bin/gunicorn").chmod(0o644)
        record = next(self.site.glob("werkzeug-*.dist-info")) / "RECORD"
        record.parent.chmod(0o755)
        record.unlink()
        self.assertEqual({(kind, name) for kind, name, _ in self.findings()} - {("unlisted", "")},
                         {("missing", "click"), ("not-executable", "gunicorn"), ("bad-record", "werkzeug")})
        self.dae("install", "--repair", cwd=self.app)
        self.assertEqual(self.findings(), [("unlisted", "", self.inside("mine.py"))])
        (self.site / "mine.py").unlink()
        self.assertEqual(self.findings(), [])
        self.assertTrue((self.venv / "bin/gunicorn").stat().st_mode & stat.S_IXUSR)

    def test_what_pip_would_install_is_told_apart(self):
        info = self.site / "alien-1.0.dist-info"
        info.mkdir()
        (self.site / "alien.py").write_text("A = 1\n")
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: alien\nVersion: 1.0\nRequires-Dist: flask>=99\n")
        (info / "RECORD").write_text("alien.py,sha256=AAAA,6\n")
        done = self.dae("install", "--verify", cwd=self.app, code=7)
        self.assertIn("of distributions that dae did not install:\nchanged", done.out)
        self.assertIn("alien 1.0", self.doctor()["foreign"]["details"])
        self.assertIn("alien 1.0 needs flask>=99: 3.1.2 is installed", self.problem("dependencies")["details"])

    def test_repair_without_network_leaves_what_it_cannot_mend_as_it_is(self):
        self.edit(self.site / "flask/__init__.py")
        shutil.rmtree(self.dir / "cache/blobs")
        before = tree(self.venv)
        self.dae("install", "--repair", "--offline", cwd=self.app, code=None)
        self.assertEqual(tree(self.venv), before)
        self.dae("install", "--repair", cwd=self.app)
        self.assertEqual(self.findings(), [])

    def test_options_that_contradict_each_other(self):
        self.dae("install", "--verify", "--repair", cwd=self.app, code=2)
        self.dae("install", "--verify", "flask", cwd=self.app, code=2)
        self.dae("install", "--repair", "--no-sync", cwd=self.app, code=2)

    # -- doctor

    def test_doctor_without_an_app_looks_at_the_machine(self):
        checks = self.doctor(cwd=self.work, code=0)
        self.assertEqual(checks["app.yaml"]["state"], "note")
        self.assertIn("cache", checks)
        self.assertNotIn("environment", checks)

    def test_no_environment_yet(self):
        shutil.rmtree(self.venv)
        self.assertIn("dae install", self.problem("environment")["hint"])
        self.dae("install", cwd=self.app)
        self.assert_well()

    def test_an_environment_that_was_moved(self):
        moved = self.work / "elsewhere"
        self.app.rename(moved)
        self.app = moved
        self.assertIn(str(self.venv), self.problem("place")["text"])
        self.dae("install", cwd=moved)
        self.venv = moved / ".venv"
        self.assert_well()

    def test_an_interpreter_that_is_gone(self):
        (self.venv / "bin/python").unlink()
        (self.venv / "bin/python").symlink_to("/gone/python3")
        self.assertIn("/gone/python3", self.problem("interpreter")["text"])
        self.dae("install", cwd=self.app)
        self.assert_well()

    def test_an_interpreter_that_is_another_one_now(self):
        state = json.loads((self.venv / "dae-env.json").read_text())
        state["python"]["version"] = "3.8.1"
        (self.venv / "dae-env.json").write_text(json.dumps(state))
        self.assertIn("3.8.1", self.problem("interpreter")["text"])
        self.dae("install", cwd=self.app)
        self.assert_well()

    def test_a_state_file_that_cannot_be_read(self):
        (self.venv / "dae-env.json").write_text("{")
        self.assertIn(f"remove `{self.venv}`", self.problem("environment")["hint"])
        shutil.rmtree(self.venv)
        self.dae("install", cwd=self.app)
        self.assert_well()

    def test_an_installation_that_was_cut_off(self):
        state = json.loads((self.venv / "dae-env.json").read_text())
        state["applying"] = [state["packages"].pop()]
        (self.venv / "dae-env.json").write_text(json.dumps(state))
        name = state["applying"][0]["name"]
        self.assertIn(name, " ".join(self.problem("installation")["details"]))
        self.dae("install", cwd=self.app)
        self.assert_well()

    def test_a_lock_that_moved_on(self):
        text = (self.app / "pyproject.toml").read_text()
        (self.app / "pyproject.toml").write_text(text.replace('"flask', '"click<8.2", "flask', 1))
        self.assertIn("does not answer", self.problem("lock")["text"])
        self.dae("lock", "--upgrade-package", "click", cwd=self.app)
        self.assertIn("click 8.2.0 instead of 8.1.8", self.problem("lock")["details"])
        self.dae("install", cwd=self.app)
        self.assert_well()
        (self.app / "pylock.toml").unlink()
        self.problem("lock")
        self.dae("install", cwd=self.app)
        self.assert_well()

    def test_a_package_that_vanished(self):
        info = next(self.site.glob("click-*.dist-info"))
        for folder in (info, self.site / "click"):
            folder.chmod(0o755)
            shutil.rmtree(folder)
        self.assertIn("flask 3.1.2 needs click>=8.1: not installed", self.problem("dependencies")["details"])
        self.assertIn("--repair", self.problem("files")["hint"])
        self.dae("install", "--repair", cwd=self.app)
        self.assert_well()

    def test_a_second_dist_info_of_one_name(self):
        info = self.site / "click-7.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: click\nVersion: 7.0\n")
        self.assertIn("remove `click-7.0.dist-info`", self.problem("duplicates")["hint"])
        shutil.rmtree(info)
        self.assert_well()

    def test_the_project_and_the_app_are_read(self):
        good = (self.app / "app.yaml").read_text()
        (self.app / "app.yaml").write_text(good + "nonsense: 1\n")
        self.assertIn("nonsense", self.problem("app.yaml")["text"])
        (self.app / "app.yaml").write_text(good)
        self.allow_python(">=3.99")
        self.assertIn("3.99", self.problem("python")["text"])
        (self.app / "app.yaml").write_text(good)
        text = (self.app / "pyproject.toml").read_text()
        (self.app / "pyproject.toml").write_text(text + "[broken")
        self.problem("project")
        (self.app / "pyproject.toml").write_text(text)
        self.assert_well()

    def test_the_shell_and_the_path(self):
        self.assertIn("deactivate", self.problem("shell", env={"VIRTUAL_ENV": str(self.work)})["hint"])
        self.assertEqual(self.doctor(env={"VIRTUAL_ENV": str(self.venv)})["shell"]["state"], "ok")
        self.assertIn("PYTHONHOME", self.problem("shell", env={"PYTHONHOME": "/nowhere"})["text"])
        self.assertEqual(self.doctor(env={"PYTHONPATH": "/nowhere"})["shell"]["state"], "note")
        fake = self.dir / "bin"
        fake.mkdir()
        (fake / "dae").write_text("#!/bin/sh\n")
        (fake / "dae").chmod(0o755)
        path = f"{fake}:{self.env['PATH']}"
        self.assertIn(str(fake), self.problem("dae", env={"PATH": path})["text"])
        own = {"PATH": f"{pathlib.Path(DAE).resolve().parent}:{path}"}
        self.assertEqual(self.doctor(env=own)["dae"]["state"], "ok")

    def test_the_cache_and_the_index(self):
        self.assertEqual(self.doctor(env={"DAE_CACHE_MAX": "1000"})["cache"]["state"], "note")
        self.assertEqual(self.doctor("--online", code=0)["index"]["state"], "ok")
        self.problem("index", "--online", env={"DAE_INDEX": "http://127.0.0.1:9/simple/"})
        self.assertNotIn("index", self.doctor(code=0))

    def test_doctor_changes_nothing(self):
        self.edit(self.site / "flask/__init__.py")
        (self.venv / "bin/python").unlink()
        before = tree(self.app)
        self.doctor("--deep", code=1)
        self.assertEqual(tree(self.app), before)

    # -- which Python

    def test_python_version_files_have_a_say(self):
        (self.app / ".python-version").write_text("pypy3.10\n")
        done = self.dae("install", cwd=self.app, code=2)
        self.assertIn(".python-version:1", done.err)
        (self.app / ".python-version").write_text("3.99\n")
        self.assertIn("it is not 3.99", self.dae("install", cwd=self.app, code=None).err)
        (self.app / ".python-version").write_text("3.5\n")
        self.allow_python(">=3.9")
        err = self.dae("install", cwd=self.app, code=None).err
        self.assertIn(".python-version", err)
        self.assertIn("app.yaml allows `>=3.9` only", err)
        own = subprocess.check_output([self.venv / "bin/python", "-c", "import platform; print(platform.python_version())"],
                                      text=True).strip()
        (self.app / ".python-version").write_text(f"# ours\n3.5\n{own}\n")
        self.dae("install", cwd=self.app)
        self.assert_well()
        self.dae("install", cwd=self.app, env={"DAE_PYTHON": str(self.venv)})
        self.assertIn("DAE_PYTHON", self.dae("install", cwd=self.app, env={"DAE_PYTHON": "/nowhere/python"}, code=None).err)

    def test_an_environment_stands_for_its_base(self):
        real = os.readlink(self.venv / "bin/python")
        other = self.create_app("other", install=False)
        self.dae("install", "--python", self.venv / "bin/python", cwd=other)
        self.assertEqual(os.readlink(other / ".venv/bin/python"), real)


if __name__ == "__main__":
    unittest.main()
