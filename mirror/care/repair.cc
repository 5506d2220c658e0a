#include "mirror/care/repair.h"

#include <algorithm>

#include "mirror/index/file_store.h"

namespace dae::mirror {
namespace {

// Of this digest, or whose metadata has it; a page names either. nullptr: none.
const resolver::IndexFile* find_file(const ProjectDocument& document, const std::string& name) {
  const auto& files = document.page.files;
  const auto found = std::find_if(files.begin(), files.end(), [&](const auto& file) { return file.name == name; });
  return found == files.end() ? nullptr : &*found;
}

bool put_if_right(BlobStore& blobs, const Digest& digest, const std::string& bytes) {
  return Digest::of(bytes) == digest && blobs.put(bytes) == digest;
}

}  // namespace

Repairer::Repairer(const MirrorConfig& config, PageStore& pages, BlobStore& blobs, Transport& transport,
                   ProcessRunner& runner)
    : config_(config), pages_(pages), blobs_(blobs), transport_(transport), runner_(runner) {}

Repairer::~Repairer() = default;

Upstream* Repairer::upstream(const std::string& index) {
  const auto config = std::find_if(config_.indexes.begin(), config_.indexes.end(),
                                   [&](const IndexConfig& one) { return one.name == index; });
  if (config == config_.indexes.end() || config->frozen || config->upstream.empty()) return nullptr;
  auto& upstream = upstreams_[index];
  if (!upstream) upstream = std::make_unique<Upstream>(*config, config_, transport_, runner_, metrics_);
  return upstream.get();
}

bool Repairer::repair(const Digest& digest, const std::vector<Lister>& listed_by, std::string& why_not) {
  if (blobs_.touch(digest)) return true;  // this machine's cache may have what an object store has lost
  why_not = "no index with an upstream lists it";
  for (const Lister& lister : listed_by) {
    if (lister.former || lister.index.empty() || upstream(lister.index) == nullptr) continue;
    try {
      if (fetch(digest, lister)) return true;
      why_not = "upstream does not have it";
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::io) throw;  // our own disk
      why_not = error.what();
    }
  }
  return false;
}

bool Repairer::fetch(const Digest& digest, const Lister& lister) {
  const auto document = pages_.document(lister.index, lister.project);
  const resolver::IndexFile* file = document ? find_file(*document, lister.file) : nullptr;
  if (file == nullptr) return false;
  if (lister.metadata) return fetch_metadata(digest, lister, *file);
  if (lister.provenance) {
    const auto text =
        file->provenance.empty() ? std::nullopt : upstream(lister.index)->fetch_provenance(file->provenance);
    return text && put_if_right(blobs_, digest, *text);
  }
  if (file->url.empty() || Digest::parse(file->sha256) != digest) return false;
  return upstream(lister.index)->fetch_file(file->url, digest, file->size_bytes, blobs_);
}

bool Repairer::fetch_metadata(const Digest& digest, const Lister& lister, const resolver::IndexFile& file) {
  const Digest wheel = Digest::parse(file.sha256);
  if (file.name.ends_with(".whl") && blobs_.verify(wheel) &&
      put_if_right(blobs_, digest, read_wheel_metadata(blobs_.path(wheel), file.name))) {
    return true;
  }
  if (file.url.empty()) return false;
  const auto text = upstream(lister.index)->fetch_metadata(file.url);
  return text && put_if_right(blobs_, digest, *text);
}

}  // namespace dae::mirror
