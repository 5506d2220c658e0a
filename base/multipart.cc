#include "base/multipart.h"

#include <algorithm>

#include "base/error.h"
#include "base/multipart_head.h"
#include "base/strings.h"

namespace dae {
namespace {

constexpr size_t kMaxBoundaryBytes = 70;  // RFC 2046 section 5.1.1

bool is_boundary(std::string_view text) {
  if (text.empty() || text.size() > kMaxBoundaryBytes || text.back() == ' ') return false;
  return std::ranges::all_of(text, [](char c) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return alphanumeric || std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
  });
}

std::string boundary_of(std::string_view content_type) {
  const auto field = multipart_detail::parse_field(content_type);
  if (!field || field->value != "multipart/form-data") {
    throw Error(ErrorKind::bad_input, "the body is not `multipart/form-data`");
  }
  const std::string* boundary = field->find("boundary");
  if (boundary == nullptr || !is_boundary(*boundary)) {
    throw Error(ErrorKind::bad_input, "`multipart/form-data` without a valid boundary");
  }
  return *boundary;
}

}  // namespace

MultipartParser::MultipartParser(std::string_view content_type, MultipartSink& sink, const MultipartLimits& limits)
    : sink_(sink),
      limits_(limits),
      delimiter_("\r\n--" + boundary_of(content_type)),
      waiting_("\r\n") {}  // the line break before the first delimiter is that of the header

void MultipartParser::refuse(const std::string& message) const {
  throw Error(ErrorKind::bad_input, message, part_name_.empty() ? "" : "part `" + part_name_ + "`");
}

void MultipartParser::feed(std::string_view piece) {
  waiting_.erase(0, taken_);
  taken_ = 0;
  waiting_.append(piece);
  while (step()) {
  }
}

bool MultipartParser::step() {
  switch (state_) {
    case State::body:
      return take_body();
    case State::after_delimiter:
      return take_delimiter_end();
    case State::head:
      return take_head();
    case State::epilogue:
      break;
  }
  take_epilogue();
  return false;
}

// All but what may be the beginning of a delimiter is the part's.
bool MultipartParser::take_body() {
  const std::string_view rest = std::string_view(waiting_).substr(taken_);
  const size_t at = rest.find(delimiter_);
  const size_t sure = at != std::string_view::npos ? at : rest.size() - std::min(rest.size(), delimiter_.size() - 1);
  if (sure > 0) {
    if (!in_part_) refuse("bytes before the first part");
    sink_.part_data(rest.substr(0, sure));
    taken_ += sure;
  }
  if (at == std::string_view::npos) return false;
  taken_ += delimiter_.size();
  if (in_part_) sink_.end_part();
  in_part_ = false;
  state_ = State::after_delimiter;
  return true;
}

bool MultipartParser::take_delimiter_end() {
  const std::string_view rest = std::string_view(waiting_).substr(taken_);
  if (rest.size() < 2) return false;
  taken_ += 2;
  if (rest.starts_with("--")) {
    if (parts_ == 0) refuse("a form without parts");
    state_ = State::epilogue;
  } else if (rest.starts_with("\r\n")) {
    state_ = State::head;
  } else {
    refuse("a line that only begins like the boundary");
  }
  return true;
}

bool MultipartParser::take_head() {
  const std::string_view rest = std::string_view(waiting_).substr(taken_);
  const size_t end = rest.find("\r\n\r\n");
  if (std::min(end, rest.size()) > limits_.head_bytes) refuse("the header of a part is too large");
  if (end == std::string_view::npos) return false;
  if (++parts_ > limits_.parts) refuse("a form of more than " + std::to_string(limits_.parts) + " parts");
  const PartHead head = multipart_detail::parse_head(rest.substr(0, end));
  part_name_ = head.name;
  taken_ += end + 4;
  in_part_ = true;
  state_ = State::body;
  sink_.begin_part(head);
  return true;
}

void MultipartParser::take_epilogue() {
  const std::string_view rest = std::string_view(waiting_).substr(taken_);
  if (!std::string_view("\r\n").starts_with(rest)) refuse("bytes after the last part");
}

void MultipartParser::finish() {
  if (state_ != State::epilogue) refuse("the form ends before its closing boundary");
}

}  // namespace dae
