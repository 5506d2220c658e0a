// Checks wheels whose names, RECORD and other texts lie: anything but a refusal is a finding, and so is a wheel that is
// taken although a file of it would leave its place. The sequence depends on the seed only:
//   wheel_fuzz <iterations> [seed]
#include <cstdio>
#include <cstdlib>
#include <set>

#include "base/error.h"
#include "base/zip.h"
#include "fuzz/mutate.h"
#include "resolver/install/wheel_check.h"
#include "support/zip_writer.h"

namespace {

using namespace dae;
using fuzz::below;
using fuzz::Random;

const std::vector<std::string> kTokens{"/",
                                       "..",
                                       "../",
                                       ",",
                                       "\"",
                                       "\n",
                                       "=",
                                       ".data/",
                                       "bin/",
                                       "python3",
                                       ".dist-info",
                                       "RECORD",
                                       "purelib",
                                       "site/",
                                       "sha256=",
                                       ",,\n",
                                       "[console_scripts]\n",
                                       "a = b:c\n",
                                       ":",
                                       "\\",
                                       "lib64/python3.11/site-packages/"};

resolver::EnvLayout layout() {
  resolver::Interpreter python;
  python.version = "3.11.7";
  return {"/", python};
}

std::vector<testing::ZipMember> sample() {
  const std::string scripts = "[console_scripts]\nrun = pkg.mod:main\n[gui_scripts]\nwin = pkg:x.y\n";
  const std::vector<testing::ZipMember> files{{"pkg/__init__.py", "X = 1\n"},
                                              {"pkg/mod.py", "\"\"\"text\"\"\"\n"},
                                              {"A_b-1.data/scripts/tool", "#!python\n", true},
                                              {"A_b-1.data/data/share/x", "x"},
                                              {"A_b-1.data/purelib/pkg/pure.py", ""},
                                              {"A_b-1.data/headers/a.h", ""},
                                              {"A_b-1.dist-info/entry_points.txt", scripts}};
  testing::WheelBuilder builder("A_b", "1");
  std::string record;
  std::vector<testing::ZipMember> out = files;
  out.push_back({"A_b-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n"});
  out.push_back({"A_b-1.dist-info/METADATA", builder.metadata()});
  for (const testing::ZipMember& file : out) {
    record += file.name + ",sha256=" + resolver::digest_base64url(Digest::of(file.bytes)) + "," +
              std::to_string(file.bytes.size()) + "\n";
  }
  out.push_back({"A_b-1.dist-info/RECORD", record + "A_b-1.dist-info/RECORD,,\n"});
  return out;
}

[[noreturn]] void finding(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

bool stays_inside(const std::string& path) {
  const Path normal = Path(path).lexically_normal();
  return !path.empty() && path[0] != '/' && normal.generic_string() == path && *normal.begin() != "..";
}

void expect_to_be_harmless(const resolver::CheckedWheel& wheel) {
  std::set<std::string> paths, targets;
  const std::set<std::string> dirs(wheel.dirs.begin(), wheel.dirs.end());
  for (const resolver::PlacedFile& file : wheel.files) {
    if (file.path.empty()) continue;
    const std::string parent = Path(file.path).parent_path().generic_string();
    if (!stays_inside(file.path) || !paths.insert(file.path).second)
      finding("a path that should be refused: " + file.path);
    if (!dirs.contains(parent) || dirs.contains(file.path)) finding("no directory for " + file.path);
  }
  for (const resolver::StoredWheel::DataFile& file : wheel.data) {
    const bool ours =
        file.target == "pyvenv.cfg" || file.target == "dae-env.json" || file.target.starts_with("bin/python");
    if (ours || !stays_inside(file.target) || !targets.insert(file.target).second || !paths.contains(file.source)) {
      finding("a target that should be refused: " + file.target);
    }
  }
  for (const resolver::EntryPoint& entry : wheel.entry_points) {
    if (entry.name.find('/') != std::string::npos || !targets.insert("bin/" + entry.name).second) {
      finding("a script that should be refused: " + entry.name);
    }
  }
}

// True when it is taken.
bool check(const Path& file, const std::vector<testing::ZipMember>& members) {
  write_file_atomic(file, testing::make_zip(members), 0644, Durability::none);
  try {
    const ZipFile zip = ZipFile::open(file, "fuzz");
    expect_to_be_harmless(resolver::check_wheel(zip, "a-b", "1", layout()));
    resolver::verify_wheel(zip, "a-b", "1", layout());
    return true;
  } catch (const Error& error) {
    const ErrorKind kind = error.kind();
    if (kind == ErrorKind::bad_input || kind == ErrorKind::verification || kind == ErrorKind::refused) return false;
    finding(error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 10000;
  Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20260101);
  const TempDir dir("wheel-fuzz-", exists("/dev/shm") ? "/dev/shm" : "");
  const Path file = dir.path() / "x.whl";
  const std::vector<testing::ZipMember> good = sample();
  if (!check(file, good)) finding("the undamaged wheel is refused");
  std::vector<std::string> corpus;
  for (const testing::ZipMember& member : good) {
    corpus.push_back(member.name);
    corpus.push_back(member.bytes.empty() ? "x" : member.bytes);
  }
  long taken = 0;
  for (long i = 0; i < iterations; ++i) {
    std::vector<testing::ZipMember> members = good;
    testing::ZipMember& victim = members[below(random, members.size())];
    const std::string old = victim.name;
    if (below(random, 2) == 0) {
      victim.name = fuzz::mutate(random, victim.name, corpus, kTokens, 2);
    } else {
      victim.bytes = fuzz::mutate(random, victim.bytes, corpus, kTokens, 3);
    }
    // Mostly the lie is in RECORD as well: else little gets past the comparison.
    testing::ZipMember& record = members.back();
    if (&victim != &record && below(random, 4) != 0) {
      const size_t at = record.bytes.find(old + ",");
      const size_t end = at == std::string::npos ? at : record.bytes.find('\n', at);
      if (end != std::string::npos) {
        record.bytes.replace(at, end - at,
                             victim.name + ",sha256=" + resolver::digest_base64url(Digest::of(victim.bytes)) + ",");
      }
    }
    taken += check(file, members) ? 1 : 0;
  }
  std::printf("%ld wheels, %ld of them taken, nothing found\n", iterations, taken);
  return 0;
}
