// The half of the engine that brings files.
#include "base/error.h"
#include "base/hash.h"
#include "mirror/sync/engine.h"

namespace dae::mirror::sync {
namespace {

constexpr int64_t kFileTimeoutMs = 6ll * 3600 * 1000;

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
      bring_sidecars(project, i);
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
  ready_.push_back({project, FileWork{project, file, FileWork::Part::bytes, nullptr}});
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
  download.reach = parts_.upstream.reach();
  if (!wanted.size_bytes) {
    download.limit_bytes = std::min(download.limit_bytes, parts_.selector.filter().max_size_bytes.value_or(UINT64_MAX));
  }
  return download;
}

void Engine::send_file(FileWork file) {
  const resolver::IndexFile& wanted = file.project->choice.document.page.files[file.file];
  if (file.part != FileWork::Part::bytes) return send_sidecar(std::move(file));
  const Digest digest = Digest::parse(wanted.sha256);
  if (!file.download) {
    if (held(digest)) return stored(file, 0);
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
  const Digest digest = Digest::parse(file.project->choice.document.page.files[file.file].sha256);
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
  each_waiting(digest, [&](const FileWork& waiting) { stored(waiting, 0); });
  stored(file, file.download->done_bytes());
}

void Engine::stored(const FileWork& file, uint64_t fetched_bytes) {
  resolver::IndexFile& here = file.project->choice.document.page.files[file.file];
  if (file.download) {
    ++file.project->report.files;
    file.project->report.bytes += fetched_bytes;
    here.size_bytes = fetched_bytes;
  }
  bring_sidecars(file.project, file.file);
  file_done(file.project);
}

void Engine::file_failed(const FileWork& file, const Error& error) {
  const resolver::IndexFile& here = file.project->choice.document.page.files[file.file];
  const auto& max_size = parts_.selector.filter().max_size_bytes;
  const bool too_large = error.kind() == ErrorKind::bad_input && !here.size_bytes && max_size.has_value() &&
                         *max_size <= parts_.file_limit_bytes;
  if (too_large && file.part == FileWork::Part::bytes) {
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
