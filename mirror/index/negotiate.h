#pragma once
// Content negotiation of the simple API (PEP 691, RFC 9110 section 12.5.1).
#include <optional>
#include <string>
#include <string_view>

namespace dae::mirror {

enum class PageFormat { json, v1_html, text_html };

std::string page_content_type(PageFormat format);
// By q-value, then by how exactly the type is named; JSON before HTML when both are named, HTML when only a wildcard
// was sent (a browser, curl). Nothing sent means anything goes. nullopt: none fits, 406.
std::optional<PageFormat> negotiate_page(std::string_view accept);
// gzip was named, or meant by `*`, and identity is not wanted more.
bool prefers_gzip(std::string_view accept_encoding);

}  // namespace dae::mirror
