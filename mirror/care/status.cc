#include "mirror/care/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/log.h"

namespace dae::mirror {
namespace {

constexpr int kShards = 256;

int64_t number(Database& db, const std::string& sql) {
  Statement row = db.prepare(sql);
  return row.step() ? row.integer(0) : 0;
}

std::vector<IndexStatus> named_indexes(const CareScope& scope) {
  std::vector<IndexStatus> indexes;
  for (const IndexConfig& config : scope.config.indexes) {
    IndexStatus& index = indexes.emplace_back();
    index.name = config.name;
    index.mode = config.mode;
    if (config.mode == "pull-through" || config.mode == "sync") index.upstream = redact_url(config.upstream);
  }
  scope.catalog.read([&](Database& db) {
    Statement rows = db.prepare("SELECT DISTINCT index_name FROM projects WHERE document <> '' ORDER BY index_name");
    while (rows.step()) {
      const std::string name = rows.text(0);
      const bool known = std::any_of(indexes.begin(), indexes.end(), [&](const auto& one) { return one.name == name; });
      if (!known) indexes.emplace_back().name = name;
    }
  });
  return indexes;
}

void add_history(const CareScope& scope, IndexStatus& index) {
  scope.catalog.read([&](Database& db) {
    Statement last =
        db.prepare("SELECT revision, made_ms FROM revisions WHERE index_name = ? ORDER BY revision DESC LIMIT 1");
    last.bind(1, index.name);
    if (last.step()) {
      index.revision = last.integer(0);
      index.changed_ms = last.integer(1);
    }
    Statement due = db.prepare(
        "SELECT count(*) FROM projects p LEFT JOIN freshness f ON f.index_name = p.index_name AND f.name = p.name "
        "WHERE p.index_name = ? AND p.document <> '' AND ifnull(f.fresh_until_ms, 0) <= ?");
    due.bind(1, index.name).bind(2, scope.clock.wall_ms());
    if (index.mode == "pull-through" && due.step()) index.due_pages = due.integer(0);
    Statement synced = db.prepare(
        "SELECT started_ms, ended_ms, result, counts FROM runs WHERE kind = 'sync' AND index_name = ? AND "
        "ended_ms IS NOT NULL AND (result = 'done' OR result LIKE 'partial%') ORDER BY id DESC LIMIT 1");
    synced.bind(1, index.name);
    if (synced.step()) {
      index.synced = RunRow{"sync",
                            index.name,
                            synced.integer(0),
                            synced.integer(1),
                            synced.text(2),
                            parse_json(synced.text(3), "catalog").root};
    }
  });
}

// Both in the order of digests: one directory of the store and its rows at a time.
void add_held(const CareScope& scope, MirrorStatus& status) {
  std::map<std::string, IndexStatus*> by_name;
  for (IndexStatus& index : status.indexes) by_name[index.name] = &index;
  for (int shard = 0; shard < kShards; ++shard) {
    const std::string digits = to_hex(std::string(1, static_cast<char>(shard)));
    const std::vector<StoredBlob> blobs = scope.blobs.list(digits);
    for (const StoredBlob& blob : blobs) status.bytes += blob.size_bytes;
    status.blobs += blobs.size();
    scope.catalog.read([&](Database& db) {
      Statement rows = db.prepare(
          "SELECT DISTINCT sha256, index_name FROM places WHERE sha256 >= ?1 AND sha256 < ?1 || 'g' ORDER BY sha256");
      rows.bind(1, digits);
      auto blob = blobs.begin();
      while (rows.step()) {
        const std::string sha256 = rows.text(0);
        while (blob != blobs.end() && blob->digest.hex() < sha256) ++blob;
        const auto index = by_name.find(rows.text(1));
        if (blob == blobs.end() || blob->digest.hex() != sha256 || index == by_name.end()) continue;
        index->second->held_files += 1;
        index->second->held_bytes += blob->size_bytes;
      }
    });
  }
}

void add_registry(const CareScope& scope, MirrorStatus& status) {
  scope.catalog.read([&](Database& db) {
    status.repositories = number(db, "SELECT count(DISTINCT repository) FROM manifests");
    status.manifests = number(db, "SELECT count(*) FROM manifests");
    status.tags = number(db, "SELECT count(*) FROM tags WHERE NOT deleted");
    status.snapshots = number(db, "SELECT count(*) FROM snapshots");
    status.upload_sessions = number(db, "SELECT count(*) FROM uploads");
    status.upload_bytes = static_cast<uint64_t>(number(db, "SELECT ifnull(sum(size_bytes), 0) FROM uploads"));
    Statement mark = db.prepare("SELECT position FROM verify_mark");
    if (mark.step() && mark.text(0).size() > 2) {
      // Digests are spread evenly.
      status.verified_percent = std::stoi(mark.text(0).substr(0, 2), nullptr, 16) * 100 / kShards;
    }
  });
}

Value to_value(const RunRow& run) {
  Value out = Value::object({{"kind", run.kind}, {"index", run.index}, {"started", format_utc(run.started_ms)}});
  if (run.ended_ms) out.set("ended", format_utc(*run.ended_ms)).set("result", run.result).set("counts", run.counts);
  return out;
}

Value to_value(const IndexStatus& index) {
  Value out = Value::object({{"name", index.name},
                             {"mode", index.mode},
                             {"upstream", index.upstream},
                             {"projects", index.projects},
                             {"files", index.files},
                             {"held_files", index.held_files},
                             {"held_bytes", index.held_bytes},
                             {"revision", index.revision},
                             {"due_pages", index.due_pages}});
  if (index.changed_ms != 0) out.set("changed", format_utc(index.changed_ms));
  if (index.synced) out.set("synced", to_value(*index.synced));
  return out;
}

}  // namespace

MirrorStatus read_status(const CareScope& scope) {
  MirrorStatus status;
  status.indexes = named_indexes(scope);
  for (IndexStatus& index : status.indexes) add_history(scope, index);
  for (const ProjectCount& count : scope.pages.counts()) {
    for (IndexStatus& index : status.indexes) {
      if (index.name != count.index) continue;
      index.projects = count.projects;
      index.files = count.files;
    }
  }
  add_held(scope, status);
  add_registry(scope, status);
  for (const StoredBlob& blob : scope.blobs.quarantined()) {
    status.quarantined_blobs += 1;
    status.quarantined_bytes += blob.size_bytes;
  }
  const auto space = std::filesystem::space(scope.config.storage);
  status.disk_bytes = space.capacity;
  status.disk_free_bytes = space.available;
  status.runs = last_runs(scope.catalog);
  return status;
}

Value to_value(const MirrorStatus& status) {
  Value indexes = Value::array(), runs = Value::array();
  for (const IndexStatus& index : status.indexes) indexes.push_back(to_value(index));
  for (const RunRow& run : status.runs) runs.push_back(to_value(run));
  Value out = Value::object(
      {{"indexes", std::move(indexes)},
       {"repositories", status.repositories},
       {"manifests", status.manifests},
       {"tags", status.tags},
       {"snapshots", status.snapshots},
       {"blobs", status.blobs},
       {"bytes", status.bytes},
       {"quarantine", Value::object({{"blobs", status.quarantined_blobs}, {"bytes", status.quarantined_bytes}})},
       {"uploads", Value::object({{"sessions", status.upload_sessions}, {"bytes", status.upload_bytes}})},
       {"disk", Value::object({{"bytes", status.disk_bytes}, {"free_bytes", status.disk_free_bytes}})},
       {"runs", std::move(runs)}});
  if (status.verified_percent) out.set("verified_percent", *status.verified_percent);
  return out;
}

std::string describe_behind(const IndexStatus& index, int64_t now_ms) {
  if (index.mode == "pull-through") {
    return index.due_pages == 0 ? "" : fmt::format("{} pages to ask for again", index.due_pages);
  }
  if (index.mode != "sync") return "";
  if (!index.synced) return "never synced";
  return fmt::format("synced {} ago", format_duration(std::max<int64_t>(now_ms - *index.synced->ended_ms, 0)));
}

}  // namespace dae::mirror
