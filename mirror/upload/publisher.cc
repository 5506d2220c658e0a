#include "mirror/upload/publisher.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "mirror/policy/allowances.h"
#include "mirror/policy/lookalikes.h"
#include "mirror/upload/guarded_change.h"

namespace dae::mirror {
namespace {

constexpr size_t kMostWarnings = 5;
constexpr int kMostTries = 5;

struct NameRow {
  std::string file, sha256;
};

std::optional<NameRow> name_row(Database& db, const std::string& index, const std::string& key) {
  Statement row = db.prepare("SELECT file, sha256 FROM uploaded WHERE index_name = ? AND key = ?");
  row.bind(1, index).bind(2, key);
  return row.step() ? std::optional(NameRow{row.text(0), row.text(1)}) : std::nullopt;
}

bool lists(const ProjectDocument* document, const std::string& name) {
  return document != nullptr && std::ranges::count(document->page.files, name, &resolver::IndexFile::name) > 0;
}

void check_status(const ProjectDocument* document) {
  if (document == nullptr) return;
  const std::string& status = document->page.status;
  if (status != "archived" && status != "quarantined") return;
  const std::string& reason = document->page.status_reason;
  throw UploadRefusal(
      403, fmt::format("the project is {} and takes no uploads{}", status, reason.empty() ? "" : ": " + reason));
}

void check_quota(const Token& token, const TokenUse& used, uint64_t size_bytes) {
  const TokenGrant& grant = token.grant;
  if (grant.quota_files && used.files + 1 > *grant.quota_files) {
    throw UploadRefusal(403, fmt::format("token {} may upload {} files a day, and has", token.id, *grant.quota_files));
  }
  if (grant.quota_bytes && (size_bytes > *grant.quota_bytes || used.bytes > *grant.quota_bytes - size_bytes)) {
    throw UploadRefusal(403, fmt::format("token {} may upload {} a day, this would be more", token.id,
                                         format_bytes(*grant.quota_bytes)));
  }
}

// True: the same bytes are listed under this name.
bool check_name(const std::optional<NameRow>& known, const IndexConfig& index, const UploadForm& form,
                const ProjectDocument* before) {
  if (!known) {
    // A file that another way brought here: promoted from another index.
    if (!index.immutable || !lists(before, form.file_name)) return false;
    const auto& files = before->page.files;
    const auto file = std::ranges::find(files, form.file_name, &resolver::IndexFile::name);
    if (file->sha256 == form.sha256.hex()) return true;
    throw UploadRefusal(400, fmt::format("File already exists: `{}`, with other contents", form.file_name));
  }
  const bool same = known->sha256 == form.sha256.hex();
  if (same && known->file == form.file_name && lists(before, known->file)) return true;
  if (!index.immutable) return false;
  if (!lists(before, known->file)) {
    throw UploadRefusal(400, fmt::format("`{}` was deleted here, and its name is never used again: choose another "
                                         "version",
                                         known->file));
  }
  const char* how = known->file == form.file_name ? "with other contents" : "in another spelling";
  throw UploadRefusal(400, fmt::format("File already exists: `{}`, {}; what was uploaded stays: choose another version",
                                       known->file, how));
}

resolver::IndexFile index_file(const UploadForm& form, const CheckedUpload& file, int64_t now_ms) {
  resolver::IndexFile out;
  out.name = form.file_name;
  out.sha256 = form.sha256.hex();
  out.hashes = {{"sha256", out.sha256}};  // only names that hashlib.new() takes: pip fails on any other
  out.requires_python = file.requires_python;
  out.size_bytes = form.size_bytes;
  out.upload_time = format_utc(now_ms, true);
  if (file.is_wheel) {
    out.has_metadata = true;
    out.metadata_sha256 = Digest::of(file.metadata).hex();
  }
  return out;
}

ProjectDocument with_file(const ProjectDocument* before, const CheckedUpload& file, resolver::IndexFile added,
                          const std::optional<NameRow>& replaced) {
  ProjectDocument next = before == nullptr ? ProjectDocument{} : *before;
  next.page.name = file.project;
  next.display_name = file.display_name;
  std::erase_if(next.page.files, [&](const resolver::IndexFile& old) {
    return old.name == added.name || (replaced && old.name == replaced->file);
  });
  next.page.files.push_back(std::move(added));
  return next;
}

}  // namespace

bool Publisher::is_published(Database& db, const IndexConfig& index, const Token& token, const UploadForm& form,
                             const CheckedUpload& file, const ProjectDocument* before) {
  if (check_name(name_row(db, index.name, file.key), index, form, before)) return true;
  check_status(before);
  check_quota(token, token_use(db, token.id, clock_.wall_ms()), form.size_bytes);
  return false;
}

bool Publisher::is_published(const IndexConfig& index, const Token& token, const UploadForm& form,
                             const CheckedUpload& file) {
  if (!token.covers(file.project)) {
    throw UploadRefusal(403, fmt::format("token {} is not for project `{}`", token.id, file.project));
  }
  const auto before = pages_.document(index.name, file.project);
  return catalog_.read([&](Database& db) { return is_published(db, index, token, form, file, before.get()); });
}

std::vector<std::string> Publisher::names_like(const std::string& project) {
  std::vector<std::string> known, out;
  for (const std::string& index : index_names_) {
    const auto names = pages_.names(index);
    known.insert(known.end(), names.begin(), names.end());
  }
  std::ranges::sort(known);
  known.erase(std::unique(known.begin(), known.end()), known.end());
  if (std::ranges::binary_search(known, project)) {
    out.push_back(fmt::format("another index of this mirror has a project `{}`", project));
  }
  for (const Lookalike& like : lookalikes(project, known)) {
    if (out.size() == kMostWarnings) break;
    out.push_back(fmt::format("`{}` looks like `{}`: {}", project, like.name, like.why));
  }
  return out;
}

void Publisher::store(const UploadForm& form, const CheckedUpload& file, const Path& content) {
  try {
    blobs_.adopt_part(content, form.sha256);  // hashed while it was written
  } catch (const Error&) {
    blobs_.adopt(content, form.sha256);  // by copy, when the store is a file system of its own
  }
  if (file.is_wheel) blobs_.put(file.metadata);
}

Published Publisher::publish(const IndexConfig& index, const Token& token, const UploadForm& form,
                             const CheckedUpload& file, const Path& content) {
  store(form, file, content);
  const std::lock_guard lock(mutex_);
  for (int tries = 1;; ++tries) {
    const auto row = pages_.find(index.name, file.project);
    const auto before = pages_.document(index.name, file.project);
    Published out;
    std::optional<NameRow> replaced;
    const bool there = catalog_.read([&](Database& db) {
      replaced = name_row(db, index.name, file.key);
      return is_published(db, index, token, form, file, before.get());
    });
    if (there) return {false, {}};
    if (!before) out.warnings = names_like(file.project);
    const int64_t now_ms = clock_.wall_ms();
    const ProjectDocument next = with_file(before.get(), file, index_file(form, file, now_ms), replaced);
    try {
      const auto also = [&](Database& db) {
        Statement name = db.prepare(
            "INSERT INTO uploaded(index_name, key, project, file, sha256, token, at_ms) VALUES(?,?,?,?,?,?,?) "
            "ON CONFLICT(index_name, key) DO UPDATE SET file = excluded.file, sha256 = excluded.sha256, "
            "token = excluded.token, at_ms = excluded.at_ms");
        name.bind(1, index.name).bind(2, file.key).bind(3, file.project).bind(4, form.file_name);
        name.bind(5, form.sha256.hex()).bind(6, token.id).bind(7, now_ms).run();
        count_token_use(db, token.id, {form.size_bytes, 1}, now_ms);
        write_audit(db, {.at_ms = now_ms,
                         .who = "token " + token.id,
                         .action = "upload",
                         .index = index.name,
                         .subject = form.file_name,
                         .reason = "",
                         .details = Value::object({{"sha256", form.sha256.hex()}})});
      };
      apply_unless_overtaken(pages_, index.name, row ? row->document : "", {file.project, next, 0}, now_ms, "upload",
                             also);
      return out;
    } catch (const Overtaken&) {
      if (tries == kMostTries) throw UploadRefusal(503, "the project is being changed by others: try again");
    }
  }
}

}  // namespace dae::mirror
