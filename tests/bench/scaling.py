"""How the cost of a warm resolution grows: synthetic indexes of n packages with m versions each, written to disk and served
as files. Prints time and what was asked for, fits CPU time = a + b * size^k for both directions (the least of the runs: it
stands still when the machine does not), and fails above the limit.

    scaling.py [--limit 1.35] [--runs 5] [--json FILE]

- packages: each needs the next three, so that all are chosen: n = 50 ... 2000, with 20 versions each.
- versions: of 50 packages; each version of a package needs the same version of the next or an older one, and the last
  package refuses the newest tenth, so that the resolver has to step down everywhere: m = 5 ... 500.
- unrelated: the index grows and what is asked for does not: the time must not change.

The limit is generous: it catches a quadratic, not a constant.
"""
import argparse
import hashlib
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import frozen_index as frozen  # noqa: E402


def write_package(root, name, versions):
    """versions: {version: [requirements]}; the wheels themselves are never asked for."""
    files = []
    for version, requires in versions.items():
        file = f"{name}-{version}-py3-none-any.whl"
        text = "".join([f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", *(f"Requires-Dist: {r}\n" for r in requires)])
        (root / "files" / (file + ".metadata")).write_text(text)
        files.append({"filename": file, "url": f"../../files/{file}", "hashes": {"sha256": hashlib.sha256(file.encode()).hexdigest()},
                      "core-metadata": {"sha256": hashlib.sha256(text.encode()).hexdigest()}, "yanked": False})
    page = root / "simple" / name
    page.mkdir()
    (page / "index.json").write_text(json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": files}))


def wide(root, n, m=20):
    for i in range(n):
        needs = [f"p{j}>=1" for j in (2 * i + 1, 2 * i + 2, i + 1) if j < n]
        write_package(root, f"p{i}", {f"1.{v}": needs for v in range(m)})
    return ["p0"]


def deep(root, m, n=50):
    """p(i) 1.v needs p(i+1) <= 1.v: whoever is taken first has to be given up for an older one when the last is known."""
    for i in range(n):
        last = i == n - 1
        write_package(root, f"p{i}", {f"1.{v}": [] if last else [f"p{i + 1}=={'1.%d' % v}"] for v in range(m if not last else m - m // 10)})
    return ["p0"]


def shallow(root, n, m=20):
    for i in range(n):
        write_package(root, f"p{i}", {f"1.{v}": [f"p{i + 1}"] if i < 49 else [] for v in range(m)})
    return ["p0"]


def measure(make, size, runs, folder):
    root = folder / f"{make.__name__}-{size}"
    (root / "files").mkdir(parents=True)
    (root / "simple").mkdir()
    source = folder / f"{make.__name__}-{size}.in"
    source.write_text("\n".join(make(root, size)) + "\n")
    with frozen.StaticIndex(root) as index:
        tool = frozen.Dae(folder / f"{make.__name__}-{size}-dae", index.url)
        done, output = frozen.run(tool, source, timeout=600)
        if done.returncode != 0:
            raise SystemExit(f"{make.__name__} {size}: exit {done.returncode}\n{done.stderr[-2000:]}")
        asked = index.requests()
    times, cpu, peak = [], [], 0
    for _ in range(runs + 1):
        command, output = tool.resolve(source, offline=True)
        sample = json.loads(subprocess.run([frozen.tool("measure_run"), folder / "log", *command], env=tool.env, cwd=folder,
                                           check=True, capture_output=True, text=True).stdout)
        if sample["exit"] != 0:
            raise SystemExit((folder / "log").read_text()[-2000:])
        times.append(sample["wall_ms"])
        cpu.append(sample["cpu_ms"])
        peak = max(peak, sample["peak_kib"])
    return {"size": size, "wall_ms": statistics.median(times[1:]), "cpu_ms": min(cpu[1:]), "peak_mib": peak / 1024, "pages": asked["pages"],
            "metadata": asked["metadata"], "packages": output.read_text().count("[[packages]]")}


def exponent(rows):
    """Slope of log(CPU time above the start-up cost) over log(size), by least squares over the upper half of the sizes."""
    base = min(row["cpu_ms"] for row in rows) * 0.9
    points = [(math.log(row["size"]), math.log(max(row["cpu_ms"] - base, 0.1))) for row in rows[len(rows) // 2:]]
    mean_x, mean_y = (statistics.mean(p[i] for p in points) for i in (0, 1))
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=1.35)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    every, failed = {}, []
    with tempfile.TemporaryDirectory(prefix="dae-scaling-") as name:
        for what, make, sizes in (("packages", wide, (50, 100, 250, 500, 1000, 2000)), ("versions", deep, (5, 20, 50, 100, 250, 500)),
                                  ("unrelated", shallow, (50, 500, 2000))):
            rows = [measure(make, size, arguments.runs, pathlib.Path(name)) for size in sizes]
            print(f"\n{what:>10}   wall ms    CPU ms   peak MiB   pages   metadata   chosen")
            for row in rows:
                print(f"{row['size']:>10}   {row['wall_ms']:7.1f}   {row['cpu_ms']:7.1f}   {row['peak_mib']:8.1f}   {row['pages']:5}   {row['metadata']:8}   {row['packages']:6}")
            if what == "unrelated":
                growth = rows[-1]["cpu_ms"] / rows[0]["cpu_ms"]
                print(f"forty times the index: {growth:.2f} times the time")
                if growth > 1.5:
                    failed.append(f"an index that is larger but not asked costs {growth:.2f} times as much")
            else:
                fitted = exponent(rows)
                print(f"exponent {fitted:.2f} (limit {arguments.limit})")
                if fitted > arguments.limit:
                    failed.append(f"{what}: exponent {fitted:.2f}")
            every[what] = rows
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(every, indent=1) + "\n")
    if failed:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main()
