"""dae bundle and dae install --bundle: from an index to a folder or tar, and from there without any network."""
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402
from harness import DaeTest, SampleIndex, tree  # noqa: E402

NOWHERE = "http://127.0.0.1:1/simple/"


class Bundle(DaeTest):
    def setUp(self):
        super().setUp()
        self.app = self.create_app(install=False)
        self.dae("lock", cwd=self.app)

    def bundle(self, *args, code=0, cwd=None):
        return self.dae("bundle", *args, cwd=cwd or self.app, code=code)

    def elsewhere(self):
        """The app on a machine that has never seen a wheel and reaches no index."""
        self.env.update(DAE_CACHE_DIR=str(self.dir / "other-cache"), DAE_INDEX=NOWHERE,
                        http_proxy="http://127.0.0.1:1", https_proxy="http://127.0.0.1:1")
        shutil.rmtree(self.app / ".venv", ignore_errors=True)
        return self.app

    def install(self, path, *args, code=0, **more):
        return self.dae("install", "--bundle", path, *args, cwd=self.app, code=code, **more)

    def versions(self):
        found = subprocess.run([self.app / ".venv/bin/python", "-c",
                                "import importlib.metadata as m; print(*sorted(f'{d.name}=={d.version}' for d in m.distributions()))"],
                               check=True, capture_output=True, text=True).stdout
        return found.split()

    def test_a_folder_and_an_installation_from_it(self):
        out = self.dir / "b"
        result = self.bundle("-o", out)
        self.assertIn("wrote", result.err)
        self.assertEqual((out / "pylock.toml").read_bytes(), (self.app / "pylock.toml").read_bytes())
        for line in (out / "SHA256SUMS").read_text().splitlines():
            digest, name = line.split("  ")
            self.assertEqual(hashlib.sha256((out / name).read_bytes()).hexdigest(), digest)
        listed = {line.split("  ")[1] for line in (out / "SHA256SUMS").read_text().splitlines()} | {"SHA256SUMS"}
        self.assertEqual(listed, set(tree(out)))
        text = "".join(data.decode() for name, data in tree(out).items() if not name.endswith(".whl"))
        self.assertNotIn(str(self.dir), text)
        self.assertNotIn(os.uname().nodename + "\n", text)
        self.elsewhere()
        result = self.install(out)
        self.assertIn("installed 7 packages from the bundle", result.err)
        self.assertIn("flask==3.1.2", self.versions())
        before = tree(self.app)
        self.assertIn("nothing to do", self.install(out).err)
        self.assertEqual(tree(self.app), before)
        self.assertIn("nothing to do", self.dae("install", "--locked", "--offline", cwd=self.app).err)

    def test_archives_and_equal_bytes(self):
        for name in ("b.tar", "b.tar.zst"):
            one, two = self.dir / f"1{name}", self.dir / f"2{name}"
            self.bundle("-o", one)
            self.env["DAE_CACHE_DIR"] = str(self.dir / f"cache-{name}")
            self.bundle("-o", two)
            self.assertEqual(one.read_bytes(), two.read_bytes())
        with tarfile.open(self.dir / "1b.tar") as archive:
            members = archive.getmembers()
        self.assertEqual([m.name for m in members], sorted(m.name for m in members))
        self.assertEqual({(m.mtime, m.uid, m.uname) for m in members}, {(315532800, 0, "")})
        self.elsewhere()
        (self.app / "pylock.toml").unlink()
        result = self.install(self.dir / "1b.tar.zst")
        self.assertIn("took pylock.toml over", result.err)
        self.assertIn("flask==3.1.2", self.versions())
        self.assertEqual(list((self.dir / "other-cache").rglob(".bundle*")), [])
        self.dae("install", "--locked", "--offline", cwd=self.app)

    def test_what_is_there_stays(self):
        out = self.dir / "b"
        out.mkdir()
        (out / "precious").write_text("x")
        self.assertIn("already", self.bundle("-o", out, code=1).err)
        self.assertIn("no bundle", self.bundle("-o", out, "--force", code=1).err)
        self.assertEqual(os.listdir(out), ["precious"])
        (out / "precious").unlink()
        self.bundle("-o", out, "--force")
        self.bundle("-o", out, code=1)
        self.bundle("-o", out, "--force")
        (out / "notes.txt").write_text("mine")
        self.assertIn("no bundle", self.bundle("-o", out, "--force", code=1).err)
        (out / "notes.txt").unlink()
        self.assertEqual(sorted(os.listdir(self.dir)).count("b"), 1)
        self.assertEqual([n for n in os.listdir(self.dir) if n.startswith(".bundle")], [])

    def test_a_dry_run_fetches_and_writes_nothing(self):
        before = tree(self.dir, skip=("cache",))
        result = self.bundle("-n", "-o", self.dir / "b")
        self.assertRegex(result.out, r"flask-3\.1\.2-py3-none-any\.whl +\S+ (B|KiB)")
        self.assertEqual(tree(self.dir, skip=("cache",)), before)
        planned = json.loads(self.bundle("-n", "--json").out)
        self.assertEqual(len(planned["files"]), 7)

    def test_a_tampered_wheel(self):
        out = self.dir / "b"
        self.bundle("-o", out)
        wheel = out / "wheels" / "flask-3.1.2-py3-none-any.whl"
        data = bytearray(wheel.read_bytes())
        data[100] ^= 1
        wheel.write_bytes(data)
        self.elsewhere()
        result = self.install(out, code=7)
        self.assertIn("wheels/flask-3.1.2-py3-none-any.whl", result.err)
        self.assertFalse((self.app / ".venv").exists())
        wheel.write_bytes(data[:-1])
        self.assertIn("bytes, the bundle says", self.install(out, code=7).err)
        wheel.unlink()
        self.assertIn("the bundle has lost `wheels/flask", self.install(out, code=1).err)

    def test_a_manifest_that_lies(self):
        out = self.dir / "b"
        self.bundle("-o", out)
        self.elsewhere()
        good = json.loads((out / "bundle.json").read_text())

        def lie(change, code):
            document = json.loads(json.dumps(good))
            change(document)
            (out / "bundle.json").write_text(json.dumps(document))
            return self.install(out, code=code).err

        flask = next(i for i, f in enumerate(good["files"]) if f["package"] == "flask")
        # A file of other bytes under the name of the lock's: the lock's digest decides.
        evil = out / "wheels" / "flask-3.1.2-py3-none-any.whl"
        evil.write_bytes(evil.read_bytes() + b"x")

        def other(document):
            document["files"][flask].update(sha256=hashlib.sha256(evil.read_bytes()).hexdigest(), size=evil.stat().st_size)
        self.assertIn("has no file of `flask 3.1.2`", lie(other, 1))
        self.assertIn("no file below", lie(lambda d: d["files"][0].update(path="../../x.whl"), 2))
        self.assertIn("no file below", lie(lambda d: d["files"][0].update(path="wheels/../x.whl"), 2))
        self.assertIn("format", lie(lambda d: d.update(format=2), 2))
        self.assertIn("is not the one it was made for", lie(lambda d: d.update(lock_sha256="0" * 64), 7))
        self.assertFalse((self.app / ".venv").exists())

    def test_a_link_in_the_place_of_a_wheel(self):
        out = self.dir / "b"
        self.bundle("-o", out)
        wheel = out / "wheels" / "flask-3.1.2-py3-none-any.whl"
        wheel.rename(self.dir / "elsewhere.whl")
        wheel.symlink_to(self.dir / "elsewhere.whl")
        self.elsewhere()
        self.assertIn("has lost", self.install(out, code=1).err)

    def test_another_lock(self):
        out = self.dir / "b"
        self.bundle("-o", out)
        lock = self.app / "pylock.toml"
        lock.write_text(lock.read_text() + "\n# edited\n")
        self.elsewhere()
        self.assertIn("not the lock that the bundle was made from", self.install(out, code=1).err)
        lock.unlink()
        project = self.app / "pyproject.toml"
        project.write_text(project.read_text().replace('"flask"', '"flask<3.1"'))
        self.assertIn("does not answer `pyproject.toml`", self.install(out, code=1).err)
        self.assertFalse(lock.exists())

    def test_no_bundle_at_all(self):
        self.assertIn("no such bundle", self.install(self.dir / "none", code=1).err)
        self.assertIn("it has no file `bundle.json`", self.install(self.dir, code=1).err)
        (self.dir / "x.tar").write_bytes(b"nothing")
        self.install(self.dir / "x.tar", code=2)
        self.assertIn("nothing else", self.dae("install", "--bundle", "x", "flask", cwd=self.app, code=2).err)

    def hostile(self, *members):
        path = self.dir / "hostile.tar"
        with tarfile.open(path, "w") as archive:
            for name, kind, target in members:
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, target
                data = b"x" if kind == tarfile.REGTYPE else b""
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return path

    def test_hostile_archives(self):
        self.elsewhere()
        outside = self.dir / "outside"
        for member in [("../outside", tarfile.REGTYPE, ""), (str(outside), tarfile.REGTYPE, ""),
                       ("wheels/../../../outside", tarfile.REGTYPE, ""), ("wheels", tarfile.SYMTYPE, str(self.dir)),
                       ("a", tarfile.LNKTYPE, "/etc/passwd"), ("pipe", tarfile.FIFOTYPE, "")]:
            with self.subTest(member=member):
                self.install(self.hostile(member), code=2)
                self.assertFalse(outside.exists())
        self.install(self.hostile(("wheels", tarfile.SYMTYPE, "."), ("wheels/x", tarfile.REGTYPE, "")), code=2)
        self.assertEqual(list((self.dir / "other-cache").rglob(".bundle*")), [])

    def declare(self, *targets):
        text = (self.app / "app.yaml").read_text()
        lines = "".join(f'  - {{python: "{p}", platform: {platform}}}\n' for p, platform in targets)
        (self.app / "app.yaml").write_text(text + "targets:\n" + lines)

    def test_other_platforms(self):
        self.declare(("3.9", "manylinux_2_28_aarch64"), ("3.12", "win_amd64"))
        self.dae("lock", cwd=self.app)
        out = self.dir / "b"
        manifest = lambda: json.loads((out / "bundle.json").read_text())  # noqa: E731
        self.bundle("-o", out, "--all-targets")
        self.assertEqual([t["platform"] for t in manifest()["targets"]], ["manylinux_2_28_aarch64", "win_amd64"])
        self.bundle("-o", out, "--target", "win_amd64", "--force")
        self.assertEqual([t["python"] for t in manifest()["targets"]], ["3.12"])
        self.assertIn("not made for", self.bundle("-o", out, "--target", "3.13/macosx_14_0_arm64", "--force", code=1).err)
        self.elsewhere()
        result = self.install(out, code=1)
        self.assertIn("not made for python 3.1", result.err)
        self.assertIn("the bundle was made for python 3.12 on win_amd64", result.err)

    def source_app(self):
        text = (self.app / "pyproject.toml").read_text()
        (self.app / "pyproject.toml").write_text(re.sub(r"dependencies = \[\n.*?\]", 'dependencies = ["greeting-source"]', text, count=1, flags=re.S))
        self.dae("lock", cwd=self.app)

    def test_an_sdist_is_built_here_and_not_there(self):
        self.source_app()
        out = self.dir / "b"
        result = self.bundle("-o", out)
        self.assertIn("built greeting_source-1.0-py3-none-any.whl here", result.err)
        self.assertTrue((out / "sdists" / "greeting_source-1.0.tar.gz").exists())
        self.elsewhere()
        self.install(out)
        self.assertIn("greeting-source==1.0", [v.replace("_", "-") for v in self.versions()])

    def test_an_sdist_as_it_is(self):
        self.source_app()
        out = self.dir / "b"
        result = self.bundle("-o", out, "--no-build")
        self.assertIn("its sdist is in the bundle, to be built there", result.err)
        self.assertFalse((out / "wheels" / "greeting_source-1.0-py3-none-any.whl").exists())

    def test_an_sdist_is_built_there_with_what_the_lock_pins(self):
        name, data = harness.sample_index.make_sdist("needs-tools", "1.0", [])
        links = self.app / "links"
        links.mkdir()
        with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(links / name, "w:gz") as new:
            for member in old.getmembers():
                content = old.extractfile(member).read().replace(b"requires = []", b'requires = ["packaging==25.0"]')
                member.size = len(content)
                new.addfile(member, io.BytesIO(content))
        project = self.app / "pyproject.toml"
        text = re.sub(r"dependencies = \[\n.*?\]", 'dependencies = ["needs-tools"]', project.read_text(), count=1, flags=re.S)
        project.write_text(text + '\n[tool.dae]\nfind-links = ["links"]\n')
        self.dae("lock", cwd=self.app)
        out = self.dir / "b"
        self.bundle("-o", out, "--no-build")
        tools = [f for f in json.loads((out / "bundle.json").read_text())["files"] if f.get("for_building")]
        self.assertEqual([f["path"] for f in tools], ["wheels/packaging-25.0-py3-none-any.whl"])
        self.assertNotIn("packaging", (out / "requirements.txt").read_text())
        feed = self.dir / "feed.json"
        feed.write_text(json.dumps({"id": "A-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "packaging"}, "versions": ["25.0"]}]}))
        self.assertIn("packaging", self.dae("audit", "--feed", feed, cwd=self.app, code=1).out)
        self.elsewhere()
        self.install(out)
        self.assertEqual([v for v in self.versions() if "needs" in v or "packaging" in v], ["needs-tools==1.0"])

    def test_a_directory_of_the_project(self):
        lib = self.app / "lib"
        lib.mkdir()
        (lib / "backend.py").write_text(harness.sample_index.BACKEND.replace("@NAME@", "lib").replace("@VERSION@", "2.0"))
        (lib / "lib.py").write_text("")
        (lib / "PKG-INFO").write_text("Metadata-Version: 2.2\nName: lib\nVersion: 2.0\n")
        (lib / "pyproject.toml").write_text('[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n\n[project]\nname = "lib"\nversion = "2.0"\n')
        project = self.app / "pyproject.toml"
        project.write_text(re.sub(r"dependencies = \[\n.*?\]", 'dependencies = ["lib"]', project.read_text(), count=1, flags=re.S)
                           + '\n[tool.dae.sources]\nlib = {path = "lib"}\n')
        self.dae("lock", cwd=self.app)
        out = self.dir / "b"
        self.bundle("-o", out)
        self.assertNotIn(str(self.dir), (out / "bundle.json").read_text())
        self.elsewhere()
        self.install(out)
        self.assertIn("lib==2.0", self.versions())
        direct = next((self.app / ".venv").rglob("direct_url.json"))
        self.assertEqual(json.loads(direct.read_text())["url"], (self.app / "lib").as_uri())

    def test_a_wheel_at_an_address(self):
        url = self.index.url.replace("simple/", "files/click-8.1.8-py3-none-any.whl")
        project = self.app / "pyproject.toml"
        project.write_text(re.sub(r"dependencies = \[\n.*?\]", f'dependencies = ["click @ {url}"]', project.read_text(), count=1, flags=re.S))
        self.dae("lock", cwd=self.app)
        out = self.dir / "b"
        self.bundle("-o", out)
        self.assertIn("click==8.1.8 ", (out / "requirements.txt").read_text())
        self.elsewhere()
        self.install(out)
        direct = next((self.app / ".venv").rglob("direct_url.json"))
        self.assertEqual(json.loads(direct.read_text())["url"], url)

    def test_a_damaged_copy_in_the_cache_gets_into_no_bundle(self):
        self.bundle("-o", self.dir / "b")
        digest = hashlib.sha256((self.dir / "b/wheels/flask-3.1.2-py3-none-any.whl").read_bytes()).hexdigest()
        blob = self.dir / "cache/blobs/sha256" / digest[:2] / digest
        data = bytearray(blob.read_bytes())
        data[100] ^= 1
        blob.chmod(0o644)
        blob.write_bytes(data)
        self.assertIn("damaged", self.bundle("-o", self.dir / "c", code=7).err)
        self.assertFalse((self.dir / "c").exists())
        self.bundle("-o", self.dir / "c")

    def test_groups_as_they_were_bundled(self):
        project = self.app / "pyproject.toml"
        text = re.sub(r"dependencies = \[\n.*?\]", 'dependencies = ["click"]', project.read_text(), count=1, flags=re.S)
        project.write_text(text + '\n[dependency-groups]\ndev = ["packaging"]\n')
        self.dae("lock", cwd=self.app)
        out = self.dir / "b"
        self.bundle("-o", out, "--no-dev")
        self.assertEqual(list((out / "wheels").glob("packaging*")), [])
        self.elsewhere()
        self.install(out)
        self.assertNotIn("packaging==25.0", self.versions())
        self.assertNotIn("packaging", (out / "requirements.txt").read_text())

    def test_a_dry_run_of_an_installation(self):
        out = self.dir / "b"
        self.bundle("-o", out)
        self.elsewhere()
        result = self.install(out, "-n", "--json")
        self.assertIn("flask", {p["name"] for p in json.loads(result.out)["added"]})
        self.assertFalse((self.app / ".venv").exists())

    def test_the_index_is_not_asked(self):
        index = SampleIndex(self.dir / "own-index")
        self.env["DAE_INDEX"] = index.url
        self.bundle("-o", self.dir / "b")
        index.stop()
        self.env["DAE_CACHE_DIR"] = str(self.dir / "other-cache")
        self.install(self.dir / "b")
        self.assertIn("flask==3.1.2", self.versions())


class Peers(DaeTest):
    """pip and uv follow the same folder."""

    def test_pip_and_uv_install_from_the_folder(self):
        import peer_tools
        try:
            tools = peer_tools.tools_or_skip()
        except SystemExit:
            self.skipTest("pip and uv cannot be had")
        app = self.create_app(install=False)
        text = (app / "pyproject.toml").read_text()
        (app / "pyproject.toml").write_text(re.sub(r"dependencies = \[\n.*?\]", 'dependencies = ["flask", "greeting-source"]', text, count=1, flags=re.S))
        self.dae("lock", cwd=app)
        out = self.dir / "b"
        self.dae("bundle", "-o", out, "--target", "here", cwd=app)
        for tool in ("pip", "uv"):
            env = self.dir / tool
            subprocess.run([tools / "uv", "venv", "-q", "--python", sys.executable, env], check=True, env=self.env)
            common = ["--no-index", "--find-links", out / "wheels", "--require-hashes", "-r", out / "requirements.txt"]
            command = ([tools / "pip", "--python", env / "bin/python", "install"] if tool == "pip"
                       else [tools / "uv", "pip", "install", "--offline", "--python", env / "bin/python"])
            done = subprocess.run([*command, *common], capture_output=True, text=True, env={**self.env, "UV_CACHE_DIR": str(self.dir / "uvc")})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            names = {p.name.split("-")[0].lower() for p in env.rglob("*.dist-info")}
            self.assertLessEqual({"flask", "werkzeug", "greeting_source", "markupsafe"}, names)


if __name__ == "__main__":
    unittest.main()
