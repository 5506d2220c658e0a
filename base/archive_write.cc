// Writing tar and tar.zst. The tar is made here and not by libarchive: its choice of pax records depends on its version
// and on the locale, and the bytes are an identity.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/archive.h"
#include "base/archive_names.h"
#include "base/error.h"
#include "base/hash.h"

namespace dae {

namespace {

constexpr size_t kBlock = 512;
constexpr int kZstdLevel = 3;

struct FreeZstd {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

// Hashes the tar, compresses it, hashes and writes the result.
class Sink {
 public:
  Sink(const Path& path, bool packed)
      : path_(path),
        is_packed_(packed),
        fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)),
        zstd_(ZSTD_createCCtx()),
        buffer_(ZSTD_CStreamOutSize(), '\0') {
    if (!fd_.valid()) throw os_error("cannot create the file", path.string(), errno);
    DAE_CHECK(zstd_ != nullptr);
    // No worker threads: with them zstd gives other bytes than without.
    ZSTD_CCtx_setParameter(zstd_.get(), ZSTD_c_compressionLevel, kZstdLevel);
    ZSTD_CCtx_setParameter(zstd_.get(), ZSTD_c_checksumFlag, 1);
  }

  void write(std::string_view bytes) {
    tar_.update(bytes);
    result_.tar_size_bytes += bytes.size();
    compress(bytes, ZSTD_e_continue);
  }

  void pad() {
    static constexpr std::array<char, kBlock> kZeros{};
    const size_t over = result_.tar_size_bytes % kBlock;
    if (over != 0) write(std::string_view(kZeros.data(), kBlock - over));
  }

  TarResult finish() {
    write(std::string(2 * kBlock, '\0'));
    compress("", ZSTD_e_end);
    result_.tar_sha256 = tar_.finish().hex();
    if (is_packed_) result_.zst_sha256 = packed_.finish().hex();
    return result_;
  }

 private:
  void compress(std::string_view bytes, ZSTD_EndDirective mode) {
    if (!is_packed_) return put(bytes);
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      const size_t left = ZSTD_compressStream2(zstd_.get(), &out, &in, mode);
      if (ZSTD_isError(left)) {
        throw Error(ErrorKind::failed, "cannot compress", path_.string()).because(ZSTD_getErrorName(left));
      }
      put(std::string_view(buffer_.data(), out.pos));
      if (mode == ZSTD_e_end ? left == 0 : in.pos == in.size) return;
    }
  }

  void put(std::string_view bytes) {
    if (is_packed_) packed_.update(bytes);
    if (is_packed_) result_.zst_size_bytes += bytes.size();
    while (!bytes.empty()) {
      const ssize_t done = ::write(fd_.get(), bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) throw os_error("cannot write", path_.string(), errno);
      bytes.remove_prefix(static_cast<size_t>(done));
    }
  }

  const Path& path_;
  const bool is_packed_;
  Fd fd_;
  std::unique_ptr<ZSTD_CCtx, FreeZstd> zstd_;
  std::string buffer_;
  Sha256 tar_, packed_;
  TarResult result_;
};

// POSIX.1-2017 pax "ustar Interchange Format": offsets and widths of the fields we fill.
class Header {
 public:
  Header() { block_.fill('\0'); }
  void text(size_t offset, std::string_view value) { std::memcpy(block_.data() + offset, value.data(), value.size()); }
  void octal(size_t offset, int digits, uint64_t value) { text(offset, fmt::format("{:0{}o}", value, digits)); }

  std::string_view finish() {
    text(257, std::string_view("ustar\0"
                               "00",
                               8));
    text(148, "        ");  // the checksum counts its own field as spaces
    uint64_t sum = 0;
    for (const char c : block_) sum += static_cast<unsigned char>(c);
    text(148, fmt::format("{:06o}", sum));
    block_[154] = '\0';
    return std::string_view(block_.data(), block_.size());
  }

 private:
  std::array<char, kBlock> block_;
};

constexpr size_t kNameBytes = 100, kPrefixBytes = 155;
constexpr uint64_t kOctalSizeLimit = 1ull << 33;  // eleven octal digits

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Where to cut a long name into prefix and name; npos when no slash fits.
size_t prefix_length(std::string_view name) {
  if (name.size() <= kNameBytes) return 0;
  for (size_t at = std::min(name.size() - 1, kPrefixBytes); at > 0; --at) {
    if (name[at] == '/') return name.size() - at - 1 <= kNameBytes ? at : std::string_view::npos;
  }
  return std::string_view::npos;
}

