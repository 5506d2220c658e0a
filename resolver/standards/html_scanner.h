#pragma once
// As much of HTML as an index page needs: start tags with attributes, end tags and the text between them. Tolerant:
// anything can be fed to it, and it never fails; it only reads forward.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dae::resolver {

struct HtmlTag {
  std::string name;                                             // lower case; "/a" for an end tag
  std::vector<std::pair<std::string, std::string>> attributes;  // lower case, entities decoded; first of a name counts
  const std::string* attribute(std::string_view attribute_name) const;
};

class HtmlScanner {
 public:
  explicit HtmlScanner(std::string_view text) : rest_(text) {}
  // The next tag; the text before it is in `text()`. Comments, declarations, scripts and styles are passed over.
  std::optional<HtmlTag> next();
  std::string_view text() const { return text_; }  // raw: decode_entities() is up to the caller

 private:
  HtmlTag read_tag();
  void read_attribute(HtmlTag& tag);
  void skip_past(std::string_view end);
  void skip_space();
  std::string_view rest_, text_;
};

// Numeric ones and the named ones of XML and Latin-1 that occur in such pages; unknown ones stay as they are.
std::string decode_entities(std::string_view text);

}  // namespace dae::resolver
