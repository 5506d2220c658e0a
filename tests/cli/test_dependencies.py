"""lock, uninstall, tree, why, outdated and export as a user runs them, on the sample index."""
import json
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import DaeTest, tree  # noqa: E402


def pins(lock_text):
    return dict(re.findall(r'^name = "([^"]+)"\nversion = "([^"]+)"', lock_text, re.M))


def write_dependencies(app, *requirements, extra=""):
    text = (app / "pyproject.toml").read_text()
    listed = "".join(f"    {json.dumps(r)},\n" for r in requirements)
    (app / "pyproject.toml").write_text(re.sub(r"dependencies = \[\n.*?\]", lambda _: f"dependencies = [\n{listed}]", text, count=1, flags=re.S) + extra)


class Lock(DaeTest):
    def test_writes_the_lock_and_installs_nothing(self):
        app = self.create_app(install=False)
        result = self.dae("lock", cwd=app)
        self.assertIn("wrote pylock.toml", result.err)
        self.assertFalse((app / ".venv").exists())
        self.assertEqual(pins((app / "pylock.toml").read_text())["flask"], "3.1.2")
        before = tree(app)
        self.assertIn("up to date", self.dae("lock", cwd=app).err)
        self.assertEqual(tree(app), before)

    def test_locking_anew_gives_the_same_bytes(self):
        app = self.create_app(install=False)
        self.dae("lock", cwd=app)
        first = (app / "pylock.toml").read_bytes()
        (app / "pylock.toml").unlink()
        self.dae("lock", cwd=app)
        self.assertEqual((app / "pylock.toml").read_bytes(), first)
        self.dae("lock", "--upgrade", cwd=app)
        self.assertEqual((app / "pylock.toml").read_bytes(), first)

    def test_check_tells_a_lock_that_is_behind(self):
        app = self.create_app(install=False)
        self.assertIn("dae lock", self.dae("lock", "--check", cwd=app, code=1).err)
        self.dae("lock", cwd=app)
        self.dae("lock", "--check", cwd=app)
        write_dependencies(app, "flask<3.1", "gunicorn")
        before = tree(app)
        self.dae("lock", "--check", cwd=app, code=1)
        self.assertEqual(tree(app), before)

    def test_earlier_pins_stay_until_they_are_let_go(self):
        app = self.create_app(install=False)
        write_dependencies(app, "flask<3.1", "gunicorn<23")
        self.dae("lock", cwd=app)
        write_dependencies(app, "flask", "gunicorn")
        self.dae("lock", cwd=app)
        kept = pins((app / "pylock.toml").read_text())
        self.assertEqual((kept["flask"], kept["gunicorn"]), ("3.0.3", "22.0.0"))
        result = self.dae("lock", "-P", "gunicorn", cwd=app)
        self.assertIn("~ gunicorn 22.0.0 -> 23.0.0", result.err)
        moved = pins((app / "pylock.toml").read_text())
        self.assertEqual({n: v for n, v in moved.items() if kept.get(n) != v}, {"gunicorn": "23.0.0"})
        self.dae("lock", "--upgrade", cwd=app)
        self.assertEqual(pins((app / "pylock.toml").read_text())["flask"], "3.1.2")

    def test_a_requirements_file_alone(self):
        source = self.work / "web.in"
        source.write_text("# what we need\nflask<3.1\n")
        self.dae("lock", "web.in")
        self.assertEqual(pins((self.work / "pylock.web.toml").read_text())["flask"], "3.0.3")
        printed = self.dae("lock", "web.in", "-o", "-").out
        self.assertEqual(printed, (self.work / "pylock.web.toml").read_text())

    def test_a_declared_target_needs_no_such_interpreter(self):
        (self.work / "web.in").write_text("flask\n")
        self.dae("lock", "web.in", "--python-version", "3.9", "--platform", "manylinux_2_28_aarch64", "-o", "pylock.arm.toml")
        text = (self.work / "pylock.arm.toml").read_text()
        self.assertIn("aarch64", text)
        self.assertEqual(pins(text)["click"], "8.1.8", "8.2.0 needs python 3.10")

    def test_two_targets_share_a_version_where_they_can(self):
        (self.work / "web.in").write_text("click\n")
        self.dae("lock", "web.in", "--python-version", "3.9", "--python-version", "3.12")
        text = (self.work / "pylock.web.toml").read_text()
        self.assertEqual(re.findall(r'name = "click"\nversion = "([^"]+)"', text), ["8.1.8"])

    def test_two_targets_that_need_two_versions(self):
        (self.work / "web.in").write_text("click\nclick>=8.2; python_version >= '3.10'\n")
        self.dae("lock", "web.in", "--python-version", "3.9", "--python-version", "3.12")
        text = (self.work / "pylock.web.toml").read_text()
        versions = re.findall(r'name = "click"\nversion = "([^"]+)"\nmarker = "([^\n]*)"', text)
        self.assertEqual({v for v, _ in versions}, {"8.1.8", "8.2.0"}, text)

    def test_lowest_versions(self):
        (self.work / "web.in").write_text("flask>=3\n")
        self.dae("lock", "web.in", "--selection", "lowest")
        self.assertEqual(pins((self.work / "pylock.web.toml").read_text())["flask"], "3.0.3")
        self.assertIn("lowest-direct", self.dae("lock", "web.in", "--selection", "oldest", code=2).err)

    def test_prereleases_when_asked_for(self):
        (self.work / "web.in").write_text("packaging\n")
        self.dae("lock", "web.in")
        self.assertEqual(pins((self.work / "pylock.web.toml").read_text())["packaging"], "25.0")
        self.dae("lock", "web.in", "--prereleases", "allow", "-U")
        self.assertEqual(pins((self.work / "pylock.web.toml").read_text())["packaging"], "26.0rc1")

    def test_a_cutoff_hides_what_is_newer_and_says_so(self):
        (self.work / "web.in").write_text("flask\n")
        result = self.dae("lock", "web.in", "--exclude-newer", "2019-12-30", code=6)
        self.assertRegex(result.err, "2019-12-3[01]")
        self.dae("lock", "web.in", "--exclude-newer", "2020-01-02")
        self.assertIn("cutoff = \"2020-01-03T00:00:00Z\"", (self.work / "pylock.web.toml").read_text(), "the day is included")

    def test_a_lock_with_conflict_markers_is_mended(self):
        app = self.create_app(install=False)
        write_dependencies(app, "flask<3.1", "gunicorn<23")
        self.dae("lock", cwd=app)
        good = (app / "pylock.toml").read_text()
        line = 'version = "22.0.0"\n'
        self.assertIn(line, good)
        write_dependencies(app, "flask<3.1", "gunicorn")
        (app / "pylock.toml").write_text(good.replace(line, f'<<<<<<< ours\n{line}=======\nversion = "23.0.0"\n>>>>>>> theirs\n'))
        self.dae("lock", cwd=app)
        text = (app / "pylock.toml").read_text()
        self.assertNotIn("<<<<", text)
        self.assertEqual(pins(text)["flask"], "3.0.3", "the pins outside the conflict stay")

    def test_two_branches_that_pinned_merge_without_a_conflict(self):
        app = self.create_app(install=False)
        write_dependencies(app, "flask<3.1")
        self.dae("lock", cwd=app)
        self.git(app, "init", "-q", "-b", "main")
        self.assertIn("commit .gitattributes", self.dae("merge-lock", "--install", cwd=app).err)
        self.commit(app, "base")
        self.git(app, "checkout", "-q", "-b", "theirs")
        write_dependencies(app, "flask<3.1", "gunicorn<23")
        self.dae("lock", cwd=app)
        self.commit(app, "theirs")
        self.git(app, "checkout", "-q", "main")
        write_dependencies(app, "flask<3.1", "packaging<26")
        self.dae("lock", cwd=app)
        self.commit(app, "ours")
        self.git(app, "merge", "-q", "-X", "ours", "theirs")
        merged = (app / "pylock.toml").read_text()
        self.assertNotIn("<<<<", merged)
        self.assertEqual(set(pins(merged)) & {"flask", "gunicorn", "packaging"}, {"flask", "gunicorn", "packaging"})
        write_dependencies(app, "flask<3.1", "packaging<26", "gunicorn")
        self.dae("lock", "--check", cwd=app, code=1)
        self.dae("lock", cwd=app)
        self.assertEqual(pins((app / "pylock.toml").read_text())["gunicorn"], "22.0.0", "the pin of the branch is kept")

    def test_pins_of_another_tool_are_taken_over(self):
        app = self.create_app(install=False)
        (app / "requirements.txt").write_text("flask==3.0.3\n    # via x\nwerkzeug==3.1.3\n")
        self.dae("lock", "--import", "requirements.txt", cwd=app)
        self.assertEqual(pins((app / "pylock.toml").read_text())["flask"], "3.0.3")

    def test_groups_and_extras_are_in_the_lock_with_markers(self):
        app = self.create_app(install=False)
        text = (app / "pyproject.toml").read_text()
        (app / "pyproject.toml").write_text(text + '\n[project.optional-dependencies]\npack = ["packaging"]\n\n[dependency-groups]\ndev = ["greeting-source"]\n')
        write_dependencies(app, "click")
        self.dae("install", cwd=app)
        lock = (app / "pylock.toml").read_text()
        self.assertRegex(lock, r"""'dev' in dependency_groups|"dev\\?" in dependency_groups""")
        self.dae("run", "python", "-c", "import greeting_source", cwd=app)
        self.assertIn("No module", self.dae("run", "python", "-c", "import packaging", cwd=app, code=1).err)
        self.dae("install", "--no-dev", "--extra", "pack", cwd=app)
        self.dae("run", "python", "-c", "import packaging", cwd=app)
        self.assertIn("No module", self.dae("run", "python", "-c", "import greeting_source", cwd=app, code=1).err)


