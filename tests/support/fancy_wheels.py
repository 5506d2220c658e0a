"""Wheels with everything that wheels can have, made on the spot; for comparing installers.

`FIXTURES` holds one function for each; it returns the wheels that are installed together. The same input gives the same bytes.
"""
import base64
import hashlib
import importlib.util
import io
import itertools
import marshal
import pathlib
import re
import sys
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "sample_index"))
import make as sample_index  # noqa: E402

EXECUTABLE = 0o100755
PLAIN = 0o100644


class Unseekable(io.RawIOBase):
    """What a pipe is to a writer of archives: sizes and checksums follow the contents, as data descriptors."""

    def __init__(self):
        super().__init__()
        self.bytes = b""

    def writable(self):
        return True

    def write(self, data):
        self.bytes += bytes(data)
        return len(data)


class Wheel:
    """A wheel in the making; members are written in the order in which they are put."""

    def __init__(self, name, version="1.0", tags="py3-none-any", build="", purelib=True, stem=None, requires=()):
        self.name, self.version = name, version
        stem = stem or re.sub(r"[-.]+", "_", name)
        self.dist_info, self.data = f"{stem}-{version}.dist-info", f"{stem}-{version}.data"
        self.file_name = "-".join(filter(None, (stem, version, build, tags))) + ".whl"
        self.members = {}  # path -> (data, mode, compression)
        self.rows = {}  # RECORD's, where they are not as usual; None: no row
        self.streamed, self.line_end, self.comment = False, "\n", b""
        self.metadata = sample_index.metadata(name, version, requires, ">=3.8")
        self.put(f"{self.dist_info}/METADATA", self.metadata)
        root = "true" if purelib else "false"
        expanded = [f"Tag: {'-'.join(tag)}\n" for tag in itertools.product(*(part.split(".") for part in tags.split("-")))]
        build_line = f"Build: {build}\n" if build else ""
        self.put(f"{self.dist_info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: fancy\nRoot-Is-Purelib: {root}\n{build_line}{''.join(expanded)}")

    def put(self, path, data="", mode=PLAIN, compression=zipfile.ZIP_DEFLATED):
        self.members[path] = (data.encode() if isinstance(data, str) else data, mode, compression)
        return self

    def folder(self, path):
        return self.put(path + "/", b"", 0o40755, zipfile.ZIP_STORED)

    def info(self, path, data=""):
        return self.put(f"{self.dist_info}/{path}", data)

    def scheme(self, scheme, path, data="", mode=PLAIN):
        return self.put(f"{self.data}/{scheme}/{path}", data, mode)

    def record(self):
        rows = [self.rows.get(path, sample_index.record_row(quoted(path), data)) for path, (data, _, _) in self.members.items()
                if not path.endswith("/")]
        rows.append(f"{quoted(self.dist_info)}/RECORD,,\n")
        return "".join(row for row in rows if row).replace("\n", self.line_end).encode()

    def pack(self):
        out = Unseekable() if self.streamed else io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.comment = self.comment
            for path, (data, mode, compression) in self.members.items():
                sample_index.zip_member(archive, path, data, mode, compression)
            sample_index.zip_member(archive, f"{self.dist_info}/RECORD", self.record())
        return out.bytes if self.streamed else out.getvalue()


def quoted(path):
    return '"' + path.replace('"', '""') + '"' if set(path) & set(',"\r\n') else path


def tells(what):
    """A program that tells how it was started."""
    return f"import sys\nprint({what!r}, sys.argv[1:], sys.prefix != sys.base_prefix)\n"


FIXTURES = {}


def fixture(make):
    FIXTURES[make.__name__.replace("_", "-")] = make
    return make


def package(name, **how):
    """The wheel that most of these begin with: one package with a module."""
    wheel = Wheel(name, **how)
    module = wheel.dist_info.partition("-")[0].lower()
    return wheel.put(f"{module}/__init__.py", f'NAME = "{name}"\n').put(f"{module}/module.py", "def main():\n    print('main')\n")


@fixture
def purelib():
    return [package("pure")]


@fixture
def platlib():
    return [package("plat", purelib=False).put("plat/native.so", b"\x7fELF no library at all")]


