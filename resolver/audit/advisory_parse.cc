// Reading OSV documents. A feed has tens of thousands of them and a project some hundred packages: a document is
// validated as JSON whole, and only what concerns a wanted package is copied out of it.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/audit/advisory.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

namespace dom = simdjson::dom;
using Kind = VersionEvent::Kind;

// Far beyond any record there is; one that has more is damage or an attack.
constexpr size_t kMaxEvents = 10'000;
constexpr size_t kMaxAliases = 1'000;

class Record {
 public:
  Record(const dom::object& object, const std::string& name) : object_(object), name_(name) {}

  // nullopt when it concerns no wanted package.
  std::optional<Advisory> read(const PackageFilter& wanted, bool& of_python) {
    check_head();
    Advisory out;
    dom::element affected;
    // Without a list of affected packages it holds for none ("affected fields": optional).
    if (object_["affected"].get(affected) != simdjson::SUCCESS || affected.is_null()) return std::nullopt;
    for (const dom::element entry : array(affected, "affected")) {
      const dom::object package = object(entry, "affected[]");
      auto name = python_name(package);
      if (!name) continue;
      of_python = true;
      // What is no name of a package cannot be that of one in a lock.
      if (!is_valid_name(*name)) continue;
      *name = normalize_name(*name);
      if (wanted(*name)) out.packages.push_back(affected_package(package, *std::move(name)));
    }
    if (out.packages.empty()) return std::nullopt;
    read_head(out);
    return out;
  }

 private:
  [[noreturn]] void bad(const std::string& why) const {
    const std::string where = id_.empty() || name_.find(id_) != std::string::npos ? "" : fmt::format(" ({})", id_);
    throw Error(ErrorKind::bad_input, "this is no advisory in the OSV format" + where, name_).because(why);
  }

  dom::array array(const dom::element& element, const char* what) const {
    dom::array out;
    if (element.get(out) != simdjson::SUCCESS) bad(fmt::format("`{}` is no list", what));
    return out;
  }
  dom::object object(const dom::element& element, const char* what) const {
    dom::object out;
    if (element.get(out) != simdjson::SUCCESS) bad(fmt::format("`{}` is no object", what));
    return out;
  }
  std::string_view string(const dom::element& element, const char* what) const {
    std::string_view out;
    if (element.get(out) != simdjson::SUCCESS) bad(fmt::format("`{}` is no string", what));
    return out;
  }

  // nullopt: absent or null.
  static std::optional<dom::element> member(const dom::object& from, std::string_view key) {
    dom::element out;
    if (from[key].get(out) != simdjson::SUCCESS || out.is_null()) return std::nullopt;
    return out;
  }
  std::string text(const dom::object& from, const char* key) const {
    const auto found = member(from, key);
    return found ? std::string(string(*found, key)) : "";
  }
  std::vector<std::string> texts(const dom::object& from, const char* key, size_t most) const {
    std::vector<std::string> out;
    const auto found = member(from, key);
    if (!found) return out;
    for (const dom::element item : array(*found, key)) {
      if (out.size() == most) bad(fmt::format("`{}` has more than {} entries", key, most));
      out.emplace_back(string(item, key));
    }
    return out;
  }

  void check_head() {
    id_ = text(object_, "id");
    if (id_.empty() || id_.size() > 200) bad("it has no `id`");
    if (!std::ranges::all_of(id_, [](char c) { return c > ' ' && c < 0x7f; })) bad("its `id` is not printable");
    // Later minor versions only add fields.
    const std::string schema = text(object_, "schema_version");
    if (!schema.empty() && !schema.starts_with("1.")) bad(fmt::format("its schema has version {}", schema));
  }

  void read_head(Advisory& out) const {
    out.id = id_;
    out.aliases = texts(object_, "aliases", kMaxAliases);
    out.summary = trim(text(object_, "summary"));
    out.published = text(object_, "published");
    out.modified = text(object_, "modified");
    out.withdrawn = !text(object_, "withdrawn").empty();
    out.severity = severity(object_);
    out.url = page();
  }

  // Of this ecosystem; a suffix behind a colon names one of its repositories.
  std::optional<std::string> python_name(const dom::object& entry) const {
    const auto package = member(entry, "package");
    if (!package) return std::nullopt;
    const dom::object fields = object(*package, "package");
    const std::string ecosystem = text(fields, "ecosystem");
    if (!iequals(ecosystem.substr(0, ecosystem.find(':')), "pypi")) return std::nullopt;
    return text(fields, "name");
  }

  AffectedPackage affected_package(const dom::object& entry, std::string name) const {
    AffectedPackage out;
    out.name = std::move(name);
    out.versions = texts(entry, "versions", 1'000'000);
    out.severity = severity(entry);
    const auto ranges = member(entry, "ranges");
    if (!ranges) return out;
    for (const dom::element item : array(*ranges, "ranges")) {
      const dom::object range = object(item, "ranges[]");
      const std::string type = text(range, "type");
      if (type == "GIT") continue;
      // Semantic versions are in the order of PEP 440 too, where it can read them.
      if (type != "ECOSYSTEM" && type != "SEMVER") bad(fmt::format("`{}` is no type of a range", type));
      read_range(range, out);
    }
    return out;
  }

