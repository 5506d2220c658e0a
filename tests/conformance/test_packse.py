"""The packse scenarios (outside the repository: $DAE_SHARED_DATA/packse/scenarios, else ../shared/data beside the
checkout), each served as a static index and locked by the binary. Where there is a solution the pins are the expected
ones, and an independent checker agrees with the lock for every target; where there is none the exit code is 6 and the
explanation names the lines of the requirements file that are at fault. Whatever differs is in DEVIATIONS, with why.

A universal scenario is locked for Linux, macOS and Windows at once and judged for each; what it says of other systems
and of PyPy, which cannot be declared, is not compared."""
import hashlib
import http.server
import io
import json
import os
import pathlib
import re
import sys
import tarfile
import threading
import tomllib
import unittest
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import DaeTest, ROOT  # noqa: E402
from peer_tools import tools_or_skip  # noqa: E402

SCENARIOS = pathlib.Path(os.environ.get("DAE_SHARED_DATA", ROOT.parent / "shared" / "data")) / "packse" / "scenarios"
NO_SOLUTION = 6
LINUX, MAC, WINDOWS = "manylinux_2_17_x86_64", "macosx_14_0_arm64", "win_amd64"
HTML, JSON = "application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+json"

# Declared targets: each is solved by itself, so versions that differ between platforms are no conflict.
PER_TARGET = "no one answer for all platforms, but one for each declared target"
# PEP 440 and pip 26: where no final version is in the range a pre-release is; the scenario is older.
FALL_BACK = "only pre-releases are in the range, and then PEP 440 takes them"
# scenario -> what we do instead, and why. What is solved against expectation is still judged by the checker.
DEVIATIONS = {
    "fork/fork-non-local-fork-marker-direct": ("solved", PER_TARGET),
    "fork/fork-non-local-fork-marker-transitive": ("solved", PER_TARGET),
    "fork/preferences-dependent-forking-conflicting": ("solved", PER_TARGET),
    "prereleases/package-only-prereleases-in-range": ("solved", FALL_BACK),
    "prereleases/transitive-package-only-prereleases-in-range": ("solved", FALL_BACK),
    "prereleases/transitive-prerelease-and-stable-dependency": ("solved", FALL_BACK),
    "prereleases/transitive-prerelease-and-stable-dependency-many-versions": ("solved", FALL_BACK),
    "prereleases/transitive-prerelease-and-stable-dependency-many-versions-holes": ("solved", FALL_BACK),
    "requires_python/python-less-than-current": ("refuted", "Requires-Python holds as it stands; the scenario ignores upper bounds"),
    "wheels/specific-architecture": ("refuted", "has wheels of CPython 3.13 only; locked is for 3.12, as it names no python"),
}
# Systems that are none stand for the declared ones, so that a conflict on one of them can be met.
MADE_UP = {"'os1'": "'linux'", "'os2'": "'darwin'"}


def normalize(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def load_scenarios():
    """key -> scenario; examples/example.yaml repeats example.toml, and nothing here reads YAML."""
    found = {}
    for path in sorted(SCENARIOS.glob("*/*.toml")) + sorted(SCENARIOS.glob("*/*.json")):
        text = re.sub("|".join(MADE_UP), lambda word: MADE_UP[word[0]], path.read_text())
        parts = [tomllib.loads(text)] if path.suffix == ".toml" else json.loads(text)
        for part in parts if isinstance(parts, list) else [parts]:
            key = f"{path.parent.name}/{part['name']}"
            if key in found:
                raise AssertionError(f"two scenarios are called {key}")
            found[key] = part
    return found


def core_metadata(name, version, entry):
    lines = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}"]
    if entry.get("requires_python"):
        lines.append(f"Requires-Python: {entry['requires_python']}")
    lines += [f"Requires-Dist: {need}" for need in entry.get("requires", [])]
    for extra, needs in entry.get("extras", {}).items():
        lines.append(f"Provides-Extra: {normalize(extra)}")
        for need in needs:
            requirement, _, marker = need.partition(";")
            condition = f"({marker.strip()}) and " if marker else ""
            lines.append(f"Requires-Dist: {requirement.strip()} ; {condition}extra == '{normalize(extra)}'")
    return "\n".join(lines).encode() + b"\n\n"


