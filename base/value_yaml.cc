// Reading YAML by yaml-cpp's events: unlike its node tree they tell quoted scalars from plain ones, and show anchors.
#include <fmt/format.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <sstream>

#include "base/value_text.h"

namespace dae {

namespace {

using value_detail::kMaxDepth;

bool all_of(std::string_view text, std::string_view set) {
  return !text.empty() && text.find_first_not_of(set) == std::string_view::npos;
}

constexpr std::string_view kDigits = "0123456789";

// YAML 1.2 core schema (section 10.3.2): [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_core_float(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  const size_t e = text.find_first_of("eE");
  if (e != std::string_view::npos) {
    std::string_view exponent = text.substr(e + 1);
    if (!exponent.empty() && (exponent[0] == '-' || exponent[0] == '+')) exponent.remove_prefix(1);
    if (!all_of(exponent, kDigits)) return false;
    text = text.substr(0, e);
  }
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) return all_of(text, kDigits);
  const std::string_view whole = text.substr(0, dot), fraction = text.substr(dot + 1);
  if (whole.empty()) return all_of(fraction, kDigits);
  return all_of(whole, kDigits) && (fraction.empty() || all_of(fraction, kDigits));
}

class YamlReader final : public YAML::EventHandler {
 public:
  YamlReader(std::string_view text, const std::string& name) : text_(text), name_(name) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);  // a byte order mark
  }

  Value read() {
    value_detail::require_utf8(text_, name_);
    refuse_control_characters();
    try {
      std::istringstream stream{std::string(text_)};
      YAML::Parser parser(stream);
      // The second call finds nothing, or OnDocumentStart refuses it.
      while (parser.HandleNextDocument(*this)) {
      }
    } catch (const YAML::DeepRecursion& fault) {
      fail(fault.mark, fmt::format("nested deeper than {} levels", kMaxDepth));
    } catch (const YAML::Exception& fault) {
      fail(fault.mark, fault.msg);
    }
    if (!documents_) root_.position = {1, 1};
    return std::move(root_);
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) fail(mark, "a second document in the file", "split it into two files");
  }
  void OnDocumentEnd() override {}

  void OnAnchor(const YAML::Mark& mark, const std::string& anchor) override {
    fail(mark, fmt::format("anchors are not accepted (`&{}`)", anchor), "write the value out where it is needed");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(mark, "aliases are not accepted", "write the value out where it is needed");
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    if (wants_key()) fail(mark, "a key is missing");
    add(Value(), mark);  // yaml-cpp's mark is where it gave up looking, often a line further; place() mends it
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& text) override {
    const bool plain = tag == "?" || tag.empty();
    if (!plain) refuse_tag(mark, tag);
    if (!plain) require_closing_quote(mark);
    if (wants_key()) {
      stack_.back().key = text;
      stack_.back().key_position = position(mark);
      stack_.back().has_key = true;
      return;
    }
    add(plain ? plain_scalar(text, mark) : Value(text), mark);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, false);
  }
  void OnSequenceEnd() override { close(Value(std::move(stack_.back().items))); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
    open(mark, tag, true);
  }
  void OnMapEnd() override {
    value_detail::refuse_duplicate_keys(stack_.back().members, name_);
    close(Value::from_members(std::move(stack_.back().members)));
  }

 private:
  struct Level {
    bool is_map = false;
    Position position;
    Value::Array items;
    Value::Object members;
    bool has_key = false;
    std::string key;
    Position key_position;
  };

  [[noreturn]] void fail(const YAML::Mark& mark, std::string message, std::string hint = "") const {
    throw value_detail::error_at(name_, position(mark), std::move(message), std::move(hint));
  }

  static Position position(const YAML::Mark& mark) {
    if (mark.is_null()) return {1, 1};
    return {static_cast<uint32_t>(mark.line + 1), static_cast<uint32_t>(mark.column + 1)};
  }

  // YAML 1.2 section 5.1. yaml-cpp lets them through, and takes NUL for the end of the file.
  void refuse_control_characters() const {
    for (size_t at = 0; at < text_.size(); ++at) {
      const auto byte = static_cast<unsigned char>(text_[at]);
      if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F) {
        throw value_detail::error_at(name_, value_detail::PositionFinder(text_).at(at), "a control character");
      }
    }
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (tag != "!" && tag != "?" && !tag.empty()) fail(mark, fmt::format("tags are not accepted (`{}`)", tag));
  }

  // yaml-cpp takes the end of the file for a closing quote.
  void require_closing_quote(const YAML::Mark& mark) const {
    const auto start = static_cast<size_t>(mark.pos);
    if (start >= text_.size() || (text_[start] != '"' && text_[start] != '\'')) return;
    const char quote = text_[start];
    for (size_t at = start + 1; at < text_.size(); ++at) {
      const bool escapes = quote == '"' ? text_[at] == '\\' : text_.substr(at, 2) == "''";
      if (escapes) {
        ++at;
      } else if (text_[at] == quote) {
        return;
      }
    }
    fail(mark, "a string is not closed");
  }

  bool wants_key() const { return !stack_.empty() && stack_.back().is_map && !stack_.back().has_key; }

  void open(const YAML::Mark& mark, const std::string& tag, bool is_map) {
    refuse_tag(mark, tag);
    if (wants_key()) fail(mark, "a key must be a plain word or a string");
    if (stack_.size() >= kMaxDepth) fail(mark, fmt::format("nested deeper than {} levels", kMaxDepth));
    stack_.emplace_back();
    stack_.back().is_map = is_map;
    stack_.back().position = position(mark);
  }

  void close(Value value) {
    value.position = stack_.back().position;
    stack_.pop_back();
    place(std::move(value));
  }

  void add(Value value, const YAML::Mark& mark) {
    value.position = position(mark);
    place(std::move(value));
  }

  void place(Value value) {
    if (stack_.empty()) {
      root_ = std::move(value);
    } else if (Level& level = stack_.back(); level.is_map) {
      value.key_position = level.key_position;
      if (value.is_null()) value.position = level.key_position;
      level.members.emplace_back(std::move(level.key), std::move(value));
      level.has_key = false;
    } else {
      level.items.push_back(std::move(value));
    }
  }

  Value plain_scalar(const std::string& text, const YAML::Mark& mark) const {
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return Value();
    if (text == "true" || text == "True" || text == "TRUE") return Value(true);
    if (text == "false" || text == "False" || text == "FALSE") return Value(false);
    std::string_view digits = text;
    const bool sign = digits[0] == '-' || digits[0] == '+';
    if (sign) digits.remove_prefix(1);
    if (all_of(digits, kDigits)) return integer(text[0] == '-' ? std::string_view(text) : digits, 10, mark);
    const std::string_view prefix = std::string_view(text).substr(0, 2),
                           rest = std::string_view(text).substr(prefix.size());
    if (prefix == "0o" && all_of(rest, "01234567")) return integer(rest, 8, mark);
    if (prefix == "0x" && all_of(rest, "0123456789abcdefABCDEF")) return integer(rest, 16, mark);
    if (digits == ".inf" || digits == ".Inf" || digits == ".INF" || text == ".nan" || text == ".NaN" ||
        text == ".NAN") {
      fail(mark, "a number must be finite", "put it in quotes when a text is meant");
    }
    if (is_core_float(text)) return real(text[0] == '+' ? digits : std::string_view(text), mark);
    return Value(text);
  }

  Value integer(std::string_view digits, int base, const YAML::Mark& mark) const {
    int64_t whole = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), whole, base).ec != std::errc()) {
      fail(mark, "the integer does not fit into 64 bits", "put it in quotes when a text is meant");
    }
    return Value(whole);
  }

  Value real(std::string_view digits, const YAML::Mark& mark) const {
    double number = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (parsed.ec != std::errc() || !std::isfinite(number)) {
      fail(mark, "the number is out of range", "put it in quotes when a text is meant");
    }
    return Value(number);
  }

  std::string_view text_;
  const std::string& name_;
  int documents_ = 0;
  Value root_;
  std::vector<Level> stack_;
};

}  // namespace

Document parse_yaml(std::string_view text, std::string name) {
  Document out{std::move(name), {}};
  out.root = YamlReader(text, out.name).read();
  return out;
}

Document read_yaml_file(const Path& path) {
  return parse_yaml(read_file(path), path.string());
}

}  // namespace dae
