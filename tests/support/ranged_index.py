"""The frozen index as one that announces no metadata and serves wheels with ranges: for each wheel whose metadata is kept
a wheel-shaped file of a plausible size, mostly hole, with the real METADATA and central directory at its end. Nobody who
resolves reads more; and thousands of real wheels would fill the disk."""
import gzip
import json
import pathlib
import sqlite3
import struct
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import frozen_index as frozen  # noqa: E402

PAD_BYTES = 1 << 20


def central(name, data, packed, offset, method):
    crc = zlib.crc32(data)
    common = struct.pack("<HHHHHLLLHH", 20, 0, method, 0, 0x21, crc, len(packed), len(data), len(name), 0)
    local = b"PK\x03\x04" + common + name
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHLL", 0, 0, 0, 0, offset) + name
    return local, entry


def hollow_wheel(path, dist_info, metadata):
    """A hole for the modules, then METADATA, WHEEL and RECORD, as build tools write them: last."""
    pad_crc = zlib.crc32(bytes(PAD_BYTES))
    pad_name = b"module.bin"
    common = struct.pack("<HHHHHLLLHH", 20, 0, 0, 0, 0x21, pad_crc, PAD_BYTES, PAD_BYTES, len(pad_name), 0)
    directory = [b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHLL", 0, 0, 0, 0, 0) + pad_name]
    with open(path, "wb") as out:
        out.write(b"PK\x03\x04" + common + pad_name)
        out.seek(PAD_BYTES, 1)
        for file, data in (("METADATA", metadata), ("WHEEL", b"Wheel-Version: 1.0\n"), ("RECORD", b"")):
            deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
            packed = deflate.compress(data) + deflate.flush()
            local, entry = central(f"{dist_info}/{file}".encode(), data, packed, out.tell(), 8)
            directory.append(entry)
            out.write(local + packed)
        start = out.tell()
        out.write(b"".join(directory))
        size = out.tell() - start
        out.write(b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, len(directory), len(directory), size, start, 0))


def make():
    """The folder; made again when the frozen index has changed."""
    folder = frozen.BENCH_DIR / "ranged"
    catalog = sqlite3.connect(f"file:{frozen.BENCH_DIR / 'index' / 'catalog.db'}?mode=ro", uri=True)
    stamp = json.dumps(catalog.execute("SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM known), (SELECT sum(revision) FROM projects)").fetchone())
    mark = folder / "complete"
    if mark.exists() and mark.read_text() == stamp:
        return folder
    (folder / "files").mkdir(parents=True, exist_ok=True)
    blobs = frozen.BENCH_DIR / "index" / "blobs" / "sha256"
    # Two projects may not share a file name, and one project's names are unique.
    held = dict(catalog.execute("SELECT sha256, metadata_sha256 FROM known"))
    for name, gzipped in catalog.execute("SELECT p.name, d.gzipped FROM projects p JOIN documents d ON d.sha256 = p.document").fetchall():
        files = []
        for listed in json.loads(gzip.decompress(gzipped))["files"]:
            file, sha256 = listed["name"], listed["hashes"]["sha256"]
            entry = {"filename": file, "url": f"../../files/{file}", "hashes": {"sha256": sha256}, "yanked": "yanked" in listed}
            if "requires_python" in listed:
                entry["requires-python"] = listed["requires_python"]
            files.append(entry)
            place = folder / "files" / file
            if place.exists():
                continue
            metadata = listed.get("metadata") or held.get(sha256)
            blob = blobs / sha256[:2] / sha256
            if metadata and file.endswith(".whl") and (blobs / metadata[:2] / metadata).exists():
                distribution, version = file.split("-")[:2]
                hollow_wheel(place, f"{distribution}-{version}.dist-info", (blobs / metadata[:2] / metadata).read_bytes())
            elif blob.exists():
                place.symlink_to(blob)
        page = folder / "simple" / name
        page.mkdir(parents=True, exist_ok=True)
        (page / "index.json").write_text(json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": files}))
    catalog.close()
    mark.write_text(stamp)
    return folder
