"""Archives byte by byte, for the tests of what is refused: each header of a ZIP or tar file can be made to lie."""
import base64
import dataclasses
import gzip
import hashlib
import io
import struct
import tarfile
import zlib
from typing import Optional

UTF8, DESCRIPTOR = 1 << 11, 1 << 3
REGULAR = 0o100644 << 16


def deflate(data, level=6):
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def extra_field(tag, data):
    return struct.pack("<HH", tag, len(data)) + data


@dataclasses.dataclass
class Member:
    """What is None is the truth."""
    name: object  # str, or bytes for what is no UTF-8
    data: bytes = b""
    method: int = 8
    flags: int = 0
    attributes: int = REGULAR
    extra: bytes = b""
    local_extra: bytes = b""
    packed: Optional[bytes] = None
    behind: bytes = b""  # between it and the next member
    crc: Optional[int] = None
    size: Optional[int] = None
    packed_size: Optional[int] = None
    local_name: Optional[str] = None
    local_method: Optional[int] = None
    local_flags: Optional[int] = None
    local_crc: Optional[int] = None
    local_size: Optional[int] = None
    header_at: Optional[int] = None
    only_local: bool = False
    only_directory: bool = False


def _bytes(name):
    return name if isinstance(name, bytes) else name.encode()


def _first(*values):
    return next(value for value in values if value is not None)


def _headers(member, at):
    """Local header with its data, and the entry of the directory."""
    name, local_name = _bytes(member.name), _bytes(_first(member.local_name, member.name))
    packed = _first(member.packed, deflate(member.data) if member.method == 8 else member.data)
    crc = _first(member.crc, zlib.crc32(member.data))
    size, packed_size = _first(member.size, len(member.data)), _first(member.packed_size, len(packed))
    local = struct.pack("<4sHHHIIIIHH", b"PK\3\4", 20, _first(member.local_flags, member.flags),
                        _first(member.local_method, member.method), 0x5a210000, _first(member.local_crc, crc), packed_size,
                        _first(member.local_size, size), len(local_name), len(member.local_extra))
    entry = struct.pack("<4sHHHHIIIIHHHHHII", b"PK\1\2", 0x0314, 20, member.flags, member.method, 0x5a210000, crc, packed_size, size,
                        len(name), len(member.extra), 0, 0, 0, member.attributes, _first(member.header_at, at))
    return local + local_name + member.local_extra + packed + member.behind, entry + name + member.extra


def end_record(entries, directory_bytes, directory_at, comment=b""):
    return struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, entries, entries, directory_bytes, directory_at, len(comment)) + comment


def end_record64(entries, directory_bytes, directory_at, locator_at):
    """Zip64 end record and its locator, which says that the record is at `locator_at`."""
    return (struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, directory_bytes, directory_at)
            + struct.pack("<4sIQI", b"PK\6\7", 0, locator_at, 1))


def zip_of(members, before=b"", after=b"", comment=b"", end=None):
    """`end(entries, directory bytes, directory at)` makes what follows the directory."""
    out, directory, entries = before, b"", 0
    for member in members:
        local, entry = _headers(member, len(out))
        if not member.only_directory:
            out += local
        if not member.only_local:
            directory += entry
            entries += 1
    tail = end(entries, len(directory), len(out)) if end else end_record(entries, len(directory), len(out), comment)
    return out + directory + tail + after


def record_row(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    return f"{name},sha256={digest},{len(data)}"


class Wheel:
    """evil 1.0 under construction: right in all but what a case changes."""

    def __init__(self, name="evil", version="1.0"):
        self.info = f"{name}-{version}.dist-info"
        self.data_dir = f"{name}-{version}.data"
        self.members = [Member(f"{name}/__init__.py", b"VALUE = 1\n")]
        self.texts = {"METADATA": metadata(name, version), "WHEEL": wheel_text()}
        self.rows = {}        # name -> another row of RECORD, None for none
        self.more_rows = []
        self.without = set()  # files of dist-info

    def add(self, name, data=b"x = 1\n", **fields):
        self.members.append(Member(name, data, **fields))
        return self

    def first(self, **fields):
        """Changes the first member."""
        self.members[0] = dataclasses.replace(self.members[0], **fields)
        return self

    def text(self, name, text):
        self.texts[name] = text.encode() if isinstance(text, str) else text
        return self

    def entry_points(self, text):
        return self.text("entry_points.txt", "[console_scripts]\n" + text + "\n")

    def row(self, name, row):
        self.rows[name.replace("INFO", self.info)] = row
        return self

    def leave_out(self, name):
        self.without.add(name)
        return self

    def all_members(self):
        members = list(self.members)
        members += [Member(f"{self.info}/{name}", data) for name, data in self.texts.items() if name not in self.without]
        rows = []
        for member in members:
            if member.only_local or _bytes(member.name).endswith(b"/"):
                continue
            name = _bytes(member.name).decode("utf-8", "replace")
            row = self.rows.get(name, record_row(name, member.data))
            if row is not None:
                rows.append(row)
        rows += self.more_rows + [f"{self.info}/RECORD,,"]
        if "RECORD" not in self.without:
            members.append(Member(f"{self.info}/RECORD", ("\n".join(rows) + "\n").encode()))
        return members

    def zip(self, **options):
        return zip_of(self.all_members(), **options)


def metadata(name="evil", version="1.0"):
    return f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\nRequires-Python: >=3.8\n\n".encode()


def wheel_text(version="1.0"):
    return f"Wheel-Version: {version}\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n".encode()


# A build back end of the sdist's own, so that building needs nothing from elsewhere.
BACKEND = b'''
import base64, hashlib, os, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    info = "evil-1.0.dist-info/"
    files = {"evil/__init__.py": b"VALUE = 1\\n",
             info + "METADATA": b"Metadata-Version: 2.2\\nName: evil\\nVersion: 1.0\\nRequires-Python: >=3.8\\n\\n",
             info + "WHEEL": b"Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}
    rows = "".join("%s,sha256=%s,%d\\n" % (k, base64.urlsafe_b64encode(hashlib.sha256(v).digest()).decode().rstrip("="), len(v))
                   for k, v in files.items())
    files[info + "RECORD"] = (rows + info + "RECORD,,\\n").encode()
    with zipfile.ZipFile(os.path.join(folder, "evil-1.0-py3-none-any.whl"), "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return "evil-1.0-py3-none-any.whl"
'''
PYPROJECT = b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n\n[project]\nname = "evil"\nversion = "1.0"\n'


def tar_entry(name, data=b"", kind=tarfile.REGTYPE, link="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname, info.mode = len(data), kind, link, mode
    return info, data


def sdist_entries(top="evil-1.0", **texts):
    files = {"PKG-INFO": metadata(), "pyproject.toml": PYPROJECT, "backend.py": BACKEND}
    files.update({{"PKG_INFO": "PKG-INFO", "backend_py": "backend.py"}[name]: data for name, data in texts.items()})
    return [tar_entry(f"{top}/{name}", data) for name, data in files.items()]


def tar_of(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def sdist_of(more=(), **texts):
    return gzip.compress(tar_of([*sdist_entries(**texts), *more]), 6, mtime=0)
