"""A `dae mirror serve` for a test: storage of its own, on a port that the kernel chooses, ended at the end."""
import json
import os
import pathlib
import subprocess
import time

from harness import DAE


def has_command(*words):
    """Whether this dae has `dae mirror WORDS`."""
    shown = subprocess.run([os.path.abspath(DAE), "mirror", *words, "--help"], capture_output=True, text=True).stdout
    return f"Usage: dae mirror {' '.join(words)} " in shown


class RunningMirror:
    """`settings` are further lines of mirror.yaml. `port`: one that a mirror before it had. `storage`: one in place of a
    folder, which may need `more_env`."""

    def __init__(self, folder, settings="", port=0, storage=None, more_env=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        config, ready = self.folder / "mirror.yaml", self.folder / "ready"
        ready.unlink(missing_ok=True)
        config.write_text(f"storage: {json.dumps(storage or str(self.folder / 'storage'))}\nlisten: 127.0.0.1:{port}\n{settings}")
        self.log = open(self.folder / "log", "ab")
        env = {name: value for name, value in os.environ.items() if not name.startswith(("DAE_", "PIP_"))}
        env.update(more_env or {})
        self.process = subprocess.Popen([os.path.abspath(DAE), "mirror", "serve", "--config", config, "--ready-file", ready], env=env, cwd=self.folder,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        while not (ready.exists() and "http" in ready.read_text()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("the mirror does not start: " + (self.folder / "log").read_text()[-2000:])
            time.sleep(0.02)
        self.url = next(word.strip('",') for word in ready.read_text().split() if "http" in word).rstrip("/")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
