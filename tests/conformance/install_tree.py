"""Environments compared file by file: what dae installed beside what pip installed at the same place.

`JUSTIFIED` is the whole list of differences that may be; every other one is a problem.
"""
import base64
import collections
import csv
import hashlib
import io
import json
import os
import pathlib
import re
import stat

JUSTIFIED = {
    "installer": "INSTALLER holds the name of the tool",
    "requested": "REQUESTED is pip's own note of what its command line named; what was asked of dae stands in the project file",
    "launcher": "each tool writes its own programs for entry points; interpreter, module, function and mode are the same",
    "bytecode": "dae compiles when it fills the store, pip was told not to; in no RECORD, and every tool takes it out with its module",
    "read-only": "the bits for writing: dae's files may be those of other environments, too",
    "record": "RECORD has the same rows, sorted by bytes and ended by LF",
    "record-padding": "RECORD's hashes are without the `=` that the specification forbids; pip copies what the wheel says",
    "record-row": "RECORD tells size and SHA-256 of each file; pip copies the wheel's row, which may lack the size or have another algorithm",
    "wrapper": "RECORD of pip lists scripts of the wheel that it did not install, because programs for entry points take their place",
    "signature": "RECORD.jws and RECORD.p7s sign the wheel's RECORD, which is another one now; both are withdrawn (PEP 815)",
    "brought-note": "direct_url.json of the wheel says nothing about this installation; for a release of an index it must not be (PEP 610)",
    "blanks": "direct_url.json says the same, with blanks at other places",
    "script-mode": "scripts are executable, though the archive does not say so; pip leaves them without use",
    "script-start": "the interpreter's path is too long for `#!` or has a blank: dae's script starts by sh, pip's does not start",
    "conflict": "two wheels bring one file of different contents: of dae's the one whose name is later stays, of pip's the one that came last",
    "state": "dae's own notes at the root of the environment",
}
STATE_FILES = {"dae-env.json", ".dae-lock"}
# Either tool's first line(s), and what its program imports and calls.
HEAD = rb"(?P<head>#![^\n]*\n(?:'''exec' [^\n]*\n' '''\n)?)"
PIPS = re.compile(HEAD + rb"(?:# -\*- coding: utf-8 -\*-\n)?(?:import re\n)?import sys\n(?:import re\n)?from (?P<module>[^ \n]+) import (?P<first>[^ \n]+)\n"
                         rb"if __name__ == ['\"]__main__['\"]:\n    sys\.argv\[0\] = [^\n]+\n    sys\.exit\((?P<function>[^ \n]+)\(\)\)\n?")
OURS = re.compile(HEAD + rb"import sys\nfrom (?P<module>[^ \n]+) import (?P<first>[^ \n]+)\n\n"
                         rb"if __name__ == \"__main__\":\n    sys\.exit\((?P<function>[^ \n]+)\(\)\)\n")
BYTECODE = re.compile(r"(.*/)?__pycache__/[^/]+\.[^./]+\.pyc")
DIST_INFO = re.compile(r"lib/[^/]+/site-packages/[^/]+\.dist-info/(?P<file>.+)")
RECORD = re.compile(r"lib/[^/]+/site-packages/[^/]+\.dist-info/RECORD")  # of what is installed, not of what a package brings inside
KEPT_BYTES = 1 << 16  # scripts and RECORDs are looked into

File = collections.namedtuple("File", "kind mode size sha256 path")


def read(entry):
    return pathlib.Path(entry.path).read_bytes()


def look(path):
    """A file, through links of symlink mode; a link that leads nowhere tells where it points."""
    info = os.stat(path) if os.path.exists(path) else os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        return File("broken link", 0, 0, os.readlink(path), path)
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return File("file", stat.S_IMODE(info.st_mode), info.st_size, digest.digest(), path)


def files_of(root):
    """Path below `root` -> File; folders as "path/", so that empty ones are seen. Links of symlink mode are followed."""
    found = {}
    for folder, folders, names in os.walk(root, followlinks=True):
        relative = os.path.relpath(folder, root)
        prefix = "" if relative == "." else relative + "/"
        if prefix == "":
            folders[:] = [name for name in folders if name != "lib64"]
        if prefix:
            found[prefix] = File("folder", 0, 0, b"", folder)
        for name in names:
            found[prefix + name] = look(os.path.join(folder, name))
    return found


