"""Judges a pylock.toml without any code of ours: only the `packaging` library (26.3 or later) and the index's own words.

    lock_checker.py LOCK --requirements FILE --index URL [--python 3.11.7] [--platform manylinux_2_36_x86_64]...

For each target: the lock can be selected from; each chosen file has a hash, is on the index's page with that hash and
fits the target; root requirements and those of every chosen version hold, markers and extras considered; Requires-Python
holds; nothing is chosen that nobody asks for; no yanked version without an exact pin and no pre-release where a final
version would do. Prints what is wrong and exits with 1.
"""
import argparse
import collections
import concurrent.futures
import io
import json
import pathlib
import re
import sys
import tarfile
import tomllib
import urllib.error
import urllib.parse
import urllib.request
import zipfile

from packaging import tags
from packaging.markers import default_environment
from packaging.metadata import parse_email
from packaging.pylock import PackageSdist, PackageWheel, Pylock, PylockValidationError, is_valid_pylock_path
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

JSON = "application/vnd.pypi.simple.v1+json"
MANYLINUX_ALIASES = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


class Target:
    """A CPython on Linux as the lock declares it, never this machine's."""

    def __init__(self, python, platform):
        self.python, self.platform = python, platform
        self.release = tuple(int(part) for part in python.split(".")[:2])
        found = re.fullmatch(r"(manylinux|musllinux)_(\d+)_(\d+)_(\w+)", platform)
        if not found:
            raise SystemExit(f"the checker knows manylinux_X_Y_ARCH and musllinux_X_Y_ARCH, not {platform}")
        self.kind, major, minor, self.machine = found[1], int(found[2]), int(found[3]), found[4]
        self.platforms = []
        for each in range(minor, -1, -1):
            self.platforms.append(f"{self.kind}_{major}_{each}_{self.machine}")
            if self.kind == "manylinux" and (major, each) in MANYLINUX_ALIASES:
                self.platforms.append(f"{MANYLINUX_ALIASES[major, each]}_{self.machine}")
        self.platforms.append(f"linux_{self.machine}")

    def tags(self):
        interpreter = f"cp{self.release[0]}{self.release[1]}"
        return [*tags.cpython_tags(self.release, platforms=self.platforms),
                *tags.compatible_tags(self.release, interpreter, self.platforms)]

    def environment(self):
        full = self.python if self.python.count(".") == 2 else self.python + ".0"
        return {**default_environment(), "python_version": ".".join(map(str, self.release)), "python_full_version": full,
                "implementation_name": "cpython", "implementation_version": full, "platform_python_implementation": "CPython",
                "os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": self.machine}


