#pragma once
// Zip archives for tests, right or wrong in the one way a test wants; and wheels with a RECORD that fits.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace dae::testing {

struct ZipMember {
  std::string name, bytes;
  bool executable = false;
  bool deflated = false;        // as stored blocks inside a deflate stream: method 8 without a compressor
  std::string local_name = "";  // what the local header says, when it shall differ from the directory
};
std::string make_zip(const std::vector<ZipMember>& members, std::string_view comment = "");

// A wheel under construction: add files, then bytes() adds WHEEL, METADATA and RECORD.
class WheelBuilder {
 public:
  WheelBuilder(std::string distribution, std::string version);
  WheelBuilder& file(std::string path, std::string bytes, bool executable = false);
  // "scripts/tool" below the .data directory.
  WheelBuilder& data(const std::string& path, std::string bytes, bool executable = false);
  WheelBuilder& entry_points(std::string text);
  WheelBuilder& requires_dist(std::string requirement);
  WheelBuilder& requires_python(std::string specifiers);
  WheelBuilder& no_record(std::string path);                    // leaves a file out of RECORD
  WheelBuilder& record(std::string path, std::string row_end);  // "sha256=…,12" instead of the truth
  WheelBuilder& wheel_version(std::string version);
  WheelBuilder& deflated();  // METADATA, that is
  std::string metadata() const;
  std::string file_name() const;
  std::string bytes() const;
  std::string dist_info() const { return distribution_ + "-" + version_ + ".dist-info"; }

 private:
  std::string distribution_, version_, entry_points_, requires_python_, wheel_version_ = "1.0";
  std::vector<std::string> requires_;
  std::vector<ZipMember> files_;
  std::map<std::string, std::string> rows_;
  bool deflated_ = false;
};

}  // namespace dae::testing