def moved(files, before, after):
    """The same files, kept elsewhere now."""
    return {path: entry._replace(path=str(after) + entry.path[len(str(before)):]) for path, entry in files.items()}


def added(after, before):
    """What an install brought: new files, and old ones that it changed."""
    return {path: entry for path, entry in after.items() if path not in before or before[path][:4] != entry[:4]}


def rows_of(data):
    return {row[0]: (row[1], row[2]) for row in csv.reader(io.StringIO(data.decode(), newline="")) if row}


def unpadded(row):
    return row[0].rstrip("="), row[1]


class Comparison:
    """Of the files that an install brought. `problems`: lines; `justified`: how often each difference was seen."""

    def __init__(self, ours, theirs, direct=False):
        self.ours, self.theirs, self.direct = ours, theirs, direct
        self.problems, self.justified, self.compared = [], collections.Counter(), 0
        self.launchers, self.scripts_by_sh = set(), set()
        self.claims, self.mixed = self.read_claims(), mixed_folders(ours)
        records = []
        for path in sorted(ours.keys() | theirs.keys()):
            if RECORD.fullmatch(path) and path in ours and path in theirs:
                records.append(path)
                self.compare_mode(path)
            else:
                self.compare(path)
        for path in records:  # last: they list what was found different
            self.compare_record(path)

    def read_claims(self):
        """Path -> the digests that the RECORDs of pip's tree tell of it."""
        claims = collections.defaultdict(set)
        for path, entry in self.theirs.items():
            if RECORD.fullmatch(path):
                site = os.path.dirname(os.path.dirname(path))
                for name, (hash_, _) in rows_of(read(entry)).items():
                    if hash_.startswith("sha256="):
                        claims[os.path.normpath(os.path.join(site, name))].add(base64.urlsafe_b64decode(hash_[7:].rstrip("=") + "="))
        return claims

    def bad(self, path, words):
        self.problems.append(f"{path}: {words}")

    def only_one(self, path):
        """The reason why a file may be in one of the trees only, or None."""
        if path in self.ours:
            if path in STATE_FILES:
                return "state"
            if BYTECODE.fullmatch(path) or (path.endswith("/__pycache__/") and path not in self.mixed):
                return "bytecode"
            return None
        name = DIST_INFO.fullmatch(path)
        name = name and name["file"]
        if name == "REQUESTED":
            return "requested"
        if name in ("RECORD.jws", "RECORD.p7s"):
            return "signature"
        if name == "direct_url.json" and not self.direct:
            return "brought-note"
        return None

    def compare(self, path):
        ours, theirs = self.ours.get(path), self.theirs.get(path)
        if ours is None or theirs is None:
            reason = self.only_one(path)
            if reason:
                self.justified[reason] += 1
            else:
                self.bad(path, "only by dae" if ours else "only by pip")
            return
        if "broken link" in (ours.kind, theirs.kind) or ours.kind != theirs.kind:
            return self.bad(path, f"{ours.kind} by dae, {theirs.kind} by pip")
        if ours.kind == "folder":
            return
        self.compared += 1
        self.compare_mode(path)
        if ours.sha256 == theirs.sha256:
            return
        reason = self.other_contents(path, ours, theirs)
        if reason:
            self.justified[reason] += 1
        else:
            self.bad(path, f"other contents: {read(ours)[:300]!r} by dae, {read(theirs)[:300]!r} by pip")

    def compare_mode(self, path):
        ours, theirs = self.ours[path].mode, self.theirs[path].mode
        if ours & 0o111 != theirs & 0o111:
            if path.startswith("bin/") and ours & 0o111 == 0o111:
                self.justified["script-mode"] += 1
            else:
                return self.bad(path, f"mode {ours:o} by dae, {theirs:o} by pip")
        if ours & ~0o333 != theirs & ~0o333 or ours & 0o222 & ~theirs:
            return self.bad(path, f"mode {ours:o} by dae, {theirs:o} by pip")
        self.justified["read-only"] += ours & 0o222 != theirs & 0o222

    def other_contents(self, path, ours, theirs):
        if len(self.claims[path]) > 1 and {ours.sha256, theirs.sha256} <= self.claims[path]:
            return "conflict"
        info = DIST_INFO.fullmatch(path)
        if info and info["file"] == "INSTALLER":
            return "installer" if (read(ours), read(theirs)) == (b"dae\n", b"pip\n") else None
        if info and info["file"] == "direct_url.json" and json.loads(read(ours)) == json.loads(read(theirs)):
            return "blanks"
        if not path.startswith("bin/") or max(ours.size, theirs.size) > KEPT_BYTES:
            return None
        ours, theirs = read(ours), read(theirs)
        mine, other = OURS.fullmatch(ours), PIPS.fullmatch(theirs)
        if mine and other:
            same = all(mine[part] == other[part] for part in ("module", "first", "function")) and same_interpreter(mine["head"], other["head"])
            if same:
                self.launchers.add(path)
            return "launcher" if same else None
        head = re.match(rb"#!/bin/sh\n'''exec' \"([^\n]+)\" \"\$0\" \"\$@\"\n' '''\n", ours)
        if head and theirs.startswith(b"#!" + head[1] + b"\n") and theirs[len(head[1]) + 3:] == ours[head.end():] and (b" " in head[1] or len(head[1]) > 124):
            self.scripts_by_sh.add(path)
            return "script-start"
        return None

    def compare_record(self, path):
        ours, theirs = read(self.ours[path]), read(self.theirs[path])
        self.compared += 1
        folder = os.path.dirname(os.path.dirname(path))  # site-packages
        mine, others = rows_of(ours), rows_of(theirs)
        if list(mine) != sorted(mine, key=str.encode):
            self.bad(path, "not sorted")
        if len(mine) != ours.count(b"\n") - sum(name.count("\n") for name in mine):
            self.bad(path, "a row twice")
        for name in sorted(mine.keys() | others.keys()):
            file = os.path.normpath(os.path.join(folder, name))
            if name not in mine and re.match(r"[^/]+\.data/scripts/", name) and file not in self.theirs:
                self.justified["wrapper"] += 1
            elif name not in others or name not in mine:
                reason = self.only_one(file)
                if reason is None or reason == "bytecode":
                    self.bad(path, f"row of {name!r} only by {'dae' if name in mine else 'pip'}")
            elif mine[name] != others[name]:
                self.compare_row(path, name, file, mine[name], others[name])
        if ours != theirs:
            self.justified["record"] += 1

    def compare_row(self, path, name, file, mine, other):
        if mine == unpadded(other):
            self.justified["record-padding"] += 1
        elif mine == truth_of(self.ours.get(file)):
            # Ours is right; it may differ where the file does, or where pip's says less.
            if file in self.launchers or file in self.scripts_by_sh or (DIST_INFO.fullmatch(file) or {"file": ""})["file"] in ("INSTALLER", "direct_url.json"):
                return
            if (unpadded(other)[0] in (mine[0], "") or re.match("sha(384|512)=", other[0])) and other[1] in (mine[1], ""):
                self.justified["record-row"] += 1
                return
            self.bad(path, f"row of {name!r}: {mine} by dae, {other} by pip")
        else:
            self.bad(path, f"row of {name!r}: {mine} by dae, {other} by pip; of the file: {truth_of(self.ours.get(file))}")


