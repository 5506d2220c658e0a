#include <gtest/gtest.h>

#include "base/fs.h"
#include "mirror/storage/etcd_lease.h"
#include "mirror/storage/s3_credentials.h"
#include "support/error_of.h"

namespace dae::mirror {
namespace {

using dae::testing::error_of;

TEST(S3Place, IsReadFromAUrlAndWrittenAsOne) {
  const std::string url = "s3://my-bucket/team/a/?endpoint=https%3A%2F%2Fs3.example%3A9000&region=eu-central-1";
  const S3Place place = parse_s3_url(url);
  EXPECT_EQ(place.bucket, "my-bucket");
  EXPECT_EQ(place.prefix, "team/a/");
  EXPECT_EQ(place.endpoint, "https://s3.example:9000");
  EXPECT_EQ(place.region, "eu-central-1");
  EXPECT_EQ(place.text(), url);
  EXPECT_EQ(parse_s3_url("s3://my-bucket").text(), "s3://my-bucket/");
  EXPECT_EQ(parse_s3_url("s3://my-bucket/a").prefix, "a/");
  EXPECT_EQ(parse_s3_url("s3://my-bucket?endpoint=http://h:1").endpoint, "http://h:1");
}

TEST(S3Place, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "s3:",
                           "s3://",
                           "s3:///a",
                           "https://bucket/",
                           "s3://ab",
                           "s3://UPPER/",
                           "s3://-bucket",
                           "s3://bu..cket",
                           "s3://bucket//a",
                           "s3://bucket/a/../b",
                           "s3://bucket/a b",
                           "s3://bucket/%20",
                           "s3://bucket/#x",
                           "s3://bucket/?endpoint=ftp%3A%2F%2Fh",
                           "s3://bucket/?endpoint=",
                           "s3://bucket/?endpoint=http://h/path",
                           "s3://bucket/?endpoint=http://h%3Fq=1",
                           "s3://bucket/?region=",
                           "s3://bucket/?region=a%0Ab",
                           "s3://bucket/?region=a&region=b",
                           "s3://bucket/?x=1",
                           "s3://bucket/?"}) {
    const Error error = error_of([&] { parse_s3_url(text); });
    EXPECT_EQ(error.kind(), ErrorKind::bad_input) << text;
    EXPECT_FALSE(error.cause().empty()) << text;
    EXPECT_FALSE(error.hint().empty()) << text;
  }
  EXPECT_EQ(error_of([] { parse_s3_url("s3://bucket/" + std::string(5000, 'a')); }).kind(), ErrorKind::bad_input);
}

TEST(S3Place, ShowsNoSecretThatSomebodyPutIntoIt) {
  for (const char* text :
       {"s3://key:hidden@bucket/a", "s3://bucket/?secret=hidden", "s3://bucket/?endpoint=http://key:hidden@h"}) {
    const std::string shown = render_error(error_of([&] { parse_s3_url(text); }));
    EXPECT_EQ(shown.find("hidden"), std::string::npos) << shown;
  }
}

TEST(S3Place, SuggestsTheParameterThatWasMeant) {
  EXPECT_EQ(error_of([] { parse_s3_url("s3://bucket/?endpiont=http://h"); }).hint(), "did you mean `endpoint`?");
}

TEST(S3Credentials, AreReadFromTheProfileThatIsNamed) {
  const std::string ini =
      "# comment\n[default]\naws_access_key_id = A\naws_secret_access_key=B=/+\n\n[ other ]\r\n"
      "AWS_ACCESS_KEY_ID=C\r\naws_secret_access_key = D\r\naws_session_token = E\r\ns3 =\n"
      "  aws_access_key_id = X\n[empty]\nrole_arn = x\n";
  const auto first = parse_s3_profile(ini, "default", "file");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->access_key + " " + first->secret_key + " " + first->session_token, "A B=/+ ");
  const auto other = parse_s3_profile(ini, "other", "file");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->access_key + other->secret_key + other->session_token, "CDE");
  EXPECT_FALSE(parse_s3_profile(ini, "empty", "file"));
  EXPECT_FALSE(parse_s3_profile(ini, "none", "file"));
}

TEST(S3Credentials, AreNotShownWhenTheirFileIsWrong) {
  for (const char* ini : {"[default]\naws_secret_access_key = hid den", "[default]\nhidden", "[hidden",
                          "[default]\naws_access_key_id = hidden\x01"}) {
    const Error error = error_of([&] { parse_s3_profile(ini, "default", "file"); });
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    EXPECT_EQ(error.subject().rfind("file:", 0), 0U);
    EXPECT_EQ(render_error(error).find("hid"), std::string::npos);
  }
  EXPECT_THROW(parse_s3_profile("[default]\nx = " + std::string(1 << 20, 'a'), "default", "file"), Error);
}

TEST(EtcdPlace, IsReadFromAUrlAndWrittenAsOne) {
  const EtcdPlace place = parse_etcd_url("etcd://a.example:2379,b.example,[::1]:4/mirror/lease");
  EXPECT_EQ(place.endpoints,
            (std::vector<std::string>{"http://a.example:2379", "http://b.example:2379", "http://[::1]:4"}));
  EXPECT_EQ(place.key, "mirror/lease");
  EXPECT_EQ(place.text(), "etcd://a.example:2379,b.example:2379,[::1]:4/mirror/lease");
  EXPECT_EQ(parse_etcd_url("etcds://a:443/k").endpoints.front(), "https://a");
  EXPECT_EQ(parse_etcd_url("etcds://a:443,[::1]/k").text(), "etcds://a:443,[::1]:2379/k");
}

TEST(EtcdPlace, RefusesWhatIsNone) {
  for (const char* text :
       {"", "etcd:", "etcd://", "etcd://a", "etcd://a/", "etcd:///k", "http://a/k", "etcd://a,,b/k", "etcd://a:x/k",
        "etcd://a/k?x", "etcd://a/k#x", "etcd://a/k k", "etcd://a/../k", "etcd://a b/k", "etcd://u:hidden@a/k"}) {
    const Error error = error_of([&] { parse_etcd_url(text); });
    EXPECT_EQ(error.kind(), ErrorKind::bad_input) << text;
    EXPECT_EQ(render_error(error).find("hidden"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace dae::mirror
