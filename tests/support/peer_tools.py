"""Outside tools that the conformance tests and benchmarks compare with, from the index that pip uses here."""
import glob
import os
import pathlib
import re
import shutil
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


UNREACHABLE = set()


def venv(name, *packages, python=sys.executable):
    """The bin/ of a venv of its own with these packages, kept between runs; None, and a word about it, when they cannot be had."""
    folder = pathlib.Path(os.environ.get("DAE_BUILD", tempfile.gettempdir())).resolve() / "peer-venvs" / name
    wanted = "\n".join([str(python), *packages])
    complete = folder / "complete"
    if complete.exists() and complete.read_text() == wanted:
        return folder / "bin"
    if folder in UNREACHABLE:
        return None
    shutil.rmtree(folder, ignore_errors=True)
    try:
        subprocess.run([python, "-m", "venv", folder], check=True, capture_output=True, text=True)
        subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "-q", "--retries", "1", "--timeout", "30", *packages], check=True, capture_output=True, text=True,
                       stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        words = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        print(f"{name} cannot be had: {words[-1] if words else error}", file=sys.stderr)
        UNREACHABLE.add(folder)
        return None
    complete.write_text(wanted)
    return folder / "bin"


def go_program(package, version):
    """The path of a Go program, kept between runs; None, and a word about it, when it cannot be had."""
    folder = pathlib.Path(os.environ.get("DAE_BUILD", tempfile.gettempdir())).resolve() / "peer-tools" / "go" / f"{package.replace('/', '_')}@{version}"
    program = folder / package.rpartition("/")[2]
    if program.exists():
        return program
    if folder in UNREACHABLE:
        return None
    try:
        subprocess.run(["go", "install", f"{package}@{version}"], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=1800,
                       env={**os.environ, "GOBIN": str(folder), "GOFLAGS": "-modcacherw"})
    except (OSError, subprocess.SubprocessError) as error:
        words = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        print(f"{package} cannot be had: {words[-1] if words else error}", file=sys.stderr)
        UNREACHABLE.add(folder)
        return None
    return program


def python_at_least(minor):
    """A python 3.`minor` or newer, the program itself, or None."""
    found = []
    for place in [sys.executable, *glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3")), *(shutil.which(f"python3.{n}") for n in range(minor, minor + 4))]:
        match = place and re.search(r"3\.(\d+)", subprocess.run([place, "-V"], capture_output=True, text=True).stdout)
        if match and int(match[1]) >= minor:
            found.append((int(match[1]), place))
    return min(found)[1] if found else None


def require_outside(what):
    """Skips what needs the index that pip uses here when it does not answer: at once, before anything is asked of it at length."""
    with tempfile.TemporaryDirectory(prefix="dae-outside-") as folder:
        done = subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries", "0", "--timeout", "20", "-d", folder, "iniconfig"],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        print(f"skipped: {what} cannot be had, the index that pip uses here does not answer:", *done.stderr.strip().splitlines()[-1:], file=sys.stderr)
        sys.exit(77)