def wheel(name, version, tag, metadata):
    folder = f"{name.replace('-', '_')}-{version}.dist-info"
    members = {f"{folder}/METADATA": metadata,
               f"{folder}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()}
    record = "".join(f"{path},,{len(data)}\n" for path, data in members.items()) + f"{folder}/RECORD,,\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, data in [*members.items(), (f"{folder}/RECORD", record.encode())]:
            archive.writestr(zipfile.ZipInfo(path), data)
    return out.getvalue()


def sdist(stem, metadata):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, data in [(f"{stem}/PKG-INFO", metadata), (f"{stem}/pyproject.toml", b"[build-system]\nrequires = []\n")]:
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def files_of(name, version, entry):
    """file name -> bytes of what the index has of this version; the metadata is static, nothing has to be built."""
    metadata, stem = core_metadata(name, version, entry), f"{name.replace('-', '_')}-{version}"
    files = {}
    if entry.get("wheel", True):
        for tag in entry.get("wheel_tags") or ["py3-none-any"]:
            files[f"{stem}-{tag}.whl"] = wheel(name, version, tag, metadata)
    if entry.get("sdist", True):
        files[f"{stem}.tar.gz"] = sdist(stem, metadata)
    return files


def write_index(folder, scenario):
    """folder/{json,html}/NAME/ are the pages, folder/files/ what they link to."""
    (folder / "files").mkdir(parents=True)
    for name, package in scenario.get("packages", {}).items():
        entries = []
        for version, entry in package["versions"].items():
            for file, data in files_of(name, version, entry).items():
                (folder / "files" / file).write_bytes(data)
                entries.append({"filename": file, "url": f"../../files/{file}", "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
                                "requires-python": entry.get("requires_python"), "yanked": entry.get("yanked", False)})
        page = {"meta": {"api-version": "1.1"}, "name": name, "files": entries, "versions": list(package["versions"])}
        for kind, text in ("json", json.dumps(page)), ("html", html_page(entries)):
            path = folder / kind / normalize(name) / "index"
            path.parent.mkdir(parents=True)
            path.write_text(text)


def html_page(entries):
    links = []
    for entry in entries:
        python = entry["requires-python"]
        attributes = f' data-requires-python="{python.replace("<", "&lt;").replace(">", "&gt;")}"' if python else ""
        attributes += ' data-yanked=""' if entry["yanked"] else ""
        links.append(f'<a href="{entry["url"]}#sha256={entry["hashes"]["sha256"]}"{attributes}>{entry["filename"]}</a><br>')
    return "<!DOCTYPE html><html><body>\n" + "\n".join(links) + "\n</body></html>\n"


class Pages(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    index_pages = ("index",)

    def guess_type(self, path):
        parts = pathlib.PurePath(path).parts
        return {"json": JSON, "html": HTML}.get(parts[-3] if parts[-1] == "index" else "", "application/octet-stream")

    def send_head(self):
        if self.path.endswith("/"):
            self.path += "index"
        return super().send_head()

    def log_message(self, *_):
        pass


class Target:
    """What tests/support/lock_checker.py asks of a target, for all three systems."""

    def __init__(self, python, platform):
        self.linux = lock_checker.Target(python, LINUX)
        self.platform = platform

    def tags(self):
        if self.platform == LINUX:
            return self.linux.tags()
        platforms = ["win_amd64"] if self.platform == WINDOWS else list(tags.mac_platforms((14, 0), "arm64"))
        release = self.linux.release
        return [*tags.cpython_tags(release, platforms=platforms),
                *tags.compatible_tags(release, f"cp{release[0]}{release[1]}", platforms)]

    def environment(self):
        of_platform = {
            LINUX: ("posix", "linux", "Linux", "x86_64"), MAC: ("posix", "darwin", "Darwin", "arm64"),
            WINDOWS: ("nt", "win32", "Windows", "AMD64")}[self.platform]
        names = ("os_name", "sys_platform", "platform_system", "platform_machine")
        return {**self.linux.environment(), **dict(zip(names, of_platform))}


class Scenario:
    """One scenario on disk, and what `dae lock` makes of it."""

    def __init__(self, test, key, data, port, html):
        self.test, self.data = test, data
        folder = key.replace("/", "+")
        write_index(test.indexes / folder, data)
        self.base = f"http://127.0.0.1:{port}/{folder}"
        self.index = f"{self.base}/{'html' if html else 'json'}"
        self.folder = test.dir / folder
        self.folder.mkdir()
        self.options = data.get("resolver_options", {})
        self.roots = data["root"]["requires"]
        self.universal = self.options.get("universal", False)
        python = self.options.get("python") or data.get("environment", {}).get("python", "3.12")
        lowest = re.search(r">=\s*(\d+\.\d+)", data["root"].get("requires_python", ""))
        python = python.removesuffix(".0")  # a declared target is of a minor version, and that is its first patch
        self.pythons = sorted({python, lowest[1]}) if lowest else [python]
        self.platforms = [LINUX, MAC, WINDOWS] if self.universal else [LINUX]

    def lock(self, roots, name="pylock.toml"):
        """The roots begin in line 2: a line number that is right by chance is not."""
        requirements = self.folder / "root.txt"
        flags = [f"--no-binary {name}" for name in self.options.get("no_binary", [])]
        flags += [f"--only-binary {name}" for name in self.options.get("no_build", [])]
        requirements.write_text("\n".join(["# " + self.data["name"], *roots, *flags]) + "\n")
        words = ["lock", requirements.name, "-o", name, "--index", self.index]
        for python in self.pythons:
            words += ["--python-version", python]
        for platform in self.platforms:
            words += ["--platform", platform]
        if self.options.get("prereleases"):
            words += ["--prereleases", "allow"]
        return self.test.dae(*words, cwd=self.folder, code=None)

    def deviation(self):
        """("", "") when all is as expected, else how it ended instead (solved, refuted, wrong) and what there is to say."""
        result = self.lock(self.roots)
        expected = self.data["expected"]["satisfiable"]
        if result.code not in (0, NO_SOLUTION):
            return "wrong", f"neither solved nor refuted: {result}"
        found = result.code == 0
        wrong = self.wrong_lock(exact=expected) if found else self.wrong_explanation(result.err)
        if wrong:
            return "wrong", wrong
        return ("", "") if found == expected else ("solved" if found else "refuted", result.err)

    def targets(self):
        return [Target(python, platform) for python in self.pythons for platform in self.platforms]

    def judge(self, target):
        roots = [Requirement(line) for line in self.roots]
        checker = lock_checker.Checker(self.folder / "pylock.toml", roots, f"{self.base}/json")
        pins = checker.check(target)
        problems = checker.problems + [f"not judged: {each}" for each in checker.unknown]
        if self.options.get("prereleases"):
            problems = [problem for problem in problems if "is a pre-release" not in problem]
        return pins, problems

    def wrong_lock(self, exact):
        wanted = self.data["expected"].get("packages") if exact else None
        for target in self.targets():
            pins, problems = self.judge(target)
            if problems:
                return "; ".join(problems)
            if wanted is not None and pins != {normalize(name): str(Version(version)) for name, version in wanted.items()}:
                return f"expected {wanted}, got {pins}"
        return ""

    def wrong_explanation(self, text):
        """The lines at fault are those without which there is a solution, or any where there is no such line."""
        named = {int(line) - 2 for line in re.findall(r"root\.txt:(\d+)", text)}
        guilty = {at for at in range(len(self.roots)) if len(self.roots) > 1 and
                  self.lock(self.roots[:at] + self.roots[at + 1:], "pylock.less.toml").code == 0}
        if not guilty <= named or not named or not named <= set(range(len(self.roots))):
            return f"names the lines {sorted(at + 2 for at in named)}, at fault are {sorted(at + 2 for at in guilty)}: {text}"
        told = re.findall(r"`([A-Za-z][\w.-]*)", self.data["expected"].get("explanation", ""))
        packages = {word for word in told if word in self.data.get("packages", {})} or {Requirement(line).name for line in self.roots}
        if not any(re.search(rf"(?m)(^\s*|needs |`){re.escape(name)}([\s<>=!~\[`,;]|$)", text) for name in packages):
            return f"names none of {sorted(packages)}: {text}"
        return ""


class Packse(DaeTest):
    def test_each_scenario_ends_as_expected_or_is_a_listed_deviation(self):
        self.indexes = self.dir / "indexes"
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), lambda *arguments: Pages(*arguments, directory=str(self.indexes)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        scenarios = load_scenarios()
        self.assertEqual(sorted(DEVIATIONS.keys() - scenarios.keys()), [], "listed, and no scenario")
        as_expected = 0
        for at, (key, data) in enumerate(scenarios.items()):
            with self.subTest(key):
                how, what = Scenario(self, key, data, server.server_port, html=at % 5 == 0).deviation()
                self.assertEqual(how, DEVIATIONS.get(key, ("", ""))[0], what or "ends as expected now: take it off the list")
                as_expected += key not in DEVIATIONS
        print(f"packse: {len(scenarios)} scenarios, {as_expected} as expected, {len(DEVIATIONS)} listed deviations")


if __name__ == "__main__":
    if not SCENARIOS.is_dir():
        print(f"skipped: no packse scenarios in {SCENARIOS}: set DAE_SHARED_DATA to the folder that has packse/scenarios", file=sys.stderr)
        sys.exit(77)
    try:
        import lock_checker
    except ImportError:  # this python's `packaging` is absent or too old for locks
        python = str(tools_or_skip() / "python")
        if sys.executable == python:
            raise
        os.execv(python, [python, *sys.argv])
    from packaging import tags
    from packaging.requirements import Requirement
    from packaging.version import Version
    unittest.main()
