"""dae and uv side by side, resolving real requirements from one frozen index; prints one table a mode.

    resolve.py [--modes warm,cold,no-metadata,no-op] [--inputs NAME,...] [--runs N] [--round-trip-ms 20]
               [--json FILE] [--markdown]

- warm: all pages and metadata in the tool's cache, `--offline`; dae's lock and uv's output are removed before each run,
  so that both solve.
- cold: empty caches, the index 20 ms away (10 each way and one round trip for each handshake).
- no-metadata: the same, and the index announces no metadata: it is read out of the wheels by range requests.
- no-op: nothing to do, in a project of about a hundred installed packages.

Runs alternate, so that a slow moment of the machine hits both; the first of each is dropped. Wall and CPU times are
medians (the least beside it), memory is the largest peak. The index is tests/support/frozen_index.py's: make it with
its `fill`. There are no upload times, so that the frozen index itself is the cutoff for both.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import frozen_index as frozen  # noqa: E402
import ranged_index  # noqa: E402
from harness import DAE  # noqa: E402
from peer_tools import tools_or_skip  # noqa: E402


def measure(command, env, cwd, log):
    done = subprocess.run([frozen.tool("measure_run"), log, *map(str, command)], env=env, cwd=cwd, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def last_lines(log, count=3):
    return " | ".join(pathlib.Path(log).read_text(errors="replace").strip().splitlines()[-count:])


def pins(output):
    """How many packages were pinned: blocks of a pylock.toml, or lines of a requirements file."""
    if not output.exists():
        return 0
    text = output.read_text()
    return text.count("[[packages]]") if output.suffix == ".toml" else sum("==" in line or " @ " in line for line in text.splitlines())


class Samples:
    def __init__(self):
        self.all, self.pins, self.requests, self.files, self.trouble = [], 0, None, 0, ""

    def summary(self):
        if not self.all:
            return {"trouble": self.trouble}
        wall, cpu = ([sample[key] for sample in self.all] for key in ("wall_ms", "cpu_ms"))
        result = {"wall_ms": statistics.median(wall), "least_ms": min(wall), "cpu_ms": statistics.median(cpu),
                  "peak_mib": max(sample["peak_kib"] for sample in self.all) / 1024, "runs": len(self.all)}
        if self.pins:
            result["pins"] = self.pins
        if self.requests:
            result["requests"] = self.requests
        if self.files:
            result["files"] = self.files
        if self.trouble:
            result["trouble"] = self.trouble
        return result


def alternate(cases, runs, seconds):
    """cases: name -> function that does one run and returns (sample, Samples fields). A tool that fails is left out from then on."""
    samples = {name: Samples() for name in cases}
    spent = 0.0
    for number in range(runs + 1):
        for name, once in cases.items():
            if samples[name].trouble:
                continue
            sample, fields = once()
            for key, value in fields.items():
                setattr(samples[name], key, value)
            if number > 0:
                samples[name].all.append(sample)
            spent += sample["wall_ms"] / 1000
        if spent > seconds and number >= 2:
            break
    return {name: values.summary() for name, values in samples.items()}


def resolution(tool, source, folder, offline, server):
    def once():
        if not offline:
            tool.forget()
        command, output = tool.resolve(source, offline)
        if server:
            server.requests()
        sample = measure(command, tool.env, tool.folder, folder / "log")
        fields = {"pins": pins(output)}
        if server:
            counts = server.requests()
            fields["requests"] = counts["pages"] + counts["files"] + counts["metadata"]
            if counts["missing"]:
                fields["requests"] = f"{fields['requests']} ({counts['missing']} not kept)"
        if sample["exit"] != 0:
            fields["trouble"] = f"exit {sample['exit']}: {last_lines(folder / 'log')}"
        return sample, fields
    return once


def tools_for(folder, name, url):
    where = folder / name.replace("/", "-")
    return [kind(where / kind.name, url) for kind in (frozen.Dae, frozen.Uv)]


def warm(names, runs, folder, arguments):
    with frozen.Mirror() as mirror:
        for name in names:
            source = frozen.input_file(name)
            cases, failed = {}, {}
            for tool in tools_for(folder, name, mirror.url):
                try:  # fills the cache
                    done, _ = frozen.run(tool, source, timeout=arguments.patience)
                    trouble = "" if done.returncode == 0 else f"exit {done.returncode}: " + " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
                except subprocess.TimeoutExpired:
                    trouble = f"no answer in {arguments.patience} s"
                missing = mirror.requests()["missing"]
                if trouble:
                    failed[tool.name] = {"trouble": trouble + (f" ({missing} files are not kept)" if missing else "")}
                else:
                    cases[tool.name] = resolution(tool, source, folder, True, None)
            yield name, {**alternate(cases, runs, arguments.seconds), **failed}


def cold(names, runs, folder, arguments):
    with frozen.Mirror() as mirror, frozen.Distance(mirror, arguments.round_trip_ms) as far:
        yield from from_afar(names, runs, folder, arguments, mirror, far)


def no_metadata(names, runs, folder, arguments):
    with frozen.StaticIndex(ranged_index.make()) as index, frozen.Distance(index, arguments.round_trip_ms) as far:
        yield from from_afar(names, runs, folder, arguments, index, far)


def from_afar(names, runs, folder, arguments, server, far):
    for name in names:
        cases = {tool.name: resolution(tool, frozen.input_file(name), folder, False, server) for tool in tools_for(folder, name, far.url)}
        yield name, alternate(cases, min(runs, arguments.cold_runs), arguments.seconds)


def no_op(_, runs, folder, arguments):
    with frozen.Mirror() as mirror:
        (ours, app, our_env), (theirs, project, uv_env) = frozen.sync_project(folder, mirror.url)

        def once(command, where, env):
            def run():
                sample = measure(command, env, where, folder / "log")
                return sample, {"trouble": "" if sample["exit"] == 0 else last_lines(folder / "log")}
            return run
        uv = str(tools_or_skip() / "uv")
        yield "install, sync", alternate({"dae": once(ours, app, our_env), "uv": once(theirs, project, uv_env)}, runs, arguments.seconds)
        yield "install --locked, lock --check", alternate(
            {"dae": once([*ours, "--locked"], app, our_env), "uv": once([uv, "lock", "--check"], project, uv_env)}, runs, arguments.seconds)


MODES = {"warm": warm, "cold": cold, "no-metadata": no_metadata, "no-op": no_op}


def cells(name, result):
    dae, uv = result.get("dae", {}), result.get("uv", {})

    def pair(key, form):
        return " / ".join(form.format(side[key]) if key in side else "-" for side in (dae, uv))
    ratio = f"{dae['wall_ms'] / uv['wall_ms']:.2f}" if "wall_ms" in dae and "wall_ms" in uv else "-"
    return [name.rpartition("/")[2], pair("wall_ms", "{:.1f}"), pair("least_ms", "{:.1f}"), ratio, pair("cpu_ms", "{:.0f}"), pair("peak_mib", "{:.0f}"),
            pair("pins", "{}"), pair("requests", "{}")]


HEADER = ["input", "wall ms dae / uv", "least", "dae/uv", "CPU ms", "peak MiB", "packages", "requests"]


def print_table(mode, rows, markdown, header=tuple(HEADER), cells_of=cells):
    table = [header, *(cells_of(name, result) for name, result in rows)]
    used = [i for i in range(len(header)) if i == 0 or any(row[i] not in ("-", "- / -") for row in table[1:])]
    table = [[row[i] for i in used] for row in table]
    widths = [max(len(row[i]) for row in table) for i in range(len(used))]
    print(f"\n### {mode}\n" if markdown else f"\n{mode}")
    for number, row in enumerate(table):
        line = ("| {} |" if markdown else "{}").format((" | " if markdown else "   ").join(cell.ljust(width) for cell, width in zip(row, widths)))
        print(line.rstrip())
        if markdown and number == 0:
            print("|" + "---|" * len(row))
    for name, result in rows:
        for side, values in result.items():
            if values.get("trouble"):
                print(f"{name}: {side}: {values['trouble'][:300]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--inputs", default=",".join(frozen.SOLVABLE))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--cold-runs", type=int, default=5)
    parser.add_argument("--round-trip-ms", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=60, help="after as much measured time an input has had enough runs")
    parser.add_argument("--patience", type=float, default=600, help="seconds for the run that fills the cache")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    frozen.require_filled()
    by_short = {name.rpartition("/")[2]: name for name in frozen.SOLVABLE}
    names = [by_short[name.rpartition("/")[2]] for name in arguments.inputs.split(",")]
    uv = subprocess.run([tools_or_skip() / "uv", "--version"], capture_output=True, text=True).stdout.split()[1]
    print(f"{datetime.date.today()}, {os.cpu_count()} cores, {platform.machine()}, uv {uv}, Python {frozen.PYTHON}", flush=True)
    every = {}
    for mode in arguments.modes.split(","):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="dae-bench-"))
        try:
            rows = []
            for name, result in MODES[mode](names, arguments.runs, folder, arguments):
                rows.append((name, result))
                print(".", end="", file=sys.stderr, flush=True)
            every[mode] = dict(rows)
            print_table(mode, rows, arguments.markdown)
        finally:
            subprocess.run(["chmod", "-R", "u+w", folder], check=False)  # the unpacked store is read-only on purpose
            shutil.rmtree(folder, ignore_errors=True)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(every, indent=1) + "\n")


if __name__ == "__main__":
    main()
