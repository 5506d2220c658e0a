// Reading TOML 1.0 with toml++. Its tables are sorted by key; the file's order is restored from source positions.
#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cmath>

#include "base/value_text.h"

namespace dae {

namespace {

using value_detail::kMaxDepth;

// toml++ limits nested values but not the parts of a dotted key, whose tables it destroys recursively.
constexpr int kMaxDotsInARow = 2000;

std::string format_time(const toml::time& time) {
  std::string out = fmt::format("{:02}:{:02}:{:02}", time.hour, time.minute, time.second);
  if (time.nanosecond == 0) return out;
  std::string fraction = fmt::format("{:09}", time.nanosecond);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return out + "." + fraction;
}

std::string format_date(const toml::date& date) {
  return fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
}

std::string format_date_time(const toml::date_time& moment) {
  std::string out = format_date(moment.date) + "T" + format_time(moment.time);
  if (!moment.offset) return out;
  const int minutes = moment.offset->minutes;
  if (minutes == 0) return out + "Z";
  return out + fmt::format("{}{:02}:{:02}", minutes < 0 ? '-' : '+', std::abs(minutes) / 60, std::abs(minutes) % 60);
}

bool before(Position a, Position b) {
  return a.line != b.line ? a.line < b.line : a.column < b.column;
}

class TomlReader {
 public:
  TomlReader(std::string_view text, const std::string& name) : text_(text), name_(name) {
    lines_.push_back(0);
    for (size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '\n') lines_.push_back(at + 1);
    }
  }

  Value read() {
    value_detail::require_utf8(text_, name_);
    refuse_endless_keys();
    try {
      const toml::table root = toml::parse(text_);
      Value out = read_table(root, 0);
      out.position = {1, 1};
      return out;
    } catch (const toml::parse_error& fault) {
      throw value_detail::error_at(name_, position(fault.source()), std::string(fault.description()));
    }
  }

 private:
  void refuse_endless_keys() const {
    int dots = 0;
    for (size_t at = 0; at < text_.size(); ++at) {
      const char c = text_[at];
      if (c == '\n' || c == '=' || c == ',') dots = 0;
      if (c == '.' && ++dots > kMaxDotsInARow) {
        throw value_detail::error_at(name_, value_detail::PositionFinder(text_).at(at), "too many dots in one line");
      }
    }
  }

  // toml++ counts code points; our columns count bytes.
  Position position(const toml::source_region& region) const {
    const uint32_t line = region.begin.line;
    if (line == 0 || line > lines_.size()) return {1, 1};
    size_t at = lines_[line - 1];
    for (uint32_t column = 1; column < region.begin.column && at < text_.size(); ++column) {
      ++at;
      while (at < text_.size() && (static_cast<unsigned char>(text_[at]) & 0xC0) == 0x80) ++at;
    }
    return {line, static_cast<uint32_t>(at - lines_[line - 1] + 1)};
  }

  Value read_node(const toml::node& node, int depth) const {
    if (depth > kMaxDepth) {
      throw value_detail::error_at(name_, position(node.source()),
                                   fmt::format("nested deeper than {} levels", kMaxDepth));
    }
    Value out = convert(node, depth);
    out.position = position(node.source());
    return out;
  }

  Value convert(const toml::node& node, int depth) const {
    switch (node.type()) {
      case toml::node_type::table:
        return read_table(*node.as_table(), depth);
      case toml::node_type::array:
        return read_array(*node.as_array(), depth);
      case toml::node_type::string:
        return Value(node.as_string()->get());
      case toml::node_type::integer:
        return Value(node.as_integer()->get());
      case toml::node_type::boolean:
        return Value(node.as_boolean()->get());
      case toml::node_type::date:
        return Value(format_date(node.as_date()->get()));
      case toml::node_type::time:
        return Value(format_time(node.as_time()->get()));
      case toml::node_type::date_time:
        return Value(format_date_time(node.as_date_time()->get()));
      case toml::node_type::floating_point:
        return real(node);
      case toml::node_type::none:
        break;
    }
    return Value();
  }

  Value real(const toml::node& node) const {
    const double number = node.as_floating_point()->get();
    if (std::isfinite(number)) return Value(number);
    throw value_detail::error_at(name_, position(node.source()), "a number must be finite");
  }

  Value read_array(const toml::array& items, int depth) const {
    Value::Array out;
    for (const toml::node& item : items) out.push_back(read_node(item, depth + 1));
    return Value(std::move(out));
  }

  Value read_table(const toml::table& table, int depth) const {
    Value::Object members;
    for (const auto& [key, node] : table) {
      members.emplace_back(std::string(key.str()), read_node(node, depth + 1));
      members.back().second.key_position = position(key.source());
    }
    std::stable_sort(members.begin(), members.end(),
                     [](const auto& a, const auto& b) { return before(a.second.key_position, b.second.key_position); });
    return Value::from_members(std::move(members));
  }

  std::string_view text_;
  const std::string& name_;
  std::vector<size_t> lines_;  // offset of each line's first byte
};

}  // namespace

Document parse_toml(std::string_view text, std::string name) {
  Document out{std::move(name), {}};
  out.root = TomlReader(text, out.name).read();
  return out;
}

Document read_toml_file(const Path& path) {
  return parse_toml(read_file(path), path.string());
}

}  // namespace dae
