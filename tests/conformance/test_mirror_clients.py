"""Package clients, unmodified, against a mirror that pulls through from an index made here: pip (Debian's and the newest), uv,
poetry, pdm and pip-tools resolve, lock and install; twine and uv upload; curl asks for what caches and download managers ask for.

The clients come from the index that pip uses here, each into a venv of its own below $DAE_BUILD/peer-venvs; one that cannot
be had is skipped, by name. The mirror and its upstream are on loopback, and no client is told of any other index.
"""
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import peer_tools  # noqa: E402
from harness import DAE, sample_index  # noqa: E402
from package_upstream import JSON, PackageUpstream  # noqa: E402
from running_mirror import RunningMirror, has_command  # noqa: E402

HTML = "application/vnd.pypi.simple.v1+html"
DEBIANS_PIP = "/usr/bin/pip"
# What every client has to choose: not beta 2.0 (yanked), not beta 3.0 (another python), nothing that is for another platform.
CHOSEN = {"alpha": "2.0", "beta": "1.5", "gamma-source": "1.0", "delta": "0.3"}
WHEELS = [("alpha", "1.0", [], ">=3.8"), ("alpha", "2.0", ["beta>=1", "gamma-source", "elsewhere; sys_platform == 'win32'", "delta<1"], ">=3.8"),
          ("beta", "1.0", [], ">=3.8"), ("beta", "1.5", [], ">=3.8"), ("beta", "2.0", [], ">=3.8"), ("beta", "3.0", [], ">=4"),
          ("delta", "0.3", [], ">=3.8"), ("delta", "1.0", [], ">=3.8"), ("elsewhere", "1.0", [], ">=3.8")]
YANKED = {"beta-2.0-py3-none-any.whl": "loses \"data\" <at night>"}
PROJECT = '[project]\nname = "of-the-test"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["alpha"]\n'


class Upstream(PackageUpstream):
    """Metadata announced (PEP 658), a yanked version and an sdist."""

    def __init__(self):
        super().__init__()
        uploaded = {"upload-time": "2025-03-04T05:06:07.000000Z"}
        for name, version, requires, python in WHEELS:
            yanked = YANKED.get(f"{name}-{version}-py3-none-any.whl", False)
            data = self.wheel(name, version, requires, python, announce_metadata=True, yanked=yanked, **uploaded)
            if (name, version) == ("alpha", "2.0"):
                self.alpha = data
        self.sdist("gamma-source", "1.0", **{"requires-python": ">=3.8", **uploaded})


class Mirrored(unittest.TestCase):
    """Each test has a mirror that knows nothing yet, and a home that holds nothing."""

    more_indexes = ""

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dae-clients-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.upstream = Upstream()
        self.addCleanup(self.upstream.stop)
        self.mirror = RunningMirror(self.dir / "mirror", f"indexes:\n  pypi: {{upstream: \"{self.upstream.url}\"}}\n{self.more_indexes}")
        self.addCleanup(self.mirror.stop)
        self.index = self.mirror.url + "/pypi/simple/"
        (self.dir / "home").mkdir()
        (self.dir / "project").mkdir()
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.dir / "home"), "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                    "PIP_INDEX_URL": self.index, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1", "COLUMNS": "200", "LC_ALL": "C.UTF-8"}

    def tool(self, name, *packages):
        folder = peer_tools.venv(name, *(packages or [name]))
        if not folder:
            self.skipTest(f"{name} cannot be had from the index that pip uses here")
        return folder / name

    def run_tool(self, *command, env=None, fails=False):
        done = subprocess.run(list(map(str, command)), cwd=self.dir / "project", env={**self.env, **(env or {})}, capture_output=True, text=True,
                              timeout=300, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode != 0, fails, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout + done.stderr if fails else done.stdout

    def venv(self):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.dir / "venv"], check=True)
        return self.dir / "venv" / "bin" / "python"

    def installed(self, python):
        code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
        found = json.loads(self.run_tool(python, "-c", code))
        return {name: version for name, version in found.items() if name not in ("pip", "setuptools")}

    def project(self, more=""):
        (self.dir / "project" / "pyproject.toml").write_text(PROJECT + more)

    def archives_asked(self):
        return sorted({path.rpartition("/")[2] for path in self.upstream.asked if path.endswith((".whl", ".tar.gz"))})

    def assert_resolved_by_metadata(self):
        """The sdist announces none, so that a client has to look into it; of no wheel more than its metadata was needed."""
        self.assertIn("/files/alpha-2.0-py3-none-any.whl.metadata", self.upstream.asked)
        self.assertEqual([file for file in self.archives_asked() if file.endswith(".whl")], [])

    def assert_all_of_it_came_through(self):
        self.assertEqual(self.archives_asked(), sorted([f"{name}-{CHOSEN[name]}-py3-none-any.whl" for name in ("alpha", "beta", "delta")]
                                                       + ["gamma_source-1.0.tar.gz"]))


