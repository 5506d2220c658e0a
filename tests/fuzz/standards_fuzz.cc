// Feeds mutated texts to every parser of resolver/standards. A parser may refuse a text with an Error and must do
// nothing worse; what it accepts must come out of its own text() unchanged. The sequence depends on the seed only:
//   standards_fuzz <iterations> [seed]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "base/error.h"
#include "base/strings.h"
#include "fuzz/mutate.h"
#include "resolver/install/interpreter_wish.h"
#include "resolver/standards/marker.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"
#include "resolver/standards/requirement.h"
#include "resolver/standards/simple_page.h"
#include "resolver/standards/specifier.h"
#include "resolver/standards/version.h"

namespace {

using namespace dae;
using namespace dae::resolver;

const std::vector<std::string> kCorpus = {
    "1.0",
    "1!2.3.4.5.6rc1.post2.dev3+ubuntu.1-a",
    "v1.0-1",
    "2024.10.1a",
    "1.0.dev",
    "16383.2047.1023.511.post32767",
    "# ours\n3.11  # until spring\n3.13t\ncpython-3.12.4\nsystem\npypy3.10",
    "18446744073709551615",
    "18446744073709551616.1",
    ">=1.0,<2.0,!=1.5.*",
    "~=1.4.5a4",
    "===some-thing",
    "==1.0+local",
    ">=3.6,",
    "flask[async,dotenv]>=2.0; python_version < \"3.8\" and extra == 'x'",
    "pip @ https://host/a.zip#sha256=00 ; os_name=='posix'",
    "a (>=1,<2) ; (sys.platform == 'linux' or 'a' in extras)",
    "python_full_version not in '3.8 3.9' and ('x' in dependency_groups or platform_release >= \"5\")",
    "Flask-3.1.2-1abc-py2.py3-none-any.manylinux_2_17_x86_64.whl",
    "foo-bar-1.0.tar.gz",
    "foo_bar-1.0-2.zip",
    "Metadata-Version: 2.4\nName: x\nVersion: 1\nRequires-Dist: y;\n  extra == 'z'\nProvides-Extra: A.b\n\nbody",
    R"({"meta":{"api-version":"1.4"},"name":"x","versions":["1"],"project-status":{"status":"archived"},"files":[)"
    R"({"filename":"x-1-py3-none-any.whl","url":"../x-1-py3-none-any.whl","hashes":{"sha256":"00"},"size":12,)"
    R"("yanked":"no","core-metadata":{"sha256":"aa"},"upload-time":"2024-01-01T00:00:00Z"}]})",
    R"({"meta":{"api-version":"1.0"},"projects":[{"name":"a"},{"name":"B.c"}]})",
    "<!DOCTYPE html><meta name='pypi:repository-version' content=1.0><base href=\"/b/\"><!-- c --><script>a<b</script>"
    "<a href='x-1.tar.gz#sha256=00&amp;md5=11' data-requires-python=\"&gt;=3\" data-yanked data-core-metadata=true>"
    "x-1.tar.gz</a><A HREF=y-2.zip>&#121;&#x2d;2</A>",
};
const std::vector<std::string> kTokens = {
    "==",   ">=",  "~=",  "===", "<",  ".*",      "+",        "!",     ".post",   ".dev", "rc", "a",
    "0",    "9",   "and", "or",  "in", "not",     "(",        ")",     "[",       "]",    ";",  ",",
    "\"",   "'",   " ",   "\t",  "\n", "\r\n",    "&",        "#",     "=",       "<a",   ">",  "/",
    "<!--", "-->", "{",   "}",   ":",  "\\u0041", "\x00\xff", "extra", "os_name", "..",   "%2e"};

using fuzz::below;
using fuzz::Random;

[[noreturn]] void fail(const char* parser, const std::string& input, const std::string& detail) {
  std::fprintf(stderr, "%s is not stable: %s\ninput (%zu bytes): %s\n", parser, detail.c_str(), input.size(),
               input.c_str());
  std::exit(1);
}

template <typename Type>
void check_text(const char* parser, const std::string& input, const std::function<Type(const std::string&)>& parse) {
  std::string first;
  try {
    first = parse(input).text();
  } catch (const Error&) {
    return;  // refusing is an answer
  }
  try {
    const std::string second = parse(first).text();
    if (second != first) fail(parser, input, "`" + first + "` became `" + second + "`");
  } catch (const Error& error) {
    fail(parser, input, "`" + first + "` is refused: " + error.what());
  }
}

void check_versions(const std::string& a, const std::string& b) {
  const auto x = Version::try_parse(a), y = Version::try_parse(b);
  if (!x || !y) return;
  if (((*x <=> *y) < 0) != ((*y <=> *x) > 0)) fail("version order", a, b);
  if (*x == *y && x->hash() != y->hash()) fail("version hash", a, b);
  if (*Version::try_parse(x->text()) != *x) fail("version text", a, x->text());
}

void check_page(const std::string& body, const char* type) {
  const std::string url = "https://host/simple/x/";
  try {
    const ProjectPage page = parse_project_page(body, type, url, "x");
    const std::string json = render_project_json(page);
    const ProjectPage again = parse_project_page(json, kSimpleJson, url, "x");
    if (render_project_json(again) != json) fail("simple page", body, json);
    const ProjectPage html = parse_project_page(render_project_html(page), kSimpleHtml, url, "x");
    // HTML has no field for the name: it is the end of the URL.
    const auto named_by_url = [](const IndexFile& file) {
      return file.url.ends_with("/" + file.name) && file.name.find_first_of("%?") == std::string::npos;
    };
    const auto kept = std::count_if(page.files.begin(), page.files.end(), named_by_url);
    if (html.files.size() < static_cast<size_t>(kept)) fail("simple page as html", body, json);
  } catch (const Error&) {
  }
  try {
    parse_project_list(body, type, url);
  } catch (const Error&) {
  }
}

// Whatever is read as a wish can be looked for.
void check_python_wishes(const std::string& text) {
  static const SpecifierSet kAllowed = SpecifierSet::parse(">=3.8");
  std::vector<PythonWish> wishes;
  if (const auto wish = parse_python_wish(text)) wishes.push_back(*wish);
  try {
    const PythonVersionFile file = parse_python_version_file(".python-version", text);
    wishes.insert(wishes.end(), file.wishes.begin(), file.wishes.end());
  } catch (const Error&) {
  }
  for (const PythonWish& wish : wishes) {
    try {
      const bool fits = wish.may_fit(kAllowed);
      if (!fits && wish.version.starts_with("3.9") && wish.version.size() == 3) fail("wish", text, wish.version);
      wish.specifiers().contains(Version::parse("3.11.1"));
    } catch (const Error& error) {
      fail("wish", text, error.what());
    }
  }
}

void run_one(Random& random, const std::string& input, const std::string& other) {
  check_text<Version>("version", input, [](const std::string& text) { return Version::parse(text); });
  check_text<SpecifierSet>("specifier", input, [](const std::string& text) { return SpecifierSet::parse(text); });
  check_text<Marker>("marker", input, [](const std::string& text) { return Marker::parse(text); });
  check_text<Requirement>("requirement", input, [](const std::string& text) { return Requirement::parse(text); });
  check_versions(input, other);
  if (const auto set = SpecifierSet::try_parse(input)) set->contains(Version::parse("1.0"), other);
  if (const auto wheel = parse_wheel_name(input); wheel && wheel->tags.empty()) fail("wheel name", input, "no tags");
  parse_sdist_name(input, below(random, 2) ? "foo-bar" : "");
  try {
    parse_core_metadata(input, "fuzz");
  } catch (const Error&) {
  }
  check_python_wishes(input);
  check_page(input, kSimpleJson);
  check_page(input, kSimpleHtml);
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 10000;
  Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20260101);
  for (const std::string& seed : kCorpus) run_one(random, seed, seed);
  std::string previous = "1.0";
  for (long i = 0; i < iterations; ++i) {
    std::string input = fuzz::mutate(random, kCorpus[below(random, kCorpus.size())], kCorpus, kTokens, 6);
    run_one(random, input, previous);
    previous = std::move(input);
  }
  std::printf("%ld inputs, nothing found\n", iterations);
  return 0;
}