class Index:
    def __init__(self, url):
        self.url = url.rstrip("/") + "/"
        self._pages = {}

    def fetch(self, url, accept="*/*"):
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=60) as answer:
            return answer.read()

    def page(self, name):
        """file name -> its entry, with an absolute URL."""
        if name not in self._pages:
            url = urllib.parse.urljoin(self.url, name + "/")
            page = json.loads(self.fetch(url, JSON))
            self._pages[name] = {entry["filename"]: {**entry, "url": urllib.parse.urljoin(url, entry["url"])} for entry in page["files"]}
        return self._pages[name]

    def metadata(self, entry, kind):
        """The raw core metadata of a file, or None for an sdist that does not say for sure what it needs."""
        if kind is PackageWheel:
            try:
                return self.fetch(entry["url"] + ".metadata")
            except urllib.error.HTTPError:
                archive = zipfile.ZipFile(io.BytesIO(self.fetch(entry["url"])))
                return archive.read(next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA") and n.count("/") == 1))
        try:
            text = sdist_member(self.fetch(entry["url"]), entry["filename"], "PKG-INFO")
        except (urllib.error.HTTPError, StopIteration):
            text = None  # not kept by an index that stands still, or an old archive without PKG-INFO
        if text is not None:
            raw, _ = parse_email(text)
            version = tuple(int(part) for part in raw.get("metadata_version", "1.0").split("."))
            dynamic = {field.lower() for field in raw.get("dynamic", [])}
            if version >= (2, 2) and not dynamic & {"requires-dist", "requires-python", "provides-extra"}:
                return text
        return self.metadata_of_another_wheel(entry["filename"])

    def metadata_of_another_wheel(self, sdist):
        """What a wheel of the same version for another platform says: wheels of a version are built from its sdist. Those
        for Linux first: some say without a marker what is needed on Windows only."""
        name, version = parse_sdist_filename(sdist)
        for file, entry in sorted(self.page(name).items(), key=lambda item: ("linux" not in item[0], "-win" in item[0])):
            if file.endswith(".whl") and version_of(file) == version:
                try:
                    return self.fetch(entry["url"] + ".metadata")
                except urllib.error.HTTPError:
                    continue
        return None


def sdist_member(data, file, wanted):
    if file.endswith(".zip"):
        archive = zipfile.ZipFile(io.BytesIO(data))
        return archive.read(next(name for name in archive.namelist() if name.endswith("/" + wanted) and name.count("/") == 1))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.extractfile(next(m for m in archive if m.name.endswith("/" + wanted) and m.name.strip("./").count("/") == 1)).read()


def read_requirements(path):
    """The plain lines of a requirements file: neither options nor URLs of other files."""
    text = re.sub(r"\\\n", "", pathlib.Path(path).read_text())
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def version_of(file):
    try:
        return parse_wheel_filename(file)[1] if file.endswith(".whl") else parse_sdist_filename(file)[1]
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None


class Checker:
    def __init__(self, lock_path, roots, index_url):
        self.problems, self.unknown = [], []
        if not is_valid_pylock_path(pathlib.Path(lock_path)):
            self.problems.append(f"{lock_path} is no name of a lock")
        try:
            self.lock = Pylock.from_dict(tomllib.loads(pathlib.Path(lock_path).read_text()))
        except (PylockValidationError, tomllib.TOMLDecodeError) as error:
            raise SystemExit(f"{lock_path} is no lock: {error}") from None
        self.roots, self.index = roots, Index(index_url)

    def check(self, target):
        environment = target.environment()
        try:
            chosen = {package.name: (package, source) for package, source in self.lock.select(environment=environment, tags=target.tags())}
        except Exception as error:  # PylockSelectError and whatever else a bad lock makes of it
            self.problems.append(f"cannot be selected from: {error}")
            return {}
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            found = dict(zip(chosen, pool.map(lambda pair: self.examine(*pair, environment), chosen.values())))
        self.follow(chosen, found, environment)
        return {name: str(package.version) for name, (package, _) in chosen.items()}

    def examine(self, package, source, environment):
        """What the chosen file says of itself."""
        where = f"{package.name} {package.version}"
        if not isinstance(source, (PackageWheel, PackageSdist)):
            self.unknown.append(where)
            return None
        if not source.hashes.get("sha256"):
            self.problems.append(f"{where}: {source.filename} has no sha256")
        entry = self.index.page(package.name).get(source.filename)
        if entry is None or entry["hashes"].get("sha256") != source.hashes.get("sha256"):
            self.problems.append(f"{where}: the index has no {source.filename} of this hash")
            return None
        if version_of(source.filename) != package.version:
            self.problems.append(f"{where}: {source.filename} is of another version")
        try:
            text = self.index.metadata(entry, type(source))
        except (urllib.error.URLError, StopIteration, OSError, tarfile.TarError) as error:
            self.problems.append(f"{where}: its metadata cannot be read: {error}")
            return None
        if text is None:
            self.unknown.append(where)
            return None
        raw, _ = parse_email(text)
        if canonicalize_name(raw["name"]) != package.name or Version(raw["version"]) != package.version:
            self.problems.append(f"{where}: the metadata is of {raw['name']} {raw['version']}")
        if entry.get("yanked"):
            exact = any(s.operator in ("==", "===") and "*" not in s.version for root in self.roots
                        if canonicalize_name(root.name) == package.name for s in root.specifier)
            if not exact:
                self.problems.append(f"{where}: {source.filename} is yanked")
        for requires_python in (raw.get("requires_python"), entry.get("requires-python")):
            try:
                if requires_python and not SpecifierSet(requires_python).contains(environment["python_full_version"], prereleases=True):
                    self.problems.append(f"{where}: needs python {requires_python}")
            except InvalidSpecifier:
                pass
        return raw.get("requires_dist", [])

    def follow(self, chosen, found, environment):
        """From the roots to everything they need; what is not reached was not asked for."""
        asked = collections.defaultdict(list)
        todo = [("the requirements", root, set()) for root in self.roots]
        seen = set()
        while todo:
            who, requirement, extras = todo.pop()
            if requirement.marker and not any(requirement.marker.evaluate({**environment, "extra": extra}) for extra in extras or {""}):
                continue
            name = canonicalize_name(requirement.name)
            if name not in chosen:
                self.problems.append(f"{who}: {requirement} is not in the lock")
                continue
            package = chosen[name][0]
            asked[name].append(requirement)
            if not requirement.url and package.version and not requirement.specifier.contains(package.version, prereleases=True):
                self.problems.append(f"{who}: {requirement} does not hold for {package.version}")
            for extra in [None, *map(canonicalize_name, requirement.extras)]:
                if (name, extra) in seen:
                    continue
                seen.add((name, extra))
                for line in found[name] or []:
                    try:
                        further = Requirement(line)
                    except InvalidRequirement:
                        continue  # as pip does
                    todo.append((f"{name} {package.version}", further, {extra} if extra else {""}))
        for name in chosen.keys() - asked.keys():
            if self.unknown:  # an sdist that tells its requirements only when built may be who asks
                self.unknown.append(f"who asks for {name}")
            else:
                self.problems.append(f"nobody asks for {name}")
        for name, requirements in asked.items():
            self.judge_prerelease(chosen[name][0], requirements)

    def judge_prerelease(self, package, requirements):
        if package.version is None or not package.version.is_prerelease or any(r.specifier.prereleases or r.url for r in requirements):
            return
        finals = {v for v in map(version_of, self.index.page(package.name)) if v and not v.is_prerelease}
        if any(all(r.specifier.contains(v) for r in requirements) for v in finals):
            self.problems.append(f"{package.name} {package.version} is a pre-release, and a final version would do")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lock")
    parser.add_argument("--requirements", required=True)
    parser.add_argument("--index", required=True)
    parser.add_argument("--python", default="{}.{}.{}".format(*sys.version_info[:3]))
    parser.add_argument("--platform", action="append")
    parser.add_argument("--json", action="store_true", help="print {problems, unknown, pins}")
    arguments = parser.parse_args()
    checker = Checker(arguments.lock, read_requirements(arguments.requirements), arguments.index)
    pins = {}
    for platform in arguments.platform or ["manylinux_2_36_x86_64"]:
        pins = checker.check(Target(arguments.python, platform))
    if arguments.json:
        print(json.dumps({"problems": checker.problems, "unknown": checker.unknown, "pins": pins}))
    else:
        print("\n".join(checker.problems) or f"{len(pins)} packages, all requirements hold")
        if checker.unknown:
            print("not judged (told only by a build):", ", ".join(sorted(checker.unknown)))
    sys.exit(1 if checker.problems else 0)


if __name__ == "__main__":
    main()
