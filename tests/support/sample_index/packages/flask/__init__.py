"""A very small WSGI framework with the few calls of its namesake that the app template uses."""
import io
import json
import traceback

__version__ = "@VERSION@"


class Response:
    def __init__(self, body=b"", status=200, headers=None, mimetype="text/html; charset=utf-8"):
        self.data = body if isinstance(body, bytes) else str(body).encode()
        self.status_code = status
        self.headers = dict(headers or {})
        self.headers.setdefault("Content-Type", mimetype)
        self.headers["Content-Length"] = str(len(self.data))

    def get_json(self):
        return json.loads(self.data)


def jsonify(*args, **kwargs):
    return Response(json.dumps(kwargs or (args[0] if len(args) == 1 else args)), mimetype="application/json")


class _Client:
    def __init__(self, app):
        self._app = app

    def get(self, path):
        seen = {}
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "wsgi.input": io.BytesIO()}
        body = b"".join(self._app(environ, lambda status, headers: seen.update(status=status, headers=headers)))
        return Response(body, int(seen["status"].split()[0]), dict(seen["headers"]))


class Flask:
    def __init__(self, import_name):
        self.import_name = import_name
        self._views = {}

    def route(self, rule, methods=("GET",)):
        def register(view):
            self._views[rule] = (view, set(methods))
            return view

        return register

    get = route

    def test_client(self):
        return _Client(self)

    def _dispatch(self, environ):
        view, methods = self._views.get(environ.get("PATH_INFO", "/"), (None, ()))
        if view is None:
            return Response("not found\n", 404)
        if environ["REQUEST_METHOD"] not in methods | {"HEAD"}:
            return Response("method not allowed\n", 405)
        try:
            answer = view()
        except Exception:
            traceback.print_exc()
            return Response("internal server error\n", 500)
        if isinstance(answer, tuple):
            return Response(answer[0], answer[1])
        if isinstance(answer, (dict, list)):
            return jsonify(answer)
        return answer if isinstance(answer, Response) else Response(answer)

    def __call__(self, environ, start_response):
        response = self._dispatch(environ)
        start_response(f"{response.status_code} {'OK' if response.status_code < 400 else 'Error'}", list(response.headers.items()))
        return [response.data]
