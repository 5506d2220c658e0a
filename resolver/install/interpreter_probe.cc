#include "resolver/install/interpreter_probe.h"

namespace dae::resolver {

const char* const kInterpreterProbe = R"python(
import json, os, struct, sys, sysconfig
def elf_header():
    with open(sys.argv[1] if len(sys.argv) > 1 else sys.executable, "rb") as program:
        head = program.read(64)
        if head[:4] != b"\x7fELF":
            return "", 0, 0
        wide = head[4:5] == b"\x02"
        order = "<" if head[5:6] == b"\x01" else ">"
        def number(kind, data, at):
            return struct.unpack_from(order + kind, data, at)[0]
        machine = number("H", head, 18)
        flags = number("I", head, 48 if wide else 36)
        table = number("Q", head, 32) if wide else number("I", head, 28)
        size, count = number("H", head, 54 if wide else 42), number("H", head, 56 if wide else 44)
        for i in range(count):
            program.seek(table + i * size)
            entry = program.read(size)
            if number("I", entry, 0) != 3:  # PT_INTERP
                continue
            program.seek(number("Q", entry, 8) if wide else number("I", entry, 4))
            path = program.read(min(4096, number("Q", entry, 32) if wide else number("I", entry, 16)))
            return path.split(b"\0")[0].decode("utf-8", "replace"), machine, flags
        return "", machine, flags

loader, machine, flags, libc = "", 0, 0, ""
try:
    loader, machine, flags = elf_header()
except (EnvironmentError, TypeError, ValueError, struct.error):
    pass
if "musl" in loader:
    try:
        import subprocess
        process = subprocess.Popen([loader], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = process.communicate()[1].decode("utf-8", "replace").splitlines()
    except EnvironmentError:
        lines = []
    for line in lines:
        if line.strip().startswith("Version "):
            libc = "musl " + line.strip()[8:].strip()
            break
elif machine != 40 or flags & 0xff000400 == 0x05000400:  # ARM: manylinux is the hard-float ABI of EABI 5 only
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        pass
base = getattr(sys, "_base_executable", None) or sys.executable
real = os.path.realpath(base)
base_prefix = getattr(sys, "base_prefix", sys.prefix)
if sys.prefix != base_prefix and real.startswith(os.path.realpath(sys.prefix) + os.sep):
    real = os.path.realpath(os.path.join(base_prefix, "bin", "python%d.%d" % sys.version_info[:2]))
def site_packages():
    # What an environment made of this interpreter has, below its root; Debian's own schemes are for the system.
    names = sysconfig.get_scheme_names()
    scheme = "venv" if "venv" in names else "posix_prefix"
    root = "/environment"
    path = sysconfig.get_path("purelib", scheme, {"base": root, "platbase": root, "installed_base": root})
    return path[len(root) + 1:] if path.startswith(root + "/lib") else ""
try:
    site = site_packages()
    managed = os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED"))
except (AttributeError, KeyError, TypeError):
    site, managed = "", False
version = "%d.%d.%d" % sys.version_info[:3]
level = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(sys.version_info[3])
if level:
    version += level + str(sys.version_info[4])
implementation = getattr(sys, "implementation", None)
sys.stdout.write(json.dumps({
    "implementation": getattr(implementation, "name", "cpython"),
    "cache_tag": getattr(implementation, "cache_tag", None) or "",
    "executable": sys.executable, "real_executable": real, "version": version, "libc": libc,
    "platform": sysconfig.get_platform(), "bits": struct.calcsize("P") * 8,
    "site_packages": site, "base_prefix": base_prefix, "externally_managed": managed,
    "soabi": sysconfig.get_config_var("SOABI") or "",
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED"))}) + "\n")
)python";

}  // namespace dae::resolver