class Uninstall(DaeTest):
    def test_takes_back_the_line_and_what_only_it_needed(self):
        app = self.create_app()
        before = (app / "pyproject.toml").read_text()
        self.dae("install", "packaging>=20", cwd=app)
        result = self.dae("uninstall", "flask", cwd=app)
        self.assertIn("- blinker 1.9.0", result.err)
        self.assertNotIn('"flask"', (app / "pyproject.toml").read_text())
        self.assertIn("ModuleNotFoundError", self.dae("run", "python", "-c", "import flask", cwd=app, code=1).err)
        self.dae("run", "python", "-c", "import gunicorn", cwd=app)
        self.dae("uninstall", "packaging", cwd=app)
        self.assertEqual((app / "pyproject.toml").read_text(), before.replace('    "flask",\n', ""))

    def test_says_when_something_else_needs_it(self):
        app = self.create_app()
        self.dae("install", "click", cwd=app)
        result = self.dae("uninstall", "click", cwd=app)
        self.assertIn("dae why click", result.err)

    def test_a_slip_of_the_pen_is_an_error(self):
        app = self.create_app()
        before = tree(app)
        result = self.dae("uninstall", "flsk", cwd=app, code=1)
        self.assertIn("did you mean `flask`", result.err)
        result = self.dae("uninstall", "werkzeug", cwd=app, code=1)
        self.assertIn("dae why werkzeug", result.err)
        self.assertEqual(tree(app), before)

    def test_dry_run(self):
        app = self.create_app()
        before = tree(app)
        self.assertIn("dry run", self.dae("uninstall", "flask", "-n", cwd=app).err)
        self.assertEqual(tree(app), before)


