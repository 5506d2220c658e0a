"""Writes the sample index: wheels, sdists and PEP 503/691 pages for a few tiny packages of our own.

    make.py DIR [--serve PORT] [--port-file FILE] [--html-only]

The same input gives the same bytes: archives carry a fixed time.
"""
import argparse
import base64
import hashlib
import http.server
import io
import json
import os
import pathlib
import tarfile
import threading
import zipfile

HERE = pathlib.Path(__file__).parent
SOURCES = HERE / "packages"
FIXED_TIME = (2020, 1, 1, 0, 0, 0)
UPLOAD_TIME = "2020-01-01T00:00:00Z"

# name, version, requires, requires-python, source folder (below packages/) or None for an empty module, entry points
PACKAGES = [
    ("flask", "2.1.3", ["werkzeug<3"], ">=3.7", "flask", {}),
    ("flask", "3.0.3", ["werkzeug>=3.0", "click>=8"], ">=3.8", "flask", {}),
    ("flask", "3.1.2", ["werkzeug>=3.1", "click>=8.1", "blinker>=1.9", "colour; sys_platform == 'win32'"], ">=3.9", "flask", {}),
    ("gunicorn", "22.0.0", ["packaging"], ">=3.7", "gunicorn", {"gunicorn": "gunicorn:main"}),
    ("gunicorn", "23.0.0", ["packaging"], ">=3.7", "gunicorn", {"gunicorn": "gunicorn:main"}),
    ("werkzeug", "1.0.1", [], ">=3.7", None, {}),
    ("werkzeug", "2.3.8", ["markupsafe>=2.1"], ">=3.8", None, {}),
    ("werkzeug", "3.1.3", ["markupsafe>=2.1"], ">=3.9", None, {}),
    ("click", "8.1.8", [], ">=3.7", None, {}),
    ("click", "8.2.0", [], ">=3.10", None, {}),
    ("blinker", "1.9.0", [], ">=3.9", None, {}),
    ("markupsafe", "3.0.2", [], ">=3.9", None, {}),
    ("packaging", "25.0", [], ">=3.8", None, {}),
    ("packaging", "26.0rc1", [], ">=3.8", None, {}),
    ("needs-future-python", "1.0", [], ">=4", None, {}),
]
# Sdist only: static metadata 2.2, a build backend of its own inside the sdist, so that building needs no other package.
SDISTS = [("greeting-source", "1.0", ["markupsafe"])]


def metadata(name, version, requires, requires_python):
    lines = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}", f"Requires-Python: {requires_python}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join(lines) + "\n\nA sample package.\n"


def zip_member(archive, name, data, mode=0o100644, compress_type=zipfile.ZIP_DEFLATED):
    info = zipfile.ZipInfo(name, FIXED_TIME)
    info.external_attr = mode << 16
    info.compress_type = compress_type
    archive.writestr(info, data)


