#include "resolver/install/source_build.h"

#include <fmt/format.h>

#include "base/error.h"
#include "resolver/install/environment.h"
#include "resolver/install/metadata_hook.h"
#include "resolver/install/sdist_build.h"
#include "resolver/source/archive_source.h"
#include "resolver/source/source_tree.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxMetadataBytes = 16 << 20;

// What a build of the tree is kept under; nullopt: nothing names its contents, so it is built each time.
std::optional<std::string> build_key(const SourceTree& tree) {
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

Path kept_in(const Path& cache_dir, const std::string& key, const Interpreter& python) {
  return cache_dir / "built-wheels" / (key + "-" + python.cache_tag);
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

// The tree somewhere a build may write: itself, or a copy below `work`.
SourceTree writable(const SourceTree& tree, const Path& work) {
  SourceTree out = tree;
  if (tree.scratch || tree.identity.empty()) return out;
  out.root = work / "source";
  copy_tree(tree.root, out.root);
  return out;
}

Path build_into(const Path& root, const SourceTree& tree, const Interpreter& python, const Path& cache_dir,
                ProcessRunner& runner, EventSink& events, const Path& final_dir) {
  const Path builder = builder_python(python, cache_dir, runner, events);
  Activity activity(events, "building", tree.label);
  TempDir work(".building-", root);
  const Path out = work.path() / "out";
  make_dirs(out);
  const SourceTree source = writable(tree, work.path());
  if (tree.editable) {
    build_editable(source.project(), tree.label, out, builder, python, cache_dir, runner, events);
  } else {
    pip_wheel(builder, std::filesystem::absolute(source.project()), out, tree.label, runner);
  }
  only_wheel(out, tree.label);
  remove_all(final_dir);
  rename_path(out, final_dir);
  activity.finish();
  return wheels_in(final_dir).front();
}

std::string metadata_of(const SourceTree& tree, const Interpreter& python, const Path& cache_dir, ProcessRunner& runner,
                        EventSink& events) {
  const auto key = build_key(tree);
  const Path kept = cache_dir / "built-metadata" / (key.value_or("") + "-" + python.cache_tag);
  if (key) {
    if (auto text = read_file_if_exists(kept, kMaxMetadataBytes)) return std::move(*text);
  }
  if (const auto wheel = built_source(tree, python, cache_dir)) return wheel_metadata(*wheel, tree.label);
  std::optional<std::string> text;
  if (!tree.editable) {
    make_dirs(cache_dir);
    const TempDir work(".metadata-", cache_dir);
    const Path builder = builder_python(python, cache_dir, runner, events);
    text =
        prepare_metadata(writable(tree, work.path()).project(), tree.label, builder, python, cache_dir, runner, events);
  }
  if (!text) text = wheel_metadata(build_source(tree, python, cache_dir, runner, events), tree.label);
  if (key) {
    make_dirs(kept.parent_path());
    write_file_atomic(kept, *text, 0644, Durability::none);
  }
  return *text;
}

}  // namespace

std::optional<Path> built_source(const SourceTree& tree, const Interpreter& python, const Path& cache_dir) {
  const auto key = build_key(tree);
  if (!key) return std::nullopt;
  const auto built = wheels_in(kept_in(cache_dir, *key, python));
  return built.size() == 1 ? std::optional(built.front()) : std::nullopt;
}

Path build_source(const SourceTree& tree, const Interpreter& python, const Path& cache_dir, ProcessRunner& runner,
                  EventSink& events) {
  const Path root = cache_dir / "built-wheels";
  make_dirs(root);
  const auto key = build_key(tree);
  const std::string name = key ? *key : "place-" + Digest::of(std::filesystem::absolute(tree.project()).string()).hex();
  const Path final_dir = kept_in(cache_dir, name, python);
  const FileLock lock = FileLock::acquire(final_dir.string() + ".lock");
  if (key) {
    if (const auto built = wheels_in(final_dir); built.size() == 1) return built.front();
  }
  return build_into(root, tree, python, cache_dir, runner, events, final_dir);
}

ProcessResult OfflineRunner::run(const ProcessSpec& spec) {
  if (!offline_) return runner_.run(spec);
  ProcessSpec changed = spec;
  changed.env["PIP_NO_INDEX"] = "1";
  return runner_.run(changed);
}

std::function<std::string(const SourceTree& tree)> source_metadata_builder(const Interpreter& python,
                                                                           const Path& cache_dir, ProcessRunner& runner,
                                                                           EventSink& events, bool offline) {
  return [python, cache_dir, &runner, &events, offline](const SourceTree& tree) {
    OfflineRunner guarded(runner, offline);
    return metadata_of(tree, python, cache_dir, guarded, events);
  };
}

}  // namespace dae::resolver
