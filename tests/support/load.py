"""A request loop against gateways: counts what a user would notice as a failure.

    load.py URL… [--seconds N] [--stop-file FILE] [--threads N]

Half of the threads keep their connections alive, half open one per request. Prints one JSON line at the end:
{"requests": n, "failed": n, "errors": [first few]}
"""
import argparse
import http.client
import json
import os
import threading
import time
from urllib.parse import urlsplit


class Load:
    def __init__(self, urls, threads=4, expect=None, pause=0.0):
        self.requests = 0  # exact once stopped
        self.failed = 0
        self.live = 0
        self.errors = []
        self.bodies = {}
        self._expect = expect  # None, or a function of the body that says whether it is right
        self._pause = pause
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(urls[i % len(urls)], (i // len(urls)) % 2 == 0), daemon=True)
                         for i in range(max(threads, 2 * len(urls)))]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        return self

    def _run(self, url, keep_alive):
        parts = urlsplit(url)
        connection = None
        requests = failed = 0
        errors, bodies = [], {}
        while not self._stop.is_set():
            requests += 1
            self.live += 1  # approximate while it runs: threads may lose a count to each other
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
                connection.request("GET", parts.path or "/", headers={} if keep_alive else {"Connection": "close"})
                response = connection.getresponse()
                body = response.read()
                if response.status != 200 or (self._expect and not self._expect(body)):
                    raise ValueError(f"status {response.status}: {body[:80]!r}")
                bodies[body] = bodies.get(body, 0) + 1
                if response.will_close or not keep_alive:
                    connection.close()
                    connection = None
            except (OSError, ValueError, http.client.HTTPException) as error:
                failed += 1
                if len(errors) < 5:
                    errors.append(f"{time.strftime('%H:%M:%S')} {url} keep-alive={keep_alive}: {type(error).__name__}: {error}")
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.01)
            if self._pause:
                time.sleep(self._pause)
        if connection:
            connection.close()
        with self._lock:
            self.requests += requests
            self.failed += failed
            self.errors += errors
            for body, count in bodies.items():
                self.bodies[body] = self.bodies.get(body, 0) + count


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("urls", nargs="+")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--stop-file")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.0)
    arguments = parser.parse_args()
    load = Load(arguments.urls, arguments.threads, pause=arguments.pause).start()
    deadline = time.monotonic() + arguments.seconds
    while time.monotonic() < deadline and not (arguments.stop_file and os.path.exists(arguments.stop_file)):
        time.sleep(0.05)
    load.stop()
    print(json.dumps({"requests": load.requests, "failed": load.failed, "errors": load.errors[:5]}))
