"""An upstream index of generated projects, as large as asked for, for measuring a sync: it speaks what a mirroring client of the
public index needs (a JSON list with `_last-serial`, `/pypi/<name>/json`, `X-PyPI-Last-Serial`) as well as simple pages with
announced metadata. Everything lies ready in files that nginx serves, so that the upstream is not what is measured.

    fixture_upstream.py [--projects 20000] [--folder DIR]         makes it, serves it until it is ended, prints its address

Every project has one wheel of 2 to 8 KiB; each tenth has two wheels and an sdist. The same number gives the same bytes. It is
kept in $DAE_BENCH_DIR (default ~/.cache/dae-bench) until that folder is removed.
"""
import argparse
import gzip
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import frozen_index as frozen  # noqa: E402
from harness import sample_index  # noqa: E402

SIMPLE = "application/vnd.pypi.simple.v1+json"
FORM = 1  # of what is generated; a kept folder of another is made anew
WORDS = "amber basin cedar delta ember fjord grove heron inlet jetty knoll larch marsh north ochre plume quartz ridge slate tidal umber vale willow yarrow".split()
UPLOADED = "2025-03-04T05:06:07.000000Z"
# The address of files in /pypi/<name>/json has to be a whole one, and the port is chosen late: nginx puts it in.
HERE = "http://here"


def names(count):
    """In order of the alphabet, as an index lists them; the number is also the project's first serial."""
    return sorted(f"{WORDS[i % len(WORDS)]}-{WORDS[i // len(WORDS) % len(WORDS)]}-{i + 1}" for i in range(count))


def serial_of(name):
    return int(name.rpartition("-")[2])


def sdist(name, version, rng):
    text = sample_index.metadata(name, version, [], ">=3.8").encode() + rng.randbytes(2000).hex().encode()
    return f"{name.replace('-', '_')}-{version}.tar.gz", gzip.compress(text, 1, mtime=0)


