#include "mirror/sync/choice.h"

#include <algorithm>
#include <map>

namespace dae::mirror::sync {
namespace {

using resolver::IndexFile;
using ByName = std::map<std::string_view, const IndexFile*>;

ByName by_name(const ProjectDocument* document) {
  ByName out;
  if (document == nullptr) return out;
  for (const IndexFile& file : document->page.files) out[file.name] = &file;
  return out;
}

const IndexFile* find_same(const ByName& files, const IndexFile& wanted) {
  const auto found = files.find(wanted.name);
  return found != files.end() && found->second->sha256 == wanted.sha256 ? found->second : nullptr;
}

// An upstream that tells no sizes or metadata does not take back what was learned from the bytes.
void keep_what_was_learned(IndexFile& file, const IndexFile& listed) {
  if (!file.size_bytes) file.size_bytes = listed.size_bytes;
  if (!file.metadata_sha256.empty()) return;
  file.metadata_sha256 = listed.metadata_sha256;
  file.has_metadata = file.has_metadata || listed.has_metadata;
}

std::string without_times(const ProjectDocument& document) {
  ProjectDocument copy = document;
  copy.first_seen_ms.clear();
  return write_document(copy);
}

}  // namespace

Choice choose(const resolver::ProjectPage& page, const ProjectDocument* listed, const Selector& selector,
              int64_t now_ms) {
  Choice choice;
  const ByName before = by_name(listed);
  const std::vector<Ruling> rulings = selector.files(page, now_ms);
  resolver::ProjectPage& kept = choice.document.page;
  kept.name = page.name;
  kept.status = page.status;
  kept.status_reason = page.status_reason;
  if (listed != nullptr) choice.document.display_name = listed->display_name;
  for (size_t i = 0; i < page.files.size(); ++i) {
    if (!rulings[i].kept()) {
      ++choice.left_out;
      continue;
    }
    IndexFile file = page.files[i];
    file.sha256 = Digest::parse(file.sha256).hex();
    if (!Digest::is_valid(file.metadata_sha256)) file.metadata_sha256.clear();
    if (const IndexFile* same = find_same(before, file)) {
      keep_what_was_learned(file, *same);
      if (file.provenance != same->provenance) choice.to_bring.push_back(kept.files.size());
    } else {
      choice.to_bring.push_back(kept.files.size());
    }
    kept.files.push_back(std::move(file));
  }
  const ByName after = by_name(&choice.document);
  for (const auto& [name, file] : before) {
    if (!after.contains(name)) choice.gone.emplace_back(name);
  }
  choice.same = listed != nullptr && without_times(*listed) == without_times(choice.document);
  return choice;
}

ProjectDocument what_remains(const ProjectDocument& listed, const ProjectDocument& wanted) {
  const ByName before = by_name(&listed);
  ProjectDocument out = wanted;
  std::erase_if(out.page.files, [&](const IndexFile& file) { return find_same(before, file) == nullptr; });
  return out;
}

}  // namespace dae::mirror::sync
