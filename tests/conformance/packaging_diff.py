"""Compares resolver/standards with the `packaging` library on tabled and random cases.

    packaging_diff.py <standards_probe> [cases] [seed]

100,000 random cases beside the tabled ones unless the argument or DAE_PACKAGING_CASES says otherwise (some five seconds).

Exit status 0: no difference beyond those listed in KNOWN, 1: differences (printed), 77: no library to compare with.
"""
import os
import pathlib
import random
import re
import subprocess
import sys

OLDEST_ORACLE = (26, 3)  # earlier releases rank linux_* tags last and treat pre-releases in `contains` differently

try:
    import packaging as oracle
    from packaging import markers, requirements, specifiers, tags, utils, version, _manylinux, _musllinux
    found = tuple(int(part) for part in oracle.__version__.split(".")[:2] if part.isdigit())
except ImportError:
    found = (0, 0)
if found < OLDEST_ORACLE:
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
    from peer_tools import tools_or_skip
    python = str(tools_or_skip() / "python")
    if os.path.realpath(sys.prefix) == os.path.realpath(pathlib.Path(python).parents[1]):
        print("skipped: the index has no `packaging` of 26.3 or later")
        sys.exit(77)
    os.execv(python, [python, *sys.argv])

# Where the two differ on purpose. Each names the question, a predicate over its fields, and the reason.
MAX_NUMBER = 2**64 - 1


def has_big_number(text):
    digits = "".join(c if c.isdigit() else " " for c in text)
    return any(int(part) > MAX_NUMBER for part in digits.split())


def empty_arbitrary(fields, ours, theirs):
    return ours == "error" and re.search(r"===\s*[,;)]|===\s*$", fields[1]) is not None


def name_ends_with_underscore(fields, ours, theirs):
    return ours == "error" and theirs != "error" and re.match(r"\s*\w+_(?![\w.-])", fields[1]) is not None


def blank_after_arbitrary(fields, ours, theirs):
    if "===" not in fields[1] or "," not in fields[1]:
        return False
    if ours == "error":
        return ",," in re.sub(r"\s", "", fields[1])
    packed = re.sub(r"([=!<>~])\s+", r"\1", re.sub(r"\s*,\s*", ",", fields[1]))
    return same(fields, ours, expected([fields[0], packed]))


def agrees_once_defined(fields, ours, theirs):
    return evaluate(*fields[1:], defined=True) == ours


def refused_while_parsing(fields, ours, theirs):
    return ours == "error" and theirs == "undefined"


KNOWN = [
    ("*", lambda f, ours, theirs: ours == "error" and any(has_big_number(x) for x in f[1:]),
     "numbers above 2^64-1 are refused, the library has no limit"),
    ("spec", empty_arbitrary, "`===` without a text is refused: the grammar asks for at least one character"),
    ("req", empty_arbitrary, "`===` without a text is refused: the grammar asks for at least one character"),
    ("req", name_ends_with_underscore, "a name that ends with `_` is refused: the grammar wants a letter or digit there"),
    ("req", blank_after_arbitrary, "`===1.0, <2`: the library takes the comma for a part of the text when a blank or another "
     "comma follows; in the grammar no text holds a comma"),
    ("marker eval", agrees_once_defined, "where not both sides are versions, strings are compared: the library answers `no` even to != then, "
     "and raises on ~= (which never holds here) and === (which is equality here)"),
    ("marker", refused_while_parsing, "a comparison of two literals, or `extras` on the left, is refused while parsing; the library "
     "raises while evaluating"),
]


