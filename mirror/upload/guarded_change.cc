#include "mirror/upload/guarded_change.h"

namespace dae::mirror {
namespace {

// The document that the one now listed has taken the place of.
std::string document_before(Database& db, const std::string& index, const std::string& project) {
  Statement row = db.prepare(
      "SELECT document FROM entries WHERE index_name = ? AND name = ? AND to_revision = "
      "(SELECT max(revision) FROM revisions WHERE index_name = ?)");
  row.bind(1, index).bind(2, project).bind(3, index);
  return row.step() ? row.text(0) : "";
}

}  // namespace

void apply_unless_overtaken(PageStore& pages, const std::string& index, const std::string& before,
                            const ProjectChange& change, int64_t now_ms, const std::string& reason,
                            const std::function<void(Database&)>& also) {
  pages.apply(index, {change}, now_ms, reason, [&](Database& db) {
    if (document_before(db, index, change.project) != before) throw Overtaken();
    also(db);
  });
}

}  // namespace dae::mirror
