#include "mirror/index/negotiate.h"

#include <gtest/gtest.h>

namespace dae::mirror {
namespace {

constexpr const char* kJson = "application/vnd.pypi.simple.v1+json";

TEST(Negotiation, TakesWhatEachKnownClientPrefers) {
  // pip, uv, a browser, curl, an old setuptools.
  EXPECT_EQ(negotiate_page("application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, "
                           "text/html; q=0.01"),
            PageFormat::json);
  EXPECT_EQ(negotiate_page("application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
                           "text/html;q=0.01"),
            PageFormat::json);
  EXPECT_EQ(negotiate_page("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), PageFormat::text_html);
  EXPECT_EQ(negotiate_page("*/*"), PageFormat::text_html);
  EXPECT_EQ(negotiate_page(""), PageFormat::text_html);
}

TEST(Negotiation, WeighsQualityBeforeEverythingElse) {
  EXPECT_EQ(negotiate_page("application/vnd.pypi.simple.v1+json;q=0.4, application/vnd.pypi.simple.v1+html;q=0.5"),
            PageFormat::v1_html);
  EXPECT_EQ(negotiate_page("text/html;q=0.9, application/vnd.pypi.simple.v1+json;q=0.899"), PageFormat::text_html);
  EXPECT_EQ(negotiate_page("application/*;q=0.3, text/html;q=0.2"), PageFormat::v1_html);
}

TEST(Negotiation, AZeroExcludesEvenUnderAWildcard) {
  EXPECT_EQ(negotiate_page("*/*, text/html;q=0, application/vnd.pypi.simple.v1+html;q=0"), PageFormat::json);
  EXPECT_EQ(negotiate_page(std::string(kJson) + ";q=0"), std::nullopt);
  EXPECT_EQ(negotiate_page(std::string(kJson) + ";q=0.000"), std::nullopt);
}

TEST(Negotiation, KnowsLatestAndRefusesWhatItDoesNotHave) {
  EXPECT_EQ(negotiate_page("application/vnd.pypi.simple.latest+json"), PageFormat::json);
  EXPECT_EQ(negotiate_page("application/vnd.pypi.simple.latest+html"), PageFormat::v1_html);
  EXPECT_EQ(negotiate_page("application/vnd.pypi.simple.v2+json"), std::nullopt);
  EXPECT_EQ(negotiate_page("application/json"), std::nullopt);
}

TEST(Negotiation, AMalformedQualityDoesNotCount) {
  EXPECT_EQ(negotiate_page("text/html;q=7, application/vnd.pypi.simple.v1+json;q=0.1"), PageFormat::json);
  EXPECT_EQ(negotiate_page("text/html;q=0.1234"), std::nullopt);
  EXPECT_EQ(negotiate_page("text/html;q=1.001"), std::nullopt);
  EXPECT_EQ(negotiate_page(";;;,,,"), std::nullopt);
}

TEST(Negotiation, ChoosesGzipByItsQValue) {
  for (const char* yes :
       {"gzip", "gzip, deflate", "br;q=1.0, gzip;q=0.8", "*", "identity;q=0.5, gzip", "GZIP;q=0.1", "x-gzip"}) {
    EXPECT_TRUE(prefers_gzip(yes)) << yes;
  }
  for (const char* no :
       {"", "identity", "gzip;q=0", "br", "gzip;q=0.5, identity", "*;q=0", "gzip;q=2", "*, gzip;q=0"}) {
    EXPECT_FALSE(prefers_gzip(no)) << no;
  }
}

}  // namespace
}  // namespace dae::mirror
