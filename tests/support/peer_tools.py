"""Outside tools that the conformance tests and benchmarks compare with, from the index that pip uses here."""
import os
import pathlib
import subprocess
import sys
import tempfile


def tools_or_skip():
    """A venv with new pip, uv and packaging; kept between runs of the tests."""
    folder = pathlib.Path(os.environ.get("DAE_BUILD", tempfile.gettempdir())) / "peer-tools"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        done = subprocess.run([folder / "bin" / "pip", "install", "-q", "--retries", "1", "pip>=26.1", "uv", "packaging>=26.3"],
                              capture_output=True, text=True)
        if done.returncode != 0:
            print("skipped: pip >= 26.1 and uv cannot be had:", done.stderr.strip().splitlines()[-1:], file=sys.stderr)
            sys.exit(77)
        (folder / "complete").touch()
    return folder / "bin"
