"""What a mirror of several machines shares, against real servers: every operation on objects against versitygw, the lease against
etcd and as a file, with kills, stops and outages. The C++ side is tests/conformance/storage_probe.cc, one call a line."""
import base64
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import shared_storage  # noqa: E402

PROBE = pathlib.Path(os.environ.get("DAE_BUILD", ".")).resolve() / "bin" / "storage_probe"


class Refused(Exception):
    def __init__(self, answer):
        super().__init__(answer)
        self.kind, self.text, self.hint = answer["error"], answer["text"], answer["hint"]


class Probe:
    def __init__(self, *arguments, env=None):
        self.process = subprocess.Popen([PROBE, *map(str, arguments)], env={**os.environ, "NO_PROXY": "*", **(env or {})}, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, do, **fields):
        self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self.process.stdin.flush()

    def receive(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the probe ended with {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(answer)
        return answer["is"]

    def __call__(self, do, **fields):
        self.send(do, **fields)
        return self.receive()

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class WithServer(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dae-storage-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def started(self, server):
        self.addCleanup(server.stop, kill=True)
        return server

    def probe(self, *arguments, env=None):
        probe = Probe(*arguments, env=env)
        self.addCleanup(probe.kill)
        return probe

    def refused(self, kind, probe, *arguments, **fields):
        with self.assertRaises(Refused) as caught:
            probe(*arguments, **fields)
        self.assertEqual(caught.exception.kind, kind, caught.exception)
        return caught.exception


class Objects(WithServer):
    def setUp(self):
        super().setUp()
        self.s3 = self.started(shared_storage.S3Server(self.dir))
        self.url = self.s3.url("bucket", "team/a/")
        self.store = self.probe("s3", self.url, env=self.s3.env)

    def on_disk(self, key):
        return self.s3.objects / "bucket" / "team" / "a" / key

    def test_objects_are_put_read_compared_and_removed(self):
        store = self.store
        for do in ("head", "get"):
            self.assertIsNone(store(do, key="x/none"))
        etag = store("put", key="x/one", text="hello")
        self.assertEqual(self.on_disk("x/one").read_bytes(), b"hello")
        head = store("head", key="x/one")
        self.assertEqual((head["key"], head["etag"], head["size"]), ("x/one", etag, 5))
        self.assertLess(abs(head["modified_ms"] / 1000 - time.time()), 5)
        self.assertEqual(store("get", key="x/one"), {"text": "hello", "etag": etag})
        self.assertEqual(store("get_unless", key="x/one", etag=etag), "unchanged")
        changed = store("put", key="x/one", text="other")
        self.assertNotEqual(changed, etag)
        self.assertEqual(store("get_unless", key="x/one", etag=etag), {"text": "other", "etag": changed})
        self.assertIsNone(store("get_unless", key="x/none", etag=etag))
        self.refused("bad_input", store, "get", key="x/one", limit=4)
        store("remove", key="x/one")
        store("remove", key="x/one")
        self.assertIsNone(store("get", key="x/one"))
        self.assertEqual(store("put", key="empty", text=""), store("head", key="empty")["etag"])
        self.assertEqual(store("get", key="empty")["text"], "")

    def test_a_conditional_put_is_done_only_to_what_it_names(self):
        store = self.store
        first = store("put_if", key="head", text="1", etag="")
        self.assertTrue(first)
        self.assertIsNone(store("put_if", key="head", text="2", etag=""))
        self.assertIsNone(store("put_if", key="head", text="2", etag='"00000000000000000000000000000000"'))
        second = store("put_if", key="head", text="2", etag=first)
        self.assertTrue(second)
        self.assertIsNone(store("put_if", key="head", text="3", etag=first))
        self.assertEqual(store("get", key="head")["text"], "2")
        store("remove", key="head")
        self.assertIsNone(store("put_if", key="head", text="4", etag=second), "it is gone, so it is not that one")

    def test_of_eight_writers_at_once_one_wins(self):
        writers = [self.probe("s3", self.url, env=self.s3.env) for _ in range(8)]
        etag = ""
        for turn in range(25):
            for number, writer in enumerate(writers):
                writer.send("put_if", key="head", text=f"{turn} by {number}", etag=etag)
            won = [(number, answer) for number, answer in enumerate(writer.receive() for writer in writers) if answer]
            self.assertEqual(len(won), 1, f"round {turn}: {won}")
            etag = won[0][1]
            self.assertEqual(self.store("get", key="head"), {"text": f"{turn} by {won[0][0]}", "etag": etag})

    def test_no_increment_of_eight_processes_is_lost(self):
        def count(number):
            probe, done = Probe("s3", self.url, env=self.s3.env), 0
            while done < 20:
                there = probe("get", key="counter")
                value = int(there["text"]) if there else 0
                # A number of its own makes the bytes, and with them the etag, differ from every earlier state.
                done += probe("put_if", key="counter", text=str(value + 1), etag=there["etag"] if there else "") is not None
            probe.end()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(count, range(8)))
        self.assertEqual(self.store("get", key="counter")["text"], "160")

    def test_many_files_are_put_and_listed_over_several_pages_in_order(self):
        files = []
        for number in range(1205):
            path = self.dir / f"f{number}"
            path.write_bytes(b"%d" % number * (number % 50))
            # Names that sort otherwise as folders than as keys.
            key = f"blobs/{number % 7}{'-x' if number % 3 else ''}/{number:05}"
            files.append({"key": key, "file": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
        self.assertTrue(self.store("put_files", files=files))
        self.assertEqual(self.on_disk(files[77]["key"]).read_bytes(), (self.dir / "f77").read_bytes())
        listed = self.store("list", key="blobs/")
        self.assertEqual([one["key"] for one in listed], sorted(file["key"] for file in files))
        sizes = {file["key"]: os.path.getsize(file["file"]) for file in files}
        self.assertEqual({one["key"]: one["size"] for one in listed}, sizes)
        self.assertEqual(listed[5], {**self.store("head", key=listed[5]["key"]), "modified_ms": listed[5]["modified_ms"]})
        self.assertEqual(self.store("list", key="blobs/0/"), [one for one in listed if one["key"].startswith("blobs/0/")])
        self.assertEqual(self.store("list", key="nothing/"), [])

    def test_the_server_checks_the_bytes_that_are_put(self):
        path = self.dir / "file"
        path.write_bytes(b"these bytes")
        error = self.refused("verification", self.store, "put_files",
                             files=[{"key": "x", "file": str(path), "sha256": hashlib.sha256(b"other bytes").hexdigest()}])
        self.assertIn("SHA256Mismatch", error.text)
        self.assertIsNone(self.store("head", key="x"))

    def test_an_object_is_copied_and_touched(self):
        etag = self.store("put", key="x/one", text="hello")
        self.assertTrue(self.store("copy", key="x/one", to="y/two"))
        self.assertEqual(self.store("get", key="y/two"), {"text": "hello", "etag": etag})
        self.refused("not_found", self.store, "copy", key="x/none", to="y/none")
        self.assertFalse(self.store("touch", key="x/none"))
        for _ in range(2):
            long_ago = time.time() - 5000
            os.utime(self.on_disk("x/one"), (long_ago, long_ago))
            self.assertLess(self.store("head", key="x/one")["modified_ms"] / 1000, time.time() - 4000)
            self.assertTrue(self.store("touch", key="x/one"))
            self.assertLess(abs(self.store("head", key="x/one")["modified_ms"] / 1000 - time.time()), 5)
        self.assertEqual(self.store("get", key="x/one"), {"text": "hello", "etag": etag})
        self.assertEqual([one["key"] for one in self.store("list", key="")], ["x/one", "y/two"], "nothing is left behind")

    def test_a_file_is_fetched_from_where_it_ended(self):
        data = os.urandom(300_000)
        path = self.on_disk("big")
        self.store("put", key="big", text="")
        path.write_bytes(data)
        into = self.dir / "into"
        self.assertIsNone(self.store("get_file", key="none", into=str(into)))
        self.assertEqual(self.store("get_file", key="big", into=str(into))["size"], len(data))
        self.assertEqual(into.read_bytes(), data)
        into.write_bytes(b"\0" * 1000 + data[1000:200_000])
        self.store("get_file", key="big", into=str(into))
        self.assertEqual(into.read_bytes(), b"\0" * 1000 + data[1000:], "what is there is not fetched again")
        self.assertEqual(self.store("get_file", key="big", into=str(into))["size"], len(data))
        into.write_bytes(data + b"more")
        self.refused("verification", self.store, "get_file", key="big", into=str(into))
        into.unlink()
        self.refused("bad_input", self.store, "get_file", key="big", into=str(into), limit=1000)
        self.store("put", key="empty", text="")
        self.store("get_file", key="empty", into=str(self.dir / "empty"))
        self.assertEqual((self.dir / "empty").read_bytes(), b"")

    def test_a_large_file_goes_on_when_its_server_was_killed(self):
        data = os.urandom(1 << 20) * 700
        self.store("put", key="large", text="")
        self.on_disk("large").write_bytes(data)
        into = self.dir / "into"

        def outage():
            while not into.exists() or into.stat().st_size < 30 << 20:
                time.sleep(0.002)
            self.s3.stop(kill=True)
            self.size_at_kill = into.stat().st_size
            time.sleep(0.7)
            self.s3.start()
        player = threading.Thread(target=outage)
        player.start()
        info = self.store("get_file", key="large", into=str(into))
        player.join()
        self.assertEqual(info["size"], len(data))
        self.assertLess(self.size_at_kill, len(data), "the server was killed in the middle")
        self.assertTrue(into.read_bytes() == data)

    def test_a_fetch_is_never_continued_with_another_object(self):
        # 64 MiB a version, so that the change comes amid the first.
        versions = [bytes([n]) * (64 << 20) for n in (1, 2)]
        self.store("put", key="changing", text="")
        for number, data in enumerate(versions):
            (self.dir / f"v{number}").write_bytes(data)
        digests = [hashlib.sha256(data).hexdigest() for data in versions]
        self.store("put_files", files=[{"key": "changing", "file": str(self.dir / "v0"), "sha256": digests[0]}])
        other = self.probe("s3", self.url, env=self.s3.env)
        into = self.dir / "into"

        def change():
            while not into.exists() or into.stat().st_size < 1 << 20:
                time.sleep(0.001)
            os.kill(self.store.process.pid, signal.SIGSTOP)
            self.size_at_change = into.stat().st_size
            other("put_files", files=[{"key": "changing", "file": str(self.dir / "v1"), "sha256": digests[1]}])
            self.s3.stop(kill=True)
            self.s3.start()
            os.kill(self.store.process.pid, signal.SIGCONT)
        player = threading.Thread(target=change)
        player.start()
        self.store("get_file", key="changing", into=str(into))
        player.join()
        self.assertIn(hashlib.sha256(into.read_bytes()).hexdigest(), digests, "all of one version")

    def test_an_outage_is_an_error_and_passes(self):
        self.store("put", key="x", text="1")
        self.s3.stop(kill=True)
        self.refused("network", self.store, "get", key="x")
        self.refused("network", self.store, "put_if", key="x", text="2", etag="")
        self.s3.start()
        self.assertEqual(self.store("get", key="x")["text"], "1")

    def test_wrong_credentials_and_places_are_refused_with_a_hint(self):
        wrong = self.probe("s3", self.url, env={**self.s3.env, "AWS_SECRET_ACCESS_KEY": "this-is-not-it"})
        error = self.refused("refused", wrong, "put", key="x", text="1")
        self.assertIn("SignatureDoesNotMatch", error.text)
        self.assertIn("AWS_ACCESS_KEY_ID", error.hint)
        self.assertNotIn("this-is-not-it", str(error))
        self.assertIn("AWS_ACCESS_KEY_ID", self.refused("refused", wrong, "head", key="x").hint)
        elsewhere = self.probe("s3", self.url.replace("bucket", "tekcub"), env=self.s3.env)
        error = self.refused("refused", elsewhere, "get", key="x")
        self.assertIn("NoSuchBucket", error.text)
        self.assertIn("tekcub", error.hint)
        region = self.probe("s3", self.url + "&region=eu-north-7", env=self.s3.env)
        self.assertIn("region", self.refused("refused", region, "get", key="x").hint)
        nobody = Probe("s3", self.url, env={"AWS_SHARED_CREDENTIALS_FILE": str(self.dir / "none"), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
        self.addCleanup(nobody.kill)
        self.assertEqual(nobody.process.wait(20), 1)

    def test_credentials_may_come_from_a_file(self):
        (self.dir / "credentials").write_text(
            f"[default]\naws_access_key_id = other\naws_secret_access_key = other\n\n[mirror]\n"
            f"aws_access_key_id={self.s3.access_key}\naws_secret_access_key = {self.s3.secret_key}\n")
        probe = self.probe("s3", self.url, env={"AWS_SHARED_CREDENTIALS_FILE": str(self.dir / "credentials"), "AWS_PROFILE": "mirror",
                                                "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
        self.assertTrue(probe("put", key="x", text="1"))


class LeaseCases:
    """Of a lease of either kind."""

    def place(self):
        raise NotImplementedError

    def holder(self, ttl_ms=2000):
        return self.probe("lease", self.place(), ttl_ms)

    def test_one_at_a_time_has_it_and_each_a_larger_fence(self):
        holders = [self.holder() for _ in range(4)]
        fences = []
        for turn in range(12):
            for holder in holders:
                holder.send("acquire", wait_ms=0)
            answers = []
            for holder in holders:
                try:
                    answers.append(holder.receive())
                except Refused as error:
                    self.assertEqual(error.kind, "refused")
                    answers.append(None)
            won = [n for n, fence in enumerate(answers) if fence]
            self.assertEqual(len(won), 1, answers)
            fences.append(answers[won[0]])
            self.assertTrue(holders[won[0]]("holds", ms=100))
            holders[won[0]]("release")
        self.assertEqual(fences, sorted(set(fences)))

    def test_who_waits_gets_it_when_it_is_given_back(self):
        first, second = self.holder(), self.holder()
        first("acquire", wait_ms=1000)
        second.send("acquire", wait_ms=20_000)
        time.sleep(0.8)
        began = time.monotonic()
        first("release")
        second.receive()
        self.assertLess(time.monotonic() - began, 0.7)

    def test_a_refusal_names_the_holder(self):
        first, second = self.holder(), self.holder()
        first("acquire", wait_ms=1000)
        began = time.monotonic()
        error = self.refused("refused", second, "acquire", wait_ms=500)
        self.assertIn(str(first.process.pid), error.text)
        self.assertLess(0.4, time.monotonic() - began)
        self.assertLess(time.monotonic() - began, 3)

    def test_a_killed_holder_loses_it(self):
        first, second = self.holder(), self.holder()
        fence = first("acquire", wait_ms=1000)
        first.kill()
        self.assertGreater(second("acquire", wait_ms=15_000), fence)


class FileLease(LeaseCases, WithServer):
    def place(self):
        return self.dir / "lease"

    def test_the_fence_grows_over_processes(self):
        probe = self.holder()
        self.assertEqual(probe("acquire", wait_ms=0), 1)
        probe("release")
        self.assertEqual(probe("acquire", wait_ms=0), 2)
        probe("release")
        self.assertEqual(self.holder()("acquire", wait_ms=0), 3)  # and keeps it
        self.refused("refused", probe, "acquire", wait_ms=0)

    def test_a_damaged_file_is_refused(self):
        (self.dir / "lease").write_text("what is this")
        self.assertIn("number", self.refused("bad_input", self.holder(), "acquire", wait_ms=0).text)


class EtcdLease(LeaseCases, WithServer):
    def setUp(self):
        super().setUp()
        self.etcd = self.started(shared_storage.Etcd(self.dir))

    def place(self):
        return self.etcd.url("mirror/lease")

    def call(self, path, **body):
        request = urllib.request.Request(self.etcd.endpoint + path, json.dumps(body).encode(), method="POST")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return json.load(answer)

    def test_it_is_kept_alive(self):
        holder, other = self.holder(), self.holder()
        holder("acquire", wait_ms=1000)
        for _ in range(12):
            time.sleep(0.4)
            self.assertTrue(holder("holds", ms=300))
        self.refused("refused", other, "acquire", wait_ms=0)

    def test_a_stopped_holder_loses_it_and_knows(self):
        holders = [self.holder() for _ in range(4)]
        fence = holders[0]("acquire", wait_ms=1000)
        os.kill(holders[0].process.pid, signal.SIGSTOP)
        for holder in holders[1:]:
            holder.send("acquire", wait_ms=20_000)
        time.sleep(6)
        os.kill(holders[0].process.pid, signal.SIGCONT)
        self.assertFalse(holders[0]("holds", ms=0), "its time ran out while it was stopped")

        def take_turn(holder):
            got = holder.receive()
            holder("release")
            return got
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            taken = list(pool.map(take_turn, holders[1:]))
        self.assertTrue(all(later > fence for later in taken), (fence, taken))
        self.assertEqual(len(set(taken)), 3)
        time.sleep(1.5)
        self.assertFalse(holders[0]("holds", ms=0))
        holders[0]("release")
        self.assertGreater(holders[0]("acquire", wait_ms=1000), max(taken))

    def test_it_outlives_a_restart_of_etcd(self):
        holder, other = self.holder(ttl_ms=6000), self.holder()
        fence = holder("acquire", wait_ms=1000)
        self.etcd.stop(kill=True)
        time.sleep(1)
        self.assertTrue(holder("holds", ms=1000), "it is still sure for a while")
        self.refused("network", other, "acquire", wait_ms=0)
        self.etcd.start()
        time.sleep(5.5)
        self.assertTrue(holder("holds", ms=1000), "and is kept alive again")
        holder("release")
        self.assertGreater(other("acquire", wait_ms=2000), fence)

    def test_it_is_not_held_in_a_long_outage_and_its_end_is_quick(self):
        holder = self.holder()
        holder("acquire", wait_ms=1000)
        self.etcd.stop(kill=True)
        time.sleep(2.5)
        self.assertFalse(holder("holds", ms=0))
        began = time.monotonic()
        holder("release")
        self.assertLess(time.monotonic() - began, 2.5)
        self.etcd.stop()

    def test_its_end_is_quick_beside_a_server_that_is_silent(self):
        holder = self.holder()
        holder("acquire", wait_ms=1000)
        os.kill(self.etcd.pid, signal.SIGSTOP)
        began = time.monotonic()
        holder("release")
        self.assertLess(time.monotonic() - began, 2.6)
        os.kill(self.etcd.pid, signal.SIGCONT)

    def test_it_is_lost_when_its_key_is_removed_by_hand(self):
        holder = self.holder()
        holder("acquire", wait_ms=1000)
        self.call("/v3/kv/deleterange", key=base64.b64encode(b"mirror/lease").decode())
        time.sleep(1.5)
        self.assertFalse(holder("holds", ms=0))

    def test_a_member_that_does_not_answer_is_passed_over(self):
        dead = shared_storage.free_ports(1)[0]
        probe = self.probe("lease", f"etcd://127.0.0.1:{dead},127.0.0.1:{self.etcd.port}/mirror/lease", 2000)
        self.assertGreater(probe("acquire", wait_ms=0), 0)
        time.sleep(3)
        self.assertTrue(probe("holds", ms=300))

    def test_users_and_passwords(self):
        for path, body in (("/v3/auth/user/add", {"name": "root", "password": "r"}), ("/v3/auth/role/add", {"name": "root"}),
                           ("/v3/auth/user/grant", {"user": "root", "role": "root"}), ("/v3/auth/enable", {})):
            self.call(path, **body)
        error = self.refused("refused", self.holder(), "acquire", wait_ms=0)
        self.assertIn("ETCDCTL_USER", error.hint)
        wrong = self.probe("lease", self.place(), 2000, env={"ETCDCTL_USER": "root:wrong-password"})
        error = self.refused("refused", wrong, "acquire", wait_ms=0)
        self.assertNotIn("wrong-password", str(error))
        right = self.probe("lease", self.place(), 2000, env={"ETCDCTL_USER": "root:r"})
        self.assertGreater(right("acquire", wait_ms=0), 0)
        time.sleep(3)
        self.assertTrue(right("holds", ms=300))


if __name__ == "__main__":
    if not PROBE.exists():
        print(f"skipped: {PROBE} was not built", file=sys.stderr)
        sys.exit(77)
    unittest.main()