def wheel(name, version, rng):
    """(file name, bytes, METADATA)"""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    core = sample_index.metadata(name, version, [], ">=3.8").encode()
    data = sample_index.pack_wheel(info, {
        f"{module}.py": b"DATA = '" + rng.randbytes(rng.randrange(1500, 7500)).hex().encode() + b"'\n", f"{info}/METADATA": core,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: fixture\nRoot-Is-Purelib: true\nTag: py3-none-any\n"})
    return f"{module}-{version}-py3-none-any.whl", data, core


def write_json(path, value):
    path.write_text(json.dumps(value, separators=(",", ":")))


class Writer:
    """Writes projects below a folder; `files` is what a mirror has afterwards: name -> (sha256, size)."""

    def __init__(self, folder):
        self.folder = folder
        self.files, self.metadata = {}, {}
        for part in ("pages", "legacy", "files"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    def project(self, name, serial, versions):
        rng = random.Random(f"{name} {versions}")
        simple, releases = [], {}
        for number, version in enumerate(versions):
            made = [wheel(name, version, rng)]
            if len(versions) > 1 and number == 0:
                made.append((*sdist(name, version, rng), None))
            for file, data, core in made:
                entry, legacy = self.file(file, data, core)
                simple.append(entry)
                releases.setdefault(version, []).append(legacy)
        write_json(self.folder / "pages" / f"{name}.json", {
            "meta": {"api-version": "1.1", "_last-serial": serial}, "name": name, "versions": versions, "files": simple})
        write_json(self.folder / "legacy" / f"{name}.json", {
            "info": {"name": name, "version": versions[-1], "summary": "made for measuring", "requires_python": ">=3.8", "yanked": False},
            "last_serial": serial, "releases": releases, "urls": releases[versions[-1]], "vulnerabilities": []})

    def file(self, name, data, core):
        sha256, blake = hashlib.sha256(data).hexdigest(), hashlib.blake2b(data, digest_size=32).hexdigest()
        path = f"/packages/{blake[:2]}/{blake[2:4]}/{blake[4:]}/{name}"
        (self.folder / "files" / name).write_bytes(data)
        self.files[name] = (sha256, len(data))
        more = {}
        if core:
            (self.folder / "files" / f"{name}.metadata").write_bytes(core)
            more = {"core-metadata": {"sha256": hashlib.sha256(core).hexdigest()}}
            self.metadata[name] = (more["core-metadata"]["sha256"], len(core))
        return ({"filename": name, "url": "../.." + path, "hashes": {"sha256": sha256}, "size": len(data), "requires-python": ">=3.8",
                 "upload-time": UPLOADED, "yanked": False, **more},
                {"filename": name, "url": HERE + path, "digests": {"sha256": sha256, "blake2b_256": blake}, "size": len(data),
                 "requires_python": ">=3.8", "upload_time_iso_8601": UPLOADED, "yanked": False, "yanked_reason": None,
                 "packagetype": "bdist_wheel" if core else "sdist", **more})

    def list(self, serials):
        """serials: name -> serial, in the order of the list."""
        projects = [{"_last-serial": serial, "name": name} for name, serial in serials.items()]
        write_json(self.folder / "list.json", {"meta": {"_last-serial": max(serials.values()), "api-version": "1.1"}, "projects": projects})
        (self.folder / "list.json.gz").write_bytes(gzip.compress((self.folder / "list.json").read_bytes(), 6, mtime=0))

    def finish(self, serials):
        """What nginx has to know of serials: only those that are not the number in the name."""
        self.list(serials)
        other = {name: serial for name, serial in serials.items() if serial != serial_of(name)}
        (self.folder / "serials.map").write_text("".join(f"/pages/{name}.json {serial};\n/legacy/{name}.json {serial};\n" for name, serial in other.items()))
        (self.folder / "contents.json").write_text(json.dumps({"form": FORM, "projects": len(serials), "files": self.files, "metadata": self.metadata}))


def generate(folder, count):
    """The folder with `count` projects, made unless it is there."""
    folder = pathlib.Path(folder)
    try:
        if json.loads((folder / "contents.json").read_text())["form"] == FORM:
            return folder
    except OSError:
        pass
    shutil.rmtree(folder, ignore_errors=True)
    writer = Writer(folder)
    every = names(count)
    for number, name in enumerate(every):
        writer.project(name, serial_of(name), ["1.0", "1.1"] if number % 10 == 0 else ["1.0"])
    writer.finish({name: serial_of(name) for name in every})
    return folder


def generate_list(folder, count, changed=0):
    """A folder whose list has `count` projects, all without files but the first few in serial order, which have a new one
    since: for what an incremental run costs."""
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    writer = Writer(folder)
    serials = {name: serial_of(name) for name in names(count)}
    for number, name in enumerate(sorted(serials, key=serial_of)[:changed]):
        serials[name] = count + 1 + number
        writer.project(name, serials[name], ["1.0"])
    writer.finish(serials)
    return folder


NGINX = """daemon off; pid {work}/nginx.pid; error_log {work}/error.log; worker_processes 1; worker_rlimit_nofile 20000;
{user}
events {{ worker_connections 4096; multi_accept on; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 60s;
  open_file_cache max=1000; default_type application/octet-stream; types {{ }}
  client_body_temp_path {work}/t1; proxy_temp_path {work}/t2; fastcgi_temp_path {work}/t3; uwsgi_temp_path {work}/t4; scgi_temp_path {work}/t5;
  map_hash_max_size 1048576; map_hash_bucket_size 256;
  map $uri $serial {{
    ~^/(?:pages|legacy|empty|bare)/[a-z-]+-(?<number>\\d+)\\.json$ $number;
    /list.json {newest};
    include {folder}/serials.map;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024; root {folder}; add_header X-PyPI-Last-Serial $serial;
    location = /simple {{ rewrite ^ /list.json last; }}
    location = /simple/ {{ rewrite ^ /list.json last; }}
    location = /list.json {{ gzip_static on; default_type {simple}; }}
    location /simple/ {{ rewrite ^/simple/([a-z0-9-]+)/$ /pages/$1.json last; return 404; }}
    location /pages/ {{ default_type {simple}; {pages} }}
    location /pypi/ {{ rewrite ^/pypi/([a-z0-9-]+)/json$ /legacy/$1.json last; return 404; }}
    location /legacy/ {{ default_type application/json; sub_filter {here} http://$http_host; sub_filter_once off; sub_filter_types application/json; }}
    location /packages/ {{ rewrite ^/packages/[0-9a-f]+/[0-9a-f]+/[0-9a-f]+/([^/]+)$ /files/$1 last; return 404; }}
    location /files/ {{ }}
    {bare}
  }}
}}
"""
# With only a list, a project without a page of its own has one that says there is nothing.
BARE_PAGES = "try_files $uri @bare;"
BARE = """location @bare {
      default_type application/vnd.pypi.simple.v1+json;
      if ($uri ~ ^/pages/([a-z-]+-(\\d+))\\.json$) { set $name $1; set $last $2; }
      return 200 '{"meta":{"api-version":"1.1","_last-serial":$last},"name":"$name","versions":[],"files":[]}';
    }"""


class FixtureUpstream:
    """nginx over a generated folder, on a port that the kernel chooses."""

    def __init__(self, folder, bare=False, port=0):
        folder = pathlib.Path(folder).resolve()
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="dae-fixture-"))
        self.contents = json.loads((folder / "contents.json").read_text())
        if not port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
        newest = json.loads((folder / "list.json").read_text()[:100].partition("}")[0].partition('{"meta":')[2] + "}")["_last-serial"]
        (self.work / "nginx.conf").write_text(NGINX.format(
            work=self.work, folder=folder, port=port, newest=newest, simple=SIMPLE, here=HERE, user="user root;" if os.geteuid() == 0 else "",
            pages=BARE_PAGES if bare else "", bare=BARE if bare else ""))
        self.root = f"http://127.0.0.1:{port}"
        self.url = self.root + "/simple/"
        self.process = subprocess.Popen(["nginx", "-p", self.work, "-c", self.work / "nginx.conf"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.02)
        words = (self.work / "error.log").read_text()[-2000:] if (self.work / "error.log").exists() else ""
        self.stop()
        raise RuntimeError(f"nginx does not start: {words}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        shutil.rmtree(self.work, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def kept(count):
    return generate(frozen.BENCH_DIR / f"upstream-{count}", count)


def require_nginx():
    if not shutil.which("nginx"):
        frozen.skip("nginx is needed, Debian's package of that name")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=20_000)
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    require_nginx()
    folder = generate(arguments.folder, arguments.projects) if arguments.folder else kept(arguments.projects)
    with FixtureUpstream(folder, port=arguments.port) as upstream:
        print(upstream.url, flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        upstream.process.wait()


if __name__ == "__main__":
    main()
