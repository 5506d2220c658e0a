#include "resolver/install/fetch_source.h"

#include <fmt/format.h>

#include "base/error.h"
#include "resolver/source/archive_source.h"
#include "resolver/source/direct_reference.h"
#include "resolver/source/find_links.h"
#include "resolver/source/git_source.h"
#include "resolver/source/hg_source.h"
#include "resolver/source/scratch_dir.h"
#include "resolver/source/source_tree.h"
#include "resolver/standards/direct_url.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

std::string absolute_in(const Path& base_dir, const std::string& path) {
  const Path start = base_dir.empty() ? std::filesystem::current_path() : std::filesystem::absolute(base_dir);
  Path out = (start / path).lexically_normal();
  if (!out.has_filename()) out = out.parent_path();
  return out.string();
}

// The address in the lock went through the hands of others: it is held to the rules of a written one.
DirectReference locked_reference(const LockedVcs& vcs, const Path& base_dir) {
  const std::string url = vcs.url.empty() ? file_url(absolute_in(base_dir, vcs.path)) : vcs.url;
  const std::string revision = vcs.requested_revision.empty() ? vcs.commit_id : vcs.requested_revision;
  DirectReference out = parse_direct_reference(vcs.type + "+" + url + "@" + revision, base_dir);
  out.revision = vcs.requested_revision;
  out.subdirectory = checked_subdirectory(vcs.subdirectory, out.label);
  return out;
}

// One selected source: what is known of it without looking, and the tree itself when it is needed.
class SelectedSource {
 public:
  SelectedSource(const Selected& item, SourceBuilder& builder, const BuildChain& chain)
      : item_(item), builder_(builder) {
    subject_.name = normalize_name(item.name);
    subject_.version = item.version;
    subject_.chain = chain;
    SourceTree& tree = subject_.tree;
    if (item.vcs) {
      const LockedVcs& vcs = *item.vcs;
      if ((vcs.type != "git" && vcs.type != "hg") || !is_commit_id(vcs.commit_id)) {
        throw Error(ErrorKind::bad_input, "the lock names no commit of git or Mercurial that can be installed",
                    item.name);
      }
      reference_ = locked_reference(vcs, base_dir());
      tree.subdirectory = reference_->subdirectory;
      tree.identity = vcs.type + "-" + vcs.commit_id;
      tree.label = reference_->label;
    } else if (item.directory) {
      tree.root = absolute_in(base_dir(), item.directory->path);
      tree.label = item.directory->path;
      tree.subdirectory = checked_subdirectory(item.directory->subdirectory, tree.label);
      tree.editable = item.directory->editable;
      check_is_project(tree.project(), tree.label);
    } else {
      tree.label = item.file.name;
      tree.subdirectory = checked_subdirectory(item.subdirectory, item.file.name);
      tree.identity = archive_digest().hex();
      tree.scratch = true;
    }
  }

  // With the tree in place.
  const BuildSubject& opened() {
    SourceTree& tree = subject_.tree;
    if (item_.vcs) {
      const VcsAccess access{builder_.transport(), builder_.runner(), builder_.events(), builder_.cache_dir(),
                             builder_.setup().offline};
      tree.root = item_.vcs->type == "git"
                      ? checkout_git(reference_->url, item_.vcs->commit_id, reference_->revision, tree.label, access)
                      : checkout_hg(reference_->url, item_.vcs->commit_id, tree.label, access);
    } else if (!item_.directory) {
      work_.emplace(".unpack-", builder_.cache_dir());
      tree.root = unpack_source(builder_.blobs().path(archive_digest()), work_->path() / "tree", tree.label);
    }
    check_is_project(tree.project(), tree.label);
    return subject_;
  }
  const BuildSubject& unopened() const { return subject_; }

  std::string direct_url() const {
    if (item_.vcs) {
      return render_direct_url({reference_->url, reference_->subdirectory,
                                DirectUrl::Vcs{item_.vcs->type, item_.vcs->requested_revision, item_.vcs->commit_id}});
    }
    if (item_.directory) {
      const SourceTree& tree = subject_.tree;
      return render_direct_url({file_url(tree.root.string()), tree.subdirectory, DirectUrl::Directory{tree.editable}});
    }
    return item_.direct ? archive_direct_url(item_, archive_digest(), base_dir()) : "";
  }

 private:
  const Path& base_dir() const { return builder_.setup().base_dir; }
  Digest archive_digest() const {
    if (Digest::is_valid(item_.file.sha256)) return Digest::parse(item_.file.sha256);
    return Digest::parse(item_.file.hashes.at("sha256"));  // fetching made sure
  }

  const Selected& item_;
  SourceBuilder& builder_;
  BuildSubject subject_;
  std::optional<DirectReference> reference_;
  std::optional<ScratchDir> work_;
};

// As a wheel, which is not built, it is only fetched.
void bring_archive(const Selected& item, SourceBuilder& builder) {
  Selected file = item;
  file.is_wheel = true;
  file.direct = false;
  fetch_selected({file}, builder.python(), builder.transport(), builder.blobs(), builder.cache_dir(), builder.runner(),
                 builder.events(), builder.fetch_options({}));
}

// Takes the built wheel in. It must be one of the package that was asked for; the version is its own.
WheelToInstall take_in(const Path& wheel, const Selected& item, const std::string& label, BlobStore& blobs) {
  const auto name = parse_wheel_name(wheel.filename().string());
  if (!name || name->distribution != normalize_name(item.name)) {
    throw Error(ErrorKind::verification,
                fmt::format("its build made `{}`, not a wheel of `{}`", wheel.filename().string(), item.name), label);
  }
  WheelToInstall out;
  out.name = name->distribution;
  out.version = name->version.text();
  out.file_name = wheel.filename().string();
  out.digest = take_local_file(wheel, "", label, blobs).digest;
  return out;
}

}  // namespace

std::string archive_direct_url(const Selected& item, const Digest& digest, const Path& base_dir) {
  const std::string url = item.file.path.empty() ? item.file.url : file_url(absolute_in(base_dir, item.file.path));
  return render_direct_url({url, item.subdirectory, DirectUrl::Archive{{{"sha256", digest.hex()}}}});
}

WheelToInstall wheel_from_source(const Selected& item, SourceBuilder& builder, const BuildChain& chain) {
  SelectedSource source(item, builder, chain);
  auto wheel = builder.kept_wheel(source.unopened());
  if (!wheel) wheel = builder.wheel(source.opened());
  WheelToInstall out = take_in(*wheel, item, source.unopened().tree.label, builder.blobs());
  out.direct_url = source.direct_url();
  return out;
}

std::vector<std::string> requirements_of_source(const Selected& item, SourceBuilder& builder) {
  SelectedSource source(item, builder, {});
  if (auto known = builder.known_requirements(source.unopened())) return *known;
  if (!item.vcs && !item.directory) bring_archive(item, builder);
  return builder.requirements(source.opened());
}

}  // namespace dae::resolver
