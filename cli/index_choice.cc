// Which index is asked, and with whose word for it.
#include <algorithm>

#include "base/error.h"
#include "base/http.h"
#include "base/strings.h"
#include "cli/context.h"
#include "cli/user_config.h"

namespace dae::cli {
namespace {

std::string clean(const std::string& url) {
  return parse_url(url).text();
}

void add_pip_credentials(Context& context) {
  try {
    const resolver::PipIndex pip = resolver::pip_index(*context.runner);
    context.credentials().add({pip.index_url, "", false, pip.origin});
    for (const std::string& extra : pip.extra_index_urls) context.credentials().add({extra, "", false, pip.origin});
  } catch (const Error&) {
    // The server's refusal says more than the absence of pip.
  }
}

// To ask pip takes as long as Python needs to start.
enum class AskPip : uint8_t { now, when_refused };

void use_pip(Context& context, IndexChoice& choice, AskPip ask) {
  if (ask == AskPip::when_refused) {
    context.credentials().add_when_refused([&context] { add_pip_credentials(context); });
    return;
  }
  const resolver::PipIndex pip = resolver::pip_index(*context.runner);
  choice.indexes.emplace_back(pip.index_url, "", false, pip.origin);
  for (const std::string& extra : pip.extra_index_urls) choice.indexes.emplace_back(extra, "", false, pip.origin);
  choice.ca_file = pip.ca_file;
  choice.label = pip.origin;
}

// One URL, or "pip", from the flag or the environment.
void use_one(Context& context, const std::string& url, const char* origin, IndexChoice& choice, AskPip ask) {
  if (url == "pip") return use_pip(context, choice, ask);
  choice.indexes.emplace_back(url, "", false, origin);
  choice.label = clean(url);
}

std::vector<resolver::IndexSource> indexes_of(const resolver::ProjectFile& project) {
  std::vector<resolver::IndexSource> out;
  const std::string origin = project.path.filename().string();
  for (const auto& index : project.settings.indexes) out.emplace_back(index.url, index.name, index.pinned_only, origin);
  return out;
}

void use_configured(Context& context, IndexChoice& choice, AskPip ask) {
  const UserConfig config = read_user_config();
  if (config.indexes.size() == 1 && config.indexes.front().url == "pip") return use_pip(context, choice, ask);
  if (!config.indexes.empty()) {
    choice.indexes = config.indexes;
    choice.label = config.indexes.size() == 1 ? clean(config.indexes.front().url) : "config.yaml";
  } else if (const std::string mirror = find_mirror_url(""); !mirror.empty()) {
    choice.indexes.emplace_back(mirror + "/pypi/simple/", "", false, "the mirror");
    choice.label = "mirror";
  } else {
    use_pip(context, choice, ask);
  }
}

bool any_for_all(const std::vector<resolver::IndexSource>& indexes) {
  return std::ranges::any_of(indexes, [](const resolver::IndexSource& index) { return !index.pinned_only; });
}

// A package stays with its index whoever chose the others.
void keep_pinned(const std::vector<resolver::IndexSource>& stated, IndexChoice& choice) {
  for (const auto& [package, name] : choice.index_of) {
    if (std::ranges::count(choice.indexes, name, &resolver::IndexSource::name) > 0) continue;
    const auto found = std::ranges::find(stated, name, &resolver::IndexSource::name);
    if (found == stated.end()) continue;
    choice.indexes.push_back(*found);
    choice.indexes.back().pinned_only = true;
  }
}

IndexChoice choose(Context& context, const std::string& flag, const resolver::ProjectFile* project, AskPip ask) {
  IndexChoice choice;
  std::vector<resolver::IndexSource> stated;
  if (project != nullptr) {
    stated = indexes_of(*project);
    choice.index_of = project->settings.index_of;
    choice.find_links = project->settings.find_links;
  }
  if (!flag.empty()) {
    use_one(context, flag, "--index", choice, ask);
  } else if (project != nullptr && project->settings.no_index) {
    choice.label = "none";
  } else if (const auto url = env_var("DAE_INDEX")) {
    use_one(context, *url, "DAE_INDEX", choice, ask);
  } else if (any_for_all(stated)) {
    choice.indexes = stated;
    choice.label = project->path.filename().string();
  } else {
    // The project's indexes are for some packages only: the rest comes from wherever it usually does.
    use_configured(context, choice, ask);
  }
  keep_pinned(stated, choice);
  for (const resolver::IndexSource& index : choice.indexes) context.credentials().add(index);
  return choice;
}

}  // namespace

IndexChoice choose_index(Context& context, const std::string& flag, const resolver::ProjectFile* project) {
  return choose(context, flag, project, AskPip::now);
}

resolver::IndexOptions index_options(Context& context, const IndexChoice& choice) {
  resolver::IndexOptions out;
  out.indexes = choice.indexes;
  out.index_of = choice.index_of;
  out.find_links = choice.find_links;
  out.cache_dir = cache_dir() / "index";
  out.offline = context.globals.offline;
  out.credentials = &context.credentials();
  out.blobs = &context.blobs();
  return out;
}

resolver::CredentialStore& download_credentials(Context& context, const Path& app_dir) {
  if (context.credentials().has_indexes()) return context.credentials();
  try {
    const resolver::ProjectFile project = resolver::read_project(app_dir);
    choose(context, "", &project, AskPip::when_refused);
  } catch (const Error&) {
    // A lock names its files itself: without any index there are netrc and the keyring still.
  }
  return context.credentials();
}

}  // namespace dae::cli
