#pragma once
// The metadata of one file by the cheapest way its index allows, rung by rung: announced `.metadata` (PEP 658/714, hash
// checked), unannounced `.metadata`, the end of the zip by range requests, the whole wheel; for an sdist the PKG-INFO
// it carries where PEP 643 says that is final, else a build. Thread-safe; keeps no results, only what hosts can do.
#include <optional>
#include <string>

#include "base/events.h"
#include "base/http_client.h"
#include "resolver/source/credentials.h"
#include "resolver/source/index.h"
#include "resolver/source/index_traits.h"

namespace dae::resolver {

class MetadataLadder {
 public:
  MetadataLadder(Transport& transport, IndexTraits& traits, EventSink& events, const IndexOptions& options,
                 CredentialStore& credentials)
      : transport_(transport), traits_(traits), events_(events), options_(options), credentials_(credentials) {}
  struct Found {
    std::string text;
    bool built = false;  // may differ from interpreter to interpreter
  };
  // Name and version inside agree with those of the file.
  Found climb(const IndexFile& file, const std::string& package);

 private:
  class RangeAnswer;
  HttpResponse get(const std::string& url);
  [[noreturn]] void unexpected(int status, const std::string& url);
  std::optional<std::string> sibling(const IndexFile& file, const std::string& package);
  std::optional<std::string> announced(const IndexFile& file, const std::string& package);
  std::optional<std::string> by_range(const IndexFile& file, const std::string& package);
  uint64_t ask_range(const IndexFile& file, const std::string& range, RangeAnswer& into);
  Path download(const IndexFile& file, const Path& dir);
  std::string of_download(const Path& wheel, const IndexFile& file, const std::string& package);
  std::string of_whole_wheel(const Path& wheel, const IndexFile& file, const std::string& package);
  Found from_sdist(const IndexFile& file, const std::string& package);
  Path sdist_path(const IndexFile& file, const Path& dir);

  Transport& transport_;
  IndexTraits& traits_;
  EventSink& events_;
  const IndexOptions& options_;
  CredentialStore& credentials_;
};

}  // namespace dae::resolver
