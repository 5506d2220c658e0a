"""dae audit as a user runs it: a lock and an environment against feeds that are made here."""
import http.server
import json
import pathlib
import sys
import threading
import unittest
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import DaeTest  # noqa: E402

CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
LOW = "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:N/I:L/A:N"


def record(identifier, name, events=None, **more):
    affected = {"package": {"ecosystem": "PyPI", "name": name}}
    if events is not None:
        affected["ranges"] = [{"type": "ECOSYSTEM", "events": events}]
    affected.update(more.pop("affected", {}))
    return {"schema_version": "1.6.0", "id": identifier, "modified": "2026-01-02T00:00:00Z",
            "summary": f"a flaw in {name}", "affected": [affected], **more}


# About a package that is in no lock here: a feed has to speak of Python packages to be one.
OTHER = record("PYSEC-1", "nobody-has-this", [{"introduced": "0"}])


class Feeds(http.server.BaseHTTPRequestHandler):
    """One feed with an ETag; counts how it was asked for."""

    def do_GET(self):
        self.server.asked.append(self.headers.get("If-None-Match"))
        if self.path != "/feed":
            return self.send_error(404)
        if self.headers.get("If-None-Match") == self.server.tag:
            self.send_response(304)
            self.send_header("ETag", self.server.tag)
            self.end_headers()
            return None
        self.send_response(200)
        self.send_header("ETag", self.server.tag)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        return self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


