#include "resolver/source/netrc.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/strings.h"

namespace dae::resolver {
namespace {

constexpr uint64_t kMaxBytes = 1 << 20;

struct Token {
  std::string text;
  size_t line = 0;
  bool quoted = false;
};

// Words between white space; "…" keeps spaces, and a backslash in it the next character. '#' at the beginning of a
// word makes the rest of the line a comment, but a password may begin with it: `raw` words are taken as they stand.
class Tokens {
 public:
  Tokens(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  std::optional<Token> next(bool raw = false) {
    while (true) {
      skip_space();
      if (at_ == text_.size()) return std::nullopt;
      if (text_[at_] != '#' || raw) break;
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    }
    Token token{"", line_, text_[at_] == '"'};
    if (token.quoted) {
      take_quoted(token);
    } else {
      while (at_ < text_.size() && !is_space(text_[at_])) token.text += text_[at_++];
    }
    return token;
  }

  std::string value(const Token& key) {
    auto token = next(true);
    if (!token) fail(key.line, fmt::format("`{}` without a value", key.text));
    return std::move(token->text);
  }

  // A macro ends at the first empty line.
  void skip_macro() {
    const size_t end = text_.find("\n\n", at_);
    const size_t stop = end == std::string_view::npos ? text_.size() : end + 2;
    for (; at_ < stop; ++at_) line_ += text_[at_] == '\n' ? 1 : 0;
  }

  [[noreturn]] void fail(size_t line, const std::string& what) const {
    throw Error(ErrorKind::bad_input, what, fmt::format("{}:{}", name_, line));
  }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

  void skip_space() {
    for (; at_ < text_.size() && is_space(text_[at_]); ++at_) line_ += text_[at_] == '\n' ? 1 : 0;
  }

  void take_quoted(Token& token) {
    for (++at_; at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      token.text += text_[at_];
    }
    if (at_ == text_.size() || text_[at_] != '"') fail(token.line, "a quotation mark is not closed");
    ++at_;
  }

  std::string_view text_;
  const std::string& name_;
  size_t at_ = 0, line_ = 1;
};

}  // namespace

Netrc Netrc::parse(std::string_view text, const std::string& name) {
  Netrc out;
  Tokens tokens(text, name);
  Login* current = nullptr;
  Login ignored;
  while (const auto key = tokens.next()) {
    if (key->text == "machine" || key->text == "default") {
      const bool is_default = key->text == "default";
      const std::string host = is_default ? "" : lower(tokens.value(*key));
      const bool known = is_default ? out.default_.has_value() : out.logins_.contains(host);
      current = known ? &ignored : is_default ? &out.default_.emplace() : &out.logins_[host];
    } else if (key->text == "macdef") {
      tokens.skip_macro();
    } else if (key->text == "login" || key->text == "password" || key->text == "account") {
      if (current == nullptr) tokens.fail(key->line, fmt::format("`{}` before any `machine`", key->text));
      std::string value = tokens.value(*key);
      if (key->text == "login") {
        current->user = std::move(value);
      } else if (key->text == "password") {
        current->password = std::move(value);
      }
    } else {
      tokens.fail(key->line, "expected `machine`, `default`, `login`, `password`, `account` or `macdef`");
    }
  }
  return out;
}

Netrc Netrc::of_user() {
  if (const auto named = env_var("NETRC")) {
    const auto text = read_file_if_exists(*named, kMaxBytes);
    return text ? parse(*text, *named) : Netrc();
  }
  for (const char* name : {".netrc", "_netrc"}) {
    const Path path = home_dir() / name;
    if (const auto text = read_file_if_exists(path, kMaxBytes)) return parse(*text, path.string());
  }
  return {};
}

std::optional<Login> Netrc::login(const std::string& host) const {
  const auto found = logins_.find(lower(host));
  return found == logins_.end() ? default_ : std::optional<Login>(found->second);
}

}  // namespace dae::resolver
