// Damaged heads and log entries of a shared catalog: read, or refused with a dae::Error. Changesets are not damaged
// here: SQLite's reader of them is used behind a digest only (base/sqlite_changes.h).
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "fuzz/mutate.h"
#include "mirror/storage/catalog_head.h"

namespace {

using namespace dae;
using namespace dae::fuzz;
using namespace dae::mirror;

const std::string kDigest(64, 'a');
const std::vector<std::string> kTokens = {"{", "}",   "[",    "]",        "\"",         ",",     ":",  "-1",
                                          "0", "1e9", "null", "\"base\"", "\"recent\"", kDigest, "\0", "\xff"};

template <typename Read>
bool is_read(Read&& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::failed) std::abort();
    return false;
  }
}

std::vector<std::string> heads() {
  CatalogHead empty, full;
  empty.schema = 9;
  full = {9, 600, 77, 1'790'000'000'000, "host/1", "etcd://a/b", {512, kDigest, 4096, 900}, 1000, {kDigest, kDigest}};
  return {write_head(empty), write_head(full)};
}

bool fuzz_head(const std::string& text) {
  return is_read([&] {
    const CatalogHead head = parse_head(text, "fuzz");
    if (write_head(parse_head(write_head(head), "again")) != write_head(head)) std::abort();
    if (head.base.sequence > head.sequence || head.recent.empty() != (head.sequence == 0)) std::abort();
  });
}

}  // namespace

int main(int argc, char** argv) {
  const size_t iterations = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000;
  Random random(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1);
  const std::vector<std::string> good_heads = heads();
  const std::vector<std::string> entries = {write_entry({9, 1, "", "changes"}), write_entry({9, 2, kDigest, ""})};
  size_t read[2] = {};
  for (size_t i = 0; i < iterations; ++i) {
    const auto damaged = [&](const std::vector<std::string>& corpus) {
      return mutate(random, corpus[below(random, corpus.size())], corpus, kTokens, 3);
    };
    if (fuzz_head(damaged(good_heads))) ++read[0];
    const std::string entry = damaged(entries);
    if (is_read([&] { parse_entry(entry, "fuzz"); })) ++read[1];
  }
  std::printf("of %zu each: %zu heads, %zu entries read\n", iterations, read[0], read[1]);
  return read[0] > 0 && read[1] > 0 ? 0 : 1;
}