class Cases:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, items):
        return self.random.choice(items)

    def chance(self, share):
        return self.random.random() < share

    def number(self):
        return str(self.pick([0, 0, 1, 1, 2, 3, 5, 9, 10, 11, 100, 511, 512, 1023, 1024, 2047, 2048, 16383, 16384, 32767, 32768,
                              2024, 20240101, MAX_NUMBER]))

    def suffix(self, words):
        separator = self.pick(["", "", "", ".", "-", "_"])
        number = self.pick(["", self.number(), self.pick("0123"), self.pick(".-_") + self.pick("012")])
        return separator + self.pick(words) + number

    def local(self):
        parts = [self.pick(["1", "01", "abc", "ABC", "ubuntu", "1a", "a1", "0", "10", "cu118"]) for _ in range(self.random.randint(1, 3))]
        return "+" + self.pick(".-_").join(parts)

    def release(self, most=6):
        size = self.pick([1, 2, 2, 2, 3, 3, 3, 4, 5, most])
        if self.chance(0.7):
            return ".".join(self.pick("0011223") for _ in range(size))
        return ".".join(self.number() for _ in range(size))

    def version(self, local=True):
        text = self.pick(["", "", "", "", "", "v", "V"]) + self.pick(["", "", "", "", "", "", "0!", "1!", "2!"]) + self.release()
        if self.chance(0.3):
            text += self.suffix(["a", "b", "rc", "c", "alpha", "beta", "pre", "preview", "A", "RC"])
        if self.chance(0.25):
            text += self.pick([self.suffix(["post", "r", "rev", "Post"]), "-" + self.pick("0123")])
        if self.chance(0.25):
            text += self.suffix(["dev", "DEV"])
        if local and self.chance(0.15):
            text += self.local()
        return text

    def broken_version(self):
        text = list(self.version())
        for _ in range(self.random.randint(1, 3)):
            at = self.random.randrange(len(text) + 1)
            text[at:at + self.random.randint(0, 1)] = [self.pick(["", ".", "-", "_", "+", "!", "a", "r", "x", "9", " ", "*", "post", "dev"])]
        return "".join(text)

    def near(self, text):
        """A version in the neighbourhood: where the rules for posts, locals and pre-releases bite."""
        base = text.split("+")[0]
        ends = ["", ".0", ".0.0", ".1", "a1", "b2", "rc1", ".post0", ".post1", ".post1.dev0", ".dev0", ".dev1", "a1.dev1", "+local", "+1",
                ".post1+x", "rc1.post1", "a1.post1.dev2"]
        return base + self.pick(ends)

    def specifier(self):
        op = self.pick(["==", "!=", "<=", ">=", "<", ">", "~=", "===", "==", "!="])
        space = self.pick(["", "", "", " "])
        if op in ("==", "!=") and self.chance(0.3):
            return op + space + self.pick(["", "v", "1!"]) + self.release() + ".*"
        if op == "===" and self.chance(0.3):
            return op + self.pick(["abc", "1.0", "1.0.0", "foo-bar", "1.0.*", "", "2.0A1"])
        if self.chance(0.05):
            return op + self.broken_version()
        return op + space + self.version(local=op in ("==", "!=", "===") or self.chance(0.05))

    def specifier_set(self):
        parts = [self.specifier() for _ in range(self.pick([1, 1, 1, 2, 2, 3]))]
        text = self.pick([",", ", ", " ,"]).join(parts)
        return text + (self.pick([",", ",,"]) if self.chance(0.03) else "")

    VARIABLES = ["python_version", "python_full_version", "os_name", "sys_platform", "platform_release", "platform_system",
                 "platform_version", "platform_machine", "platform_python_implementation", "implementation_name",
                 "implementation_version", "python_version", "python_full_version", "sys_platform"]
    OLD = ["os.name", "sys.platform", "platform.version", "platform.machine", "platform.python_implementation", "python_implementation"]
    LITERALS = ["3.8", "3.11", "3.11.7", "3.9", "3", "4", "3.8.*", "3.11.*", "linux", "win32", "darwin", "posix", "nt", "cpython", "CPython",
                "x86_64", "Linux", "", "6.1.0", "5.10", "linux win32", "3.8 3.9 3.11", "3.12.0rc1", "3.11.7+local", "foo", "1.0.dev1"]

    def literal(self, text=None):
        text = self.pick(self.LITERALS) if text is None else text
        quote = self.pick("'\"")
        return quote + text + quote

    def comparison(self, lock):
        if self.chance(0.2):
            name = self.pick(["x", "Foo_Bar", "foo.bar", "test", "dev"])
            if lock:
                return f"{self.literal(name)} {self.pick(['in', 'not in'])} {self.pick(['extras', 'dependency_groups'])}"
            sides = ["extra", self.literal(name)]
            self.random.shuffle(sides)
            return f"{sides[0]} {self.pick(['==', '!='])} {sides[1]}"
        op = self.pick(["==", "!=", "<", "<=", ">", ">=", "~=", "===", "in", "not in", "==", ">=", "<", "not  in"])
        variable = self.pick(self.OLD) if self.chance(0.05) else self.pick(self.VARIABLES)
        sides = [variable, self.literal()]
        if self.chance(0.25):
            sides.reverse()
        space = " " if "in" in op else self.pick(["", " "])
        return sides[0] + space + op + space + sides[1]

    def marker(self, lock, depth=0):
        text = []
        for i in range(self.pick([1, 1, 2, 2, 3])):
            if i:
                text.append(self.pick([" and ", " or "]))
            if depth < 3 and self.chance(0.25):
                text.append("(" + self.marker(lock, depth + 1) + ")")
            else:
                text.append(self.comparison(lock))
        return "".join(text)

    def environment(self):
        minor = self.pick([7, 8, 9, 11, 12, 13])
        full = self.pick([f"3.{minor}.0", f"3.{minor}.7", f"3.{minor}.0rc1", f"3.{minor}.2+"])
        return {"python_version": f"3.{minor}", "python_full_version": full, "implementation_version": full.rstrip("+"),
                "os_name": self.pick(["posix", "nt"]), "sys_platform": self.pick(["linux", "win32", "darwin"]),
                "platform_release": self.pick(["6.1.0", "5.10", ""]), "platform_system": self.pick(["Linux", "Windows"]),
                "platform_version": "#1 SMP PREEMPT", "platform_machine": self.pick(["x86_64", "aarch64"]),
                "platform_python_implementation": self.pick(["CPython", "PyPy"]), "implementation_name": self.pick(["cpython", "pypy"])}

    def requirement(self):
        name = self.pick(["flask", "Foo.Bar", "a", "zope.interface", "foo-", "foo_", "-foo", "foo--bar", "A_B", "1x", ""])
        space = lambda: self.pick(["", "", " ", "  "])
        text = space() + name + space()
        if self.chance(0.3):
            text += self.pick(["[a]", "[a,B_c]", "[]", "[ a , b ]", "[a,]", "[a b]", "[a", "[a.b,a-b]"]) + space()
        kind = self.random.random()
        if kind < 0.15:
            text += "@" + space() + self.pick(["https://host/x.zip", "file:///x.whl", "git+https://host/r@v1#egg=x", "", "../x"])
        elif kind < 0.75:
            versions = self.specifier_set()
            text += self.pick([versions, versions, f"({versions})", f"( {versions} )", f"({versions}"])
        if self.chance(0.4):
            text += self.pick(["", " ", "  "]) + ";" + space() + self.marker(False)
        return text + space()

    def file_name(self):
        name = self.pick(["flask", "Foo_Bar", "foo.bar", "foo__bar", "foo-bar", "", "zope.interface"])
        text = name + "-" + (self.version() if self.chance(0.7) else "1.0")
        kind = self.random.random()
        if kind < 0.3:
            return "sdist", text + self.pick([".tar.gz", ".zip", ".tar.bz2", ".TAR.GZ", ".tgz"])
        if self.chance(0.3):
            text += "-" + self.pick(["1", "1abc", "0", "abc", "12_x"])
        text += "-" + self.pick(["py3-none-any", "py2.py3-none-any", "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "py3-none",
                                 "cp39.cp310-abi3.none-linux_x86_64", "3py-none-any", "py3..py2-none-any", "CP311-CP311-win_amd64"])
        return "wheel", text + self.pick([".whl", ".whl", ".whl", ".whl", ".WHL"])


    def target(self):
        machine = self.pick(["x86_64", "i686", "aarch64", "armv7l", "armv8l", "ppc64le", "ppc64", "s390x", "riscv64", "loongarch64"])
        mac = self.pick(["x86_64", "arm64"])
        major = self.pick([10, 11, 12, 15, 26]) if mac == "x86_64" else self.pick([11, 12, 15, 26])
        platform = self.pick([f"manylinux_2_{self.random.randint(0, 60)}_{machine}", f"musllinux_1_{self.random.randint(0, 5)}_{machine}",
                              f"linux_{machine}", f"macosx_{major}_{self.random.randint(4, 16)}_{mac}", "win_amd64", "win32", "win_arm64"])
        minor = self.random.randint(8, 20)
        return "tags", f"3.{minor}", platform, self.pick(["", "", "pypy", "t"] if minor >= 13 else ["", "", "pypy"])


