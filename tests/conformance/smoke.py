"""Does what is installed in an environment start: imports of packages, programs in bin/. Each in a process of its own, in a
folder and with a home of its own, without input, for a limited time. Imports may also be tried several in one process, which is
much quicker where they need the same modules: what fails there is asked again in a process of its own.
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

IMPORT_SECONDS, GROUP_SECONDS, SCRIPT_SECONDS = 120, 300, 60
AT_ONCE = max(2, os.cpu_count() or 1)
GROUP = 16
IMPORT_GROUP = """import importlib, sys
for name in sys.argv[2:]:
    try:
        importlib.import_module(name)
    except BaseException:
        continue
    with open(sys.argv[1], "a") as imported:
        print(name, file=imported)
"""
MODULE = re.compile(r"(?P<name>[^\W\d]\w*)(\.py|(\.[\w-]+)*\.so)")
IDENTIFIER = re.compile(r"[^\W\d]\w*")


def top_packages(record_paths):
    """What a distribution adds to import, by the paths of its RECORD: modules beside packages, packages without their inner
    ones. Of a namespace package that is what stands in it: "google.cloud.storage", not "google"."""
    modules, packages = set(), set()
    for path in record_paths:
        *folders, name = path.split("/")
        found = MODULE.fullmatch(name)
        if not found or not all(IDENTIFIER.fullmatch(folder) for folder in folders):
            continue
        if found["name"] == "__init__":
            packages.add(".".join(folders))
        elif found["name"] != "__main__":
            modules.add(".".join([*folders, found["name"]]))
    packages.discard("")
    outer = {name for name in packages if not any(name.startswith(other + ".") for other in packages)}
    loose = {name for name in modules if not any(name.startswith(other + ".") for other in outer)}
    # Folders of data and templates hold modules, too, which nobody imports: only those at the top count, unless there is nothing else.
    shallow = {name for name in loose if "." not in name}
    return outer | (shallow or (set() if outer else loose))


def limited(command, env, seconds):
    """(exit status, the end of what it said); "timeout" for one that hangs: it and its children are ended then."""
    folder = tempfile.mkdtemp(prefix="dae-smoke-")
    output = open(os.path.join(folder, "output"), "w+b")
    env = {**env, "HOME": folder, "TMPDIR": folder, "XDG_CACHE_HOME": folder + "/cache", "XDG_CONFIG_HOME": folder + "/config", "XDG_DATA_HOME": folder + "/data"}
    os.mkdir(os.path.join(folder, "work"))
    try:
        process = subprocess.Popen(command, env=env, cwd=os.path.join(folder, "work"), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    except OSError as error:
        return "does not start", str(error.errno)
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        status = "timeout"
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)  # what it left behind, too
        except ProcessLookupError:
            pass
        process.wait()
        output.seek(0, os.SEEK_END)
        output.seek(max(0, output.tell() - 4000))
        said = output.read().decode(errors="replace").replace(folder, "~")
        output.close()
        shutil.rmtree(folder, ignore_errors=True)
    lines = [line for line in said.splitlines() if line.strip()]
    return status, re.sub(r"0x[0-9a-f]+|\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d[.,\d]*|\b\d+\b", "#", lines[-1][:300]) if lines and status != 0 else ""


def one_after_the_other(what, jobs, work):
    """{job: result}, some at once; tells how far it is."""
    results, started = {}, time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for job, result in zip(jobs, pool.map(work, jobs)):
            results[job] = result
            if len(results) % 100 == 0 or len(results) == len(jobs):
                print(f"    {what}: {len(results)} of {len(jobs)} after {time.monotonic() - started:.0f} s", flush=True)
    return results


def import_all(venv, names, env, group=1):
    python = pathlib.Path(venv) / "bin" / "python"
    good = {name: (0, "") for name in imported_together(python, names, env, group)} if group > 1 else {}
    alone = [name for name in names if name not in good]
    good.update(one_after_the_other("imports", alone, lambda name: limited([python, "-c", f"import importlib; importlib.import_module({name!r})"], env, IMPORT_SECONDS)))
    return {name: good[name] for name in names}


def imported_together(python, names, env, group):
    """Those that could be imported, one after the other in a process for each `group` of them."""
    with tempfile.TemporaryDirectory(prefix="dae-smoke-") as folder:
        def work(start):
            answer = pathlib.Path(folder) / str(start)
            limited([python, "-c", IMPORT_GROUP, answer, *names[start:start + group]], env, GROUP_SECONDS)
            return answer.read_text().split("\n") if answer.exists() else []
        found = one_after_the_other("groups of imports", range(0, len(names), group), work)
    return set(names) & {name for part in found.values() for name in part}


def start_all(venv, scripts, env):
    env = {**env, "PATH": f"{venv}/bin:{env['PATH']}", "VIRTUAL_ENV": str(venv), "COLUMNS": "80", "TERM": "dumb"}

    def start(script):
        helped = limited([pathlib.Path(venv) / script, "--help"], env, SCRIPT_SECONDS)
        return helped if helped[0] == 0 else (helped, limited([pathlib.Path(venv) / script, "--version"], env, SCRIPT_SECONDS))
    return one_after_the_other("scripts", scripts, start)


def differing(ours, theirs, again, theirs_again):
    """Lines for what differs; both are asked again once, since some need the network or a moment without load."""
    problems = []
    for job, result in theirs.items():
        if verdict(ours[job]) != verdict(result):
            mine, other = again(job), theirs_again(job)
            if verdict(mine) != verdict(other):
                problems.append(f"{job}: {mine} by dae, {other} by pip")
    return problems


def verdict(result):
    """Of imports the status, of scripts both."""
    return tuple(part[0] for part in result) if isinstance(result[0], tuple) else result[0]
