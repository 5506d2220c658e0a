// Feeds mutated bytes to what reads an index's side files: netrc, the ends of wheels, freshness headers, file URLs.
// They may refuse with an Error and must do nothing worse; a netrc's Error never repeats what the file holds.
//   index_fuzz <iterations> [seed]
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "resolver/source/find_links.h"
#include "resolver/source/freshness.h"
#include "resolver/source/netrc.h"
#include "resolver/source/source_tree.h"

namespace {

using namespace dae;
using namespace dae::resolver;

const std::vector<std::string> kNetrc = {
    "machine a.test login bob password hunter2secret\ndefault login x password hunter2secret\n",
    "# c\nmachine \"a b\" login \"q\\\"\" account z\nmacdef m\nhunter2secret\n\nmachine b login c",
};
const std::vector<std::string> kCacheControl = {"max-age=600, must-revalidate", "no-store",
                                                "private=\"a, b\", max-age=\"5\"",
                                                "immutable,max-age=99999999999999999999"};
const std::vector<std::string> kUrls = {"file:///a/b%20c.whl#x", "file://localhost/a", "file://other/a", "https://h/x"};
const std::vector<std::string> kProjects = {
    "[project]\nname='a'\nversion='1'\ndependencies=['b>=1; os_name == "
    "\"nt\"']\n[project.optional-dependencies]\nx=['c @ "
    "https://h/c.whl ; extra == \"y\"']\n",
};

std::string mutated(std::mt19937& random, std::string text) {
  for (size_t flips = random() % 5; flips > 0 && !text.empty(); --flips) {
    const size_t at = random() % text.size();
    switch (random() % 4) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, 1 + random() % 8);
        break;
      case 2:
        text.insert(at, text.substr(random() % text.size(), random() % 16));
        break;
      default:
        text.resize(at);
    }
  }
  return text;
}

void check_netrc(const std::string& text) {
  try {
    Netrc::parse(text, "netrc").login("a.test");
  } catch (const Error& error) {
    if (std::string(error.what()).find("hunter2") == std::string::npos) return;
    std::fprintf(stderr, "a secret in a message: %s\n", error.what());
    std::abort();
  }
}

template <typename Action>
void refusing(const Action& action) {
  try {
    action();
  } catch (const Error&) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::atol(argv[1]) : 10'000;
  std::mt19937 random(argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 1u);
  const auto pick = [&](const std::vector<std::string>& texts) {
    return mutated(random, texts[random() % texts.size()]);
  };
  for (long i = 0; i < iterations; ++i) {
    check_netrc(pick(kNetrc));
    const Headers headers{{"Cache-Control", pick(kCacheControl)},
                          {"Age", pick({"12", "-1"})},
                          {"Expires", pick({"Sat, 21 Nov 2026 00:00:00 GMT", "0"})}};
    const Freshness freshness = freshness_of(headers, 1'000'000, kHeuristicFreshMs);
    // At most a year ahead: sums of times cannot overflow.
    if (freshness.fresh_until_ms > 1'000'000 + int64_t{366} * 24 * 3600 * 1000) std::abort();
    refusing([&] { path_of_file_url(pick(kUrls)); });
    refusing([&] { metadata_of_pyproject(pick(kProjects), "pyproject.toml"); });
  }
  std::printf("%ld rounds\n", iterations);
}