@fixture
def both_libs_in_data():
    wheel = package("both-libs")
    return [wheel.scheme("purelib", "both_pure/__init__.py", "WHERE = 'pure'\n").scheme("platlib", "both_plat/__init__.py", "WHERE = 'plat'\n")
            .scheme("platlib", "both_libs/added.py", "ADDED = True\n")]


@fixture
def headers():
    return [package("headers-of.it").scheme("headers", "it.h", "#pragma once\n").scheme("headers", "deep/er.h", "int x;\n"),
            package("Headers_Two", stem="Headers_Two").scheme("headers", "two.h", "int y;\n")]


@fixture
def data():
    return [package("with-data").scheme("data", "share/doc/with-data/readme.txt", "read me\n").scheme("data", "etc/with-data.conf", "a = 1\n")
            .scheme("data", "share/man/man1/with-data.1", ".TH x\n").scheme("data", "top-level-file", "at the root of the environment\n")]


@fixture
def data_in_bin():
    return [package("data-in-bin").scheme("data", "bin/a-data-file", "not a program\n").scheme("data", "bin/a-program", "#!/bin/sh\necho data\n", EXECUTABLE)]


@fixture
def data_in_site_packages():
    site = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    return [package("data-in-site").scheme("data", f"{site}/data_in_site/dropped.py", "DROPPED = True\n")]


@fixture
def scripts():
    wheel = package("scripts")
    wheel.scheme("scripts", "with-python", "#!python\n" + tells("python"), EXECUTABLE)
    wheel.scheme("scripts", "with-pythonw", "#!pythonw\n" + tells("pythonw"), EXECUTABLE)
    wheel.scheme("scripts", "with-flags", "#!python -E\n" + tells("flags"), EXECUTABLE)
    wheel.scheme("scripts", "with-crlf", ("#!python\n" + tells("crlf")).replace("\n", "\r\n"), EXECUTABLE)
    wheel.scheme("scripts", "with-sh", "#!/bin/sh\necho sh \"$@\"\n", EXECUTABLE)
    wheel.scheme("scripts", "with-env", "#!/usr/bin/env python3\n" + tells("env"), EXECUTABLE)
    wheel.scheme("scripts", "binary", b"\x7fELF\x00\x01 #!python is not the beginning", EXECUTABLE)
    wheel.scheme("scripts", "only-shebang", "#!python", EXECUTABLE)
    wheel.scheme("scripts", "ends-.py", "#!python\n" + tells("py"), EXECUTABLE)
    return [wheel]


@fixture
def encoded_script():
    return [package("encoded").scheme("scripts", "latin-1", b"#!python\n# -*- coding: latin-1 -*-\nprint(len('\xe4'))\n", EXECUTABLE)]


@fixture
def scripts_without_mode():
    """As archivers of other systems leave them."""
    wheel = package("modeless-scripts")
    return [wheel.scheme("scripts", "modeless-python", "#!python\n" + tells("modeless")).scheme("scripts", "modeless-sh", "#!/bin/sh\necho modeless\n")]


@fixture
def script_and_entry_point_of_one_name():
    wheel = package("same-name").scheme("scripts", "same-name", "#!python\n" + tells("the script"), EXECUTABLE)
    wheel.scheme("scripts", "same-name-script.py", "#!python\n" + tells("a wrapper of setuptools"), EXECUTABLE)
    return [wheel.info("entry_points.txt", "[console_scripts]\nsame-name = same_name.module:main\n")]


@fixture
def entry_points():
    wheel = Wheel("points", requires=["other; extra == 'fast'"])
    wheel.put("points/__init__.py", "")
    wheel.put("points/cli.py", "import sys\n\n\ndef main():\n    print('main', sys.argv[1:])\n\n\ndef code():\n    return 3\n\n\ndef text():\n    return 'words'\n\n\n"
              "class Group:\n    @staticmethod\n    def run():\n        print('dotted')\n\n    class Inner:\n        @classmethod\n        def go(cls):\n            print(cls.__name__)\n")
    wheel.info("entry_points.txt", "# a comment\n[some.plugins]\nnot-a-script = points.cli:nothing\n\n[console_scripts]\npoints-main = points.cli:main\n"
               "points-code=points.cli:code\npoints.text   =   points.cli:text\npoints-dotted = points.cli:Group.run\n"
               "points_Inner = points.cli:Group.Inner.go\npoints-extra = points.cli:main [fast]\npoints+plus = points.cli:main\n\n# another comment\n"
               "[gui_scripts]\npoints-gui = points.cli:main\n[more.plugins]\nmain = points.cli\n")
    return [wheel]


