#include "mirror/index/file_store.h"

#include "base/log.h"
#include "mirror/care/quarantine.h"
#include "mirror/policy/refusal.h"
#include "resolver/standards/metadata.h"
#include "resolver/standards/names.h"

namespace dae::mirror {
namespace {

Error gone(const std::string& name) {
  return Error(ErrorKind::not_found, "no index of this mirror lists this file", name,
               "ask for the project's page first; a file that upstream removed is not served either");
}

Error not_kept(const std::string& name) {
  return Error(ErrorKind::not_found, "the index is frozen and does not keep this file", name);
}

// A server that answers every path with a page must not become somebody's metadata.
bool is_metadata_of(const std::string& text, const std::string& name, const std::string& project) {
  try {
    return resolver::normalize_name(resolver::parse_core_metadata(text, name + ".metadata").name) == project;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

FileStore::Listed FileStore::find(const Digest& digest, const std::string& name) {
  std::optional<Verdict> refused;
  std::vector<FileRow> rows = pages_.find_file(digest, name);
  if (rows.empty() && pages_.look_again()) rows = pages_.find_file(digest, name);
  for (FileRow& row : rows) {
    const auto index = indexes_.find(row.index);
    if (index == indexes_.end()) continue;
    Verdict verdict = policies_.judge(row.index, *row.document, name);
    if (verdict.admitted) return {std::move(row), index->second.get(), verdict.next_change_ms};
    if (!refused) refused = std::move(verdict);
  }
  if (refused) throw PolicyRefusal(*refused);
  throw gone(name);
}

int64_t FileStore::offered_until_ms(const Digest& digest, const std::string& name) {
  return policies_.judge_nothing() ? kNever : find(digest, name).offered_until_ms;
}

// A blob of another size than its page says is hashed: either it was damaged on our disk, or the page is wrong.
bool FileStore::holds(const Listed& listed, const Digest& digest) {
  const auto held = blobs_.size_bytes(digest);
  if (!held || !listed.row.size_bytes || *held == *listed.row.size_bytes) return held.has_value();
  return !quarantine_if_wrong(blobs_, digest) && blobs_.has(digest);
}

Path FileStore::path(const Digest& held) {
  try {
    return blobs_.path(held);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::verification) throw;
    quarantine_if_wrong(blobs_, held);
    throw Error(ErrorKind::network, "the bytes kept of this file are wrong", held.oci(), "ask again")
        .because(error.what());
  }
}

std::shared_ptr<GrowingFile> FileStore::open(const Digest& digest, const std::string& name) {
  const Listed listed = find(digest, name);
  const bool held = holds(listed, digest);
  if (held && blobs_.is_near(digest)) return nullptr;
  if (!held && listed.index->frozen()) throw not_kept(name);
  const Gate::Pass pass(gate_);
  return file_flights_.open(digest, fetch_of(listed, digest, name));
}

std::optional<uint64_t> FileStore::size_bytes(const Digest& digest, const std::string& name) {
  const Listed listed = find(digest, name);
  if (holds(listed, digest)) return blobs_.size_bytes(digest);
  if (listed.index->frozen()) throw not_kept(name);
  return listed.row.size_bytes;
}

Digest FileStore::package(const Digest& digest, const std::string& name) {
  const Listed listed = find(digest, name);
  const bool held = holds(listed, digest);
  if (held && blobs_.is_near(digest)) return digest;
  if (!held && listed.index->frozen()) throw not_kept(name);
  const Gate::Pass pass(gate_);
  file_flights_.complete(digest, fetch_of(listed, digest, name));
  return digest;
}

FileFlights::Fetch FileStore::fetch_of(const Listed& listed, const Digest& digest, const std::string& name) {
  return [this, listed, digest, name](const FileWatch& watch) {
    if (bring(digest, watch)) return;
    if (listed.index->frozen()) throw not_kept(name);
    if (!listed.index->upstream().fetch_file(listed.row.url, digest, listed.row.size_bytes, blobs_, watch)) {
      throw Error(ErrorKind::not_found, "upstream lists this file but does not have it", redact_url(listed.row.url));
    }
    if (!listed.row.size_bytes) pages_.learn_size(digest, blobs_.size_bytes(digest).value_or(0));
  };
}

// False: the store does not have it, or had other bytes, which are out of the way now.
bool FileStore::bring(const Digest& digest, const FileWatch& watch) {
  try {
    if (!blobs_.has(digest)) return false;
    blobs_.bring(digest, watch);
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return false;
    if (error.kind() != ErrorKind::verification) throw;
    quarantine_if_wrong(blobs_, digest);
    return false;
  }
}

Digest FileStore::metadata(const Digest& digest, const std::string& name) {
  const Listed listed = find(digest, name);
  const std::string& wanted =
      listed.row.metadata_sha256.empty() ? listed.row.known_metadata_sha256 : listed.row.metadata_sha256;
  if (!wanted.empty() && blobs_.has(Digest::parse(wanted))) return Digest::parse(wanted);
  const bool extractable = listed.row.metadata_sha256.empty() && resolver::parse_wheel_name(name) && blobs_.has(digest);
  if (listed.index->frozen() && !extractable) throw not_kept(name);
  const Gate::Pass pass(gate_);
  return metadata_flights_.run(digest.hex() + "/" + name, [&] { return pull_metadata(digest, name); });
}

Digest FileStore::pull_metadata(const Digest& digest, const std::string& name) {
  const Listed listed = find(digest, name);
  const bool wheel = resolver::parse_wheel_name(name).has_value();
  if (!listed.row.metadata_sha256.empty()) {
    if (const auto found = announced_metadata(listed)) return *found;
    throw Error(ErrorKind::not_found, "upstream announces metadata for this file but does not have it", name);
  }
  if (!listed.row.known_metadata_sha256.empty() && blobs_.has(Digest::parse(listed.row.known_metadata_sha256))) {
    return Digest::parse(listed.row.known_metadata_sha256);
  }
  if (!wheel && !listed.row.has_metadata) throw Error(ErrorKind::not_found, "an sdist without metadata", name);
  // A wheel that is here already answers faster than any upstream.
  std::optional<Digest> found;
  if (!wheel || !blobs_.has(digest)) found = fetched_metadata(listed, name);
  if (!found && !wheel) throw Error(ErrorKind::not_found, "upstream has no metadata for this sdist", name);
  if (!found) found = extracted_metadata(listed, digest, name);
  pages_.learn_metadata(digest, *found);
  return *found;
}

std::optional<Digest> FileStore::announced_metadata(const Listed& listed) {
  const Digest expected = Digest::parse(listed.row.metadata_sha256);
  if (blobs_.has(expected)) return expected;
  const auto text = listed.index->upstream().fetch_metadata(listed.row.url);
  if (!text) return std::nullopt;
  if (Digest::of(*text) != expected) {
    metrics_.upstream_errors += 1;
    throw Error(ErrorKind::network, "upstream's metadata does not have the sha256 that its index announces",
                redact_url(listed.row.url), "nothing was stored");
  }
  return blobs_.put(*text);
}

std::optional<Digest> FileStore::fetched_metadata(const Listed& listed, const std::string& name) {
  std::optional<std::string> text;
  try {
    text = listed.index->upstream().fetch_metadata(listed.row.url);
  } catch (const Error& error) {
    // Unannounced: an upstream may answer anything. The wheel itself is the authority.
    if (listed.row.has_metadata) throw;
    log_debug("unannounced metadata cannot be had", {{"file", name}, {"why", error.what()}});
  }
  if (!text || !is_metadata_of(*text, name, listed.row.project)) return std::nullopt;
  return blobs_.put(*text);
}

Digest FileStore::extracted_metadata(const Listed& listed, const Digest& digest, const std::string& name) {
  if (!blobs_.has(digest)) file_flights_.complete(digest, fetch_of(listed, digest, name));
  std::string text;
  try {
    text = read_wheel_metadata(path(digest), name);
  } catch (const Error& error) {
    throw Error(ErrorKind::network, "upstream's wheel has no metadata that can be read", name).because(error.what());
  }
  metrics_.metadata_extractions += 1;
  return blobs_.put(text);
}

}  // namespace dae::mirror
