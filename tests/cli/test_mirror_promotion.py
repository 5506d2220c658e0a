"""`dae mirror snapshot`, `snapshots` and `promote`: what is served then, and that a kill at any moment leaves all or nothing."""
import pathlib
import sys
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "support"))
from cared_mirror import KILLS, PROJECTS, Care, fetch  # noqa: E402


class Promote(Care):
    def test_a_snapshot_is_served_and_promoted(self):
        self.run_mirror("sync")
        self.serve()
        made = self.told("snapshot", "pypi", "--name", "candidate", "--note", "week 47")
        self.assertEqual((made["id"], made["index"], made["note"]), ("candidate", "pypi", "week 47"))
        self.assertEqual([one["id"] for one in self.told("snapshots")], ["candidate"])
        self.assertEqual(self.run_mirror("snapshot", "pypi", "--name", "candidate", code=None).code, 1)
        would = self.told("promote", "candidate", "release", "--dry-run")
        self.assertEqual((would["added"], would["done"]), (PROJECTS, False))
        self.assertEqual(self.listed("release"), [])
        self.upstream.wheel("part-00", "9.0")
        self.run_mirror("sync")
        self.assertEqual(self.told("promote", "candidate", "release", "part-00", "part-01")["added"], ["part-00", "part-01"])
        self.eventually(lambda: self.listed("release") == ["part-00", "part-01"], "not promoted")
        self.assertEqual(list(self.files_of("release", "part-00")), [self.wheel_of("part-00")], "as it was frozen")
        self.run_mirror("promote", "candidate", "release")
        self.eventually(lambda: self.listed("release") == PROJECTS, "not promoted")
        self.assertEqual(self.told("promote", "pypi", "release")["changed"], ["part-00"])
        self.eventually(lambda: len(self.files_of("release", "part-00")) == 2, "not promoted")
        for url in self.files_of("release", "part-00").values():
            self.assertEqual(fetch(url)[0], 200)
        self.assertNotEqual(self.run_mirror("promote", "release", "pypi", code=None).code, 0, "an upstream would undo it")

    def test_a_kill_at_any_moment_promotes_all_or_nothing(self):
        self.serve()
        for name in PROJECTS:
            self.assertEqual(fetch(f"{self.mirror.url}/pulled/simple/{name}/")[0], 200)  # known, and no file of it kept
        self.mirror.stop()
        before = after = 0
        for _ in self.killed_at_growing_delays(self.keep_storage(), "promote", "pulled", "release"):
            left = self.told("promote", "pulled", "release", "--dry-run")["added"]
            self.assertIn(left, ([], PROJECTS), "a part of it is listed")
            before, after = before + bool(left), after + (not left)
            if not left:
                self.assertEqual(self.told("verify")["damages"], [], "what is listed is stored")
            self.run_mirror("promote", "pulled", "release")
            self.assertEqual(self.told("promote", "pulled", "release", "--dry-run")["added"], [])
            self.assertEqual(self.told("verify")["damages"], [])
        self.assertTrue(before)
        print(f"{before} kills left nothing listed, {after} all")

    def test_clients_see_all_of_a_promotion_or_nothing(self):
        self.run_mirror("sync")
        self.run_mirror("promote", "pypi", "release", "part-00")
        self.told("snapshot", "release", "--name", "one")
        self.serve()
        states, ended = set(), threading.Event()

        def watch():
            while not ended.is_set():
                states.add(tuple(self.listed("release")))

        watcher = threading.Thread(target=watch)
        watcher.start()
        rng = iter(range(10_000))
        for _ in range(KILLS):
            for source in ("pypi", "one"):
                process = self.start("promote", source, "release")
                time.sleep(0.002 * (next(rng) % 20))
                process.kill()
                process.wait()
                self.run_mirror("promote", source, "release")
        ended.set()
        watcher.join()
        self.assertLessEqual(states, {("part-00",), tuple(PROJECTS)})
        self.assertEqual(len(states), 2)

    def test_a_kill_at_any_moment_makes_a_snapshot_or_none(self):
        self.run_mirror("sync")
        made = 0
        for _ in self.killed_at_growing_delays(self.keep_storage(), "snapshot", "pypi", "--name", "frozen"):
            there = [one["id"] for one in self.told("snapshots")]
            self.assertIn(there, ([], ["frozen"]))
            made += bool(there)
            if not there:
                self.run_mirror("snapshot", "pypi", "--name", "frozen")
            self.assertEqual(self.told("promote", "frozen", "release", "--dry-run")["added"], PROJECTS)
        self.assertLess(made, KILLS)


if __name__ == "__main__":
    unittest.main()
