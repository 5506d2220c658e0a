#include "resolver/install/build_cache.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "base/value.h"
#include "resolver/source/source_tree.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxMetadataBytes = 16 << 20;
constexpr const char* kLatest = "latest";

// nullopt: too large to be worth a digest.
std::optional<std::string> identity_of(const SourceTree& tree) {
  if (!tree.identity.empty()) {
    return tree.subdirectory.empty() ? tree.identity : tree.identity + "-" + Digest::of(tree.subdirectory).short_hex();
  }
  const Path project = std::filesystem::absolute(tree.project()).lexically_normal();
  if (tree.editable) {
    std::string said = project.string();
    for (const char* name : {"pyproject.toml", "setup.py", "setup.cfg", ".git/HEAD"}) {
      said += '\0' + read_file_if_exists(project / name, 64 << 20).value_or("");
    }
    return "editable-" + Digest::of(said).hex();
  }
  const auto digest = tree_digest(project);
  if (!digest) return std::nullopt;
  return "tree-" + digest->hex();
}

std::optional<Path> only_wheel(const Path& folder) {
  std::optional<Path> out;
  for (const std::string& name : list_dir(folder)) {
    if (!parse_wheel_name(name)) continue;
    if (out) return std::nullopt;
    out = folder / name;
  }
  return out;
}

void copy_tree(const Path& from, const Path& to) {
  make_dirs(to);
  for (const WalkEntry& entry : walk_tree(from)) {
    const Path target = to / entry.relative;
    if (entry.info.is_dir()) {
      make_dirs(target);
    } else if (entry.info.is_symlink()) {
      symlink_atomic(read_link(entry.path).value_or(""), target);
    } else if (entry.info.is_file()) {
      copy_file(entry.path, target, (entry.info.mode & 0100) != 0 ? 0755 : 0644);
    }
  }
}

}  // namespace

BuildCache::BuildCache(const Path& cache_dir, const SourceTree& tree, const Interpreter& python) {
  auto key = identity_of(tree);
  keeps_ = key.has_value();
  key_ = key ? *key : "place-" + Digest::of(std::filesystem::absolute(tree.project()).string()).hex();
  const std::string name = key_ + "-" + python.cache_tag;
  wheels_ = cache_dir / "built-wheels" / name;
  metadata_ = cache_dir / "built-metadata" / name;
  requirements_ = cache_dir / "built-metadata" / (name + ".requires");
}

Path BuildCache::lock_file() const {
  make_dirs(wheels_.parent_path());
  return wheels_.string() + ".lock";
}

std::optional<Path> BuildCache::wheel(const std::string& environment) const {
  return keeps_ ? only_wheel(wheels_ / environment) : std::nullopt;
}

std::optional<Path> BuildCache::latest_wheel() const {
  if (!keeps_) return std::nullopt;
  const auto name = read_file_if_exists(wheels_ / kLatest, 4096);
  return name && is_safe_file_name(*name) ? only_wheel(wheels_ / *name) : std::nullopt;
}

Path BuildCache::keep_wheel(const Path& folder, const std::string& environment) const {
  const Path place = wheels_ / environment;
  make_dirs(wheels_);
  remove_all(place);
  rename_path(folder, place);
  write_file_atomic(wheels_ / kLatest, environment, 0644, Durability::none);
  return only_wheel(place).value();
}

std::optional<std::string> BuildCache::metadata() const {
  return keeps_ ? read_file_if_exists(metadata_, kMaxMetadataBytes) : std::nullopt;
}

void BuildCache::keep_metadata(const std::string& text) const {
  if (!keeps_) return;
  make_dirs(metadata_.parent_path());
  write_file_atomic(metadata_, text, 0644, Durability::none);
}

std::optional<std::vector<std::string>> BuildCache::requirements() const {
  const auto text = keeps_ ? read_file_if_exists(requirements_, kMaxMetadataBytes) : std::nullopt;
  if (!text) return std::nullopt;
  try {
    std::vector<std::string> out;
    const Document document = parse_json(*text, requirements_.string());
    for (const Value& item : document.root.as_array()) out.push_back(item.as_string());
    return out;
  } catch (const Error&) {
    return std::nullopt;  // damaged: asked for again
  }
}

void BuildCache::keep_requirements(const std::vector<std::string>& requirements) const {
  if (!keeps_) return;
  make_dirs(requirements_.parent_path());
  write_file_atomic(requirements_, canonical_json(Value::strings(requirements)), 0644, Durability::none);
}

SourceTree writable_tree(const SourceTree& tree, const Path& work) {
  SourceTree out = tree;
  if (tree.scratch || tree.identity.empty()) return out;
  out.root = work / "source";
  copy_tree(tree.root, out.root);
  return out;
}

}  // namespace dae::resolver
