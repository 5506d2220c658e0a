// Feeds mutated texts to the readers of files: requirements files, pyproject.toml and its edits, script blocks, core
// metadata, index pages, direct_url.json. A reader may refuse a text with an Error and must do nothing worse; an edit
// must be read again as what it was meant to be. The sequence depends on the seed only:
//   formats_fuzz <iterations> [seed]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "fuzz/mutate.h"
#include "resolver/lock/project.h"
#include "resolver/standards/direct_url.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/script_metadata.h"
#include "resolver/standards/simple_page.h"

namespace {

using namespace dae;
using namespace dae::resolver;

const std::string kSha(64, 'a');
const std::vector<std::string> kRequirements = {
    "# -*- coding: latin-1 -*-\nflask>=3 \\\n  --hash=sha256:" + kSha + " \\\n  --hash=sha384:" + std::string(96, 'b') +
        "  # pinned\n\n",
    "-i https://u:${HOME}@host/simple/\n--extra-index-url=https://b/\n--no-binary a,:all:\n--pre --trusted-host x\n",
    "-e ./lib[dev] ; python_version < '3.12'\n-e git+https://host/a.git@v1#egg=a[x]&subdirectory=py\n-e n @ "
    "hg+ssh://h/x\n",
    "./pkg[x]; os_name == 'nt'\nlib-1.0-py3-none-any.whl\nhttps://host/x.zip ; extra == 'a'\nfile:../y\r\nz\rb\\\n",
    "\xef\xbb\xbf"
    "a==1 # c\n-f 'other dir'\n--config-settings=\"a=b c\"\n",
    std::string("\xff\xfe"
                "a\0=\0=\0"
                "1\0\n\0b\0",
                16),
};
const std::vector<std::string> kPyprojects = {
    "[project]\nname = \"app\"\nversion = '1'\nrequires-python = \">=3.11\"\ndependencies = [\n  \"flask>=3\", # web\n"
    "  'app[x]; os_name == \"nt\"',\n]\n[project.optional-dependencies]\nx = [\"y\"]\n\"z.z\" = ['app[x,z-z]']\n",
    "[project]\nname = \"app\"\noptional-dependencies.x = [\"y>1\",\"z\"]\n[dependency-groups]\ndev = [\"a\", "
    "{include-group = "
    "\"t\"}]\nt = [\"b\", {include-group = 'u'}]\nu = []\n[tool.dae]\nselection = \"lowest\"\nexclude-newer = "
    "2026-01-31\n",
    "project = {name = \"app\", dependencies = [\"a\", \"b\"], optional-dependencies = {x = "
    "[\"c\"]}}\n[tool.dae.sources]\n"
    "a = {git = \"git@h:o/r.git\", rev = \"1\"}\nb = {path = \"..\", editable = true}\n",
    "[project]\r\nname = \"app\"\r\ndependencies = []\r\n[tool.dae]\r\nindexes = [{name = \"i\", url = "
    "\"https://i/\"}]\r\n"
    "index-of = {a = \"i\"}\r\ndefault-groups = []\r\nno-binary = [\":all:\"]\r\n",
};
const std::vector<std::string> kOthers = {
    "#!/bin/x\n# /// script\n# dependencies = [\"a>=1\"]\n# requires-python = '>=3'\n#\n# [tool.dae]\n# x = '''\n# "
    "///\n# '''\n"
    "# ///\n\n# /// other\n# ///\n",
    "Metadata-Version: 2.6\nName: x\nVersion: 1\nRequires-Dist: y;\n  extra == 'z'\nProvides-Extra: A.b\nDynamic: "
    "Requires-Dist\nDescription: a\n       |b\n\nbody\xe9",
    R"({"url":"https://u:p@h/x.zip","archive_info":{"hash":"sha256=ab","hashes":{"sha256":"ab"}},"subdirectory":"a"})",
    R"({"url":"file:///x","dir_info":{"editable":true}})",
    R"({"url":"ssh://git@h/x","vcs_info":{"vcs":"git","commit_id":"a","requested_revision":"b"}})",
    R"({"meta":{"api-version":"1.4"},"name":"x","versions":["1"],"files":[{"filename":"x-1-py3-none-any.whl","url":"../x",)"
    R"("hashes":{},"size":1,"provenance":"https://h/p","core-metadata":null,"dist-info-metadata":true}]})",
    "<base href=/b/><meta name=pypi:repository-version content=1.5><a href='x-1.tar.gz#sha256=00' data-provenance='/p' "
    "data-yanked=\"&lt;\">x-1.tar.gz</a>",
};
const std::vector<std::string> kTokens = {"\n",   "\r\n",   "\r",  "\\\n",      "#",    " # ",     "\"", "'",  "=",
                                          "==",   "[",      "]",   "{",         "}",    ",",       ";",  "@",  "-",
                                          "--",   "-e ",    "-r ", "${HOME}",   "a",    "b",       "x",  "./", "://",
                                          "git+", "\"\"\"", "'''", "[project]", "\xff", "\x00\x01"};

using fuzz::below;
using fuzz::Random;

[[noreturn]] void fail(const char* what, const std::string& input, const std::string& detail) {
  std::fprintf(stderr, "%s: %s\ninput (%zu bytes): %s\n", what, detail.c_str(), input.size(), input.c_str());
  std::exit(1);
}

// What the file requires, list by list, without the lines.
std::multiset<std::string> required(const ProjectFile& project) {
  std::multiset<std::string> out;
  const auto add = [&](const std::string& list, const std::vector<RootRequirement>& roots) {
    for (const RootRequirement& root : roots) out.insert(list + " " + root.requirement.text());
  };
  add("main", project.requirements);
  for (const auto& [name, roots] : project.extras) add("extra:" + name, roots);
  for (const auto& [name, roots] : project.groups) add("group:" + name, roots);
  return out;
}

// Adds a package nobody else has and takes it away again: the rest must not change.
// True when the text could be edited at all.
bool check_edit(const Path& path, const std::string& text, const EditTarget& target, const std::string& list) {
  ProjectFile before;
  std::string added;
  try {
    before = parse_project(path, text);
    added = with_requirements(before, text, {"zz-new>=1"}, target);
  } catch (const Error&) {
    return false;
  }
  try {
    auto expected = required(before);
    expected.insert(list + " zz-new>=1");
    // More than that where an extra is part of another one.
    const auto now = required(parse_project(path, added));
    if (!std::includes(now.begin(), now.end(), expected.begin(), expected.end())) fail("adding", text, added);
    const std::string removed = without_requirements(before, added, {"zz-new"}, target);
    if (required(parse_project(path, removed)) != required(before)) fail("removing", text, removed);
  } catch (const Error& error) {
    fail("an edited file is refused", text, std::string(error.what()) + "\n" + added);
  }
  return true;
}

void check_direct_url(const std::string& text) {
  std::string written;
  try {
    written = render_direct_url(parse_direct_url(text, "fuzz"));
  } catch (const Error&) {
    return;
  }
  if (render_direct_url(parse_direct_url(written, "fuzz")) != written) fail("direct_url.json", text, written);
}

template <typename Function>
void tolerate(const Function& function) {
  try {
    function();
  } catch (const Error&) {
  }
}

void check_others(const std::string& text) {
  tolerate([&] { read_script_metadata(text, "fuzz.py"); });
  tolerate([&] {
    const CoreMetadata metadata = parse_core_metadata(text, "fuzz");
    metadata.is_append_only("requires-dist");
    check_metadata_matches(metadata, "x-1-py3-none-any.whl", "x");
  });
  metadata_description(text.substr(0, 4096));
  check_direct_url(text);
  for (const char* type : {kSimpleJson, kSimpleHtml}) {
    tolerate([&] {
      const ProjectPage page = parse_project_page(text, type, "https://host/simple/x/", "x");
      const std::string json = render_project_json(page);
      const ProjectPage again = parse_project_page(json, kSimpleJson, "https://host/simple/x/", "x");
      if (render_project_json(again) != json) fail("index page", text, json);
    });
  }
}

// One in three as it stands: an edit of a broken file proves little.
std::string input(Random& random, const std::vector<std::string>& corpus) {
  std::string text = corpus[below(random, corpus.size())];
  return below(random, 3) == 0 ? text : fuzz::mutate(random, std::move(text), corpus, kTokens, 3);
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 10000;
  Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20260101);
  long edits = 0;
  const Path nowhere = "/nonexistent-folder";
  for (long i = 0; i < iterations; ++i) {
    edits += check_edit(nowhere / "pip-req.txt", input(random, kRequirements), {}, "main");
    const std::string toml = input(random, kPyprojects);
    edits += check_edit(nowhere / "pyproject.toml", toml, {}, "main");
    edits += check_edit(nowhere / "pyproject.toml", toml, {EditTarget::Kind::extra, "x"}, "extra:x");
    edits += check_edit(nowhere / "pyproject.toml", toml, {EditTarget::Kind::group, "zz"}, "group:zz");
    check_others(input(random, kOthers));
  }
  std::printf("%ld rounds with %ld edits, nothing found\n", iterations, edits);
  return 0;
}
