"""share/nginx/dae-mirror.conf in a real nginx before a mirror: TLS with a certificate made here, pip through it, package files
sent by nginx from the mirror's store with dae's validators, ranges and 304, pages passed through, a push to the registry.

Needs Debian's nginx and openssl; skipped without.
"""
import functools
import hashlib
import http.client
import http.server
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from nginx_front import NGINX, OPENSSL, NginxFront  # noqa: E402
from running_mirror import RunningMirror  # noqa: E402


def make_wheel():
    files = {"demo/__init__.py": b"", "demo/data.bin": os.urandom(300_000), "demo-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
             "demo-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files["demo-1.0.dist-info/RECORD"] = "".join(f"{name},,\n" for name in [*files, "demo-1.0.dist-info/RECORD"]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


class Upstream:
    """An index of plain files: a wheel of 300 kB, alone."""

    def __init__(self, folder):
        self.wheel, self.data = "demo-1.0-py3-none-any.whl", make_wheel()
        self.sha256 = hashlib.sha256(self.data).hexdigest()
        (folder / "simple" / "demo").mkdir(parents=True)
        (folder / self.wheel).write_bytes(self.data)
        (folder / "simple" / "demo" / "index.html").write_text(f'<a href="/{self.wheel}#sha256={self.sha256}">{self.wheel}</a>')

        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
        self.url = f"http://127.0.0.1:{self.server.server_port}/simple/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@unittest.skipUnless(NGINX, "nginx is not installed (Debian's package nginx-light)")
@unittest.skipUnless(OPENSSL, "openssl is not installed (Debian's package of that name)")
class BehindNginx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="dae-nginx-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.folder.chmod(0o755)
        (cls.folder / "upstream").mkdir()
        cls.upstream = Upstream(cls.folder / "upstream")
        cls.addClassCleanup(cls.upstream.server.shutdown)
        cls.mirror = RunningMirror(cls.folder / "mirror", f'indexes:\n  pypi: {{upstream: "{cls.upstream.url}"}}\n')
        cls.addClassCleanup(cls.mirror.stop)
        cls.nginx = NginxFront(cls.folder, cls.mirror.url, cls.folder / "mirror" / "storage")
        cls.addClassCleanup(cls.nginx.stop)
        cls.ask = staticmethod(cls.nginx.ask)
        cls.path = f"/packages/{cls.upstream.sha256[:2]}/{cls.upstream.sha256}/{cls.upstream.wheel}"

    def know_file(self):
        self.ask("/pypi/simple/demo/")
        self.ask(self.path)  # from upstream, through both
        return self.ask(self.path)

    def test_pip_installs_through_it(self):
        # A bundle named in the environment takes the place of `--cert` in pip's HTTP library.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_") and not name.endswith(("_CA_BUNDLE", "SSL_CERT_FILE"))}
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--isolated", "--no-cache-dir", "--disable-pip-version-check", "--target", self.folder / "target",
                               "--index-url", f"{self.nginx.url}/pypi/simple/", "--cert", self.nginx.certificate, "demo"],
                              capture_output=True, text=True, env=environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertTrue((self.folder / "target" / "demo" / "data.bin").exists())

    def test_nginx_sends_the_file_as_dae_describes_it(self):
        answer, data = self.know_file()
        self.assertEqual(answer.status, 200)
        self.assertEqual(data, self.upstream.data)
        self.assertEqual(answer.getheader("ETag"), f'"{self.upstream.sha256}"')
        self.assertIn("immutable", answer.getheader("Cache-Control"))
        self.assertEqual(answer.getheader("Content-Type"), "application/octet-stream")
        self.assertEqual(answer.getheader("X-Content-Type-Options"), "nosniff")
        self.assertTrue(answer.getheader("Server").startswith("nginx"))
        # dae sent no bytes of it.
        direct = http.client.HTTPConnection(self.mirror.url.removeprefix("http://"))
        direct.request("GET", self.path, headers={"X-Dae-Accel": "on"})
        handed = direct.getresponse()
        self.assertEqual((handed.read(), handed.getheader("X-Accel-Redirect")), (b"", f"/dae-blobs/{self.upstream.sha256[:2]}/{self.upstream.sha256}"))
        direct.close()

    def test_ranges_and_conditions(self):
        self.know_file()
        etag = f'"{self.upstream.sha256}"'
        answer, data = self.ask(self.path, headers={"Range": "bytes=100-199"})
        self.assertEqual((answer.status, data), (206, self.upstream.data[100:200]))
        answer, data = self.ask(self.path, headers={"Range": "bytes=100-199", "If-Range": etag})
        self.assertEqual((answer.status, data), (206, self.upstream.data[100:200]))
        answer, data = self.ask(self.path, headers={"Range": "bytes=100-199", "If-Range": '"other"'})
        self.assertEqual((answer.status, data), (200, self.upstream.data))
        answer, _ = self.ask(self.path, headers={"Range": f"bytes={len(self.upstream.data)}-"})
        self.assertEqual(answer.status, 416)
        answer, data = self.ask(self.path, headers={"If-None-Match": etag})
        self.assertEqual((answer.status, data, answer.getheader("ETag")), (304, b"", etag))
        answer, data = self.ask(self.path, method="HEAD")
        self.assertEqual((answer.status, data, answer.getheader("Content-Length")), (200, b"", str(len(self.upstream.data))))

    def test_pages_keep_their_validators(self):
        answer, _ = self.ask("/pypi/simple/demo/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
        self.assertEqual((answer.status, answer.getheader("Content-Type")), (200, "application/vnd.pypi.simple.v1+json"))
        again, data = self.ask("/pypi/simple/demo/", headers={"Accept": "application/vnd.pypi.simple.v1+json", "If-None-Match": answer.getheader("ETag")})
        self.assertEqual((again.status, data), (304, b""))
        moved, _ = self.ask("/pypi/simple/Demo/?a=b")
        self.assertEqual((moved.status, moved.getheader("Location")), (301, "../demo/?a=b"))

    def test_the_store_itself_is_not_there(self):
        self.know_file()
        for path in (f"/dae-blobs/{self.upstream.sha256[:2]}/{self.upstream.sha256}", "/dae-blobs/", "/dae-blobs/../catalog.db"):
            self.assertIn(self.ask(path)[0].status, (400, 404))

    def test_a_blob_is_pushed_through_it(self):
        data = os.urandom(3_000_000)
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        answer, body = self.ask(f"/v2/team/app/blobs/uploads/?digest={digest}", method="POST", body=data, headers={"Content-Type": "application/octet-stream"})
        self.assertEqual(answer.status, 201, body)
        self.assertEqual(self.ask(f"/v2/team/app/blobs/{digest}")[1], data)


if __name__ == "__main__":
    unittest.main()
