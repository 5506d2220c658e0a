"""Clients of container registries, unmodified, against the mirror: umoci makes an image, skopeo and crane carry it about.

Each part is skipped when its client is not installed; crane is also looked for in $DAE_BUILD/peer-tools/bin (go install with
GOBIN). Nothing beyond loopback is reached.
"""
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from running_mirror import RunningMirror  # noqa: E402

PATH = os.environ.get("PATH", "") + os.pathsep + os.path.abspath(os.path.join(os.environ.get("DAE_BUILD", "."), "peer-tools", "bin"))
FOUND = {name: shutil.which(name, path=PATH) for name in ("crane", "skopeo", "umoci")}


def needs(*names):
    missing = [name for name in names if not FOUND[name]]
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)}")


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    return out.getvalue()


class Clients(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dae-clients-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        (self.dir / "tmp").mkdir()
        self.env = {"PATH": PATH, "HOME": str(self.dir), "TMPDIR": str(self.dir / "tmp")}
        mirror = RunningMirror(self.dir / "mirror")
        self.addCleanup(mirror.stop)
        self.host = mirror.url.removeprefix("http://")

    def run_client(self, name, *arguments, code=0):
        done = subprocess.run([FOUND[name], *map(str, arguments)], cwd=self.dir, env=self.env, capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode == 0, code == 0, f"{name} {arguments}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done.stdout.strip()

    def crane(self, *arguments, code=0):
        return self.run_client("crane", *arguments, "--insecure", code=code)

    def skopeo(self, *arguments):
        return self.run_client("skopeo", "--insecure-policy", *arguments)

    def umoci(self, *arguments):
        return self.run_client("umoci", *arguments)

    def tags(self, repository):
        return sorted(self.crane("ls", f"{self.host}/{repository}").split())


class Crane(Clients):
    def push(self, name, files):
        (self.dir / "layer.tar").write_bytes(tar_of(files))
        self.crane("append", "--new_layer", self.dir / "layer.tar", "--new_tag", f"{self.host}/{name}", "--oci-empty-base")

    @needs("crane")
    def test_pushes_pulls_lists_and_deletes(self):
        self.push("team/thing:v1", {"hello": b"hello\n"})
        digest = self.crane("digest", f"{self.host}/team/thing:v1")
        self.crane("validate", "--remote", f"{self.host}/team/thing:v1")
        for form, place in (("tarball", "image.tar"), ("oci", "layout")):
            self.crane("pull", "--format", form, f"{self.host}/team/thing:v1", self.dir / place)
            self.crane("push", self.dir / place, f"{self.host}/copies/{form}:v1")
        # A layout keeps the manifest's bytes; a docker tarball has none, so that crane writes a new one.
        self.assertEqual(self.crane("digest", f"{self.host}/copies/oci:v1"), digest)
        self.assertEqual(self.run_client("crane", "export", "--insecure", f"{self.host}/copies/tarball:v1", "out.tar"), "")
        with tarfile.open(self.dir / "out.tar") as tar:
            self.assertEqual(tar.extractfile("hello").read(), b"hello\n")
        self.crane("tag", f"{self.host}/team/thing:v1", "v2")
        self.assertEqual(self.tags("team/thing"), ["v1", "v2"])
        self.assertEqual(self.crane("catalog", self.host).split(), ["copies/oci", "copies/tarball", "team/thing"])
        self.crane("delete", f"{self.host}/team/thing:v1")
        self.assertEqual(self.tags("team/thing"), ["v2"])
        self.crane("delete", f"{self.host}/team/thing@{digest}")
        self.assertEqual(self.tags("team/thing"), [])
        self.crane("manifest", f"{self.host}/team/thing:v2", code=1)

    @needs("crane")
    def test_mutates_and_copies_between_repositories(self):
        self.push("team/thing:v1", {"hello": b"hello\n"})
        first = self.crane("digest", f"{self.host}/team/thing:v1")
        self.crane("mutate", f"{self.host}/team/thing:v1", "--label", "team=blue", "--annotation", "why=test", "--tag", f"{self.host}/team/thing:v2")
        self.assertNotEqual(self.crane("digest", f"{self.host}/team/thing:v2"), first)
        self.assertEqual(json.loads(self.crane("config", f"{self.host}/team/thing:v2"))["config"]["Labels"], {"team": "blue"})
        self.crane("copy", f"{self.host}/team/thing:v2", f"{self.host}/other/thing:v2")
        self.assertEqual(self.crane("digest", f"{self.host}/other/thing:v2"), self.crane("digest", f"{self.host}/team/thing:v2"))
        self.crane("index", "append", "-m", f"{self.host}/team/thing:v1", "-m", f"{self.host}/team/thing:v2", "-t", f"{self.host}/team/thing:all")
        self.assertEqual(len(json.loads(self.crane("manifest", f"{self.host}/team/thing:all"))["manifests"]), 2)
        self.crane("copy", f"{self.host}/team/thing:all", f"{self.host}/other/thing:all")
        self.crane("validate", "--remote", f"{self.host}/other/thing:all")

    @needs("crane")
    def test_cannot_move_a_tag_of_an_app(self):
        self.push("apps/bubbler:1.0", {"a": b"a"})
        digest = self.crane("digest", f"{self.host}/apps/bubbler:1.0")
        self.crane("mutate", f"{self.host}/apps/bubbler:1.0", "--label", "x=y", "--tag", f"{self.host}/apps/bubbler:1.0", code=1)
        self.assertEqual(self.crane("digest", f"{self.host}/apps/bubbler:1.0"), digest)


class Layouts(Clients):
    @needs("umoci", "skopeo")
    def test_an_image_that_umoci_makes_travels_by_skopeo_and_comes_back(self):
        layout, back = self.dir / "layout", self.dir / "back"
        (self.dir / "hello").write_text("hello\n")
        self.umoci("init", "--layout", layout)
        self.umoci("new", "--image", f"{layout}:v1")
        self.umoci("insert", "--rootless", "--image", f"{layout}:v1", self.dir / "hello", "/hello")
        self.umoci("config", "--image", f"{layout}:v1", "--config.label", "team=blue")
        self.skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}:v1", f"docker://{self.host}/team/thing:v1")
        self.skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", f"docker://{self.host}/team/thing:v1", f"docker://{self.host}/team/copy:v2")
        shown = json.loads(self.skopeo("inspect", "--tls-verify=false", f"docker://{self.host}/team/copy:v2"))
        self.assertEqual((shown["Labels"], shown["RepoTags"]), ({"team": "blue"}, ["v2"]))
        self.skopeo("copy", "--src-tls-verify=false", f"docker://{self.host}/team/copy:v2", f"oci:{back}:v1")
        digests = [json.loads((place / "index.json").read_text())["manifests"][0]["digest"] for place in (layout, back)]
        self.assertEqual(digests[0], digests[1])
        self.umoci("unpack", "--rootless", "--image", f"{back}:v1", self.dir / "bundle")
        self.assertEqual((self.dir / "bundle" / "rootfs" / "hello").read_text(), "hello\n")
        self.assertEqual(json.loads(self.skopeo("list-tags", "--tls-verify=false", f"docker://{self.host}/team/thing"))["Tags"], ["v1"])
        self.skopeo("delete", "--tls-verify=false", f"docker://{self.host}/team/thing:v1")
        self.assertFalse(json.loads(self.skopeo("list-tags", "--tls-verify=false", f"docker://{self.host}/team/thing"))["Tags"])


if __name__ == "__main__":
    if not FOUND["crane"] and not (FOUND["umoci"] and FOUND["skopeo"]):
        print("skipped: neither crane nor umoci and skopeo are installed", file=sys.stderr)
        sys.exit(77)
    unittest.main()
