"""dae and uv side by side on the sample index: a no-op install, and an install into an empty environment with warm caches.

    DAE_BUILD=build/release python3 tests/bench/install.py [RUNS]

Runs alternate, so that a slow moment of the machine hits both. uv comes from the index that pip uses here.
"""
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import DAE, DaeTest  # noqa: E402
from peer_tools import tools_or_skip  # noqa: E402


class Bench(DaeTest):
    def runTest(self):
        pass


def timed(command, cwd, env):
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    uv = tools_or_skip() / "uv"
    Bench.setUpClass()
    bench = Bench()
    bench.setUp()
    try:
        ours, theirs = bench.create_app("ours"), bench.work / "theirs"
        shutil.copytree(ours, theirs, ignore=shutil.ignore_patterns(".venv", "pylock.toml"))
        env = {**bench.env, "UV_CACHE_DIR": str(bench.dir / "uv"), "UV_DEFAULT_INDEX": bench.index.url, "UV_PYTHON_DOWNLOADS": "never"}
        commands = {"dae": ([DAE, "install"], ours), "uv": ([uv, "sync", "--no-install-project"], theirs)}
        for case in ("no-op", "empty environment"):
            times = {name: [] for name in commands}
            for run in range(runs + 1):
                for name, (command, cwd) in commands.items():
                    if case != "no-op":
                        shutil.rmtree(cwd / ".venv", ignore_errors=True)
                    spent = timed(command, cwd, env)
                    if run > 0:  # the first one warms up
                        times[name].append(spent)
            median = {name: statistics.median(values) for name, values in times.items()}
            print(f"{case:<20} dae {median['dae']:7.1f} ms   uv {median['uv']:7.1f} ms   dae/uv {median['dae'] / median['uv']:.2f}")
    finally:
        bench.doCleanups()
        Bench.tearDownClass()


if __name__ == "__main__":
    main()
