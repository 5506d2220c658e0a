"""Wheels and sdists that lie: each is refused with a message that names it, and nothing at all is changed by it.

The cases share one application that has a package installed. After each of them the environment, the store of unpacked
wheels, the temporary folders and everything around them are what they were before, byte by byte.
"""
import gzip
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import stat
import struct
import sys
import tarfile
import threading
import unittest
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "support"))
import harness  # noqa: E402
import hostile_archives as ha  # noqa: E402
from hostile_archives import Member, Wheel, end_record, end_record64, extra_field, sdist_of, tar_entry, zip_of  # noqa: E402

BAD, ALTERED, REFUSED, NO_SOLUTION = 2, 7, 1, 6  # exit codes
WHEEL, SDIST = "evil-1.0-py3-none-any.whl", "evil-1.0.tar.gz"
CASES = []  # of the group that is being filled: (name, file name, bytes, regular expression of the message, exit code)
PYTHON = "3.11"  # the folder of the interpreter that `dae install` chose: "python3.11"


def wheel(name, data, message, code=BAD):
    CASES.append((name, WHEEL, data, message, code))


def sdist(name, data, message, code=BAD):
    CASES.append((name, SDIST, data, message, code))


def zeros_packed(size):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = bytes(1 << 20)
    return b"".join(packer.compress(piece) for _ in range(size >> 20)) + packer.flush()


def contradictions():
    part = r"`evil/__init__.py` disagree on its "
    wheel("another name in the local header", Wheel().first(local_name="evil/__evil__.py").zip(), part + "name")
    wheel("another size in the local header", Wheel().first(local_size=3).zip(), part + "size")
    wheel("another CRC in the local header", Wheel().first(local_crc=7).zip(), part + "CRC")
    wheel("another method in the local header", Wheel().first(local_method=0).zip(), part + "method")
    wheel("other flags in the local header", Wheel().first(local_flags=ha.UTF8).zip(), part + "flags")
    wheel("a data descriptor that is not there", Wheel().first(flags=ha.DESCRIPTOR, local_crc=0, local_size=0).zip(),
          "data descriptor of `evil/__init__.py` is wrong")
    wheel("a name in an extra field", Wheel().first(extra=extra_field(0x7075, b"\1" + struct.pack("<I", zlib.crc32(b"evil/__init__.py"))
                                                                      + b"evil/other.py")).zip(), "second name, `evil/other.py`")
    wheel("a name that is not marked as UTF-8", Wheel().add("evil/größe.py").zip(), "not marked as UTF-8")
    wheel("a zip64 field with another size", Wheel().first(size=0xffffffff, extra=extra_field(1, struct.pack("<Q", 77)), local_size=10).zip(),
          part + "size")
    wheel("a zip64 field that is too short", Wheel().first(size=0xffffffff, extra=extra_field(1, b"\1\0\0\0")).zip(),
          "zip64 field of `evil/__init__.py` does not fit")


def collisions():
    wheel("one name twice", Wheel().add("evil/__init__.py", b"import os\n").zip(), "`evil/__init__.py` is in it twice")
    wheel("RECORD twice", Wheel().add("evil-1.0.dist-info/RECORD", b"").zip(), "RECORD` is in it twice")
    wheel("names that differ in case", Wheel().add("evil/mod.py").add("evil/MOD.py").zip(), "differ only in case")
    wheel("folders that differ in case", Wheel().add("Evil/mod.py").zip(), "differ only in case")
    wheel("a file as a folder", Wheel().add("evil/__init__.py/x.py").zip(), "`evil/__init__.py` is a file and a directory")
    wheel("a folder as a file", Wheel().add("evil").zip(), "`evil` is a file and a directory")


