#include "resolver/standards/requirement.h"

#include <algorithm>

#include "base/strings.h"
#include "resolver/standards/marker_node.h"
#include "resolver/standards/names.h"

namespace dae::resolver {
namespace {

constexpr size_t kMaxTextBytes = 64 * 1024;

std::string parse_name(Scanner& scanner, const std::string& what) {
  size_t end = scanner.at;
  while (end < scanner.text.size() && is_name_char(scanner.text[end])) ++end;
  const std::string_view name = scanner.text.substr(scanner.at, end - scanner.at);
  if (name.empty()) scanner.fail("expected " + what);
  if (!is_valid_name(name)) scanner.fail("`" + std::string(name.substr(0, 60)) + "` is not a valid name");
  scanner.at = end;
  return std::string(name);
}

std::vector<std::string> parse_extras(Scanner& scanner) {
  std::vector<std::string> out;
  scanner.skip_space();
  if (!scanner.eat("[")) return out;
  scanner.skip_space();
  if (!scanner.eat("]")) {
    do {
      scanner.skip_space();
      out.push_back(normalize_name(parse_name(scanner, "the name of an extra")));
      scanner.skip_space();
    } while (scanner.eat(","));
    if (!scanner.eat("]")) scanner.fail("expected `,` or `]` after the name of an extra");
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Unlike a bare specifier set, a requirement may end with one comma but have no empty part before.
SpecifierSet parse_specifiers(Scanner& scanner, std::string_view text) {
  std::vector<Specifier> parts;
  parts.reserve(static_cast<size_t>(std::count(text.begin(), text.end(), ',')) + 1);
  for (size_t from = 0; from <= text.size();) {
    const size_t comma = std::min(text.find(',', from), text.size());
    const std::string_view one = trim(text.substr(from, comma - from));
    const bool last = comma == text.size();
    if (one.empty() && last) break;
    if (one.empty()) {
      scanner.fail(parts.empty() ? "expected a version specifier before `,`"
                                 : "expected a version specifier between two commas");
    }
    if (std::string_view("=!<>~").find(one.front()) == std::string_view::npos) {
      scanner.fail("expected a version specifier, found `" + std::string(one.substr(0, 60)) + "`");
    }
    auto specifier = Specifier::try_parse(one);
    if (!specifier) {
      scanner.at = static_cast<size_t>(one.data() - scanner.text.data());
      scanner.fail("`" + std::string(one.substr(0, 60)) + "` is not a version specifier");
    }
    parts.push_back(*std::move(specifier));
    from = comma + 1;
  }
  return SpecifierSet(std::move(parts));
}

void parse_versions(Scanner& scanner, Requirement& out, bool legacy) {
  const bool parenthesis = scanner.eat("(");
  size_t end = scanner.text.find(parenthesis ? ')' : ';', scanner.at);
  if (parenthesis && end == std::string_view::npos) scanner.fail("expected `)` after the version specifiers");
  end = std::min(end, scanner.text.size());
  const std::string_view text = scanner.text.substr(scanner.at, end - scanner.at);
  if (legacy) {
    auto repaired = SpecifierSet::try_parse_legacy(text);
    if (!repaired) scanner.fail("expected version specifiers");
    out.specifiers = *std::move(repaired);
  } else {
    out.specifiers = parse_specifiers(scanner, text);
  }
  scanner.at = end + (parenthesis ? 1 : 0);
  scanner.skip_space();
}

// Ends at white space: a ';' may be part of the URL, so the marker needs a blank before its ';'.
void parse_reference(Scanner& scanner, Requirement& out) {
  scanner.skip_space();
  const size_t end = std::min(scanner.text.find_first_of(" \t", scanner.at), scanner.text.size());
  out.url = scanner.text.substr(scanner.at, end - scanner.at);
  if (out.url.empty()) scanner.fail("expected a URL after `@`");
  const auto is_control = [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; };
  if (std::any_of(out.url.begin(), out.url.end(), is_control)) scanner.fail("control character in the URL");
  scanner.at = end;
  scanner.skip_space();
  if (!scanner.done() && scanner.peek() != ';') scanner.fail("expected ` ;` or the end after the URL");
}

Requirement parse_requirement(std::string_view text, bool legacy) {
  Scanner scanner{trim(text)};
  if (scanner.text.size() > kMaxTextBytes) scanner.fail("the requirement is too long");
  Requirement out;
  out.name = parse_name(scanner, "the name of a package");
  out.key = normalize_name(out.name);
  out.extras = parse_extras(scanner);
  scanner.skip_space();
  if (scanner.eat("@")) {
    parse_reference(scanner, out);
  } else {
    parse_versions(scanner, out, legacy);
  }
  if (scanner.eat(";")) {
    out.marker = MarkerParser::parse(scanner);
    scanner.skip_space();
  }
  if (!scanner.done()) scanner.fail("expected `;` or the end of the requirement");
  return out;
}

}  // namespace

Requirement Requirement::parse(std::string_view text) {
  return parse_requirement(text, false);
}

std::optional<Requirement> Requirement::try_parse_legacy(std::string_view text) {
  try {
    return parse_requirement(text, false);
  } catch (const Error&) {
  }
  // Quotes belong to markers; before one they are strays.
  const size_t marker = std::min(text.find(';'), text.size());
  std::string clean(text.substr(0, marker));
  std::erase_if(clean, [](char c) { return c == '\'' || c == '"'; });
  clean += text.substr(marker);
  try {
    return parse_requirement(clean, true);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string Requirement::text() const {
  std::string out = name;
  if (!extras.empty()) out += "[" + join(extras, ",") + "]";
  if (!url.empty()) {
    out += " @ " + url;
  } else {
    out += specifiers.text();
  }
  if (!marker.always()) out += (url.empty() ? "; " : " ; ") + marker.text();
  return out;
}

}  // namespace dae::resolver
