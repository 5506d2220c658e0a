#include "resolver/lock/requirements_txt_settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "resolver/standards/names.h"

namespace dae::resolver {

namespace {

constexpr const char* kAll = ":all:";

void remove(std::vector<std::string>& list, const std::string& name) {
  std::erase(list, name);
}

// "a,b", ":all:", ":none:": what is added to one list leaves the other, and the last word counts.
void choose_files(const OptionUse& use, std::vector<std::string>& target, std::vector<std::string>& other) {
  for (const std::string& part : split(use.value, ',')) {
    if (part == ":none:") {
      target.clear();
    } else if (part == kAll) {
      other.clear();
      target = {kAll};
    } else if (!is_valid_name(trim(part))) {
      fail_at(use.value_offset, fmt::format("`{}` is no name of a package", part.substr(0, 60)),
              "write names with `,` between them, `:all:` or `:none:`");
    } else if (const std::string name = normalize_name(trim(part)); target != std::vector<std::string>{kAll}) {
      remove(other, name);
      if (std::find(target.begin(), target.end(), name) == target.end()) target.push_back(name);
    }
  }
}

void choose_releases(const OptionUse& use, PrereleaseMode mode, ProjectSettings& out) {
  if (use.value != kAll) {
    fail_at(use.value_offset, fmt::format("`{}` is supported for `:all:` packages only", use.name));
  }
  out.prereleases = mode;
}

// Relative ones are looked for beside the file that names them, as pip does.
std::string link_place(const std::string& value, const Path& file) {
  if (value.find("://") != std::string::npos || Path(value).is_absolute()) return value;
  std::error_code ignored;
  const Path beside = file.parent_path() / value;
  return std::filesystem::exists(beside, ignored) ? beside.lexically_normal().string() : value;
}

bool is_ignored(std::string_view name) {
  return name == "--trusted-host" || name == "--prefer-binary" || name == "--use-feature" || name == "--always-unzip";
}

std::string why_ignored(std::string_view name) {
  if (name == "--trusted-host") return "`--trusted-host` is ignored: certificates are always checked";
  if (name == "--prefer-binary")
    return "`--prefer-binary` is ignored: the newest version is taken, as a wheel if it has one";
  return fmt::format("`{}` is ignored: it is a setting of pip alone", name);
}

}  // namespace

void RequirementsSettings::add_index(const OptionUse& use) {
  const std::string scheme = lower(use.value.substr(0, use.value.find(':')));
  if (scheme != "https" && scheme != "http" && scheme != "file") {
    fail_at(use.value_offset, fmt::format("the value of `{}` is no address of an index", use.name));
  }
  if (no_index_) return;
  if (use.name == "--index-url") {
    index_url_ = use.value;
    extra_index_urls_.clear();
  } else if (std::find(extra_index_urls_.begin(), extra_index_urls_.end(), use.value) == extra_index_urls_.end()) {
    extra_index_urls_.push_back(use.value);
  }
}

std::string RequirementsSettings::apply(const OptionUse& use, const Path& file, ProjectSettings& out) {
  const std::string& name = use.name;
  if (is_ignored(name)) return why_ignored(name);
  if (name == "--index-url" || name == "--extra-index-url") {
    add_index(use);
  } else if (name == "--no-index") {
    no_index_ = out.no_index = true;
    index_url_.clear();
    extra_index_urls_.clear();
  } else if (name == "--find-links") {
    out.find_links.push_back(link_place(use.value, file));
  } else if (name == "--no-binary") {
    choose_files(use, out.no_binary, out.only_binary);
  } else if (name == "--only-binary") {
    choose_files(use, out.only_binary, out.no_binary);
  } else if (name == "--pre") {
    out.prereleases = PrereleaseMode::allow;
  } else if (name == "--all-releases") {
    choose_releases(use, PrereleaseMode::allow, out);
  } else if (name == "--only-final") {
    choose_releases(use, PrereleaseMode::disallow, out);
  } else if (name == "--require-hashes") {
    out.require_hashes = true;
  } else {
    fail_at(use.offset, fmt::format("option `{}` is not supported", name));
  }
  return "";
}

void RequirementsSettings::finish(ProjectSettings& out) const {
  // The first index that has a name wins: the additional ones come first, or a public package could take the place of
  // a private one.
  for (const std::string& url : extra_index_urls_) out.indexes.push_back({"", url, false});
  if (!index_url_.empty()) out.indexes.push_back({"", index_url_, false});
  out.configured_too = index_url_.empty() && !extra_index_urls_.empty();
}

}  // namespace dae::resolver
