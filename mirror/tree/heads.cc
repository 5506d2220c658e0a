#include "mirror/tree/heads.h"

namespace dae::mirror {

std::vector<ProjectHead> heads_after(Catalog& catalog, const std::string& index, const std::string& project,
                                     size_t most) {
  return catalog.read([&](Database& db) {
    std::vector<ProjectHead> out;
    Statement rows =
        db.prepare("SELECT name, id, revision FROM projects WHERE index_name = ? AND name > ? ORDER BY name LIMIT ?");
    rows.bind(1, index).bind(2, project).bind(3, static_cast<int64_t>(most));
    while (rows.step()) out.push_back({index, rows.text(0), rows.integer(1), rows.integer(2)});
    return out;
  });
}

std::vector<ProjectHead> heads_of(Catalog& catalog, const std::vector<std::string>& indexes,
                                  const std::string& project) {
  return catalog.read([&](Database& db) {
    std::vector<ProjectHead> out;
    Statement row = db.prepare("SELECT id, revision FROM projects WHERE index_name = ? AND name = ?");
    for (const std::string& index : indexes) {
      row.bind(1, index).bind(2, project);
      if (row.step()) out.push_back({index, project, row.integer(0), row.integer(1)});
      row.reset();
    }
    return out;
  });
}

MoveMark newest_move(Catalog& catalog) {
  return catalog.read([&](Database& db) {
    Statement row = db.prepare("SELECT changed, id FROM projects ORDER BY changed DESC, id DESC LIMIT 1");
    MoveMark mark;
    if (row.step()) mark = {row.integer(0), row.integer(1)};
    return mark;
  });
}

std::vector<ProjectHead> moved_since(Catalog& catalog, MoveMark* mark, size_t most) {
  return catalog.read([&](Database& db) {
    std::vector<ProjectHead> out;
    Statement rows = db.prepare(
        "SELECT index_name, name, id, revision, changed FROM projects WHERE (changed, id) > (?, ?) "
        "ORDER BY changed, id LIMIT ?");
    rows.bind(1, mark->changed).bind(2, mark->id).bind(3, static_cast<int64_t>(most));
    while (rows.step()) {
      out.push_back({rows.text(0), rows.text(1), rows.integer(2), rows.integer(3)});
      *mark = {rows.integer(4), rows.integer(2)};
    }
    return out;
  });
}

AllowanceTexts allowance_texts(Catalog& catalog) {
  return catalog.read([&](Database& db) {
    AllowanceTexts out;
    Statement rows = db.prepare(
        "SELECT index_name, project, version, until_ms, advisories FROM allowances ORDER BY index_name, project, "
        "version");
    while (rows.step()) {
      std::string& text = out[{rows.text(0), rows.text(1)}];
      text += rows.text(2) + "," + (rows.is_null(3) ? "-" : rows.text(3)) + "," + rows.text(4) + ";";
    }
    return out;
  });
}

}  // namespace dae::mirror