@fixture
def crlf_entry_points():
    wheel = package("crlf-points")
    return [wheel.info("entry_points.txt", "[console_scripts]\r\ncrlf-main = crlf_points.module:main\r\n\r\n[gui_scripts]\r\ncrlf-gui = crlf_points.module:main\r\n")]


@fixture
def unicode_entry_points():
    wheel = Wheel("unicode-points").put("grüße.py", "def größe():\n    print('groß')\n")
    return [wheel.info("entry_points.txt", "[console_scripts]\nunicode-größe = grüße:größe\n")]


@fixture
def plain_namespace():
    return [Wheel(f"space-{part}").put(f"space/{part}/__init__.py", f"PART = {part!r}\n").put(f"space/shared/{part}.py", "") for part in ("one", "two")]


@fixture
def pkgutil_namespace():
    init = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    return [Wheel(f"old-space-{part}").put("old_space/__init__.py", init).put(f"old_space/{part}.py", f"PART = {part!r}\n") for part in ("one", "two")]


@fixture
def pkg_resources_namespace():
    line = ("import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('oldest',));"
            "m = sys.modules.setdefault('oldest', types.ModuleType('oldest'));mp = m.__dict__.setdefault('__path__', []);(p not in mp) and mp.append(p)\n")
    return [Wheel(f"oldest.{part}", stem=f"oldest.{part}").put(f"oldest.{part}-1.0-py3-nspkg.pth", line).put(f"oldest/{part}/__init__.py", f"PART = {part!r}\n")
            .info("namespace_packages.txt", "oldest\n").info("top_level.txt", "oldest\n") for part in ("one", "two")]


@fixture
def names_in_unicode():
    wheel = package("unicode-names")
    return [wheel.put("unicode_names/größe.py", "MASS = 1\n").put("unicode_names/データ/ファイル.txt", "日本語\n").put("unicode_names/e\u0301 decomposed.txt", "")
            .put("unicode_names/🐍.txt", "snake\n").scheme("data", "share/ünïcode/ß.txt", "ß\n")]


@fixture
def names_that_need_quotes():
    wheel = package("blank-names")
    for name in ("with blank.txt", "with, comma.txt", 'with "quotes".txt', "with 'apostrophe'.txt", "with $dollar `tick` %41.txt",
                 "(template).pyt", "-begins-with-dash", "#hash", "~tilde", " leading", "trailing ", "semi;colon", "a=b", "[brackets]", "..dots.."):
        wheel.put(f"blank_names/a folder/{name}", name)
    return [wheel]


@fixture
def deep_tree():
    wheel = package("deep-tree")
    path = "deep_tree"
    for level in range(40):
        path += f"/level{level:02}"
        wheel.put(f"{path}/__init__.py", f"LEVEL = {level}\n")
    return [wheel.put("deep_tree/" + "n" * 200 + ".txt", "a long name\n")]


@fixture
def empty_files():
    wheel = package("empty-files")
    for number in range(20):
        wheel.put(f"empty_files/empty{number}.py", "", compression=zipfile.ZIP_STORED if number % 2 else zipfile.ZIP_DEFLATED)
    return [wheel.info("empty.txt")]


@fixture
def folder_entries():
    wheel = package("folder-entries").folder("folder_entries").folder("folder_entries/empty").folder("folder_entries/full")
    wheel.put("folder_entries/full/file.txt", "x").folder("nothing_in_it").folder(wheel.dist_info).folder(wheel.data).folder(wheel.data + "/data")
    return [wheel.folder(wheel.data + "/data/empty-share").scheme("data", "share/folder-entries/file", "y")]


