"""The house rules that a compiler or a reader would otherwise find late: which room may include which, and what is
done in one place only. Run by ctest with the build folder in $DAE_BUILD."""
import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["DAE_BUILD"])
ROOMS = ["base", "resolver", "hooks", "mirror", "builder", "deployer", "cli"]
HEADERS = {
    "base": "base/error.h", "resolver": "resolver/solver/solver.h", "hooks": "hooks/hooks.h", "mirror": "mirror/mirror.h",
    "builder": "builder/build.h", "deployer": "deployer/model.h", "cli": "cli/context.h",
}


def allowed_edges():
    text = (ROOT / "CMakeLists.txt").read_text()
    return {m[1]: set(m[2].split()) for m in re.finditer(r"^dae_allow\((\w+)([^)]*)\)", text, re.M)}


def sources(*folders, suffixes=(".cc", ".h")):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and "build" not in path.relative_to(ROOT).parts[:1]:
                yield path


class Rooms(unittest.TestCase):
    def compile_line(self, room):
        for entry in json.loads((BUILD / "compile_commands.json").read_text()):
            if f"/CMakeFiles/dae_{room}.dir/" in entry["command"]:
                words = shlex.split(entry["command"])
                while not words[0].endswith(("++", "clang")) and len(words) > 1:
                    words = words[1:]
                return [w for w in words if w.startswith(("-I", "-isystem", "-D", "-std")) or w == words[0]], entry["directory"]
        self.fail(f"no compile command for room {room}")

    def includes(self, room, header):
        words, directory = self.compile_line(room)
        with tempfile.NamedTemporaryFile("w", suffix=".cc") as source:
            source.write(f'#include "{header}"\n')
            source.flush()
            done = subprocess.run(words + ["-fsyntax-only", source.name], cwd=directory, capture_output=True, text=True)
        return done.returncode == 0, done.stderr

    def test_an_illegal_include_does_not_compile_and_a_legal_one_does(self):
        edges = allowed_edges()
        self.assertEqual(sorted(edges), sorted(ROOMS))
        for room in ROOMS:
            for other in ROOMS:
                if other == room:
                    continue
                with self.subTest(room=room, includes=other):
                    compiled, message = self.includes(room, HEADERS[other])
                    self.assertEqual(compiled, other in edges[room], message)
                    if not compiled:
                        self.assertIn("No such file or directory", message)

    def test_builder_and_deployer_never_see_each_other(self):
        edges = allowed_edges()
        self.assertNotIn("deployer", edges["builder"])
        self.assertNotIn("builder", edges["deployer"])

    def test_an_edge_outside_the_table_stops_the_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            project = pathlib.Path(folder)
            (project / "CMakeLists.txt").write_text(
                "cmake_minimum_required(VERSION 3.25)\nproject(x LANGUAGES CXX)\n"
                f'include("{ROOT}/share/cmake/DaeRoom.cmake")\n'
                "dae_allow(base)\ndae_allow(builder base)\nadd_library(dae_flags INTERFACE)\nadd_subdirectory(builder)\n")
            (project / "builder").mkdir()
            (project / "builder" / "CMakeLists.txt").write_text("dae_room(builder USES deployer base)\n")
            done = subprocess.run(["cmake", "-G", "Ninja", "-S", folder, "-B", folder + "/b"], capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("may not use room `deployer`", done.stderr)


class OneWay(unittest.TestCase):
    """One atomic replace, one process runner, one HTTP client: nothing else touches the outside."""

    def offenders(self, pattern, folders, skip=()):
        found = []
        for path in sources(*folders):
            name = path.relative_to(ROOT).as_posix()
            if name in skip:
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                code = re.sub(r'"(\\.|[^"\\])*"', '""', line.split("//")[0])
                if re.search(pattern, code):
                    found.append(f"{name}:{number}: {line.strip()}")
        return found

    def test_only_base_touches_files_and_processes_directly(self):
        above = [room for room in ROOMS if room != "base"]
        for pattern in (r"\bsystem\(", r"\bpopen\(", r"std::[io]?fstream", r"\bfopen\(", r"(?<![\w_])::?rename\(", r"std::filesystem::rename",
                        r"\bfork\(", r"\bexecv", r"\bgetenv\(", r"system_clock::now"):
            self.assertEqual(self.offenders(pattern, above), [], pattern)

    def test_no_include_climbs_out_of_its_folder(self):
        found = [str(path) for path in sources(*ROOMS, "tests") if '#include "../' in path.read_text()]
        self.assertEqual(found, [])

    def test_third_party_headers_stay_in_their_files(self):
        homes = {
            r"<curl/": ("base/",), r"<archive(_entry)?\.h>": ("base/",), r"<sqlite3\.h>": ("base/",), r"<yaml-cpp/": ("base/",),
            r"<toml\+\+/": ("base/",), r"<boost/": ("base/",), r"<spdlog/": ("base/",), r"<openssl/": ("base/",),
            r"<git2": ("builder/", "resolver/source/"), r"<CLI/": ("cli/command_line.cc",), r"<simdjson": ("base/", "resolver/"),
            r"<(libdeflate|zlib)\.h>": ("resolver/", "base/"),
        }
        for path in sources(*ROOMS):
            name = path.relative_to(ROOT).as_posix()
            for number, line in enumerate(path.read_text().splitlines(), 1):
                for pattern, where in homes.items():
                    if re.match(r"\s*#\s*include\s+" + pattern, line):
                        self.assertTrue(name.startswith(where), f"{name}:{number}: {line}")
                        self.assertEqual(path.suffix, ".cc", f"{name}:{number}: a third-party header in a header")

    def test_files_are_small(self):
        lengths = {p.relative_to(ROOT).as_posix(): len(p.read_text().splitlines()) for p in sources(*ROOMS)}
        self.assertEqual({name: n for name, n in lengths.items() if n > 600}, {})
        ordered = sorted(n for name, n in lengths.items() if name.endswith(".cc"))
        self.assertLessEqual(ordered[len(ordered) // 2], 200, "median of the sources")


if __name__ == "__main__":
    unittest.main()
