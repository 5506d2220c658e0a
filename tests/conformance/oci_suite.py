"""The OCI distribution conformance suite, version 2, against a mirror that is started here. The suite is no part of this
repository: DAE_OCI_CONFORMANCE names the folder `conformance` of a checkout of the distribution specification, and Go (1.24 or
newer) builds it. Without the one or the other the test is skipped (exit code 77), with the reason.

Three runs: what the specification's version 1.1 asks for by default, everything the suite can test, on the level that it calls
"dev", and that once more on a mirror whose storage is a bucket (where versitygw can be had). Each gets a mirror with an empty storage. Counts are printed; a test that failed, or that ran into an error, fails this
one, and so does a run of fewer tests than there were known to be. The reports are kept in $DAE_OCI_RESULTS when that is set.
"""
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from running_mirror import RunningMirror  # noqa: E402
from shared_storage import S3Server  # noqa: E402

EVERYTHING = {
    "OCI_API_BLOBS_UPLOAD_CANCEL": "true", "OCI_API_BLOBS_DIGEST_HEADER": "true", "OCI_API_MANIFESTS_DIGEST_HEADER": "true",
    "OCI_API_MANIFESTS_TAG_PARAM": "true", "OCI_DATA_SPARSE": "true"}
# name, version, switches, at least so many tests, what may be left out of it
RUNS = [("1.1", "1.1", {}, 850, {"disabled": 2, "skip": 0}), ("everything", "dev", EVERYTHING, 1000, {"disabled": 0, "skip": 0})]
IN_A_BUCKET = ("everything, in a bucket", *RUNS[1][1:])
COUNT = re.compile(r"(?m)^  (Disabled|Skip|Pass|FAIL|Error|Total)\.+: +(\d+)$")
UNWELL = re.compile(r"(?m)^ +(OCI Conformance Test/\S.*: (?:FAIL|Error|Skip).*)$")


def skip(reason):
    print("skipped:", reason, file=sys.stderr)
    sys.exit(77)


def build(source, folder):
    if not source:
        skip("DAE_OCI_CONFORMANCE does not say where the suite lies (the folder `conformance` of the OCI distribution specification)")
    if not (pathlib.Path(source) / "main.go").is_file():
        skip(f"{source} is not the suite: no main.go there")
    go = shutil.which("go") or "/usr/local/go/bin/go"
    if not os.access(go, os.X_OK):
        skip("there is no Go to build the suite with")
    program = folder / "suite"
    done = subprocess.run([go, "build", "-buildvcs=false", "-o", program, "."], cwd=source, capture_output=True, text=True)
    if done.returncode != 0:
        skip(f"the suite cannot be built: {done.stderr.strip()[-500:]}")
    return program


def run(program, folder, version, switches, s3=None):
    settings = "registry: {sparse: true}\n" + (f"cache: {folder / 'cache'}\n" if s3 else "")
    place = {"storage": s3.url("oci"), "more_env": s3.env} if s3 else {}
    with RunningMirror(folder / "mirror", settings, **place) as mirror:
        env = {name: value for name, value in os.environ.items() if not name.startswith("OCI_")}
        env.update(OCI_REGISTRY=mirror.url.removeprefix("http://"), OCI_TLS="disabled", OCI_VERSION=version, OCI_LOG="error",
                   OCI_RESULTS_DIR=str(folder / "results"), **switches)
        done = subprocess.run([program], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
    return done.returncode, done.stdout


def judge(name, code, output, least, allowed):
    counts = collections.Counter({what.lower(): int(number) for what, number in COUNT.findall(output)})
    print(f"{name}: " + ", ".join(f"{counts[what]} {what}" for what in ("total", "pass", "fail", "error", "skip", "disabled")), flush=True)
    bad = code != 0 or counts["fail"] or counts["error"] or counts["total"] < least or any(counts[what] > most for what, most in allowed.items())
    if bad:
        print(f"{name}: exit code {code}, at least {least} tests were expected", "\n".join(UNWELL.findall(output)[:100]) or output[-3000:], sep="\n")
    return not bad


def in_a_bucket(program, folder):
    folder.mkdir()
    name, version, switches, least, allowed = IN_A_BUCKET
    try:
        s3 = S3Server(folder)
    except unittest.SkipTest as why:
        print(f"{name}: skipped: {why}", flush=True)
        return True
    with s3:
        return judge(name, *run(program, folder, version, switches, s3), least, allowed)


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dae-oci-"))
    good = True
    try:
        program = build(os.environ.get("DAE_OCI_CONFORMANCE"), folder)
        for name, version, switches, least, allowed in RUNS:
            place = folder / name
            place.mkdir()
            good &= judge(name, *run(program, place, version, switches), least, allowed)
            if "DAE_OCI_RESULTS" in os.environ:
                shutil.copytree(place / "results", pathlib.Path(os.environ["DAE_OCI_RESULTS"]) / name, dirs_exist_ok=True)
        good &= in_a_bucket(program, folder / "bucket")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
