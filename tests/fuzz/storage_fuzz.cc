// Damaged XML, files of credentials and URLs of shared storage: every one is read, or refused with a dae::Error.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "fuzz/mutate.h"
#include "mirror/storage/etcd_lease.h"
#include "mirror/storage/s3_client.h"
#include "mirror/storage/s3_credentials.h"
#include "mirror/storage/s3_xml.h"

namespace {

using namespace dae;
using namespace dae::fuzz;
using namespace dae::mirror;

const std::vector<std::string> kXml = {
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3/\"><IsTruncated>true</IsTruncated>"
    "<NextContinuationToken>t+/=</NextContinuationToken><Contents><Key>p%2Fa</Key><Size>1</Size><ETag>&#34;e&quot;</"
    "ETag>"
    "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents><Contents/></ListBucketResult>",
    "<Error><Code>NoSuchKey</Code><Message>it &lt;is&gt; <![CDATA[<gone>]]></Message><!-- x --></Error>",
    "<a:b c = 'd' e=\"f\"><g/>\n</a:b >"};
const std::vector<std::string> kIni = {
    "# c\n[default]\naws_access_key_id = A\naws_secret_access_key=B=/+\n\n[ other ]\r\nAWS_ACCESS_KEY_ID=C\r\n",
    "[default]\ns3 =\n  x = y\naws_session_token = E\n;c"};
const std::vector<std::string> kUrls = {
    "s3://my-bucket/team/a/?endpoint=https%3A%2F%2Fs3.example%3A9000&region=eu-central-1", "s3://bucket",
    "etcd://a.example:2379,b.example,[::1]:4/mirror/lease", "etcds://a:443/k"};
const std::vector<std::string> kTokens = {
    "<", ">", "/>", "</", "&", "&#x41;", ";", "<!--", "-->",  "]]>", "<![CDATA[", "=",    "'",  "\"",   "%",   "%2F",
    "@", ":", "//", "..", "?", "#",      "[", "]",    "\r\n", ",",   "region=",   "x=1&", "\0", "\xff", "\x1b"};

// Bad input is the only way to fail, and what it says has no control characters.
template <typename Read>
bool is_read(Read&& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_input) std::abort();
    for (const char c : error.subject() + error.cause()) {
      if (static_cast<unsigned char>(c) < 0x20) std::abort();
    }
    return false;
  }
}

size_t elements(const XmlElement& element) {
  size_t out = 1;
  for (const XmlElement& child : element.children) out += elements(child);
  return out;
}

bool fuzz_xml(const std::string& text) {
  const S3Refusal refusal = s3_refusal(text);
  for (const char c : refusal.code + refusal.message) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '<') std::abort();
  }
  return is_read([&] {
    if (elements(parse_xml(text, "fuzz")) > text.size()) std::abort();
  });
}

// What is read is written so that it is read the same.
bool fuzz_url(const std::string& text) {
  const bool s3 = is_read([&] {
    const std::string again = parse_s3_url(text).text();
    if (parse_s3_url(again).text() != again) std::abort();
  });
  const bool etcd = is_read([&] {
    const std::string again = parse_etcd_url(text).text();
    if (parse_etcd_url(again).text() != again) std::abort();
  });
  return s3 || etcd;
}

}  // namespace

int main(int argc, char** argv) {
  const size_t iterations = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000;
  Random random(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1);
  size_t read[3] = {};
  for (size_t i = 0; i < iterations; ++i) {
    const auto damaged = [&](const std::vector<std::string>& corpus) {
      return mutate(random, corpus[below(random, corpus.size())], corpus, kTokens, 4);
    };
    if (fuzz_xml(damaged(kXml))) ++read[0];
    const std::string ini = damaged(kIni);
    if (is_read([&] { parse_s3_profile(ini, "default", "fuzz"); })) ++read[1];
    if (fuzz_url(damaged(kUrls))) ++read[2];
  }
  std::printf("of %zu each: %zu XML, %zu files, %zu URLs read\n", iterations, read[0], read[1], read[2]);
  return read[0] > 0 && read[1] > 0 && read[2] > 0 ? 0 : 1;
}
