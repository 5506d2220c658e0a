#include "cli/library_publish.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/archive.h"
#include "base/log.h"
#include "base/strings.h"
#include "cli/build_tools.h"
#include "mirror/upload/upload_client.h"
#include "resolver/source/archive_source.h"
#include "resolver/source/scratch_dir.h"
#include "resolver/source/source_tree.h"

namespace dae::cli {
namespace {

constexpr const char* kTokenVariable = "DAE_PUBLISH_TOKEN";

// Never from the command line, which every process of the machine can read.
std::string read_token(const std::string& file) {
  if (file.empty()) {
    if (const auto token = env_var(kTokenVariable)) return std::string(trim(*token));
    throw Error(ErrorKind::usage, "no token to upload with", "",
                std::string("set ") + kTokenVariable + ", or name a file with `--token-file`");
  }
  const auto info = file_info(file);
  if (info && info->is_file() && (info->mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw Error(ErrorKind::refused, "others may read the file with the token", file, "chmod 600 " + file);
  }
  return std::string(trim(read_file(file, 64u << 10)));
}

// "…/team/simple/", which is what people have at hand, is where `…/team/legacy/` is.
std::string upload_url(const std::string& index) {
  if (index.empty()) throw Error(ErrorKind::usage, "no index to upload to", "", "`--index URL`, like …/team/legacy/");
  std::string url = index;
  parse_url(url);
  for (const std::string_view page : {"/simple/", "/simple"}) {
    if (url.ends_with(page)) return url.substr(0, url.size() - page.size()) + "/legacy/";
  }
  return url;
}

std::string pkg_info(const Path& sdist) {
  for (const ArchiveEntry& entry : list_archive(sdist)) {
    const size_t slash = entry.name.find('/');
    if (slash != std::string::npos && entry.name.substr(slash) == "/PKG-INFO") {
      return read_archive_member(sdist, entry.name);
    }
  }
  throw Error(ErrorKind::bad_input, "its build backend made an sdist without PKG-INFO", sdist.filename().string());
}

// The wheel is made from the sdist, as whoever installs the sdist would make it.
std::vector<mirror::FileToUpload> build_files(const LibraryPublish& options, Context& context, const Path& project) {
  resolver::check_is_project(project, project.string());
  builder::AppFile here;
  here.dir = project;
  const resolver::Interpreter python = interpreter_for(context, here, options.python);
  const auto blobs = open_blob_store(blobs_dir());
  const auto builder = make_source_builder(context, {python, project, nullptr, false}, context.transport(), *blobs);
  resolver::SourceTree tree;
  tree.root = project;
  tree.label = project.filename().string();
  const Path dist = project / "dist";
  const Path sdist = builder->sdist({tree, "", ""}, dist);
  const resolver::ScratchDir work(".publish-", cache_dir());
  resolver::SourceTree packed;
  packed.label = sdist.filename().string();
  packed.identity = sha256_file(sdist).hex();
  packed.scratch = true;
  packed.root = resolver::unpack_source(sdist, work.path() / "tree", packed.label);
  const Path built = builder->wheel({packed, "", ""});
  const Path wheel = dist / built.filename();
  copy_file(built, wheel);
  return {{sdist, sdist.filename().string(), pkg_info(sdist)},
          {wheel, wheel.filename().string(), resolver::wheel_metadata(wheel, wheel.filename().string())}};
}

}  // namespace

int publish_library(const LibraryPublish& options, Context& context) {
  const std::string url = upload_url(options.index);
  const std::string token = options.dry_run ? "" : read_token(options.token_file);
  const auto files = build_files(options, context, std::filesystem::current_path());
  Value uploaded = Value::array();
  for (const mirror::FileToUpload& file : files) {
    const Digest digest = sha256_file(file.path);
    const std::string size = format_bytes(file_info(file.path)->size_bytes);
    if (options.dry_run) {
      context.say(fmt::format("would upload {} ({}) to {}", file.name, size, redact_url(url)));
    } else {
      const std::string answer = mirror::upload_file(context.transport(), url, token, file);
      context.say(
          fmt::format("uploaded {} ({}){}", file.name, size, answer.empty() || answer == "OK" ? "" : ": " + answer));
    }
    uploaded.push_back(Value::object({{"file", file.name}, {"sha256", digest.hex()}, {"uploaded", !options.dry_run}}));
  }
  if (context.globals.json) context.print_json(uploaded);
  return 0;
}

}  // namespace dae::cli
