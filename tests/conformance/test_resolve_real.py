"""Real requirements against the frozen index (tests/support/frozen_index.py): what uv can solve dae solves, and an independent
checker accepts the lock; what has no solution is refused with an explanation. Minutes: `ctest -C outside -L outside`,
or this file with DAE_BINARY and DAE_BUILD; a name after it runs that input only.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import frozen_index as frozen  # noqa: E402
from harness import ROOT  # noqa: E402
from peer_tools import tools_or_skip  # noqa: E402

PATIENCE_SECONDS = 300
NO_SOLUTION = 6
ONLY = []


class Real(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.mirror = frozen.Mirror()
        cls.folder = tempfile.TemporaryDirectory(prefix="dae-real-")

    @classmethod
    def tearDownClass(cls):
        cls.mirror.stop()
        subprocess.run(["chmod", "-R", "u+w", cls.folder.name], check=False)
        cls.folder.cleanup()

    def those_filled(self, names):
        wanted = [name for name in names if (not ONLY or name in ONLY) and name in frozen.filled()]
        if not wanted:
            self.skipTest("the frozen index is not filled for any of these inputs")
        return wanted

    def tool(self, kind, name):
        return kind(pathlib.Path(self.folder.name) / name.replace("/", "-") / kind.name, self.mirror.url)

    def resolve(self, kind, name):
        """(result, output file); a result with code None: no answer in time."""
        try:
            done, output = frozen.run(self.tool(kind, name), frozen.input_file(name), timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.fail(f"{name}: {kind.name} gave no answer in {PATIENCE_SECONDS} s")
        missing = self.mirror.requests()["missing"]
        note = f"\n({missing} files are not kept by the frozen index: fill it again)" if missing else ""
        return done, output, f"{kind.name} exit {done.returncode}\n{(done.stderr or done.stdout)[-2000:]}{note}"

    def judge(self, name, lock):
        done = subprocess.run([tools_or_skip() / "python", ROOT / "tests" / "support" / "lock_checker.py", lock, "--json", "--requirements",
                               frozen.input_file(name), "--index", self.mirror.url, "--python", "3.11.7"], capture_output=True, text=True)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return json.loads(done.stdout)

    def compare(self, name, pins, theirs):
        """Tells how the answers differ: both may be right, but ours should not be much older."""
        other = dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", theirs.read_text(), re.M | re.I))
        different = {package: (pins.get(package), other.get(package)) for package in pins.keys() | other.keys() if pins.get(package) != other.get(package)}
        print(f"{name}: {len(pins)} packages, uv {len(other)}" + "".join(
            f"\n    {package}: {ours or '-'}, uv {uvs or '-'}" for package, (ours, uvs) in sorted(different.items())), flush=True)

    def test_what_uv_solves_dae_solves(self):
        for name in self.those_filled([*frozen.SOLVABLE, *frozen.HARD]):
            with self.subTest(name):
                self.solve_both(name)

    def solve_both(self, name):
        theirs, pinned, their_words = self.resolve(frozen.Uv, name)
        ours, lock, our_words = self.resolve(frozen.Dae, name)
        if theirs.returncode != 0:
            print(f"{name}: uv does not solve it; dae exit {ours.returncode}\n{our_words}", flush=True)
            self.assertIn(ours.returncode, (0, NO_SOLUTION), our_words)
        else:
            self.assertEqual(ours.returncode, 0, our_words)
        if ours.returncode == 0:
            verdict = self.judge(name, lock)
            self.assertEqual(verdict["problems"], [])
            if verdict["unknown"]:
                print(f"{name}: told only by a build: {', '.join(verdict['unknown'])}")
            if theirs.returncode == 0:
                self.compare(name, verdict["pins"], pinned)

    def test_what_has_no_solution_is_explained(self):
        for name in self.those_filled(frozen.WITHOUT_SOLUTION):
            with self.subTest(name):
                _, _, theirs = self.resolve(frozen.Uv, name)
                ours, _, words = self.resolve(frozen.Dae, name)
                print(f"{name}:\n{theirs}\n{words}", flush=True)
                self.assertEqual(ours.returncode, NO_SOLUTION, words)
                # Names the line of the file that it starts from.
                self.assertRegex(ours.stderr, re.escape(frozen.input_file(name).name) + r":\d+")


if __name__ == "__main__":
    frozen.require_filled()
    names = [*frozen.SOLVABLE, *frozen.HARD, *frozen.WITHOUT_SOLUTION]
    ONLY = [name for name in names if name.rpartition("/")[2] in sys.argv[1:]]
    unittest.main(argv=sys.argv[:1])
