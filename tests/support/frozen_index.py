"""A package index that stands still: our own mirror, filled once by pull-through from the index that pip uses here, then
cut off from it (`frozen: true`). Benchmarks and the tests of real resolutions run against it, dae and uv alike.

    frozen_index.py fill [INPUT...]     resolve each input once with uv and once with dae through the open mirror
    frozen_index.py list

The real index serves no upload times here, so that no cutoff date can be given to both tools: the frozen index is the
cutoff. It stays in $DAE_BENCH_DIR (default ~/.cache/dae-bench) until that folder is removed; `fill` asks upstream again
only for what is not kept. The inputs are files of requirements below $DAE_SHARED_DATA (default ../shared/data beside
the checkout), folder requirements/.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import DAE, ROOT  # noqa: E402
from peer_tools import tools_or_skip  # noqa: E402

BENCH_DIR = pathlib.Path(os.environ.get("DAE_BENCH_DIR", os.path.expanduser("~/.cache/dae-bench")))
DATA = pathlib.Path(os.environ.get("DAE_SHARED_DATA", ROOT.parent / "shared" / "data")) / "requirements"
SOLVABLE = ["trio", "black", "jupyter", "boto3", "airflow", "bio_embeddings", "backtracking/apache-beam-dill",
            "backtracking/numpy-numba", "backtracking/numpy-sparse", "backtracking/starlette-fastapi"]
WITHOUT_SOLUTION = ["home-assistant", "transformers-extras"]
# Root requirements on which pip's resolver gave up or ran for hours, as its issues tell; the newest versions, not those of that day.
HARD = {
    "hard/trustllm": ["trustllm"],
    "hard/machine-learning-course": [
        "openai", "anthropic", "transformers", "diffusers", "accelerate", "bitsandbytes", "evaluate", "langchain", "langchain-core",
        "langchain-text-splitters", "langchain-openai", "langchain-chroma", "langchain-community", "scikit-learn", "torch", "torchvision",
        "torchaudio", "tf-keras", "datasets", "streamlit", "gradio", "flask", "python-dotenv", "ipykernel", "ipywidgets", "tavily-python",
        "requests", "plotly", "nbformat"],
    "hard/rapidjson-sentry": ["python-rapidjson<=1.20,>=1.4", "sentry-kafka-schemas<=0.1.113,>=0.1.50"],
    "hard/bigquery-soda": ["google-cloud-bigquery>=3", "soda-core"],
    "hard/bigquery-weaviate": ["google-cloud-bigquery>=3.27", "weaviate-client>=4.9.3"],
}
PROJECT = "project"  # ~100 installed packages, for what is measured when nothing has to be done
PYTHON = "3.11"
FILL_RUNS, FILL_SECONDS = 4, int(os.environ.get("DAE_FILL_SECONDS", "900"))
APP = f'name: bench\npython: "=={PYTHON}.*"\ninstances:\n  web: {{type: web, wsgi: "app:app"}}\n'


def skip(why):
    print("skipped:", why, file=sys.stderr)
    sys.exit(77)


def input_file(name):
    if name in HARD:
        path = BENCH_DIR / (name + ".in")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(HARD[name]) + "\n")
        return path
    return DATA / f"{name}.in"


def require_inputs():
    if not DATA.is_dir():
        skip(f"no inputs in {DATA}: set DAE_SHARED_DATA to the folder that has requirements/")


def tool(name):
    """A program of tests/support, built by `ninja bench_tools`."""
    for folder in filter(None, (os.environ.get("DAE_BENCH_TOOLS"), pathlib.Path(DAE).parent)):
        if (pathlib.Path(folder) / name).exists():
            return str(pathlib.Path(folder) / name)
    skip(f"`{name}` is not beside {DAE}: build the target bench_tools")


def python_311():
    """The program itself: what is on the PATH may be a shell script that costs more than the resolution."""
    candidates = [sys.executable, f"python{PYTHON}", *map(str, pathlib.Path(os.path.expanduser("~/.pyenv/versions")).glob(f"{PYTHON}.*/bin/python"))]
    for candidate in candidates:
        try:
            done = subprocess.run([candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"],
                                  capture_output=True, text=True)
        except OSError:
            continue
        version, _, path = done.stdout.strip().partition(" ")
        if version == PYTHON:
            return path
    skip(f"no python {PYTHON}")


class Server:
    """A child process that serves; stopped by its process id."""

    def __init__(self, command, **how):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **how)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Mirror(Server):
    def __init__(self, frozen=True, folder=BENCH_DIR, port=0):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mirror.yaml").write_text(
            f"storage: {folder / 'index'}\nlisten: 127.0.0.1:{port}\n"
            f"indexes:\n  pypi: {{upstream: pip, frozen: {'true' if frozen else 'false'}}}\n")
        ready = folder / f"ready-{os.getpid()}"
        ready.unlink(missing_ok=True)
        super().__init__([DAE, "mirror", "serve", "-c", folder / "mirror.yaml", "--ready-file", ready],
                         stderr=open(folder / "mirror.log", "a"), stdout=subprocess.DEVNULL)
        while not ready.exists() or not ready.read_text().endswith("\n"):
            if self.process.poll() is not None:
                raise SystemExit(f"the mirror did not start, see {folder / 'mirror.log'}")
            time.sleep(0.02)
        self.root = re.search(r"http://[^\s\"]+", ready.read_text())[0].rstrip("/")
        ready.unlink()
        self.port = int(self.root.rpartition(":")[2])
        self.url = self.root + "/pypi/simple/"
        self._before = self._read()

    def _metrics(self):
        with urllib.request.urlopen(self.root + "/metrics") as answer:
            return answer.read().decode()

    def upstream_fetches(self):
        return sum(int(n) for n in re.findall(r"^dae_mirror_upstream_(?:pages|files|metadata)_total (\d+)", self._metrics(), re.M))

    def _read(self):
        text = self._metrics()
        return {(route, status): int(count) for route, status, count in
                re.findall(r'^dae_mirror_requests_total\{route="(\w+)",status="(\w+)"\} (\d+)', text, re.M)}

    def requests(self):
        """Requests answered since asked last: {"pages", "files", "metadata", "missing"}."""
        now = self._read()
        counts = {key: now[key] - self._before.get(key, 0) for key in now}
        self._before = now
        by = {"pages": "index", "files": "package", "metadata": "metadata"}
        result = {name: sum(n for (r, status), n in counts.items() if r == route) for name, route in by.items()}
        result["missing"] = sum(n for (route, status), n in counts.items() if status == "4xx" and route in by.values())
        return result


class StaticIndex(Server):
    """A folder of pages and files, served by the test tool static_index."""

    def __init__(self, folder):
        super().__init__([tool("static_index"), folder], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.port = int(self.url.split(":")[2].split("/")[0])

    def requests(self):
        with urllib.request.urlopen(self.url.replace("/simple/", "/count")) as answer:
            return json.load(answer)


class Distance(Server):
    """The test tool latency_proxy before a server: `url` is that server's, seen from afar."""

    def __init__(self, server, round_trip_ms):
        super().__init__([tool("latency_proxy"), "--to", str(server.port), "--round-trip-ms", str(round_trip_ms)],
                         stdout=subprocess.PIPE, text=True)
        port = int(self.process.stdout.readline())
        self.url = server.url.replace(f":{server.port}/", f":{port}/")

    def connections(self):
        self.process.send_signal(signal.SIGUSR1)
        return int(self.process.stdout.readline().split()[1])


