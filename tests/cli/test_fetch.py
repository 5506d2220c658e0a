"""How the wheels of a lock come to a machine and into .venv: what is fetched, what is not, and what a damaged cache does."""
import json
import os
import pathlib
import shutil
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "support"))
from harness import DaeTest  # noqa: E402


class Fetching(DaeTest):
    def setUp(self):
        super().setUp()
        self.env["DAE_BYTECODE"] = "0"
        self.app = self.create_app()
        self.cache = self.dir / "cache"

    def another(self, name="other"):
        """The same app and lock with no environment."""
        other = self.work / name
        shutil.copytree(self.app, other, ignore=shutil.ignore_patterns(".venv"), symlinks=True)
        return other

    def blobs(self):
        return [path for path in (self.cache / "blobs" / "sha256").rglob("*") if path.is_file()]

    def forget_unpacked(self):
        for base, folders, _ in os.walk(self.cache / "unpacked"):
            for folder in folders:
                os.chmod(os.path.join(base, folder), 0o755)
        shutil.rmtree(self.cache / "unpacked")

    def site(self, app):
        return next((app / ".venv" / "lib").glob("python3*")) / "site-packages"

    def names(self, app):
        return sorted(path.relative_to(self.site(app)).as_posix() for path in self.site(app).rglob("*"))

    def test_what_is_unpacked_needs_no_archive(self):
        shutil.rmtree(self.cache / "blobs" / "sha256")
        other = self.another()
        self.dae("--offline", "install", cwd=other)
        self.assertEqual(self.names(other), self.names(self.app))
        self.assertEqual(self.blobs(), [])

    def test_offline_names_all_that_is_missing(self):
        shutil.rmtree(self.cache / "blobs" / "sha256")
        self.forget_unpacked()
        other = self.another()
        result = self.dae("--offline", "install", cwd=other, code=None)
        self.assertNotEqual(result.code, 0)
        for name in ("flask", "werkzeug", "click"):
            self.assertIn(name, result.err.lower(), result)
        self.assertFalse((other / ".venv" / "bin").exists())

    def test_blobs_that_a_power_cut_tore_are_fetched_again(self):
        for how in ("empty", "short", "zeros"):
            for blob in self.blobs():
                data = blob.read_bytes()
                blob.unlink()
                blob.write_bytes({"empty": b"", "short": data[:len(data) // 2], "zeros": bytes(len(data))}[how])
            self.forget_unpacked()
            other = self.another(how)
            result = self.dae("install", cwd=other)
            self.assertEqual(self.names(other), self.names(self.app), how)
            if how == "zeros":  # only unpacking shows it
                self.assertIn("was damaged in the cache; it is fetched again", result.err)

    def test_pip_is_asked_only_for_what_nothing_else_tells(self):
        asked = self.dir / "asked"
        folder = self.dir / "bin"
        folder.mkdir()
        answer = json.dumps({"index_url": self.index.url, "extra": [], "cert": "", "no_index": False, "default": "", "files": []})
        (folder / "python3").write_text(f"#!/bin/sh\necho x >>{asked}\ncat <<'END'\n{answer}\nEND\n")
        (folder / "python3").chmod(0o755)
        self.env.update(PATH=f"{folder}:{self.env['PATH']}", DAE_PYTHON=sys.executable)
        index = self.env.pop("DAE_INDEX")
        for name, option in (("plain", []), ("option", ["--index", index])):
            shutil.rmtree(self.cache / "blobs" / "sha256")
            self.forget_unpacked()
            other = self.another(name)
            self.dae("install", *option, cwd=other)
            self.assertEqual(self.names(other), self.names(self.app))
            self.assertFalse(asked.exists(), "a lock says where its files are")
        self.dae("lock", "--refresh", cwd=self.app, env={"DAE_INDEX": index})
        self.assertFalse(asked.exists(), "the environment names an index")
        for _ in range(2):
            self.dae("lock", "--refresh", cwd=self.app)
            self.assertEqual(asked.read_text(), "x\n", "the answer is remembered")

    def test_links_of_packages(self):
        other = self.another()
        self.dae("install", "--link-mode", "symlink", cwd=other)
        self.assertTrue((self.site(other) / "flask").is_symlink())
        self.assertFalse((self.site(self.app) / "flask").is_symlink())
        copied = self.another("copied")
        self.dae("install", cwd=copied, env={"DAE_LINK_MODE": "copy"})
        self.assertEqual((self.site(copied) / "flask" / "__init__.py").stat().st_nlink, 1)
        self.assertEqual(self.dae("install", cwd=copied, env={"DAE_LINK_MODE": "glue"}, code=2).code, 2)

    def test_the_number_of_downloads_is_a_number(self):
        result = self.dae("install", cwd=self.another(), env={"DAE_CONCURRENT_DOWNLOADS": "many"}, code=2)
        self.assertIn("DAE_CONCURRENT_DOWNLOADS", result.err)
        self.dae("install", cwd=self.another("one"), env={"DAE_CONCURRENT_DOWNLOADS": "1"})


if __name__ == "__main__":
    unittest.main()