def foreign_bytes():
    good = Wheel().zip()
    inner = zip_of([Member("other.py", b"import os\n")])
    wheel("something behind the archive", good + b"\0" * 100, "end record of the ZIP archive is not at its end")
    wheel("something in front of it", Wheel().zip(before=b"#!/bin/sh\n"), "begins with 10 bytes that belong to no member")
    wheel("another archive in front of it", inner + good, "not directly in front of its end record|belong to no member")
    wheel("another archive behind it", good + inner, "not directly in front of its end record")
    wheel("a member the directory does not know", Wheel().first(behind=b"").add("evil/hidden.py", only_local=True).zip(),
          r"\d+ bytes behind `evil/__init__.py` belong to no member")
    wheel("a gap", Wheel().first(behind=b"gap").zip(), "3 bytes behind `evil/__init__.py` belong to no member")
    wheel("a member without bytes", Wheel().add("evil/x.py", only_directory=True).zip(), "overlaps|disagree on its name|no local header")
    wheel("two end records", Wheel().zip(comment=inner), "two end records")
    wheel("an end record's signature in the comment", Wheel().zip(comment=b"PK\5\6 in the comment"), "end record .* is not at its end")
    wheel("fewer entries than there are", Wheel().zip(end=lambda n, size, at: end_record(n - 1, size, at)), "more entries than the end record says")
    wheel("more entries than there are", Wheel().zip(end=lambda n, size, at: end_record(n + 1, size, at)), "directory is damaged")
    wheel("zip64 for no reason", Wheel().zip(end=lambda n, size, at: end_record64(n, size, at, at + size) + end_record(n, size, at)),
          "zip64 end record that its end record does not ask for")
    wheel("a zip64 directory elsewhere", Wheel().zip(end=lambda n, size, at: end_record64(n, size, 0, at + size) + end_record(0xffff, size, at)),
          "contradict each other")
    wheel("a zip64 locator that leads elsewhere", Wheel().zip(end=lambda n, size, at: end_record64(n, size, at, 4) + end_record(0xffff, size, at)),
          "not where its locator says")
    wheel("several disks", Wheel().zip(end=lambda n, size, at: end_record(n, size, at).replace(b"PK\5\6\0", b"PK\5\6\1")), "several disks")
    wheel("cut off", good[:-30], "no end record")
    wheel("cut off in the last record", good[:-3], "end record")
    wheel("a page that says 404", b"<!DOCTYPE html><title>404</title>", "no ZIP archive")
    wheel("nothing", b"", "no ZIP archive|is empty")


def kinds():
    wheel("encrypted", Wheel().first(flags=1).zip(), "`evil/__init__.py` is encrypted")
    wheel("an encrypted directory", Wheel().first(flags=1 << 13).zip(), "is encrypted")
    wheel("patched data", Wheel().first(flags=1 << 5).zip(), "flags of unknown meaning")
    wheel("packed by LZMA", Wheel().first(method=14).zip(), "unknown method 14")
    wheel("a link", Wheel().add("evil/link", b"/etc/passwd", method=0, attributes=0o120777 << 16).zip(), "`evil/link` is a link")
    wheel("a device", Wheel().add("evil/null", b"", method=0, attributes=0o020666 << 16).zip(), "neither a file nor a directory")
    wheel("a pipe", Wheel().add("evil/pipe", b"", method=0, attributes=0o010666 << 16).zip(), "neither a file nor a directory")
    wheel("a folder that is a file", Wheel().add("evil/f", b"", method=0, attributes=0o040755 << 16).zip(), "is a file and a directory")


def names():
    for name in ("/etc/evil.py", "../evil.py", "evil/../../evil.py", "evil/..", "./evil.py", "evil//x.py", "evil\\x.py", "C:/evil.py", "c:evil.py"):
        wheel(f"the name {name}", Wheel().add(name).zip(), "is not safe")
    for name, what in (("evil/a\0b.py", "a NUL"), ("evil/a\nb.py", "a line break"), ("evil/a\rb.py", "a carriage return"),
                       ("evil/\x1b[2J.py", "an escape sequence"), ("evil/\x7f.py", "a delete character")):
        wheel(f"a name with {what}", Wheel().add(name).zip(), r"`evil/.*\\x[0-9a-f]{2}.*` is not safe")
    wheel("a name with a control character of Unicode", Wheel().add("evil/\u009b2J.py", flags=ha.UTF8).zip(), "is not safe")
    wheel("a name that is no UTF-8", Wheel().add(b"evil/\xff.py", flags=ha.UTF8).zip(), "is not safe")
    wheel("an overlong name", Wheel().add("evil/" + "n" * 256).zip(), "is not safe")
    wheel("an overlong path", Wheel().add("evil/" + "/".join(["n" * 200] * 25)).zip(), "is not safe")
    wheel("no name", Wheel().add("").zip(), "has no name")


