#include "base/multipart.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"

namespace dae {
namespace {

struct Part {
  PartHead head;
  std::string bytes;
  bool ended = false;
};

class Collect final : public MultipartSink {
 public:
  void begin_part(const PartHead& head) override { parts.push_back({head, ""}); }
  void part_data(std::string_view piece) override {
    parts.back().bytes += piece;
    longest = std::max(longest, piece.size());
  }
  void end_part() override { parts.back().ended = true; }
  std::vector<Part> parts;
  size_t longest = 0;
};

constexpr const char* kType = "multipart/form-data; boundary=xyz";

std::vector<Part> read(const std::string& body, size_t piece = 100'000, const std::string& type = kType) {
  Collect sink;
  MultipartParser parser(type, sink, {.parts = 5, .head_bytes = 300});
  for (size_t at = 0; at < body.size(); at += piece) parser.feed(std::string_view(body).substr(at, piece));
  parser.finish();
  return sink.parts;
}

std::string refusal(const std::string& body, const std::string& type = kType) {
  try {
    read(body, 100'000, type);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error.what();
  }
  return "nothing was refused";
}

std::string part(const std::string& head, const std::string& bytes) {
  return "--xyz\r\nContent-Disposition: form-data; " + head + "\r\n\r\n" + bytes + "\r\n";
}

TEST(Multipart, GivesFieldsAndFilesInOrder) {
  const auto parts = read(part("name=\"a\"", "1") +
                          part("name=\"content\"; filename=\"b.whl\"\r\nContent-Type: application/zip", "PK\r\n--xy") +
                          part("name=a", "") + "--xyz--\r\n");
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].head.name, "a");
  EXPECT_EQ(parts[0].bytes, "1");
  EXPECT_FALSE(parts[0].head.file_name);
  EXPECT_EQ(parts[1].head.file_name, "b.whl");
  EXPECT_EQ(parts[1].head.content_type, "application/zip");
  EXPECT_EQ(parts[1].bytes, "PK\r\n--xy");
  EXPECT_EQ(parts[2].bytes, "");
  EXPECT_TRUE(parts[2].ended);
}

TEST(Multipart, DoesNotCareHowTheBytesArrive) {
  const std::string body =
      part("name=\"a\"", "\r\n\r\n--xy\r\n-\r") + part("name=\"b\"", std::string("\0\xff\r", 3)) + "--xyz--";
  for (size_t piece = 1; piece < 40; ++piece) {
    const auto parts = read(body, piece);
    ASSERT_EQ(parts.size(), 2u) << piece;
    EXPECT_EQ(parts[0].bytes, "\r\n\r\n--xy\r\n-\r") << piece;
    EXPECT_EQ(parts[1].bytes, std::string("\0\xff\r", 3)) << piece;
  }
}

TEST(Multipart, HandsLongPartsOnAsTheyCome) {
  Collect sink;
  MultipartParser parser(kType, sink);
  parser.feed("--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\n");
  for (int i = 0; i < 100; ++i) parser.feed(std::string(1000, 'z'));
  EXPECT_GE(sink.parts.at(0).bytes.size(), 99'900u);
  EXPECT_LE(sink.longest, 1100u);
}

TEST(Multipart, ReadsQuotedNamesAndBoundaries) {
  const auto parts =
      read("--a b\r\ncontent-disposition: form-data; name=\"x\\\"y;z=\\\\\" ; filename=\"\"\r\n\r\n\r\n--a b--\r\n", 1,
           "Multipart/Form-Data; charset=utf-8; BOUNDARY=\"a b\"");
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].head.name, "x\"y;z=\\");
  EXPECT_EQ(parts[0].head.file_name, "");
}

TEST(Multipart, RefusesOtherTypesAndBoundaries) {
  for (const char* type : {"", "text/plain", "multipart/mixed; boundary=xyz", "multipart/form-data",
                           "multipart/form-data; boundary=", "multipart/form-data; boundary=\"a\r\nb\"",
                           "multipart/form-data; boundary=a; boundary=b", "multipart/form-data boundary=xyz"}) {
    EXPECT_NE(refusal("--xyz--", type), "nothing was refused") << type;
  }
  const std::string longer(71, 'b');
  EXPECT_NE(refusal("--" + longer + "--", "multipart/form-data; boundary=" + longer), "nothing was refused");
}

TEST(Multipart, RefusesWhatIsNotWhole) {
  const std::string whole = part("name=\"a\"", "1") + "--xyz--\r\n";
  for (size_t length = 0; length + 2 < whole.size(); ++length) {
    EXPECT_NE(refusal(whole.substr(0, length)), "nothing was refused") << length;
  }
}

TEST(Multipart, RefusesStrayBytes) {
  EXPECT_NE(refusal("hello\r\n" + part("name=a", "1") + "--xyz--").find("before the first part"), std::string::npos);
  EXPECT_NE(refusal(part("name=a", "1") + "--xyz--\r\nmore").find("after the last part"), std::string::npos);
  EXPECT_NE(refusal(part("name=a", "1") + "--xyzzy--").find("only begins like"), std::string::npos);
  EXPECT_NE(refusal("--xyz--\r\n").find("without parts"), std::string::npos);
}

TEST(Multipart, RefusesHeadersThatAreNone) {
  EXPECT_NE(refusal("--xyz\r\nContent-Type: text/plain\r\n\r\n1\r\n--xyz--").find("without `Content-Disposition`"),
            std::string::npos);
  EXPECT_NE(refusal("--xyz\r\nrubbish\r\n\r\n1\r\n--xyz--").find("is no field"), std::string::npos);
  EXPECT_NE(refusal(part("name=\"\"", "1") + "--xyz--").find("usable name"), std::string::npos);
  EXPECT_NE(refusal(part("name=\"a\nb\"", "1") + "--xyz--").find("usable name"), std::string::npos);
  EXPECT_NE(refusal(part("name=a; name=b", "1") + "--xyz--").find("no `form-data`"), std::string::npos);
  EXPECT_NE(refusal(part("name=a; filename*=utf-8''x", "1") + "--xyz--").find("filename*"), std::string::npos);
  EXPECT_NE(refusal(part("name=a\r\nContent-Transfer-Encoding: base64", "1") + "--xyz--").find("transfer encoding"),
            std::string::npos);
  EXPECT_NE(refusal(part("name=a\r\nContent-Disposition: form-data; name=b", "1") + "--xyz--").find("two"),
            std::string::npos);
}

TEST(Multipart, HasLimits) {
  EXPECT_NE(refusal(part("name=a\r\nX: " + std::string(400, 'x'), "1") + "--xyz--").find("too large"),
            std::string::npos);
  std::string many;
  for (int i = 0; i < 6; ++i) many += part("name=a", "1");
  EXPECT_NE(refusal(many + "--xyz--").find("more than 5 parts"), std::string::npos);
}

}  // namespace
}  // namespace dae
