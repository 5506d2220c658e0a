"""A real browser without a window, for tests of pages: Debian's chromium, spoken to through its pipe (DevTools protocol).

Needs no driver and no port. What a page asked for, and what the browser complained about, is remembered.
"""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find():
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="dae-browser-")
        commands_out, commands_in = os.pipe()
        answers_out, answers_in = os.pipe()

        # The browser reads its commands from descriptor 3 and answers on 4. High numbers first: neither may be
        # overwritten by the other.
        def descriptors():
            high_in, high_out = os.dup2(commands_out, 60), os.dup2(answers_in, 61)
            os.dup2(high_in, 3)
            os.dup2(high_out, 4)

        arguments = ["--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self.profile}", "--no-first-run", "--disable-gpu",
                     "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-pings",
                     "--proxy-server=direct://", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # it refuses to run as root otherwise
        self.process = subprocess.Popen([find(), *arguments, "about:blank"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=descriptors)
        os.close(commands_out)
        os.close(answers_in)
        self._in, self._out, self._buffer, self._last = commands_in, answers_out, b"", 0
        self.requests, self.complaints, self.dialogs = [], [], []
        self._loaded = 0
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime", "Accessibility"):
            self.call(domain + ".enable")

    def close(self):
        for descriptor in (self._in, self._out):
            os.close(descriptor)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, **parameters):
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._in, json.dumps(message).encode() + b"\0")
        wanted = self._last
        answer = self._until(lambda got: got.get("id") == wanted)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _until(self, done, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            while b"\0" in self._buffer:
                text, self._buffer = self._buffer.split(b"\0", 1)
                message = json.loads(text)
                self._note(message)
                if done(message):
                    return message
            ready, _, _ = select.select([self._out], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise RuntimeError("the browser does not answer")
            more = os.read(self._out, 1 << 20)
            if not more:
                raise RuntimeError("the browser has ended")
            self._buffer += more

    def _note(self, message):
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Log.entryAdded":
            entry = parameters["entry"]
            self.complaints.append(f"{entry['source']} {entry['level']}: {entry['text']} {entry.get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters))
        elif method == "Page.javascriptDialogOpening":
            self.dialogs.append(parameters["message"])
            self._last += 1
            answer = {"id": self._last, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}, "sessionId": self._session}
            os.write(self._in, json.dumps(answer).encode() + b"\0")
        elif method == "Page.loadEventFired":
            self._loaded += 1

    def _wait_for_load(self, before):
        if self._loaded == before:
            self._until(lambda message: message.get("method") == "Page.loadEventFired")

    def open(self, url):
        before = self._loaded
        result = self.call("Page.navigate", url=url)
        if result.get("errorText"):
            raise RuntimeError(f"{url}: {result['errorText']}")
        self._wait_for_load(before)

    def script_allowed(self, allowed):
        """Of the page; what a test evaluates runs all the same."""
        self.call("Emulation.setScriptExecutionDisabled", value=not allowed)

    def window(self, width, height=900):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def colours(self, scheme):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def eval(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    @property
    def url(self):
        return self.eval("location.href")

    def press(self, key, code, text=""):
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def enter(self):
        before = self._loaded
        self.press("Enter", 13, "\r")
        self._wait_for_load(before)

    def tab(self):
        self.press("Tab", 9)

    def _click(self, selector):
        x, y = self.eval(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
                         "const r = e.getClientRects()[0]; return [r.left + Math.min(r.width / 2, 30), r.top + r.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def click(self, selector):
        self._click(selector)

    def follow(self, selector):
        """Clicks on what leads to another page."""
        before = self._loaded
        self._click(selector)
        self._wait_for_load(before)

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
