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

CoreMetadata metadata_of(const std::string& version, const std::string& fields) {
  return parse_core_metadata("Metadata-Version: " + version + "\nName: x\nVersion: 1\n" + fields, "PKG-INFO");
}

TEST(CoreMetadata, BeforeVersion22NothingOfAnSdistIsSettled) {
  const auto old = metadata_of("2.1", "Requires-Dist: a\n");
  EXPECT_FALSE(old.is_static("requires-dist"));
  EXPECT_TRUE(old.is_static("name"));
  EXPECT_FALSE(parse_core_metadata("Name: x\nVersion: 1\n", "x").is_static("requires-dist"));
  EXPECT_FALSE(metadata_of("1.2", "").is_static("requires-python"));
}

TEST(CoreMetadata, WhatIsNotCalledDynamicIsSettled) {
  const auto metadata = metadata_of("2.2", "Dynamic: Requires-Dist\nDynamic: license\nRequires-Dist: a\n");
  EXPECT_FALSE(metadata.is_static("requires-dist"));
  EXPECT_TRUE(metadata.is_static("requires-python"));
  EXPECT_FALSE(metadata.is_append_only("requires-dist"));
  EXPECT_TRUE(metadata_of("2.10", "").is_static("requires-dist"));
}

TEST(CoreMetadata, DynamicListsOfVersion26MayOnlyGrow) {
  const auto metadata = metadata_of("2.6", "Dynamic: Requires-Dist\nDynamic: Classifier\nRequires-Dist: a\n");
  EXPECT_FALSE(metadata.is_static("requires-dist"));
  EXPECT_TRUE(metadata.is_append_only("requires-dist"));
  EXPECT_FALSE(metadata.is_append_only("classifier"));
  EXPECT_FALSE(metadata.is_append_only("requires-python"));
}

TEST(CoreMetadata, TellsANewerMinorVersion) {
  EXPECT_FALSE(metadata_of("2.6", "").newer_minor);
  EXPECT_TRUE(metadata_of("2.7", "").newer_minor);
}

TEST(CoreMetadata, ReadsLicencesAndImportNames) {
  const auto metadata =
      metadata_of("2.5",
                  "License-Expression: MIT OR Apache-2.0\nLicense-File: LICENSE\nLicense-File: licenses/A\n"
                  "Import-Name: x\nImport-Name: _x ; private\nImport-Namespace: ns\n");
  EXPECT_EQ(metadata.license_expression, "MIT OR Apache-2.0");
  EXPECT_EQ(metadata.license_files, (std::vector<std::string>{"LICENSE", "licenses/A"}));
  EXPECT_EQ(metadata.import_names, (std::vector<std::string>{"x", "_x ; private"}));
  EXPECT_EQ(metadata.import_namespaces, (std::vector<std::string>{"ns"}));
}

TEST(CoreMetadata, ExtrasAreNormalisedAndStandOnce) {
  EXPECT_EQ(metadata_of("2.1", "Provides-Extra: A_b\nProvides-Extra: a.B\nProvides-Extra: not one\n").provides_extra,
            (std::vector<std::string>{"a-b"}));
}

TEST(CoreMetadata, EndsWhereMailParsersEndTheHeader) {
  EXPECT_TRUE(metadata_of("2.1", "no field: x\nRequires-Dist: a\n").requires_dist.empty());
  EXPECT_TRUE(metadata_of("2.1", ": x\nRequires-Dist: a\n").requires_dist.empty());
  EXPECT_EQ(parse_core_metadata("Name: x\rVersion: 1\rRequires-Dist: a\r\rRequires-Dist: b", "x").requires_dist.size(),
            1u);
}

TEST(CoreMetadata, ReadsBytesThatAreNoUtf8AsLatin1) {
  EXPECT_EQ(metadata_of("2.1", "Author: Ren\xe9\n").author, "Ren\u00e9");
  EXPECT_EQ(metadata_of("2.1", "Author: Ren\u00e9\n").author, "Ren\u00e9");
}

TEST(CoreMetadata, RefusesANameThatIsNone) {
  EXPECT_THROW(parse_core_metadata("Name: a/b\nVersion: 1\n", "x"), Error);
  EXPECT_THROW(parse_core_metadata("Name: -\nVersion: 1\n", "x"), Error);
}

TEST(CoreMetadata, RefusesEndlessHeaders) {
  std::string text = "Name: x\nVersion: 1\n";
  for (int i = 0; i < 60'000; ++i) text += "X: y\n";
  EXPECT_THROW(parse_core_metadata(text, "x"), Error);
}

TEST(CoreMetadata, TheDescriptionIsTheBodyOrTheField) {
  EXPECT_EQ(metadata_description("Name: x\nVersion: 1\n\n# X\n\nName: y\n"), "# X\n\nName: y\n");
  EXPECT_EQ(metadata_description("Name: x\nDescription: one\n       |\n       |  two\n        three\nVersion: 1\n"),
            "one\n\n  two\nthree\n");
  EXPECT_EQ(metadata_description("Name: x\n"), "");
}

TEST(CoreMetadata, MustBeWhatTheFileNameSays) {
  const auto metadata = metadata_of("2.1", "");
  EXPECT_NO_THROW(check_metadata_matches(metadata, "X-1.0-py3-none-any.whl", "x"));
  EXPECT_NO_THROW(check_metadata_matches(metadata, "x-1.tar.bz2", "x"));
  for (const char* name : {"x-2-py3-none-any.whl", "y-1-py3-none-any.whl", "x-1.1.tar.gz", "x.txt"}) {
    try {
      check_metadata_matches(metadata, name, "x");
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.subject(), name);
    }
  }
}

}  // namespace
}  // namespace dae::resolver
