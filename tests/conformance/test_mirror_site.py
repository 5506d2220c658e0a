"""The mirror's pages for people in a real browser: found by keyboard, readable in both colour schemes and on a phone, without scripts,
and without harm when an upstream means some.

Skipped when there is no chromium. Nothing beyond loopback is reached. DAE_SCREENSHOTS names a folder for pictures of the pages.
"""
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import browser  # noqa: E402
from running_mirror import RunningMirror  # noqa: E402

MEAN = "\"><img src=x onerror=\"alert('in')\"><script>alert('in')</script>"
PAGES = ("", "ui/search", "ui/search?q=de", "ui/pypi/demo", "ui/pypi/large", "ui/pypi/mean", "ui/artifacts", "ui/artifacts/apps/web", "ui/runs", "ui/pypi/absent")


def sha(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def file(name, number=0, **more):
    return {"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": sha(number)}, "size": 1000 + number, "upload-time": "2026-05-01T10:20:30Z", **more}


def page(name, files, **more):
    return {"meta": {"api-version": "1.4"}, "name": name, "versions": [], "files": files, **more}


PROJECTS = {
    "demo": page("demo", [file("demo-1.0-py3-none-any.whl", 1, **{"requires-python": ">=3.9"}), file("demo-1.0.tar.gz", 2),
                          file("demo-1.1-py3-none-any.whl", 3), file("demo-1.2rc1.tar.gz", 4)]),
    "demo-plugin": page("demo-plugin", [file("demo_plugin-1.0.tar.gz", 5)]),
    "large": page("large", [file(f"large-{v}.0-{b}-py3-none-any.whl", v) for v in range(100) for b in range(100)]),
    "mean": page("mean", [file("mean-1.0.tar.gz", 6, yanked=MEAN, **{"requires-python": MEAN, "provenance": "javascript:alert('in')"})],
                 **{"project-status": {"status": "archived", "reason": MEAN}}),
}


class Upstream(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.strip("/").split("/")[-1]
        body = json.dumps(PROJECTS.get(name, {})).encode()
        self.send_response(200 if name in PROJECTS else 404)
        self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def send(method, url, body=None, **headers):
    request = urllib.request.Request(url, data=body, method=method, headers={name.replace("_", "-"): text for name, text in headers.items()})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def push_app(url, tag):
    def blob(bytes_, kind, **annotations):
        digest = "sha256:" + hashlib.sha256(bytes_).hexdigest()
        send("POST", f"{url}/v2/apps/web/blobs/uploads/?digest={digest}", bytes_, Content_Type="application/octet-stream")
        return {"mediaType": f"application/vnd.dae.{kind}", "digest": digest, "size": len(bytes_), **({"annotations": annotations} if annotations else {})}

    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": "application/vnd.dae.app.v1",
                "config": blob(b"{}", "config.v1+json"),
                "layers": [blob(b"source", "source.v1.tar+zstd", **{"dev.dae.source.tar-digest": "sha256:" + sha("tar")}),
                           blob(b"wheel", "wheel.v1+zip", **{"org.opencontainers.image.title": "demo-1.1-py3-none-any.whl"})]}
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    send("PUT", f"{url}/v2/apps/web/manifests/{tag}", canonical, Content_Type=manifest["mediaType"])


# The ratio of each text to what is behind it (WCAG 2.2, 1.4.3), those below 4.5.
LOW_CONTRAST = """(() => {
  const parse = text => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = rgb => { const [r, g, b] = rgb.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                         return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = element => { for (; element; element = element.parentElement) { const c = parse(getComputedStyle(element).backgroundColor);
                                if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const low = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility()) continue;
    const a = light(parse(getComputedStyle(element).color)), b = light(ground(element));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(walk.currentNode.data.trim().slice(0, 40) + ' ' + ratio.toFixed(2));
  }
  return low; })()"""


