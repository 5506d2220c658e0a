// Feeds mutated direct references, .gitmodules, pyproject.toml files and direct_url.json to what reads them. A reader
// may refuse with an Error and must do nothing worse; what it accepts keeps its promises. The sequence depends on the
// seed:
//   sources_fuzz <iterations> [seed]
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/fs.h"
#include "fuzz/mutate.h"
#include "resolver/source/direct_reference.h"
#include "resolver/source/gitmodules.h"
#include "resolver/source/source_tree.h"
#include "resolver/standards/direct_url.h"
#include "resolver/standards/metadata.h"

namespace {

using namespace dae;
using namespace dae::resolver;

constexpr const char* kLogin = "://user:s3cretpass@";
const std::vector<std::string> kCorpus = {
    "git+https://user:s3cretpass@host:8443/a/b.git@feature/x#egg=My.Name[extra]&subdirectory=py/lib",
    "git+ssh://git@host/a/b.git@v1.0",
    "hg+https://user:s3cretpass@host/repo@stable#egg=x",
    "x @ https://user:s3cretpass@host/x-1.tar.gz#sha256="
    "00000000000000000000000000000000000000000000000000000000000000ff&subdirectory=a",
    "git+file:///srv/repo@0123456789abcdef#subdirectory=./a/../b",
    "file:///srv/a%20b/x.whl",
    "./lib[extra]#egg=x",
    "git@host:a/b.git",
    "[submodule \"a b\"]\n\tpath = \"libs/a b\" # note\n\turl = ../x.git\n[submodule "
    "\"c\"]\r\n\tURL=./c\r\n\tpath=c\r\n",
    "[project]\nname = \"x\"\nversion = \"1\"\nrequires-python = \">=3\"\ndependencies = [\"y>1; os_name=='a'\", \"z @ "
    "https://h/z.zip ; extra=='q'\"]\n[project.optional-dependencies]\nA_b = [\"w\"]\n",
    R"({"url":"https://user:s3cretpass@h/x","vcs_info":{"vcs":"git","commit_id":"00ff","requested_revision":"v1"}})",
};
const std::vector<std::string> kTokens = {
    "git+", "hg+",  "://", "@",    ":", "/", "..", "#",    "&subdirectory=", "%2e%2e", "%00",
    "\n",   "\"",   "[",   "]",    "=", "-", "\\", "egg=", "file:",          " @ ",    "\t",
    "%2F",  "${A}", "//",  "\r\n", "?", ";", "[[", "ssh"};

using fuzz::below;
using fuzz::Random;

[[noreturn]] void fail(const char* what, const std::string& input) {
  std::fprintf(stderr, "%s\ninput (%zu bytes): %s\n", what, input.size(), input.c_str());
  std::exit(1);
}

void check_reference(const std::string& input) {
  try {
    const DirectReference out = parse_direct_reference(input, "/app");
    const std::string& sub = out.subdirectory;
    if (sub.starts_with("/") || ("/" + sub + "/").find("/../") != std::string::npos) fail("a folder above", input);
    if (out.revision.starts_with("-") || out.revision.find("..") != std::string::npos) fail("an odd revision", input);
    if (out.kind != DirectReference::Kind::vcs) return;
    bool known = false;
    for (const char* scheme : {"https://", "http://", "ssh://", "file://"})
      known = known || out.url.starts_with(scheme);
    if (!known || (out.vcs != "git" && out.vcs != "hg")) fail("an odd protocol", input);
    if (out.url.find("://-") != std::string::npos || out.url.find("@-") < out.url.find('/', 8))
      fail("an option", input);
    if (out.url.find(kLogin) == out.url.find("://") && out.label.find(kLogin) == out.label.find("://")) {
      fail("a password in the label", input);
    }
  } catch (const Error&) {
  }
}

void check_others(const Path& dir, const std::string& input) {
  for (const auto& [path, url] : git::parse_gitmodules(input)) {
    try {
      const std::string whole = git::submodule_url("https://host/a/b", url);
      if (url.starts_with("../") && !whole.starts_with("https://host/")) fail("another host", input);
    } catch (const Error&) {
    }
  }
  try {
    parse_direct_url(input, "fuzz");
  } catch (const Error&) {
  }
  try {
    write_file_atomic(dir / "pyproject.toml", input, 0644, Durability::none);
    if (const auto text = pyproject_metadata(dir, "fuzz")) parse_core_metadata(*text, "fuzz");
  } catch (const Error&) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 10000;
  Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20260101);
  const TempDir dir("dae-fuzz-");
  for (const std::string& seed : kCorpus) {
    check_reference(seed);
    check_others(dir.path(), seed);
  }
  for (long i = 0; i < iterations; ++i) {
    const std::string input = fuzz::mutate(random, kCorpus[below(random, kCorpus.size())], kCorpus, kTokens, 5);
    check_reference(input);
    check_others(dir.path(), input);
  }
  std::printf("%ld inputs, nothing found\n", iterations);
  return 0;
}
