"""dae and uv side by side, making environments from one lock; prints one table a mode.

    install.py [--modes warm-hardlink,warm-symlink,warm-copy,cold,cold-far,no-op] [--inputs NAME,...] [--runs N]
               [--folder DIR] [--round-trip-ms 20] [--json FILE] [--markdown]

Both install the same pylock.toml: `dae install` and `uv pip sync` (of a requirements file uv is slower: it asks for
pages). uv gets its venv made beforehand and unmeasured, as its own benchmarks do; dae makes its own in the measured time.
Both are told the index, and neither compiles bytecode. Caches, environments and the index are on one file system, the one of --folder.

- warm-hardlink, warm-symlink, warm-copy: store and cache full, `--offline`, no environment; the same link mode for both.
  Beside symbolic links uv's hard links stand, too.
- cold: empty caches, the index on the loopback. cold-far: the index 20 ms away (one round trip for each handshake).
- no-op: the environment is as the lock says.

Runs alternate, so that a slow moment of the machine hits both; the first of each is dropped. Wall and CPU times are
medians (the least beside it), memory is the largest peak of one process. Each run gets folders that were never there
before, and nothing is removed while runs go on: ext4 searches past inodes that were freed in the last seconds, which costs
up to ten times the rest. When the disk gets full between runs, all is removed and ten seconds pass.
The inputs and files are tests/support/install_index.py's: make them with its `fill`.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import frozen_index as frozen  # noqa: E402
import install_index  # noqa: E402
from harness import DAE, ROOT  # noqa: E402
from peer_tools import tools_or_skip  # noqa: E402
from resolve import alternate, last_lines, measure, print_table  # noqa: E402

INPUTS = [*install_index.REAL, *install_index.MADE]
SPARE_BYTES = 12 << 30  # of the disk, for others
# What either writes beside the files of wheels: notes of its own, and what makes a venv one.
OF_THE_TOOL = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "_virtualenv.py", "_virtualenv.pth", "uv_cache.json", ".gitignore", ".lock"}


def remove(folder):
    subprocess.run(["chmod", "-R", "u+w", folder], check=False, stderr=subprocess.DEVNULL)  # the unpacked store is read-only on purpose
    subprocess.run(["rm", "-rf", folder], check=True)


class Ground:
    """Fresh folders on one file system."""

    def __init__(self, parent):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="dae-bench-", dir=parent))
        self.number, self.before, self.largest, self.kept = 0, shutil.disk_usage(self.root).free, 0, set()

    def fresh(self, keep=False):
        """For one run, or (keep) for something that many runs use."""
        free = shutil.disk_usage(self.root).free
        self.largest = max(self.largest, self.before - free)
        if free < SPARE_BYTES + 2 * self.largest:
            for folder in set(self.root.iterdir()) - self.kept:
                remove(folder)
            time.sleep(10)
        self.before = shutil.disk_usage(self.root).free
        self.number += 1
        folder = self.root / f"r{self.number:05}"
        folder.mkdir()
        if keep:
            self.kept.add(folder)
        return folder

    def remove(self):
        remove(self.root)


def files_in(environment):
    """Files of the wheels below site-packages, behind links too."""
    count = 0
    for site in environment.glob("lib/python3*/site-packages"):
        for folder, folders, files in os.walk(site, followlinks=True):
            folders[:] = [name for name in folders if name != "__pycache__"]
            count += sum(name not in OF_THE_TOOL and not name.endswith(".pyc") for name in files)
    return count


class Tool:
    """How one of the two installs an input into a fresh folder."""

    def __init__(self, ground, url, name, link="automatic", cache=None):
        self.ground, self.url, self.input, self.link, self.cache = ground, url, name, link, cache
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("DAE_", "PIP_", "UV_", "XDG_", "VIRTUAL_ENV"))}
        self.home = ground.fresh(keep=True)
        self.env = {**keep, "HOME": str(self.home), "NO_COLOR": "1", "USER": "bench"}

    def project(self, folder):
        app = folder / "app"
        shutil.copytree(install_index.app_folder(self.input), app)
        lock = app / "pylock.toml"
        lock.write_text(lock.read_text().replace(install_index.HERE, self.url.removesuffix("simple/")))
        return app

    def prepare(self):
        """A new folder with the lock: (command, environment variables, working directory, environment's folder)."""
        folder = self.ground.fresh()
        app, cache = self.project(folder), self.cache or folder / "cache"
        return self.how(folder, app, cache)

    def fill(self):
        """The cache for warm runs; returns why it cannot be."""
        self.cache = self.ground.fresh(keep=True) / "cache"
        offline, self.offline = self.offline, False
        command, env, cwd, _ = self.prepare()
        done = subprocess.run(list(map(str, command)), env=env, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.offline = offline
        return "" if done.returncode == 0 else " | ".join(done.stderr.strip().splitlines()[-3:])


class Dae(Tool):
    name = "dae"
    offline = False
    can_link = None

    def how(self, folder, app, cache):
        env = {**self.env, "DAE_CACHE_DIR": str(cache), "DAE_DATA_DIR": str(self.home / "data"), "DAE_CONFIG_DIR": str(self.home / "config"),
               "DAE_INDEX": self.url, "DAE_BYTECODE": "0"}
        link = ["--link-mode", self.link] if self.link != "automatic" else []
        return [DAE, *(["--offline"] if self.offline else []), "install", *link, "-p", frozen.python_311()], env, app, app / ".venv"

    @classmethod
    def knows_link_modes(cls):
        if cls.can_link is None:
            cls.can_link = "--link-mode" in subprocess.run([DAE, "install", "--help"], capture_output=True, text=True).stdout
        return cls.can_link


class Uv(Tool):
    name = "uv"
    offline = False

    def how(self, folder, app, cache):
        uv, venv = tools_or_skip() / "uv", folder / "venv"
        env = {**self.env, "UV_DEFAULT_INDEX": self.url, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_CONFIG": "1"}
        # With a cache of its own: in cold runs the interpreter is not known yet.
        subprocess.run([uv, "venv", "-q", "-p", frozen.python_311(), venv], env={**env, "UV_CACHE_DIR": str(self.home / "venv-cache")}, check=True)
        link = ["--link-mode", self.link] if self.link != "automatic" else []
        return [uv, "pip", "sync", "-q", *(["--offline"] if self.offline else []), *link, "-p", venv, app / "pylock.toml"], \
            {**env, "UV_CACHE_DIR": str(cache)}, folder, venv


def run_once(tool, server=None, settle=False):
    def once():
        command, env, cwd, environment = tool.prepare()
        if settle:
            os.sync()  # what the last run has written is not written during this one
        if server:
            server.requests()
        sample = measure(command, env, cwd, tool.home / "log")
        fields = {"files": files_in(environment)}
        if server:
            counts = server.requests()
            fields["requests"] = counts["pages"] + counts["files"] + counts["metadata"]
        if sample["exit"] != 0:
            fields["trouble"] = f"exit {sample['exit']}: {last_lines(tool.home / 'log')}"
        return sample, fields
    return once


def warm(link):
    def mode(names, ground, server, _, arguments):
        for name in names:
            tools = {"dae": Dae(ground, server.url, name, link), "uv": Uv(ground, server.url, name, link)}
            if link == "symlink":
                tools["uv hardlink"] = Uv(ground, server.url, name, "hardlink")
            cases, failed = {}, {}
            for case, tool in tools.items():
                tool.offline = True
                trouble = "this dae has no --link-mode" if case == "dae" and not Dae.knows_link_modes() else tool.fill()
                if trouble:
                    failed[case] = {"trouble": trouble}
                else:
                    cases[case] = run_once(tool)
            os.sync()
            yield name, {**alternate(cases, arguments.runs, arguments.seconds), **failed}
    return mode


def from_empty(names, ground, url, server, arguments):
    for name in names:
        cases = {kind.name: run_once(kind(ground, url, name), server, settle=True) for kind in (Dae, Uv)}
        yield name, alternate(cases, min(arguments.runs, arguments.cold_runs), arguments.seconds)


def cold(names, ground, server, _, arguments):
    yield from from_empty(names, ground, server.url, server, arguments)


def cold_far(names, ground, server, far, arguments):
    yield from from_empty(names, ground, far.url, server, arguments)


def no_op(names, ground, server, _, arguments):
    for name in names:
        cases = {}
        for kind in (Dae, Uv):
            tool = kind(ground, server.url, name)
            prepared = tool.prepare()
            subprocess.run(list(map(str, prepared[0])), env=prepared[1], cwd=prepared[2], check=True, capture_output=True, stdin=subprocess.DEVNULL)
            tool.prepare = lambda prepared=prepared: prepared
            cases[kind.name] = run_once(tool)
        yield name, alternate(cases, arguments.runs, arguments.seconds)


MODES = {"warm-hardlink": warm("hardlink"), "warm-symlink": warm("symlink"), "warm-copy": warm("copy"),
         "cold": cold, "cold-far": cold_far, "no-op": no_op}
HEADER = ["input", "wall ms dae / uv", "least", "dae/uv", "uv hard links ms", "dae/uv hard links", "CPU ms", "peak MiB", "files", "requests"]


def cells(name, result):
    dae, uv, hard = (result.get(side, {}) for side in ("dae", "uv", "uv hardlink"))

    def pair(key, form):
        return " / ".join(form.format(side[key]) if key in side else "-" for side in (dae, uv))

    def ratio(other):
        return f"{dae['wall_ms'] / other['wall_ms']:.2f}" if "wall_ms" in dae and "wall_ms" in other else "-"
    return [name, pair("wall_ms", "{:.1f}"), pair("least_ms", "{:.1f}"), ratio(uv), f"{hard['wall_ms']:.1f}" if "wall_ms" in hard else "-", ratio(hard),
            pair("cpu_ms", "{:.0f}"), pair("peak_mib", "{:.0f}"), pair("files", "{}"), pair("requests", "{}")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--inputs", default=",".join(INPUTS))
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--cold-runs", type=int, default=7)
    parser.add_argument("--round-trip-ms", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=60, help="after as much measured time an input has had enough runs")
    parser.add_argument("--folder", default=os.environ.get("TMPDIR") or os.environ.get("DAE_BUILD") or ROOT / "build",
                        help="caches and environments go here: it chooses the file system")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what it has made is removed then, too
    names = arguments.inputs.split(",")
    install_index.require(names)
    if shutil.disk_usage(arguments.folder).free < SPARE_BYTES:
        raise SystemExit(f"less than {SPARE_BYTES >> 30} GiB free in {arguments.folder}")
    uv = subprocess.run([tools_or_skip() / "uv", "--version"], capture_output=True, text=True).stdout.split()[1]
    kind = subprocess.run(["stat", "-f", "-c", "%T", arguments.folder], capture_output=True, text=True).stdout.strip()
    print(f"{datetime.date.today()}, {os.cpu_count()} cores, {platform.machine()}, {kind}, uv {uv}, Python {frozen.PYTHON}", flush=True)
    every = {}
    with frozen.StaticIndex(install_index.FOLDER) as server, frozen.Distance(server, arguments.round_trip_ms) as far:
        for mode in arguments.modes.split(","):
            ground = Ground(arguments.folder)
            try:
                rows = []
                for name, result in MODES[mode](names, ground, server, far, arguments):
                    rows.append((name, result))
                    print(".", end="", file=sys.stderr, flush=True)
                every[mode] = dict(rows)
                print_table(mode, rows, arguments.markdown, HEADER, cells)
                sys.stdout.flush()
            finally:
                ground.remove()
            time.sleep(10)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(every, indent=1) + "\n")


if __name__ == "__main__":
    main()
