"""`dae mirror verify`, `gc` and `status`: what they say and do, and what a kill at any moment leaves."""
import hashlib
import json
import pathlib
import signal
import subprocess
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "support"))
from cared_mirror import KILLS, PROJECTS, Care, fetch  # noqa: E402
from harness import DAE  # noqa: E402


class Verify(Care):
    def test_names_what_is_corrupt_and_who_lists_it(self):
        self.run_mirror("sync")
        self.assertEqual(self.told("verify")["damages"], [])
        self.assertIn("all as it should be", self.run_mirror("verify").err)
        bad, lost = self.digest_of("part-03"), self.digest_of("part-07")
        self.corrupt(bad)
        self.blob(lost).unlink()
        done = self.run_mirror("verify", code=1)
        self.assertIn(f"corrupt   sha256:{bad}  pypi: part-03/{self.wheel_of('part-03')}", done.out)
        self.assertIn(f"missing   sha256:{lost}  pypi: part-07/{self.wheel_of('part-07')}", done.out)
        self.assertFalse(self.blob(bad).exists())
        self.assertTrue((self.storage / "quarantine" / bad).exists())
        told = self.told("verify", code=1)
        self.assertTrue(told["finished"])
        self.assertEqual({(one["digest"], one["what"], tuple(one["listed_by"]), one["repaired"]) for one in told["damages"]},
                         {(f"sha256:{bad}", "corrupt", (f"pypi: part-03/{self.wheel_of('part-03')}",), False),
                          (f"sha256:{lost}", "missing", (f"pypi: part-07/{self.wheel_of('part-07')}",), False)})

    def test_repairs_from_the_upstream(self):
        self.run_mirror("sync")
        bad, lost, gone = (self.digest_of(name) for name in ("part-03", "part-07", "part-09"))
        for digest in (bad, gone):
            self.corrupt(digest)
        self.blob(lost).unlink()
        del self.upstream.answers[f"/files/{self.wheel_of('part-09')}"]
        told = self.told("verify", "--repair", code=1)
        self.assertEqual({one["digest"][7:]: one["repaired"] for one in told["damages"]}, {bad: True, lost: True, gone: False})
        self.assertTrue(next(one for one in told["damages"] if not one["repaired"])["why_not"])
        self.upstream.wheel("part-09", "1.0")
        self.assertEqual(self.told("verify", "--repair")["counts"]["repaired"], 1)
        for digest in (bad, lost, gone):
            self.assertTrue(self.blob(digest).exists())
        self.assertEqual(self.told("verify")["damages"], [])
        self.assertEqual(self.told("status")["quarantine"]["blobs"], 2)

    def test_what_is_in_quarantine_is_not_served_and_comes_anew(self):
        self.serve()
        for url in self.files_of("pulled", "part-01").values():
            self.assertEqual(fetch(url)[0], 200)
            digest = self.digest_of("part-01")
            self.corrupt(digest)
            self.run_mirror("verify", code=1)
            self.assertEqual(fetch(url), (200, self.upstream.answers[f"/files/{self.wheel_of('part-01')}"][0]))
        self.assertEqual(self.told("verify")["damages"], [])

    def test_one_at_a_time_and_no_other_storage(self):
        self.run_mirror("sync")
        self.many_blobs()
        first = self.start("verify", "--jobs", "1")
        self.addCleanup(first.wait)
        self.addCleanup(first.kill)
        self.eventually(lambda: (self.storage / "verify.lock").exists(), "no lock")
        first.send_signal(signal.SIGSTOP)
        refused = self.run_mirror("verify", code=None)
        first.send_signal(signal.SIGCONT)
        self.assertNotEqual(refused.code, 0, refused)
        self.assertIn("another verification of this storage runs", refused.err)
        self.assertEqual(self.run_mirror("verify", "--jobs", "1000", code=None).code, 2)

    def many_blobs(self, count=300, size=1 << 20):
        """Blobs that nothing lists, so that hashing takes a while."""
        for number in range(count):
            data = number.to_bytes(4, "big") * (size // 4)
            path = self.blob(hashlib.sha256(data).hexdigest())
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)

    def test_killed_it_goes_on_where_it_was(self):
        self.run_mirror("sync")
        self.many_blobs()
        bad = self.digest_of("part-03")
        self.corrupt(bad)
        for _ in range(6):
            process = self.start("verify", "--jobs", "1")
            time.sleep(0.12)
            # The mark is written after 5 s at the latest; these pass while it stands still.
            process.send_signal(signal.SIGSTOP)
            time.sleep(5.2)
            process.send_signal(signal.SIGCONT)
            time.sleep(0.05)
            process.kill()
            if process.wait() == -signal.SIGKILL and "verified_percent" in json.dumps(self.told("status")):
                break
        done = self.run_mirror("verify", code=1)
        self.assertIn("going on from an earlier run", done.err)
        self.assertIn(f"corrupt   sha256:{bad}", done.out)
        self.assertFalse(self.told("verify", code=1)["resumed"])

    def test_ended_by_a_signal_it_says_so(self):
        self.run_mirror("sync")
        self.many_blobs()
        process = subprocess.Popen([DAE, "mirror", "verify", "--jobs", "1", "-c", self.config], cwd=self.work, env=self.env, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        time.sleep(0.12)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, (out, err))
        self.assertIn("the next run goes on from here", err)

    def test_a_kill_at_any_moment_loses_and_hides_nothing(self):
        self.run_mirror("sync")
        bad = {self.digest_of(name) for name in ("part-03", "part-11", "part-20")}
        for digest in bad:
            self.corrupt(digest)
        live = {self.digest_of(name) for name in PROJECTS} - bad
        for _ in self.killed_at_growing_delays(self.keep_storage(), "verify"):
            told = self.told("verify", code=1)
            self.assertEqual({one["digest"][7:] for one in told["damages"]}, bad)
            self.assertEqual({path.name for path in (self.storage / "quarantine").iterdir()}, bad)
            self.assertTrue(all(self.blob(digest).exists() for digest in live))


