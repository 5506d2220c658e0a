"""The independent checker of locks (tests/support/lock_checker.py) accepts a good lock and notices each way to be bad."""
import json
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import DaeTest, ROOT  # noqa: E402
from peer_tools import tools_or_skip  # noqa: E402

TOOLS = None


class LockChecker(DaeTest):
    def setUp(self):
        super().setUp()
        self.app = self.create_app()
        self.lock = self.app / "pylock.toml"
        self.requirements = self.dir / "in.txt"
        self.requirements.write_text("flask\ngunicorn\n")

    def problems(self, lock=None):
        done = subprocess.run([TOOLS / "python", ROOT / "tests" / "support" / "lock_checker.py", lock or self.lock, "--json",
                               "--requirements", self.requirements, "--index", self.index.url, "--python", "3.11.7"], capture_output=True, text=True)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return json.loads(done.stdout)["problems"]

    def changed(self, pattern, replacement):
        text, count = re.subn(pattern, replacement, self.lock.read_text(), flags=re.S)
        self.assertGreater(count, 0, pattern)
        other = self.dir / "pylock.toml"
        other.write_text(text)
        return self.problems(other)

    def test_accepts_what_dae_locked(self):
        self.assertEqual(self.problems(), [])

    def test_notices_a_package_that_is_missing(self):
        self.assertRegex(self.changed(r'\[\[packages\]\]\nname = "click".*?(?=\n\[)', "")[0], "click.* is not in the lock")

    def test_notices_a_root_that_does_not_hold(self):
        self.requirements.write_text("flask<3\ngunicorn\n")
        self.assertRegex(self.problems()[0], "flask<3 does not hold for 3.1.2")

    def test_notices_what_nobody_asks_for(self):
        self.requirements.write_text("gunicorn\n")
        self.assertIn("nobody asks for flask", self.problems())

    def test_notices_a_requirement_of_a_version_that_does_not_hold(self):
        problems = self.changed(r"3\.1\.3", "2.3.8")  # werkzeug's
        self.assertTrue(any("werkzeug>=3.1" in problem and "2.3.8" in problem for problem in problems), problems)

    def test_notices_another_hash(self):
        problems = self.changed(r'(flask-3\.1\.2-py3-none-any\.whl".*?sha256 = ")[0-9a-f]{4}', r"\g<1>0000")
        self.assertRegex(problems[0], "the index has no flask-3.1.2.* of this hash")

    def test_notices_a_file_that_does_not_fit(self):
        self.assertRegex(self.changed(r"-py3-none-any\.whl", "-cp27-none-any.whl")[0], "cannot be selected from")


if __name__ == "__main__":
    TOOLS = tools_or_skip()
    unittest.main()
