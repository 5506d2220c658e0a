#include <gtest/gtest.h>

#include "base/error.h"
#include "resolver/standards/metadata.h"

namespace dae::resolver {
namespace {

TEST(CoreMetadata, ReadsFieldsWithoutRegardToCase) {
  const auto metadata = parse_core_metadata(
      "\xef\xbb\xbfMetadata-Version: 2.4\r\nNAME: Flask\r\nversion: 3.1\r\nSummary: a: b\r\nRequires-Python: >=3.9\r\n"
      "Requires-Dist: werkzeug>=3.1;\r\n  python_version > '3'\r\nRequires-Dist: click\r\nProvides-Extra: Async_Io\r\n"
      "Dynamic: Requires-Dist\r\nDescription: one\r\n        |two\r\n\r\nRequires-Dist: not-this-one\r\n",
      "METADATA");
  EXPECT_EQ(metadata.metadata_version, "2.4");
  EXPECT_EQ(metadata.name, "Flask");
  EXPECT_EQ(metadata.version, "3.1");
  EXPECT_EQ(metadata.summary, "a: b");
  EXPECT_EQ(metadata.requires_python, ">=3.9");
  EXPECT_EQ(metadata.requires_dist, (std::vector<std::string>{"werkzeug>=3.1; python_version > '3'", "click"}));
  EXPECT_EQ(metadata.provides_extra, (std::vector<std::string>{"async-io"}));
  EXPECT_EQ(metadata.dynamic, (std::vector<std::string>{"requires-dist"}));
}

TEST(CoreMetadata, NeedsANameAndAVersion) {
  for (const char* text : {"", "Name: x\n", "Version: 1\n", "Name:\nVersion: 1\n", "\nName: x\nVersion: 1\n"}) {
    try {
      parse_core_metadata(text, "a.whl");
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input);
      EXPECT_EQ(error.subject(), "a.whl");
    }
  }
}

TEST(CoreMetadata, RefusesAnUnknownMajorVersionOnly) {
  const auto parse = [](const std::string& version) {
    return parse_core_metadata("Metadata-Version: " + version + "\nName: x\nVersion: 1\n", "x");
  };
  EXPECT_EQ(parse("2.99").name, "x");
  EXPECT_THROW(parse("3.0"), Error);
  EXPECT_THROW(parse("two"), Error);
}

TEST(CoreMetadata, TheFirstOfARepeatedFieldCounts) {
  EXPECT_EQ(parse_core_metadata("Name: a\nName: b\nVersion: 1\n", "x").name, "a");
}

}  // namespace
}  // namespace dae::resolver
