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


def require_outside(what):
    """Skips what needs the index that pip uses here when it does not answer: at once, before anything is asked of it at length."""
    with tempfile.TemporaryDirectory(prefix="dae-outside-") as folder:
        done = subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries", "0", "--timeout", "20", "-d", folder, "iniconfig"],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        print(f"skipped: {what} cannot be had, the index that pip uses here does not answer:", *done.stderr.strip().splitlines()[-1:], file=sys.stderr)
        sys.exit(77)
