#pragma once
// From a checked file to one that an index lists: bytes first (flushed), then one transaction that makes file, name,
// quota and audit row visible together. Killed at any point, an upload is there as a whole or not at all.
#include <mutex>
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/clock.h"
#include "mirror/index/page_store.h"
#include "mirror/mirror.h"
#include "mirror/upload/file_check.h"
#include "mirror/upload/tokens.h"

namespace dae::mirror {

// Answered with this status; the message is for the person at the client.
class UploadRefusal : public std::exception {
 public:
  UploadRefusal(int status, std::string message) : status_(status), message_(std::move(message)) {}
  int status() const { return status_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  int status_;
  std::string message_;
};

struct Published {
  bool is_new = true;                 // false: the same bytes were there under this name
  std::vector<std::string> warnings;  // of a new project: names that look like its own
};

// Thread-safe.
class Publisher {
 public:
  Publisher(Catalog& catalog, PageStore& pages, BlobStore& blobs, const Clock& clock,
            std::vector<std::string> index_names)
      : catalog_(catalog), pages_(pages), blobs_(blobs), clock_(clock), index_names_(std::move(index_names)) {}

  // What can be said before the file is opened: scope of the token, quota, the project's status, the file's name.
  // True: these bytes are there already and nothing is left to do. Throws UploadRefusal.
  bool is_published(const IndexConfig& index, const Token& token, const UploadForm& form, const CheckedUpload& file);
  // `content` is taken over. Asks the same again, as others upload at the same time.
  Published publish(const IndexConfig& index, const Token& token, const UploadForm& form, const CheckedUpload& file,
                    const Path& content);

 private:
  bool is_published(Database& db, const IndexConfig& index, const Token& token, const UploadForm& form,
                    const CheckedUpload& file, const ProjectDocument* before);
  std::vector<std::string> names_like(const std::string& project);
  void store(const UploadForm& form, const CheckedUpload& file, const Path& content);

  Catalog& catalog_;
  PageStore& pages_;
  BlobStore& blobs_;
  const Clock& clock_;
  const std::vector<std::string> index_names_;
  std::mutex mutex_;  // one document is made from the one before
};

}  // namespace dae::mirror