class Looking(DaeTest):
    def test_tree(self):
        app = self.create_app()
        out = self.dae("tree", cwd=app).out
        self.assertRegex(out, r"├── flask 3\.1\.2   flask  pyproject\.toml:\d+")
        self.assertIn("│   └── werkzeug 3.1.3", out)
        self.assertIn("markupsafe", out)
        self.assertNotIn("werkzeug", self.dae("tree", "--depth", "1", cwd=app).out)
        inverted = self.dae("tree", "--invert", "markupsafe", cwd=app).out
        self.assertLess(inverted.index("markupsafe"), inverted.index("werkzeug"))
        self.assertLess(inverted.index("werkzeug"), inverted.index("flask"))
        data = self.dae("tree", "--json", cwd=app).json()
        flask = next(p for p in data["packages"] if p["name"] == "flask")
        self.assertEqual(flask["dependencies"], ["blinker", "click", "werkzeug"])

    def test_why_tells_each_step_in_the_words_of_the_package(self):
        app = self.create_app()
        out = self.dae("why", "markupsafe", cwd=app).out
        self.assertRegex(out, r"pyproject\.toml:\d+ +asks for flask")
        self.assertIn("flask 3.1.2 needs werkzeug>=3.1", out)
        self.assertIn("werkzeug 3.1.3 needs markupsafe>=2.1", out)
        data = self.dae("why", "markupsafe", "--json", cwd=app).json()
        self.assertEqual([s["name"] for s in data["ways"][0]["steps"]], ["flask", "werkzeug"])
        self.assertIn("not in the lock", self.dae("why", "colour", cwd=app, code=1).err)

    def test_outdated_tells_what_holds_back(self):
        app = self.create_app(install=False)
        write_dependencies(app, "flask<3", "gunicorn<23")
        self.dae("lock", cwd=app)
        rows = {row["name"]: row for row in self.dae("outdated", "--json", cwd=app).json()}
        self.assertEqual((rows["flask"]["locked"], rows["flask"]["newest"]), ("2.1.3", "3.1.2"))
        self.assertRegex(rows["flask"]["held_by"], r"pyproject\.toml:\d+")
        self.assertIn("flask", rows["werkzeug"]["held_by"])
        self.assertIn("held by", self.dae("outdated", cwd=app).out)
        write_dependencies(app, "flask", "gunicorn")
        self.dae("lock", "-U", cwd=app)
        self.assertIn("up to date", self.dae("outdated", cwd=app).err)

    def test_export_is_what_pip_takes(self):
        app = self.create_app()
        out = self.dae("export", cwd=app).out
        self.assertRegex(out, r"(?m)^flask==3\.1\.2 \\$")
        self.assertIn("--hash=sha256:", out)
        self.dae("export", "-o", "pinned.txt", cwd=app)
        self.assertEqual((app / "pinned.txt").read_text(), out)
        self.assertNotIn("--hash", self.dae("export", "--no-hashes", cwd=app).out)

    def test_every_command_has_a_help_page_with_examples(self):
        for command in ("lock", "install", "uninstall", "tree", "why", "outdated", "export", "cache prune"):
            out = self.dae(*command.split(), "--help").out
            self.assertIn("dae " + command.split()[0], out, command)


