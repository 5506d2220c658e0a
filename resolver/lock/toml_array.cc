#include "resolver/lock/toml_array.h"

#include <algorithm>

namespace dae::resolver {

namespace {

constexpr size_t npos = std::string_view::npos;

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  // Calls on_header(path) and on_key(path, value offset, end of value); paths are dotted, quotes taken off.
  template <typename OnHeader, typename OnKey>
  void run(OnHeader on_header, OnKey on_key) {
    std::string table;
    while (skip_blank(true), at_ < text_.size()) {
      if (text_[at_] == '[') {
        while (at_ < text_.size() && text_[at_] == '[') ++at_;
        table = read_path();
        skip_line();
        on_header(table, at_);
        continue;
      }
      std::string path = read_path();
      if (!table.empty()) path = table + "." + path;
      if (at_ < text_.size()) ++at_;  // '='
      skip_blank(false);
      const size_t value = at_;
      if (at_ < text_.size() && text_[at_] == '{') inline_table(path, on_key);
      at_ = value;
      skip_value();
      const size_t end = at_;
      skip_line();
      on_key(path, value, end, at_);
    }
  }

  TomlArray read_array(size_t open) {
    TomlArray out;
    out.open = open;
    at_ = open + 1;
    while (skip_blank(true), at_ < text_.size() && text_[at_] != ']') {
      if (text_[at_] == ',') {
        if (!out.items.empty()) out.items.back().comma = at_;
        ++at_;
        continue;
      }
      TomlArray::Item item;
      item.begin = at_;
      item.is_string = text_[at_] == '"' || text_[at_] == '\'';
      if (item.is_string) {
        item.text = read_string();
      } else {
        skip_value();
        if (at_ == item.begin) ++at_;  // a stray bracket: the text was no TOML after all
      }
      item.end = at_;
      out.items.push_back(std::move(item));
    }
    out.close = at_;
    return out;
  }

 private:
  template <typename OnKey>
  void inline_table(const std::string& table, OnKey on_key) {
    ++at_;
    while (skip_blank(true), at_ < text_.size() && text_[at_] != '}') {
      if (text_[at_] == ',') {
        ++at_;
        continue;
      }
      const size_t begin = at_;
      const std::string path = table + "." + read_path();
      if (at_ < text_.size()) ++at_;  // '='
      skip_blank(false);
      const size_t value = at_;
      if (at_ < text_.size() && text_[at_] == '{') inline_table(path, on_key);
      at_ = value;
      skip_value();
      if (at_ == begin) return;  // no TOML after all
      on_key(path, value, at_, npos);
    }
  }

  bool has(std::string_view piece) const { return text_.substr(at_, piece.size()) == piece; }

  void skip_blank(bool over_lines) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || (over_lines && (c == '\n' || c == '\r'))) {
        ++at_;
      } else if (over_lines && c == '#') {
        skip_line();
      } else {
        return;
      }
    }
  }

  void skip_line() {
    const size_t end = text_.find('\n', at_);
    at_ = end == npos ? text_.size() : end + 1;
  }

  // Up to '=' or ']', which are not consumed.
  std::string read_path() {
    std::string out;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '=' || c == ']' || c == '\n') break;
      if (c == '"' || c == '\'') {
        out += read_string();
        continue;
      }
      if (c != ' ' && c != '\t' && c != '\r') out += c;
      ++at_;
    }
    return out;
  }

  std::string read_string() {
    const char quote = text_[at_];
    const bool is_long = has(std::string(3, quote));
    const size_t width = is_long ? 3 : 1;
    at_ += width;
    std::string out;
    while (at_ < text_.size() && !has(std::string(width, quote))) {
      if (text_[at_] == '\\' && quote == '"' && at_ + 1 < text_.size()) {
        // Requirements have no need of escapes but for quotes and backslashes; others stay as written.
        if (text_[at_ + 1] != '"' && text_[at_ + 1] != '\\') out += '\\';
        ++at_;
      }
      out += text_[at_++];
    }
    at_ = std::min(at_ + width, text_.size());
    return out;
  }

  void skip_value() {
    int depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        read_string();
        continue;
      }
      if (depth == 0 && (c == '\n' || c == '\r' || c == '#' || c == ',' || c == ']' || c == '}')) return;
      if (c == '#') {
        skip_line();
        continue;
      }
      if (c == '[' || c == '{') ++depth;
      if (c == ']' || c == '}') --depth;
      ++at_;
    }
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::optional<TomlArray> find_toml_array(std::string_view text, std::string_view table, std::string_view key) {
  return find_toml_array(text, table, [&](std::string_view found) { return found == key; });
}

std::optional<TomlArray> find_toml_array(std::string_view text, std::string_view table,
                                         const std::function<bool(std::string_view key)>& is_key) {
  const std::string prefix = std::string(table) + ".";
  std::optional<size_t> found;
  Scanner(text).run([](const std::string&, size_t) {},
                    [&](const std::string& path, size_t value, size_t, size_t) {
                      if (!path.starts_with(prefix) || value >= text.size() || text[value] != '[') return;
                      if (is_key(std::string_view(path).substr(prefix.size()))) found = value;
                    });
  if (!found) return std::nullopt;
  return Scanner(text).read_array(*found);
}

std::optional<size_t> end_of_toml_table(std::string_view text, std::string_view table) {
  std::optional<size_t> end;
  bool inside = false;
  Scanner(text).run(
      [&](const std::string& path, size_t next_line) {
        inside = path == table;
        if (inside) end = next_line;
      },
      [&](const std::string&, size_t, size_t, size_t next_line) {
        if (inside && next_line != npos) end = next_line;
      });
  return end;
}

TomlTableForm toml_table_form(std::string_view text, std::string_view table) {
  const std::string prefix = std::string(table) + ".";
  TomlTableForm form = TomlTableForm::absent;
  Scanner(text).run(
      [&](const std::string& path, size_t) {
        if (path == table) form = TomlTableForm::header;
      },
      [&](const std::string& path, size_t, size_t, size_t next_line) {
        if (form == TomlTableForm::header) return;
        if (path == table) form = TomlTableForm::inline_value;
        if (path.starts_with(prefix) && next_line != npos) form = TomlTableForm::dotted;
      });
  return form;
}

std::string toml_key(std::string_view name) {
  const bool bare = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return bare ? std::string(name) : toml_quote(name);
}

std::string toml_quote(std::string_view text, char preferred) {
  const auto clean = [&](char quote) { return text.find(quote) == npos; };
  const char quote = clean(preferred) ? preferred : (clean('\'') ? '\'' : '"');
  std::string out(1, quote);
  for (const char c : text) {
    if (quote == '"' && (c == '"' || c == '\\')) out += '\\';
    out += c;
  }
  return out + quote;
}

}  // namespace dae::resolver
