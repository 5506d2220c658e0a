#include "mirror/storage/s3_xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/strings.h"

namespace dae::mirror {
namespace {

constexpr int kMaxDepth = 16;
// A listing of 1000 objects has about 10 elements for each.
constexpr size_t kMaxElements = 100'000, kMaxName = 200;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == ':';
}

std::string utf8(uint32_t code) {
  std::string out;
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
  return out;
}

class Scanner {
 public:
  Scanner(std::string_view text, const std::string& subject) : text_(text), subject_(subject) {}

  XmlElement document() {
    take("\xef\xbb\xbf");
    skip_space();
    if (take("<?xml")) skip_past("?>");
    skip_between();
    XmlElement root;
    element(root, 1);
    skip_between();
    if (at_ < text_.size()) fail("something after the end");
    return root;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    const std::string_view before = text_.substr(0, std::min(at_, text_.size()));
    const size_t line = static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
    const size_t newline = before.rfind('\n');
    const size_t column = before.size() - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
    throw Error(ErrorKind::bad_input, "the answer is not the XML it must be", subject_)
        .because(fmt::format("{}:{}: {}", line, column, what));
  }

  bool take(std::string_view what) {
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  void expect(std::string_view what) {
    if (!take(what)) fail(fmt::format("expected `{}`", html_escape(what)));
  }
  std::string_view skip_past(std::string_view end) {
    const size_t found = text_.find(end, at_);
    if (found == std::string_view::npos) fail(fmt::format("no `{}` follows", html_escape(end)));
    const std::string_view skipped = text_.substr(at_, found - at_);
    at_ = found + end.size();
    return skipped;
  }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  // Outside of the root: white space and comments.
  void skip_between() {
    for (skip_space(); take("<!--"); skip_space()) skip_past("-->");
  }

  std::string_view name() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    if (at_ == begin || at_ - begin > kMaxName) fail("expected a name");
    return text_.substr(begin, at_ - begin);
  }

  void attributes() {
    for (;;) {
      skip_space();
      if (at_ >= text_.size()) fail("a tag without an end");
      if (text_[at_] == '>' || text_[at_] == '/') return;
      name();
      skip_space();
      expect("=");
      skip_space();
      if (!take("\"") && !take("'")) fail("expected a quoted value");
      const std::string quote(1, text_[at_ - 1]);
      if (skip_past(quote).find('<') != std::string_view::npos) fail("a less-than sign in an attribute");
    }
  }

  void element(XmlElement& into, int depth) {
    if (depth > kMaxDepth) fail("elements too deep in each other");
    if (++elements_ > kMaxElements) fail("too many elements");
    expect("<");
    const std::string_view full = name();
    into.name = full.substr(std::min(full.find(':') + 1, full.size()));
    attributes();
    if (take("/>")) return;
    expect(">");
    content(into, depth);
    if (name() != full) fail("another element ends here than began");
    skip_space();
    expect(">");
  }

  // Until after the `</` that ends it.
  void content(XmlElement& into, int depth) {
    for (;;) {
      if (at_ >= text_.size()) fail("an element without an end");
      if (take("</")) return;
      if (take("<!--")) {
        skip_past("-->");
      } else if (take("<![CDATA[")) {
        into.text += skip_past("]]>");
      } else if (text_[at_] == '<') {
        into.children.emplace_back();
        element(into.children.back(), depth + 1);
      } else if (take("&")) {
        into.text += reference();
      } else {
        const size_t end = std::min(text_.find_first_of("<&", at_), text_.size());
        into.text += text_.substr(at_, end - at_);
        at_ = end;
      }
    }
  }

  std::string reference() {
    const size_t end = text_.substr(at_, 12).find(';');
    if (end == std::string_view::npos) fail("an ampersand that begins no entity");
    const std::string_view entity = text_.substr(at_, end);
    at_ += end + 1;
    if (entity == "amp") return "&";
    if (entity == "lt") return "<";
    if (entity == "gt") return ">";
    if (entity == "quot") return "\"";
    if (entity == "apos") return "'";
    const auto code = code_point(entity);
    if (!code) fail("an entity that XML does not have");
    return utf8(*code);
  }

  static std::optional<uint32_t> code_point(std::string_view entity) {
    if (!entity.starts_with('#')) return std::nullopt;
    entity.remove_prefix(1);
    const bool hex = entity.starts_with('x');
    if (hex) entity.remove_prefix(1);
    if (entity.empty()) return std::nullopt;
    uint32_t code = 0;
    for (const char c : entity) {
      const int digit = c >= '0' && c <= '9'          ? c - '0'
                        : hex && c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : hex && c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                      : -1;
      if (digit < 0) return std::nullopt;
      code = code * (hex ? 16 : 10) + static_cast<uint32_t>(digit);
      if (code > 0x10ffff) return std::nullopt;
    }
    // XML 1.0 section 2.2: no surrogates, and of the control characters these three.
    const bool allowed = code >= 0x20 ? code < 0xd800 || (code > 0xdfff && code != 0xfffe && code != 0xffff)
                                      : code == '\t' || code == '\n' || code == '\r';
    return allowed ? std::optional(code) : std::nullopt;
  }

  std::string_view text_;
  const std::string& subject_;
  size_t at_ = 0, elements_ = 0;
};

}  // namespace

const XmlElement* XmlElement::find(std::string_view child) const {
  const auto found =
      std::find_if(children.begin(), children.end(), [&](const XmlElement& one) { return one.name == child; });
  return found == children.end() ? nullptr : &*found;
}

const std::string& XmlElement::text_of(std::string_view child) const {
  static const std::string none;
  const XmlElement* found = find(child);
  return found == nullptr ? none : found->text;
}

XmlElement parse_xml(std::string_view text, const std::string& subject) {
  return Scanner(text, subject).document();
}

}  // namespace dae::mirror
