// Feeds mutated tars to the check of their framing, each twice: whole and in pieces. Both must come to the same answer,
// and nothing but bad_input may be thrown.
//   tar_fuzz <iterations> [seed]
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include "base/archive.h"
#include "base/error.h"
#include "fuzz/mutate.h"
#include "mirror/upload/tar_check.h"

namespace {

using namespace dae;
using namespace dae::fuzz;

std::string sample() {
  const TempDir dir;
  write_tar(
      dir.path() / "x.tar",
      {{.name = "demo-1.0/PKG-INFO", .source = {}, .bytes = "Name: demo\n", .link_target = ""},
       {.name = "demo-1.0/" + std::string(120, 'n'), .source = {}, .bytes = std::string(700, 'b'), .link_target = ""}},
      1'700'000'000);
  return read_file(dir.path() / "x.tar");
}

// Where the sum of a header stands, as if whoever made it had meant it.
void mend_sums(std::string& tar) {
  for (size_t at = 0; at + 512 <= tar.size(); at += 512) {
    if (tar.compare(at + 257, 5, "ustar") != 0) continue;
    unsigned sum = 8 * ' ';
    for (size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? 0 : static_cast<unsigned char>(tar[at + i]);
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum & 0777777);
    tar.replace(at + 148, 6, text);
    tar.replace(at + 154, 2, std::string("\0 ", 2));
  }
}

std::string judged(const std::string& tar, size_t piece) {
  const std::string subject = "fuzz";
  const mirror::TarLimits limits;
  mirror::TarFraming framing(subject, limits);
  try {
    for (size_t at = 0; at < tar.size(); at += piece) framing.feed(std::string_view(tar).substr(at, piece));
    framing.finish();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_input) std::abort();
    return error.message();
  }
  return "";
}

void change(Random& random, std::string& tar) {
  const size_t block = below(random, tar.size() / 512) * 512;
  static const size_t kFields[] = {0, 124, 124, 135, 156, 156, 257};
  static const std::string kValues[] = {"7", "0", "8", " ", std::string(1, '\0'), "\x80",       "\xff", "x",
                                        "g", "L", "5", "S", "00000001000",        "77777777777"};
  tar.replace(block + kFields[below(random, std::size(kFields))], 1, kValues[below(random, std::size(kValues))]);
  tar.resize(tar.size() / 512 * 512);
}

}  // namespace

int main(int argc, char** argv) {
  const size_t iterations = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000;
  Random random(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1);
  const std::vector<std::string> corpus = {sample()};
  size_t taken = 0;
  for (size_t i = 0; i < iterations; ++i) {
    std::string tar = corpus.front();
    for (size_t edits = 1 + below(random, 2); edits > 0; --edits) change(random, tar);
    if (below(random, 3) == 0) tar = mutate(random, tar, corpus, {std::string(512, '\0'), "30 size=", "GNU.sparse"}, 2);
    if (below(random, 8) != 0) mend_sums(tar);
    if (tar.empty()) continue;
    const std::string whole = judged(tar, tar.size());
    if (whole != judged(tar, 1 + below(random, 900))) {
      std::fprintf(stderr, "pieces make a difference: %s\n", whole.c_str());
      std::abort();
    }
    if (whole.empty()) ++taken;
  }
  std::printf("%zu of %zu tars taken\n", taken, iterations);
  return taken > 0 ? 0 : 1;
}
