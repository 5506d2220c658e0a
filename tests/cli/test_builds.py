"""What is built from source: with pinned requirements, shut in, killed when it hangs, again when it was interrupted."""
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "support"))
from harness import DAE, DaeTest, SampleIndex, kill9, sample_index, wait_for  # noqa: E402

# A back end as a package of its own. `setup.py` says what is made; the old interface of setuptools is enough for it.
TOOL = r'''
import base64, hashlib, os, runpy, sys, zipfile
VERSION = "@VERSION@"
said = {}
def setup(**kw):
    said.update(kw)
def run():
    sys.path.insert(0, os.getcwd())
    runpy.run_path("setup.py", run_name="__main__")
    return said
def get_requires_for_build_wheel(config_settings=None):
    return run().get("setup_requires", [])
def build_wheel(folder, config_settings=None, metadata_directory=None):
    kw = run()
    name, version = kw["name"], kw["version"]
    info = "%s-%s.dist-info/" % (name, version)
    files = {m + ".py": open(m + ".py").read() for m in kw.get("py_modules", [])}
    files[name + "_made.py"] = "BY = %r\n" % VERSION
    files[info + "WHEEL"] = "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[info + "METADATA"] = "Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version) + "".join(
        "Requires-Dist: %s\n" % r for r in kw.get("install_requires", [])) + "\n"
    rows = "".join("%s,sha256=%s,%d\n" % (k, base64.urlsafe_b64encode(hashlib.sha256(v.encode()).digest()).decode().rstrip("="), len(v.encode()))
                   for k, v in files.items())
    files[info + "RECORD"] = rows + info + "RECORD,,\n"
    wheel = "%s-%s-py3-none-any.whl" % (name, version)
    with zipfile.ZipFile(os.path.join(folder, wheel), "w") as archive:
        for k, v in files.items():
            archive.writestr(zipfile.ZipInfo(k, (2020, 1, 1, 0, 0, 0)), v)
    return wheel
'''
LEGACY = "class Legacy:\n    build_wheel = staticmethod(build_wheel)\n    get_requires_for_build_wheel = staticmethod(get_requires_for_build_wheel)\n__legacy__ = Legacy()\n"


def core(name, version):
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n"


