#include <algorithm>
#include <tuple>

#include "mirror/care/old_rows.h"

namespace dae::mirror {
namespace {

constexpr int64_t kAtOnce = 500;

struct Place {
  std::string sha256, file, index, project;
};

std::vector<Place> places_after(Database& db, const Place& last) {
  std::vector<Place> places;
  Statement rows = db.prepare(
      "SELECT sha256, file, index_name, project FROM places WHERE (sha256, file, index_name, project) > (?, ?, ?, ?) "
      "ORDER BY sha256, file, index_name, project LIMIT ?");
  rows.bind(1, last.sha256).bind(2, last.file).bind(3, last.index).bind(4, last.project).bind(5, kAtOnce);
  while (rows.step()) places.push_back({rows.text(0), rows.text(1), rows.text(2), rows.text(3)});
  return places;
}

// The head that does not list the file; nullopt: it does.
std::optional<std::string> head_without(const CareScope& scope, const Place& place) {
  const auto row = scope.pages.find(place.index, place.project);
  if (!row || row->document.empty()) return "";
  const auto document = scope.pages.document(Digest::parse(row->document));
  const bool listed = std::ranges::any_of(document->page.files,
                                          [&](const resolver::IndexFile& file) { return file.sha256 == place.sha256; });
  return listed ? std::nullopt : std::optional(row->document);
}

// A snapshot that is made now is one of the head.
void remove_place(const CareScope& scope, const Place& place, const std::string& head) {
  scope.catalog.write([&](Database& db) {
    Statement now = db.prepare("SELECT document FROM projects WHERE index_name = ? AND name = ?");
    now.bind(1, place.index).bind(2, place.project);
    if ((now.step() ? now.text(0) : "") != head) return;
    db.prepare("DELETE FROM places WHERE sha256 = ? AND file = ? AND index_name = ? AND project = ?")
        .bind(1, place.sha256)
        .bind(2, place.file)
        .bind(3, place.index)
        .bind(4, place.project)
        .run();
  });
}

}  // namespace

uint64_t remove_stale_places(const CareScope& scope, const LiveBlobs& live, bool dry_run) {
  uint64_t count = 0;
  Place last;
  while (!scope.stop()) {
    const std::vector<Place> places = scope.catalog.read([&](Database& db) { return places_after(db, last); });
    if (places.empty()) break;
    last = places.back();
    for (const Place& place : places) {
      if (live.contains(Digest::parse(place.sha256))) continue;
      const auto head = head_without(scope, place);
      if (!head) continue;
      count += 1;
      if (!dry_run) remove_place(scope, place, *head);
    }
  }
  return count;
}

}  // namespace dae::mirror