def yes_no(value):
    return "yes" if value else "no"


def compare(a, b):
    a, b = version.Version(a), version.Version(b)
    return "<" if a < b else ">" if a > b else "="


def describe(text):
    v = version.Version(text)
    return f"{v} {yes_no(v.is_prerelease)} {yes_no(v.is_postrelease)} {v.public}"


def contains(spec, text):
    version.Version(text)
    # A list of one and prereleases=True: order alone, as our `contains` has it.
    return yes_no(bool(list(specifiers.SpecifierSet(spec).filter([text.strip()], prereleases=True))))


def spec_text(spec):
    spec = specifiers.SpecifierSet(spec)
    return f"{spec} {yes_no(spec.prereleases)}"


def defined_comparison(left, op, right, *, key):
    """The library's comparison, but falling back to strings when the left side is no version, and never raising."""
    sign = op.serialize()
    if key in markers.MARKERS_REQUIRING_VERSION and sign not in ("in", "not in"):
        try:
            specifier = specifiers.Specifier(sign + right)
            if sign == "===":
                return specifier.contains(left, prereleases=True)
            return specifier.contains(version.Version(left), prereleases=True)
        except (specifiers.InvalidSpecifier, version.InvalidVersion):
            pass
    return {"~=": lambda a, b: False, "===": lambda a, b: a == b}.get(sign, markers._operators.get(sign))(left, right)