class Pip(Mirrored):
    def test_debians(self):
        done = shutil.which(DEBIANS_PIP) and subprocess.run([DEBIANS_PIP, "--version"], capture_output=True, text=True).stdout
        if not done or "/dist-packages/" not in done:
            self.skipTest("Debian's pip is not installed")
        python = self.venv()
        self.run_tool(DEBIANS_PIP, "--python", python, "install", "alpha")
        self.assertEqual(self.installed(python), CHOSEN)
        self.assert_all_of_it_came_through()

    def test_newest_resolves_without_wheels_and_installs(self):
        pip, python = self.tool("pip", "pip>=26"), self.venv()
        report = json.loads(self.run_tool(pip, "--python", python, "install", "-q", "--dry-run", "--ignore-installed", "--report", "-", "alpha"))
        self.assertEqual({item["metadata"]["name"]: item["metadata"]["version"] for item in report["install"]}, CHOSEN)
        self.assert_resolved_by_metadata()
        for item in report["install"]:
            self.assertTrue(item["download_info"]["url"].startswith(self.mirror.url + "/packages/"), item["download_info"])
        self.run_tool(pip, "--python", python, "install", "alpha")
        self.assertEqual(self.installed(python), CHOSEN)
        self.assert_all_of_it_came_through()

    def test_newest_takes_what_is_yanked_only_when_it_is_pinned(self):
        pip, python = self.tool("pip", "pip>=26"), self.venv()
        done = subprocess.run(list(map(str, [pip, "--python", python, "install", "beta==2.0"])), env=self.env, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('loses "data" <at night>', done.stderr)
        self.assertEqual(self.installed(python), {"beta": "2.0"})

    def test_newest_sees_upload_times(self):
        pip, python = self.tool("pip", "pip>=26"), self.venv()
        early = [pip, "--python", python, "install", "--dry-run", "--no-deps", "alpha", "--uploaded-prior-to"]
        self.run_tool(*early, "2025-06-01T00:00:00Z")
        done = subprocess.run(list(map(str, [*early, "2025-01-01T00:00:00Z"])), env=self.env, capture_output=True, text=True, timeout=300)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("upload-time", done.stderr)  # that it is missing

    def test_newest_downloads_with_hashes(self):
        pip = self.tool("pip", "pip>=26")
        wheel = hashlib.sha256(self.upstream.alpha).hexdigest()
        (self.dir / "project" / "pinned.txt").write_text(f"alpha==2.0 --hash=sha256:{wheel}\n")
        self.run_tool(pip, "download", "--no-deps", "--require-hashes", "-r", "pinned.txt", "-d", "wheels")
        self.assertEqual((self.dir / "project" / "wheels" / "alpha-2.0-py3-none-any.whl").read_bytes(), self.upstream.alpha)

    def test_pip_tools(self):
        tool, python = self.tool("pip-compile", "pip-tools"), self.venv()
        (self.dir / "project" / "in.txt").write_text("alpha\n")
        self.run_tool(tool, "-q", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "in.txt", "-o", "out.txt")
        text = (self.dir / "project" / "out.txt").read_text()
        self.assertEqual(dict(re.findall(r"^([a-z-]+)==(\S+)", text, re.M)), CHOSEN)
        self.assertIn(hashlib.sha256(self.upstream.alpha).hexdigest(), text)
        self.run_tool(tool.parent / "pip-sync", "--python-executable", self.with_pip(python), "out.txt")
        self.assertEqual(self.installed(python), CHOSEN)

    def with_pip(self, python):
        subprocess.run([python, "-m", "ensurepip"], check=True, capture_output=True, env={**self.env, "PIP_NO_INDEX": "1"})
        return python


class Uv(Mirrored):
    def setUp(self):
        super().setUp()
        self.uv = self.tool("uv")
        self.env.update(UV_DEFAULT_INDEX=self.index, UV_PYTHON=sys.executable, UV_PYTHON_DOWNLOADS="never", UV_CACHE_DIR=str(self.dir / "uv"),
                        UV_NO_CONFIG="1")

    def test_compiles_without_wheels_and_installs(self):
        (self.dir / "project" / "in.txt").write_text("alpha\n")
        text = self.run_tool(self.uv, "pip", "compile", "-q", "--no-annotate", "--no-header", "--generate-hashes", "in.txt")
        self.assertEqual(dict(re.findall(r"^([a-z-]+)==(\S+)", text, re.M)), CHOSEN)
        self.assert_resolved_by_metadata()
        (self.dir / "project" / "out.txt").write_text(text)
        python = self.venv()
        self.run_tool(self.uv, "pip", "sync", "--require-hashes", "-p", python, "out.txt")
        self.assertEqual(self.installed(python), CHOSEN)
        self.assert_all_of_it_came_through()

    def test_locks_for_every_platform_and_syncs(self):
        self.project()
        self.run_tool(self.uv, "lock")
        lock = (self.dir / "project" / "uv.lock").read_text()
        self.assert_resolved_by_metadata()
        for name, version in {**CHOSEN, "elsewhere": "1.0"}.items():
            self.assertIn(f'name = "{name}"\nversion = "{version}"', lock)
        self.assertIn('upload-time = "2025-03-04T05:06:07Z"', lock)
        self.run_tool(self.uv, "sync", "--locked", "--no-install-project")
        self.assertEqual(self.installed(self.dir / "project" / ".venv" / "bin" / "python"), CHOSEN)
        self.assert_all_of_it_came_through()

    def test_is_refused_what_is_too_new(self):
        (self.dir / "project" / "in.txt").write_text("alpha\n")
        self.run_tool(self.uv, "pip", "compile", "-q", "in.txt", "--exclude-newer", "2025-06-01T00:00:00Z")
        done = subprocess.run([self.uv, "pip", "compile", "-q", "in.txt", "--exclude-newer", "2025-01-01T00:00:00Z"], cwd=self.dir / "project", env=self.env,
                              capture_output=True, text=True, timeout=300)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("missing an upload date", done.stderr)


class Managers(Mirrored):
    def test_poetry_locks_without_wheels_and_installs(self):
        poetry = self.tool("poetry")
        self.project(f'[tool.poetry]\npackage-mode = false\n[[tool.poetry.source]]\nname = "mirror"\nurl = "{self.index}"\npriority = "primary"\n')
        env = {"POETRY_VIRTUALENVS_IN_PROJECT": "1", "POETRY_CACHE_DIR": str(self.dir / "poetry"), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
               "POETRY_INSTALLER_MAX_WORKERS": "2"}
        self.run_tool(poetry, "lock", "-n", env=env)
        self.assert_resolved_by_metadata()
        lock = (self.dir / "project" / "poetry.lock").read_text()
        for name, version in {**CHOSEN, "elsewhere": "1.0"}.items():
            self.assertIn(f'name = "{name}"\nversion = "{version}"', lock)
        self.run_tool(poetry, "sync", "-n", env=env)
        self.assertEqual(self.installed(self.dir / "project" / ".venv" / "bin" / "python"), CHOSEN)
        self.assert_all_of_it_came_through()

    def test_pdm_locks_without_wheels_and_installs(self):
        pdm = self.tool("pdm", "pdm[locked]")  # with the newest of what it needs, 2.29 does not start
        self.project(f'[tool.pdm]\ndistribution = false\n[[tool.pdm.source]]\nname = "pypi"\nurl = "{self.index}"\nverify_ssl = false\n')
        env = {"PDM_CHECK_UPDATE": "0", "PDM_CACHE_DIR": str(self.dir / "pdm"), "PDM_IGNORE_SAVED_PYTHON": "1", "PDM_USE_VENV": "1"}
        self.run_tool(pdm, "venv", "create", "--with", "venv", sys.executable, env=env)
        self.run_tool(pdm, "lock", env=env)
        self.assert_resolved_by_metadata()
        lock = (self.dir / "project" / "pdm.lock").read_text()
        for name, version in {**CHOSEN, "elsewhere": "1.0"}.items():
            self.assertIn(f'name = "{name}"\nversion = "{version}"', lock)
        self.run_tool(pdm, "sync", env=env)
        self.assertEqual(self.installed(self.dir / "project" / ".venv" / "bin" / "python"), CHOSEN)
        self.assert_all_of_it_came_through()


class Uploads(Mirrored):
    """twine and uv publish into a private index; what they sent installs."""

    more_indexes = "  team: {mode: private, uploads: true}\n"

    def setUp(self):
        if not has_command("token", "create"):
            self.skipTest("this dae has no `mirror token create`")
        super().setUp()
        self.team, self.dist = self.mirror.url + "/team/simple/", self.dir / "dist"
        self.dist.mkdir()
        self.config = self.dir / "mirror" / "mirror.yaml"
        self.token = self.new_token()
        for file, data in (sample_index.make_wheel("ours", "1.0", ["delta<1"], ">=3.8", None, {}), sample_index.make_sdist("ours-source", "1.0", [])):
            (self.dist / file).write_bytes(data)

    def new_token(self, *options):
        return self.run_tool(os.path.abspath(DAE), "mirror", "token", "create", "--config", self.config, "--index", "team", *options).strip()

    def twine(self, *options, token=None, fails=False):
        return self.run_tool(self.tool("twine"), "upload", "--disable-progress-bar", "--non-interactive", "--repository-url", self.mirror.url + "/team/legacy/", *options,
                             *sorted(self.dist.iterdir()), env={"TWINE_USERNAME": "__token__", "TWINE_PASSWORD": token or self.token}, fails=fails)

    def publish(self, *options, token=None, fails=False):
        return self.run_tool(self.tool("uv"), "publish", "--publish-url", self.mirror.url + "/team/legacy/", *options, *sorted(self.dist.iterdir()),
                             env={"UV_PUBLISH_TOKEN": token or self.token, "UV_CACHE_DIR": str(self.dir / "uv"), "UV_NO_CONFIG": "1"}, fails=fails)

    def change_the_wheel(self):
        """Other bytes under the name that was sent."""
        file, data = sample_index.make_wheel("ours", "1.0", [], ">=3.8", None, {"other": "ours:other"})
        (self.dist / file).write_bytes(data)

    def sent_by(self, send):
        send()
        pip, python = self.tool("pip", "pip>=26"), self.venv()
        self.run_tool(pip, "--python", python, "install", "ours", "ours-source", "--index-url", self.team, "--extra-index-url", self.index)
        self.assertEqual(self.installed(python), {"ours": "1.0", "ours-source": "1.0", "delta": "0.3"})
        self.change_the_wheel()
        send(fails=True)
        self.run_tool(pip, "--python", python, "install", "--no-deps", "--no-cache-dir", "--force-reinstall", "ours", "--index-url", self.team)
        self.assertFalse((python.parent / "other").exists())

    def test_twine_sends_what_installs_and_cannot_replace_it(self):
        self.sent_by(self.twine)

    def test_uv_sends_what_installs_and_cannot_replace_it(self):
        self.sent_by(self.publish)

    def test_sending_again_is_no_mistake(self):
        self.twine()
        self.twine()
        self.publish()
        self.publish("--check-url", self.team)

    def test_a_token_that_is_not_for_it_sends_nothing(self):
        for token in (self.new_token("--project", "another"), self.token[:-1] + ("0" if self.token[-1] != "0" else "1"), "none"):
            self.twine(token=token, fails=True)
            self.publish(token=token, fails=True)
        listed = self.run_tool("curl", "-q", "-s", "-f", "-H", f"Accept: {JSON}", self.team)
        self.assertEqual(json.loads(listed)["projects"], [])


class Curl(Mirrored):
    def setUp(self):
        super().setUp()
        if not shutil.which("curl"):
            self.skipTest("curl is not installed")
        self.page = self.index + "alpha/"

    def curl(self, url, *options):
        """(status, fields by lower-case name, body) of the last answer."""
        body, head = self.dir / "body", self.dir / "head"
        body.write_bytes(b"")
        status = self.run_tool("curl", "-q", "-s", "-S", "--path-as-is", "-o", body, "-D", head, "-w", "%{http_code}", *options, url)
        lines = head.read_text().replace("\r\n", "\n").strip().split("\n\n")[-1].splitlines()
        return int(status), {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}, body.read_bytes()

    def file(self):
        page = json.loads(self.curl(self.page, "-H", f"Accept: {JSON}")[2])
        return next(self.mirror.url + entry["url"][entry["url"].index("/packages/"):] for entry in page["files"] if entry["filename"].startswith("alpha-2"))

    def test_forms_by_accept(self):
        for accept, kind in ((JSON, JSON), (HTML, HTML), ("text/html", "text/html"), ("*/*", "text/html"), (f"{HTML};q=0.3, {JSON};q=0.2", HTML),
                             (f"{JSON};q=0, text/html;q=0.01", "text/html"), ("application/vnd.pypi.simple.latest+json", JSON)):
            with self.subTest(accept):
                status, fields, body = self.curl(self.page, "-H", f"Accept: {accept}")
                self.assertEqual((status, fields["content-type"].partition(";")[0]), (200, kind))
                self.assertEqual(body[:1], b"{" if kind == JSON else b"<")
                self.assertIn("accept", fields["vary"].lower())
                self.assertIn("max-age=600", fields["cache-control"])
        for accept in ("image/png", f"{JSON};q=0"):
            self.assertEqual(self.curl(self.page, "-H", f"Accept: {accept}")[0], 406, accept)

    def test_what_a_page_says(self):
        page = json.loads(self.curl(self.index + "beta/", "-H", f"Accept: {JSON}")[2])
        self.assertEqual((page["name"], page["versions"]), ("beta", ["1.0", "1.5", "2.0", "3.0"]))
        files = {file["filename"]: file for file in page["files"]}
        self.assertEqual(files["beta-2.0-py3-none-any.whl"]["yanked"], YANKED["beta-2.0-py3-none-any.whl"])
        self.assertEqual(files["beta-3.0-py3-none-any.whl"]["requires-python"], ">=4")
        for file in files.values():
            self.assertEqual(file["core-metadata"], file.get("dist-info-metadata", file["core-metadata"]))
            self.assertRegex(file["upload-time"], r"^2025-03-04T05:06:07(\.0+)?Z$")
            self.assertEqual(file["size"], len(self.upstream.answers[f"/files/{file['filename']}"][0]))
        text = self.curl(self.index + "beta/", "-H", "Accept: text/html")[2].decode()
        self.assertIn('data-yanked="loses &quot;data&quot; &lt;at night&gt;"', text)
        self.assertRegex(text, r'data-requires-python="(&gt;|>)=4"')

    def test_a_validator_saves_the_body(self):
        for url, options in ((self.page, ["-H", f"Accept: {JSON}"]), (self.page, ["-H", "Accept: text/html"]), (self.file(), [])):
            with self.subTest(url=url, options=options):
                status, fields, body = self.curl(url, *options)
                self.assertEqual((status, len(body)), (200, int(fields["content-length"])))
                self.assertRegex(fields["etag"], r'^"[^"]+"$')
                for validator in (fields["etag"], f'"other", {fields["etag"]}', "*"):
                    status, again, nothing = self.curl(url, *options, "-H", f"If-None-Match: {validator}")
                    self.assertEqual((status, again["etag"], nothing), (304, fields["etag"], b""))
                self.assertEqual(self.curl(url, *options, "-H", 'If-None-Match: "other"')[0], 200)
                # curl's own way: it keeps the validator in a file.
                self.curl(url, *options, "--etag-save", self.dir / "etag")
                self.assertEqual(self.curl(url, *options, "--etag-compare", self.dir / "etag")[0], 304)
        json_tag, html_tag = (self.curl(self.page, "-H", f"Accept: {kind}")[1]["etag"] for kind in (JSON, HTML))
        self.assertNotEqual(json_tag, html_tag)

    def test_head_is_get_without_the_body(self):
        for url in (self.page, self.file()):
            got, asked = self.curl(url), self.curl(url, "-I")
            self.assertEqual((asked[0], asked[1].get("content-length"), asked[1].get("etag")), (200, str(len(got[2])), got[1]["etag"]))

    def test_gzip_when_asked_for(self):
        page = self.index + "beta/"
        plain = self.curl(page, "-H", f"Accept: {JSON}", "-H", "Accept-Encoding: identity")
        self.assertNotIn("content-encoding", plain[1])
        packed = self.curl(page, "-H", f"Accept: {JSON}", "-H", "Accept-Encoding: gzip")
        self.assertGreater(len(plain[2]), 1024)  # below, nothing is packed
        self.assertEqual((packed[1]["content-encoding"], gzip.decompress(packed[2])), ("gzip", plain[2]))
        self.assertNotEqual(packed[1]["etag"], plain[1]["etag"])
        self.assertIn("accept-encoding", packed[1]["vary"].lower())
        self.assertEqual(self.curl(page, "-H", f"Accept: {JSON}", "--compressed")[2], plain[2])
        self.assertNotIn("content-encoding", self.curl(page, "-H", f"Accept: {JSON}", "-H", "Accept-Encoding: gzip;q=0")[1])
        self.assertNotIn("content-encoding", self.curl(self.file(), "-H", "Accept-Encoding: gzip")[1])

    def test_ranges(self):
        url, whole = self.file(), self.upstream.alpha
        size = len(whole)
        self.assertEqual(self.curl(url)[1].get("accept-ranges"), "bytes")
        for asked, part in (("0-99", whole[:100]), ("100-", whole[100:]), ("-50", whole[-50:]), (f"10-{size + 1000}", whole[10:])):
            status, fields, body = self.curl(url, "-r", asked)
            self.assertEqual((status, body), (206, part), asked)
            start = whole.index(part)
            self.assertEqual(fields["content-range"], f"bytes {start}-{start + len(part) - 1}/{size}")
        status, fields, _ = self.curl(url, "-r", f"{size}-")
        self.assertEqual((status, fields["content-range"]), (416, f"bytes */{size}"))
        etag = self.curl(url)[1]["etag"]
        self.assertEqual(self.curl(url, "-r", "0-9", "-H", f"If-Range: {etag}")[0], 206)
        self.assertEqual(self.curl(url, "-r", "0-9", "-H", 'If-Range: "other"')[::2], (200, whole))

    def test_a_broken_download_goes_on(self):
        url, half = self.file(), self.dir / "half"
        half.write_bytes(self.upstream.alpha[:300])
        self.run_tool("curl", "-q", "-s", "-S", "-f", "-C", "-", "-o", half, url)
        self.assertEqual(half.read_bytes(), self.upstream.alpha)

    def test_files_never_change(self):
        fields = self.curl(self.file())[1]
        self.assertIn("immutable", fields["cache-control"])
        self.assertEqual(self.archives_asked(), ["alpha-2.0-py3-none-any.whl"])
        self.curl(self.file())
        self.assertEqual(len([path for path in self.upstream.asked if path.endswith(".whl")]), 1)

    def test_names_are_redirected_to_their_one_form(self):
        for path in ("alpha", "Alpha/", "ALPHA"):
            status, fields, _ = self.curl(self.index + path)
            self.assertEqual(status, 301, path)
            self.assertNotIn("//", fields["location"].removeprefix(self.mirror.url))
            self.assertEqual(self.curl(self.index + path, "-L")[::2], self.curl(self.page)[::2])
        self.assertEqual(self.curl(self.index + "gamma_Source/", "-L")[0], 200)

    def test_what_is_not_there_or_not_allowed(self):
        digest = hashlib.sha256(b"nothing").hexdigest()
        for path, status in (("/pypi/simple/nothing-of-this-name/", 404), ("/other/simple/alpha/", 404), (f"/packages/{digest[:2]}/{digest}/alpha-2.0-py3-none-any.whl", 404),
                             ("/pypi/simple/../../../etc/passwd", 400), ("/packages/..%2f..%2fetc%2fpasswd", 400)):
            got = self.curl(self.mirror.url + path)[0]
            self.assertIn(got, (status, 404), path)
        for method in ("POST", "PUT", "DELETE"):
            self.assertIn(self.curl(self.page, "-X", method)[0], (404, 405), method)

    def test_an_upstream_that_is_gone_is_not_noticed(self):
        url, page = self.file(), self.curl(self.page, "-H", f"Accept: {JSON}")[2]
        self.curl(url)
        self.upstream.gone = True
        self.assertEqual(self.curl(self.page, "-H", f"Accept: {JSON}")[::2], (200, page))
        self.assertEqual(self.curl(url)[::2], (200, self.upstream.alpha))
        self.assertEqual(self.curl(self.index + "beta/")[0], 502)


if __name__ == "__main__":
    unittest.main()
