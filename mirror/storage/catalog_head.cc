#include "mirror/storage/catalog_head.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/gzip.h"
#include "base/hash.h"
#include "base/value.h"

namespace dae::mirror {
namespace {

constexpr int64_t kFormat = 1;
constexpr size_t kMostRecent = 1000;
constexpr size_t kLineLimitBytes = 4096;
constexpr size_t kChangesLimitBytes = 1u << 30;

Error damaged(const std::string& source, const std::string& why) {
  return Error(ErrorKind::bad_input, "the storage's catalog is damaged", source).because(why);
}

int64_t count_of(const Value& value, const char* key, const std::string& source) {
  const Value* found = value.find(key);
  if (found == nullptr || !found->is_integer() || found->as_integer() < 0) {
    throw damaged(source, fmt::format("`{}` is no count", key));
  }
  return found->as_integer();
}

std::string digest_of(const Value& value, const std::string& source) {
  if (!value.is_string() || !Digest::is_valid(value.as_string())) throw damaged(source, "a sha256 is none");
  return value.as_string();
}

Value parse_object(std::string_view text, const std::string& source) {
  Value value = parse_json(text, source).root;
  if (!value.is_object()) throw damaged(source, "not an object");
  if (count_of(value, "format", source) != kFormat) {
    throw Error(ErrorKind::refused, "the storage was written by another version of dae", source, "use that version");
  }
  return value;
}

}  // namespace

std::string write_head(const CatalogHead& head) {
  Value value = Value::object({{"format", kFormat},
                               {"schema", head.schema},
                               {"sequence", head.sequence},
                               {"fence", head.fence},
                               {"made_ms", head.made_ms},
                               {"writer", head.writer},
                               {"lease", head.lease},
                               {"log_bytes", head.log_bytes},
                               {"recent", Value::strings(head.recent)}});
  if (head.base.sequence > 0) {
    value.set("base", Value::object({{"sequence", head.base.sequence},
                                     {"sha256", head.base.sha256},
                                     {"size", head.base.size_bytes},
                                     {"log_bytes", head.base.log_bytes}}));
  }
  return canonical_json(value);
}

CatalogHead parse_head(std::string_view text, const std::string& source) {
  const Value value = parse_object(text, source);
  CatalogHead head;
  head.schema = count_of(value, "schema", source);
  head.sequence = count_of(value, "sequence", source);
  head.fence = count_of(value, "fence", source);
  head.made_ms = count_of(value, "made_ms", source);
  head.log_bytes = count_of(value, "log_bytes", source);
  head.writer = value.get_string("writer");
  head.lease = value.get_string("lease");
  if (const Value* base = value.find("base")) {
    head.base.sequence = count_of(*base, "sequence", source);
    head.base.size_bytes = static_cast<uint64_t>(count_of(*base, "size", source));
    head.base.log_bytes = count_of(*base, "log_bytes", source);
    const Value* sha256 = base->find("sha256");
    if (sha256 == nullptr) throw damaged(source, "a base without its sha256");
    head.base.sha256 = digest_of(*sha256, source);
  }
  const Value* recent = value.find("recent");
  if (recent == nullptr || !recent->is_array()) throw damaged(source, "no list of recent entries");
  for (const Value& one : recent->as_array()) head.recent.push_back(digest_of(one, source));
  const bool told = head.recent.empty() == (head.sequence == 0);
  if (!told || head.recent.size() > kMostRecent || static_cast<int64_t>(head.recent.size()) > head.sequence ||
      head.base.sequence > head.sequence || head.base.log_bytes > head.log_bytes) {
    throw damaged(source, "its numbers do not fit together");
  }
  return head;
}

std::string write_entry(const LogEntry& entry) {
  return canonical_json(Value::object({{"format", kFormat},
                                       {"schema", entry.schema},
                                       {"sequence", entry.sequence},
                                       {"previous", entry.previous}})) +
         "\n" + gzip(entry.changes);
}

LogEntry parse_entry(std::string_view bytes, const std::string& source) {
  const size_t end = bytes.substr(0, kLineLimitBytes).find('\n');
  if (end == std::string_view::npos) throw damaged(source, "no line of JSON");
  const Value value = parse_object(bytes.substr(0, end), source);
  LogEntry entry;
  entry.schema = count_of(value, "schema", source);
  entry.sequence = count_of(value, "sequence", source);
  entry.previous = value.get_string("previous");
  if (!entry.previous.empty() && !Digest::is_valid(entry.previous)) throw damaged(source, "a sha256 is none");
  entry.changes = gunzip(bytes.substr(end + 1), kChangesLimitBytes);
  return entry;
}

std::string log_key(int64_t sequence, const std::string& sha256) {
  return fmt::format("catalog/log/{:016}-{}", sequence, sha256);
}

std::string base_key(const CatalogBase& base) {
  return fmt::format("catalog/base/{:016}-{}", base.sequence, base.sha256);
}

}  // namespace dae::mirror
