#include "resolver/source/hg_source.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/http.h"
#include "base/log.h"
#include "base/strings.h"
#include "resolver/source/source_tree.h"
#include "resolver/standards/direct_url.h"

namespace dae::resolver {
namespace {

constexpr int64_t kTimeoutMs = 30 * 60 * 1000;
constexpr size_t kShownBytes = 400;

// One repository: where it is, how it is spoken to.
class Hg {
 public:
  Hg(const std::string& url, const std::string& label, const VcsAccess& access)
      : url_(strip_url_credentials(url)), label_(label), access_(access) {
    // On a command line a password would be every account's to read; in a file of ours it is not.
    if (url_ != url && url.starts_with("http")) write_login(parse_url(url));
    if (url.starts_with("ssh://")) url_ = url;  // its user is part of the address
  }

  // `arguments` end with "--" and the URL where there is one.
  ProcessResult run(std::vector<std::string> arguments) const {
    ProcessSpec spec;
    spec.argv = {"hg",
                 "--noninteractive",
                 "--quiet",
                 "--config",
                 "ui.interactive=no",
                 "--config",
                 "subrepos.allowed=no",
                 "--config",
                 "ui.merge=internal:fail"};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.env = {{"HGPLAIN", "1"}, {"HGENCODING", "utf-8"}, {"SSH_ASKPASS", ""}};
    if (login_) spec.env["HGRCPATH"] = (login_->path() / "hgrc").string();
    spec.timeout_ms = kTimeoutMs;
    try {
      return access_.runner.run(spec);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
      throw Error(ErrorKind::not_found, "Mercurial is needed for this repository and is not installed", label_,
                  "install it, on Debian with `apt install mercurial`");
    }
  }

  bool has(const Path& clone, const std::string& node) const {
    return exists(clone / ".hg") &&
           run({"log", "-R", clone.string(), "-r", "id(" + node + ")", "--template", "{node}"}).out == node;
  }

  // The remote looks names of branches, tags and bookmarks up; of a folder of this machine `hg` would also take an
  // expression of its query language.
  std::string identify(const std::string& revision) const {
    if (revision.find_first_of("()\"'|&!,%") != std::string::npos) {
      throw Error(ErrorKind::bad_input, fmt::format("`{}` cannot be a revision", revision), label_);
    }
    if (!revision.empty()) return node_of(run({"identify", "--id", "--debug", "-r", revision, "--", url_}), revision);
    const ProcessResult branch = run({"identify", "--id", "--debug", "-r", "default", "--", url_});
    if (branch.exit_code == 0) return node_of(branch, revision);
    return node_of(run({"identify", "--id", "--debug", "--", url_}), revision);
  }

  void bring(const Path& clone, const std::string& node) const {
    Activity activity(access_.events, "fetching", label_);
    if (!exists(clone / ".hg")) {
      remove_all(clone);
      check(run({"init", "--", clone.string()}), "cannot make a repository in the cache");
    }
    check(run({"pull", "-R", clone.string(), "-r", node, "--", url_}), "the repository cannot be read");
    activity.finish();
  }

  void export_tree(const Path& clone, const std::string& node, const Path& into) const {
    check(run({"archive", "-R", clone.string(), "-r", node, "--type", "files", "--", into.string()}),
          "the commit cannot be checked out");
  }

 private:
  void write_login(const Url& parts) {
    login_ = std::make_unique<TempDir>("dae-hg-");
    std::string text;
    const auto include = [&](const Path& file) {
      if (exists(file)) text += "%include " + file.string() + "\n";
    };
    include("/etc/mercurial/hgrc");
    include(home_dir() / ".hgrc");
    const size_t colon = parts.user_info.find(':');
    const std::string user = percent_decode(parts.user_info.substr(0, colon));
    const std::string password = colon == std::string::npos ? "" : percent_decode(parts.user_info.substr(colon + 1));
    if ((user + password).find_first_of("\r\n") != std::string::npos) {
      throw Error(ErrorKind::bad_input, "a line break in the credentials", label_);
    }
    text +=
        "[auth]\ndae.prefix = " + parts.origin() + "\ndae.username = " + user + "\ndae.password = " + password + "\n";
    write_file_atomic(login_->path() / "hgrc", text, 0600, Durability::none);
  }

