// Opens damaged packed pages and metadata: the cache may hold anything, and reading it must do nothing worse than
// refuse it. The sequence depends on the seed only:
//   packed_fuzz <iterations> [seed]
#include <cstdio>
#include <cstdlib>
#include <random>

#include "base/clock.h"
#include "resolver/source/file_choice.h"
#include "resolver/source/packed_metadata.h"
#include "resolver/source/packed_page.h"

namespace {

using namespace dae;
using namespace dae::resolver;

using Random = std::mt19937_64;

ProjectPage sample_page() {
  ProjectPage page;
  page.name = "a";
  page.status = "deprecated";
  for (const char* name :
       {"a-1.0-py3-none-any.whl", "a-1.0.tar.gz", "a-1!2+x.y-1abc-cp311-abi3-manylinux_2_17_x86_64.whl",
        "a-2024.1rc1.zip", "a-3-py2.py3-none-any.whl"}) {
    IndexFile file;
    file.name = name;
    file.url = "https://host/x/" + file.name;
    file.sha256 = std::string(64, static_cast<char>('a' + page.files.size()));
    file.hashes = {{"sha256", file.sha256}, {"md5", "00"}};
    file.requires_python = page.files.size() % 2 ? ">=3.8" : "";
    file.upload_time = "2024-01-01T00:00:00Z";
    file.size_bytes = 5;
    page.files.push_back(file);
  }
  return page;
}

// Numbers matter more than bytes: most of what can go wrong is a count or an offset.
void damage(Random& random, std::string& bytes) {
  for (size_t edits = 1 + random() % 3; edits > 0 && !bytes.empty(); --edits) {
    const size_t at = random() % bytes.size();
    switch (random() % 4) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1: {
        const uint32_t values[] = {0, 1, 0x7fffffff, 0xffffffff, static_cast<uint32_t>(bytes.size())};
        const size_t word = at / 4 * 4;
        for (size_t i = 0; i < 4 && word + i < bytes.size(); ++i) {
          bytes[word + i] = static_cast<char>(values[random() % 5] >> (8 * i));
        }
        break;
      }
      case 2:
        bytes.erase(at, 1 + random() % 8);
        break;
      default:
        bytes.insert(at, std::string(1 + random() % 8, static_cast<char>(random())));
    }
  }
}

size_t read_page(std::string_view hot, std::string_view cold, TargetFit& fit) {
  const auto page = PackedPage::open(hot, cold, nullptr);
  if (!page) return 0;
  FileRules rules;
  rules.cutoff_ms = 1'700'000'000'000;
  FileChoice choice(*page, fit, rules);
  size_t out = page->name().size() + page->status_reason().size() + page->index_url().size();
  for (uint32_t release = 0; release < page->releases(); ++release) {
    out += page->version(release).text().size() + choice.usable(release).size();
    for (uint32_t file = page->first_file(release); file < page->first_file(release + 1); ++file) {
      out += page->digest(release, file).value_or("").size();
    }
  }
  if (const auto all = page->unpacked()) out += all->files.size();
  return out;
}

size_t read_metadata(std::string_view bytes) {
  const auto metadata = PackedMetadata::open(bytes, nullptr);
  if (!metadata) return 0;
  size_t out = metadata->broken().size() + metadata->requires_python().size() + metadata->provides_extra().size();
  for (const Dependency& one : metadata->dependencies()) {
    for (const std::string_view text : {one.name, one.extras, one.specifier, one.url, one.marker}) {
      for (const char c : text) out += static_cast<unsigned char>(c);
    }
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 10000;
  Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20260101);
  const PackedParts page = PackedPage::pack(sample_page(), "https://host/");
  const std::string metadata = PackedMetadata::pack(
      "Metadata-Version: 2.1\nName: a\nVersion: 1\nProvides-Extra: x\nRequires-Dist: b[c]>=1; extra == 'x'\n", "fuzz");
  TargetFit fit(declared_target("3.11", "manylinux_2_36_x86_64"));
  size_t read = 0;
  if (read_page(page.hot, page.cold, fit) == 0 || read_metadata(metadata) == 0) {
    std::fprintf(stderr, "the undamaged bytes are refused\n");
    return 1;
  }
  for (long i = 0; i < iterations; ++i) {
    PackedParts one = page;
    damage(random, random() % 4 == 0 ? one.cold : one.hot);
    read += read_page(one.hot, one.cold, fit);
    std::string text = metadata;
    damage(random, text);
    read += read_metadata(text);
  }
  std::printf("%ld inputs, %zu things read, nothing found\n", iterations, read);
  return 0;
}
