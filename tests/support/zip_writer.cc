#include "support/zip_writer.h"

#include <algorithm>

#include "base/hash.h"

namespace dae::testing {
namespace {

uint32_t crc32_of(std::string_view bytes) {
  uint32_t crc = 0xffffffffu;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

void put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xff);
}

// Deflate blocks of type "stored" (RFC 1951 section 3.2.4).
std::string stored_blocks(std::string_view bytes) {
  std::string out;
  do {
    const std::string_view block = bytes.substr(0, 0xffff);
    bytes.remove_prefix(block.size());
    out += bytes.empty() ? '\1' : '\0';
    put(out, block.size(), 2);
    put(out, ~block.size() & 0xffff, 2);
    out += block;
  } while (!bytes.empty());
  return out;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

std::string record_hash(const std::string& bytes) {
  Sha256 hash;
  hash.update(bytes);
  return "sha256=" + base64url_nopad(hash.finish_bytes()) + "," + std::to_string(bytes.size());
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

std::string make_zip(const std::vector<ZipMember>& members, std::string_view comment) {
  std::string out, directory;
  for (const ZipMember& member : members) {
    const std::string packed = member.deflated ? stored_blocks(member.bytes) : member.bytes;
    const std::string& local_name = member.local_name.empty() ? member.name : member.local_name;
    std::string common;  // from "version needed" to the sizes, alike in both headers
    put(common, 20, 2);
    put(common, is_ascii(member.name) ? 0 : 0x800, 2);  // the flag of UTF-8 names
    put(common, member.deflated ? 8 : 0, 2);
    put(common, 0x5a210000, 4);
    put(common, crc32_of(member.bytes), 4);
    put(common, packed.size(), 4);
    put(common, member.bytes.size(), 4);

    directory += "PK\1\2";
    put(directory, 0x0314, 2);  // made on Unix: the upper half of the attributes is st_mode
    directory += common;
    put(directory, member.name.size(), 2);
    put(directory, 0, 8);
    put(directory, uint64_t{member.executable ? 0100755u : 0100644u} << 16, 4);
    put(directory, out.size(), 4);
    directory += member.name;

    out += "PK\3\4" + common;
    put(out, local_name.size(), 2);
    put(out, 0, 2);
    out += local_name + packed;
  }
  const size_t directory_at = out.size();
  out += directory + "PK\5\6";
  put(out, 0, 4);
  put(out, members.size(), 2);
  put(out, members.size(), 2);
  put(out, directory.size(), 4);
  put(out, directory_at, 4);
  put(out, comment.size(), 2);
  return out + std::string(comment);
}

WheelBuilder::WheelBuilder(std::string distribution, std::string version)
    : distribution_(std::move(distribution)), version_(std::move(version)) {}

WheelBuilder& WheelBuilder::file(std::string path, std::string bytes, bool executable) {
  files_.push_back({std::move(path), std::move(bytes), executable});
  return *this;
}
WheelBuilder& WheelBuilder::data(const std::string& path, std::string bytes, bool executable) {
  return file(distribution_ + "-" + version_ + ".data/" + path, std::move(bytes), executable);
}
WheelBuilder& WheelBuilder::entry_points(std::string text) {
  entry_points_ = std::move(text);
  return *this;
}
WheelBuilder& WheelBuilder::requires_dist(std::string requirement) {
  requires_.push_back(std::move(requirement));
  return *this;
}
WheelBuilder& WheelBuilder::requires_python(std::string specifiers) {
  requires_python_ = std::move(specifiers);
  return *this;
}
WheelBuilder& WheelBuilder::no_record(std::string path) {
  return record(std::move(path), "");
}
WheelBuilder& WheelBuilder::record(std::string path, std::string row_end) {
  rows_[std::move(path)] = std::move(row_end);
  return *this;
}
WheelBuilder& WheelBuilder::wheel_version(std::string version) {
  wheel_version_ = std::move(version);
  return *this;
}
WheelBuilder& WheelBuilder::deflated() {
  deflated_ = true;
  return *this;
}

std::string WheelBuilder::metadata() const {
  std::string out = "Metadata-Version: 2.2\nName: " + distribution_ + "\nVersion: " + version_ + "\n";
  if (!requires_python_.empty()) out += "Requires-Python: " + requires_python_ + "\n";
  for (const std::string& requirement : requires_) out += "Requires-Dist: " + requirement + "\n";
  return out + "\nA package for tests.\n";
}

std::string WheelBuilder::file_name() const {
  return distribution_ + "-" + version_ + "-py3-none-any.whl";
}

std::string WheelBuilder::bytes() const {
  std::vector<ZipMember> members = files_;
  members.push_back({dist_info() + "/WHEEL", "Wheel-Version: " + wheel_version_ +
                                                 "\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"});
  if (!entry_points_.empty()) members.push_back({dist_info() + "/entry_points.txt", entry_points_});
  members.push_back({dist_info() + "/METADATA", metadata(), false, deflated_});
  std::string rows;
  for (const ZipMember& member : members) {
    const auto given = rows_.find(member.name);
    const std::string row_end = given == rows_.end() ? record_hash(member.bytes) : given->second;
    if (!row_end.empty()) rows += csv_cell(member.name) + "," + row_end + "\n";
  }
  for (const auto& [path, row_end] : rows_) {
    bool known = false;
    for (const ZipMember& member : members) known = known || member.name == path;
    if (!known && !row_end.empty()) rows += path + "," + row_end + "\n";
  }
  members.push_back({dist_info() + "/RECORD", rows + dist_info() + "/RECORD,,\n"});
  return make_zip(members);
}

}  // namespace dae::testing
