"""What installs are measured on: a lock for each input and the files that it names, in one folder that the test tool
static_index serves. Real inputs are locked once against the frozen index (frozen_index.py), without what has no wheel;
their wheels are pulled through the open mirror and stay there. Two inputs are made here:

- big: one wheel of over 100 MB with four large members and two hundred small ones.
- empty: one wheel with ten thousand empty files.

    install_index.py fill [INPUT...]
"""
import base64
import concurrent.futures
import hashlib
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import frozen_index as frozen  # noqa: E402
from harness import DAE  # noqa: E402

REAL = ["trio", "jupyter", "airflow"]
FOLDER = frozen.BENCH_DIR / "install"
HERE = "http://here/"  # in a kept lock, instead of the address of the server of a run
WHEEL = re.compile(r'(\{name = "(?P<name>[^"]+)", url = ")(?P<url>[^"]+)"(, size = \d+)?(, hashes = \{sha256 = "(?P<sha256>[0-9a-f]{64})"\}\})')


def blob(sha256):
    return frozen.BENCH_DIR / "index" / "blobs" / "sha256" / sha256[:2] / sha256


# ---- wheels made on the spot


def compressible(rng, size):
    """Words that come again among some that do not: deflate makes about half of it."""
    words = [rng.randbytes(rng.randrange(6, 40)) for _ in range(800)]
    out = []
    while size > 0:
        piece = b"".join(w + rng.randbytes(6) for w in rng.choices(words, k=2000))[:size]
        out.append(piece)
        size -= len(piece)
    return b"".join(out)


def big_files():
    rng = random.Random(5)
    for i in range(4):
        yield f"big/libpart{i}.so", compressible(rng, 60 << 20)
    for i in range(200):
        yield f"big/module{i:03}.py", compressible(rng, 4 << 10).hex().encode()


def empty_files():
    for i in range(10_000):
        yield f"empty/part{i // 100:02}/module{i % 100:02}.py", b""


def write_wheel(name, files):
    path = FOLDER / "files" / f"{name}-1.0-py3-none-any.whl"
    if path.exists():
        return path
    unfinished, dist_info, record = path.with_suffix(".part"), f"{name}-1.0.dist-info", []
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        def add(inside, data):
            archive.writestr(zipfile.ZipInfo(inside), data, zipfile.ZIP_DEFLATED if data else zipfile.ZIP_STORED)
            hash_ = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{inside},sha256={hash_},{len(data)}\n")
        for inside, data in files:
            add(inside, data)
        add(f"{dist_info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode())
        add(f"{dist_info}/WHEEL", b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{dist_info}/RECORD", "".join(record) + f"{dist_info}/RECORD,,\n")
    unfinished.rename(path)
    return path


MADE = {"big": big_files, "empty": empty_files}

# ---- locks


def app_folder(name):
    return FOLDER / "inputs" / name


def lock(name, index_url):
    """A project whose only requirements are the input's, locked by dae; both tools install from this lock."""
    app = app_folder(name)
    app.mkdir(parents=True, exist_ok=True)
    (app / "app.yaml").write_text(frozen.APP)
    (app / "pip-req.txt").write_text(f"{name}==1.0\n" if name in MADE else frozen.input_file(name).read_text())
    (app / "pylock.toml").unlink(missing_ok=True)
    tool = frozen.Dae(FOLDER / "work", index_url)
    done = subprocess.run([DAE, "install", "--no-sync", "-p", frozen.python_311()], cwd=app, env=tool.env, capture_output=True, text=True)
    shutil.rmtree(tool.folder)
    if done.returncode != 0:
        raise SystemExit(f"{name}: {done.stderr}")
    return (app / "pylock.toml").read_text()


def only_wheels(text):
    """The lock without packages that would have to be built; its wheels as {name: (url, sha256)}."""
    head, *blocks = re.split(r"(?m)^(?=\[\[packages\]\]$)", text)
    last, mark, tail = blocks[-1].partition("[tool.")
    blocks[-1] = last
    kept = [re.sub(r"(?m)^sdist = .*\n", "", block) for block in blocks if "\nwheels = [" in block]
    left_out = [re.search(r'(?m)^name = "(.*)"', block)[1] for block in blocks if "\nwheels = [" not in block]
    wheels = {found["name"]: (found["url"], found["sha256"]) for block in kept for found in WHEEL.finditer(block)}
    return head + "".join(kept) + mark + tail, wheels, left_out


def fetch(url, sha256):
    with urllib.request.urlopen(url, timeout=600) as answer:
        while answer.read(1 << 20):
            pass
    if not blob(sha256).exists():
        raise SystemExit(f"{url} was not kept")


def keep_wheels(wheels):
    missing = [(url, sha256) for url, sha256 in wheels.values() if not blob(sha256).exists()]
    if not missing:
        return
    print(f"pulling {len(missing)} wheels", flush=True)
    with frozen.Mirror(frozen=False) as mirror, concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda item: fetch(re.sub(r"^http://[^/]+", mirror.root, item[0]), item[1]), missing))


def finish(name, text, sizes):
    """Sizes are stated for both tools, as indexes do now; each file is served under its name."""
    def entry(found):
        return f'{found[1]}{HERE}files/{found["name"]}", size = {sizes[found["name"]]}{found[5]}'
    text = re.sub(r'(?m)^index = .*$', f'index = "{HERE}simple/"', WHEEL.sub(entry, text))
    (app_folder(name) / "pylock.toml").write_text(text)


def fill_real(name):
    with frozen.Mirror() as mirror:
        text, wheels, left_out = only_wheels(lock(name, mirror.url))
    keep_wheels(wheels)
    for file, (_, sha256) in wheels.items():
        place = FOLDER / "files" / file
        place.unlink(missing_ok=True)
        place.symlink_to(blob(sha256))
    finish(name, text, {file: blob(sha256).stat().st_size for file, (_, sha256) in wheels.items()})
    return {"wheels": {file: sha256 for file, (_, sha256) in sorted(wheels.items())}, "left_out": left_out}


def fill_made(name):
    path = write_wheel(name, MADE[name]())
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    page = FOLDER / "simple" / name
    page.mkdir(parents=True, exist_ok=True)
    (page / "index.json").write_text(json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": [
        {"filename": path.name, "url": f"../../files/{path.name}", "hashes": {"sha256": sha256}, "size": path.stat().st_size}]}))
    with frozen.StaticIndex(FOLDER) as index:
        text, wheels, left_out = only_wheels(lock(name, index.url))
    finish(name, text, {path.name: path.stat().st_size})
    return {"wheels": {path.name: sha256}, "left_out": left_out}


def contents():
    try:
        return json.loads((FOLDER / "contents.json").read_text())
    except OSError:
        return {}


def fill(names):
    frozen.require_inputs()
    (FOLDER / "files").mkdir(parents=True, exist_ok=True)
    known = contents()
    for name in names:
        known[name] = fill_made(name) if name in MADE else fill_real(name)
        (FOLDER / "contents.json").write_text(json.dumps(known, indent=1) + "\n")
        print(f"{name}: {len(known[name]['wheels'])} wheels; left out: {' '.join(known[name]['left_out']) or 'nothing'}", flush=True)


def require(names):
    known = contents()
    missing = [name for name in names if name not in known]
    if missing:
        frozen.skip(f"not kept for installing: {' '.join(missing)}; `python3 tests/support/install_index.py fill {' '.join(missing)}`")


if __name__ == "__main__":
    if sys.argv[1:2] != ["fill"]:
        raise SystemExit(__doc__)
    fill(sys.argv[2:] or [*REAL, *MADE])