def contents():
    data = b"VALUE = 1\n"
    wheel("a wrong CRC", Wheel().first(crc=1).zip(), "CRC does not match")
    for size, what in ((len(data) - 1, "more"), (len(data) + 1, "less")):
        row = f"evil/__init__.py,sha256={'A' * 43},{size}"
        wheel(f"{what} than it says", Wheel().first(size=size).row("evil/__init__.py", row).zip(), f"unpacks to {what} than it says")
    wheel("bytes behind the stream", Wheel().first(packed=ha.deflate(data) + b"x").zip(), "bytes behind its end")
    wheel("no deflate stream", Wheel().first(packed=b"\xff" * 20).zip(), "damaged")
    wheel("stored with two sizes", Wheel().first(method=0, size=11).zip(), "stored, but its two sizes differ")
    packed, size = zeros_packed(128 << 20), 128 << 20
    wheel("a bomb", Wheel().add("evil/zeros", bytes(1), packed=packed, size=size, crc=0).zip(), "more than 1000 times its size")
    big = Wheel()
    for i in range(3):
        big.add(f"evil/big{i}", b"", packed=b"\3\0", size=0xf0000000)
    wheel("more than fits", big.zip(), "unpacks to more than 8589934592 bytes")
    wheel("a member larger than any", Wheel().add("evil/big", b"", packed=b"\3\0", size=0xffffffff,
                                                 extra=extra_field(1, struct.pack("<Q", 1 << 40))).zip(), "unpacks to more than 4294967296 bytes")
    wheel("too many members", Wheel().zip(end=lambda n, size, at: end_record64(300_000, size, at, at + size) + end_record(0xffff, size, at)),
          "more than 200000 members")
    # The "better zip bomb": each member's data begins with the header of the next, quoted in a stored block.
    overlap = Wheel()
    overlap.members.insert(0, Member("evil/a", b"", method=0))
    inner = zip_of([Member("evil/b", b"b" * 40, method=0)])[:76]
    overlap.members[0] = Member("evil/a", inner, method=0)
    overlap.members.insert(1, Member("evil/b", b"b" * 40, method=0, header_at=36, only_directory=True))
    wheel("members that overlap", overlap.zip(), "`evil/a` overlaps what follows it")
    same = Wheel()
    same.members += [Member("evil/copy.py", same.members[0].data, header_at=0, only_directory=True)]
    wheel("two members of the same bytes", same.zip(), "overlaps|disagree on its name")


def records():
    name = "evil/__init__.py"
    good = ha.record_row(name, b"VALUE = 1\n")
    digest = good.split(",")[1]
    wheel("a wrong hash in RECORD", Wheel().row(name, good.replace("sha256=", "sha256=A")).zip(), f"`{name}` is not what RECORD says", ALTERED)
    wheel("a wrong size in RECORD", Wheel().row(name, f"{name},{digest},11").zip(), "has 10 bytes, RECORD says 11", ALTERED)
    wheel("a file that RECORD leaves out", Wheel().row(name, None).zip(), f"`{name}` is not in RECORD", ALTERED)
    wheel("a file that only RECORD has", with_rows(f"evil/more.py,{digest},10"), "RECORD lists `evil/more.py`, which is missing", ALTERED)
    wheel("no hash in RECORD", Wheel().row(name, f"{name},,10").zip(), f"no SHA-256 of `{name}`", ALTERED)
    wheel("MD5 in RECORD", Wheel().row(name, f"{name},md5=ltrIv8HQHkAQzVMBOtAlXQ,10").zip(), f"no SHA-256 of `{name}`", ALTERED)
    wheel("SHA-1 in RECORD", Wheel().row(name, f"{name},sha1=5v5FCsQvpIR7gWn2f9yrUBnlwNU,10").zip(), f"no SHA-256 of `{name}`", ALTERED)
    wheel("a line of RECORD twice", with_rows(good), f"RECORD lists `{name}` twice")
    wheel("a path in RECORD that escapes", with_rows(f"../../../../canary,{digest},10"), "RECORD lists `../../../../canary`, which is missing", ALTERED)
    wheel("a size in RECORD that is no number", Wheel().row(name, f"{name},{digest},ten").zip(), "size that is no number")
    wheel("an open quote in RECORD", with_rows('"evil/x,,'), "open quote")
    wheel("a row of one cell in RECORD", with_rows("evil/x"), "row without three cells")
    wheel("no RECORD", Wheel().leave_out("RECORD").zip(), "no RECORD file")


