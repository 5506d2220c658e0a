#pragma once
// Header fields with parameters (RFC 2045 section 5.1, RFC 2183). Private to base/multipart*.cc.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/multipart.h"

namespace dae::multipart_detail {

struct Field {
  std::string value;  // lower case: "form-data"
  std::vector<std::pair<std::string, std::string>> parameters;
  const std::string* find(std::string_view name) const;
};
// nullopt: not of that form, or a parameter comes twice.
std::optional<Field> parse_field(std::string_view text);
// The lines between a delimiter and a part's bytes. Throws Error bad_input.
PartHead parse_head(std::string_view lines);

}  // namespace dae::multipart_detail
