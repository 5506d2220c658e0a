// What of an uploaded file is refused, and that the rest is not.
#include <gtest/gtest.h>

#include "base/gzip.h"
#include "mirror/upload/file_check.h"
#include "mirror/upload/tar_check.h"
#include "support/zip_writer.h"
#include "upload_fixture.h"

namespace dae::mirror {
namespace {

using namespace testing;
using dae::testing::WheelBuilder;

class UploadedFile : public ::testing::Test {
 protected:
  CheckedUpload check(const std::string& file_name, const std::string& bytes, Fields fields = {}) {
    if (fields.empty()) fields = usual_fields("demo", "1.0", file_name, bytes);
    return check_upload(read_form(dir.path(), fields, file_name, bytes), dir.path() / "content");
  }
  std::string refusal(const std::string& file_name, const std::string& bytes, const Fields& fields = {}) {
    try {
      check(file_name, bytes, fields);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was refused";
  }
  static Fields with(Fields fields, const std::string& name, const std::string& value) {
    std::erase_if(fields, [&](const auto& field) { return field.first == name; });
    fields.emplace_back(name, value);
    return fields;
  }
  TempDir dir;
};

constexpr const char* kWheel = "demo-1.0-py3-none-any.whl";
constexpr const char* kSdist = "demo-1.0.tar.gz";

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(UploadedFile, AWheelGivesItsMetadata) {
  const CheckedUpload file = check(kWheel, good_wheel("demo", "1.0"));
  EXPECT_EQ(file.project, "demo");
  EXPECT_EQ(file.version, "1.0");
  EXPECT_TRUE(file.is_wheel);
  EXPECT_EQ(file.requires_python, ">=3.9");
  EXPECT_SAYS(file.metadata, "Requires-Dist: other>=1");
}

TEST_F(UploadedFile, AnSdistGivesItsPkgInfo) {
  const CheckedUpload file = check(kSdist, make_sdist("demo", "1.0", "Requires-Python: >=3.8\n"));
  EXPECT_FALSE(file.is_wheel);
  EXPECT_EQ(file.requires_python, ">=3.8");
  const CheckedUpload zip =
      check("demo-1.0.zip", make_zip({{"demo-1.0/PKG-INFO", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"},
                                      {"demo-1.0/demo.py", "x"}}));
  EXPECT_EQ(zip.key, "demo-1.0.zip");
}

TEST_F(UploadedFile, TwoSpellingsOfANameAreOneFile) {
  const auto key = [&](const std::string& file_name) {
    const Fields fields = usual_fields("Foo.Bar", "1.0", file_name, "x");
    return check_upload_form(read_form(dir.path(), fields, file_name, "x")).key;
  };
  EXPECT_EQ(key("foo_bar-1.0-py2.py3-none-any.whl"), key("Foo.Bar-1.0-py3.py2-none-any.whl"));
  EXPECT_EQ(key("foo_bar-1.0.tar.gz"), key("Foo-Bar-1.0.tar.gz"));
  EXPECT_NE(key("foo_bar-1.0-py3-none-any.whl"), key("foo_bar-1.0-1-py3-none-any.whl"));
}

TEST_F(UploadedFile, RefusesNamesThatAreNone) {
  for (const char* name : {"../demo-1.0-py3-none-any.whl", "demo.exe", "demo-1.0-py3-none.whl", ".demo-1.0.tar.gz",
                           "demo-1.0.tar.bz2", "demo-x.tar.gz", "demo-1.0.egg"}) {
    EXPECT_NE(refusal(name, "x"), "nothing was refused") << name;
  }
}

TEST_F(UploadedFile, RefusesAFormThatIsOfAnotherFile) {
  const std::string wheel = good_wheel("demo", "1.0");
  const Fields usual = usual_fields("demo", "1.0", kWheel, wheel);
  EXPECT_SAYS(refusal(kWheel, wheel, with(usual, "name", "other")), "the name in the form");
  EXPECT_SAYS(refusal(kWheel, wheel, with(usual, "version", "1.1")), "the version in the form");
  EXPECT_SAYS(refusal(kWheel, wheel, with(usual, "version", "")), "the version in the form");
  EXPECT_SAYS(refusal(kWheel, wheel, with(usual, "filetype", "sdist")), "`filetype`");
  EXPECT_SAYS(refusal(kWheel, wheel, with(usual, ":action", "doc_upload")), "`:action`");
  EXPECT_SAYS(refusal(kWheel, wheel, with(usual, "protocol_version", "2")), "protocol version");
  EXPECT_SAYS(refusal(kWheel, wheel, with(usual, "attestations", "[{}]")), "attestations are not taken");
  EXPECT_SAYS(refusal(kWheel, wheel, with(usual, "requires_python", ">=3.10")), "`requires_python`");
  EXPECT_SAYS(refusal(kWheel, wheel, with(usual, "requires_dist", "other>=2")), "`requires_dist`");
  Fields twice = usual;
  twice.emplace_back("version", "2.0");
  EXPECT_SAYS(refusal(kWheel, wheel, twice), "different values of `version`");
}

TEST_F(UploadedFile, ComparesWhatMeansTheSameAsEqual) {
  const std::string wheel = good_wheel("demo", "1.0");
  Fields fields = with(usual_fields("Demo", "1.0.0", kWheel, wheel), "requires_dist", "Other (>=1)");
  EXPECT_EQ(check(kWheel, wheel, with(fields, "requires_python", " >= 3.9 ")).version, "1.0");
}

TEST_F(UploadedFile, ComparesEveryDigestThatIsGiven) {
  const std::string wheel = good_wheel("demo", "1.0");
  const Fields usual = usual_fields("demo", "1.0", kWheel, wheel);
  for (const char* field : {"md5_digest", "sha256_digest", "blake2_256_digest"}) {
    EXPECT_SAYS(refusal(kWheel, wheel, with(usual, field, std::string(64, '0'))), field);
    EXPECT_SAYS(refusal(kWheel, wheel, with(usual, field, "nonsense")), field);
    EXPECT_EQ(check(kWheel, wheel, with(usual, field, "")).project, "demo");
  }
}

TEST_F(UploadedFile, RefusesWheelsThatAreNotWhatTheySay) {
  EXPECT_SAYS(refusal(kWheel, "no zip at all"), kWheel);
  EXPECT_NE(refusal(kWheel, good_wheel("demo", "1.1")), "nothing was refused");
  EXPECT_NE(refusal(kWheel, good_wheel("other", "1.0")), "nothing was refused");
  EXPECT_SAYS(refusal(kWheel, WheelBuilder("demo", "1.0").file("demo.py", "x").no_record("demo.py").bytes()), "RECORD");
  EXPECT_SAYS(
      refusal(kWheel, WheelBuilder("demo", "1.0").file("demo.py", "x").record("demo.py", "sha256=AAAA,1").bytes()),
      "RECORD");
  EXPECT_SAYS(refusal(kWheel, make_zip({{"demo.py", "x"}})), "dist-info");
}

TEST_F(UploadedFile, RefusesZipsThatTwoReadersSeeDifferently) {
  const std::string wheel = good_wheel("demo", "1.0");
  EXPECT_NE(refusal(kWheel, wheel + "more"), "nothing was refused");
  EXPECT_NE(refusal(kWheel, "more" + wheel), "nothing was refused");
  EXPECT_NE(refusal(kWheel, wheel + make_zip({{"a", "b"}})), "nothing was refused");
  EXPECT_NE(refusal("demo-1.0.zip", make_zip({{"demo-1.0/PKG-INFO", "a"}, {"demo-1.0/PKG-INFO", "b"}})),
            "nothing was refused");
  EXPECT_NE(refusal("demo-1.0.zip", dae::testing::make_zip(
                                        {{.name = "demo-1.0/PKG-INFO", .bytes = "a", .local_name = "demo-1.0/other"}})),
            "nothing was refused");
}

TEST_F(UploadedFile, RefusesSdistsWithoutOneTopDirectoryAndPkgInfo) {
  const std::string info = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n";
  EXPECT_SAYS(refusal(kSdist, make_tar_gz({{"demo-1.0/setup.py", "x"}})), "no PKG-INFO");
  EXPECT_SAYS(refusal(kSdist, make_tar_gz({{"demo-1.0/src/PKG-INFO", info}})), "no PKG-INFO");
  EXPECT_SAYS(refusal(kSdist, make_tar_gz({{"demo-1.0/PKG-INFO", info}, {"other/x", ""}})), "more than one top");
  EXPECT_SAYS(refusal(kSdist, make_tar_gz({{"PKG-INFO", info}})), "more than one top");
  EXPECT_SAYS(refusal(kSdist, make_sdist("demo", "2.0")), "the version in PKG-INFO");
  EXPECT_SAYS(refusal("demo-1.0.zip", make_zip({{"demo-1.0/x", "x"}})), "no PKG-INFO");
}

TEST_F(UploadedFile, RefusesBytesBehindAnSdist) {
  const std::string sdist = make_sdist("demo", "1.0");
  EXPECT_NE(refusal(kSdist, sdist + "more"), "nothing was refused");
  EXPECT_SAYS(refusal(kSdist, sdist + gzip("more")), "gzip");
  EXPECT_SAYS(refusal(kSdist, sdist + make_zip({{"a", "b"}})), "gzip");
  const std::string tar = gunzip(sdist, 1 << 20);
  EXPECT_SAYS(refusal(kSdist, gzip(tar + std::string(512, 'x'))), "after the end");
  EXPECT_SAYS(refusal(kSdist, gzip(tar + tar)), "after the end");
  EXPECT_EQ(check(kSdist, gzip(tar + std::string(5120, '\0'))).project, "demo");
}

TEST_F(UploadedFile, RefusesADamagedSdist) {
  const std::string sdist = make_sdist("demo", "1.0");
  const std::string tar = gunzip(sdist, 1 << 20);
  EXPECT_NE(refusal(kSdist, sdist.substr(0, sdist.size() - 9)), "nothing was refused");
  std::string wrong = tar;
  wrong[0] = 'e';
  EXPECT_SAYS(refusal(kSdist, gzip(wrong)), "damaged");
  EXPECT_SAYS(refusal(kSdist, gzip(tar.substr(0, 700))), "does not end");
  wrong = sdist;
  wrong[wrong.size() - 7] = static_cast<char>(wrong[wrong.size() - 7] ^ 1);
  EXPECT_SAYS(refusal(kSdist, wrong), "damaged");
}

TEST_F(UploadedFile, RefusesBombs) {
  const std::string zeros(80u << 20, '\0');
  EXPECT_SAYS(refusal(kSdist, make_tar_gz({{"demo-1.0/PKG-INFO", zeros}})), "unpacks to too much");
}

std::string header(char type, const std::string& size, const std::string& name = "demo-1.0/x") {
  std::string block(512, '\0');
  block.replace(0, name.size(), name);
  block.replace(100, 7, "0000644");
  block.replace(124, size.size(), size);
  block.replace(148, 8, "        ");
  block[156] = type;
  block.replace(257, 8, std::string("ustar\00000", 8));
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  block.replace(148, 7, std::string(text, 7));
  return block;
}

std::string framing(const std::string& tar) {
  const std::string subject = "x";
  const TarLimits limits;
  TarFraming check(subject, limits);
  try {
    for (size_t at = 0; at < tar.size(); at += 100) check.feed(std::string_view(tar).substr(at, 100));
    check.finish();
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

TEST(TarFraming, FollowsSizesAsEveryReaderDoes) {
  const std::string end(1024, '\0'), block(512, 'x');
  EXPECT_EQ(framing(header('0', "00000001000") + block + end), "");
  EXPECT_EQ(framing(header('0', "      1000 ") + block + end), "");
  EXPECT_EQ(framing(header('0', std::string("\x80\0\0\0\0\0\0\0\0\0\2\0", 12)) + block + end), "");
  EXPECT_EQ(framing(header('5', "00000000000") + end), "");
  const std::string pax = "12 size=512\n";
  const std::string record = pax + std::string(512 - pax.size(), '\0');
  EXPECT_EQ(framing(header('x', "00000000014") + record + header('0', "00000000000") + block + end), "");
}

TEST(TarFraming, RefusesWhatReadersDifferOver) {
  const std::string end(1024, '\0'), block(512, 'x');
  EXPECT_NE(framing(header('0', "0000000100z") + block + end), "");
  EXPECT_NE(framing(header('0', "77777777777") + block + end), "");
  EXPECT_NE(framing(header('5', "00000001000") + block + end), "");
  EXPECT_NE(framing(header('S', "00000001000") + block + end), "");
  EXPECT_NE(framing(header('0', "00000001000") + block + std::string(512, '\0')), "");
  EXPECT_NE(framing(header('0', "00000001000") + block + end.substr(0, 512) + header('0', "0") + end), "");
  for (const std::string pax :
       {"22 GNU.sparse.major=1\n", "12 size=-12\n", "99 size=512\n", "9 size=5\n\n", "nonsense\n"}) {
    const std::string record = pax + std::string(512 - pax.size(), '\0');
    char size[12];
    std::snprintf(size, sizeof size, "%011zo", pax.size());
    EXPECT_NE(framing(header('x', size) + record + header('0', "00000001000") + block + end), "") << pax;
  }
}

}  // namespace
}  // namespace dae::mirror
