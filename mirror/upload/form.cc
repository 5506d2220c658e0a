#include "mirror/upload/form.h"

#include <optional>

#include "base/error.h"
#include "base/multipart.h"
#include "base/other_hashes.h"
#include "base/strings.h"
#include "mirror/upload/pieces.h"

namespace dae::mirror {
namespace {

constexpr size_t kFieldsBytes = 8u << 20;  // of all together; descriptions of a mebibyte exist
constexpr const char* kContent = "content";

class FormReader final : public MultipartSink {
 public:
  explicit FormReader(const Path& content_file) : content_file_(content_file) {}

  void begin_part(const PartHead& head) override {
    name_ = head.name;
    value_.clear();
    in_content_ = name_ == kContent;
    if (!in_content_) return;
    if (file_) throw Error(ErrorKind::bad_input, "the form has two files `content`");
    if (!head.file_name || head.file_name->empty()) {
      throw Error(ErrorKind::bad_input, "the part `content` has no file name");
    }
    form_.file_name = *head.file_name;
    file_.emplace(content_file_);
  }

  void part_data(std::string_view piece) override {
    if (in_content_) {
      file_->write(piece);
      sha256_.update(piece);
      md5_.update(piece);
      blake2_.update(piece);
      form_.size_bytes += piece.size();
      return;
    }
    fields_bytes_ += piece.size();
    if (fields_bytes_ > kFieldsBytes) throw Error(ErrorKind::bad_input, "the fields of the form are over 8 MiB");
    value_.append(piece);
  }

  void end_part() override {
    if (!in_content_) form_.fields[name_].push_back(std::move(value_));
    value_.clear();
  }

  UploadForm finish() {
    if (!file_) throw Error(ErrorKind::bad_input, "the form has no file `content`");
    file_->close();
    form_.sha256 = sha256_.finish();
    form_.md5 = to_hex(md5_.finish_bytes());
    form_.blake2_256 = to_hex(blake2_.finish_bytes());
    return std::move(form_);
  }

 private:
  const Path& content_file_;
  UploadForm form_;
  std::string name_, value_;
  size_t fields_bytes_ = 0;
  bool in_content_ = false;
  std::optional<PieceWriter> file_;
  Sha256 sha256_;
  Md5 md5_;
  Blake2b256 blake2_;
};

}  // namespace

std::vector<std::string> UploadForm::all(std::string_view field) const {
  std::vector<std::string> out;
  const auto found = fields.find(std::string(field));
  if (found == fields.end()) return out;
  for (const std::string& value : found->second) {
    if (const std::string_view text = trim(value); !text.empty()) out.emplace_back(text);
  }
  return out;
}

std::string UploadForm::one(std::string_view field) const {
  std::vector<std::string> values = all(field);
  for (const std::string& value : values) {
    if (value != values.front()) {
      throw Error(ErrorKind::bad_input, "the form has different values of `" + std::string(field) + "`");
    }
  }
  return values.empty() ? "" : std::move(values.front());
}

UploadForm read_upload_form(const Path& body, std::string_view content_type, const Path& content_file) {
  FormReader reader(content_file);
  MultipartParser parser(content_type, reader);
  for_each_piece(body, [&](std::string_view piece) { parser.feed(piece); });
  parser.finish();
  return reader.finish();
}

}  // namespace dae::mirror