def wheel(name, version, files):
    info = f"{name}-{version}.dist-info"
    files = {**{k: v.encode() for k, v in files.items()}, f"{info}/METADATA": core(name, version).encode(),
             f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    return f"{name}-{version}-py3-none-any.whl", sample_index.pack_wheel(info, files), version, ">=3.8", core(name, version)


def tool(version):
    return wheel("tool", version, {"tool.py": TOOL.replace("@VERSION@", "tool " + version)})


def setuptools(version):
    return wheel("setuptools", version, {"setuptools/__init__.py": "def setup(**kw):\n    from setuptools import build_meta\n    build_meta.setup(**kw)\n",
                                         "setuptools/build_meta.py": TOOL.replace("@VERSION@", "setuptools " + version) + LEGACY})


def sdist(name, version, files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return f"{name}-{version}.tar.gz", out.getvalue(), version, ">=3.8", None


def with_tool(name, setup="", requires='"tool"'):
    return sdist(name, "1.0", {"pyproject.toml": f'[build-system]\nrequires = [{requires}]\nbuild-backend = "tool"\n',
                               "setup.py": f"{setup}\nfrom tool import setup\nsetup(name={name!r}, version='1.0')\n"})


class Builds(DaeTest):
    def setUp(self):
        super().setUp()
        self.projects = {"tool": [tool("1.0")], "setuptools": [setuptools("60.0")]}
        self.own = SampleIndex(self.dir / "index")
        self.addCleanup(self.own.stop)
        self.env["DAE_INDEX"] = self.own.url
        self.env.pop("CI", None)
        self.app = self.create_app(install=False)
        self.serve()

    def serve(self, **more):
        for name, files in more.items():
            self.projects.setdefault(name.replace("_", "-"), []).extend(files if isinstance(files, list) else [files])
        sample_index.write_pages(self.own.root, self.projects)

    def needs(self, *requirements, extra=""):
        listed = "".join(f'    "{r}",\n' for r in requirements)
        (self.app / "pyproject.toml").write_text(f'[project]\nname = "bubbler"\nversion = "0.1"\ndependencies = [\n{listed}]\n{extra}')

    def install(self, *args, **options):
        return self.dae("install", *args, cwd=self.app, **options)

    def lock(self):
        return (self.app / "pylock.toml").read_text()

    def made_by(self, name="a"):
        site = next((self.app / ".venv").glob("lib/python3*/site-packages"))
        return re.search("'(.*)'", (site / f"{name}_made.py").read_text())[1]

    def forget(self, *places):
        """As on another machine."""
        for place in places or (self.app / ".venv", self.dir / "cache"):
            subprocess.run(["chmod", "-R", "u+w", place], check=True)
            shutil.rmtree(place)

    def test_an_old_setup_py_is_built_by_setuptools(self):
        self.serve(a=sdist("a", "1.0", {
            "setup.py": "import os, version\nfrom setuptools import setup\nexec(open('version.py').read())\n"
                        "setup(name='a', version=__version__, py_modules=['a'], install_requires=['tool'])\n",
            "version.py": "__version__ = '1.0'\n", "a.py": "VALUE = 1\n"}))
        self.needs("a")
        self.assertNotIn("not locked", self.install(env={"CI": "true"}).err, "it is locked at once")
        self.assertEqual(self.made_by(), "setuptools 60.0")
        lock = self.lock()
        self.assertIn('requires = ["setuptools>=40.8.0"]', lock)
        self.assertIn('{package = "setuptools==60.0"}', lock)
        self.assertRegex(lock, r'setuptools-60\.0-py3-none-any\.whl", .*size = \d+, hashes = \{sha256 = "[0-9a-f]{64}"\}')
        self.assertIn("nothing to do", self.install().err)

    def test_what_is_locked_is_built_with_the_same_tools_for_ever(self):
        self.serve(a=with_tool("a"))
        self.needs("a")
        self.install()
        locked = self.lock()
        self.serve(tool=tool("2.0"))
        self.forget()
        self.install("--locked")
        self.assertEqual(self.made_by(), "tool 1.0")
        self.dae("lock", cwd=self.app)
        self.assertEqual(self.lock(), locked, "newer tools are no reason to write")
        self.serve(b=with_tool("b"))
        self.needs("a", "b")
        self.install("--refresh")
        self.assertIn('packages = ["a==1.0", "b==1.0"]', self.lock())
        self.assertNotIn("tool==2.0", self.lock())
        self.dae("lock", "--upgrade", cwd=self.app)
        self.assertIn("tool==2.0", self.lock())
        self.install()
        self.assertEqual(self.made_by(), "tool 2.0")

    def test_a_lock_that_does_not_say_it_is_completed_on_request(self):
        self.serve(a=with_tool("a"))
        self.needs("a")
        self.install()
        whole = self.lock()
        (self.app / "pylock.toml").write_text(whole[:whole.index("\n[[tool.dae.builds]]")])
        self.forget()
        told = self.install("--locked")
        self.assertIn("what `a 1.0` is built with is not locked: run `dae lock`", told.err)
        self.forget()
        self.assertNotIn("not locked", self.install().err)
        self.forget(self.app / ".venv", self.dir / "cache")
        self.assertIn("not locked", self.install(env={"CI": "true"}).err)
        self.dae("lock", cwd=self.app)
        self.assertEqual(self.lock(), whole)
        self.dae("lock", "--check", cwd=self.app)

    def test_tools_that_were_tampered_with_are_refused(self):
        self.serve(a=with_tool("a"))
        self.needs("a")
        self.install()
        self.forget()
        file = self.own.root / "files" / "tool-1.0-py3-none-any.whl"
        data = bytearray(file.read_bytes())
        data[40] ^= 1
        file.write_bytes(data)
        refused = self.install("--locked", code=7)
        self.assertIn("tool-1.0-py3-none-any.whl", refused.err)
        self.assertFalse((self.app / ".venv/lib").exists())

    def test_nothing_is_built_where_that_is_forbidden(self):
        self.projects["tool"] = [with_tool("tool", requires='"base"')]
        self.serve(a=with_tool("a"), base=wheel("base", "1.0", {"tool.py": TOOL}))
        self.needs("a", extra='[tool.dae]\nonly-binary = ["tool"]\n')
        failed = self.install(code=None)
        self.assertNotEqual(failed.code, 0)
        self.assertIn("tool", failed.err)
        self.assertFalse((self.app / "pylock.toml").exists())

    def test_circles_are_named(self):
        self.serve(a=with_tool("a", requires='"tool", "b"'), b=with_tool("b", requires='"tool", "a"'))
        self.needs("a")
        failed = self.install(code=None)
        self.assertNotEqual(failed.code, 0)
        self.assertRegex(failed.err, "a 1.0 -> b 1.0 -> a 1.0")

    def test_a_failure_shows_the_end_of_its_log_and_where_it_is(self):
        self.serve(a=with_tool("a", setup="print('first words')\nraise SystemExit('no zlib.h here')"))
        self.needs("a")
        failed = self.install(code=6)
        self.assertIn("no zlib.h here", failed.err)
        log = pathlib.Path(re.search(r"\(log: (\S+)\)", failed.err)[1])
        self.assertRegex(log.name, r"^a-1\.0-[0-9a-f]{12}\.log$")
        self.assertIn("first words", log.read_text())
        self.assertFalse((self.app / "pylock.toml").exists())

    def test_a_build_that_hangs_is_ended(self):
        self.serve(a=with_tool("a", setup="import time\ntime.sleep(1000)"))
        self.needs("a")
        started = time.monotonic()
        failed = self.install(code=6, env={"DAE_BUILD_TIMEOUT": "2"})
        self.assertLess(time.monotonic() - started, 60)
        self.assertIn("it took over 2 s and was ended", failed.err)
        self.assertFalse((self.app / "pylock.toml").exists())
        again = self.install(code=6, env={"DAE_BUILD_TIMEOUT": "1"})
        self.assertIn("it took over 1 s and was ended", again.err, "with another limit it is tried again")

    def test_isolation_can_be_required_and_switched_off(self):
        self.serve(a=with_tool("a", setup="import os\nprint('secret', os.environ.get('DAE_INDEX_X_PASSWORD'))"))
        self.needs("a")
        without = self.dir / "bin"
        without.mkdir()
        for name in ("python3", "git", "sh", "env"):
            if found := shutil.which(name, path=self.env["PATH"]):
                (without / name).symlink_to(os.path.realpath(found))
        self.env["DAE_INDEX_X_PASSWORD"] = "s3cret"
        python = ("--python", sys.executable)
        refused = self.install(*python, code=None, env={"PATH": str(without), "DAE_BUILD_SANDBOX": "require"})
        self.assertNotEqual(refused.code, 0)
        self.assertIn("builds have to be isolated", refused.err)
        told = self.install(*python, env={"PATH": str(without)})
        self.assertEqual(told.err.count("builds are not isolated"), 1, told)
        self.forget()
        (self.dir / "config").mkdir(exist_ok=True)
        (self.dir / "config/config.yaml").write_text("build: {sandbox: 'off', timeout: 5m}\n")
        self.assertNotIn("isolated", self.install(*python, env={"PATH": str(without)}).err)
        log = next((self.dir / "cache/build-logs").glob("a-1.0-*.log")).read_text()
        self.assertIn("secret None", log)
        self.assertIn("(not isolated)", log)
        (self.dir / "config/config.yaml").write_text("build: {sandbox: maybe}\n")
        self.assertIn("config.yaml:1:", self.install(code=2).err)

    def test_offline_builds_with_what_is_here(self):
        self.serve(a=with_tool("a"))
        self.needs("a")
        self.install()
        self.forget(self.app / ".venv", self.dir / "cache/built-wheels", self.dir / "cache/build-envs")
        self.own.stop()
        self.dae("--offline", "install", cwd=self.app)
        self.assertEqual(self.made_by(), "tool 1.0")

    def test_the_next_run_is_right_after_a_kill_at_any_moment(self):
        self.serve(a=with_tool("a", setup="import time\ntime.sleep(0.4)"))
        self.needs("a")
        for delay in (0.05, 0.15, 0.3, 0.5, 0.8, 1.2):
            running = subprocess.Popen([DAE, "install"], cwd=self.app, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            kill9(running.pid)
            running.wait()
        self.install()
        self.assertEqual(self.made_by(), "tool 1.0")
        wait_for(lambda: not self.processes_below(self.dir / "cache"), 10, "the end of all builds")

    def test_a_kill_leaves_the_log_and_the_next_run_tidies_up(self):
        going = 'import os, time\nprint("so far", flush=True)\nwhile os.path.exists("/proc/self"):\n    time.sleep(0.1)\n'
        for sandbox in ("off", "auto"):
            name = f"slow{sandbox}"
            self.serve(**{name: with_tool(name, setup=going), f"quick{sandbox}": with_tool(f"quick{sandbox}")})
            self.needs(name)
            env = {**self.env, "DAE_BUILD_SANDBOX": sandbox}
            running = subprocess.Popen([DAE, "install"], cwd=self.app, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            logs = self.dir / "cache/build-logs"
            log = wait_for(lambda: next(iter(logs.glob(f"{name}-1.0-*.log")), None), 30, "a log")
            wait_for(lambda: "so far" in log.read_text(), 30, "its first line")
            kill9(running.pid)
            running.wait()
            self.assertIn("so far", log.read_text())
            wait_for(lambda: not self.processes_below(self.dir / "cache"), 10, "the end of the build")
            self.assertTrue(self.scratch(), "a killed run could not tidy up")
            self.needs(f"quick{sandbox}")
            self.install(env={"DAE_BUILD_SANDBOX": sandbox})
            self.assertEqual(self.scratch(), [])
            self.assertIn("so far", log.read_text())

    def scratch(self):
        cache = self.dir / "cache"
        return sorted(p.relative_to(cache).as_posix() for folder in (cache, cache / "built-wheels") for p in folder.glob(".*")
                      if p.name not in (".unpack-all.lock", ".building-all.lock"))

    def processes_below(self, folder):
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                    found.append(entry.name)
            except OSError:
                pass
        return found

    def test_two_at_once(self):
        self.serve(a=with_tool("a", setup="import time\ntime.sleep(0.3)"))
        self.needs("a")
        other = self.dir / "other"
        shutil.copytree(self.app, other)
        runs = [subprocess.Popen([DAE, "install"], cwd=place, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                for place in (self.app, other)]
        for run in runs:
            out, _ = run.communicate(timeout=120)
            self.assertEqual(run.returncode, 0, out)
        self.assertEqual(self.made_by(), "tool 1.0")
        self.assertEqual((other / "pylock.toml").read_text(), self.lock())
        self.assertEqual(len(list((self.dir / "cache/built-wheels").rglob("*.whl"))), 1)

    def test_back_ends_of_the_field(self):
        """Their own sdists and a legacy one, from the real index; needs it."""
        self.env.pop("DAE_INDEX")
        self.env["DAE_INDEX"] = "pip"
        self.needs("docopt==0.6.2")
        first = self.install(code=None)
        if first.code != 0 and re.search("cannot connect|unreachable|resolve|timed out|there is no pip", first.err):
            self.skipTest("the index is unreachable")
        self.assertEqual(first.code, 0, first)
        names = ("flit-core==3.9.0", "hatchling==1.25.0", "poetry-core==1.9.0", "docopt==0.6.2", "setuptools==75.6.0", "wheel==0.45.1")
        self.needs(*names, extra='[tool.dae]\nno-binary = ["flit-core", "hatchling", "poetry-core", "setuptools", "wheel"]\n')
        self.install()
        self.assertIn("nothing to do", self.install().err)
        probe = subprocess.run([self.app / ".venv/bin/python", "-c", "import flit_core, hatchling, poetry.core, docopt, setuptools, wheel; print('good')"],
                               capture_output=True, text=True)
        self.assertEqual(probe.stdout, "good\n", probe.stderr)
        self.forget()
        self.install("--locked")


if __name__ == "__main__":
    unittest.main()