  void read_range(const dom::object& range, AffectedPackage& out) const {
    const auto list = member(range, "events");
    if (!list) bad("a range has no `events`");
    std::vector<VersionEvent> events;
    bool introduced = false, readable = true;
    for (const dom::element item : array(*list, "events")) {
      if (events.size() > kMaxEvents) bad("a range has too many events");
      for (const auto& [key, value] : object(item, "events[]")) {
        const auto kind = kind_of(key);
        if (!kind) continue;  // types that later versions of the schema add narrow nothing we rely on
        introduced = introduced || *kind == Kind::introduced;
        readable = add_event(*kind, string(value, "events[]"), events, out) && readable;
      }
    }
    if (!introduced) bad("a range has no event `introduced`");
    if (!readable) return;
    std::ranges::stable_sort(events, order);
    out.ranges.push_back(std::move(events));
  }

  static std::optional<Kind> kind_of(std::string_view key) {
    if (key == "introduced") return Kind::introduced;
    if (key == "fixed") return Kind::fixed;
    if (key == "last_affected") return Kind::last_affected;
    if (key == "limit") return Kind::limit;
    return std::nullopt;
  }

  static bool add_event(Kind kind, std::string_view text, std::vector<VersionEvent>& events, AffectedPackage& out) {
    VersionEvent event{kind, std::nullopt};
    const bool open = (kind == Kind::introduced && text == "0") || (kind == Kind::limit && text == "*");
    if (!open) {
      event.version = Version::try_parse(text);
      if (!event.version) {
        out.unreadable.emplace_back(text);
        return false;
      }
    }
    events.push_back(std::move(event));
    return true;
  }

  // What is introduced where something else ends is affected.
  static bool order(const VersionEvent& a, const VersionEvent& b) {
    if (!a.version || !b.version) return !a.version && b.version.has_value();
    if (*a.version != *b.version) return *a.version < *b.version;
    return a.kind != Kind::introduced && b.kind == Kind::introduced;
  }

  // The newest notation that can be read; a word of the database where there is none.
  SeverityScore severity(const dom::object& from) const {
    SeverityScore out;
    std::string other;
    if (const auto list = member(from, "severity")) {
      for (const dom::element item : array(*list, "severity")) {
        const dom::object entry = object(item, "severity[]");
        const std::string score = text(entry, "score");
        if (const auto base = cvss3_base_score(score)) {
          if (!out.score || *base > *out.score) out = {severity_from_score(*base), base, score};
        } else if (score.starts_with("CVSS:")) {
          other = score;
        }
      }
    }
    if (out.vector.empty()) out.vector = other;
    const auto extra = member(from, "database_specific");
    dom::object fields;
    if (out.score || !extra || extra->get(fields) != simdjson::SUCCESS) return out;
    const auto word = member(fields, "severity");
    std::string_view said;
    if (word && word->get(said) == simdjson::SUCCESS) out.rating = severity_from_word(said);
    return out;
  }

  std::string page() const {
    const auto list = member(object_, "references");
    std::string out;
    if (!list) return out;
    for (const dom::element item : array(*list, "references")) {
      const dom::object entry = object(item, "references[]");
      const std::string url = text(entry, "url"), type = text(entry, "type");
      if (!url.starts_with("https://") && !url.starts_with("http://")) continue;
      if (!std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f; })) continue;
      if (type == "ADVISORY") return url;
      if (out.empty()) out = url;
    }
    return out;
  }

  const dom::object& object_;
  const std::string& name_;
  std::string id_;
};

}  // namespace

struct AdvisoryParser::State {
  dom::parser parser;
};

AdvisoryParser::AdvisoryParser() : state_(std::make_unique<State>()) {}
AdvisoryParser::~AdvisoryParser() = default;

AdvisoryParser::Counts AdvisoryParser::parse(std::string_view json, const std::string& name,
                                             const PackageFilter& wanted, const std::function<void(Advisory)>& take) {
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorKind::bad_input, "this is no advisory in the OSV format", name).because(why);
  };
  dom::element root;
  if (const auto code = state_->parser.parse(json.data(), json.size()).get(root); code != simdjson::SUCCESS) {
    refuse(fmt::format("invalid JSON: {}", simdjson::error_message(code)));
  }
  Counts counts;
  const auto one = [&](const dom::element& element) {
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS) refuse("it is no JSON object");
    ++counts.records;
    bool of_python = false;
    if (auto advisory = Record(object, name).read(wanted, of_python)) take(*std::move(advisory));
    if (of_python) ++counts.of_python;
  };
  dom::array list;
  if (root.get(list) == simdjson::SUCCESS) {
    for (const dom::element element : list) one(element);
  } else {
    one(root);
  }
  return counts;
}

}  // namespace dae::resolver
