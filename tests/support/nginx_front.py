"""A real nginx with share/nginx/dae-mirror.conf before a mirror: TLS with a certificate made here, on loopback.

`NGINX` and `OPENSSL` are None where Debian's packages are missing.
"""
import http.client
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import time

NGINX, OPENSSL = (shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") for name in ("nginx", "openssl"))
TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "share" / "nginx" / "dae-mirror.conf"
AROUND = """daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log info; worker_processes 2; {user}
events {{ worker_connections 256; }}
http {{
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  include {folder}/dae-mirror.conf;
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificates(folder):
    """ca.pem, and cert.pem with key.pem that it issued: uv takes no server's certificate that is an authority's."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (folder / "extensions").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n")
    for words in (["req", "-x509", *key, "-days", "2", "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem"],
                  ["req", "-new", *key, "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "request.pem"],
                  ["x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions", "-out", "cert.pem"]):
        subprocess.run([OPENSSL, *words], check=True, capture_output=True, cwd=folder)


class NginxFront:
    """Files in `folder`, which whoever nginx's workers run as must be able to read."""

    def __init__(self, folder, mirror_url, storage):
        self.folder, self.port = pathlib.Path(folder), free_port()
        self.certificate = self.folder / "ca.pem"  # what clients trust
        if not self.certificate.exists():
            make_certificates(self.folder)
        self.context = ssl.create_default_context(cafile=self.certificate)
        values = {"LISTEN": f"127.0.0.1:{self.port}", "NAME": "localhost", "CERTIFICATE": self.folder / "cert.pem", "KEY": self.folder / "key.pem",
                  "MIRROR": mirror_url.removeprefix("http://"), "STORAGE": storage, "LOG": self.folder / "access.log"}
        text = TEMPLATE.read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        (self.folder / "dae-mirror.conf").write_text(text)
        (self.folder / "nginx.conf").write_text(AROUND.format(folder=self.folder, user="user root;" if os.geteuid() == 0 else ""))
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([NGINX, "-p", self.folder, "-c", self.folder / "nginx.conf"], stderr=subprocess.PIPE)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    log = self.folder / "error.log"
                    raise RuntimeError("nginx does not start: " + (log.read_text() if log.exists() else str(self.process.communicate())))
                time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=20)

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def connect(self):
        return http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=30)

    def ask(self, path, method="GET", headers=None, body=None):
        connection = self.connect()
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer, data

    def asked(self, path):
        """Whether dae was asked, for each request of this path so far."""
        lines = (self.folder / "access.log").read_text().splitlines()
        return [not line.endswith("asked=-") for line in lines if f" {path} HTTP/" in line]
