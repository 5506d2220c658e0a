#include "mirror/upload/removal.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "base/value.h"
#include "mirror/policy/allowances.h"
#include "mirror/upload/guarded_change.h"
#include "resolver/standards/names.h"

namespace dae::mirror {
namespace {

using Kind = FilesChange::Kind;
using resolver::IndexFile;

struct Named {
  std::string project, version, file;  // version and file may be ""
};

Named parse_what(const std::string& what) {
  if (const auto wheel = resolver::parse_wheel_name(what)) return {wheel->distribution, "", what};
  if (const auto sdist = resolver::parse_sdist_name(what)) return {sdist->distribution, "", what};
  Named out;
  if (what.find("==") == std::string::npos) {
    out.project = what;
  } else {
    std::tie(out.project, out.version) = parse_project_version(what);
  }
  if (!resolver::is_valid_name(out.project)) {
    throw Error(ErrorKind::usage, "neither a project, a version of one, nor a file", what,
                "`demo`, `demo==1.0` or `demo-1.0-py3-none-any.whl`");
  }
  out.project = resolver::normalize_name(out.project);
  return out;
}

bool is_of_version(const std::string& file, const Named& named) {
  const auto wanted = resolver::Version::try_parse(named.version);
  if (const auto wheel = resolver::parse_wheel_name(file)) return wanted && wheel->version == *wanted;
  const auto sdist = resolver::parse_sdist_name(file, named.project);
  return sdist && wanted && sdist->version == *wanted;
}

bool is_meant(const IndexFile& file, const Named& named, Kind kind) {
  if (kind != Kind::remove && file.yanked == (kind == Kind::yank)) return false;
  if (!named.file.empty()) return file.name == named.file;
  return named.version.empty() || is_of_version(file.name, named);
}

const char* action_of(Kind kind) {
  if (kind == Kind::remove) return "remove";
  return kind == Kind::yank ? "yank" : "unyank";
}

std::optional<ProjectDocument> changed(ProjectDocument document, const std::vector<std::string>& names,
                                       const FilesChange& change) {
  const auto meant = [&](const IndexFile& file) { return std::ranges::count(names, file.name) > 0; };
  if (change.kind == Kind::remove) {
    std::erase_if(document.page.files, meant);
    if (document.page.files.empty()) return std::nullopt;
    return document;
  }
  for (IndexFile& file : document.page.files) {
    if (!meant(file)) continue;
    file.yanked = change.kind == Kind::yank;
    file.yanked_reason = file.yanked ? change.reason : "";
  }
  return document;
}

}  // namespace

std::vector<std::string> change_files(PageStore& pages, const FilesChange& change, int64_t now_ms, bool dry_run) {
  const Named named = parse_what(change.what);
  while (true) {
    const auto row = pages.find(change.index, named.project);
    const auto before = row && row->present ? pages.document(Digest::parse(row->document)) : nullptr;
    std::vector<std::string> names;
    if (before) {
      for (const IndexFile& file : before->page.files) {
        if (is_meant(file, named, change.kind)) names.push_back(file.name);
      }
    }
    if (names.empty()) {
      throw Error(ErrorKind::not_found, "index `" + change.index + "` lists no such file to " + action_of(change.kind),
                  change.what);
    }
    if (dry_run) return names;
    try {
      apply_unless_overtaken(pages, change.index, row->document,
                             {named.project, changed(*before, names, change), row->serial}, now_ms,
                             action_of(change.kind), [&](Database& db) {
                               write_audit(db, {.at_ms = now_ms,
                                                .who = change.who,
                                                .action = action_of(change.kind),
                                                .index = change.index,
                                                .subject = change.what,
                                                .reason = change.reason,
                                                .details = Value::object().set("files", Value::strings(names))});
                             });
      return names;
    } catch (const Overtaken&) {
      continue;
    }
  }
}

}  // namespace dae::mirror
