#include <fmt/format.h>

#include "base/error.h"
#include "base/http.h"
#include "base/strings.h"
#include "resolver/source/archive_source.h"
#include "resolver/source/direct.h"
#include "resolver/source/direct_reference.h"
#include "resolver/source/git_source.h"
#include "resolver/source/hg_source.h"
#include "resolver/source/once_map.h"
#include "resolver/source/scratch_dir.h"
#include "resolver/source/source_tree.h"
#include "resolver/standards/direct_url.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

class Sources final : public DirectSources {
 public:
  Sources(Transport& transport, BlobStore& blobs, ProcessRunner& runner, DirectOptions options, EventSink& events)
      : blobs_(blobs),
        options_(std::move(options)),
        access_{transport, runner, events, options_.cache_dir, options_.offline} {}

  const DirectSource& resolve(const std::string& url, bool editable, const std::string& expected_name) override {
    const DirectReference reference = parse_direct_reference(url, options_.base_dir);
    const auto found = made_.get((editable ? "e " : "- ") + url, [&] { return make(reference, editable); });
    for (const std::string& name : {expected_name, reference.name}) {
      if (name.empty() || normalize_name(name) == found->name) continue;
      throw Error(ErrorKind::bad_input, fmt::format("the project there is `{}`, not `{}`", found->name, name),
                  reference.label);
    }
    return *found;  // the map keeps it
  }

 private:
  DirectSource make(const DirectReference& reference, bool editable) {
    DirectSource out;
    out.subdirectory = reference.subdirectory;
    if (reference.kind == DirectReference::Kind::vcs) {
      repository(reference, out);
    } else if (reference.kind == DirectReference::Kind::url) {
      const std::string path = parse_url(reference.url).path;
      file_named(percent_decode(path.substr(path.rfind('/') + 1)), reference.label, out);
      const FetchedFile file = fetch_direct_file(reference.url, reference.sha256, reference.label, access_.transport,
                                                 blobs_, options_.cache_dir, options_.offline, access_.events);
      out.url = strip_url_credentials(reference.url);
      file_contents(file, reference, out);
    } else if (const auto info = file_info(std::filesystem::weakly_canonical(reference.path));
               info && info->is_file()) {
      file_named(reference.path.filename().string(), reference.label, out);
      out.path = reference.written_path;
      file_contents(take_local_file(reference.path, reference.sha256, reference.label, blobs_), reference, out);
    } else {
      directory(reference, editable, out);
    }
    if (editable && (out.kind == DirectSource::Kind::wheel || out.kind == DirectSource::Kind::archive)) {
      throw Error(ErrorKind::bad_input, "only a folder or a repository can be editable", reference.label);
    }
    name_it(reference, out);
    return out;
  }

  void repository(const DirectReference& reference, DirectSource& out) {
    out.kind = DirectSource::Kind::vcs;
    out.vcs = reference.vcs;
    out.url = shareable_url(reference.url, reference.vcs);
    out.requested_revision = reference.revision;
    const bool git = reference.vcs == "git";
    out.commit_id = git ? resolve_git(reference.url, reference.revision, reference.label, access_)
                        : resolve_hg(reference.url, reference.revision, reference.label, access_);
    SourceTree tree;
    tree.root = git ? checkout_git(reference.url, out.commit_id, reference.revision, reference.label, access_)
                    : checkout_hg(reference.url, out.commit_id, reference.label, access_);
    tree.identity = reference.vcs + "-" + out.commit_id;
    out.local = project_of(tree, reference);
    out.metadata = tree_metadata(tree, false);
  }

  void directory(const DirectReference& reference, bool editable, DirectSource& out) {
    out.kind = DirectSource::Kind::directory;
    out.path = reference.written_path;
    out.editable = editable;
    SourceTree tree;
    tree.root = reference.path;
    tree.editable = editable;
    out.local = project_of(tree, reference);
    out.metadata = tree_metadata(tree, false);
  }

  void file_named(const std::string& name, const std::string& label, DirectSource& out) const {
    const bool wheel = name.ends_with(".whl");
    if (!is_safe_file_name(name) || (!wheel && !is_archive_name(name))) {
      throw Error(ErrorKind::bad_input, "neither a wheel nor an archive by its name", label,
                  "the path ends in `.whl`, `.tar.gz`, `.zip` or the like; a repository is written `git+https://…`");
    }
    out.kind = wheel ? DirectSource::Kind::wheel : DirectSource::Kind::archive;
    out.file_name = name;
  }

  void file_contents(const FetchedFile& file, const DirectReference& reference, DirectSource& out) {
    out.sha256 = file.digest.hex();
    out.size_bytes = file.size_bytes;
    out.local = blobs_.path(file.digest);
    if (out.kind == DirectSource::Kind::wheel) {
      if (!parse_wheel_name(out.file_name)) throw Error(ErrorKind::bad_input, "not a wheel's name", reference.label);
      out.metadata = wheel_metadata(out.local, reference.label);
      return;
    }
    const ScratchDir work(".unpack-", options_.cache_dir);
    SourceTree tree;
    tree.root = unpack_source(out.local, work.path() / "tree", reference.label);
    tree.identity = out.sha256;
    tree.scratch = true;
    project_of(tree, reference);
    out.metadata = tree_metadata(tree, true);
  }

  static Path project_of(SourceTree& tree, const DirectReference& reference) {
    tree.subdirectory = reference.subdirectory;
    tree.label = reference.label;
    const Path project = tree.project();
    if (!exists(project) && !tree.subdirectory.empty() && exists(tree.root)) {
      throw Error(ErrorKind::not_found, fmt::format("there is no folder `{}` in it", tree.subdirectory), tree.label);
    }
    check_is_project(project, tree.label);
    return project;
  }

  std::string tree_metadata(const SourceTree& tree, bool sdist) const {
    if (sdist) {
      if (auto text = sdist_metadata(tree.project())) return *text;
    }
    if (auto text = pyproject_metadata(tree.project(), tree.label)) return *text;
    if (options_.build_metadata) return options_.build_metadata(tree);
    throw Error(ErrorKind::failed, "only a build can tell its metadata, and nothing here can build", tree.label);
  }

  static void name_it(const DirectReference& reference, DirectSource& out) {
    const CoreMetadata metadata = parse_core_metadata(out.metadata, reference.label);
    const auto version = Version::try_parse(metadata.version);
    if (!version) {
      throw Error(ErrorKind::bad_input, fmt::format("its metadata has no valid version (`{}`)", metadata.version),
                  reference.label);
    }
    out.name = normalize_name(metadata.name);
    out.version = version->text();
    if (out.kind != DirectSource::Kind::wheel) return;
    const auto by_file = parse_wheel_name(out.file_name);
    if (by_file->distribution == out.name && by_file->version == *version) return;
    throw Error(ErrorKind::bad_input,
                fmt::format("its metadata says `{} {}`, its file name something else", out.name, out.version),
                reference.label);
  }

  BlobStore& blobs_;
  const DirectOptions options_;
  const VcsAccess access_;
  OnceMap<DirectSource> made_;
};

}  // namespace

std::unique_ptr<DirectSources> make_direct_sources(Transport& transport, BlobStore& blobs, ProcessRunner& runner,
                                                   DirectOptions options, EventSink& events) {
  return std::make_unique<Sources>(transport, blobs, runner, std::move(options), events);
}

}  // namespace dae::resolver
