#include "mirror/tree/content.h"

#include <algorithm>
#include <map>

namespace dae::mirror {
namespace {

// Files that are offered by one of the indexes, as at their URLs: the first, by name, that offers one says what
// metadata it has.
class Composer {
 public:
  Composer(const TreeSource& source, const TreeFiles& files, const std::string& project, int64_t now_ms)
      : source_(source), files_(files), project_(project), now_ms_(now_ms) {}

  TreeContent compose() {
    for (const std::string& index : source_.policies.indexes()) add_page(index);
    for (const auto& [name, index] : source_.indexes) add_marks(name);
    for (auto& [key, mark] : marks_) content_.marks.push_back(std::move(mark));
    return std::move(content_);
  }

 private:
  // As list_project(), without ever asking an upstream. nullopt: the mirror is to be asked.
  std::optional<Listing> settled(const std::string& index) {
    const Overlays& overlays = source_.policies.overlays();
    const bool merges = overlays.merges(index, project_);
    Listing listing;
    for (const std::string& member : overlays.members(index)) {
      if (!overlays.bar(member, project_).empty()) continue;
      if (!source_.indexes.at(member)->pages_frozen()) return std::nullopt;
      const auto row = source_.pages.find(member, project_);
      if (!row || !row->present) continue;
      listing.parts.push_back({{*row, false}, source_.policies.of(member, project_)});
      if (!merges) break;
    }
    if (listing.parts.empty()) return std::nullopt;
    return listing;
  }

  void add_page(const std::string& index) {
    const auto listing = settled(index);
    if (!listing) return;
    PolicyPage offered = offered_page(*listing, source_.pages, now_ms_);
    if (!holds_long(offered.next_change_ms)) return;
    announce_from_here(offered.page, "../../../");
    content_.pages.push_back({index, resolver::render_project_json(offered.page),
                              resolver::render_project_html(offered.page), is_checked(source_, index)});
  }

  void add_marks(const std::string& index) {
    if (!source_.policies.overlays().bar(index, project_).empty()) return;
    const auto row = source_.pages.find(index, project_);
    if (!row || !row->present) return;
    const auto document = source_.pages.document(Digest::parse(row->document));
    const Policy policy = source_.policies.of(index, project_).policy;
    resolver::ProjectPage page = document->page;
    std::erase_if(page.files, [&](const resolver::IndexFile& file) {
      if (marks_.contains({file.sha256, file.name})) return true;
      const Verdict verdict = admits(policy, *document, file, now_ms_);
      if (!verdict.admitted) note(verdict.next_change_ms);
      if (!verdict.admitted || !holds_long(verdict.next_change_ms)) return true;
      return !TreeFiles::fits_file(file.name) || !files_.holds(file.sha256, file.size_bytes);
    });
    source_.pages.fill_in_what_was_learned(page);
    for (const resolver::IndexFile& file : page.files) {
      const bool described = !file.metadata_sha256.empty() && files_.holds(file.metadata_sha256, std::nullopt);
      marks_[{file.sha256, file.name}] = {file.sha256, file.name, described ? file.metadata_sha256 : ""};
    }
  }

  bool holds_long(int64_t next_change_ms) {
    if (next_change_ms == kNever) return true;
    const bool long_enough = next_change_ms - kTreeMarginMs > now_ms_;
    note(long_enough ? next_change_ms - kTreeMarginMs : next_change_ms);
    return long_enough;
  }

  void note(int64_t change_ms) {
    if (change_ms > now_ms_) content_.next_ms = std::min(content_.next_ms, change_ms);
  }

  const TreeSource& source_;
  const TreeFiles& files_;
  const std::string& project_;
  const int64_t now_ms_;
  TreeContent content_;
  std::map<std::pair<std::string, std::string>, TreeMark> marks_;  // by sha256 and name
};

}  // namespace

TreeContent tree_content(const TreeSource& source, const TreeFiles& files, const std::string& project, int64_t now_ms) {
  return Composer(source, files, project, now_ms).compose();
}

bool is_checked(const TreeSource& source, const std::string& index) {
  return source.policies.overlays().has_own(index);
}

bool has_settled_pages(const TreeSource& source, const std::string& index) {
  return std::ranges::all_of(source.policies.overlays().members(index),
                             [&](const std::string& member) { return source.indexes.at(member)->pages_frozen(); });
}

TreePage tree_list(const TreeSource& source, const std::string& index) {
  PageStore::Names listed;
  if (tells_serials(source.indexes, source.policies, index)) {
    listed = source.pages.names_since(index);
  } else {
    listed.names = source.policies.overlays().names(index);
  }
  return {index, resolver::render_list_json(listed.names, listed.since), resolver::render_list_html(listed.names)};
}

}  // namespace dae::mirror