def evaluate(environment, extras, groups, text, defined=False):
    original = markers._eval_op
    if defined:
        markers._eval_op = defined_comparison
    try:
        return evaluate_as_is(environment, extras, groups, text)
    finally:
        markers._eval_op = original


def evaluate_as_is(environment, extras, groups, text):
    marker = markers.Marker(text)
    values = dict(pair.split("=", 1) for pair in environment.split("|"))
    lock = "extras" in text or "dependency_groups" in text
    try:
        if lock:
            sets = {"extras": frozenset(filter(None, extras.split(","))), "dependency_groups": frozenset(filter(None, groups.split(",")))}
            return yes_no(marker.evaluate({**values, **sets, "extra": ""}, context="lock_file"))
        return yes_no(marker.evaluate({**values, "extra": extras}))
    except (markers.UndefinedComparison, markers.UndefinedEnvironmentName):
        return "undefined"


def simplified(environment, extra, given, text):
    """What our simplified marker must answer; nothing where the assumption does not hold."""
    return evaluate(environment, extra, "", text, defined=True) if evaluate(environment, extra, "", given, defined=True) == "yes" else "any"


def negated(environment, extra, text):
    return "no" if evaluate(environment, extra, "", text, defined=True) == "yes" else "yes"


def parse_requirement(text):
    r = requirements.Requirement(text)
    extras = sorted({utils.canonicalize_name(extra) for extra in r.extras})
    return [utils.canonicalize_name(r.name), ",".join(extras), str(r.specifier), r.url or "", str(r.marker or "")]


def platforms_of(platform):
    """What the library says of a machine that is described, not the one this runs on."""
    family, _, rest = platform.partition("_")
    if platform.startswith("win"):
        return [platform]
    if family == "macosx":
        major, minor, arch = rest.split("_", 2)
        return list(tags.mac_platforms((int(major), int(minor)), arch))
    if family == "linux":
        archs, libc = [rest], None
    else:
        major, libc_minor, arch = rest.split("_", 2)
        archs, libc = [arch], (int(major), int(libc_minor))
    if archs[0] == "armv8l":
        archs.append("armv7l")
    _manylinux._have_compatible_abi = lambda executable, names: family == "manylinux"
    _manylinux._get_glibc_version = lambda: _manylinux._GLibCVersion(*libc)
    _manylinux._get_manylinux_module = lambda: None
    _musllinux._get_musl_version = lambda executable: _musllinux._MuslVersion(*libc) if family == "musllinux" else None
    return [f"linux_{arch}" for arch in archs] + list(_manylinux.platform_tags(archs)) + list(_musllinux.platform_tags(archs))


