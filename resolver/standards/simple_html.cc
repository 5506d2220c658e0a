// PEP 503 pages: every anchor is a file.
#include <utility>

#include "base/error.h"
#include "base/http.h"
#include "base/strings.h"
#include "resolver/standards/html_scanner.h"
#include "resolver/standards/names.h"
#include "resolver/standards/simple_parse.h"

namespace dae::resolver {
namespace {

struct Anchor {
  HtmlTag tag;
  std::string text;  // entities decoded, trimmed
};

// Walks a page from anchor to anchor and notes its base URL and meta fields on the way.
class PageWalker {
 public:
  PageWalker(std::string_view body, std::string_view page_url)
      : scanner_(body), page_url_(page_url), base_url_(page_url) {}

  std::optional<Anchor> next() {
    while (auto tag = scanner_.next()) {
      saw_tag_ = true;
      if (open_) open_->text += scanner_.text();
      if (tag->name == "a" || tag->name == "/a") {  // an anchor that is not closed ends where the next begins
        auto done = std::exchange(open_, std::nullopt);
        if (tag->name == "a") open_ = Anchor{std::move(*tag), ""};
        if (done) return finish(std::move(*done));
      } else {
        note(*tag);
      }
    }
    if (!saw_tag_) throw Error(ErrorKind::bad_input, "this is no index page", std::string(page_url_));
    if (!open_) return std::nullopt;
    open_->text += scanner_.text();
    return finish(*std::exchange(open_, std::nullopt));
  }

  const std::string& base_url() const { return base_url_; }
  ProjectPage meta;

 private:
  static Anchor finish(Anchor anchor) {
    anchor.text = std::string(trim(decode_entities(anchor.text)));
    return anchor;
  }

  void note(const HtmlTag& tag) {
    if (tag.name == "base" && !saw_base_) {
      const std::string* href = tag.attribute("href");
      if (!href) return;
      base_url_ = resolve_url(page_url_, trim(*href));
      saw_base_ = true;
    } else if (tag.name == "meta") {
      const std::string *name = tag.attribute("name"), *content = tag.attribute("content");
      if (!name || !content) return;
      if (iequals(*name, "pypi:repository-version")) meta.api_version = trim(*content);
      if (iequals(*name, "pypi:project-status")) meta.status = lower(trim(*content));
      if (iequals(*name, "pypi:project-status-reason")) meta.status_reason = *content;
    }
  }

  HtmlScanner scanner_;
  std::string_view page_url_;
  std::string base_url_;
  std::optional<Anchor> open_;
  bool saw_base_ = false, saw_tag_ = false;
};

void add_fragment_hashes(IndexFile& file, std::string_view reference) {
  const size_t hash = reference.find('#');
  if (hash == std::string_view::npos) return;
  for (const std::string& part : split(reference.substr(hash + 1), '&')) {
    const size_t equals = part.find('=');
    if (equals != std::string::npos) {
      add_hash(file, std::string_view(part).substr(0, equals), std::string_view(part).substr(equals + 1));
    }
  }
}

std::optional<IndexFile> anchor_file(const Anchor& anchor, const std::string& base_url) {
  const std::string* href = anchor.tag.attribute("href");
  if (!href) return std::nullopt;
  IndexFile file;
  const std::string_view reference = trim(*href);
  bool placed = place_file(file, base_url, reference);
  // "…/download?id=7": PEP 503 makes the anchor's text the file name.
  if (!file.url.empty() && (!placed || !has_distribution_ending(file.name)) && has_distribution_ending(anchor.text)) {
    file.name = anchor.text;
    placed = place_file(file, base_url, reference);
  }
  if (!placed) return std::nullopt;

  add_fragment_hashes(file, reference);
  if (const auto* value = anchor.tag.attribute("data-requires-python")) file.requires_python = trim(*value);
  if (const auto* value = anchor.tag.attribute("data-yanked")) {
    file.yanked = true;
    file.yanked_reason = *value;
  }
  // PEP 714: the older spelling counts only where the newer one is absent.
  const auto* announced = anchor.tag.attribute("data-core-metadata");
  if (!announced) announced = anchor.tag.attribute("data-dist-info-metadata");
  if (announced) announce_metadata(file, trim(*announced));
  if (const auto* value = anchor.tag.attribute("data-provenance")) place_provenance(file, base_url, trim(*value));
  return file;
}

}  // namespace

void parse_project_html(std::string_view body, std::string_view page_url, ProjectPage& out) {
  PageWalker walker(body, page_url);
  while (const auto anchor = walker.next()) {
    auto file = anchor_file(*anchor, walker.base_url());
    if (!file) continue;
    if (out.files.size() >= kMaxPageFiles) {
      throw Error(ErrorKind::bad_input, "the index page lists too many files", std::string(page_url));
    }
    out.files.push_back(*std::move(file));
  }
  out.api_version = walker.meta.api_version;
  out.status = walker.meta.status;
  out.status_reason = walker.meta.status_reason;
  out.newer_minor = check_api_version(out.api_version, page_url);
}

std::vector<std::string> parse_list_html(std::string_view body, std::string_view page_url) {
  std::vector<std::string> out;
  PageWalker walker(body, page_url);
  while (auto anchor = walker.next()) {
    if (is_valid_name(anchor->text)) out.push_back(std::move(anchor->text));
  }
  check_api_version(walker.meta.api_version, page_url);
  return out;
}

}  // namespace dae::resolver