def with_rows(*rows):
    made = Wheel()
    made.more_rows += rows
    return made.zip()


def identity():
    wheel("no METADATA", Wheel().leave_out("METADATA").zip(), "no METADATA file")
    wheel("no WHEEL", Wheel().leave_out("WHEEL").zip(), "no WHEEL file")
    wheel("two dist-info folders", Wheel().add("evil-1.0.0.dist-info/METADATA").zip(), "two `\\*.dist-info` directories|does not belong to")
    wheel("a dist-info folder of another package", Wheel("other").zip(), "does not belong to `evil 1.0`")
    wheel("a dist-info folder of another version", Wheel(version="1.1").zip(), "does not belong to `evil 1.0`")
    wheel("a second dist-info folder of an installed package", Wheel().add("good-1.0.dist-info/METADATA").zip(),
          "two `\\*.dist-info` directories|does not belong to")
    wheel("no dist-info folder", zip_of([Member("evil/__init__.py", b"")]), "no dist-info directory")
    wheel("METADATA of another package", Wheel().text("METADATA", ha.metadata("good")).zip(), "METADATA is of `good 1.0`")
    wheel("METADATA of another version", Wheel().text("METADATA", ha.metadata(version="1.1")).zip(), "METADATA is of `evil 1.1`")
    wheel("another major version of the format", Wheel().text("WHEEL", ha.wheel_text("2.0")).zip(), "wheel format 2.0 is not known here")
    wheel("no version of the format", Wheel().text("WHEEL", "Generator: t\n").zip(), "names no format version")


def places():
    data = "evil-1.0.data/"
    for scheme in ("stdlib/x.py", "include/x.h", "evil", "bin/x"):
        wheel(f"the scheme {scheme}", Wheel().add(data + scheme).zip(), "has no place in an environment")
    wheel("a .data folder of another package", Wheel().add("other-1.0.data/scripts/x").zip(), "does not belong to `evil 1.0`")
    for path in ("data/../../x", "scripts/../../../x", "purelib/../x.py"):
        wheel(f"{path} in .data", Wheel().add(data + path).zip(), "is not safe")
    for path in ("data/pyvenv.cfg", "data/dae-env.json", "data/.dae-lock", "data/bin/python", "data/bin/python3", "scripts/python", f"scripts/python{PYTHON}",
                 "scripts/pythonw", "scripts/PYTHON3"):
        wheel(f"{path} in .data", Wheel().add(data + path).zip(), "belongs to the environment itself", REFUSED)
    for path in ("data/bin/activate", "scripts/activate", "scripts/activate.fish"):
        wheel(f"{path} in .data", Wheel().add(data + path).zip(), "belongs to the environment itself|has no owner|exists already|already there", REFUSED)
    for path in ("data/bin", "data/lib", "data/lib64", f"data/lib/python{PYTHON}/site-packages"):
        wheel(f"{path} in .data", Wheel().add(data + path).zip(), "where a directory has to be|belongs to the environment|no regular|through a link", code=None)
    inner = f"lib/python{PYTHON}/site-packages/good-1.0.dist-info/RECORD"
    for path in ("purelib/good-1.0.dist-info/RECORD", "platlib/good-1.0.dist-info/METADATA", f"data/{inner}", f"data/{inner.replace('lib/', 'lib64/', 1)}"):
        wheel(f"{path} in .data", Wheel().add(data + path).zip(), "metadata of another distribution")
    wheel("its own RECORD in .data", Wheel().add(data + "purelib/evil-1.0.dist-info/RECORD").zip(), "where the installer writes")
    wheel("a file and its twin in .data", Wheel().add(data + "purelib/evil/__init__.py").zip(), "go to the same place")


