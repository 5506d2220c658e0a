// The half of the engine that brings files.
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "mirror/index/file_store.h"
#include "mirror/sync/engine.h"
#include "resolver/standards/names.h"

namespace dae::mirror::sync {
namespace {

constexpr int64_t kFileTimeoutMs = 6ll * 3600 * 1000;

resolver::IndexFile& file_of(ProjectDocument& document, size_t file) {
  return document.page.files[file];
}

}  // namespace

void Engine::bring_files(const ProjectPtr& project) {
  const ProjectDocument& document = project->choice.document;
  std::set<size_t> is_new(project->choice.to_bring.begin(), project->choice.to_bring.end());
  project->open_files = 1;  // until all are begun
  for (size_t i = 0; i < document.page.files.size(); ++i) {
    const Digest digest = Digest::parse(document.page.files[i].sha256);
    const bool here = held(digest);
    if (!here) {
      bring_file(project, i);
    } else if (!parts_.plan_only && is_new.contains(i)) {
      settle_metadata(project, i, parts_.publisher.path(digest));
    }
  }
  file_done(project);
}

void Engine::bring_file(const ProjectPtr& project, size_t file) {
  const resolver::IndexFile& wanted = project->choice.document.page.files[file];
  if (parts_.plan_only) {
    ++project->report.files;
    project->report.bytes += wanted.size_bytes.value_or(0);
    project->report.unknown_sizes += wanted.size_bytes ? 0 : 1;
    return;
  }
  ++project->open_files;
  ready_.push_back({project, FileWork{project, file, false, nullptr}});
}

Download Engine::download_of(const FileWork& file) const {
  const resolver::IndexFile& wanted = file.project->choice.document.page.files[file.file];
  Download download;
  download.url = parts_.upstream.authorized(wanted.url);
  download.reach = parts_.upstream.reach();
  download.digest = Digest::parse(wanted.sha256);
  download.size_bytes = wanted.size_bytes;
  download.limit_bytes = parts_.file_limit_bytes;
  download.stop = stopped_;
  if (!wanted.size_bytes) {
    download.limit_bytes = std::min(download.limit_bytes, parts_.selector.filter().max_size_bytes.value_or(UINT64_MAX));
  }
  return download;
}

void Engine::send_file(FileWork file) {
  const resolver::IndexFile& wanted = file.project->choice.document.page.files[file.file];
  if (file.metadata) {
    HttpRequest request = parts_.upstream.metadata_request(wanted.url);
    return send({file.project, std::move(file)}, std::move(request));
  }
  const Digest digest = Digest::parse(wanted.sha256);
  if (!file.download) {
    if (held(digest)) return stored(file, parts_.publisher.path(digest), 0);
    if (const auto other = fetching_.find(digest); other != fetching_.end()) {
      other->second.push_back(std::move(file));
      return;
    }
    if (wanted.size_bytes.value_or(0) > parts_.file_limit_bytes) {
      return file_failed(file, Error(ErrorKind::refused, "it is larger than `limits.file` of mirror.yaml"));
    }
    fetching_[digest];
    const Path part = parts_.blobs.part(digest);
    file.download = PartialDownload::begin(download_of(file), part);
    // Somebody else is at it, for a client of the mirror that is running: it does not wait for us, nor we for it.
    if (!file.download) file.download = PartialDownload::begin(download_of(file), Path(part.string() + "-sync"));
    if (!file.download) {
      fetching_.erase(digest);
      return file_failed(file, Error(ErrorKind::failed, "another process is fetching it"));
    }
  }
  if (file.download->complete()) return take_part(file);
  HttpRequest request = file.download->request();
  request.timeout_ms = kFileTimeoutMs;
  send({file.project, std::move(file)}, std::move(request));
}

void Engine::take_file(FileWork file, std::future<HttpResponse> answer) {
  const Digest digest = Digest::parse(file_of(file.project->choice.document, file.file).sha256);
  try {
    if (const auto pause_ms = file.download->take_answer(std::move(answer))) {
      const ProjectPtr project = file.project;
      delayed_.emplace(parts_.clock.monotonic_ms() + *pause_ms, Work{project, std::move(file)});
      return;
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::io) throw;
    each_waiting(digest, [&](const FileWork& waiting) { file_failed(waiting, error); });
    return file_failed(file, error);
  }
  take_part(file);
}

void Engine::each_waiting(const Digest& digest, const std::function<void(const FileWork&)>& visit) {
  const auto node = fetching_.extract(digest);
  for (const FileWork& waiting : node.mapped()) visit(waiting);
}

void Engine::take_part(const FileWork& file) {
  const Digest digest = file.download->digest();
  const Path part = file.download->part();
  parts_.publisher.add_part(digest, part);
  each_waiting(digest, [&](const FileWork& waiting) { stored(waiting, part, 0); });
  stored(file, part, file.download->done_bytes());
}

void Engine::stored(const FileWork& file, const Path& path, uint64_t fetched_bytes) {
  resolver::IndexFile& here = file_of(file.project->choice.document, file.file);
  if (file.download) {
    ++file.project->report.files;
    file.project->report.bytes += fetched_bytes;
    here.size_bytes = fetched_bytes;
  } else if (!here.size_bytes) {
    if (const auto info = file_info(path)) here.size_bytes = info->size_bytes;
  }
  settle_metadata(file.project, file.file, path);
  file_done(file.project);
}

// Taken out of the wheel, which is what upstream's metadata has to be; asked for only where that is not so.
void Engine::settle_metadata(const ProjectPtr& project, size_t file, const Path& wheel) {
  resolver::IndexFile& here = file_of(project->choice.document, file);
  if (!here.size_bytes) {
    if (const auto info = file_info(wheel)) here.size_bytes = info->size_bytes;
  }
  if (!here.metadata_sha256.empty() && parts_.publisher.holds(Digest::parse(here.metadata_sha256))) return;
  if (resolver::parse_wheel_name(here.name)) {
    try {
      const std::string text = read_wheel_metadata(wheel, here.name);
      const Digest digest = Digest::of(text);
      if (here.metadata_sha256.empty() || here.metadata_sha256 == digest.hex()) {
        parts_.publisher.add_bytes(digest, text);
        here.metadata_sha256 = digest.hex();
        here.has_metadata = true;
        return;
      }
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::io) throw;
      log_debug("a wheel's metadata cannot be read", {{"file", here.name}, {"why", error.what()}});
    }
  }
  if (here.metadata_sha256.empty()) return;
  ++project->open_files;
  ready_.push_back({project, FileWork{project, file, true, nullptr}});
}

