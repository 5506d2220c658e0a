// Feeds mutated forms to the multipart parser, each twice: whole and in pieces. Both must come to the same parts, or
// both refuse; no part may hold its own delimiter.
//   multipart_fuzz <iterations> [seed]
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/multipart.h"
#include "fuzz/mutate.h"

namespace {

using namespace dae;
using namespace dae::fuzz;

class Told final : public MultipartSink {
 public:
  void begin_part(const PartHead& head) override {
    text += "[" + head.name + "|" + head.file_name.value_or("-") + "|" + head.content_type + "|";
    bytes.clear();
  }
  void part_data(std::string_view piece) override { bytes += piece; }
  void end_part() override {
    if (bytes.find("\r\n--xyz") != std::string::npos) {
      std::fprintf(stderr, "a delimiter inside of a part\n");
      std::abort();
    }
    text += bytes + "]";
  }
  std::string text, bytes;
};

std::string told(const std::string& body, const std::string& type, size_t piece) {
  Told sink;
  try {
    MultipartParser parser(type, sink, {.parts = 20, .head_bytes = 500});
    for (size_t at = 0; at < body.size(); at += piece) parser.feed(std::string_view(body).substr(at, piece));
    parser.finish();
  } catch (const Error&) {
    return "refused";
  }
  return sink.text;
}

const std::vector<std::string> kForms = {
    "--xyz\r\nContent-Disposition: form-data; name=\":action\"\r\n\r\nfile_upload\r\n--xyz\r\nContent-Disposition: "
    "form-data; name=\"content\"; filename=\"a-1-py3-none-any.whl\"\r\nContent-Type: "
    "application/octet-stream\r\n\r\nPK\3\4\r\n--xy\r\n--xyz--\r\n",
    "--xyz\r\ncontent-disposition: form-data; name=a\r\n\r\n\r\n--xyz--",
};
const std::vector<std::string> kTypes = {"multipart/form-data; boundary=xyz",
                                         "multipart/form-data; charset=\"a\\\"b\"; boundary=\"xyz\""};
const std::vector<std::string> kTokens = {"\r\n--xyz", "--xyz--", "\r\n\r\n", "\r",         "\n",
                                          "\"",        "\\\"",    "; name=",  "filename=x", "Content-Disposition: "};

}  // namespace

int main(int argc, char** argv) {
  const size_t iterations = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000;
  Random random(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1);
  size_t taken = 0;
  for (size_t i = 0; i < iterations; ++i) {
    const std::string body = mutate(random, kForms[below(random, kForms.size())], kForms, kTokens, 3);
    std::string type = kTypes[below(random, kTypes.size())];
    if (below(random, 8) == 0) type = mutate(random, type, kTypes, {";", "=", "\"", "boundary"}, 2);
    const std::string whole = told(body, type, body.size() + 1);
    if (whole != told(body, type, 1 + below(random, 30))) {
      std::fprintf(stderr, "pieces make a difference\n");
      std::abort();
    }
    if (whole != "refused") ++taken;
  }
  std::printf("%zu of %zu forms taken\n", taken, iterations);
  return taken > 0 ? 0 : 1;
}