def entry_points():
    for name in ("../../evil", "/usr/bin/evil", "sub/evil", "a\\b", "..", ""):
        wheel(f"an entry point called `{name}`", Wheel().entry_points(f"{name} = evil:main").zip(), "is no name for a script")
    for name in ("python", "python3", "python3.11", "Python"):
        wheel(f"an entry point called {name}", Wheel().entry_points(f"{name} = evil:main").zip(), "would replace the interpreter", REFUSED)
    for name in ("activate", "activate.fish", "Activate.ps1"):
        wheel(f"an entry point called {name}", Wheel().entry_points(f"{name} = evil:main").zip(), "belongs to the environment itself|would replace", REFUSED)
    for target in ("evil;import os:main", "evil:main();import os", "evil:main)\nimport os", "evil:main or exit", "evil", "evil:", "os:system('id')#"):
        wheel(f"an entry point to {target!r}", Wheel().entry_points(f"run = {target}").zip(), "does not name a function|entry point without")


def sdists():
    put = lambda *more, **texts: sdist_of(more, **texts)  # noqa: E731
    sdist("an absolute path", put(tar_entry("/etc/evil", b"x")), "one directory at its top")
    sdist("an absolute path that escapes", put(tar_entry("//../evil", b"x")), "is not safe")
    sdist("a path that escapes", put(tar_entry("evil-1.0/../../evil", b"x")), "is not safe")
    sdist("a name with a line break", put(tar_entry("evil-1.0/a\nb", b"x")), "is not safe")
    sdist("a link that leaves it", put(tar_entry("evil-1.0/l", kind=tarfile.SYMTYPE, link="../../canary")), "leaves the archive")
    sdist("an absolute link", put(tar_entry("evil-1.0/l", kind=tarfile.SYMTYPE, link="/etc")), "leaves the archive")
    sdist("a file through a link", put(tar_entry("evil-1.0/d", kind=tarfile.DIRTYPE), tar_entry("evil-1.0/l", kind=tarfile.SYMTYPE, link="d"),
                                      tar_entry("evil-1.0/l/x", b"x")), "written through the link")
    sdist("a file through a link that leaves it", put(tar_entry("evil-1.0/l", kind=tarfile.SYMTYPE, link="../.."), tar_entry("evil-1.0/l/x", b"x")),
          "leaves the archive")
    sdist("a hard link", put(tar_entry("evil-1.0/h", kind=tarfile.LNKTYPE, link="../../canary")), "is a hard link|leaves the archive|is not safe")
    sdist("a device", put(tar_entry("evil-1.0/null", kind=tarfile.CHRTYPE)), "device, pipe or socket")
    sdist("a block device", put(tar_entry("evil-1.0/sda", kind=tarfile.BLKTYPE)), "device, pipe or socket")
    sdist("a pipe", put(tar_entry("evil-1.0/pipe", kind=tarfile.FIFOTYPE)), "device, pipe or socket")
    sdist("a file twice", put(tar_entry("evil-1.0/backend.py", b"import os\n")), "is in it twice")
    sdist("names that differ in case", put(tar_entry("evil-1.0/BACKEND.py", b"x")), "differ only in case")
    sdist("two top folders", put(tar_entry("other/setup.py", b"x")), "one directory at its top")
    sdist("a file beside the top folder", put(tar_entry("evil.py", b"x")), "one directory at its top")
    # What cannot be read to its end has no metadata: the solver has to do without that version.
    sdist("a bomb", put(tar_entry("evil-1.0/zeros", bytes(160 << 20))), "more than 1000 times its size", NO_SOLUTION)
    good = put()
    sdist("cut off", good[:len(good) // 2], "cannot be read", NO_SOLUTION)
    sdist("damaged", good[:100] + bytes([good[100] ^ 0xff]) + good[101:], "cannot be read", NO_SOLUTION)
    sdist("no tar", gzip.compress(b"<!DOCTYPE html><title>404</title>" * 100), "cannot be read", NO_SOLUTION)
    sdist("nothing packed at all", b"<!DOCTYPE html><title>404</title>" * 10, "cannot be read", NO_SOLUTION)
    for old, new in ((b"Name: evil", b"Name: good"), (b"\\nVersion: 1.0", b"\\nVersion: 2.0")):
        sdist(f"a build that makes METADATA with {new!r}", put(backend_py=ha.BACKEND.replace(old, new)), "METADATA is of")
    sdist("a build that makes a wheel of another name", put(backend_py=ha.BACKEND.replace(b"evil-1.0-py3", b"good-1.0-py3")), "not a wheel of `evil", ALTERED)
    escaping = b'files["../../../canary"] = b"x"\n    rows = '
    sdist("a build that makes a wheel that escapes", put(backend_py=ha.BACKEND.replace(b"rows = ", escaping, 1)), "is not safe")


def snapshot(root, skip=()):
    """Everything below `root`: mode and contents of files, targets of links, folders."""
    out = {}
    for base, folders, files in os.walk(root):
        relative = os.path.relpath(base, root)
        folders[:] = [f for f in folders if os.path.normpath(os.path.join(relative, f)) not in skip]
        for name in [*folders, *files]:
            path = os.path.join(base, name)
            key = os.path.normpath(os.path.join(relative, name))
            info = os.lstat(path)
            if key in skip:
                continue
            if stat.S_ISLNK(info.st_mode):
                out[key] = "-> " + os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                out[key] = (oct(info.st_mode), hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest())
            else:
                out[key] = oct(info.st_mode)
    return out


class Handler(harness.sample_index.Handler):
    """One server for all cases: each has an index below a folder of its own."""

    def send_head(self):
        if "/simple/" not in self.path or not self.path.endswith("/"):
            return super().send_head()
        page = pathlib.Path(self.translate_path(self.path)) / "index.json"
        if not page.exists():
            self.send_error(404)
            return None
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        self.send_header("Content-Length", str(page.stat().st_size))
        self.end_headers()
        return open(page, "rb")


class HostileArchives(harness.DaeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pages = pathlib.Path(cls._class_dir) / "cases"
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Handler(*a, directory=str(cls.pages)))
        cls.server.daemon_threads = True
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()
        super().tearDownClass()

    def serve(self, files, core=True, change=None):
        """The URL of an index with `good` and these files of `evil`. `change(entry)` alters what the page says."""
        folder = self.pages / f"case-{len(list(self.pages.glob('*')))}"
        good = Wheel("good")
        good.entry_points("good-tool = good:main")
        projects = {"good": [("good-1.0-py3-none-any.whl", good.zip(), "1.0", ">=3.8", ha.metadata("good").decode())]}
        projects["evil"] = [(name, data, "1.0", ">=3.8", ha.metadata().decode() if core and name.endswith(".whl") else None)
                            for name, data in files]
        harness.sample_index.write_pages(folder, projects)
        if change:
            page = folder / "simple/evil/index.json"
            told = json.loads(page.read_text())
            change(told["files"][0])
            page.write_text(json.dumps(told))
        return f"http://127.0.0.1:{self.server.server_port}/{folder.name}/simple/"

    def setUp(self):
        super().setUp()
        self.app = self.create_app(install=False)
        shutil.rmtree(self.app / ".git", ignore_errors=True)
        (self.work / "canary").write_text("nobody touches this\n")
        (self.dir / "canary").mkdir()
        (self.dir / "canary/canary").write_text("nor this\n")
        self.require("good")
        self.dae("install", cwd=self.app, env={"DAE_INDEX": self.serve([])})
        self.good_lock = (self.app / "pylock.toml").read_bytes()
        self.python = next((self.app / ".venv/lib").iterdir()).name.replace("python", "")
        self.before = self.state()

    def require(self, *requirements):
        (self.app / "pip-req.txt").unlink(missing_ok=True)
        listed = "".join(f"    {r!r},\n" for r in requirements)
        (self.app / "pyproject.toml").write_text(f"[project]\nname = 'bubbler'\nversion = '0.1'\ndependencies = [\n{listed}]\n")

    def state(self):
        """All that a refused archive may not change. Verified downloads stay, pages and what was read from them too; and of
        a build its environment, its log and what it asked for, but no wheel."""
        kept = ("cache/blobs/sha256", "cache/index", "cache/unpacked/lock", "cache/unpacked/roots", "cache/build-envs", "cache/build-logs", "cache/.unpack-all.lock",
                "cache/built-wheels", "cache/built-metadata", "work/bubbler/pylock.toml", "work/bubbler/pyproject.toml")
        built = {path.name for path in self.dir.glob("cache/built-wheels/*") if path.suffix != ".lock"}
        return {**snapshot(self.dir, skip=kept), "built wheels": built}

    def check_refusal(self, file, message, code, done):
        self.assertNotEqual(done.code, 0, done)
        self.assertRegex(done.err, message, done)
        self.assertRegex(done.err, re.escape(file) + "|evil 1.0", done)
        self.assertFalse(any(ord(c) < 32 and c != "\n" for c in done.err), f"control characters: {done!r}")
        if code is not None:
            self.assertEqual(done.code, code, done)
        after = self.state()
        if after != self.before:
            changed = {k: (self.before.get(k), after.get(k)) for k in self.before.keys() | after.keys() if self.before.get(k) != after.get(k)}
            self.fail(f"changed: {changed}\n{done!r}")

    def install_evil(self, index, requirement="evil"):
        self.require("good", requirement)
        (self.app / "pylock.toml").write_bytes(self.good_lock)
        return self.dae("install", cwd=self.app, env={"DAE_INDEX": index}, code=None)

    def install_good(self):
        self.require("good")
        (self.app / "pylock.toml").write_bytes(self.good_lock)
        return self.dae("install", "--offline", cwd=self.app)

    def run_group(self, fill):
        global PYTHON
        PYTHON = self.python
        CASES.clear()
        fill()
        for name, file, data, message, code in list(CASES):
            with self.subTest(name):
                try:
                    self.check_refusal(file, message, code, self.install_evil(self.serve([(file, data)])))
                except AssertionError:
                    self.install_good()  # so that the next case is judged by itself
                    self.before = self.state()
                    raise
        self.assertIn("nothing to do", self.install_good().err)

    def test_the_unchanged_wheel_is_installed(self):
        """Else all of the rest would prove nothing."""
        done = self.install_evil(self.serve([(WHEEL, Wheel().add("evil-1.0.data/scripts/tool").entry_points("run = evil:main").zip())]))
        self.assertEqual(done.code, 0, done)
        self.assertTrue((self.app / ".venv/bin/run").exists() and (self.app / ".venv/bin/tool").exists())

    def test_the_unchanged_sdist_is_installed(self):
        done = self.install_evil(self.serve([(SDIST, sdist_of())]))
        self.assertEqual(done.code, 0, done)

    def test_headers_that_contradict_each_other(self):
        self.run_group(contradictions)

    def test_names_that_meet(self):
        self.run_group(collisions)

    def test_bytes_that_belong_to_nothing(self):
        self.run_group(foreign_bytes)

    def test_members_that_are_no_files(self):
        self.run_group(kinds)

    def test_names_that_leave_or_mislead(self):
        self.run_group(names)

    def test_contents_that_are_not_as_declared(self):
        self.run_group(contents)

    def test_records_that_lie(self):
        self.run_group(records)

    def test_wheels_that_are_not_what_they_are_called(self):
        self.run_group(identity)

    def test_files_that_go_where_they_may_not(self):
        self.run_group(places)

    def test_entry_points_that_are_none(self):
        self.run_group(entry_points)

    def test_sdists(self):
        self.run_group(sdists)

    def test_what_pkg_info_says_of_another_package_is_not_believed(self):
        """Old tools wrote wrong names; a build tells what is true."""
        for text in (ha.metadata("good"), ha.metadata(version="2.0")):
            lie = text.replace(b"Requires-Python", b"Requires-Dist: not-to-be-had\nRequires-Python")
            done = self.install_evil(self.serve([(SDIST, sdist_of(PKG_INFO=lie))]))
            self.assertEqual(done.code, 0, done)
            self.assertNotIn("not-to-be-had", (self.app / "pylock.toml").read_text())
            self.install_good()

    def test_a_file_that_is_not_what_the_index_announced(self):
        wrong = self.serve([(WHEEL, Wheel().zip())], change=lambda entry: entry["hashes"].update(sha256="0" * 64))
        self.check_refusal(WHEEL, "sha256|SHA-256|digest", ALTERED, self.install_evil(wrong))
        size = self.serve([(WHEEL, Wheel().zip())], change=lambda entry: entry.update(size=entry["size"] - 1))
        self.check_refusal(WHEEL, "larger than it is said to be|longer than expected", None, self.install_evil(size))
        # A file of another project on this one's page is not even considered.
        other = self.serve([("other-1.0-py3-none-any.whl", Wheel("other").zip())])
        self.check_refusal("evil", "no solution|needs evil", NO_SOLUTION, self.install_evil(other))
        # The file name says 2.0, and so says the page.
        page = self.serve([("evil-2.0-py3-none-any.whl", Wheel().zip())], core=False)
        self.check_refusal("evil", "2.0", None, self.install_evil(page))

    def test_the_same_wheels_as_local_files(self):
        cases = {"link": Wheel().add("evil/l", b"/etc", method=0, attributes=0o120777 << 16).zip(),
                 "hidden": Wheel().add("evil/hidden.py", only_local=True).zip(),
                 "escape": Wheel().add("../../evil.py").zip(),
                 "record": Wheel().row("evil/__init__.py", "evil/__init__.py,sha256=AAAA,10").zip()}
        local = self.work / "wheels"
        local.mkdir()
        for name, data in cases.items():
            (local / WHEEL).write_bytes(data)
            self.before = self.state()
            with self.subTest(name):
                self.check_refusal(WHEEL, "is a link|belong to no member|is not safe|is not what RECORD says", None,
                                   self.install_evil(self.serve([]), f"evil @ file://{local / WHEEL}"))

    def test_a_file_of_the_users_stays_however_often_it_is_tried(self):
        mine = self.app / ".venv/bin/run"
        mine.write_text("mine\n")
        package = self.app / f".venv/lib/python{self.python}/site-packages/evil"
        package.mkdir()
        (package / "__init__.py").write_text("mine too\n")
        self.before = self.state()
        index = self.serve([(WHEEL, Wheel().entry_points("run = evil:main").zip())])
        for _ in range(3):
            done = self.install_evil(index)
            self.assertNotEqual(done.code, 0, done)
            self.assertIn("in the way", done.err)
            self.assertEqual(mine.read_text(), "mine\n")
            self.assertEqual((package / "__init__.py").read_text(), "mine too\n")

    def test_mode_bits_of_an_sdist_are_not_taken_over(self):
        entries = [tar_entry("evil-1.0/tool", b"#!/bin/sh\n", mode=0o6755), tar_entry("evil-1.0/sticky", kind=tarfile.DIRTYPE, mode=0o1777)]
        done = self.install_evil(self.serve([(SDIST, sdist_of(entries))]))
        self.assertEqual(done.code, 0, done)
        for base, folders, files in os.walk(self.dir):
            for name in [*folders, *files]:
                mode = os.lstat(os.path.join(base, name)).st_mode
                self.assertFalse(mode & 0o7000, os.path.join(base, name))


if __name__ == "__main__":
    unittest.main()
