#include "mirror/site/project_files.h"

#include <algorithm>

#include "base/clock.h"
#include "base/http.h"
#include "resolver/standards/names.h"

namespace dae::mirror {
namespace {

constexpr size_t kFilesShown = 200;

Html fact(const Html& name, const Html& value) {
  return Html("<div><dt>", name, "</dt><dd>", value, "</dd></div>");
}

Html yanked_badge(const resolver::IndexFile& file) {
  if (!file.yanked) return {};
  Html out(" <span class=\"badge warn\">yanked</span>");
  if (!file.yanked_reason.empty()) out.add(" <span class=\"soft\">", file.yanked_reason, "</span>");
  return out;
}

Html hidden_note(const Verdict& verdict) {
  if (verdict.admitted) return {};
  Html out("\n<p class=\"note\"><strong class=\"badge warn\">hidden</strong> ", verdict.reason, " <code>", verdict.rule,
           "</code>");
  if (verdict.next_change_ms != kNever) out.add(", until ", time_of(verdict.next_change_ms));
  return out.add("</p>");
}

Html file_markup(const resolver::IndexFile& file, const ProjectView& view) {
  const std::string path =
      view.root + "packages/" + file.sha256.substr(0, 2) + "/" + file.sha256 + "/" + percent_encode(file.name);
  Html out("<li><a href=\"", path, "\">", file.name, "</a>", yanked_badge(file), hidden_note(view.verdict(file)),
           "\n<dl>");
  if (file.size_bytes) out.add(fact(Html("size"), Html(format_bytes(*file.size_bytes))));
  if (!file.requires_python.empty()) out.add(fact(Html("Python"), Html(file.requires_python)));
  if (!file.upload_time.empty()) out.add(fact(Html("uploaded"), time_of(file.upload_time)));
  const auto seen = view.document.first_seen_ms.find(file.name);
  if (seen != view.document.first_seen_ms.end()) out.add(fact(Html("first seen here"), time_of(seen->second)));
  if (file.has_metadata || !file.metadata_sha256.empty() || resolver::parse_wheel_name(file.name)) {
    out.add(fact(Html("metadata"), Html("<a href=\"", path, ".metadata\">METADATA</a>")));
  }
  if (!file.provenance.empty()) {
    out.add(fact(Html("provenance"), Html("<a href=\"", path, ".provenance\">attestations</a>")));
  }
  out.add(fact(Html("sha256"), Html("<code>", file.sha256, "</code>")));
  return out.add("</dl></li>\n");
}

}  // namespace

Verdict ProjectView::verdict(const resolver::IndexFile& file) const {
  if (!barred.empty()) return {.admitted = false, .rule = "claims", .reason = barred, .next_change_ms = kNever};
  return admits(policy, document, file, now_ms);
}

Html release_markup(const Release& release, const ProjectView& view, bool open) {
  Html out(open ? Html("<details open>") : Html("<details>"));
  const auto count = static_cast<int64_t>(release.files.size());
  out.add("<summary><b>", release.version.empty() ? std::string("other files") : release.version, "</b> ");
  if (release.prerelease) out.add("<span class=\"badge\">pre-release</span> ");
  if (release.hidden) out.add("<span class=\"badge warn\">hidden</span> ");
  if (release.yanked) out.add("<span class=\"badge warn\">yanked</span> ");
  out.add("<span class=\"soft\">");
  if (!release.uploaded.empty()) out.add(time_of(release.uploaded), " · ");
  out.add(counted(count, "file", "files"), "</span></summary>\n<ul class=\"files\">\n");
  for (size_t i = 0; i < std::min(release.files.size(), kFilesShown); ++i) {
    out.add(file_markup(*release.files[i], view));
  }
  out.add("</ul>\n");
  if (release.files.size() > kFilesShown) {
    out.add("<p class=\"soft\">And ", grouped(count - static_cast<int64_t>(kFilesShown)), " more files.</p>\n");
  }
  return out.add("</details>\n");
}

}  // namespace dae::mirror
