#include "mirror/care/runs.h"

#include "base/log.h"

namespace dae::mirror {
namespace {

constexpr int64_t kKeptRuns = 100;

}  // namespace

Run::Run(Catalog& catalog, const Clock& clock, const std::string& kind, const std::string& index)
    : catalog_(catalog), clock_(clock) {
  catalog_.write([&](Database& db) {
    db.prepare("INSERT INTO runs(kind, index_name, started_ms) VALUES(?,?,?)")
        .bind(1, kind)
        .bind(2, index)
        .bind(3, clock_.wall_ms())
        .run();
    id_ = db.last_insert_id();
    db.prepare(
          "DELETE FROM runs WHERE kind = ?1 AND index_name = ?2 AND id <= (SELECT id FROM runs WHERE kind = ?1 AND "
          "index_name = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)")
        .bind(1, kind)
        .bind(2, index)
        .bind(3, kKeptRuns)
        .run();
  });
}

Run::~Run() {
  if (finished_) return;
  try {
    finish("failed", Value::object());
  } catch (const Error& error) {
    log_warn("the end of a run cannot be noted", {{"why", error.what()}});
  }
}

void Run::finish(const std::string& result, const Value& counts) {
  finished_ = true;
  catalog_.write([&](Database& db) {
    db.prepare("UPDATE runs SET ended_ms = ?, result = ?, counts = ? WHERE id = ?")
        .bind(1, clock_.wall_ms())
        .bind(2, result)
        .bind(3, canonical_json(counts))
        .bind(4, id_)
        .run();
  });
}

std::vector<RunRow> last_runs(Catalog& catalog) {
  return catalog.read([](Database& db) {
    std::vector<RunRow> runs;
    Statement rows = db.prepare(
        "SELECT kind, index_name, started_ms, ended_ms, result, counts FROM runs WHERE id IN "
        "(SELECT max(id) FROM runs GROUP BY kind, index_name) ORDER BY kind, index_name");
    while (rows.step()) {
      RunRow& run = runs.emplace_back();
      run.kind = rows.text(0);
      run.index = rows.text(1);
      run.started_ms = rows.integer(2);
      if (!rows.is_null(3)) run.ended_ms = rows.integer(3);
      run.result = rows.text(4);
      run.counts = parse_json(rows.text(5), "catalog").root;
    }
    return runs;
  });
}

}  // namespace dae::mirror
