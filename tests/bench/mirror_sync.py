"""The first sync of an index, and a later one, by `dae mirror sync` and bandersnatch side by side: wall time, CPU time, peak
memory.

    mirror_sync.py [--projects 20000] [--listed 700000] [--changed 10] [--rounds 3] [--only first|later] [--quick] [--folder DIR]
                   [--json FILE]

First: both take all of tests/support/fixture_upstream.py's generated index (pages, files, announced metadata) from nginx on
loopback into an empty storage on the same file system, in turns. What they have afterwards is checked: every file is there,
with its size. bandersnatch runs with 10 workers, the most it allows; else both run as they come. It flushes nothing to disk; dae
does. The bars: a third of the wall time, a tenth of the memory. Two memories are told: all that is resident, of which up to 18 MiB
are pages of programs and shared libraries in either process, and what each has of its own (anonymous memory: what it adds to a machine
that runs the same libraries anyway). The bar is asked of both.

Later: an index whose list names 700,000 projects, known from before, of which 10 have changed. dae has its knowledge from a
sync of the list before (each project then had a page that says it has no file), bandersnatch from its file `status`. What
reading the list costs is measured by itself: the same sync once more, when nothing has changed and the list is the same size.
The bar: under 2 s of CPU beyond that. The whole costs of both are printed, too.

CPU and memory are the process's own (tests/support/measure_run.cc). Medians of the rounds; ratios are of medians.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fixture_upstream  # noqa: E402
import frozen_index as frozen  # noqa: E402
import peer_tools  # noqa: E402
from harness import DAE  # noqa: E402
from running_mirror import has_command  # noqa: E402

FIRST_WALL, FIRST_MEMORY, LATER_CPU_S = 3, 10, 2.0
KEYS = ["wall_ms", "cpu_ms", "peak_kib", "own_kib"]


def timed(command, folder, env, patience_s):
    """measure_run's figures; ends the benchmark when the command fails or takes too long."""
    log = folder / "log"
    try:
        done = subprocess.run(list(map(str, [os.path.abspath(frozen.tool("measure_run")), log, *command])), cwd=folder, env=env, capture_output=True, text=True,
                              timeout=patience_s, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise SystemExit(f"{command[0]}: not done in {patience_s} s\n{log.read_text(errors='replace')[-2000:]}")
    figures = json.loads(done.stdout) if done.stdout else {"exit": done.stderr}
    if figures["exit"] != 0:
        raise SystemExit(f"{command[0]}: exit {figures['exit']}\n{log.read_text(errors='replace')[-3000:]}")
    return {key: figures[key] for key in KEYS}


class Dae:
    name = "dae"

    def __init__(self, folder, patience_s):
        self.folder, self.patience_s = folder, patience_s
        folder.mkdir(parents=True, exist_ok=True)
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("DAE_", "PIP_", "XDG_"))}
        self.env = {**keep, "HOME": str(folder), "NO_COLOR": "1"}

    def sync(self, upstream):
        (self.folder / "mirror.yaml").write_text(
            f"storage: {self.folder / 'storage'}\nindexes:\n  pypi: {{mode: sync, upstream: \"{upstream.url}\"}}\n")
        return timed([os.path.abspath(DAE), "mirror", "sync", "--config", self.folder / "mirror.yaml"], self.folder, self.env, self.patience_s)

    def missing(self, contents):
        wanted = [*contents["files"].items(), *((name + ".metadata", what) for name, what in contents["metadata"].items())]
        return [name for name, (sha256, size) in wanted if not has(self.folder / "storage" / "blobs" / "sha256" / sha256[:2] / sha256, size)]

    def knows(self, upstream, serial):
        self.sync(upstream)


class Bandersnatch:
    name = "bandersnatch"

    def __init__(self, folder, patience_s):
        self.folder, self.patience_s = folder, patience_s
        (folder / "mirror").mkdir(parents=True, exist_ok=True)
        keep = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        self.env = {**keep, "HOME": str(folder)}

    def sync(self, upstream):
        (self.folder / "log.conf").write_text("[loggers]\nkeys=root\n[handlers]\nkeys=h\n[formatters]\nkeys=\n[logger_root]\nlevel=ERROR\nhandlers=h\n"
                                              "[handler_h]\nclass=StreamHandler\nlevel=ERROR\nargs=(sys.stderr,)\n")
        (self.folder / "bandersnatch.conf").write_text(
            f"[mirror]\ndirectory = {self.folder / 'mirror'}\nmaster = {upstream.root}\nallow-non-https = true\nworkers = 10\n"
            f"log-config = {self.folder / 'log.conf'}\n")
        return timed([BANDERSNATCH, "-c", self.folder / "bandersnatch.conf", "mirror"], self.folder, self.env, self.patience_s)

    def missing(self, contents):
        found = {path.name: path.stat().st_size for path in (self.folder / "mirror" / "web" / "packages").glob("*/*/*/*")}
        wanted = {**contents["files"], **{name + ".metadata": what for name, what in contents["metadata"].items()}}
        return [name for name, (_, size) in wanted.items() if found.get(name) != size]

    def knows(self, upstream, serial):
        (self.folder / "mirror" / "status").write_text(str(serial))
        (self.folder / "mirror" / "generation").write_text("5")  # of its storage; without it the status does not count


def has(path, size):
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def check(tool, contents):
    missing = tool.missing(contents)
    if missing:
        raise SystemExit(f"{tool.name}: {len(missing)} of {len(contents['files'])} files are not there: {' '.join(missing[:3])}")


def median(samples):
    return {key: statistics.median(sample[key] for sample in samples) for key in KEYS}