@fixture
def modes():
    wheel = package("modes")
    for name, mode in {"x": EXECUTABLE, "group-x": 0o100654, "other-x": 0o100645, "write-all": 0o100666, "read-only": 0o100444, "setuid": 0o104755,
                       "sticky": 0o101644, "no-type-x": 0o755, "nothing": 0, "unreadable": 0o100000, "write-only-x": 0o100311}.items():
        wheel.put(f"modes/{name}.bin", name, mode)
    return [wheel]


@fixture
def licences_and_sboms():
    wheel = package("licensed").info("licenses/LICENSE", "do what you like\n").info("licenses/vendored/deep/LICENSE.txt", "but not that\n")
    return [wheel.info("sboms/licensed.cdx.json", "{}\n").info("AUTHORS", "somebody\n").info("deeper/anything.json", "[]\n")]


@fixture
def spelled_otherwise():
    return [package("Spelled.Other-Wise", stem="Spelled.Other_Wise"), package("UPPER", stem="UPPER"), package("dots.and_unders", stem="dots.and_unders")]


@fixture
def several_top_levels():
    wheel = Wheel("several").put("several_one/__init__.py", "").put("several_two/__init__.py", "").put("several_three.py", "THREE = 3\n")
    return [wheel.put("_several_four.abi3.so", b"\x7fELF").put("several-not-a-module.txt", "loose\n").info("top_level.txt", "several_one\nseveral_two\n")]


@fixture
def path_files():
    return [package("path-files").put("path-files.pth", "import sys; sys.path_files_was_here = True\n").put("zz-more.pth", "path_files/added\n")
            .put("path_files/added/found_by_pth.py", "FOUND = True\n")]


@fixture
def typed():
    return [package("typed").put("typed/py.typed", "").put("typed/module.pyi", "def main() -> None: ...\n").put("typed-stubs/__init__.pyi", "")]


@fixture
def brought_bytecode():
    tag, source = sys.implementation.cache_tag, "VALUE = 1\n"
    code = marshal.dumps(compile(source, "brought_bytecode/compiled.py", "exec"))
    unchecked = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source.encode()) + code
    return [package("brought-bytecode").put("brought_bytecode/compiled.py", source).put(f"brought_bytecode/__pycache__/compiled.{tag}.pyc", unchecked)
            .put("brought_bytecode/__pycache__/compiled.cpython-27.pyc", b"of another python").put("brought_bytecode/sourceless.pyc", unchecked)]


@fixture
def does_not_compile():
    return [package("no-compile").put("no_compile/python2.py", "print 'two'\n").put("no_compile/template.py", "{{ cookiecutter }}\n")
            .put("no_compile/latin.py", b"# -*- coding: latin-1 -*-\nNAME = '\xe4'\n").put("no_compile/nul.py", b"\x00\x01")
            .put("no_compile/.py", "HIDDEN = 1\n").put("no_compile/not-a-name.py", "A = 1\n").put("no_compile/data.py/inner.py", "B = 1\n")]


@fixture
def files_of_an_installer():
    wheel = package("installers-own").info("INSTALLER", "somebody else\n").info("REQUESTED", "not empty\n")
    return [wheel.info("direct_url.json", '{"url": "https://elsewhere.example/x.whl", "archive_info": {}}')]


@fixture
def signed():
    wheel = package("signed").info("RECORD.jws", "{}").info("RECORD.p7s", b"\x30\x82")
    wheel.rows[f"{wheel.dist_info}/RECORD.jws"] = wheel.rows[f"{wheel.dist_info}/RECORD.p7s"] = None
    return [wheel]


@fixture
def odd_records():
    """Padded hashes, other algorithms, no sizes, other line ends: all allowed."""
    wheel = package("odd-record")
    padded, strong, sizeless = b"padded\n", b"strong\n", b"without a size\n"

    def digest(algorithm, data):
        return algorithm + "=" + base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).decode()
    wheel.put("odd_record/padded.txt", padded).put("odd_record/strong.txt", strong).put("odd_record/sizeless.txt", sizeless)
    wheel.rows["odd_record/padded.txt"] = f"odd_record/padded.txt,{digest('sha256', padded)},{len(padded)}\n"
    wheel.rows["odd_record/strong.txt"] = f"odd_record/strong.txt,{digest('sha512', strong).rstrip('=')},{len(strong)}\n"
    wheel.rows["odd_record/sizeless.txt"] = f"odd_record/sizeless.txt,{digest('sha256', sizeless).rstrip('=')},\n"
    other = package("crlf-record")
    other.line_end = "\r\n"
    return [wheel, other]


