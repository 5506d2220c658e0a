#include "resolver/install/fetch_source.h"

#include <fmt/format.h>

#include "base/error.h"
#include "resolver/install/source_build.h"
#include "resolver/source/archive_source.h"
#include "resolver/source/direct_reference.h"
#include "resolver/source/find_links.h"
#include "resolver/source/git_source.h"
#include "resolver/source/hg_source.h"
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

SourceTree check_out(const LockedVcs& vcs, const DirectReference& reference, SourceTree tree,
                     const SourceFetch& fetch) {
  const VcsAccess access{fetch.transport, fetch.runner, fetch.events, fetch.cache_dir, fetch.options.offline};
  tree.root = vcs.type == "git"
                  ? checkout_git(reference.url, vcs.commit_id, reference.revision, reference.label, access)
                  : checkout_hg(reference.url, vcs.commit_id, reference.label, access);
  check_is_project(tree.project(), tree.label);
  return tree;
}

// Takes the built wheel in. It must be one of the package that was asked for; the version is its own.
WheelToInstall take_in(const Path& wheel, const Selected& item, const std::string& label, const SourceFetch& fetch) {
  const auto name = parse_wheel_name(wheel.filename().string());
  if (!name || name->distribution != normalize_name(item.name)) {
    throw Error(ErrorKind::verification,
                fmt::format("its build made `{}`, not a wheel of `{}`", wheel.filename().string(), item.name), label);
  }
  WheelToInstall out;
  out.name = name->distribution;
  out.version = name->version.text();
  out.file_name = wheel.filename().string();
  out.digest = take_local_file(wheel, "", label, fetch.blobs).digest;
  return out;
}

WheelToInstall from_repository(const Selected& item, const LockedVcs& vcs, const SourceFetch& fetch) {
  if ((vcs.type != "git" && vcs.type != "hg") || !is_commit_id(vcs.commit_id)) {
    throw Error(ErrorKind::bad_input, "the lock names no commit of git or Mercurial that can be installed", item.name);
  }
  const DirectReference reference = locked_reference(vcs, fetch.options.base_dir);
  SourceTree tree;
  tree.subdirectory = reference.subdirectory;
  tree.identity = vcs.type + "-" + vcs.commit_id;
  tree.label = reference.label;
  auto wheel = built_source(tree, fetch.python, fetch.cache_dir);
  if (!wheel) {
    wheel =
        build_source(check_out(vcs, reference, tree, fetch), fetch.python, fetch.cache_dir, fetch.runner, fetch.events);
  }
  WheelToInstall out = take_in(*wheel, item, reference.label, fetch);
  out.direct_url = render_direct_url(
      {reference.url, reference.subdirectory, DirectUrl::Vcs{vcs.type, vcs.requested_revision, vcs.commit_id}});
  return out;
}

WheelToInstall from_directory(const Selected& item, const LockedDirectory& directory, const SourceFetch& fetch) {
  SourceTree tree;
  tree.root = absolute_in(fetch.options.base_dir, directory.path);
  tree.label = directory.path;
  tree.subdirectory = checked_subdirectory(directory.subdirectory, tree.label);
  tree.editable = directory.editable;
  check_is_project(tree.project(), tree.label);
  const Path wheel = build_source(tree, fetch.python, fetch.cache_dir, fetch.runner, fetch.events);
  WheelToInstall out = take_in(wheel, item, tree.label, fetch);
  out.direct_url =
      render_direct_url({file_url(tree.root.string()), tree.subdirectory, DirectUrl::Directory{directory.editable}});
  return out;
}

WheelToInstall from_archive(const Selected& item, const SourceFetch& fetch) {
  const Digest digest = Digest::parse(item.file.sha256);
  SourceTree tree;
  tree.subdirectory = checked_subdirectory(item.subdirectory, item.file.name);
  tree.identity = digest.hex();
  tree.label = item.file.name;
  tree.scratch = true;
  auto wheel = built_source(tree, fetch.python, fetch.cache_dir);
  if (!wheel) {
    make_dirs(fetch.cache_dir);
    const TempDir work(".unpack-", fetch.cache_dir);
    tree.root = unpack_source(fetch.blobs.path(digest), work.path() / "tree", tree.label);
    check_is_project(tree.project(), tree.label);
    wheel = build_source(tree, fetch.python, fetch.cache_dir, fetch.runner, fetch.events);
  }
  WheelToInstall out = take_in(*wheel, item, tree.label, fetch);
  out.direct_url = archive_direct_url(item, digest, fetch.options.base_dir);
  return out;
}

}  // namespace

std::string archive_direct_url(const Selected& item, const Digest& digest, const Path& base_dir) {
  const std::string url = item.file.path.empty() ? item.file.url : file_url(absolute_in(base_dir, item.file.path));
  return render_direct_url({url, item.subdirectory, DirectUrl::Archive{{{"sha256", digest.hex()}}}});
}

WheelToInstall wheel_from_source(const Selected& item, const SourceFetch& fetch) {
  if (item.vcs) return from_repository(item, *item.vcs, fetch);
  if (item.directory) return from_directory(item, *item.directory, fetch);
  return from_archive(item, fetch);
}

}  // namespace dae::resolver
