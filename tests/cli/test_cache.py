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

    def test_prune_takes_leftovers_and_what_nobody_is_linked_to(self):
        self.put("index/pages-v1/ab/abc", 100)
        unused = self.put("unpacked/" + "a" * 64 + "-cpython-311/tree", 1000)
        used = self.put("unpacked/" + "b" * 64 + "-cpython-311/tree", 1000)
        young = self.put("unpacked/" + "c" * 64 + "-cpython-311/tree", 1000, hours=0)
        os.link(used, self.dir / "linked")
        blob = self.put("blobs/sha256/aa/" + "a" * 64, 500)
        self.assertEqual(self.parts()[0]["prune_would_free"], 1100)
        self.assertIn("would free", self.dae("cache", "prune", "--dry-run").err)
        self.assertTrue(unused.exists())
        self.dae("cache", "prune")
        self.assertFalse((self.cache / "index/pages-v1").exists())
        self.assertFalse(unused.exists())
        self.assertTrue(used.exists() and young.exists() and blob.exists())

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
