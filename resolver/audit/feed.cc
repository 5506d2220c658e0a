#include "resolver/audit/feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "base/zip.h"
#include "resolver/install/parallel.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxDocumentBytes = 256ull << 20;  // a list of all advisories in one file
constexpr uint64_t kMaxMemberBytes = 64ull << 20;

struct Document {
  std::string name;
  std::function<std::string()> read;
};

bool is_document(std::string_view name) {
  return name.ends_with(".json");
}

std::vector<Document> documents_in_folder(const Path& folder) {
  std::vector<Document> out;
  const auto visible = [](const WalkEntry& entry) { return !entry.path.filename().string().starts_with('.'); };
  for (const WalkEntry& entry : walk_tree(folder, visible)) {
    if (!entry.info.is_file() || !is_document(entry.relative)) continue;
    out.push_back({entry.relative, [path = entry.path] { return read_file(path, kMaxMemberBytes); }});
  }
  return out;
}

std::vector<Document> documents_in_zip(const ZipFile& zip) {
  std::vector<Document> out;
  for (const ZipMember& member : zip.members()) {
    if (member.is_dir || !is_document(member.name)) continue;
    out.push_back({member.name, [&zip, &member] { return zip.read(member, kMaxMemberBytes); }});
  }
  std::ranges::sort(out, {}, &Document::name);
  return out;
}

// What one document gave.
struct Outcome {
  AdvisoryParser::Counts counts;
  std::vector<Advisory> advisories;
  std::optional<Error> error;
};

Outcome read_document(const Document& document, const std::string& label, const FeedOptions& options,
                      AdvisoryParser& parser) {
  Outcome out;
  const std::string name = document.name.empty() ? label : label + ": " + document.name;
  try {
    out.counts = parser.parse(document.read(), name, options.wanted,
                              [&](Advisory advisory) { out.advisories.push_back(std::move(advisory)); });
  } catch (const Error& error) {
    if (!options.keep_going) throw;
    out.error = error;
    out.advisories.clear();
  }
  return out;
}

FeedReport read_documents(const std::vector<Document>& documents, const std::string& label, const FeedOptions& options,
                          const std::function<void(Advisory)>& take) {
  // Neighbours go to one thread: each has a parser of its own, whose buffers are the cost of a small document.
  constexpr size_t kChunk = 64;
  const size_t chunks = (documents.size() + kChunk - 1) / kChunk;
  std::vector<std::vector<Outcome>> outcomes(chunks);
  parallel_for(chunks, cpu_threads(), [&](size_t chunk) {
    AdvisoryParser parser;
    for (size_t i = chunk * kChunk; i < std::min(documents.size(), (chunk + 1) * kChunk); ++i) {
      outcomes[chunk].push_back(read_document(documents[i], label, options, parser));
    }
  });
  FeedReport report;
  for (std::vector<Outcome>& chunk : outcomes) {
    for (Outcome& one : chunk) {
      report.records += one.counts.records;
      report.of_python += one.counts.of_python;
      if (one.error) report.skipped.push_back(*std::move(one.error));
      for (Advisory& advisory : one.advisories) take(std::move(advisory));
    }
  }
  return report;
}

bool is_zip(const Path& path) {
  // An empty archive begins with its end record.
  const std::string start = read_file_head(path, 4);
  return start == "PK\x03\x04" || start == "PK\x05\x06";
}

FeedReport read_any(const Path& path, const std::string& label, const FeedOptions& options,
                    const std::function<void(Advisory)>& take) {
  if (!exists(path)) throw Error(ErrorKind::not_found, "there is no such feed", label);
  if (std::filesystem::is_directory(path)) {
    return read_documents(documents_in_folder(path), label, options, take);
  }
  if (is_zip(path)) {
    const ZipFile zip = ZipFile::open(path, label, {.total_bytes = 4ull << 30, .members = 1'000'000});
    return read_documents(documents_in_zip(zip), label, options, take);
  }
  return read_documents({{"", [&] { return read_file(path, kMaxDocumentBytes); }}}, label, options, take);
}

}  // namespace

FeedReport read_feed(const Path& path, const std::string& label, const FeedOptions& options,
                     const std::function<void(Advisory)>& take) {
  FeedReport report = read_any(path, label, options, take);
  if (report.of_python == 0) {
    throw Error(ErrorKind::bad_input, "the feed has no advisory about any Python package", label,
                "an OSV feed of the ecosystem `PyPI` is wanted: a document, a folder or a zip")
        .because(
            fmt::format("{} advisories of others, {} unreadable documents", report.records, report.skipped.size()));
  }
  return report;
}

}  // namespace dae::resolver
