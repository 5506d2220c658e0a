#include "resolver/install/store_entry.h"

#include <fmt/format.h>

#include <iterator>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr std::string_view kManifestHead = "dae-wheel 2";
constexpr std::string_view kFilesHead = "dae-wheel-files 2";
constexpr std::string_view kSourceSuffix = "-source";

// Names hold no control characters (base/zip.h, entry_points.h), so that tabs and line ends are free to separate them.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}
  std::optional<std::string_view> next() {
    const size_t end = text_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return line;
  }
  bool at_end() const { return text_.empty(); }

 private:
  std::string_view text_;
};

std::optional<StoredWheel::DataFile> parse_data_file(const std::vector<std::string>& cells) {
  if (cells.size() != 6) return std::nullopt;
  const auto size_bytes = parse_int(cells[3]);
  if (!size_bytes || *size_bytes < 0) return std::nullopt;
  StoredWheel::DataFile out;
  out.executable = cells[1].find('x') != std::string::npos;
  out.rewrite = cells[1].find('r') != std::string::npos;
  out.hash = cells[2];
  out.size_bytes = static_cast<uint64_t>(*size_bytes);
  out.source = cells[4];
  out.target = cells[5];
  return out;
}

// False: no line of this format.
bool parse_line(std::string_view line, StoredWheel& out) {
  const std::vector<std::string> cells = split(line, '\t');
  const std::string& kind = cells[0];
  if (kind == "dist-info" && cells.size() == 2) {
    out.dist_info = cells[1];
  } else if (kind == "bytes" && cells.size() == 2) {
    const auto size_bytes = parse_int(cells[1]);
    if (!size_bytes) return false;
    out.size_bytes = static_cast<uint64_t>(*size_bytes);
  } else if (kind == "bytecode" && cells.size() == 1) {
    out.bytecode = true;
  } else if (kind == "not-movable" && cells.size() == 1) {
    out.movable = false;
  } else if ((kind == "dir" || kind == "file") && cells.size() == 2) {
    out.tops.push_back({cells[1], kind == "dir"});
  } else if (kind == "script" && cells.size() == 4) {
    out.entry_points.push_back({cells[1], cells[2], cells[3]});
  } else if (kind == "data") {
    auto file = parse_data_file(cells);
    if (!file) return false;
    out.data.push_back(std::move(*file));
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::string EntryName::text() const {
  return digest_hex + "-" + tag + (bytecode ? "" : std::string(kSourceSuffix));
}

std::optional<EntryName> parse_entry_name(std::string_view text) {
  EntryName out;
  if (text.size() < 66 || text[64] != '-' || !Digest::is_valid(text.substr(0, 64))) return std::nullopt;
  out.digest_hex = text.substr(0, 64);
  out.bytecode = !text.ends_with(kSourceSuffix);
  if (!out.bytecode) text.remove_suffix(kSourceSuffix.size());
  if (text.size() < 66) return std::nullopt;
  out.tag = text.substr(65);
  return out;
}

std::string render_manifest(const StoredWheel& wheel) {
  std::string out = fmt::format("{}\ndist-info\t{}\nbytes\t{}\n", kManifestHead, wheel.dist_info, wheel.size_bytes);
  if (wheel.bytecode) out += "bytecode\n";
  if (!wheel.movable) out += "not-movable\n";
  for (const StoredWheel::Top& top : wheel.tops) out += fmt::format("{}\t{}\n", top.is_dir ? "dir" : "file", top.name);
  for (const StoredWheel::DataFile& file : wheel.data) {
    out += fmt::format("data\t{}{}\t{}\t{}\t{}\t{}\n", file.executable ? 'x' : '-', file.rewrite ? 'r' : '-', file.hash,
                       file.size_bytes, file.source, file.target);
  }
  for (const EntryPoint& entry : wheel.entry_points) {
    out += fmt::format("script\t{}\t{}\t{}\n", entry.name, entry.module, entry.object);
  }
  return out + "end\n";
}

std::optional<StoredWheel> parse_manifest(std::string_view text) {
  Lines lines(text);
  if (lines.next() != kManifestHead) return std::nullopt;
  StoredWheel out;
  while (const auto line = lines.next()) {
    if (*line == "end") return lines.at_end() && !out.dist_info.empty() ? std::optional(std::move(out)) : std::nullopt;
    if (!parse_line(*line, out)) return std::nullopt;
  }
  return std::nullopt;
}

std::string render_file_lists(const FileLists& lists) {
  std::string out(kFilesHead);
  out += '\0';
  for (const auto* list : {&lists.dirs, &lists.files, &lists.bytecode_dirs, &lists.bytecode}) {
    for (const std::string& name : *list) (out += name) += '\0';
    out += '\0';
  }
  return out + "end" + '\0';
}

StoredFiles read_stored_files(const StoredWheel& wheel) {
  const Path path = wheel.dir / "files";
  StoredFiles out;
  out.text = read_file(path, 1ull << 30);
  const char *at = out.text.data(), *const end = at + out.text.size();
  const auto broken = [&] {
    return Error(ErrorKind::bad_input, "not the list of an unpacked wheel", path.string(),
                 "remove `" + wheel.dir.string() + "`; the next install makes it anew");
  };
  if (out.text.empty() || out.text.back() != '\0' || at != kFilesHead) throw broken();
  at += kFilesHead.size() + 1;
  for (auto* list : {&out.dirs, &out.files, &out.bytecode_dirs, &out.bytecode}) {
    while (at < end && *at != '\0') {
      list->push_back(at);
      at += std::string_view(at).size() + 1;
    }
    ++at;
  }
  if (at >= end || std::string_view(at) != "end") throw broken();
  return out;
}

}  // namespace dae::resolver