std::string pax_record(std::string_view key, std::string_view value) {
  // The length in front counts its own digits.
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest + 1;
  while (fmt::format("{}", length).size() + rest != length) ++length;
  return fmt::format("{} {}={}\n", length, key, value);
}

void write_header(Sink& sink, std::string_view name, char type, uint64_t size, bool executable, std::string_view link,
                  int64_t mtime_s) {
  Header header;
  const size_t prefix = prefix_length(name);
  if (prefix == std::string_view::npos) {
    header.text(0, name.substr(0, kNameBytes));
  } else if (prefix > 0) {
    header.text(345, name.substr(0, prefix));
    header.text(0, name.substr(prefix + 1));
  } else {
    header.text(0, name);
  }
  header.octal(100, 7, type == '2' ? 0777 : executable ? 0755 : 0644);
  header.octal(108, 7, 0);
  header.octal(116, 7, 0);
  header.octal(124, 11, size < kOctalSizeLimit ? size : 0);
  header.octal(136, 11, static_cast<uint64_t>(mtime_s));
  header.text(156, std::string_view(&type, 1));
  header.text(157, link.substr(0, kNameBytes));
  header.octal(329, 7, 0);
  header.octal(337, 7, 0);
  sink.write(header.finish());
}

void write_pax_header(Sink& sink, const TarEntry& entry, uint64_t size, int64_t mtime_s) {
  std::string records;
  if (entry.link_target.size() > kNameBytes || !is_ascii(entry.link_target)) {
    records += pax_record("linkpath", entry.link_target);
  }
  if (prefix_length(entry.name) == std::string_view::npos || !is_ascii(entry.name)) {
    records += pax_record("path", entry.name);
  }
  if (size >= kOctalSizeLimit) records += pax_record("size", fmt::format("{}", size));
  if (records.empty()) return;
  write_header(sink, "pax-header", 'x', records.size(), false, "", mtime_s);
  sink.write(records);
  sink.pad();
}

void write_file(Sink& sink, const Path& path, uint64_t size) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) throw os_error("cannot open the file", path.string(), errno);
  std::string buffer(256u << 10, '\0');
  uint64_t done = 0;
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw os_error("cannot read the file", path.string(), errno);
    if (got == 0) break;
    done += static_cast<uint64_t>(got);
    if (done > size) break;
    sink.write(std::string_view(buffer.data(), static_cast<size_t>(got)));
  }
  if (done != size) throw Error(ErrorKind::failed, "the file changed while it was read", path.string());
}

void write_entry(Sink& sink, const TarEntry& entry, int64_t mtime_s) {
  const bool link = !entry.link_target.empty();
  uint64_t size = link ? 0 : entry.bytes.size();
  if (!link && !entry.source.empty()) {
    const auto info = file_info(entry.source);
    if (!info) throw Error(ErrorKind::not_found, "no such file", entry.source.string());
    if (!info->is_file()) throw Error(ErrorKind::bad_input, "not a regular file", entry.source.string());
    size = info->size_bytes;
  }
  write_pax_header(sink, entry, size, mtime_s);
  write_header(sink, entry.name, link ? '2' : '0', size, entry.executable, entry.link_target, mtime_s);
  if (link) return;
  if (entry.source.empty()) {
    sink.write(entry.bytes);
  } else {
    write_file(sink, entry.source, size);
  }
  sink.pad();
}

TarResult write_archive(const Path& destination, std::vector<TarEntry> entries, int64_t mtime_s, bool packed) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  // What we would refuse to unpack is not written.
  archive_detail::NameGuard guard(destination);
  for (const TarEntry& entry : entries) {
    if (archive_detail::safe_name(entry.name) != entry.name) {
      throw Error(ErrorKind::bad_input, fmt::format("the name `{}` cannot go into an archive", entry.name));
    }
    const bool link = !entry.link_target.empty();
    guard.accept(entry.name, link ? archive_detail::EntryKind::link : archive_detail::EntryKind::file,
                 entry.link_target);
  }
  const int64_t mtime = std::clamp<int64_t>(mtime_s, 0, (int64_t{1} << 33) - 1);
  Sink sink(destination, packed);
  for (const TarEntry& entry : entries) write_entry(sink, entry, mtime);
  return sink.finish();
}

}  // namespace

TarResult write_tar_zst(const Path& destination, std::vector<TarEntry> entries, int64_t mtime_s) {
  return write_archive(destination, std::move(entries), mtime_s, true);
}

TarResult write_tar(const Path& destination, std::vector<TarEntry> entries, int64_t mtime_s) {
  return write_archive(destination, std::move(entries), mtime_s, false);
}

}  // namespace dae