def record_row(file, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{file},sha256={digest},{len(data)}\n"


def pack_wheel(dist_info, files):
    """The bytes of a wheel with these files, and the RECORD of them last."""
    rows = "".join(record_row(file, data) for file, data in files.items())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for file, data in {**files, f"{dist_info}/RECORD": f"{rows}{dist_info}/RECORD,,\n".encode()}.items():
            zip_member(archive, file, data)
    return out.getvalue()


def make_wheel(name, version, requires, requires_python, source, scripts):
    module = name.replace("-", "_")
    dist_info = f"{module}-{version}.dist-info"
    files = {}
    if source:
        for path in sorted((SOURCES / source).rglob("*.py")):
            relative = path.relative_to(SOURCES / source).as_posix()
            files[f"{module}/{relative}"] = path.read_bytes().replace(b"@VERSION@", version.encode())
    else:
        files[f"{module}/__init__.py"] = f'__version__ = "{version}"\n'.encode()
    files[f"{dist_info}/METADATA"] = metadata(name, version, requires, requires_python).encode()
    files[f"{dist_info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: sample\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    if scripts:
        text = "[console_scripts]\n" + "".join(f"{key} = {value}\n" for key, value in scripts.items())
        files[f"{dist_info}/entry_points.txt"] = text.encode()
    return f"{module}-{version}-py3-none-any.whl", pack_wheel(dist_info, files)


BACKEND = '''
import base64, hashlib, pathlib, zipfile

NAME, VERSION = "@NAME@", "@VERSION@"
MODULE = NAME.replace("-", "_")


def build_wheel(directory, config_settings=None, metadata_directory=None):
    info = f"{MODULE}-{VERSION}.dist-info"
    files = {
        f"{MODULE}.py": pathlib.Path(f"{MODULE}.py").read_bytes(),
        f"{info}/METADATA": pathlib.Path("PKG-INFO").read_bytes(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\\nGenerator: sample\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = ""
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\\n"
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\\n").encode()
    wheel = f"{MODULE}-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory) / wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return wheel
'''


def make_sdist(name, version, requires):
    module = name.replace("-", "_")
    root = f"{module}-{version}"
    files = {
        "PKG-INFO": metadata(name, version, requires, ">=3.8"),
        "pyproject.toml": f'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n\n[project]\nname = "{name}"\nversion = "{version}"\n',
        "backend.py": BACKEND.replace("@NAME@", name).replace("@VERSION@", version),
        f"{module}.py": f'__version__ = "{version}"\n',
    }
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for file, text in sorted(files.items()):
            info = tarfile.TarInfo(f"{root}/{file}")
            info.size = len(text.encode())
            info.mtime = 1577836800
            archive.addfile(info, io.BytesIO(text.encode()))
    import gzip
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=1577836800) as out:
        out.write(raw.getvalue())
    return f"{root}.tar.gz", packed.getvalue()


def write(root):
    """All files of the index below `root`: files/ and simple/<name>/index.{html,json}."""
    projects = {}
    for name, version, requires, requires_python, source, scripts in PACKAGES:
        file, data = make_wheel(name, version, requires, requires_python, source, scripts)
        projects.setdefault(name, []).append((file, data, version, requires_python, metadata(name, version, requires, requires_python)))
    for name, version, requires in SDISTS:
        file, data = make_sdist(name, version, requires)
        projects.setdefault(name, []).append((file, data, version, ">=3.8", None))
    write_pages(root, projects)


def write_pages(root, projects):
    """Files and pages of `projects`: name -> [(file name, bytes, version, requires-python, METADATA or None)]."""
    files_dir = root / "files"
    files_dir.mkdir(parents=True, exist_ok=True)
    for name, files in projects.items():
        entries, links = [], []
        for file, data, _, requires_python, core in files:
            (files_dir / file).write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            entry = {"filename": file, "url": f"../../files/{file}", "hashes": {"sha256": digest}, "size": len(data),
                     "requires-python": requires_python, "upload-time": UPLOAD_TIME, "yanked": False}
            if core is not None:
                (files_dir / (file + ".metadata")).write_text(core)
                entry["core-metadata"] = {"sha256": hashlib.sha256(core.encode()).hexdigest()}
            entries.append(entry)
            quoted = requires_python.replace(">", "&gt;")
            links.append(f'<a href="../../files/{file}#sha256={digest}" data-requires-python="{quoted}">{file}</a><br/>')
        page = root / "simple" / name
        page.mkdir(parents=True, exist_ok=True)
        versions = sorted({version for _, _, version, _, _ in files})
        (page / "index.json").write_text(json.dumps(
            {"meta": {"api-version": "1.1"}, "name": name, "versions": versions, "files": entries}))
        (page / "index.html").write_text("<!DOCTYPE html>\n<html><body>\n" + "\n".join(links) + "\n</body></html>\n")
    names = sorted(projects)
    (root / "simple" / "index.html").write_text(
        "<!DOCTYPE html>\n<html><body>\n" + "\n".join(f'<a href="{n}/">{n}</a>' for n in names) + "\n</body></html>\n")


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    html_only = False

    def send_head(self):
        # PEP 691: JSON when the client prefers it.
        if self.path.startswith("/simple/") and self.path.endswith("/"):
            wants_json = "application/vnd.pypi.simple.v1+json" in self.headers.get("Accept", "")
            file = pathlib.Path(self.translate_path(self.path)) / ("index.json" if wants_json and not self.html_only else "index.html")
            if not file.exists():
                self.send_error(404)
                return None
            self.send_response(200)
            kind = "application/vnd.pypi.simple.v1+json" if file.suffix == ".json" else "text/html"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(file.stat().st_size))
            self.end_headers()
            return open(file, "rb")
        return super().send_head()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # of 5 a burst of connections overflows, and each waits seconds for its next attempt


def serve(root, port, port_file=None, html_only=False):
    handler = type("Handler", (Handler,), {"html_only": html_only})
    server = Server(("127.0.0.1", port), lambda *a: handler(*a, directory=str(root)))
    if port_file:
        temporary = port_file + ".new"
        pathlib.Path(temporary).write_text(str(server.server_port))
        os.replace(temporary, port_file)
    return server


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--serve", type=int, metavar="PORT", help="0: the kernel chooses")
    parser.add_argument("--port-file")
    parser.add_argument("--html-only", action="store_true", help="as an old index: no JSON, no metadata announced")
    arguments = parser.parse_args()
    root = pathlib.Path(arguments.directory)
    write(root)
    if arguments.serve is not None:
        server = serve(root, arguments.serve, arguments.port_file, arguments.html_only)
        print(f"http://127.0.0.1:{server.server_port}/simple/", flush=True)
        # Ends with whoever started us, so that nothing is left behind.
        parent = os.getppid()
        stop = threading.Event()

        def watch():
            while os.getppid() == parent:
                stop.wait(1)
            server.shutdown()

        threading.Thread(target=watch, daemon=True).start()
        server.serve_forever()