def target_tags(python, platform, kind):
    minor = int(python.split(".")[1])
    platforms = platforms_of(platform)
    if kind == "pypy":
        found = list(tags.generic_tags(f"pp3{minor}", [f"pypy3{minor}_pp73"], platforms))
        return " ".join(map(str, found + list(tags.compatible_tags((3, minor), "pp3", platforms))))
    interpreter = f"cp3{minor}"
    found = list(tags.cpython_tags((3, minor), [interpreter + kind], platforms))
    return " ".join(map(str, found + list(tags.compatible_tags((3, minor), interpreter, platforms))))


def wheel(name):
    distribution, v, build, found = utils.parse_wheel_filename(name)
    return f"{distribution} {v} {build[0] if build else ''}{build[1] if build else ''} {','.join(sorted(map(str, found)))}"


def sdist(name):
    distribution, v = utils.parse_sdist_filename(name)
    return f"{distribution} {v}"


def name_of(text):
    try:
        utils.canonicalize_name(text, validate=True)
        valid = "yes"
    except utils.InvalidName:
        valid = "no"
    return f"{valid} {utils.canonicalize_name(text)}"


ORACLE = {"version cmp": compare, "version text": describe, "spec contains": contains, "spec text": spec_text, "marker eval": evaluate,
          "marker simplify": simplified, "marker negate": negated,
          "req parse": parse_requirement, "tags": target_tags, "wheel": wheel, "sdist": sdist, "name": name_of}

TABLE = [  # from the sharp edges of each standard
    *[("spec contains", spec, v) for spec, v in [
        ("==1.0", "1.0+x"), ("==1.0+x", "1.0"), (">1.7", "1.7.0.post1"), (">1.7", "1.7+x"), (">1.7.post2", "1.7.post3"), ("<2.0", "2.0rc1"),
        ("<2.0rc2", "2.0rc1"), ("~=2.2.post3", "2.9"), ("~=2.2.0", "2.3"), ("==1.1.*", "1.1a1"), ("==1.1.0.*", "1.1"), ("==1.*", "1!1.0"),
        ("!=1.1.*", "1.1.post1"), ("===1.0", "1.0.0"), ("===1.0A1", "1.0a1"), (">1.0a1", "1.0a1.post1"), ("<=1.0", "1.0+local"),
        ("<1.0.post1", "1.0.post1.dev0"), (">1.0.dev1", "1.0.dev1+x"), ("<0", "0.dev0"), (">=1.0+x", "1.0"), ("==1.0", "1.0.0.0.0.0")]],
    ("version cmp", "1.0+1", "1.0+a"), ("version cmp", "1.0", "1.0.0.0.0"), ("version cmp", "1.0.dev1", "1.0a1.dev1"),
    ("version text", "1.0a.-1"), ("version text", "18446744073709551616"), ("version text", "1.0-1.dev"), ("version text", " v1.0 "),
    *[("tags", f"3.{minor}", platform, kind) for minor in (8, 9, 11, 13, 15) for kind in ("", "t", "pypy") for platform in (
        "manylinux_2_36_x86_64", "manylinux_2_17_aarch64", "manylinux_2_12_x86_64", "manylinux_2_5_i686", "manylinux_2_31_armv8l",
        "musllinux_1_2_x86_64", "musllinux_1_0_aarch64", "linux_x86_64", "linux_riscv64", "macosx_10_4_x86_64", "macosx_10_15_x86_64",
        "macosx_10_16_x86_64", "macosx_11_0_x86_64", "macosx_14_5_x86_64", "macosx_11_0_arm64", "macosx_26_1_arm64", "win_amd64",
        "win32", "win_arm64") if kind != "t" or minor >= 13],
    *[("name", text) for text in ["a", "A.-_b", "-a", "a-", "", "a b", "a\u00e9", "Foo.Bar__baz"]],
]


