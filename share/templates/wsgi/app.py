from flask import Flask

app = Flask(__name__)


@app.route("/")
def index():
    return "hello from @NAME@\n"


@app.route("/healthz")
def healthz():
    return "ok\n"
