// Feeds damaged texts to the readers of advisories and of bundle manifests. A reader may refuse a text with an Error
// and must do nothing worse; what it takes it takes the same way twice, and a manifest survives being written.
//   advisory_fuzz <iterations> [seed]
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "fuzz/mutate.h"
#include "resolver/audit/audit.h"
#include "resolver/bundle/manifest.h"

namespace {

using namespace dae;
using namespace dae::resolver;

const std::vector<std::string> kAdvisories = {
    R"({"schema_version":"1.6.0","id":"GHSA-1","modified":"2026-01-01T00:00:00Z","aliases":["CVE-1"],"summary":"x",)"
    R"("severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],)"
    R"("affected":[{"package":{"ecosystem":"PyPI","name":"a","purl":"pkg:pypi/a"},"versions":["1.0","1.1"],)"
    R"("ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.2"},{"introduced":"2"},)"
    R"({"last_affected":"2.5"}]}]}],"references":[{"type":"ADVISORY","url":"https://h/x"}]})",
    R"([{"id":"MAL-1","withdrawn":null,"affected":[{"package":{"ecosystem":"PyPI","name":"A"},"versions":["1!2.0"],)"
    R"("ranges":[{"type":"SEMVER","events":[{"introduced":"1.0.0-rc.1"},{"limit":"*"}]},{"type":"GIT","events":[]}]}],)"
    R"("database_specific":{"severity":"HIGH"}},{"id":"X","affected":null}])",
};
const std::vector<std::string> kManifests = {
    R"({"format":1,"created_by":"dae","lock_sha256":"00","targets":[{"python":"3.11","python_full":"3.11.0",)"
    R"("implementation":"cpython","platform":"manylinux_2_36_x86_64"}],"extras":["x"],"groups":[],)"
    R"("default_groups":true,"files":[{"path":"wheels/a-1-py3-none-any.whl","sha256":)"
    R"("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":1,"package":"a","version":"1",)"
    R"("built_from":"sha256:b","built_on":"linux_x86_64"}]})"};
const std::vector<std::string> kTokens = {"\"",  "{",  "}", "[",  "]",       ",",   ":",     "null", "0",    "*",
                                          "../", "\\", "/", "\n", "\\u0000", "1e9", "false", "\xff", "fixed"};

using fuzz::below;
using fuzz::Random;

[[noreturn]] void fail(const char* what, const std::string& input) {
  std::fprintf(stderr, "%s\ninput (%zu bytes): %s\n", what, input.size(), input.c_str());
  std::exit(1);
}

// What an audit makes of the text; "" when it is refused.
std::string audited(const std::string& text) {
  Audit audit({{"a", "1.1"}, {"a", "2.0rc1"}, {"a", "1!2"}});
  AdvisoryParser parser;
  try {
    parser.parse(text, "fuzz", audit.wanted(), [&](Advisory advisory) { audit.add(std::move(advisory)); });
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_input) fail("refused with another kind", text);
    return "";
  }
  std::string out = "ok";
  for (const Finding& finding : audit.findings({}, 0)) {
    if (finding.ids.empty()) fail("a finding of nothing", text);
    out += ";" + finding.version;
    for (const std::string& fix : finding.fixed_in) {
      if (audit.still_holds(finding, fix)) fail("a fix that fixes nothing", text);
      out += "," + fix;
    }
  }
  return out;
}

void check_manifest(const std::string& text) {
  BundleManifest manifest;
  try {
    manifest = parse_bundle_manifest(text, "fuzz");
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_input) fail("refused with another kind", text);
    return;
  }
  for (const BundleFile& file : manifest.files) {
    if (file.path.find("..") != std::string::npos || file.path.starts_with('/')) fail("an unsafe path", text);
  }
  const std::string written = render_bundle_manifest(manifest);
  if (render_bundle_manifest(parse_bundle_manifest(written, "again")) != written) fail("changed by writing", text);
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::atol(argv[1]) : 10000;
  Random random(argc > 2 ? static_cast<uint64_t>(std::atoll(argv[2])) : 1);
  for (const std::string& text : kAdvisories) {
    if (audited(text).empty()) fail("a good advisory is refused", text);
  }
  for (long i = 0; i < iterations; ++i) {
    const std::string advisory =
        fuzz::mutate(random, kAdvisories[below(random, kAdvisories.size())], kAdvisories, kTokens, 4);
    if (audited(advisory) != audited(advisory)) fail("two answers", advisory);
    check_manifest(fuzz::mutate(random, kManifests[0], kManifests, kTokens, 3));
  }
  return 0;
}