def questions(cases, count):
    yield from TABLE
    for _ in range(count):
        kind = cases.random.random()
        text = cases.broken_version() if cases.chance(0.15) else cases.version()
        if kind < 0.2:
            yield "version cmp", text, cases.near(text) if cases.chance(0.5) else cases.version()
        elif kind < 0.28:
            yield "version text", text
        elif kind < 0.58:
            spec = cases.specifier_set()
            operand = spec.split(",")[0].lstrip("=!<>~ ").removesuffix(".*")
            yield "spec contains", spec, cases.near(operand) if operand and cases.chance(0.6) else text
        elif kind < 0.65:
            yield "spec text", cases.specifier_set()
        elif kind < 0.70:
            values = "|".join(f"{key}={value}" for key, value in cases.environment().items())
            extra = cases.pick(["", "x", "foo-bar"])
            if cases.chance(0.7):
                yield "marker simplify", values, extra, cases.marker(False), cases.marker(False)
            else:
                yield "marker negate", values, extra, cases.marker(False)
        elif kind < 0.83:
            lock = cases.chance(0.3)
            extras = cases.pick(["", "x", "foo-bar", "Foo.Bar"]) if not lock else cases.pick(["", "x", "foo-bar,x", "TEST"])
            groups = cases.pick(["", "dev,test", "foo_bar"])
            values = "|".join(f"{key}={value}" for key, value in cases.environment().items())
            yield "marker eval", values, extras, groups, cases.marker(lock)
        elif kind < 0.94:
            yield "req parse", cases.requirement()
        elif kind < 0.99:
            yield cases.file_name()
        else:
            yield cases.target()


def expected(fields):
    try:
        return ORACLE[fields[0]](*fields[1:])
    except (version.InvalidVersion, specifiers.InvalidSpecifier, markers.InvalidMarker, requirements.InvalidRequirement,
            utils.InvalidWheelFilename, utils.InvalidSdistFilename):
        return "error"


def same(fields, ours, theirs):
    if ours == theirs:
        return True
    if fields[0] in ("marker simplify", "marker negate") and "error" not in (ours, theirs):
        if theirs == "any" or (ours == "none" and fields[0] == "marker negate"):
            return True
        return (evaluate(fields[1], fields[2], "", ours, defined=True) if ours else "yes") == theirs
    if fields[0] != "req parse" or "error" in (ours, theirs):
        return False
    # Our canonical marker drops parentheses that change nothing: compare what it means, not how it is written.
    *parts, marker = ours.split("|", 4)
    if parts != theirs[:4] or bool(marker) != bool(theirs[4]):
        return False
    if not marker:
        return True
    rng = Cases(len(marker))
    for extra in ("", "x", "foo-bar"):
        environment = "|".join(f"{key}={value}" for key, value in rng.environment().items())
        if evaluate(environment, extra, "", marker) != evaluate(environment, extra, "", theirs[4]):
            return False
    return True


def main():
    probe = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else int(os.environ.get("DAE_PACKAGING_CASES", "100000"))
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 440508
    asked = [q for q in questions(Cases(seed), count) if not any("\t" in f or "\n" in f for f in q)]
    done = subprocess.run([probe], input="\n".join("\t".join(q) for q in asked) + "\n", capture_output=True, text=True)
    answers = done.stdout.split("\n")[:-1]
    if done.returncode != 0 or len(answers) != len(asked):
        print(f"the probe ended with {done.returncode} after {len(answers)} of {len(asked)} answers: {done.stderr[-500:]}")
        return 1
    known, differences = {}, []
    refused = 0
    for fields, ours in zip(asked, answers):
        theirs = expected(fields)
        refused += theirs == "error"
        if same(fields, ours, theirs):
            continue
        reason = next((why for kind, applies, why in KNOWN
                       if (kind == "*" or fields[0].startswith(kind)) and applies(fields, ours, theirs)), None)
        if reason:
            known[reason] = known.get(reason, 0) + 1
        else:
            differences.append((fields, ours, theirs))
    print(f"{len(asked)} cases against `packaging` {oracle.__version__} (seed {seed}), {refused} of them refused by it")
    for reason, times in sorted(known.items()):
        print(f"  {times} times, known: {reason}")
    for fields, ours, theirs in differences[:40]:
        print(f"DIFFERENT {' | '.join(fields)}\n    ours:   {ours}\n    theirs: {theirs}")
    print(f"{len(differences)} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