class Explanations(DaeTest):
    def refused(self, *requirements, extra="", options=()):
        """What `dae lock` says, without the heading: (the conflicts' lines, the changes that help)."""
        app = self.create_app(install=False)
        write_dependencies(app, *requirements, extra=extra)
        lines = self.dae("lock", *options, cwd=app, code=6).err.splitlines()
        self.assertFalse((app / "pylock.toml").exists())
        story = [re.split(r"   +", line.strip(), maxsplit=1) for line in lines if line.startswith("  ") and not line.startswith("  - ")]
        return story, [line[4:] for line in lines if line.startswith("  - ")], "\n".join(lines)

    def test_a_conflict_is_told_from_the_roots_down_to_its_end(self):
        story, offered, _ = self.refused("flask>=3.1", "werkzeug<2")
        texts = [text for _, text in story]
        self.assertEqual(texts[:2], ["needs flask>=3.1", "needs werkzeug<2"])
        self.assertTrue(all(re.fullmatch(r"pyproject\.toml:\d+", origin) for origin, _ in story[:2]), story)
        self.assertIn("needs werkzeug>=", texts[2])
        self.assertEqual(story[-1][0], "werkzeug")
        self.assertRegex(offered[0], r"^relax `werkzeug<2` to `werkzeug<\d+` \(gives werkzeug [\d.]+\)   pyproject\.toml:\d+$")

    def test_a_change_that_is_offered_helps(self):
        _, offered, _ = self.refused("flask>=3.1", "werkzeug<2")
        wider = re.search(r"to `(werkzeug[^`]*)`", offered[0])[1]
        app = self.create_app(name="wider", install=False)
        write_dependencies(app, "flask>=3.1", wider)
        self.dae("lock", cwd=app)

    def test_independent_conflicts_are_told_one_after_the_other(self):
        _, offered, text = self.refused("flask>=3.1", "werkzeug<2", "click>=100")
        self.assertEqual(text.count("and, independent of that,"), 1)
        self.assertLess(text.index("click"), text.index("werkzeug"), "the shortest first")
        self.assertIn("all of it together", text)
        self.assertEqual(len(offered), 2, offered)

    def test_what_is_in_no_index_is_said_to_be_so(self):
        story, offered, _ = self.refused("no-such-thing-at-all")
        self.assertEqual(story[-1], ["no-such-thing-at-all", "is not in the index"])
        self.assertEqual(offered, [])

    def test_the_cutoff_is_named_where_it_hides_what_would_do(self):
        story, offered, _ = self.refused("flask>=3.1", options=("--exclude-newer", "2001-01-01"))
        self.assertIn("cutoff", story[-1][1])
        self.assertRegex(offered[0], r"^move the cutoff to 2020-01-01 \(flask [\d.]+ is of that day\)$")
        app = self.work / "bubbler"
        self.dae("lock", "--exclude-newer", "2020-01-01", cwd=app)

    def test_a_constraint_is_called_one_and_relaxed_where_it_stands(self):
        (self.work / "web.in").write_text("flask>=3.1\n-c limits.txt\n")
        (self.work / "limits.txt").write_text("# because\nwerkzeug<2\n")
        said = self.dae("lock", "web.in", code=6).err
        self.assertRegex(said, r"limits\.txt:2 +constraint: allows only werkzeug<2\n")
        self.assertRegex(said, r"relax the constraint `werkzeug<2` to `werkzeug<\d+` \(gives werkzeug [\d.]+\)   limits\.txt:2\n")

    def test_json_has_the_same(self):
        app = self.create_app(install=False)
        write_dependencies(app, "flask>=3.1", "werkzeug<2")
        data = self.dae("lock", "--json", cwd=app, code=6).json()
        self.assertEqual(data["conflicts"][0][0]["text"], "needs flask>=3.1")
        self.assertTrue(data["suggestions"])
        self.assertFalse(data["together"])


if __name__ == "__main__":
    unittest.main(verbosity=1)
