// Feeds damaged locks, and files of other tools, to what reads them: the two readers of locks, conflict markers,
// merging, selection, export and import. Each may refuse a text with an Error and must do nothing worse; what is
// accepted must be written and read again unchanged, and both readers must agree. The sequence depends on the seed
// only:
//   lock_fuzz <iterations> [seed]
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "fuzz/mutate.h"
#include "resolver/lock/conflict_markers.h"
#include "resolver/lock/export_requirements.h"
#include "resolver/lock/import_pins.h"
#include "resolver/lock/lock_canonical.h"
#include "resolver/lock/merge.h"

namespace {

using namespace dae;
using namespace dae::resolver;

std::string digest(char digit) {
  return "{sha256 = \"" + std::string(64, digit) + "\"}";
}

const std::string kHead =
    "lock-version = \"1.0\"\nenvironments = [\n    \"python_version == '3.11'\",\n]\nrequires-python = \">=3.11\"\n"
    "extras = [\"docs\"]\ndependency-groups = [\"dev\"]\ndefault-groups = []\ncreated-by = \"dae\"\n";
const std::string kWheel =
    "\n[[packages]]\nname = \"flask\"\nversion = \"3.1\"\nmarker = \"'docs' in extras\"\nrequires-python = \">=3.9\"\n"
    "dependencies = [\n    {name = \"tomli\"},\n]\nindex = \"https://i.example/simple/\"\nsdist = {name = "
    "\"flask-3.1.tar.gz\", upload-time = 2025-01-25T11:30:10.16Z, url = \"https://x.example/flask-3.1.tar.gz\", size = "
    "12, hashes = " +
    digest('b') +
    "}\nwheels = [\n    {name = \"flask-3.1-py3-none-any.whl\", url = \"https://x.example/f\", hashes = " +
    digest('a') + "},\n]\nattestation-identities = [\n    {kind = \"GitHub\", repository = \"x/y\"},\n]\n";
const std::string kSources =
    "\n[[packages]]\nname = \"git\"\nvcs = {type = \"git\", url = \"https://g.example/x\", commit-id = \"" +
    std::string(40, 'c') +
    "\", subdirectory = \"a\"}\n\n[[packages]]\nname = \"here\"\ndirectory = {path = \"../here\", editable = "
    "true}\n\n[[packages]]\nname = \"zip\"\nversion = \"1\"\narchive = {url = \"https://x.example/z.zip\", hashes = " +
    digest('d') + ", subdirectory = \"lib\"}\n";
const std::string kTool =
    "\n[tool.dae]\ninput-digest = \"sha256:00\"\ncutoff = \"2026-01-01T00:00:00Z\"\ntargets = [\n    {python = "
    "\"3.11\", python-full = \"3.11.4\", implementation = \"cpython\", platform = \"manylinux_2_36_x86_64\"},\n]\n";

const std::vector<std::string> kCorpus = {
    kHead + kWheel + kSources + kTool,
    kHead + "packages = []\n" + kTool,
    "# foreign\n" + kHead + kSources + kTool,
    kHead +
        "\n[[packages]]\nname = \"a\"\n<<<<<<< HEAD\nversion = \"1\"\n||||||| 12\nversion = \"0\"\n=======\nversion = "
        "\"2\"\n>>>>>>> other\n" +
        kTool,
    "[[package]]\nname = \"a\"\nversion = \"1.0\"\n[package.source]\ntype = \"git\"\nurl = \"x\"\n[metadata]\n"
    "lock-version = \"2.0\"\n",
    "version = 1\n[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { registry = \"https://i\" }\n",
    R"({"_meta": {}, "default": {"a": {"version": "==1.0", "hashes": ["sha256:aa"]}}, "develop": {}})",
    "# compiled\na[x]==1.0 ; python_version < \"4\" \\\n    --hash=sha256:aa\n-e ./b\nc===2\nd @ https://x/d.zip\n",
};
const std::vector<std::string> kTokens = {
    "\"",      "'",   "[",  "]",       "{",        "}",       "\n",      "=",       ",",    ".",   "\\",
    "\\u0000", "#",   "[[", "<<<<<<<", "=======",  ">>>>>>>", "|||||||", "version", "name", "url", "path",
    "../",     "1.0", "2",  "\xff",    "\xc3\xa9", "sha256",  "extra",   " or ",    "\r\n", "-"};

using fuzz::below;
using fuzz::Random;

[[noreturn]] void fail(const char* what, const std::string& input, const std::string& detail) {
  std::fprintf(stderr, "%s: %s\ninput (%zu bytes):\n%s\n", what, detail.c_str(), input.size(), input.c_str());
  std::exit(1);
}

// A lock that was read can be written, read by both readers, and written the same.
void check_lock(const std::string& input, const Lock& lock) {
  const std::string text = render_lock(lock);
  Lock again;
  try {
    again = parse_lock("# general\n" + text, "fuzz");
  } catch (const Error& error) {
    fail("what was written is refused", input, std::string(error.what()) + "\n" + text);
  }
  if (render_lock(again) != text) fail("written differently", input, text + "\n----\n" + render_lock(again));
  const auto fast = parse_canonical_lock(text);
  if (fast && render_lock(*fast) != text) fail("read differently by the fast reader", input, text);
  const SelectOptions everything{lock.extras, lock.dependency_groups, true};
  try {
    Target target;
    target.python_version = "3.11";
    target.python_full_version = "3.11.4";
    target.platform = "manylinux_2_36_x86_64";
    select(lock, target, everything);
  } catch (const Error&) {
  }
  try {
    ExportOptions options;
    options.which = everything;
    options.via = true;
    export_requirements(lock, options);
  } catch (const Error&) {
  }
}

void run_one(const std::string& input, const Lock& other) {
  if (const auto fast = parse_canonical_lock(input)) {
    if (render_lock(*fast) != input) fail("the fast reader is lenient", input, render_lock(*fast));
    try {
      if (render_lock(parse_lock("# general\n" + input, "fuzz")) != input) fail("the readers differ", input, "");
    } catch (const Error& error) {
      fail("the general reader refuses what the fast one takes", input, error.what());
    }
  }
  try {
    bool mended = false;
    const Lock lock = parse_previous_lock(input, "fuzz", &mended);
    const LockMerge merged = merge_locks(Lock(), lock, other);
    // A mended lock is good for its pins only: its packages need not have files.
    if (!mended) check_lock(input, lock);
    if (!mended) check_lock(input, merged.lock);
  } catch (const Error&) {
  }
  for (const char* name : {"poetry.lock", "Pipfile.lock", "requirements.txt", "pylock.toml", "unknown"}) {
    try {
      import_pins_from(name, input);
    } catch (const Error&) {
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 10000;
  Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20260101);
  const Lock other = parse_lock(kCorpus[0], "corpus");
  if (!parse_canonical_lock(kCorpus[0]) || !parse_canonical_lock(kCorpus[1])) {
    fail("the fast reader refuses a canonical lock", kCorpus[0], "");
  }
  for (const std::string& seed : kCorpus) run_one(seed, other);
  for (long i = 0; i < iterations; ++i)
    run_one(fuzz::mutate(random, kCorpus[below(random, kCorpus.size())], kCorpus, kTokens, 3), other);
  std::printf("%ld inputs, nothing found\n", iterations);
  return 0;
}