def first(root, kinds, arguments):
    samples = {kind.name: [] for kind in kinds}
    with fixture_upstream.FixtureUpstream(fixture_upstream.kept(arguments.projects)) as upstream:
        for number in range(arguments.rounds):
            for kind in kinds:
                tool = kind(root / f"first-{kind.name}-{number}", arguments.patience)
                os.sync()  # what was written before is not in this one's time
                samples[kind.name].append(tool.sync(upstream))
                check(tool, upstream.contents)
                print(".", end="", file=sys.stderr, flush=True)
    return {name: median(of) for name, of in samples.items()}


def later(root, kinds, arguments):
    """{tool: {"changed": figures, "unchanged": figures}}: with the list that has changes, and once more with the same."""
    before = fixture_upstream.generate_list(root / "list-before", arguments.listed)
    after = fixture_upstream.generate_list(root / "list-after", arguments.listed, arguments.changed)
    result = {}
    for kind in kinds:
        tool = kind(root / f"later-{kind.name}", arguments.patience)
        with fixture_upstream.FixtureUpstream(before, bare=True) as upstream:
            tool.knows(upstream, arguments.listed)
            port = int(upstream.root.rpartition(":")[2])
        print(".", end="", file=sys.stderr, flush=True)
        with fixture_upstream.FixtureUpstream(after, bare=True, port=port) as upstream:
            changed = tool.sync(upstream)
            check(tool, upstream.contents)
            result[kind.name] = {"changed": changed, "unchanged": median([tool.sync(upstream) for _ in range(3)])}
        print(".", end="", file=sys.stderr, flush=True)
    return result


def shown(figures):
    return f"{figures['wall_ms'] / 1e3:9.2f} s wall {figures['cpu_ms'] / 1e3:9.2f} s CPU {figures['peak_kib'] / 1024:7.1f} MiB, own {figures['own_kib'] / 1024:6.1f} MiB"


def report_first(result, arguments):
    print(f"\nfirst sync of {arguments.projects:,} projects, {arguments.rounds} rounds")
    for name, figures in result.items():
        print(f"  {name:13}{shown(figures)}")
    if len(result) < 2:
        return True
    ratio = {key: result["bandersnatch"][key] / result["dae"][key] for key in KEYS}
    held = {key: ratio[key] >= bar for key, bar in (("wall_ms", FIRST_WALL), ("peak_kib", FIRST_MEMORY), ("own_kib", FIRST_MEMORY))}
    word = {key: "held" if good else "NOT HELD" for key, good in held.items()}
    print(f"  bandersnatch / dae: {ratio['wall_ms']:.1f} wall (bar {FIRST_WALL}: {word['wall_ms']}), {ratio['cpu_ms']:.1f} CPU, {ratio['peak_kib']:.1f} resident memory "
          f"(bar {FIRST_MEMORY}: {word['peak_kib']}), {ratio['own_kib']:.1f} memory of its own (bar {FIRST_MEMORY}: {word['own_kib']})")
    return all(held.values())


def report_later(result, arguments):
    print(f"\n{arguments.changed} of {arguments.listed:,} projects changed")
    for name, runs in result.items():
        beyond = (runs["changed"]["cpu_ms"] - runs["unchanged"]["cpu_ms"]) / 1e3
        print(f"  {name:13}{shown(runs['changed'])}; nothing changed: {shown(runs['unchanged'])}; {beyond:.2f} s CPU beyond it")
    if "dae" not in result:
        return True
    beyond = (result["dae"]["changed"]["cpu_ms"] - result["dae"]["unchanged"]["cpu_ms"]) / 1e3
    good = beyond < LATER_CPU_S
    print(f"  dae: {beyond:.2f} s CPU beyond reading the list (bar {LATER_CPU_S:g}): {'held' if good else 'NOT HELD'}")
    return good


def tools(arguments):
    """What is measured. Ends with 77 when one is wanted that cannot be had."""
    global BANDERSNATCH
    kinds = {"dae": Dae, "bandersnatch": Bandersnatch}
    chosen = [kinds[name] for name in arguments.tools.split(",")]
    if Dae in chosen and not has_command("sync"):
        frozen.skip(f"{DAE} has no `mirror sync`")
    if Bandersnatch in chosen:
        # Each new major version wants a newer python; with an old one pip quietly takes an old bandersnatch.
        python = peer_tools.python_at_least(13)
        folder = peer_tools.venv("bandersnatch", "bandersnatch>=8", "uvloop", python=python) if python else None
        if not folder:
            frozen.skip("bandersnatch 8 cannot be had: it wants python 3.13 and the index that pip uses here")
        BANDERSNATCH = folder / "bandersnatch"
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=20_000)
    parser.add_argument("--listed", type=int, default=700_000)
    parser.add_argument("--changed", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["first", "later"])
    parser.add_argument("--tools", default="dae,bandersnatch")
    parser.add_argument("--quick", action="store_true", help="2,000 projects, 50,000 listed, one round")
    parser.add_argument("--patience", type=int, default=1800, help="seconds for one run")
    parser.add_argument("--folder", default="/var/tmp")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.projects, arguments.listed, arguments.rounds = min(arguments.projects, 2000), min(arguments.listed, 50_000), 1
    fixture_upstream.require_nginx()
    kinds = tools(arguments)
    root = pathlib.Path(tempfile.mkdtemp(prefix="dae-bench-sync-", dir=arguments.folder))
    root.chmod(0o755)
    every, good = {}, True
    try:
        if arguments.only != "later":
            every["first"] = first(root, kinds, arguments)
        if arguments.only != "first":
            every["later"] = later(root, kinds, arguments)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print(f"\n{datetime.date.today()}, {os.cpu_count()} cores", end="")
    if "first" in every:
        good &= report_first(every["first"], arguments)
    if "later" in every:
        good &= report_later(every["later"], arguments)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(every, indent=1) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
