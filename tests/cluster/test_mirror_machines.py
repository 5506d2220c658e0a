"""A mirror on several machines: three servers with caches of their own over one bucket of a real S3 server, writing under a
lease of a real etcd. Machines are folders here; what they share is the bucket, the lease and nothing else."""
import hashlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import DAE, DaeTest, sample_index, wait_for  # noqa: E402
from package_upstream import PackageUpstream  # noqa: E402
from shared_storage import Etcd, S3Server  # noqa: E402
from uploading import upload  # noqa: E402

SEEN_SECONDS = 5  # what one machine wrote the others show; half a second when nothing else is going on
TTL_SECONDS = 10
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PARTS = [f"part-{number:02}" for number in range(12)]


def wheel(name, version):
    """(file, bytes), each time others."""
    info = f"{name}-{version}.dist-info"
    return f"{name}-{version}-py3-none-any.whl", sample_index.pack_wheel(info, {
        f"{name}/__init__.py": f"TEXT = '{os.urandom(200).hex()}'\n".encode(),
        f"{info}/METADATA": sample_index.metadata(name, version, [], ">=3.8").encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: sample\nRoot-Is-Purelib: true\nTag: py3-none-any\n"})


def fetch(url, headers=None, timeout=30):
    """(status, bytes); 0 when there was no whole answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (OSError, ValueError):
        return 0, b""


def send(url, data, kind, method):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, {"Content-Type": kind}, method=method), timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Machine:
    def __init__(self, folder, storage, lease, env, upstream, settings=""):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.config = self.folder / "mirror.yaml"
        self.config.write_text(f'''storage: "{storage}"
cache: {self.folder / "cache"}
lease: "{lease}"
listen: 127.0.0.1:0
indexes:
  team: {{mode: private, uploads: true}}
  release: {{mode: private}}
  pypi: {{upstream: "{upstream}"}}
  copy: {{mode: sync, upstream: "{upstream}", include: [{", ".join(PARTS)}]}}
{settings}''')
        self.env = {**{k: v for k, v in os.environ.items() if not k.startswith(("DAE_", "PIP_", "AWS_"))}, **env}
        self.process = None
        self.url = ""

    def dae(self, *args, code=0, timeout=120):
        done = subprocess.run([os.path.abspath(DAE), "mirror", *args, "--config", str(self.config)], env=self.env, cwd=self.folder,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout)
        if code is not None and done.returncode != code:
            raise AssertionError(f"{args}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self):
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([os.path.abspath(DAE), "mirror", "serve", "--config", str(self.config), "--ready-file", str(ready)], env=self.env,
                                            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not (ready.exists() and "http" in ready.read_text()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.folder.name} does not start: " + self.log()[-2000:])
            time.sleep(0.02)
        self.url = ready.read_text().split()[1].rstrip("/")
        return self

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def end(self, sig=signal.SIGTERM):
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(sig)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def page(self, index, project):
        """File name -> (url, sha256); None when there is no such page."""
        status, body = fetch(f"{self.url}/{index}/simple/{project}/", {"Accept": "application/vnd.pypi.simple.v1+json"})
        if status == 404:
            return {}
        if status != 200:
            return None
        page = json.loads(body)
        return {one["filename"]: (urllib.request.urljoin(f"{self.url}/{index}/simple/{project}/", one["url"]), one["hashes"]["sha256"]) for one in page["files"]}

    def upload(self, token, file, data, index="team"):
        return upload(f"{self.url}/{index}/legacy/", token, file, data)


class MachinesTest(DaeTest):
    """A bucket, a lease and an upstream; machines as they are wanted."""

    def setUp(self):
        super().setUp()
        self.s3 = S3Server(self.dir)
        self.addCleanup(self.s3.stop, True)
        self.etcd = Etcd(self.dir)
        self.addCleanup(self.etcd.stop, True)
        self.upstream = PackageUpstream()
        self.addCleanup(self.upstream.stop)
        for name in PARTS:
            self.upstream.wheel(name, "1.0")
        self.machines = []

    def machine(self, name, start=True, settings=""):
        made = Machine(self.dir / name, self.s3.url("mirror", "team/"), self.etcd.url("mirror/writer"), self.s3.env, self.upstream.url, settings)
        self.addCleanup(made.end, signal.SIGKILL)
        self.machines.append(made)
        return made.start() if start else made

    def token(self, machine, index="team"):
        return machine.dae("token", "create", "--index", index).stdout.strip()

    def assert_all_list(self, index, project, files, machines=None):
        """`files`: name -> sha256. On every machine, with the right bytes."""
        for machine in machines or self.machines:
            def listed():
                page = machine.page(index, project)
                return page is not None and {name: sha256 for name, (_, sha256) in page.items()} == files and page or (not files and page == {})
            page = wait_for(listed, SEEN_SECONDS, f"{machine.folder.name}: {index}/{project} with {sorted(files)}")
            for name, (url, sha256) in (page.items() if files else ()):
                status, data = fetch(url)
                self.assertEqual((status, hashlib.sha256(data).hexdigest()), (200, sha256), (machine.folder.name, name))


class Sharing(MachinesTest):
    def test_what_is_uploaded_to_one_is_served_by_all_and_by_new_ones(self):
        a, b, c = (self.machine(name) for name in "abc")
        token = self.token(a)
        files = {}
        for i, machine in enumerate((a, b, c, b)):
            file, data = wheel("demo", f"1.{i}")
            self.assertEqual(machine.upload(token, file, data), 200)
            files[file] = hashlib.sha256(data).hexdigest()
        self.assert_all_list("team", "demo", files)
        # The same name with other bytes is refused wherever it comes to.
        self.assertEqual(c.upload(token, "demo-1.0-py3-none-any.whl", wheel("demo", "1.0")[1]), 400)
        self.assert_all_list("team", "demo", files, [self.machine("d")])
        # What a command of one machine does.
        b.dae("yank", "team", "demo==1.1", "--reason", "broken")
        wait_for(lambda: b"broken" in fetch(f"{a.url}/team/simple/demo/")[1], SEEN_SECONDS, "the yank")
        b.dae("remove", "team", "demo==1.1", "--reason", "broken")
        del files["demo-1.1-py3-none-any.whl"]
        self.assert_all_list("team", "demo", files)
        # Neither logs nor command lines tell the secret.
        for machine in self.machines:
            self.assertNotIn(self.s3.secret_key, machine.log())
            self.assertNotIn(self.s3.secret_key, pathlib.Path(f"/proc/{machine.process.pid}/cmdline").read_text())
        self.assertIn("dae_mirror_catalog_sequence", fetch(f"{a.url}/metrics")[1].decode())

    def test_snapshots_and_promotions_are_everybodys(self):
        a, b = self.machine("a"), self.machine("b")
        token = self.token(a)
        file, data = wheel("demo", "1.0")
        self.assertEqual(a.upload(token, file, data), 200)
        b.dae("snapshot", "team", "--name", "first")
        a.upload(token, *wheel("demo", "2.0"))
        wait_for(lambda: fetch(f"{a.url}/snapshots/first/simple/demo/")[0] == 200, SEEN_SECONDS, "the snapshot")
        self.assertNotIn(b"demo-2.0", fetch(f"{a.url}/snapshots/first/simple/demo/")[1])
        self.assertIn(b"demo-2.0", fetch(f"{a.url}/team/simple/demo/")[1])
        a.dae("promote", "first", "release")
        self.assert_all_list("release", "demo", {file: hashlib.sha256(data).hexdigest()})

    def test_a_sync_on_one_machine_is_served_by_the_others_and_runs_once(self):
        a, b = self.machine("a"), self.machine("b")
        running = subprocess.Popen([os.path.abspath(DAE), "mirror", "sync", "copy", "--config", str(a.config)], env=a.env, cwd=a.folder,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        second = b.dae("sync", "copy", code=None)
        _, said = running.communicate(timeout=120)
        codes = {running.returncode: said, second.returncode: second.stderr}
        self.assertIn(0, codes)
        if codes.keys() != {0}:  # unless one was over before the other began
            self.assertIn("another process does this", codes[1])
        names = json.loads(fetch(f"{b.url}/copy/simple/", {"Accept": "application/vnd.pypi.simple.v1+json"})[1])["projects"]
        self.assertGreater(len(names), 3)
        self.upstream.gone = True
        for name in (one["name"] for one in names):
            page = b.page("copy", name)
            self.assertTrue(page, name)
            for url, sha256 in page.values():
                self.assertEqual(hashlib.sha256(fetch(url)[1]).hexdigest(), sha256)

    def test_what_one_pulls_through_the_others_have(self):
        a, b = self.machine("a"), self.machine("b")
        page = a.page("pypi", "part-01")
        name, (url, sha256) = sorted(page.items())[-1]
        self.assertEqual(hashlib.sha256(fetch(url)[1]).hexdigest(), sha256)
        wait_for(lambda: int(re.search(r"catalog_sequence (\d+)", fetch(f"{b.url}/metrics")[1].decode())[1]) > 0, SEEN_SECONDS, "the page at the other")
        time.sleep(1)
        self.upstream.gone = True
        status, data = fetch(url.replace(a.url, b.url))
        self.assertEqual((status, hashlib.sha256(data).hexdigest()), (200, sha256))

    def test_an_artifact_that_is_pushed_to_one_is_pulled_from_another_at_once(self):
        a, b = self.machine("a"), self.machine("b")
        for i in range(5):
            blob = os.urandom(300_000)
            config = b"{}"
            described = []
            for data in (config, blob):
                digest = "sha256:" + hashlib.sha256(data).hexdigest()
                described.append({"mediaType": "application/octet-stream", "digest": digest, "size": len(data)})
                self.assertEqual(send(f"{a.url}/v2/apps/web/blobs/uploads/?digest={digest}", data, "application/octet-stream", "POST"), 201)
            manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]}).encode()
            self.assertEqual(send(f"{a.url}/v2/apps/web/manifests/v{i}", manifest, MANIFEST, "PUT"), 201)
            self.assertEqual(fetch(f"{b.url}/v2/apps/web/manifests/v{i}", {"Accept": MANIFEST}), (200, manifest))
            self.assertEqual(fetch(f"{b.url}/v2/apps/web/blobs/{described[1]['digest']}"), (200, blob))
            # A tag of an app never moves, whichever machine is asked to.
            other = manifest.replace(b'"schemaVersion"', b' "schemaVersion"')
            self.assertEqual(send(f"{b.url}/v2/apps/web/manifests/v{i}", other, MANIFEST, "PUT"), 409)

    def test_gc_frees_objects_and_nothing_that_is_listed(self):
        a, b = self.machine("a", settings="care: {grace: 1s, removed_for: 1s}\n"), self.machine("b")
        token = self.token(a)
        kept, kept_data = wheel("demo", "1.0")
        gone, gone_data = wheel("demo", "2.0")
        for file, data in ((kept, kept_data), (gone, gone_data)):
            self.assertEqual(b.upload(token, file, data), 200)
        self.assert_all_list("team", "demo", {kept: hashlib.sha256(kept_data).hexdigest(), gone: hashlib.sha256(gone_data).hexdigest()})
        a.dae("remove", "team", gone, "--reason", "wrong")
        time.sleep(2.5)
        objects = lambda: {path.name for path in (self.s3.objects / "mirror" / "team" / "blobs").rglob("*") if path.is_file()}
        self.assertIn(hashlib.sha256(gone_data).hexdigest(), objects())
        a.dae("gc")
        self.assertNotIn(hashlib.sha256(gone_data).hexdigest(), objects())
        self.assertIn(hashlib.sha256(kept_data).hexdigest(), objects())
        self.assert_all_list("team", "demo", {kept: hashlib.sha256(kept_data).hexdigest()})
        self.assert_all_list("team", "demo", {kept: hashlib.sha256(kept_data).hexdigest()}, [self.machine("c")])

    def test_an_object_that_is_damaged_is_healed_from_a_cache_or_named(self):
        a, b = self.machine("a"), self.machine("b")
        token = self.token(a)
        file, data = wheel("demo", "1.0")
        digest = hashlib.sha256(data).hexdigest()
        self.assertEqual(a.upload(token, file, data), 200)
        self.assert_all_list("team", "demo", {file: digest}, [a])
        place = next((self.s3.objects / "mirror" / "team" / "blobs").rglob(digest))
        damage = lambda: place.write_bytes(b"damaged" + data[7:])
        damage()
        healed = a.dae("verify", "--from-start")  # it was uploaded here
        self.assertIn(digest, healed.stderr)
        self.assertEqual(place.read_bytes(), data)
        damage()
        named = b.dae("verify", "--from-start", code=None)  # it never was here
        self.assertNotEqual(named.returncode, 0)
        self.assertIn(f"corrupt   sha256:{digest}  team: demo/{file}", named.stdout)
        self.assertIn(fetch(b.page("team", "demo")[file][0])[0], (404, 502, 503))
        a.dae("verify", "--repair")
        self.assert_all_list("team", "demo", {file: digest})


class Failing(MachinesTest):
    def test_machines_that_are_killed_while_they_write_lose_nothing(self):
        machines = [self.machine(name) for name in "abc"]
        token = self.token(machines[0])
        acknowledged, lock, stop = {}, threading.Lock(), threading.Event()

        def client(number):
            i = 0
            while not stop.is_set():
                file, data = wheel("demo", f"{number}.{i}")
                if machines[random.randrange(3)].upload(token, file, data) == 200:
                    with lock:
                        acknowledged[file] = hashlib.sha256(data).hexdigest()
                i += 1

        clients = [threading.Thread(target=client, args=(number,)) for number in range(4)]
        for one in clients:
            one.start()
        for _ in range(8):
            time.sleep(random.uniform(0.3, 1.5))
            victim = random.choice(machines)
            victim.end(signal.SIGKILL)
            victim.start()
        before = len(acknowledged)
        deadline = time.monotonic() + 2 * TTL_SECONDS + 10
        while len(acknowledged) < before + 10 and time.monotonic() < deadline:
            time.sleep(0.2)
        stop.set()
        for one in clients:
            one.join()
        self.assertGreaterEqual(len(acknowledged), before + 10, "it never went on")
        self.assertGreater(len(acknowledged), 30)
        time.sleep(1.5)
        pages = [machine.page("team", "demo") for machine in machines]
        for page in pages:
            listed = {name: sha256 for name, (_, sha256) in page.items()}
            self.assertEqual({name: sha256 for name, sha256 in acknowledged.items() if listed.get(name) != sha256}, {})
            self.assertEqual(listed.keys(), pages[0].keys())
        for machine, page in zip(machines, pages):
            for name, (url, sha256) in page.items():
                status, data = fetch(url)
                self.assertEqual((status, hashlib.sha256(data).hexdigest()), (200, sha256), (machine.folder.name, name))
        print(f"{len(acknowledged)} uploads acknowledged, 8 machines killed, none lost", flush=True)

    def test_a_machine_that_was_stopped_does_not_write_over_others(self):
        a, b = self.machine("a"), self.machine("b")
        token = self.token(a)
        files, lock, stop = {}, threading.Lock(), threading.Event()

        def client():
            i = 0
            while not stop.is_set():
                file, data = wheel("demo", f"1.{i}")
                if a.upload(token, file, data) == 200:
                    with lock:
                        files[file] = hashlib.sha256(data).hexdigest()
                i += 1
        thread = threading.Thread(target=client)
        thread.start()
        time.sleep(1.5)
        os.kill(a.process.pid, signal.SIGSTOP)  # in the middle of an upload, perhaps with the lease
        try:
            file, data = wheel("other", "1.0")
            began = time.monotonic()
            self.assertEqual(b.upload(token, file, data), 200)
            self.assertLess(time.monotonic() - began, 3 * TTL_SECONDS)
        finally:
            os.kill(a.process.pid, signal.SIGCONT)
        self.assert_all_list("team", "other", {file: hashlib.sha256(data).hexdigest()})
        with lock:
            before = len(files)
        wait_for(lambda: len(files) > before + 2, 60, "uploads to the machine that was stopped")
        stop.set()
        thread.join()
        time.sleep(1.5)
        for machine in (a, b):
            listed = {name: sha256 for name, (_, sha256) in machine.page("team", "demo").items()}
            self.assertEqual({name for name, sha256 in files.items() if listed.get(name) != sha256}, set())

    def test_without_the_bucket_what_is_here_is_served_and_writing_waits(self):
        a, b = self.machine("a"), self.machine("b")
        token = self.token(a)
        file, data = wheel("demo", "1.0")
        self.assertEqual(a.upload(token, file, data), 200)
        listed = {file: hashlib.sha256(data).hexdigest()}
        self.assert_all_list("team", "demo", listed, [a])
        wait_for(lambda: b.page("team", "demo"), SEEN_SECONDS, "the page")
        self.s3.stop(kill=True)
        self.assert_all_list("team", "demo", listed, [a])
        url = next(iter(b.page("team", "demo").values()))[0]
        self.assertIn(fetch(url)[0], (502, 503))  # never was in its cache
        self.assertIn(a.upload(token, *wheel("demo", "2.0")), (500, 502, 503))
        # Even a server that begins now serves what its machine has.
        a.end()
        a.start()
        self.assert_all_list("team", "demo", listed, [a])
        self.s3.start()
        file, data = wheel("demo", "3.0")
        self.assertEqual(wait_for(lambda: b.upload(token, file, data) == 200, 30, "writing again"), True)
        listed[file] = hashlib.sha256(data).hexdigest()
        self.assert_all_list("team", "demo", listed)

    def test_without_etcd_reading_goes_on_and_writing_is_refused(self):
        a, b = self.machine("a"), self.machine("b")
        token = self.token(a)
        file, data = wheel("demo", "1.0")
        self.assertEqual(a.upload(token, file, data), 200)
        listed = {file: hashlib.sha256(data).hexdigest()}
        self.assert_all_list("team", "demo", listed)
        time.sleep(1)  # nobody lingers with the lease
        self.etcd.stop(kill=True)
        self.assertIn(b.upload(token, *wheel("demo", "2.0")), (500, 502, 503))
        self.assert_all_list("team", "demo", listed)
        self.etcd.start()
        file, data = wheel("demo", "3.0")
        wait_for(lambda: b.upload(token, file, data) == 200, 30, "writing again")
        listed[file] = hashlib.sha256(data).hexdigest()
        self.assert_all_list("team", "demo", listed)

    def test_a_lost_cache_and_a_lost_head(self):
        a = self.machine("a")
        token = self.token(a)
        file, data = wheel("demo", "1.0")
        self.assertEqual(a.upload(token, file, data), 200)
        a.end()
        subprocess.run(["rm", "-rf", str(a.folder / "cache")], check=True)
        a.start()
        self.assert_all_list("team", "demo", {file: hashlib.sha256(data).hexdigest()})
        head = self.s3.objects / "mirror" / "team" / "catalog" / "head"
        kept = head.read_bytes()
        status, _, _ = self.s3.request("DELETE", "/mirror/team/catalog/head")
        self.assertEqual(status, 204)
        self.assertIn(a.upload(token, *wheel("demo", "2.0")), (500, 502, 503))
        self.assert_all_list("team", "demo", {file: hashlib.sha256(data).hexdigest()})
        self.assertIn("the shared catalog is gone", a.dae("status", code=None).stderr)
        self.assertEqual(self.s3.request("PUT", "/mirror/team/catalog/head", body=kept)[0], 200)
        wait_for(lambda: a.upload(token, *wheel("demo", "3.0")) == 200, 30, "writing again")


if __name__ == "__main__":
    unittest.main()
