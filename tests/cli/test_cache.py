"""dae cache: what is kept, and how it goes."""
import json
import os
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "support"))
from harness import DaeTest  # noqa: E402


class Cache(DaeTest):
    def setUp(self):
        super().setUp()
        self.cache = self.dir / "cache of this test"
        self.env["DAE_CACHE_DIR"] = str(self.cache)

    def put(self, name, size, hours=2):
        path = self.cache / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        then = path.stat().st_mtime - hours * 3600
        for one in (path, path.parent):
            os.utime(one, (then, then))
        return path

    def parts(self):
        info = json.loads(self.dae("cache", "info", "--json").out)
        return info, {part["name"]: part for part in info["parts"]}

    def test_info_of_an_empty_cache(self):
        info, parts = self.parts()
        self.assertEqual(info["bytes"], 0)
        self.assertEqual(info["limit_bytes"], 2 << 30)
        self.assertIn("index pages", parts)
        self.assertIn("would free", self.dae("cache", "info").out)

    def entry(self, letter, hours=2):
        """An unpacked wheel of 1000 bytes."""
        folder = "unpacked/" + letter * 64 + "-cpython-311"
        self.put(folder + "/site/x", 1000, hours)
        manifest = self.put(folder + "/manifest", 0, 0)
        manifest.write_text(f"dae-wheel 2\ndist-info\t{letter}-1.dist-info\nbytes\t1000\nend\n")
        then = manifest.stat().st_mtime - hours * 3600
        os.utime(manifest, (then, then))
        return self.cache / folder

    def environment(self, name, link_mode, letter):
        """That is made of one unpacked wheel, and registered in the store."""
        env = self.dir / name
        env.mkdir()
        package = {"name": letter, "version": "1", "digest": letter * 64, "dist_info": letter + "-1.dist-info"}
        python = {"executable": "/python", "version": "3.11.7", "cache_tag": "cpython-311"}
        (env / "dae-env.json").write_text(json.dumps(
            {"format": 1, "prefix": str(env), "python": python, "ready": True, "made_here": True,
             "link_mode": link_mode, "packages": [package]}))
        root = self.cache / "unpacked/roots" / name
        root.parent.mkdir(parents=True, exist_ok=True)
        root.write_text(str(env))
        return env

    def test_prune_takes_leftovers_and_what_no_environment_needs(self):
        self.put("index/pages-v1/ab/abc", 100)
        other_version = self.put("unpacked/" + "f" * 64 + "-cpython-311/tree", 10)
        unused, used, linked, young = self.entry("a"), self.entry("b"), self.entry("c"), self.entry("d", hours=0)
        self.environment("env", "hardlink", "b")
        self.environment("links", "symlink", "c")
        blob = self.put("blobs/sha256/aa/" + "a" * 64, 500)
        info, parts = self.parts()
        self.assertEqual(info["prune_would_free"], 1110)
        self.assertEqual(parts["unpacked wheels"], {"name": "unpacked wheels", "entries": 4, "bytes": 4000})
        self.assertEqual(parts["leftovers"]["bytes"], 110)
        self.assertIn("would free", self.dae("cache", "prune", "--dry-run").err)
        self.assertTrue(unused.exists())
        self.dae("cache", "prune")
        self.assertFalse((self.cache / "index/pages-v1").exists())
        self.assertFalse(unused.exists() or other_version.exists())
        self.assertTrue(used.exists() and linked.exists() and young.exists() and blob.exists())
        self.env["DAE_CACHE_MAX"] = "10"
        self.dae("cache", "prune")
        self.assertFalse(used.exists() or blob.exists())
        self.assertTrue(linked.exists() and young.exists())

    def test_clean_keeps_what_environments_are_linked_into(self):
        free, linked = self.entry("a"), self.entry("c")
        env = self.environment("links", "symlink", "c")
        said = self.dae("cache", "clean").err
        self.assertIn("kept 1 unpacked wheels", said)
        self.assertIn(str(env), said)
        self.assertFalse(free.exists())
        self.assertTrue(linked.exists())
        out = json.loads(self.dae("cache", "clean", "--json").out)
        self.assertEqual(out["kept"], [{"path": str(linked), "bytes": 1000, "environments": [str(env)]}])
        self.dae("cache", "clean", "--force")
        self.assertFalse(linked.exists())

    def test_clean_forgets_environments_that_are_gone(self):
        linked = self.entry("c")
        env = self.environment("links", "symlink", "c")
        (env / "dae-env.json").unlink()
        self.dae("cache", "clean")
        self.assertFalse(linked.exists())
        self.assertEqual(os.listdir(self.cache / "unpacked/roots"), [])

    def test_prune_takes_the_oldest_beyond_the_limit(self):
        old = self.put("blobs/sha256/aa/" + "a" * 64, 600, hours=50)
        newer = self.put("blobs/sha256/bb/" + "b" * 64, 600, hours=5)
        self.env["DAE_CACHE_MAX"] = "1000"
        self.dae("cache", "prune")
        self.assertFalse(old.exists())
        self.assertTrue(newer.exists())
        self.env["DAE_CACHE_MAX"] = "much"
        self.assertIn("DAE_CACHE_MAX", self.dae("cache", "info", code=2).err)

    def test_clean_takes_everything(self):
        self.put("blobs/sha256/aa/" + "a" * 64, 600)
        self.put("pip-index.json", 10)
        out = json.loads(self.dae("cache", "clean", "--json").out)
        self.assertEqual(out["bytes"], 610)
        self.assertEqual(self.parts()[0]["bytes"], 0)
        self.assertIn("nothing", self.dae("cache", "clean", "flask").err)
        self.dae("cache", "clean", "not a name", code=2)


if __name__ == "__main__":
    unittest.main()
