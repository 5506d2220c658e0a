"""Real servers for a mirror of several machines, on loopback: versitygw as the S3 server, and etcd.

    with S3Server(folder) as s3, Etcd(folder) as etcd:
        s3.url("bucket", "team/a/"), s3.env     # env: what a client's environment needs besides
        etcd.url("mirror/lease")
        s3.stop(); s3.start()                   # an outage; stop(kill=True) is a SIGKILL. Address and data stay

Both are brought once into $DAE_BUILD/peer-tools: versitygw by `go install`, etcd as the unpacked Debian package etcd-server
(no service is started by that). Where they cannot be had, S3Server() and Etcd() raise unittest.SkipTest, which says why.
"""
import fcntl
import hashlib
import hmac
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

# The POSIX backend has If-Match and If-None-Match of PutObject, atomically between processes, in this version.
VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
START_SECONDS = 20


def tools_folder():
    folder = pathlib.Path(os.environ.get("DAE_BUILD", tempfile.gettempdir())).resolve() / "peer-tools"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class bringing:
    """Two tests at once do not bring the same tool twice."""

    def __enter__(self):
        self._file = open(tools_folder() / "bringing.lock", "w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self._file.close()


def bring(what, command, **options):
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900, **options)
    except (OSError, subprocess.SubprocessError) as error:
        words = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise unittest.SkipTest(f"{what} cannot be had: {words[-1] if words else error}") from error


def versitygw():
    """The path of the program."""
    there = shutil.which("versitygw")
    if there:
        return there
    program = tools_folder() / "bin" / "versitygw"
    with bringing():
        if not program.exists():
            if not shutil.which("go"):
                raise unittest.SkipTest("versitygw cannot be had: there is no go to build it with")
            bring("versitygw", ["go", "install", VERSITYGW], env={**os.environ, "GOBIN": str(program.parent), "GOFLAGS": "-modcacherw"})
    return str(program)


def etcd_program():
    there = shutil.which("etcd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if there:
        return there
    folder = tools_folder() / "etcd"
    program = folder / "usr" / "bin" / "etcd"
    with bringing():
        if not program.exists():
            with tempfile.TemporaryDirectory() as package:
                bring("etcd", ["apt-get", "download", "-q", "etcd-server"], cwd=package)
                found = list(pathlib.Path(package).glob("*.deb"))
                if not found:
                    raise unittest.SkipTest("etcd cannot be had: apt-get downloaded nothing")
                bring("etcd", ["dpkg", "-x", str(found[0]), str(folder)])
    return str(program)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Server:
    """A process that can be ended and begun again at the same address."""

    def __init__(self, folder, name):
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = None
        self._name = name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(kill=True)

    @property
    def pid(self):
        return self._process.pid

    def _run(self, command, env=None):
        self.stop(kill=True)
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(command, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop(kill=True)
                raise RuntimeError(f"{self._name} did not start:\n" + (self.folder / "log").read_text(errors="replace")[-3000:])
            time.sleep(0.05)
        return self

    def stop(self, kill=False):
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def has_xattrs(folder):
    try:
        os.setxattr(folder, "user.dae", b"1")
        return True
    except OSError:
        return False


class S3Server(Server):
    """versitygw over a folder: the object `key` of `bucket` is the file `objects / bucket / key`."""

    region = "us-east-1"

    def __init__(self, folder, access_key="tester", secret_key="not-so/secret+key"):
        program = versitygw()
        super().__init__(folder, "s3")
        self.access_key, self.secret_key = access_key, secret_key
        self.objects = self.folder / "objects"
        self.objects.mkdir(exist_ok=True)
        self.port = free_ports(1)[0]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.env = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
        self._command = [program, "--port", f"127.0.0.1:{self.port}", "--region", self.region, "--quiet", "--keep-alive", "posix"]
        if not has_xattrs(self.objects):
            (self.folder / "attributes").mkdir(exist_ok=True)
            self._command += ["--sidecar", str(self.folder / "attributes")]
        self._command.append(str(self.objects))
        self.start()

    def start(self):
        # The keys go by the environment: a command line is for everybody to read.
        return self._run(self._command, {"ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key})

    def url(self, bucket, prefix=""):
        """The storage; the bucket is made."""
        status, _, body = self.request("PUT", f"/{bucket}")
        if status not in (200, 409):
            raise RuntimeError(f"cannot make the bucket {bucket}: {status} {body[:500]}")
        return f"s3://{bucket}/{prefix}?endpoint={urllib.parse.quote(self.endpoint, safe='')}"

    def _answers(self):
        try:
            return self.request("GET", "/")[0] == 200
        except OSError:
            return False

    def request(self, method, path, query=None, body=b"", headers=None):
        """(status, headers, body) of a signed request (Signature Version 4)."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        query_text = "&".join(f"{urllib.parse.quote(k, safe='')}={urllib.parse.quote(v, safe='')}" for k, v in sorted((query or {}).items()))
        fields = {"host": f"127.0.0.1:{self.port}", "x-amz-content-sha256": hashlib.sha256(body).hexdigest(), "x-amz-date": now,
                  **{name.lower(): value for name, value in (headers or {}).items()}}
        names = ";".join(sorted(fields))
        canonical = "\n".join([method, path, query_text, *(f"{name}:{fields[name]}" for name in sorted(fields)), "", names, fields["x-amz-content-sha256"]])
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        key = ("AWS4" + self.secret_key).encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        fields["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, "
                                   f"Signature={hmac.new(key, text.encode(), 'sha256').hexdigest()}")
        request = urllib.request.Request(self.endpoint + path + ("?" + query_text if query_text else ""), body or None, fields, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()


class Etcd(Server):
    """One member of etcd."""

    def __init__(self, folder):
        program = etcd_program()
        super().__init__(folder, "etcd")
        self.port, peer = free_ports(2)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._command = [program, "--name", "one", "--data-dir", str(self.folder / "data"), "--listen-client-urls", self.endpoint,
                         "--advertise-client-urls", self.endpoint, "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                         "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--initial-cluster", f"one=http://127.0.0.1:{peer}"]
        self.env = {}
        self.start()

    def start(self):
        return self._run(self._command)

    def url(self, key):
        return f"etcd://127.0.0.1:{self.port}/{key}"

    def _answers(self):
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(self.endpoint + "/health", timeout=5) as answer:
                return b'"true"' in answer.read()
        except OSError:
            return False
