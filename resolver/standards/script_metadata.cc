#include "resolver/standards/script_metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr size_t kMaxScriptBytes = size_t{64} << 20;
constexpr std::string_view kOpening = "# /// ";
constexpr std::string_view kClosing = "# ///";
constexpr uint32_t kMarkBytes = 2;  // "# " before each line of the block

struct Block {
  size_t first = 0, last = 0;  // lines of its content, the last one excluded
};

// "" when the line opens no block.
std::string_view type_of_opening(std::string_view line) {
  if (!line.starts_with(kOpening)) return "";
  const std::string_view type = line.substr(kOpening.size());
  const bool good = std::all_of(type.begin(), type.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
  return good ? type : "";
}

bool is_content(std::string_view line) {
  return line == "#" || line.starts_with("# ");
}

// The block ends at the last closing line of the comment it stands in: a closing line may be content as well.
std::optional<Block> block_at(const std::vector<std::string>& lines, size_t opening) {
  std::optional<Block> out;
  for (size_t i = opening + 1; i < lines.size() && is_content(lines[i]); ++i) {
    if (lines[i] == kClosing && i > opening + 1) out = Block{opening + 1, i};
  }
  return out;
}

std::optional<Block> find_block(const std::vector<std::string>& lines, const std::string& file) {
  std::optional<Block> found;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string_view type = type_of_opening(lines[i]);
    if (type.empty()) continue;
    const auto block = block_at(lines, i);
    if (!block) continue;
    if (type == "script") {
      if (found) {
        throw Error(ErrorKind::bad_input, "there are two `script` blocks", fmt::format("{}:{}:1", file, i + 1),
                    fmt::format("the first begins in line {}", found->first));
      }
      found = block;
    }
    i = block->last;
  }
  return found;
}

// The block as TOML, on the lines it has in the script. `blanks` keeps the columns too, but changes texts of several
// lines: good for naming the place of an error only.
std::string block_text(const std::vector<std::string>& lines, const Block& block, bool blanks) {
  std::string out(block.first, '\n');
  for (size_t i = block.first; i < block.last; ++i) {
    const std::string_view content = std::string_view(lines[i]).substr(std::min<size_t>(kMarkBytes, lines[i].size()));
    if (blanks) out += "  ";
    out += std::string(content) + "\n";
  }
  return out;
}

void shift_columns(Value& value) {
  value.position.column += kMarkBytes;
  value.key_position.column += kMarkBytes;
}

Value shifted(const Value& value) {
  Value out;
  if (value.is_array()) {
    out = Value::array();
    for (const Value& item : value.as_array()) out.push_back(shifted(item));
  } else if (value.is_object()) {
    Value::Object members;
    for (const auto& [key, member] : value.as_object()) members.emplace_back(key, shifted(member));
    out = Value::from_members(std::move(members));
  } else {
    out = value;
  }
  out.position = value.position;
  out.key_position = value.key_position;
  shift_columns(out);
  return out;
}

Document parse_block(const std::vector<std::string>& lines, const Block& block, const std::string& file) {
  try {
    const Document document = parse_toml(block_text(lines, block, false), file);
    return {document.name, shifted(document.root)};
  } catch (const Error&) {
    parse_toml(block_text(lines, block, true), file);  // throws the same with the columns of the script
    throw;
  }
}

}  // namespace

std::optional<ScriptMetadata> read_script_metadata(std::string_view text, const std::string& file) {
  if (text.size() > kMaxScriptBytes) throw Error(ErrorKind::bad_input, "the script is too large", file);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const std::vector<std::string> lines = split_lines(text);
  const auto block = find_block(lines, file);
  if (!block) return std::nullopt;
  const Document document = parse_block(lines, *block, file);
  Reader reader(document);
  ScriptMetadata out;
  if (const Value* dependencies = reader.optional("dependencies")) {
    if (!dependencies->is_array()) throw reader.error_at(*dependencies, "`dependencies` must be a list");
    for (const Value& item : dependencies->as_array()) {
      if (!item.is_string()) {
        throw reader.error_at(item, fmt::format("expected a requirement, found {}", item.type_name()));
      }
      try {
        out.dependencies.push_back({Requirement::parse(item.as_string()), item.position});
      } catch (const Error& error) {
        throw reader.error_at(item, fmt::format("`{}`: {}", item.as_string(), error.message()), error.hint());
      }
    }
  }
  out.requires_python = reader.string("requires-python");
  if (!SpecifierSet::try_parse(out.requires_python)) {
    throw reader.error_at(*reader.optional("requires-python"),
                          fmt::format("`{}` is no version specifier", out.requires_python));
  }
  if (const Value* tool = reader.optional("tool")) {
    if (!tool->is_object()) throw reader.error_at(*tool, "`tool` must be a table");
    out.tool = *tool;
  }
  return out;
}

}  // namespace dae::resolver
