"""The systemd units of share/systemd: systemd understands them, they shut in what they start, and what they start exists."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from harness import DAE  # noqa: E402

UNITS = sorted((ROOT / "share" / "systemd").iterdir())


class Units(unittest.TestCase):
    def test_start_commands_that_exist(self):
        started = [line.split()[1:] for unit in UNITS for line in re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.M)]
        self.assertEqual([words[:2] for words in started], [["mirror", "sync"], ["mirror", "serve"]])
        for words in started:
            shown = subprocess.run([os.path.abspath(DAE), *words[:2], "--help"], capture_output=True, text=True).stdout
            for option in (word for word in words if word.startswith("-")):
                self.assertIn(option, shown)

    def test_systemd_understands_them(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not here")
        with tempfile.TemporaryDirectory(prefix="dae-units-") as folder:
            for unit in UNITS:
                # An instance is verified, not the template; the program need not be installed.
                text = unit.read_text().replace("/usr/bin/dae", os.path.abspath(DAE))
                (pathlib.Path(folder) / unit.name.replace("@", "@pypi")).write_text(text)
            files = sorted(map(str, pathlib.Path(folder).iterdir()))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *files], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
            for service in (file for file in files if file.endswith(".service")):
                done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=25", service], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[-600:])


if __name__ == "__main__":
    unittest.main()
