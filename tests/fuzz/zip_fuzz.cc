// Opens damaged ZIP archives and reads what opens: anything but bad_input is a finding, and so is an archive whose
// members overlap, leave gaps or have names that are not safe. The sequence depends on the seed only:
//   zip_fuzz <iterations> [seed]
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

#include "base/error.h"
#include "base/zip.h"
#include "support/zip_writer.h"

namespace {

using namespace dae;
using Random = std::mt19937_64;

std::string sample() {
  return testing::make_zip({{"a/b.txt", "some text", false, true},
                            {"a/c", std::string(300, 'c'), true, true},
                            {"stored", "as it is"},
                            {"empty", ""}},
                           "a comment");
}

// Fields matter more than bytes: signatures, sizes and offsets are overwritten by each other and by extremes, pieces
// are doubled, moved and cut out.
void damage(Random& random, std::string& bytes) {
  static const std::string kWords[] = {"PK\3\4",
                                       "PK\1\2",
                                       "PK\5\6",
                                       "PK\6\6",
                                       "PK\6\7",
                                       "PK\7\x08",
                                       std::string(4, '\0'),
                                       std::string(4, '\xff'),
                                       std::string("\1\0\0\0", 4),
                                       std::string("\0\0\0\x80", 4)};
  for (size_t edits = 1 + random() % 3; edits > 0 && bytes.size() > 8; --edits) {
    const size_t at = random() % (bytes.size() - 4);
    switch (random() % 6) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        break;
      case 2:
        bytes.replace(at, 4, kWords[random() % std::size(kWords)]);
        break;
      case 3:
        bytes.replace(at, 4, bytes, random() % (bytes.size() - 4), 4);
        break;
      case 4:
        bytes.erase(at, 1 + random() % 60);
        break;
      default:
        bytes.insert(at, bytes.substr(random() % bytes.size(), 1 + random() % 120));
    }
  }
}

// True when it opened.
bool check(const Path& file, const std::string& bytes) {
  write_file_atomic(file, bytes, 0644, Durability::none);
  try {
    const ZipFile zip = ZipFile::open(file, "fuzz");
    uint64_t end = 0;
    for (const ZipMember& member : zip.members()) {
      if (member.offset < end || member.name.empty() || member.name.front() == '/' ||
          member.name.find("..") != std::string::npos) {
        std::fprintf(stderr, "a member that should have been refused: %s\n", member.name.c_str());
        std::abort();
      }
      end = member.offset + member.packed_bytes;
    }
    for (const ZipMember& member : zip.members()) {
      uint64_t got = 0;
      zip.read(member, [&](std::string_view piece) { got += piece.size(); });
      if (got != member.size_bytes) std::abort();
    }
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::bad_input) return false;
    std::fprintf(stderr, "%s\n", error.what());
    std::abort();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 10000;
  Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20260101);
  const TempDir dir("zip-fuzz-", exists("/dev/shm") ? "/dev/shm" : "");
  const Path file = dir.path() / "x.zip";
  const std::string good = sample();
  if (!check(file, good)) {
    std::fprintf(stderr, "the undamaged archive is refused\n");
    return 1;
  }
  long opened = 0;
  for (long i = 0; i < iterations; ++i) {
    std::string bytes = good;
    damage(random, bytes);
    opened += check(file, bytes) ? 1 : 0;
  }
  std::printf("%ld archives, %ld of them opened, nothing found\n", iterations, opened);
  return 0;
}