def mixed_folders(files):
    """Those called __pycache__ with something else in them."""
    return {path[:found.end()] for path in files if not BYTECODE.fullmatch(path)
            for found in re.finditer(r"(?<=/)__pycache__/", path) if found.end() < len(path)}


def same_interpreter(ours, theirs):
    """Quotes that a path without blanks does not need are no difference."""
    return ours.replace(b'"', b"") == theirs.replace(b'"', b"")


def truth_of(entry):
    if entry is None:
        return None
    return "sha256=" + base64.urlsafe_b64encode(entry.sha256).rstrip(b"=").decode(), str(entry.size)


def unrecorded(files):
    """Lines: what RECORD says and is not so, and files that no RECORD lists. For environments that dae made."""
    problems, rows = [], collections.defaultdict(dict)
    for path, entry in files.items():
        if RECORD.fullmatch(path):
            site = os.path.dirname(os.path.dirname(path))
            for name, row in rows_of(read(entry)).items():
                rows[os.path.normpath(os.path.join(site, name))][path] = row
    for file, told in rows.items():
        if file not in files:
            problems += [f"{path} lists {file!r}, which is not there" for path in told]
        elif not any(row in (("", ""), truth_of(files[file])) or not row[0].startswith("sha256=") for row in told.values()):
            problems.append(f"{file!r} is {truth_of(files[file])}, which none of {told} says")
    return problems + [f"{path} is in no RECORD" for path, entry in files.items() if entry.kind != "folder" and path not in rows
                       and path not in STATE_FILES and not BYTECODE.fullmatch(path)]
