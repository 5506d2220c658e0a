"""create, check, install, run, test: an app from nothing to an environment."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import DAE, DaeTest, get, tree, wait_for  # noqa: E402


class Create(DaeTest):
    def test_makes_an_app_that_checks_out(self):
        result = self.dae("create", "bubbler")
        self.assertIn("created bubbler", result.err)
        app = self.work / "bubbler"
        for name in ("app.yaml", "pyproject.toml", "app.py", "tests/test_app.py", ".gitignore"):
            self.assertTrue((app / name).exists(), name)
        self.assertIn("name: bubbler", (app / "app.yaml").read_text())

    def test_refuses_a_bad_name_and_leaves_nothing(self):
        result = self.dae("create", "Bad_Name", code=2)
        self.assertIn("lower case", result.err)
        self.assertEqual(os.listdir(self.work), [])

    def test_refuses_a_folder_that_is_not_empty(self):
        (self.work / "mine").mkdir()
        (self.work / "mine" / "file").write_text("precious")
        self.dae("create", "mine", code=1)
        self.assertEqual(tree(self.work), {"mine/file": b"precious"})

    def test_names_the_templates_when_one_is_unknown(self):
        self.assertIn("known: wsgi", self.dae("create", "x", "--template", "nope", code=2).err)


class Check(DaeTest):
    def bad_yaml(self, text):
        app = self.create_app(install=False)
        (app / "app.yaml").write_text(text)
        return self.dae("check", cwd=app, code=2).err

    def test_an_unknown_key_is_named_with_its_place_and_the_nearest_known_one(self):
        error = self.bad_yaml("name: bubbler\ninstaces:\n  web: {wsgi: 'app:app'}\n")
        self.assertRegex(error, r"app\.yaml:2:1")
        self.assertIn("instances", error)

    def test_a_wrong_type_is_named_with_its_place(self):
        error = self.bad_yaml("name: bubbler\ninstances:\n  web: {wsgi: 'app:app', workers: many}\n")
        self.assertRegex(error, r"app\.yaml:3:\d+")

    def test_broken_yaml_is_named_with_its_place(self):
        self.assertRegex(self.bad_yaml("name: [bubbler\n"), r"app\.yaml:\d+:\d+")

    def test_a_missing_app_says_how_to_make_one(self):
        error = self.dae("check", code=None)
        self.assertNotEqual(error.code, 0)
        self.assertIn("dae create", error.err)

    def test_the_template_is_fine(self):
        app = self.create_app(install=False)
        self.assertIn("dae install", self.dae("check", cwd=app).err)  # a warning: there is no lock yet
        self.dae("install", cwd=app)
        self.assertIn("fine", self.dae("check", cwd=app).err)


class Install(DaeTest):
    def test_pins_installs_and_the_second_run_changes_nothing_in_milliseconds(self):
        app = self.create_app(install=False)
        first = self.dae("install", cwd=app)
        self.assertIn("wrote pylock.toml", first.err)
        imported = self.dae("run", "python", "-c", "import flask, gunicorn; print(flask.__version__)", cwd=app)
        self.assertEqual(imported.out.strip(), "3.1.2")
        before = tree(app)
        times = []
        for _ in range(5):
            started = time.monotonic()
            again = self.dae("install", cwd=app)
            times.append(time.monotonic() - started)
            self.assertIn("nothing to do", again.err)
        self.assertEqual(tree(app), before)
        self.assertLess(min(times), 0.1)

    def test_a_no_op_needs_no_index(self):
        app = self.create_app()
        self.dae("install", cwd=app, env={"DAE_INDEX": "http://127.0.0.1:9/simple/"})
        self.dae("install", "--offline", "--locked", cwd=app)

    def test_adds_a_requirement_touching_only_its_own_line(self):
        app = self.create_app()
        before = (app / "pyproject.toml").read_text().splitlines()
        self.dae("install", "packaging>=20", cwd=app)
        after = (app / "pyproject.toml").read_text().splitlines()
        self.assertEqual([line for line in after if "packaging" not in line], before)
        self.assertTrue(any("packaging>=20" in line for line in after))

    def test_a_contradiction_is_explained_and_nothing_is_changed(self):
        app = self.create_app()
        before = tree(app)
        result = self.dae("install", "flask>=3.1", "werkzeug<2", cwd=app, code=6)
        self.assertIn("no solution", result.err)
        self.assertIn("werkzeug", result.err)
        self.assertIn("nothing was changed", result.err)
        self.assertEqual(tree(app), before)

    def test_an_unknown_package_is_named(self):
        app = self.create_app()
        before = tree(app)
        result = self.dae("install", "no-such-package-here", cwd=app, code=6)
        self.assertIn("no-such-package-here", result.err)
        self.assertEqual(tree(app), before)

    def test_an_unreachable_index_leaves_everything_as_it_was(self):
        app = self.create_app(install=False)
        before = tree(app)
        result = self.dae("install", cwd=app, code=1, env={"DAE_INDEX": "http://127.0.0.1:9/simple/"})
        self.assertIn("127.0.0.1:9", result.err)
        self.assertIn("hint:", result.err)
        self.assertEqual(tree(app), before)

    def test_a_wheel_with_other_bytes_than_its_hash_is_refused(self):
        app = self.create_app(install=False)
        wheel = self.index.root / "files" / "blinker-1.9.0-py3-none-any.whl"
        good = wheel.read_bytes()
        wheel.write_bytes(good[:-40] + b"\0" * 40)
        try:
            result = self.dae("install", cwd=app, code=7)
            self.assertIn("blinker", result.err)
        finally:
            wheel.write_bytes(good)
        self.assertFalse((app / ".venv" / "bin" / "gunicorn").exists())
        self.dae("install", cwd=app)
        self.dae("run", "python", "-c", "import blinker", cwd=app)

    def test_an_sdist_is_built_into_a_wheel(self):
        app = self.create_app()
        self.dae("install", "greeting-source", cwd=app)
        out = self.dae("run", "python", "-c", "import greeting_source; print(greeting_source.__version__)", cwd=app).out
        self.assertEqual(out.strip(), "1.0")
        self.assertIn("nothing to do", self.dae("install", cwd=app).err)

    def test_dry_run_writes_nothing(self):
        app = self.create_app(install=False)
        before = tree(app)
        result = self.dae("install", "--dry-run", cwd=app)
        self.assertIn("dry run", result.err)
        self.assertEqual(tree(app), before)

    def test_locked_refuses_to_change_the_lock(self):
        app = self.create_app()
        text = (app / "pyproject.toml").read_text()
        (app / "pyproject.toml").write_text(text.replace('"flask"', '"flask<3.1"'))
        before = tree(app)
        self.assertIn("--locked", self.dae("install", "--locked", cwd=app, code=1).err)
        self.assertEqual(tree(app), before)

    def test_json_tells_what_was_added(self):
        app = self.create_app(install=False)
        data = self.dae("--json", "install", cwd=app).json()
        self.assertIn({"name": "flask", "version": "3.1.2"}, data["added"])
        self.assertTrue(data["lock_changed"])

    def test_a_removed_requirement_leaves_the_environment(self):
        app = self.create_app()
        text = (app / "pyproject.toml").read_text()
        (app / "pyproject.toml").write_text(text.replace('    "flask",\n', ""))
        self.dae("install", cwd=app)
        result = self.dae("run", "python", "-c", "import flask", cwd=app, code=1)
        self.assertIn("ModuleNotFoundError", result.err)

    def test_killed_in_the_middle_the_next_run_ends_right(self):
        app = self.create_app(install=False)
        for delay in (0.01, 0.03, 0.06, 0.1, 0.2):
            process = subprocess.Popen([DAE, "install"], cwd=app, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.dae("install", cwd=app)
        self.dae("run", "python", "-c", "import flask, gunicorn, werkzeug, click, blinker", cwd=app)
        self.assertIn("nothing to do", self.dae("install", cwd=app).err)

    def test_a_lock_from_the_future_is_refused_with_its_place(self):
        app = self.create_app()
        lock = (app / "pylock.toml").read_text()
        (app / "pylock.toml").write_text(lock.replace('lock-version = "1.0"', 'lock-version = "2.0"'))
        self.assertRegex(self.dae("install", cwd=app, code=2).err, r"pylock\.toml:\d+:\d+")


class InstallFromAnOldIndex(DaeTest):
    """HTML pages only, no announced metadata, no validators."""

    html_only = True

    def test_installs(self):
        app = self.create_app()
        self.dae("run", "python", "-c", "import flask, gunicorn", cwd=app)


class Unreachable(DaeTest):
    """A mirror or control plane that does not answer: named, with a hint, and nothing is half-done."""

    def setUp(self):
        super().setUp()
        self.env.update(DAE_MIRROR="http://127.0.0.1:9", DAE_CONTROL="http://127.0.0.1:9")

    def test_publish_names_the_mirror(self):
        app = self.create_app()
        self.commit(app)
        self.dae("build", cwd=app)
        result = self.dae("publish", cwd=app, code=1)
        self.assertIn("127.0.0.1:9", result.err)
        self.assertIn("hint:", result.err)

    def test_status_names_the_control_plane(self):
        result = self.dae("status", "bubbler", code=1)
        self.assertIn("127.0.0.1:9", result.err)
        self.assertIn("hint:", result.err)


class Build(DaeTest):
    def test_the_same_commit_gives_the_same_digest_and_a_change_another(self):
        app = self.create_app()
        self.commit(app)
        first = self.dae("--json", "build", cwd=app).json()
        again = self.dae("--json", "build", cwd=app).json()
        self.assertEqual(first["digest"], again["digest"])
        self.assertRegex(first["version"], r"^0\.1\.0\+1\.g[0-9a-f]{12}$")
        self.assertFalse(first["dirty"])
        (app / "app.py").write_text((app / "app.py").read_text() + "# more\n")
        dirty = self.dae("--json", "build", cwd=app).json()
        self.assertTrue(dirty["dirty"])
        self.assertNotEqual(dirty["digest"], first["digest"])

    def test_without_a_lock_install_is_named(self):
        app = self.create_app(install=False)
        self.assertIn("dae install", self.dae("build", cwd=app, code=2).err)

    def test_a_lock_behind_its_requirements_is_not_built(self):
        app = self.create_app()
        text = (app / "pyproject.toml").read_text()
        (app / "pyproject.toml").write_text(text.replace('"flask"', '"flask<3.1"'))
        self.assertIn("dae install", self.dae("build", cwd=app, code=2).err)


class RunAndTest(DaeTest):
    def test_run_passes_arguments_and_the_exit_code_on(self):
        app = self.create_app()
        result = self.dae("run", "python", "-c", "import sys; print(sys.prefix); sys.exit(9)", cwd=app, code=9)
        self.assertEqual(result.out.strip(), str(app / ".venv"))

    def test_test_runs_the_apps_tests_and_fails_when_they_fail(self):
        app = self.create_app()
        self.dae("test", cwd=app)
        (app / "app.py").write_text((app / "app.py").read_text().replace("hello from", "goodbye from").replace("bubbler", "nobody"))
        self.dae("test", cwd=app, code=1)

    def test_without_an_environment_install_is_named(self):
        app = self.create_app(install=False)
        self.assertIn("dae install", self.dae("run", "python", cwd=app, code=2).err)


class Serve(DaeTest):
    def serve(self, app, port):
        process = subprocess.Popen([DAE, "serve", "--port", str(port)], cwd=app, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

        def stop():
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)

        self.addCleanup(stop)
        return process

    def free_port(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def answer(self, port):
        try:
            return get(f"http://127.0.0.1:{port}/", timeout=2)
        except OSError:
            return None

    def test_serves_and_starts_anew_when_a_file_changes(self):
        app = self.create_app()
        port = self.free_port()
        self.serve(app, port)
        wait_for(lambda: self.answer(port) == b"hello from bubbler\n", what="the first answer")
        (app / "app.py").write_text((app / "app.py").read_text().replace("hello from", "good day from"))
        wait_for(lambda: self.answer(port) == b"good day from bubbler\n", what="the changed answer")

    def test_a_port_in_use_is_said_before_anything_starts(self):
        app = self.create_app()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            result = self.dae("serve", "--port", taken.getsockname()[1], cwd=app, code=1)
        self.assertIn("in use", result.err)
        self.assertIn("--port", result.err)


class Usage(DaeTest):
    def test_help_lists_every_command_and_exit_codes(self):
        out = self.dae("--help").out
        for word in ("install", "deploy", "rollback", "local", "mirror", "completion", "Exit codes"):
            self.assertIn(word, out)

    def test_an_unknown_option_is_a_usage_error_that_names_the_help(self):
        result = self.dae("install", "--nope", code=2)
        self.assertIn("dae install --help", result.err)

    def test_completion_is_valid_shell(self):
        script = self.dae("completion", "bash").out
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("--upgrade-package", script)

    def test_commands_without_a_control_plane_say_where_one_comes_from(self):
        self.assertIn("dae local up", self.dae("status", "bubbler", code=2).err)

    def test_version(self):
        self.assertRegex(self.dae("--version").out, r"^dae \d+\.\d+\.\d+")


if __name__ == "__main__":
    unittest.main()