  void check(const ProcessResult& result, const std::string& message) const {
    if (result.exit_code == 0) return;
    std::string said = redact_url(trim(result.err));
    if (said.starts_with("abort: ")) said.erase(0, 7);
    if (said.size() > kShownBytes) said = said.substr(0, kShownBytes) + " …";
    const bool denied = said.find("authorization") != std::string::npos || said.find("401") != std::string::npos ||
                        said.find("403") != std::string::npos;
    throw Error(denied ? ErrorKind::refused : ErrorKind::network, message, label_)
        .because(result.timed_out ? "it took over half an hour" : replace_all(said, "\n", "; "));
  }

  std::string node_of(const ProcessResult& result, const std::string& revision) const {
    if (result.err.find("unknown revision") != std::string::npos) {
      throw Error(ErrorKind::not_found,
                  fmt::format("the repository has no branch, tag, bookmark or commit `{}`", revision), label_);
    }
    check(result, "the repository cannot be read");
    const std::string node(trim(result.out));
    if (!is_commit_id(node) || node.find_first_not_of('0') == std::string::npos) {
      throw Error(ErrorKind::not_found, "the repository is empty", label_);
    }
    return node;
  }

  std::string url_;
  const std::string label_;
  const VcsAccess& access_;
  std::unique_ptr<TempDir> login_;
};

void bring_unless_here(const Hg& hg, const Path& clone, const std::string& url, const std::string& node,
                       const std::string& label, const VcsAccess& access) {
  if (hg.has(clone, node)) return;
  if (access.offline && !url.starts_with("file://")) {
    throw Error(ErrorKind::refused, fmt::format("`{}` is not in the cache, and `--offline` forbids fetching it", node),
                label, "run it once without `--offline`");
  }
  hg.bring(clone, node);
}

}  // namespace

std::string resolve_hg(const std::string& url, const std::string& revision, const std::string& label,
                       const VcsAccess& access) {
  const Path clone = vcs_cache_entry(access.cache_dir, "hg", url);
  const FileLock lock = lock_source(clone, label, access.events);
  const Hg hg(url, label, access);
  std::string node = lower(revision);
  if (!is_commit_id(node)) {
    if (access.offline && !url.starts_with("file://")) {
      throw Error(ErrorKind::refused, "what a branch or tag leads to cannot be asked with `--offline`", label,
                  "name the commit by its 40 digits, or run it without `--offline`");
    }
    node = hg.identify(revision);
  }
  bring_unless_here(hg, clone, url, node, label, access);
  return node;
}

Path checkout_hg(const std::string& url, const std::string& node, const std::string& label, const VcsAccess& access) {
  if (!is_commit_id(node)) throw Error(ErrorKind::bad_input, fmt::format("`{}` is not a commit id", node), label);
  const Path place = access.cache_dir / "hg-v1/checkouts" / node;
  if (exists(place)) return place;
  const FileLock lock = lock_source(place, label, access.events);
  if (exists(place)) return place;
  const Path clone = vcs_cache_entry(access.cache_dir, "hg", url);
  const FileLock clone_lock = lock_source(clone, label, access.events);
  const Hg hg(url, label, access);
  bring_unless_here(hg, clone, url, node, label, access);
  TempDir work(".checkout-", place.parent_path());
  const Path tree = work.path() / "tree";
  hg.export_tree(clone, node, tree);
  if (exists(tree / ".hgsub")) warning(access.events, fmt::format("`{}`: subrepositories are not fetched", label));
  check_links_stay_inside(tree, label);
  rename_path(tree, place);
  return place;
}

}  // namespace dae::resolver
