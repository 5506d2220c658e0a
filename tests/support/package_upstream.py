"""A package index in memory for a mirror to stand before: JSON pages with sizes and hashes, files, and what was asked of it."""
import hashlib
import http.server
import json
import threading

from harness import sample_index

JSON = "application/vnd.pypi.simple.v1+json"


class PackageUpstream:
    """`asked` are the paths of all requests; `gone`: it takes connections and answers nothing."""

    def __init__(self):
        self.answers, self.asked, self.gone, self._pages = {}, [], False, {}
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if upstream.gone:
                    self.close_connection = True
                    return
                upstream.asked.append(self.path)
                body, kind = upstream.answers.get(self.path, (b"not here", "text/plain"))
                self.send_response(200 if self.path in upstream.answers else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, *_):  # a client that was killed
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/simple/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wheel(self, name, version, requires=(), python=">=3.8", announce_metadata=False, **more):
        """`more` is what the page says besides; the bytes."""
        file, data = sample_index.make_wheel(name, version, list(requires), python, None, {})
        if announce_metadata:
            core = sample_index.metadata(name, version, list(requires), python).encode()
            self.answers[f"/files/{file}.metadata"] = (core, "application/octet-stream")
            more["core-metadata"] = {"sha256": hashlib.sha256(core).hexdigest()}
        return self.file(name, version, file, data, **{"requires-python": python, **more})

    def sdist(self, name, version, **more):
        return self.file(name, version, *sample_index.make_sdist(name, version, []), **more)

    def file(self, name, version, file, data, **more):
        self.answers[f"/files/{file}"] = (data, "application/octet-stream")
        versions, files = self._pages.setdefault(name, ([], []))
        if version not in versions:
            versions.append(version)
        files.append({"filename": file, "url": f"../../files/{file}", "hashes": {"sha256": hashlib.sha256(data).hexdigest()}, "size": len(data), **more})
        self._publish(name)
        return data

    def remove(self, name, file):
        """The page lists it no longer; the file itself stays."""
        files = self._pages[name][1]
        files[:] = [one for one in files if one["filename"] != file]
        self._publish(name)

    def sha256(self, file):
        return hashlib.sha256(self.answers[f"/files/{file}"][0]).hexdigest()

    def _publish(self, name):
        versions, files = self._pages[name]
        page = {"meta": {"api-version": "1.1"}, "name": name, "versions": versions, "files": files}
        self.answers[f"/simple/{name}/"] = (json.dumps(page).encode(), JSON)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
