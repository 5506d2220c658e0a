#pragma once
// multipart/form-data (RFC 7578, RFC 2046 section 5.1), read piece by piece: a part of any size goes through without
// being held. What is not exactly such a body is refused with Error bad_input, whose subject is the part it was in.
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace dae {

struct PartHead {
  std::string name;                      // of the form's field
  std::optional<std::string> file_name;  // as sent: judge it before use
  std::string content_type;              // "" when there is none
};

struct MultipartLimits {
  size_t parts = 2000;
  size_t head_bytes = 8 << 10;  // of one part
};

// What takes the parts, in order. An exception thrown by it ends the reading.
class MultipartSink {
 public:
  virtual ~MultipartSink() = default;
  virtual void begin_part(const PartHead& head) = 0;
  virtual void part_data(std::string_view piece) = 0;
  virtual void end_part() = 0;
};

class MultipartParser {
 public:
  // `content_type`: of the request; throws unless it is multipart/form-data with a boundary.
  MultipartParser(std::string_view content_type, MultipartSink& sink, const MultipartLimits& limits = {});
  void feed(std::string_view piece);
  // Throws when the closing boundary did not come.
  void finish();

 private:
  enum class State { body, after_delimiter, head, epilogue };
  bool step();
  bool take_body();
  bool take_delimiter_end();
  bool take_head();
  void take_epilogue();
  [[noreturn]] void refuse(const std::string& message) const;

  MultipartSink& sink_;
  const MultipartLimits limits_;
  std::string delimiter_;  // CRLF, two dashes, boundary
  std::string waiting_;    // what cannot be judged yet: never more than a piece, a delimiter or a head
  size_t taken_ = 0;       // of `waiting_`
  State state_ = State::body;
  bool in_part_ = false;
  size_t parts_ = 0;
  std::string part_name_;  // of the part at hand, for messages
};

}  // namespace dae
