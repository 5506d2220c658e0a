// Attestations of files (PEP 740): small JSON documents that upstream keeps beside them. Passed on as they are; whoever
// checks them checks signatures, which need nothing from us.
#include "base/log.h"
#include "base/value.h"
#include "mirror/index/file_store.h"

namespace dae::mirror {
namespace {

std::string provenance_url(const ProjectDocument& document, const std::string& name) {
  for (const resolver::IndexFile& file : document.page.files) {
    if (file.name == name) return file.provenance;
  }
  return "";
}

// A server that answers every path with a page must not become somebody's provenance.
void require_provenance(const std::string& text, const std::string& name, const std::string& url) {
  try {
    const Document document = parse_json(text, name + ".provenance");
    if (document.root.is_object() && document.root.find("attestation_bundles") != nullptr) return;
  } catch (const Error&) {
    // Told below: what is wrong in it is nobody's here.
  }
  throw Error(ErrorKind::network, "upstream's provenance is none that PEP 740 knows", redact_url(url),
              "nothing was stored");
}

}  // namespace

std::optional<Digest> PageStore::known_provenance(const Digest& file, const std::string& name, const std::string& url) {
  return catalog_.read([&](Database& db) -> std::optional<Digest> {
    Statement find = db.prepare("SELECT sha256 FROM provenance WHERE file = ? AND name = ? AND url = ?");
    find.bind(1, file.hex()).bind(2, name).bind(3, url);
    if (!find.step()) return std::nullopt;
    return Digest::parse(find.text(0));
  });
}

void PageStore::learn_provenance(const Digest& file, const std::string& name, const std::string& url,
                                 const Digest& provenance) {
  catalog_.write([&](Database& db) {
    Statement learn = db.prepare("INSERT OR REPLACE INTO provenance(file, name, url, sha256) VALUES(?, ?, ?, ?)");
    learn.bind(1, file.hex()).bind(2, name).bind(3, url).bind(4, provenance.hex());
    learn.step();
  });
}

Digest FileStore::provenance(const Digest& digest, const std::string& name) {
  const Listed listed = find(digest, name);
  const std::string url = provenance_url(*listed.row.document, name);
  if (url.empty()) throw Error(ErrorKind::not_found, "its index announces no provenance for this file", name);
  const auto known = pages_.known_provenance(digest, name, url);
  if (known && blobs_.has(*known)) return *known;
  if (listed.index->frozen()) {
    throw Error(ErrorKind::not_found, "the index is frozen and does not keep this file's provenance", name);
  }
  const Gate::Pass pass(gate_);
  return metadata_flights_.run("provenance/" + digest.hex() + "/" + name,
                               [&] { return pull_provenance(listed, digest, name, url); });
}

Digest FileStore::pull_provenance(const Listed& listed, const Digest& digest, const std::string& name,
                                  const std::string& url) {
  const auto known = pages_.known_provenance(digest, name, url);
  if (known && blobs_.has(*known)) return *known;
  const auto text = listed.index->upstream().fetch_provenance(url);
  if (!text)
    throw Error(ErrorKind::not_found, "upstream announces provenance for this file but does not have it", name);
  require_provenance(*text, name, url);
  const Digest stored = blobs_.put(*text);
  pages_.learn_provenance(digest, name, url, stored);
  return stored;
}

}  // namespace dae::mirror