void Engine::take_metadata(const FileWork& file, std::future<HttpResponse> answer) {
  const resolver::IndexFile& here = file_of(file.project->choice.document, file.file);
  try {
    const HttpResponse response = answer.get();
    if (!response.ok()) {
      throw Error(ErrorKind::network, "upstream answered " + std::to_string(response.status) + " for its metadata");
    }
    const Digest digest = Digest::parse(here.metadata_sha256);
    if (Digest::of(response.body) != digest) {
      throw Error(ErrorKind::verification, "upstream's metadata does not have the sha256 that its index announces");
    }
    parts_.publisher.add_bytes(digest, response.body);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::io) throw;
    return file_failed(file, error);
  }
  file_done(file.project);
}

void Engine::file_failed(const FileWork& file, const Error& error) {
  const resolver::IndexFile& here = file_of(file.project->choice.document, file.file);
  const auto& max_size = parts_.selector.filter().max_size_bytes;
  const bool too_large = error.kind() == ErrorKind::bad_input && !here.size_bytes && max_size.has_value() &&
                         *max_size <= parts_.file_limit_bytes;
  if (too_large && !file.metadata) {
    file.project->dropped.insert(file.file);
  } else {
    fail(*file.project, here.name, error.what());
  }
  file_done(file.project);
}

void Engine::file_done(const ProjectPtr& project) {
  if (--project->open_files == 0) finish(*project);
}

}  // namespace dae::mirror::sync
