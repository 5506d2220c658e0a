#pragma once
// The XML that S3 servers answer: elements, text, the five entities and character references. No document types, hence
// no entities of a document's own; attributes are skipped. A scanner of our own, as that is all there is to read, and
// every library would have to be told what not to do.
#include <string>
#include <string_view>
#include <vector>

namespace dae::mirror {

struct XmlElement {
  std::string name;  // without a namespace's prefix
  std::string text;  // its own, without that of its children
  std::vector<XmlElement> children;

  const XmlElement* find(std::string_view child) const;      // the first; nullptr: none
  const std::string& text_of(std::string_view child) const;  // "" when there is none
};

// The root. Error bad_input "subject: …" with line and column; depth and number of elements are limited.
XmlElement parse_xml(std::string_view text, const std::string& subject);

}  // namespace dae::mirror