class Tool:
    """How one of the two is asked to resolve an input, in a folder and with caches of its own."""

    def __init__(self, folder, index_url):
        self.folder = pathlib.Path(folder)
        self.cache = self.folder / "cache"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.index_url = index_url
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("DAE_", "PIP_", "UV_", "XDG_", "VIRTUAL_ENV"))}
        self.env = {**keep, **self.settings(), "HOME": str(self.folder / "home"), "NO_COLOR": "1"}
        (self.folder / "home").mkdir(exist_ok=True)

    def forget(self):
        shutil.rmtree(self.cache, ignore_errors=True)


class Dae(Tool):
    name = "dae"

    def settings(self):
        return {"DAE_CACHE_DIR": str(self.cache), "DAE_DATA_DIR": str(self.folder / "data"), "DAE_CONFIG_DIR": str(self.folder / "config"),
                "DAE_INDEX": self.index_url, "USER": "bench"}

    def resolve(self, source, offline=False):
        """The command, and the file that it writes; what an earlier run wrote is gone."""
        output = self.folder / "pylock.toml"
        output.unlink(missing_ok=True)
        command = [DAE, *(["--offline"] if offline else []), "lock", source, "-o", output, "-p", python_311()]
        return list(map(str, command)), output


class Uv(Tool):
    name = "uv"

    def settings(self):
        return {"UV_CACHE_DIR": str(self.cache), "UV_DEFAULT_INDEX": self.index_url, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_CONFIG": "1"}

    def resolve(self, source, offline=False):
        output = self.folder / "out.txt"
        output.unlink(missing_ok=True)  # its pins would be preferences
        command = [tools_or_skip() / "uv", "pip", "compile", "-q", "-p", python_311(), source, "-o", output,
                   "--no-annotate", "--no-header", *(["--offline"] if offline else [])]
        return list(map(str, command)), output


def run(tool_, source, offline=False, timeout=1800):
    command, output = tool_.resolve(source, offline)
    done = subprocess.run(command, env=tool_.env, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, cwd=tool_.folder)
    return done, output


def sync_project(folder, index_url):
    """The project whose no-op is measured: made, locked and installed by both."""
    dae, uv = Dae(folder / "dae", index_url), Uv(folder / "uv", index_url)
    app, project = dae.folder / "app", uv.folder / "project"
    for where in (app, project):
        where.mkdir(exist_ok=True)
        (where / "pyproject.toml").write_text(
            f'[project]\nname = "bench"\nversion = "1"\nrequires-python = "=={PYTHON}.*"\ndependencies = ["jupyter"]\n')
    (app / "app.yaml").write_text(APP)
    ours = ([DAE, "install", "-p", python_311()], app, dae.env)
    uv_env = {**uv.env, "UV_PYTHON": python_311()}
    theirs = ([str(tools_or_skip() / "uv"), "sync", "--no-install-project"], project, uv_env)
    for command, where, env in (ours, theirs):
        subprocess.run(list(map(str, command)), cwd=where, env=env, check=True, capture_output=True, text=True)
    (BENCH_DIR / "keep.json").write_text(json.dumps(sorted(set(re.findall(r"[0-9a-f]{64}", (app / "pylock.toml").read_text())))))
    return ours, theirs


def filled():
    try:
        return json.loads((BENCH_DIR / "filled.json").read_text())
    except OSError:
        return {}


def require_filled():
    require_inputs()
    if not filled():
        skip(f"no frozen index in {BENCH_DIR}: `python3 tests/support/frozen_index.py fill` makes it from the index that pip uses")


def hold_pages():
    """A page that is kept is not asked for again by a later fill: all of the index is of one day."""
    catalog = BENCH_DIR / "index" / "catalog.db"
    if catalog.exists():
        with sqlite3.connect(catalog) as connection:
            connection.execute("UPDATE freshness SET fresh_until_ms = ?", (int(time.time() * 1000) + 86_400_000,))
        connection.close()


def resolve_until_kept(kind, mirror, name, folder):
    """What is asked ahead of need differs from run to run: again until a run finds all it asks for. None: no answer in time."""
    code = None
    for _ in range(FILL_RUNS):
        tool_, before, started = kind(folder, mirror.url), mirror.upstream_fetches(), time.monotonic()
        try:
            code = run(tool_, input_file(name), timeout=FILL_SECONDS)[0].returncode
        except subprocess.TimeoutExpired:
            pass
        fetched = mirror.upstream_fetches() - before
        print(f"{name}: {kind.name} exit {code} after {time.monotonic() - started:.1f} s, {fetched} fetched", flush=True)
        tool_.forget()
        if fetched == 0 or code is None:
            break
    return code


def fill(names):
    require_inputs()
    hold_pages()
    known = filled()
    with Mirror(frozen=False) as mirror, tempfile.TemporaryDirectory(prefix="dae-fill-") as folder:
        for name in names:
            entry = {}
            if name == PROJECT:
                sync_project(pathlib.Path(folder) / "project", mirror.url)
                entry = {"uv": 0, "dae": 0}
            else:
                for kind in (Uv, Dae):
                    entry[kind.name] = resolve_until_kept(kind, mirror, name, pathlib.Path(folder) / name.replace("/", "-") / kind.name)
            known[name] = entry
            (BENCH_DIR / "filled.json").write_text(json.dumps(known, indent=1))
            print(name, mirror.requests(), flush=True)
    prune()


def prune(keep_below_bytes=32 << 20):
    """Large wheels were pulled only for the metadata in them, which is kept by itself. A resolution reads nothing else of
    them, except those of which it makes an environment to build in (smaller ones); those of the project are installed, too."""
    keep = BENCH_DIR / "keep.json"
    keep = set(json.loads(keep.read_text())) if keep.exists() else set()
    installed = BENCH_DIR / "install" / "contents.json"  # install_index.py's
    if installed.exists():
        keep.update(digest for entry in json.loads(installed.read_text()).values() for digest in entry["wheels"].values())
    catalog = sqlite3.connect(BENCH_DIR / "index" / "catalog.db")
    wheels = catalog.execute("SELECT DISTINCT f.sha256 FROM files f JOIN known k USING (sha256) "
                             "WHERE f.name LIKE '%.whl' AND k.metadata_sha256 <> '' AND k.size_bytes > ?", (keep_below_bytes,)).fetchall()
    catalog.close()
    freed = 0
    for (digest,) in wheels:
        blob = BENCH_DIR / "index" / "blobs" / "sha256" / digest[:2] / digest
        if digest not in keep and blob.exists() and blob.stat().st_nlink == 1:
            freed += blob.stat().st_size
            blob.unlink()
    print(f"pruned {freed >> 20} MiB of wheels whose metadata is kept")


if __name__ == "__main__":
    if sys.argv[1:2] == ["fill"]:
        fill(sys.argv[2:] or [*SOLVABLE, *WITHOUT_SOLUTION, *HARD, PROJECT])
    elif sys.argv[1:] == ["list"]:
        for input_, how in filled().items():
            print(input_, how)
    else:
        raise SystemExit(__doc__)
