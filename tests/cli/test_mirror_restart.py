"""A mirror that is started anew while it is asked: with a socket that a supervisor holds (as systemd does for
dae-mirror.socket) no connection is refused, and a download that is under way comes to its end."""
import hashlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import DAE, DaeTest, wait_for  # noqa: E402
from package_upstream import PackageUpstream  # noqa: E402

RESTARTS = 5


class Supervised:
    """What systemd does: it listens, and starts the program with the socket as descriptor 3."""

    def __init__(self, folder, settings):
        self.folder = folder
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        (folder / "mirror.yaml").write_text(f"storage: {folder / 'storage'}\nlisten: 127.0.0.1:1\n{settings}")
        self.process = None

    def start(self, count="1", more=()):
        def pass_socket():
            os.dup2(self.socket.fileno(), 3)
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", f'LISTEN_FDS={count} LISTEN_PID=$$ exec "$0" mirror serve --config mirror.yaml --ready-file ready', os.path.abspath(DAE), *more],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=pass_socket, close_fds=False)
        return ready

    def restart(self):
        self.end()
        self.start()

    def end(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


class Restart(DaeTest):
    def setUp(self):
        super().setUp()
        self.upstream = PackageUpstream()
        self.addCleanup(self.upstream.stop)
        self.data = os.urandom(1 << 20) * 48
        self.upstream.file("large", "1.0", "large-1.0.tar.gz", self.data)
        self.mirror = Supervised(self.work, f'indexes: {{pypi: {{upstream: "{self.upstream.url}"}}}}\nlimits: {{drain: 1m}}\n')
        self.addCleanup(lambda: self.mirror.socket.close())
        self.addCleanup(self.mirror.end)

    def test_no_connection_is_refused_and_no_download_cut(self):
        ready = self.mirror.start()
        wait_for(ready.exists, 30, "the mirror")
        self.assertIn(self.mirror.url, ready.read_text())
        page = f"{self.mirror.url}/pypi/simple/large/"
        digest = hashlib.sha256(self.data).hexdigest()
        file = f"{self.mirror.url}/packages/{digest[:2]}/{digest}/large-1.0.tar.gz"
        with urllib.request.urlopen(page, timeout=30) as answer:
            self.assertIn(b"large-1.0.tar.gz", answer.read())
        with urllib.request.urlopen(file, timeout=60) as answer:
            self.assertEqual(len(answer.read()), len(self.data))
        stop, asked, failed = threading.Event(), [], []

        def ask():
            while not stop.is_set():
                try:
                    with urllib.request.urlopen(page, timeout=60) as answer:
                        asked.append(answer.status)
                except OSError as error:
                    failed.append(repr(error))

        def load_slowly():
            hasher = hashlib.sha256()
            with urllib.request.urlopen(file, timeout=60) as answer:
                while piece := answer.read(1 << 20):
                    hasher.update(piece)
                    time.sleep(0.02)  # longer than a restart takes
            if hasher.hexdigest() != digest:
                failed.append("the download is not whole")

        clients = [threading.Thread(target=ask) for _ in range(4)]
        for one in clients:
            one.start()
        pids = {self.mirror.process.pid}
        for _ in range(RESTARTS):
            download = threading.Thread(target=load_slowly)
            download.start()
            time.sleep(0.3)
            self.mirror.restart()
            pids.add(self.mirror.process.pid)
            download.join()
        stop.set()
        for one in clients:
            one.join()
        self.assertEqual(failed[:5], [])
        self.assertEqual(len(pids), RESTARTS + 1)
        self.assertGreater(len(asked), 50)

    def test_what_is_passed_must_be_one_socket_that_listens(self):
        self.mirror.start(count="2")
        self.assertEqual(self.mirror.process.wait(30), 2)
        self.assertIn("one socket is wanted", (self.work / "log").read_text())
        self.mirror.socket.close()
        self.mirror.socket = socket.socket()
        self.mirror.start()
        self.assertEqual(self.mirror.process.wait(30), 2)
        self.assertIn("descriptor 3 is no socket that listens", (self.work / "log").read_text())
        self.mirror.process = None


if __name__ == "__main__":
    unittest.main()
