"""A very small pre-forking WSGI server with the few options of its namesake that dae uses."""
import argparse
import importlib
import os
import select
import signal
import socket
import sys
import time
from wsgiref.handlers import SimpleHandler
from io import BytesIO

__version__ = "@VERSION@"


class _Worker:
    def __init__(self, listener, application, access_log):
        self.listener, self.application, self.access_log = listener, application, access_log
        self.alive = True
        self.wake_read, self.wake_write = os.pipe()

    def stop(self, *_):
        self.alive = False
        os.write(self.wake_write, b"x")

    def run(self):
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while self.alive:
            ready, _, _ = select.select([self.listener, self.wake_read], [], [], 1.0)
            if os.getppid() == 1:
                return
            if self.listener not in ready:
                continue
            try:
                connection, _ = self.listener.accept()
            except BlockingIOError:
                continue
            connection.setblocking(True)
            connection.settimeout(10)
            try:
                self.answer(connection)
            except (OSError, ValueError) as error:
                print(f"gunicorn: broken request: {error}", file=sys.stderr)
            finally:
                connection.close()

    def answer(self, connection):
        reader = connection.makefile("rb")
        request = reader.readline(65537).decode("latin-1").split()
        if len(request) != 3:
            return
        method, target, _ = request
        headers = {}
        while (line := reader.readline(65537).strip()):
            key, _, value = line.decode("latin-1").partition(":")
            headers[key.strip().lower()] = value.strip()
        path, _, query = target.partition("?")
        body = reader.read(int(headers.get("content-length", 0)))
        environ = {
            "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "SCRIPT_NAME": "",
            "SERVER_NAME": headers.get("host", "localhost"), "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": headers.get("content-type", ""), "CONTENT_LENGTH": str(len(body)),
        }
        for key, value in headers.items():
            environ.setdefault("HTTP_" + key.upper().replace("-", "_"), value)
        out = BytesIO()
        handler = SimpleHandler(BytesIO(body), out, sys.stderr, environ, multithread=False, multiprocess=True)
        handler.http_version = "1.1"
        handler.origin_server = True
        handler.run(self.application)
        raw = out.getvalue().replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        connection.sendall(raw)
        if self.access_log:
            print(f"{method} {target} {raw[9:12].decode()}", file=sys.stdout, flush=True)


def _listen(bind):
    if bind.startswith("unix:"):
        path = bind[5:]
        if os.path.exists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
    else:
        host, _, port = bind.rpartition(":")
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host or "127.0.0.1", int(port)))
    listener.listen(2048)
    listener.setblocking(False)
    return listener


def _start_worker(listener, application, access_log):
    pid = os.fork()
    if pid:
        return pid
    try:
        _Worker(listener, application, access_log).run()
    finally:
        os._exit(0)


def main():
    parser = argparse.ArgumentParser(prog="gunicorn")
    parser.add_argument("--bind", "-b", default="127.0.0.1:8000")
    parser.add_argument("--workers", "-w", type=int, default=1)
    parser.add_argument("--chdir", default=".")
    parser.add_argument("--graceful-timeout", type=int, default=30)
    parser.add_argument("--access-logfile")
    parser.add_argument("--reload", action="store_true")
    parser.add_argument("application")
    options = parser.parse_args()

    os.chdir(options.chdir)
    sys.path.insert(0, os.getcwd())
    module, _, name = options.application.partition(":")
    application = getattr(importlib.import_module(module), name or "application")
    listener = _listen(options.bind)
    stopping = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.append(1))
    workers = {_start_worker(listener, application, options.access_logfile) for _ in range(options.workers)}
    while not stopping:
        time.sleep(0.05)
        pid, _ = os.waitpid(-1, os.WNOHANG)
        if pid in workers:
            workers.discard(pid)
            workers.add(_start_worker(listener, application, options.access_logfile))
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + options.graceful_timeout
    while workers and time.monotonic() < deadline:
        pid, _ = os.waitpid(-1, os.WNOHANG)
        workers.discard(pid)
        time.sleep(0.01)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    if options.bind.startswith("unix:") and os.path.exists(options.bind[5:]):
        os.unlink(options.bind[5:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