@fixture
def build_tag():
    return [package("build-tag", build="12local")]


@fixture
def compressed_tags():
    return [package("compressed-tags", tags="py2.py3-none-any"), package("more-tags", tags="cp38.cp39.py3-none.abi3-any.linux_x86_64")]


@fixture
def epoch_and_local_version():
    return [package("epoch-local", version="1!2.0+local.3"), package("post-pre", version="1.0rc1.post2.dev3")]


@fixture
def from_a_stream():
    """Sizes behind the contents; a comment at the end."""
    wheel = package("from-a-stream").put("from_a_stream/big.txt", "line\n" * 20_000)
    wheel.streamed, wheel.comment = True, b"made by a pipe"
    return [wheel]


@fixture
def stored():
    wheel = package("stored")
    for path, (data, mode, _) in list(wheel.members.items()):
        wheel.put(path, data, mode, zipfile.ZIP_STORED)
    return [wheel.put("stored/big.bin", bytes(range(256)) * 1000, compression=zipfile.ZIP_STORED)]


@fixture
def shared_file():
    """Two distributions with the same file of the same contents."""
    return [package(f"shared-{part}").put("shared_tests/__init__.py", "").put("shared_tests/helper.py", "HELP = 1\n").put(f"shared_tests/test_{part}.py", "") for part in "ab"]


@fixture
def conflicting_file():
    """Two distributions with one file of different contents: a careless `tests` at the top."""
    return [package(f"conflict-{part}").put("conflict_tests/__init__.py", f"OF = {part!r}\n" * 3) for part in "ab"]


@fixture
def hidden_and_odd_files():
    return [package("hidden-files").put("hidden_files/.hidden", "").put("hidden_files/.git/config", "[core]\n").put(".top-hidden", "t\n")
            .put("hidden_files/__pycache__/note.txt", "no bytecode\n").put("hidden_files/lib.so.1.2", b"\x7fELF").put("hidden_files/Makefile", "all:\n")
            .put("hidden_files/node_modules/a/package.json", "{}").put("tests/test_hidden.py", "").put("docs/conf.py", "")]


@fixture
def fancy():
    """All of it in one wheel."""
    wheel = Wheel("Fancy.Wheel", version="1!4.2.post1+all", tags="py2.py3-none-any", build="7", purelib=False, stem="Fancy.Wheel")
    wheel.put("fancy/__init__.py", "").put("fancy/cli.py", "class Cli:\n    def main():\n        print('fancy')\n").put("fancy/py.typed").put("fancy/tool.sh", "#!/bin/sh\n", EXECUTABLE)
    wheel.put("fancy_space/fancy/größe, mit Blank.py", "A = 1\n").put("fancy.pth", "import sys\n").put("fancy_single.py", "B = 2\n").folder("fancy/nothing")
    for scheme, path, text, mode in (
            ("purelib", "fancy_pure.py", "C = 3\n", PLAIN), ("platlib", "fancy_plat.py", "D = 4\n", PLAIN), ("headers", "fancy.h", "", PLAIN),
            ("scripts", "fancy-script", "#!python\n" + tells("fancy"), EXECUTABLE), ("scripts", "fancy-script-w", "#!pythonw\n" + tells("w"), EXECUTABLE),
            ("scripts", "fancy-sh", "#!/bin/sh\necho fancy\n", EXECUTABLE), ("data", "share/fänzy/data file.txt", "data\n", PLAIN), ("data", "bin/fancy-data", "x", PLAIN)):
        wheel.scheme(scheme, path, text, mode)
    wheel.info("entry_points.txt", "[console_scripts]\r\nfancy = fancy.cli:Cli.main [extra]\r\n[gui_scripts]\r\nfancy-gui = fancy.cli:Cli.main\r\n")
    return [wheel.info("licenses/LICENSE", "free\n").info("sboms/fancy.spdx.json", "{}\n").info("INSTALLER", "nobody\n").info("top_level.txt", "fancy\n")]