class Gc(Care):
    def test_the_dry_run_says_what_a_run_frees(self):
        self.run_mirror("sync")
        for name in PROJECTS[:10]:
            self.upstream.wheel(name, "2.0")
            self.upstream.remove(name, self.wheel_of(name))
        self.run_mirror("sync")
        old = [self.digest_of(name) for name in PROJECTS[:10]]
        kept = self.told("gc")
        self.assertEqual((kept["freed_blobs"], kept["young_blobs"]), (0, 20), "wheels and their metadata; the grace time holds")
        before = self.blobs()
        would = self.told("gc", "--dry-run", "--grace", "0s")
        self.assertEqual(self.blobs(), before)
        freed = self.told("gc", "--grace", "0s")
        for key in ("freed_blobs", "freed_bytes", "kept_blobs"):
            self.assertEqual(would[key], freed[key])
        gone = set(before) - set(self.blobs())
        self.assertEqual((freed["freed_blobs"], freed["freed_bytes"]), (len(gone), sum(before[digest] for digest in gone)))
        self.assertEqual((len(gone), set(old) - gone), (20, set()))
        self.assertEqual(self.told("gc", "--grace", "0s")["freed_blobs"], 0)
        self.assertEqual(self.told("verify")["damages"], [])

    def blobs(self):
        return {path.name: path.stat().st_size for path in (self.storage / "blobs" / "sha256").glob("*/*")}

    def test_snapshots_keep_what_they_list_until_they_are_removed(self):
        self.run_mirror("sync")
        self.serve()
        snapshot = self.told("snapshot", "pypi", "--name", "before")["id"]
        self.upstream.wheel("part-05", "2.0")
        self.upstream.remove("part-05", self.wheel_of("part-05"))
        self.run_mirror("sync")
        self.assertEqual(self.told("gc", "--grace", "0s")["freed_blobs"], 0)
        before, now = (self.files_of(index, "part-05") for index in (f"snapshots/{snapshot}", "pypi"))
        self.assertEqual((list(before), list(now)), ([self.wheel_of("part-05")], [self.wheel_of("part-05", "2.0")]))
        url = before[self.wheel_of("part-05")]
        self.assertEqual(fetch(url), (200, self.upstream.answers[f"/files/{self.wheel_of('part-05')}"][0]))
        self.run_mirror("snapshots", "--remove", "before")
        self.assertEqual(self.told("gc", "--grace", "0s")["freed_blobs"], 2, "the wheel and its metadata")
        self.eventually(lambda: fetch(url)[0] == 404, "what was freed is still served")
        self.assertEqual(fetch(f"{self.mirror.url}/snapshots/before/simple/part-05/")[0], 404)
        self.assertEqual(fetch(now[self.wheel_of("part-05", "2.0")])[0], 200)

    def test_a_kill_at_any_moment_frees_nothing_that_is_needed(self):
        self.run_mirror("sync")
        for name in PROJECTS:
            for number in range(8):
                self.upstream.wheel(name, f"0.{number}")
        self.run_mirror("sync")
        for name in PROJECTS:
            for number in range(8):
                self.upstream.remove(name, self.wheel_of(name, f"0.{number}"))
        self.run_mirror("sync")
        live = {self.digest_of(name) for name in PROJECTS}
        dead = {self.digest_of(name, f"0.{number}") for name in PROJECTS for number in range(8)}
        partly = 0
        for _ in self.killed_at_growing_delays(self.keep_storage(), "gc", "--grace", "0s"):
            left = set(self.blobs())
            self.assertLessEqual(live, left)
            partly += 0 < len(left & dead) < len(dead)
            told = self.told("gc", "--grace", "0s")
            self.assertEqual((told["finished"], told["kept_blobs"] >= len(live)), (True, True), told)
            left = set(self.blobs())
            self.assertFalse(left & dead)
            self.assertEqual(self.told("verify")["damages"], [])
        print(f"{partly} of {KILLS} kills came amid the sweep")


class Status(Care):
    def test_says_what_is_held_and_what_ran(self):
        self.run_mirror("sync")
        told = self.told("status")
        indexes = {index["name"]: index for index in told["indexes"]}
        self.assertEqual(list(indexes), sorted(indexes, key=["pypi", "pulled", "team", "release"].index))
        wheels = [self.blob(self.digest_of(name)).stat().st_size for name in PROJECTS]
        self.assertEqual([indexes["pypi"][key] for key in ("mode", "projects", "files", "held_files", "held_bytes")],
                         ["sync", len(PROJECTS), len(PROJECTS), len(PROJECTS), sum(wheels)])
        self.assertEqual(indexes["team"]["projects"], 0)
        shown = self.run_mirror("status").out
        for words in ("pypi", "sync", "0 repositories", "0 snapshots", "free of"):
            self.assertIn(words, shown)
        self.corrupt(self.digest_of("part-03"))
        self.run_mirror("verify", code=1)
        shown = self.run_mirror("status").out
        for words in ("1 corrupt blobs in quarantine", "verify", "damaged"):
            self.assertIn(words, shown)
        self.run_mirror("gc")
        self.assertRegex(self.run_mirror("status").out, r"gc .* done")
        process = self.start("gc")
        process.kill()
        process.wait()
        self.assertEqual(self.run_mirror("status").code, 0)


if __name__ == "__main__":
    unittest.main()
