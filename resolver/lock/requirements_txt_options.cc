#include "resolver/lock/requirements_txt_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "base/value.h"

namespace dae::resolver {
namespace {

constexpr size_t npos = std::string_view::npos;

struct Option {
  std::string_view name, also;  // `also`: another long form
  char letter = 0;
  bool takes_value = true;
};
constexpr std::array<Option, 22> kOptions = {{{"--requirement", "", 'r'},
                                              {"--constraint", "", 'c'},
                                              {"--editable", "", 'e'},
                                              {"--hash", ""},
                                              {"--index-url", "--pypi-url", 'i'},
                                              {"--extra-index-url", ""},
                                              {"--no-index", "", 0, false},
                                              {"--find-links", "", 'f'},
                                              {"--no-binary", ""},
                                              {"--only-binary", ""},
                                              {"--prefer-binary", "", 0, false},
                                              {"--pre", "", 0, false},
                                              {"--all-releases", ""},
                                              {"--only-final", ""},
                                              {"--require-hashes", "", 0, false},
                                              {"--trusted-host", ""},
                                              {"--use-feature", ""},
                                              {"--config-settings", "--config-setting", 'C'},
                                              {"--global-option", ""},
                                              {"--install-option", ""},
                                              {"--build-option", ""},
                                              {"--always-unzip", "", 'Z', false}}};

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// Words as a POSIX shell cuts them.
class Words {
 public:
  Words(std::string_view text, size_t at) : text_(text), at_(at) {}

  bool skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    return at_ < text_.size();
  }
  size_t at() const { return at_; }

  std::string next() {
    std::string out;
    while (at_ < text_.size() && !is_blank(text_[at_])) {
      const char c = text_[at_];
      if (c == '\'' || c == '"') {
        quoted(out, c);
      } else if (c == '\\') {
        if (++at_ == text_.size()) fail_at(at_ - 1, "a `\\` with nothing behind it", "does a blank follow it?");
        out += text_[at_++];
      } else {
        out += c;
        ++at_;
      }
    }
    return out;
  }

  // Up to the next option, as it stands.
  std::string_view raw() {
    size_t end = at_;
    while (end < text_.size() && !(is_blank(text_[end]) && text_.substr(end + 1, 2) == "--")) ++end;
    const std::string_view out = text_.substr(at_, end - at_);
    at_ = end;
    return out;
  }

 private:
  void quoted(std::string& out, char quote) {
    const size_t open = at_++;
    while (at_ < text_.size() && text_[at_] != quote) {
      const bool escapes = quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size() &&
                           (text_[at_ + 1] == '"' || text_[at_ + 1] == '\\');
      if (escapes) ++at_;
      out += text_[at_++];
    }
    if (at_ == text_.size()) fail_at(open, "a quote that is not closed");
    ++at_;
  }

  std::string_view text_;
  size_t at_;
};

const Option& long_option(std::string_view name, size_t offset) {
  const Option* found = nullptr;
  std::vector<std::string> names;
  for (const Option& option : kOptions) {
    for (const std::string_view form : {option.name, option.also}) {
      if (form.empty()) continue;
      if (form == name) return option;
      names.emplace_back(form);
      if (name.size() < 4 || !form.starts_with(name)) continue;
      if (found && found != &option) fail_at(offset, fmt::format("option `{}` could be several", name));
      found = &option;
    }
  }
  if (found) return *found;
  const std::string near = nearest_name(name, names);
  fail_at(offset, fmt::format("option `{}` is not known", name.substr(0, 60)),
          near.empty() ? "" : fmt::format("did you mean `{}`?", near));
}

const Option& short_option(std::string_view word, size_t offset) {
  for (const Option& option : kOptions) {
    if (word.size() > 1 && option.letter == word[1]) return option;
  }
  fail_at(offset, fmt::format("option `{}` is not known", word.substr(0, 2)));
}

// "name @ address": two more words, which pip wants in quotes.
void take_reference(OptionUse& use, Words& words) {
  Words ahead = words;
  if (!ahead.skip_blanks() || ahead.next() != "@" || !ahead.skip_blanks()) return;
  use.value += " @ " + ahead.next();
  words = ahead;
}

// "./dir;" or a word ";" behind it: the rest up to the next option is a marker, whose quotes count.
void take_marker(OptionUse& use, Words& words) {
  const bool attached = use.value.ends_with(';');
  if (attached) use.value.pop_back();
  if (!words.skip_blanks()) return;
  use.marker_offset = words.at();
  std::string_view raw;
  if (attached) {
    raw = words.raw();
  } else {
    Words ahead = words;
    raw = ahead.raw();
    if (!raw.starts_with(';')) return;
    words = ahead;
    raw.remove_prefix(1);
    ++use.marker_offset;
  }
  use.marker = raw;
}

OptionUse read_option(Words& words) {
  OptionUse use;
  use.offset = words.at();
  const std::string word = words.next();
  const bool is_long = word.starts_with("--");
  const size_t equals = is_long ? word.find('=') : npos;
  const Option& option = is_long ? long_option(word.substr(0, equals), use.offset) : short_option(word, use.offset);
  use.name = option.name;
  const bool attached = is_long ? equals != npos : word.size() > 2;
  if (!option.takes_value) {
    if (attached) fail_at(use.offset, fmt::format("option `{}` takes no value", option.name));
    return use;
  }
  use.value_offset = use.offset + (is_long ? equals + 1 : 2);
  if (attached) {
    use.value = word.substr(is_long ? equals + 1 : 2);
  } else {
    if (!words.skip_blanks()) fail_at(use.offset, fmt::format("option `{}` needs a value", option.name));
    use.value_offset = words.at();
    use.value = words.next();
  }
  if (use.name == "--editable") {
    take_reference(use, words);
    take_marker(use, words);
  }
  if (use.value.empty()) fail_at(use.offset, fmt::format("option `{}` needs a value", option.name));
  return use;
}

}  // namespace

void fail_at(size_t offset, const std::string& message, std::string hint) {
  throw Error(ErrorKind::bad_input, fmt::format("column {}: {}", offset + 1, message), "", std::move(hint));
}

LineFault line_fault(const Error& error) {
  constexpr std::string_view prefix = "column ";
  LineFault out{0, error.message(), error.hint()};
  const size_t colon = out.message.find(": ");
  if (!out.message.starts_with(prefix) || colon == npos) return out;
  const auto column = parse_int(std::string_view(out.message).substr(prefix.size(), colon - prefix.size()));
  if (!column || *column < 1) return out;
  out.offset = static_cast<size_t>(*column) - 1;
  out.message.erase(0, colon + 2);
  return out;
}

SplitLine split_line(std::string_view text) {
  SplitLine out;
  // The first word that begins with '-': what stands before is not cut, as quotes in markers have their own meaning.
  size_t options = 0;
  while (options < text.size() && text[options] != '-') {
    while (options < text.size() && !is_blank(text[options])) ++options;
    while (options < text.size() && is_blank(text[options])) ++options;
  }
  out.requirement = trim(text.substr(0, options));
  Words words(text, options);
  while (words.skip_blanks()) {
    if (text[words.at()] != '-') {
      const size_t at = words.at();
      fail_at(at, fmt::format("`{}` is out of place behind an option", words.next().substr(0, 60)));
    }
    out.options.push_back(read_option(words));
  }
  return out;
}

}  // namespace dae::resolver
