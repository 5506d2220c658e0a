#include "base/zip.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/inflate.h"
#include "base/zip_parts.h"

namespace dae {
namespace {

constexpr size_t kPieceBytes = 256 << 10;  // of long members: both buffers stay in the cache of a core

[[noreturn]] void refuse(const std::string& subject, const ZipMember& member, std::string_view what) {
  throw Error(ErrorKind::bad_input, fmt::format("`{}` {}", member.name, what), subject);
}

// Room that grows and is not filled with zeros first.
class Room {
 public:
  char* of(size_t bytes) {
    if (bytes > bytes_) {
      bytes_ = std::max(bytes, 2 * bytes_);
      room_.reset(new char[bytes_]);
    }
    return room_.get();
  }

 private:
  std::unique_ptr<char[]> room_;
  size_t bytes_ = 0;
};

struct Workshop {
  Room packed, plain;
  Inflater inflater;
};

// Taken for one read and given back: who reads a member while handling the piece of another gets a new one.
class LentWorkshop {
 public:
  LentWorkshop() : shop_(spare() ? std::move(spare()) : std::make_unique<Workshop>()) {}
  ~LentWorkshop() { spare() = std::move(shop_); }
  LentWorkshop(const LentWorkshop&) = delete;
  LentWorkshop& operator=(const LentWorkshop&) = delete;
  Workshop& get() { return *shop_; }

 private:
  static std::unique_ptr<Workshop>& spare() {
    thread_local std::unique_ptr<Workshop> one;
    return one;
  }
  std::unique_ptr<Workshop> shop_;
};

void read_packed(const Fd& fd, const std::string& subject, const ZipMember& member, uint64_t from, char* to,
                 size_t bytes) {
  if (!zip_detail::read_exactly(fd, member.offset + from, to, bytes, subject)) refuse(subject, member, "ends early");
}

void check_crc(const std::string& subject, const ZipMember& member, uint32_t crc) {
  if (crc != member.crc32) refuse(subject, member, "is damaged: its CRC does not match");
}

void read_whole(const Fd& fd, const std::string& subject, const ZipMember& member, Workshop& shop, char* to) {
  const auto size = static_cast<size_t>(member.size_bytes), packed_size = static_cast<size_t>(member.packed_bytes);
  if (member.method == 0) {
    read_packed(fd, subject, member, 0, to, size);
  } else {
    char* packed = shop.packed.of(packed_size);
    read_packed(fd, subject, member, 0, packed, packed_size);
    const std::string_view wrong = shop.inflater.inflate({packed, packed_size}, to, size);
    if (!wrong.empty()) refuse(subject, member, wrong);
  }
  check_crc(subject, member, crc32_of(0, {to, size}));
}

void read_long(const Fd& fd, const std::string& subject, const ZipMember& member, Workshop& shop,
               const std::function<void(std::string_view)>& take) {
  uint64_t done = 0;
  uint32_t crc = 0;
  char* packed = shop.packed.of(kPieceBytes);
  const auto next = [&]() -> std::string_view {
    const auto bytes = static_cast<size_t>(std::min<uint64_t>(kPieceBytes, member.packed_bytes - done));
    read_packed(fd, subject, member, done, packed, bytes);
    done += bytes;
    return {packed, bytes};
  };
  if (member.method == 0) {
    for (std::string_view piece = next(); !piece.empty(); piece = next()) {
      crc = crc32_of(crc, piece);
      if (done == member.size_bytes) check_crc(subject, member, crc);
      take(piece);
    }
    return;
  }
  uint64_t given = 0;
  const std::string_view wrong =
      inflate_stream(next, member.size_bytes, shop.plain.of(kPieceBytes), kPieceBytes, [&](std::string_view piece) {
        crc = crc32_of(crc, piece);
        given += piece.size();
        if (given == member.size_bytes) check_crc(subject, member, crc);
        take(piece);
      });
  if (!wrong.empty()) refuse(subject, member, wrong);
}

}  // namespace

ZipFile ZipFile::open(const Path& file, std::string subject, const ZipLimits& limits) {
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));  // a FIFO shall not hold us up
  if (!fd.valid()) throw os_error("cannot open the archive", subject, errno);
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) throw os_error("cannot open the archive", subject, errno);
  if (!S_ISREG(info.st_mode)) throw Error(ErrorKind::bad_input, "it is no file", subject);
  ZipFile out(std::move(fd), std::move(subject));
  zip_detail::Source source(out.fd_, static_cast<uint64_t>(info.st_size), out.subject_);
  const zip_detail::EndRecord end = zip_detail::find_end_record(source);
  std::vector<zip_detail::Entry> entries = zip_detail::read_directory(source, end, limits);
  zip_detail::check_local_headers(source, end.directory_at, entries);
  out.members_.reserve(entries.size());
  out.by_name_.reserve(entries.size());
  for (zip_detail::Entry& entry : entries) {
    out.members_.push_back(std::move(entry.member));
    const ZipMember& member = out.members_.back();
    if (!member.is_dir) out.by_name_.emplace(member.name, out.members_.size() - 1);
  }
  return out;
}

const ZipMember* ZipFile::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &members_[found->second];
}

void ZipFile::read(const ZipMember& member, const std::function<void(std::string_view piece)>& take) const {
  LentWorkshop shop;
  if (member.size_bytes > kWholeBytes) return read_long(fd_, subject_, member, shop.get(), take);
  const auto size = static_cast<size_t>(member.size_bytes);
  char* plain = shop.get().plain.of(std::max<size_t>(size, 1));
  read_whole(fd_, subject_, member, shop.get(), plain);
  take({plain, size});
}

std::string ZipFile::read(const ZipMember& member, uint64_t limit_bytes) const {
  if (member.size_bytes > limit_bytes) {
    refuse(subject_, member, fmt::format("has more than {} bytes", limit_bytes));
  }
  std::string out;
  if (member.size_bytes > kWholeBytes) {
    out.reserve(static_cast<size_t>(member.size_bytes));
    read(member, [&](std::string_view piece) { out += piece; });
    return out;
  }
  LentWorkshop shop;
  out.resize(static_cast<size_t>(member.size_bytes));
  read_whole(fd_, subject_, member, shop.get(), out.data());
  return out;
}

}  // namespace dae
