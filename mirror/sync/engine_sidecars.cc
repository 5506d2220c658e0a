// What comes beside a file: its core metadata (PEP 658) and its attestations (PEP 740).
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "mirror/index/file_store.h"
#include "mirror/sync/engine.h"
#include "resolver/standards/names.h"

namespace dae::mirror::sync {
namespace {

constexpr int64_t kTimeoutMs = 60'000;
constexpr uint64_t kProvenanceLimitBytes = 16ull << 20;
constexpr const char* kProvenanceForm = "application/vnd.pypi.integrity.v1+json";

// A server that answers every path with a page must not become somebody's provenance.
bool is_provenance(const std::string& text) {
  try {
    return parse_json(text, "provenance").root.find("attestation_bundles") != nullptr;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

void Engine::bring_sidecars(const ProjectPtr& project, size_t file) {
  resolver::IndexFile& here = project->choice.document.page.files[file];
  if (!here.size_bytes) here.size_bytes = parts_.publisher.size_bytes(Digest::parse(here.sha256));
  if (!extract_metadata(here)) bring_sidecar(project, file, FileWork::Part::metadata);
  if (!here.provenance.empty()) bring_sidecar(project, file, FileWork::Part::provenance);
}

// Taken out of the wheel, which is what upstream's metadata has to be. False: it has to be asked for.
bool Engine::extract_metadata(resolver::IndexFile& file) {
  if (!file.metadata_sha256.empty() && parts_.publisher.holds(Digest::parse(file.metadata_sha256))) return true;
  if (resolver::parse_wheel_name(file.name)) {
    try {
      const std::string text = read_wheel_metadata(parts_.publisher.path(Digest::parse(file.sha256)), file.name);
      const Digest digest = Digest::of(text);
      if (file.metadata_sha256.empty() || file.metadata_sha256 == digest.hex()) {
        parts_.publisher.add_bytes(digest, text);
        file.metadata_sha256 = digest.hex();
        file.has_metadata = true;
        return true;
      }
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::io) throw;
      log_debug("a wheel's metadata cannot be read", {{"file", file.name}, {"why", error.what()}});
    }
  }
  return file.metadata_sha256.empty();
}

void Engine::bring_sidecar(const ProjectPtr& project, size_t file, FileWork::Part part) {
  ++project->open_files;
  ready_.push_back({project, FileWork{project, file, part, nullptr}});
}

void Engine::send_sidecar(FileWork file) {
  const resolver::IndexFile& here = file.project->choice.document.page.files[file.file];
  HttpRequest request = parts_.upstream.metadata_request(here.url);
  if (file.part == FileWork::Part::provenance) {
    request.url = parts_.upstream.authorized(here.provenance);
    request.headers.set("Accept", kProvenanceForm);
    request.timeout_ms = kTimeoutMs;
    request.body_limit_bytes = kProvenanceLimitBytes;
  }
  send({file.project, std::move(file)}, std::move(request));
}

void Engine::take_sidecar(const FileWork& file, std::future<HttpResponse> answer) {
  try {
    const HttpResponse response = answer.get();
    if (file.part == FileWork::Part::metadata) {
      take_metadata(file, response);
    } else {
      take_provenance(file, response);
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::io) throw;
    return file_failed(file, error);
  }
  file_done(file.project);
}

void Engine::take_metadata(const FileWork& file, const HttpResponse& response) {
  const resolver::IndexFile& here = file.project->choice.document.page.files[file.file];
  if (!response.ok()) {
    throw Error(ErrorKind::network, "upstream answered " + std::to_string(response.status) + " for its metadata");
  }
  const Digest digest = Digest::parse(here.metadata_sha256);
  if (Digest::of(response.body) != digest) {
    throw Error(ErrorKind::verification, "upstream's metadata does not have the sha256 that its index announces");
  }
  parts_.publisher.add_bytes(digest, response.body);
}

void Engine::take_provenance(const FileWork& file, const HttpResponse& response) {
  resolver::IndexFile& here = file.project->choice.document.page.files[file.file];
  if (response.status == 404 || response.status == 410) {
    here.provenance.clear();  // announced, and not there: not announced here
    return;
  }
  if (!response.ok() || !is_provenance(response.body)) {
    throw Error(ErrorKind::network, "upstream has no provenance as PEP 740 knows it, but announces some");
  }
  const Digest digest = Digest::of(response.body);
  parts_.publisher.add_bytes(digest, response.body);
  parts_.publisher.add_provenance({Digest::parse(here.sha256), here.name, here.provenance, digest});
}

}  // namespace dae::mirror::sync
