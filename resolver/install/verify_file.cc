#include "resolver/install/verify_file.h"

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/process.h"
#include "base/strings.h"
#include "resolver/install/wheel_check.h"

namespace dae::resolver {
namespace {

using Kind = VerifyFinding::Kind;

constexpr uint64_t kLongHashLimitBytes = 1ull << 30;

bool has_hash(const Path& path, const std::string& hash) {
  if (hash.starts_with("sha256=")) return "sha256=" + digest_base64url(sha256_file(path)) == hash;
  RecordHash compared(hash);
  compared.update(read_file(path, kLongHashLimitBytes));
  return !compared.sha256_if_equal().empty();
}

// Python writes these itself, and removes them as it likes.
bool is_bytecode(const std::string& target) {
  return target.ends_with(".pyc");
}

// The first link on the way that leads nowhere; "" when there is none.
std::string broken_link_above(const EnvLayout& layout, const std::string& target) {
  for (size_t slash = target.find('/'); slash != std::string::npos; slash = target.find('/', slash + 1)) {
    const Path at = layout.root / target.substr(0, slash);
    const auto info = file_info(at);
    if (!info) return "";
    if (info->is_symlink() && !exists(at)) return target.substr(0, slash);
  }
  return "";
}

// What `'''exec' "/path of it/python" "$0" "$@"` names: the second line where a path is too long for the first.
std::string second_line_program(const std::string& line) {
  constexpr std::string_view kStart = "'''exec' ";
  if (!line.starts_with(kStart)) return "";
  try {
    const std::vector<std::string> words = split_command(line.substr(kStart.size()));
    return words.empty() ? "" : words.front();
  } catch (const Error&) {
    return "";
  }
}

std::string program_of_script(const Path& path) {
  const std::vector<std::string> lines = split_lines(read_file_head(path, 8192));
  if (lines.empty() || !lines[0].starts_with("#!")) return "";
  if (lines.size() > 1) {
    if (const std::string program = second_line_program(lines[1]); !program.empty()) return program;
  }
  const std::string_view rest = trim(std::string_view(lines[0]).substr(2));
  return std::string(rest.substr(0, rest.find_first_of(" \t")));
}

void check_program(const EnvLayout& layout, const Path& path, uint32_t mode, FileVerdict& out) {
  const std::string head = read_file_head(path, 4);
  const bool is_script = head.starts_with("#!");
  if (!is_script && head !=
                        "\x7f"
                        "ELF")
    return;
  if ((mode & 0111) == 0) out.findings.emplace_back(Kind::not_executable, "");
  if (!is_script) return;
  const std::string program = program_of_script(path);
  // When the environment's own interpreter is gone, that is one finding and not one for each script.
  if (program.starts_with((layout.root / "bin/python").string()) || exists(program)) return;
  out.findings.emplace_back(Kind::broken_script, "`" + program + "` is not there");
}

void check_contents(const Path& path, uint64_t size_bytes, const std::vector<FileClaim>& claims, bool hashes,
                    FileVerdict& out) {
  bool sizes_differ = true, known = false;
  for (const FileClaim& claim : claims) {
    if (claim.hash.empty()) return;
    known = true;
    if (claim.size_bytes && *claim.size_bytes != size_bytes) continue;
    sizes_differ = false;
    if (!hashes) return;
    out.hashed_bytes += size_bytes;
    if (has_hash(path, claim.hash)) return;
  }
  if (!known) return;
  out.findings.emplace_back(Kind::changed, sizes_differ ? std::to_string(size_bytes) + " bytes instead of " +
                                                              std::to_string(claims.front().size_bytes.value_or(0))
                                                        : "");
}

void check_existing(const EnvLayout& layout, const std::string& target, const std::vector<FileClaim>& claims,
                    bool hashes, FileVerdict& out) {
  const Path path = layout.root / target;
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::is_directory(status)) {
    out.findings.emplace_back(Kind::changed, "a directory stands in its place");
    return;
  }
  check_contents(path, std::filesystem::file_size(path, error), claims, hashes, out);
  if (target.starts_with("bin/")) check_program(layout, path, static_cast<uint32_t>(status.permissions()), out);
}

}  // namespace

FileVerdict verify_file(const EnvLayout& layout, const std::string& target, const std::vector<FileClaim>& claims,
                        bool hashes) {
  FileVerdict out;
  const Path path = layout.root / target;
  const auto info = file_info(path);
  if (!info) {
    if (is_bytecode(target)) return out;
    const std::string link = broken_link_above(layout, target);
    out.findings.emplace_back(link.empty() ? Kind::missing : Kind::broken_link,
                              link.empty() ? "" : "`" + link + "` leads nowhere");
    return out;
  }
  if (info->is_symlink() && !exists(path)) {
    out.findings.emplace_back(Kind::broken_link, "to " + read_link(path).value_or(""));
    return out;
  }
  try {
    check_existing(layout, target, claims, hashes, out);
  } catch (const Error& error) {
    out.findings.emplace_back(Kind::changed, error.message() + (error.cause().empty() ? "" : ": " + error.cause()));
  }
  return out;
}

}  // namespace dae::resolver
