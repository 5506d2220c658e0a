// Reading tar and zip through libarchive, used as a decoder only: names, kinds and amounts are judged here.
#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <locale.h>

#include <memory>

#include "base/archive.h"
#include "base/archive_names.h"
#include "base/archive_scan.h"
#include "base/error.h"

namespace dae {

namespace {

using archive_detail::EntryKind;

constexpr uint64_t kRatioFrom = 64ull << 20;  // small archives of zeros are no bomb
constexpr size_t kPieceBytes = 256u << 10;

// libarchive converts names by the thread's locale; under "C" every name that is not ASCII would be lost.
class Utf8Names {
 public:
  Utf8Names() : locale_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_) previous_ = uselocale(locale_);
  }
  ~Utf8Names() {
    if (!locale_) return;
    uselocale(previous_);
    freelocale(locale_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t locale_;
  locale_t previous_ = nullptr;
};

struct FreeArchive {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using Handle = std::unique_ptr<archive, FreeArchive>;

class Scanner {
 public:
  Scanner(const Path& file, const ArchiveLimits& limits) : file_(file), limits_(limits) {
    const auto info = file_info(file);
    if (!info) throw Error(ErrorKind::not_found, "no such archive", file.string());
    packed_ = info->size_bytes;
    handle_.reset(archive_read_new());
    DAE_CHECK(handle_ != nullptr);
    archive_read_support_filter_all(handle_.get());
    archive_read_support_format_tar(handle_.get());
    archive_read_support_format_zip(handle_.get());
    if (archive_read_open_filename(handle_.get(), file.c_str(), kPieceBytes) != ARCHIVE_OK) damaged();
  }

  // False at the end.
  bool next() {
    finish_entry();
    const int status = archive_read_next_header(handle_.get(), &entry_);
    if (status == ARCHIVE_EOF) return false;
    if (status < ARCHIVE_WARN) damaged();
    if (++entries_ > limits_.entries) refuse(fmt::format("more than {} entries", limits_.entries));
    declared_ = archive_entry_size_is_set(entry_) ? static_cast<uint64_t>(archive_entry_size(entry_)) : 0;
    if (declared_ > limits_.entry_bytes) too_large();
    seen_ = 0;
    open_ = true;
    return true;
  }

  std::string raw_name() const {
    const char* name = archive_entry_pathname(entry_);
    if (!name) refuse("a name in it cannot be read");
    return name;
  }

  EntryKind kind(const std::string& name) const {
    if (archive_entry_hardlink(entry_)) refuse(fmt::format("`{}` is a hard link", name));
    const auto type = archive_entry_filetype(entry_);
    if (type == AE_IFREG) return EntryKind::file;
    if (type == AE_IFDIR) return EntryKind::directory;
    if (type == AE_IFLNK) return EntryKind::link;
    refuse(fmt::format("`{}` is a device, pipe or socket", name));
  }

  ArchiveEntry describe(std::string name) const {
    ArchiveEntry out;
    out.name = std::move(name);
    out.is_dir = archive_entry_filetype(entry_) == AE_IFDIR;
    out.executable = archive_entry_filetype(entry_) == AE_IFREG && (archive_entry_perm(entry_) & 0111) != 0;
    if (const char* target = archive_entry_symlink(entry_)) out.link_target = target;
    out.size_bytes = declared_;
    return out;
  }

  void read(const std::function<void(std::string_view)>& piece) {
    DAE_CHECK(open_ && seen_ == 0);
    buffer_.resize(kPieceBytes);
    for (;;) {
      const auto got = archive_read_data(handle_.get(), buffer_.data(), buffer_.size());
      if (got < 0) damaged();
      if (got == 0) break;
      seen_ += static_cast<uint64_t>(got);
      if (seen_ > limits_.entry_bytes) too_large();
      check_total(total_ + seen_);
      piece(std::string_view(buffer_.data(), static_cast<size_t>(got)));
    }
  }

  bool is_zip() const { return (archive_format(handle_.get()) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP; }

  [[noreturn]] void refuse(const std::string& message) const {
    throw Error(ErrorKind::bad_input, message, file_.string());
  }

 private:
  void finish_entry() {
    if (!open_) return;
    open_ = false;
    total_ += std::max(declared_, seen_);
    check_total(total_);
  }

  void check_total(uint64_t total) const {
    if (total > limits_.total_bytes) refuse(fmt::format("unpacks to more than {} bytes", limits_.total_bytes));
    if (total > kRatioFrom && total / std::max<uint64_t>(packed_, 1) >= limits_.ratio) {
      refuse(fmt::format("unpacks to more than {} times its size", limits_.ratio));
    }
  }

  [[noreturn]] void too_large() const { refuse(fmt::format("an entry is larger than {} bytes", limits_.entry_bytes)); }

  [[noreturn]] void damaged() const {
    const char* text = archive_error_string(handle_.get());
    throw Error(ErrorKind::bad_input, "the archive cannot be read", file_.string()).because(text ? text : "damaged");
  }

  const Path& file_;
  const ArchiveLimits& limits_;
  Utf8Names locale_;
  Handle handle_;
  archive_entry* entry_ = nullptr;
  std::string buffer_;
  bool open_ = false;
  uint64_t packed_ = 0, entries_ = 0, total_ = 0, declared_ = 0, seen_ = 0;
};

}  // namespace

namespace archive_detail {

void scan_archive(const Path& file, const ArchiveLimits& limits, int strip,
                  const std::function<void(const ArchiveEntry&, const ArchiveRead& read)>& visit) {
  Scanner scanner(file, limits);
  NameGuard guard(file);
  const ArchiveRead read = [&](const auto& piece) { scanner.read(piece); };
  while (scanner.next()) {
    const std::string raw = scanner.raw_name();
    std::string_view name_in_tree = raw;
    if (limits.drop_leading_slashes) name_in_tree.remove_prefix(std::min(raw.find_first_not_of('/'), raw.size()));
    const auto safe = safe_name(name_in_tree);
    if (!safe) scanner.refuse(fmt::format("the name `{}` is not safe", archive_detail::shown(raw)));
    const EntryKind kind = scanner.kind(raw);
    const std::string name = strip_components(*safe, strip);
    if (name.empty()) {
      if (kind != EntryKind::directory) scanner.refuse(fmt::format("`{}` is outside the top directory", shown(raw)));
      continue;
    }
    const ArchiveEntry entry = scanner.describe(name);
    guard.accept(name, kind, entry.link_target);
    visit(entry, read);
  }
}

}  // namespace archive_detail

void read_archive(const Path& file, const ArchiveLimits& limits,
                  const std::function<void(const ArchiveEntry&, const ArchiveRead& read)>& visit) {
  archive_detail::scan_archive(file, limits, 0, visit);
}

std::vector<ArchiveEntry> list_archive(const Path& file, const ArchiveLimits& limits) {
  std::vector<ArchiveEntry> out;
  Scanner scanner(file, limits);
  while (scanner.next()) {
    const std::string raw = scanner.raw_name();
    out.push_back(scanner.describe(archive_detail::safe_name(raw).value_or(raw)));
  }
  return out;
}

std::string read_archive_member(const Path& file, std::string_view name, uint64_t limit_bytes) {
  ArchiveLimits limits;
  std::optional<std::string> found;
  Scanner scanner(file, limits);
  while (scanner.next()) {
    const std::string raw = scanner.raw_name();
    if (archive_detail::safe_name(raw).value_or(raw) != name) continue;
    // Of two members with one name, one tool reads the first and another the last.
    if (found) scanner.refuse(fmt::format("`{}` is in it twice", name));
    if (scanner.kind(raw) != EntryKind::file) scanner.refuse(fmt::format("`{}` is not a file", name));
    found.emplace();
    scanner.read([&](std::string_view piece) {
      if (found->size() + piece.size() > limit_bytes) {
        scanner.refuse(fmt::format("`{}` is larger than {} bytes", name, limit_bytes));
      }
      found->append(piece);
    });
    if (!scanner.is_zip()) break;  // a zip has a directory; looking further in a tar would unpack all of it
  }
  if (!found) throw Error(ErrorKind::not_found, fmt::format("no `{}` in the archive", name), file.string());
  return std::move(*found);
}

}  // namespace dae