class Audit(DaeTest):
    def setUp(self):
        super().setUp()
        self.app = self.create_app(install=False)
        self.dae("lock", cwd=self.app)

    def feed(self, *records, name="feed.json"):
        path = self.dir / name
        path.write_text(json.dumps([OTHER, *records]))
        return path

    def audit(self, *args, code=0, **more):
        return self.dae("audit", *args, cwd=self.app, code=code, **more)

    def findings(self, *records, args=(), code=1):
        result = self.audit("--feed", self.feed(*records), "--json", *args, code=code)
        return json.loads(result.out)["findings"]

    def ids(self, *records, **more):
        return [f["ids"] for f in self.findings(*records, **more)]

    def test_a_lock_nothing_is_known_against(self):
        result = self.audit("--feed", self.feed(record("GHSA-1", "flask", [{"introduced": "0"}, {"fixed": "3.0"}])))
        self.assertIn("nothing is known against", result.err)
        self.assertEqual(result.out, "")

    def test_a_range_and_its_fix(self):
        ranged = record("GHSA-1", "Flask", [{"introduced": "3.0"}, {"fixed": "3.1.3"}], aliases=["CVE-2026-1"],
                        severity=[{"type": "CVSS_V3", "score": CRITICAL}])
        result = self.audit("--feed", self.feed(ranged), code=1)
        self.assertRegex(result.out, r"flask +3\.1\.2 +critical 9\.8 +GHSA-1 \(CVE-2026-1\) +3\.1\.3 +a flaw in Flask")
        self.assertIn("1 finding ", result.err)

    def test_versions_by_order_and_by_list(self):
        for events, hit in [
            ([{"introduced": "0"}], True),
            ([{"introduced": "0"}, {"fixed": "3.1.2"}], False),
            ([{"introduced": "3.1.2"}], True),
            ([{"introduced": "3.1.2.post1"}], False),
            ([{"introduced": "0"}, {"last_affected": "3.1.2"}], True),
            ([{"introduced": "0"}, {"last_affected": "3.1.1"}], False),
            ([{"introduced": "0"}, {"fixed": "3.1.10"}], True),
            ([{"fixed": "3.0"}, {"introduced": "3.1"}, {"introduced": "0"}], True),
            ([{"introduced": "0"}, {"limit": "3.1"}], False),
            ([{"introduced": "0"}, {"limit": "*"}], True),
        ]:
            with self.subTest(events=events):
                self.assertEqual(bool(self.ids(record("GHSA-1", "flask", events), code=1 if hit else 0)), hit)
        listed = record("GHSA-1", "flask", affected={"versions": ["3.1.2.0"]})
        self.assertEqual(self.ids(listed), [["GHSA-1"]], "3.1.2.0 is 3.1.2")
        self.assertEqual(self.ids(record("GHSA-1", "flask", affected={"versions": ["3.1.1"]}), code=0), [])
        git = record("GHSA-1", "flask", affected={"ranges": [{"type": "GIT", "repo": "https://x.invalid", "events": [{"introduced": "0"}]}]})
        self.assertEqual(self.ids(git, code=0), [], "commits say nothing about versions")

    def test_a_version_that_cannot_be_ordered_counts_unless_a_list_settles_it(self):
        odd = [{"introduced": "0"}, {"fixed": "not a version"}]
        found = self.findings(record("GHSA-1", "flask", odd))
        self.assertEqual(found[0]["unreadable_versions"], ["not a version"])
        self.assertEqual(self.ids(record("GHSA-1", "flask", odd, affected={"versions": ["3.0"]}), code=0), [])

    def test_records_of_one_problem_are_one_finding(self):
        pysec = record("PYSEC-2026-1", "flask", [{"introduced": "0"}], aliases=["CVE-2026-1"])
        ghsa = record("GHSA-1", "flask", [{"introduced": "0"}, {"fixed": "3.2"}], aliases=["CVE-2026-1"],
                      database_specific={"severity": "MODERATE"})
        other = record("GHSA-2", "flask", [{"introduced": "0"}])
        found = self.findings(pysec, ghsa, other)
        self.assertEqual([f["ids"] for f in found], [["GHSA-1", "PYSEC-2026-1"], ["GHSA-2"]])
        self.assertEqual(found[0]["severity"], "medium")
        self.assertEqual(found[0]["fixed_in"], [], "the other record knows of no fix")

    def test_a_vector_without_a_score_has_the_word_of_its_database(self):
        vector = "CVSS:4.0/AV:N/AC:L/AT:N/PR:H/UI:N/VC:L/VI:L/VA:N/SC:N/SI:N/SA:N"
        said = record("GHSA-1", "flask", [{"introduced": "0"}], severity=[{"type": "CVSS_V4", "score": vector}],
                      database_specific={"severity": "HIGH"})
        found = self.findings(said)[0]
        self.assertEqual((found["severity"], found["vector"], found.get("score")), ("high", vector, None))
        self.assertIn("high (CVSS:4.0, score unknown)", self.audit("--feed", self.feed(said), code=1).out)

    def test_withdrawn_advisories_do_not_count(self):
        gone = record("GHSA-1", "flask", [{"introduced": "0"}], withdrawn="2026-01-03T00:00:00Z")
        self.assertEqual(self.ids(gone, code=0), [])

    def test_the_level_and_what_nobody_rated(self):
        low = record("GHSA-1", "flask", [{"introduced": "0"}], severity=[{"type": "CVSS_V3", "score": LOW}])
        self.audit("--feed", self.feed(low), "--level", "low", code=1)
        self.audit("--feed", self.feed(low), "--level", "medium", code=0)
        unrated = record("GHSA-2", "flask", [{"introduced": "0"}])
        self.audit("--feed", self.feed(unrated), "--level", "critical", code=1)

    def test_malware_counts_whatever_is_asked_for(self):
        mal = record("MAL-2026-1", "flask", affected={"versions": ["3.1.2"]}, severity=[{"type": "CVSS_V3", "score": LOW}])
        result = self.audit("--feed", self.feed(mal), "--level", "critical", "--ignore", "MAL-2026-1", code=1)
        self.assertIn("malware", result.out)
        self.assertIn("compromised", result.err)

    def ignoring(self, *entries):
        path = self.app / "pyproject.toml"
        lines = ",\n".join("{" + ", ".join(f'{k} = "{v}"' for k, v in e.items()) + "}" for e in entries)
        path.write_text(path.read_text() + f"\n[tool.dae.audit]\nignore = [{lines}]\n")

    def test_what_the_project_lives_with(self):
        self.ignoring({"id": "cve-2026-1", "reason": "not reachable", "until": "2999-12-31"},
                      {"id": "CVE-2026-9", "reason": "long gone"})
        flaw = record("GHSA-1", "flask", [{"introduced": "0"}], aliases=["CVE-2026-1"])
        result = self.audit("--feed", self.feed(flaw))
        self.assertIn("ignored: GHSA-1 of flask 3.1.2 until 2999-12-31: not reachable (pyproject.toml:", result.err)
        self.assertIn("`CVE-2026-9` is ignored and not found", result.err)
        self.dae("install", "--locked", "--no-sync", cwd=self.app)  # no part of what is locked

    def test_an_ignore_that_has_run_out_counts_again(self):
        self.ignoring({"id": "GHSA-1", "reason": "waiting for a fix", "until": "2020-01-01"})
        result = self.audit("--feed", self.feed(record("GHSA-1", "flask", [{"introduced": "0"}])), code=1)
        self.assertIn("was ignored until 2020-01-01 and counts again: waiting for a fix", result.err)

    def test_an_ignore_needs_a_reason_and_a_day(self):
        self.ignoring({"id": "GHSA-1", "reason": " "})
        self.assertRegex(self.audit("--feed", self.feed(), code=2).err, r"pyproject\.toml:\d+:\d+.*without a reason")

    def test_a_feed_that_cannot_be_read_is_no_clean_one(self):
        bad = self.dir / "folder"
        bad.mkdir()
        (bad / "a.json").write_text(json.dumps(OTHER))
        for text, why in [("{", "JSON"), ('{"id": "X"', "JSON"), ("[]x", "JSON"), ('{"affected": []}', "`id`"),
                          ('{"id": "X", "affected": {}}', "no list"), ('{"id": "X", "schema_version": "2.0.0"}', "schema"),
                          (json.dumps(record("X", "flask", [{"fixed": "1"}])), "introduced")]:
            (bad / "b.json").write_text(text)
            result = self.audit("--feed", bad, code=2)
            self.assertIn("folder: b.json", result.err)
            self.assertIn(why, result.err)
            self.assertIn("skipped: ", self.audit("--feed", bad, "--keep-going").err)
        self.assertIn("no such feed", self.audit("--feed", self.dir / "none", code=1).err)
        empty = self.dir / "empty"
        empty.mkdir()
        self.assertIn("no advisory about any Python package", self.audit("--feed", empty, code=2).err)
        npm = self.dir / "npm.json"
        npm.write_text(json.dumps(record("GHSA-1", "flask", [{"introduced": "0"}])).replace("PyPI", "npm"))
        self.assertIn("no advisory about any Python package", self.audit("--feed", npm, code=2).err)
        self.assertIn("no feed", self.audit(code=2).err)

    def test_zips_and_folders(self):
        path = self.dir / "all.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for i in range(300):
                archive.writestr(f"PYSEC-{i}.json", json.dumps(record(f"PYSEC-{i}", f"package-{i}", [{"introduced": "0"}])))
            archive.writestr("GHSA-1.json", json.dumps(record("GHSA-1", "flask", [{"introduced": "0"}])))
        report = json.loads(self.audit("--feed", path, "--json", code=1).out)
        self.assertEqual(report["feeds"][0]["advisories"], 301)
        with open(path, "r+b") as file:
            file.truncate(path.stat().st_size - 30)
        self.assertIn("all.zip", self.audit("--feed", path, code=2).err)

    def serve(self, *records):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Feeds)
        server.asked, server.tag, server.body = [], '"one"', json.dumps([OTHER, *records]).encode()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server, f"http://127.0.0.1:{server.server_port}/feed"

    def test_a_feed_at_an_address_is_kept_and_asked_for_conditionally(self):
        server, url = self.serve(record("GHSA-1", "flask", [{"introduced": "0"}]))
        self.assertIn("never fetched", self.audit("--feed", url, "--offline", code=1).err)
        self.assertEqual(server.asked, [])
        for _ in range(2):
            self.audit("--feed", url, code=1)
        self.assertEqual(server.asked, [None, '"one"'])
        server.tag, server.body = '"two"', b"<html>sorry</html>"
        self.audit("--feed", url, code=2)
        self.audit("--feed", url, code=2)
        self.assertEqual(server.asked[2:], ['"one"', '"one"'], "a broken feed is not kept")
        offline = self.audit("--feed", url, "--offline", code=1)
        self.assertRegex(offline.err, "was fetched .* ago and not asked again")
        self.assertIn("GHSA-1", offline.out)
        server.shutdown()
        server.server_close()
        self.assertRegex(self.audit("--feed", url, code=1).err, "`--offline` uses what was fetched .* ago")
        self.assertIn("404", self.audit("--feed", self.serve()[1] + "s", code=1).err)
        self.assertIn("https only", self.audit("--feed", "http://feeds.invalid/all.zip", code=1).err)

    def test_feeds_from_the_configuration_and_the_environment(self):
        flaw = self.feed(record("GHSA-1", "flask", [{"introduced": "0"}]))
        (self.dir / "config").mkdir()
        (self.dir / "config" / "config.yaml").write_text(f"audit: {{feeds: [{json.dumps(str(flaw))}]}}\n")
        self.audit(code=1)
        self.audit(env={"DAE_AUDIT_FEED": str(self.feed(name="clean.json"))})

    def test_the_environment_as_it_is(self):
        self.dae("install", cwd=self.app)
        flaw = self.feed(record("GHSA-1", "click", [{"introduced": "0"}]))
        self.assertIn("click", self.audit("--feed", flaw, "--environment", code=1).out)
        self.dae("uninstall", "flask", cwd=self.app)
        self.audit("--feed", flaw, "--environment")

    def test_another_lock_and_one_without_versions(self):
        lock = self.dir / "pylock.other.toml"
        lock.write_text('lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "own"\n[packages.directory]\npath = "."\n')
        result = self.dae("audit", lock, "--feed", self.feed(), cwd=self.dir)
        self.assertIn("`own` has no version and was not checked", result.err)

    def test_sarif(self):
        flaw = record("GHSA-1", "flask", [{"introduced": "0"}], severity=[{"type": "CVSS_V3", "score": CRITICAL}])
        run = json.loads(self.audit("--feed", self.feed(flaw), "--format", "sarif", code=1).out)["runs"][0]
        self.assertEqual([rule["id"] for rule in run["tool"]["driver"]["rules"]], ["GHSA-1"])
        region = run["results"][0]["locations"][0]["physicalLocation"]["region"]
        self.assertEqual((self.app / "pylock.toml").read_text().splitlines()[region["startLine"] - 1], 'name = "flask"')

    def test_whether_an_upgrade_would_do(self):
        text = (self.app / "pyproject.toml").read_text()
        before = (self.app / "pylock.toml").read_bytes()
        (self.app / "pyproject.toml").write_text(text.replace('"flask"', '"flask<3.1"').replace('"flask>=3"', '"flask<3.1"'))
        self.assertIn("flask<3.1", (self.app / "pyproject.toml").read_text())
        self.dae("lock", cwd=self.app)
        (self.app / "pyproject.toml").write_text(text)
        flaw = record("GHSA-1", "flask", [{"introduced": "0"}, {"fixed": "3.1"}])
        self.dae("lock", cwd=self.app)
        result = self.audit("--feed", self.feed(flaw), "--suggest", code=1)
        self.assertIn("`dae install -P flask` takes flask 3.0.3 to 3.1.2", result.err)
        (self.app / "pyproject.toml").write_text(text.replace('"flask"', '"flask<3.1"'))
        result = self.audit("--feed", self.feed(flaw), "--suggest", code=1)
        self.assertRegex(result.err, r"reaches no fixed version: pyproject\.toml:\d+ \(flask<3\.1\)")
        self.assertNotEqual((self.app / "pylock.toml").read_bytes(), before)


if __name__ == "__main__":
    unittest.main()
