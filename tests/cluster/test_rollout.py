"""The whole path on real processes: a mirror, a control plane, three agents with nginx gateways, gunicorn-like apps from
the sample index. Everything on loopback, below one temporary folder."""
import os
import pathlib
import shutil
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from harness import DaeTest, get, kill9, wait_for  # noqa: E402
from load import Load  # noqa: E402

BAKE = "1s"


def processes_below(folder):
    """pid -> command line of every process that names the folder or works in it."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            cwd = os.readlink(f"/proc/{pid}/cwd")
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z" and int(pid) != os.getpid() and (str(folder) in line or cwd.startswith(str(folder))):
            found[int(pid)] = line
    return found


@unittest.skipUnless(shutil.which("nginx") or os.path.exists("/usr/sbin/nginx"), "nginx is not installed: apt install nginx-light")
class Cluster(DaeTest):
    def setUp(self):
        super().setUp()
        self.local = self.dir / "l"
        self.env["DAE_LOCAL_ROOT"] = str(self.local)
        del self.env["DAE_INDEX"]
        self.addCleanup(self.down)
        self.up()

    def up(self):
        self.state = self.dae("--json", "local", "up", "--upstream", self.index.url).json()
        self.gateways = [node["gateway"] for node in self.state["nodes"]]

    def down(self):
        self.dae("local", "down", code=None)
        left = processes_below(self.dir)
        for pid in left:
            kill9(pid)
        self.assertEqual(left, {}, "processes left behind after `dae local down`")

    def pid(self, name):
        listed = self.dae("--json", "local", "status", code=None).json()["processes"]
        return next(p["pid"] for p in listed if p["name"] == name)

    def app(self):
        app = self.create_app()
        self.say(app, "one")
        return app

    def say(self, app, word):
        text = (app / "app.py").read_text().splitlines()
        text = [f'    return "{word}\\n"' if line.strip().startswith('return "') and "ok" not in line else line for line in text]
        (app / "app.py").write_text("\n".join(text) + "\n")
        self.commit(app, word)

    def deploy(self, app, *args, code=0):
        return self.dae("deploy", "--bake", BAKE, *args, cwd=app, code=code)

    def served(self):
        return [get(url + "/").decode().strip() for url in self.gateways]

    def rollouts(self, app):
        return self.dae("--json", "history", cwd=app).json()

    def finished(self, app, seconds=90):
        def newest():
            try:
                rollout = self.rollouts(app)[0]
            except AssertionError:  # the control plane is down for the moment
                return None
            return rollout if rollout["state"] in ("done", "rolled_back", "failed", "superseded") else None
        return wait_for(newest, seconds, "the end of the rollout")


class DeployAndBack(Cluster):
    def test_no_request_fails_during_deploys_and_a_rollback(self):
        app = self.app()
        self.deploy(app)
        self.assertEqual(self.served(), ["one"] * 3)
        load = Load([url + "/" for url in self.gateways], threads=6, expect=lambda body: body in (b"one\n", b"two\n", b"three\n")).start()
        words = ["two", "three"]
        deadline = time.monotonic() + 240
        for word in words:
            self.say(app, word)
            self.deploy(app)
            self.assertEqual(self.served(), [word] * 3)
        self.dae("rollback", cwd=app)
        self.assertEqual(self.served(), ["two"] * 3)
        # On a slow machine the rollouts may end before enough was asked: go on switching until it was.
        versions = list(dict.fromkeys(rollout["version"] for rollout in self.rollouts(app)))[:2]
        while load.live < 21_000 and time.monotonic() < deadline:
            versions.reverse()
            self.dae("rollback", versions[0], cwd=app)
        load.stop()
        print(f"requests: {load.requests}, failed: {load.failed}", file=sys.stderr)
        self.assertEqual((load.failed, load.errors), (0, []))
        self.assertGreaterEqual(load.requests, 20_000)
        self.assertTrue({b"one\n", b"two\n", b"three\n"} <= set(load.bodies), load.bodies)

    def test_a_broken_version_is_stopped_in_pre_and_taken_back_by_itself(self):
        app = self.app()
        self.deploy(app)
        (app / "app.py").write_text("import requets\n" + (app / "app.py").read_text())
        self.commit(app, "broken")
        result = self.deploy(app, code=3)
        self.assertIn("requets", result.err)
        self.assertIn("taken back", result.err)
        self.assertIn("dae logs", result.err)
        self.assertEqual(self.served(), ["one"] * 3)
        rollout = self.rollouts(app)[0]
        touched = [node["node"] for node in rollout["nodes"] if node["phase"] not in ("waiting",)]
        self.assertEqual(touched, ["pre1"])
        # And the next good version goes through.
        (app / "app.py").write_text((app / "app.py").read_text().replace("import requets\n", ""))
        self.say(app, "mended")
        self.deploy(app)
        self.assertEqual(self.served(), ["mended"] * 3)

    def test_a_version_that_never_becomes_healthy_is_taken_back(self):
        app = self.app()
        self.deploy(app)
        (app / "app.py").write_text((app / "app.py").read_text().replace('return "ok\\n"', 'return "no\\n", 500'))
        self.commit(app, "unhealthy")
        result = self.deploy(app, code=3)
        self.assertIn("pre1", result.err)
        self.assertEqual(self.served(), ["one"] * 3)

    def test_the_first_version_of_an_app_when_broken_is_removed_again(self):
        app = self.app()
        (app / "app.py").write_text("import requets\n")
        self.commit(app, "broken from the start")
        self.deploy(app, code=3)
        self.assertEqual(self.dae("--json", "status", cwd=app).json()[0]["rollout"]["state"], "rolled_back")

    def test_a_plan_stores_nothing_and_names_the_batches(self):
        app = self.app()
        result = self.deploy(app, "--plan")
        self.assertRegex(result.out, r"pre\s+1 node\s+pre1")
        self.assertRegex(result.out, r"prod\s+2 nodes\s+prod1 \| prod2")
        self.dae("status", cwd=app, code=1)
        # Not even the artifact: the version cannot be named afterwards.
        version = result.out.split("→ ")[1].split()[0]
        self.assertIn("dae build --publish", self.dae("deploy", version, cwd=app, code=1).err)

    def test_the_same_version_is_not_rolled_out_twice(self):
        app = self.app()
        self.deploy(app)
        started = time.monotonic()
        self.assertIn("already", self.deploy(app).err)
        self.assertLess(time.monotonic() - started, 5)

    def test_uncommitted_changes_are_not_deployed_without_saying_so(self):
        app = self.app()
        (app / "app.py").write_text((app / "app.py").read_text() + "# changed\n")
        self.assertIn("--dirty", self.deploy(app, code=1).err)
        self.deploy(app, "--dirty")

    def test_logs_and_status_tell_what_runs(self):
        app = self.app()
        (app / "app.py").write_text('print("starting the app", flush=True)\n' + (app / "app.py").read_text())
        self.commit(app, "says hello")
        self.deploy(app)
        self.assertIn("starting the app", self.dae("logs", cwd=app).out)
        table = self.dae("status", cwd=app).out
        for word in ("pre1", "prod1", "prod2", "live", "web.0"):
            self.assertIn(word, table)
        self.assertEqual(len(self.dae("--json", "node", "list").json()), 3)


class Killed(Cluster):
    """kill -9 in the middle of a rollout, then a restart: it ends correctly."""

    def rollout_in_background(self, app, word):
        self.say(app, word)
        self.deploy(app, "--detach")

    def wait_for_phase(self, app, phases):
        wait_for(lambda: any(n["phase"] in phases for n in self.rollouts(app)[0]["nodes"]), 30, f"a node in {phases}")

    def check_end(self, app, word):
        rollout = self.finished(app)
        self.assertEqual(rollout["state"], "done", rollout)
        self.assertEqual(self.served(), [word] * 3)

    def test_control(self):
        app = self.app()
        self.deploy(app)
        for number, phase in enumerate((("deploying",), ("ready",))):
            self.rollout_in_background(app, f"c{number}")
            self.wait_for_phase(app, phase)
            kill9(self.pid("control"))
            self.assertEqual([word for word in self.served() if word not in ("one", "c0", f"c{number}")], [])
            self.up()
            self.check_end(app, f"c{number}")

    def test_agent(self):
        app = self.app()
        self.deploy(app)
        for number, node in enumerate(("pre1", "prod1")):
            self.rollout_in_background(app, f"a{number}")
            if node == "prod1":
                wait_for(lambda: any(n["node"] == "prod1" and n["phase"] == "deploying" for n in self.rollouts(app)[0]["nodes"]), 40, "prod1 at work")
            else:
                self.wait_for_phase(app, ("deploying",))
            kill9(self.pid(f"agent {node}"))
            self.assertEqual(len(self.served()), 3)  # its gateway and apps go on without it
            self.up()
            self.check_end(app, f"a{number}")

    def test_mirror(self):
        app = self.app()
        self.deploy(app)
        self.rollout_in_background(app, "m")
        kill9(self.pid("mirror"))
        time.sleep(0.5)
        self.up()
        self.check_end(app, "m")

    def test_a_control_plane_that_lost_its_state_stops_nothing(self):
        app = self.app()
        self.deploy(app)
        kill9(self.pid("control"))
        shutil.rmtree(self.local / "control")
        self.up()
        wait_for(lambda: len(self.dae("--json", "node", "list").json()) == 3, 20, "the nodes at the new state")
        time.sleep(3)
        self.assertEqual(self.served(), ["one"] * 3)
        self.say(app, "two")
        self.deploy(app)  # and it can be taken over
        self.assertEqual(self.served(), ["two"] * 3)

    def test_everything_at_once(self):
        app = self.app()
        self.deploy(app)
        self.rollout_in_background(app, "all")
        self.wait_for_phase(app, ("deploying",))
        for process in self.dae("--json", "local", "status", code=None).json()["processes"]:
            kill9(process["pid"])
        self.assertEqual(len(self.served()), 3)
        self.up()
        self.check_end(app, "all")

    def test_an_app_that_was_killed_is_started_again(self):
        app = self.app()
        self.deploy(app)
        leaders = {pid: line for pid, line in processes_below(self.local).items() if "gunicorn" in line and "prod1" in line}
        self.assertTrue(leaders)
        for pid in leaders:
            kill9(pid)

        def back():
            try:
                return self.served() == ["one"] * 3
            except OSError:
                return False
        wait_for(back, 30, "the app on prod1")


class Refused(Cluster):
    def test_a_corrupt_blob_on_the_mirror_never_runs(self):
        app = self.app()
        self.dae("build", "--publish", cwd=app)
        manifest = self.dae("--json", "build", cwd=app).json()
        self.assertTrue(manifest["digest"].startswith("sha256:"))
        # Spoil the source layer on the mirror's disk: every blob that is a zstd frame.
        spoiled = 0
        for blob in (self.local / "mirror").rglob("*"):
            if blob.is_file() and blob.read_bytes()[:4] == b"\x28\xb5\x2f\xfd":
                blob.chmod(0o644)
                data = bytearray(blob.read_bytes())
                data[len(data) // 2] ^= 0xFF
                blob.write_bytes(bytes(data))
                spoiled += 1
        self.assertEqual(spoiled, 1)
        result = self.dae("deploy", manifest["version"], "--bake", BAKE, cwd=app, code=3)
        self.assertRegex(result.err, r"digest|sha256")

    def test_an_unknown_version_is_named_with_what_there_is(self):
        app = self.app()
        self.assertIn("dae build --publish", self.dae("deploy", "9.9.9", cwd=app, code=1).err)

    def test_up_twice_changes_nothing_and_a_killed_part_comes_back(self):
        before = self.dae("--json", "local", "status").json()["processes"]
        self.up()
        self.assertEqual(self.dae("--json", "local", "status").json()["processes"], before)
        kill9(self.pid("agent pre1"))
        wait_for(lambda: self.dae("local", "status", code=None).code == 1, 5, "status 1")
        self.up()
        self.dae("local", "status")

    def test_an_agent_whose_gateway_port_is_taken_says_so(self):
        port = self.gateways[0].rsplit(":", 1)[1]
        result = self.dae("agent", "--node", "other", "--root", self.dir / "other", "--gateway-port", port,
                          "--control", self.state["control"], "--mirror", self.state["mirror"], code=1, timeout=30)
        self.assertIn(port, result.err)

    def test_an_agent_without_nginx_says_how_to_get_it(self):
        result = self.dae("agent", "--node", "other", "--root", self.dir / "other", "--gateway-port", "1",
                          "--control", self.state["control"], "--mirror", self.state["mirror"], code=None, timeout=30,
                          env={"DAE_NGINX": "/nonexistent/nginx"})
        self.assertNotEqual(result.code, 0)
        self.assertIn("apt install nginx", result.err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