@unittest.skipUnless(browser.find(), "no chromium: apt-get install chromium")
class Site(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="dae-site-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        cls.addClassCleanup(upstream.server_close)
        cls.addClassCleanup(upstream.shutdown)
        mirror = RunningMirror(cls.dir / "mirror", f'indexes:\n  pypi: {{upstream: "http://127.0.0.1:{upstream.server_port}/simple/"}}\n')
        cls.addClassCleanup(mirror.stop)
        cls.url = mirror.url + "/"
        for name in PROJECTS:
            send("GET", f"{mirror.url}/pypi/simple/{name}/")
        push_app(mirror.url, "1.0")
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        self.browser.script_allowed(False)
        self.browser.window(1280)
        self.browser.colours("light")
        self.browser.requests.clear()
        self.browser.complaints.clear()
        self.browser.dialogs.clear()

    def open(self, path):
        self.browser.open(self.url + path)

    def text(self, selector="body"):
        return self.browser.eval(f"document.querySelector({json.dumps(selector)}).innerText")

    def picture(self, name):
        if os.environ.get("DAE_SCREENSHOTS"):
            self.browser.screenshot(os.path.join(os.environ["DAE_SCREENSHOTS"], name + ".png"))

    def test_a_project_is_found_by_keyboard_alone_without_scripts(self):
        self.open("")
        self.browser.tab()
        self.assertEqual(self.browser.eval("document.activeElement.className"), "skip")
        self.assertGreaterEqual(self.browser.eval("document.activeElement.getBoundingClientRect().left"), 0, "the skip link is not seen")
        for _ in range(10):
            if self.browser.eval("document.activeElement.id") == "q":
                break
            self.browser.tab()
        self.assertNotEqual(self.browser.eval("getComputedStyle(document.activeElement).outlineStyle"), "none", "focus is not seen")
        self.browser.type("Demo")
        self.browser.enter()
        self.assertEqual(self.browser.url, self.url + "ui/search?q=Demo")
        self.assertEqual(self.browser.eval("[...document.querySelectorAll('.found a')].map(a => a.textContent)"), ["demo", "demo-plugin"])
        self.assertEqual(self.browser.eval("document.getElementById('q').value"), "Demo")
        self.browser.follow(".found a")
        self.assertEqual(self.browser.url, self.url + "ui/pypi/demo")
        self.assertEqual(self.text("h1"), "demo 1.1")
        self.assertIn(f"pip install --index-url {self.url}pypi/simple/ demo", self.text("pre"))
        self.picture("project")

    def test_versions_unfold_and_files_can_be_reached(self):
        self.open("ui/pypi/demo")
        self.assertEqual(self.browser.eval("[...document.querySelectorAll('summary b')].map(b => b.textContent)"), ["1.2rc1", "1.1", "1.0"])
        self.assertEqual(self.browser.eval("[...document.querySelectorAll('details')].map(d => d.open)"), [True, False, False])
        self.browser.click("details:nth-of-type(3) summary")
        self.assertTrue(self.browser.eval("document.querySelectorAll('details')[2].open"))
        self.assertIn(sha(1), self.text("details:nth-of-type(3)"))
        self.assertIn(">=3.9", self.text("details:nth-of-type(3)"))
        self.assertEqual(self.browser.eval("document.querySelector('details:nth-of-type(3) .files a').href"),
                         f"{self.url}packages/{sha(1)[:2]}/{sha(1)}/demo-1.0-py3-none-any.whl")

    def test_who_depends_leads_to_the_artifact_and_home_again(self):
        self.open("ui/pypi/demo")
        self.assertIn("apps/web 1.0 has demo 1.1", " ".join(self.text("main").split()))
        self.browser.follow('a[href$="ui/artifacts/apps/web"]')
        self.assertEqual(self.text("h1"), "apps/web")
        self.assertIn("application/vnd.dae.app.v1", self.text("main"))
        self.picture("repository")
        self.browser.follow("a.brand")
        self.assertEqual(self.browser.url, self.url)
        self.assertEqual(self.browser.eval("[...document.querySelectorAll('table')[0].rows[1].cells].slice(0, 5).map(c => c.innerText)")[0], "pypi")
        self.picture("overview")

    def test_nothing_is_asked_from_elsewhere_and_nothing_complains(self):
        self.browser.script_allowed(True)
        for path in PAGES:
            self.open(path)
        outside = [url for url in self.browser.requests if not url.startswith((self.url, "about:"))]
        self.assertEqual(outside, [])
        # The browser asks for an icon of its own accord; and one of the pages is a 404.
        complaints = [text for text in self.browser.complaints if "favicon" not in text and "ui/pypi/absent" not in text]
        self.assertEqual(complaints, [])

    def test_the_style_is_let_in_by_its_hash_and_nothing_else_is(self):
        self.browser.script_allowed(True)
        self.open("")
        self.assertEqual(self.browser.eval("getComputedStyle(document.body).margin"), "0px")
        self.browser.eval("""(() => { const s = document.createElement('style'); s.textContent = 'body{margin:7px}'; document.head.append(s);
                             const t = document.createElement('script'); t.textContent = 'window.ran = 1'; document.head.append(t); })()""")
        self.assertEqual(self.browser.eval("[getComputedStyle(document.body).margin, window.ran || 0]"), ["0px", 0])

    def test_what_an_upstream_says_is_text(self):
        self.browser.script_allowed(True)
        for path in ("ui/pypi/mean", "ui/search?q=" + urllib.request.quote(MEAN)):
            self.open(path)
            self.assertEqual(self.browser.eval("document.querySelectorAll('img, script, [onerror], a[href^=javascript]').length"), 0)
            self.assertIn("<script>alert('in')</script>", self.browser.eval("document.querySelector('main').textContent"))
        self.assertEqual(self.browser.dialogs, [])

    def test_every_page_can_be_read_in_light_and_dark(self):
        for scheme in ("light", "dark"):
            self.browser.colours(scheme)
            for path in PAGES:
                self.open(path)
                self.assertEqual(self.browser.eval(LOW_CONTRAST), [], f"{path} in {scheme}")
            ground = self.browser.eval("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")
            self.assertEqual(ground > 128, scheme == "light")
            self.open("ui/pypi/demo")
            self.picture("project-" + scheme)

    def test_every_page_fits_a_phone(self):
        self.browser.window(360, 800)
        for path in PAGES:
            self.open(path)
            self.assertLessEqual(self.browser.eval("document.documentElement.scrollWidth"), 360, path)
        self.open("ui/pypi/demo")
        self.picture("project-phone")

    def test_every_page_has_headings_labels_and_names_in_order(self):
        for path in PAGES:
            self.open(path)
            with self.subTest(path=path):
                self.assertEqual(self.browser.eval("document.documentElement.lang"), "en")
                self.assertEqual(self.browser.eval("document.querySelectorAll('h1').length"), 1)
                self.assertNotEqual(self.browser.eval("document.title"), "")
                self.assertEqual(self.browser.eval("document.querySelectorAll('main').length"), 1)
                levels = self.browser.eval("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
                self.assertTrue(all(b - a <= 1 for a, b in zip(levels, levels[1:])), levels)
                self.assertEqual(self.browser.eval("[...document.querySelectorAll('input')].filter(i => !i.labels.length).length"), 0)
                self.assertEqual(self.browser.eval("[...document.querySelectorAll('th')].filter(t => !t.scope).length"), 0)
                self.assertEqual(self.browser.eval("(ids => ids.length - new Set(ids).size)([...document.querySelectorAll('[id]')].map(e => e.id))"), 0)
                nodes = self.browser.call("Accessibility.getFullAXTree")["nodes"]
                nameless = [n["role"]["value"] for n in nodes if n.get("role", {}).get("value") in ("link", "button", "searchbox", "region", "navigation")
                            and not n.get("ignored") and not n.get("name", {}).get("value")]
                self.assertEqual(nameless, [])

    def test_ten_thousand_files_stay_usable(self):
        self.open("ui/pypi/large")
        self.assertLess(self.browser.eval("document.documentElement.outerHTML.length"), 3_000_000)
        self.assertEqual(self.browser.eval("document.querySelectorAll('details').length"), 20)
        self.browser.follow("a[rel=next]")
        self.assertTrue(self.browser.url.endswith("ui/pypi/large?page=2"))
        self.assertEqual(self.text("summary b"), "79.0")


if __name__ == "__main__":
    if not browser.find():
        print("skipped: there is no chromium here (Debian: apt-get install chromium)")
        sys.exit(77)
    unittest.main(verbosity=2)
