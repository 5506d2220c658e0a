"""A mirror whose disk is full: what it keeps is served as before, who wants to write is told why not, and goes on when there is room."""
import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "support"))
from cared_mirror import PROJECTS, Care, fetch  # noqa: E402
from harness import sample_index  # noqa: E402
from uploading import upload  # noqa: E402


class FullDisk(Care):
    """The storage is a small file system of its own."""

    def setUp(self):
        super().setUp()
        self.disk = self.dir / "disk"
        self.disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", self.disk], capture_output=True).returncode != 0:
            self.skipTest("cannot mount here")
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.disk])
        self.folder, self.storage = self.disk, self.disk / "storage"
        self.config = self.disk / "mirror.yaml"
        self.write_config()
        self.run_mirror("sync")
        self.serve()
        self.kept = {name: url for project in PROJECTS for name, url in self.files_of("pypi", project).items()}
        self.assertEqual(len(self.kept), len(PROJECTS))

    def fill(self):
        with open(self.disk / "filler", "ab", buffering=0) as file:
            size = 1 << 20
            while size:
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError:
                    pass
                size //= 2

    def make_room(self):
        (self.disk / "filler").unlink()

    def assert_served_as_before(self):
        self.assertEqual(self.listed("pypi"), PROJECTS)
        for name, url in self.kept.items():
            self.assertEqual(fetch(url), (200, self.upstream.answers[f"/files/{name}"][0]), name)

    def refused(self, *words):
        done = self.run_mirror(*words, code=None)
        self.assertNotEqual(done.code, 0, done)
        self.assertRegex(done.err.lower(), "no space left|disk is full|full", done)
        self.assert_served_as_before()

    def test_snapshot_and_promote(self):
        for number in range(12):  # more than what the room of the log's last page could take
            self.upstream.wheel("part-00", f"3.{number}")
        self.fill()
        for words in (("snapshot", "pypi", "--name", "frozen", "--note", "n" * 20_000), ("promote", "pypi", "release")):
            self.refused(*words)
        self.assertEqual(self.told("snapshots"), [])
        self.assertEqual(self.listed("release"), [])
        self.make_room()
        self.run_mirror("snapshot", "pypi", "--name", "frozen")
        self.run_mirror("promote", "frozen", "release")
        self.eventually(lambda: self.listed("release") == PROJECTS, "not promoted")

    def test_gc_and_verify_make_room_or_say_why_not(self):
        self.upstream.wheel("part-00", "2.0")
        self.upstream.remove("part-00", self.wheel_of("part-00"))
        self.run_mirror("sync")
        self.kept = {name: url for project in PROJECTS for name, url in self.files_of("pypi", project).items()}
        self.corrupt(self.digest_of("part-09"))
        del self.kept[self.wheel_of("part-09")]
        self.fill()
        for words in (("gc", "--grace", "0s"), ("verify", "--repair")):
            done = self.run_mirror(*words, code=None)
            if done.code not in (0, 1):
                self.assertRegex(done.err.lower(), "no space left|disk is full|full", done)
            self.assert_served_as_before()
        self.make_room()
        self.run_mirror("gc", "--grace", "0s")
        self.run_mirror("verify", "--repair")
        self.assertFalse(self.blob(self.digest_of("part-00")).exists())
        self.assertEqual(self.told("verify")["damages"], [])

    def test_uploads(self):
        token = self.run_mirror("token", "create", "--index", "team").out.strip()
        file, data = sample_index.make_sdist("demo-thing", "1.0", [])
        self.fill()
        self.assertIn(upload(self.mirror.url + "/team/", token, file, data), (500, 507))
        self.assertEqual(self.listed("team"), [])
        self.assert_served_as_before()
        self.assertEqual(list((self.storage / "spool").iterdir()), [])
        self.make_room()
        self.assertEqual(upload(self.mirror.url + "/team/", token, file, data), 200)
        self.assertEqual(list(self.files_of("team", "demo-thing")), [file])

    def test_sync_keeps_the_pages_that_it_had(self):
        self.upstream.file("part-01", "5.0", "part_01-5.0.tar.gz", os.urandom(5 << 20))
        self.fill()
        done = self.run_mirror("sync", code=None)
        self.assertNotEqual(done.code, 0, done)
        self.assert_served_as_before()
        self.assertEqual(list(self.files_of("pypi", "part-01")), [self.wheel_of("part-01")])
        self.make_room()
        self.run_mirror("sync")
        self.eventually(lambda: len(self.files_of("pypi", "part-01")) == 2, "not synced")


if __name__ == "__main__":
    unittest.main()
