#include <gtest/gtest.h>

#include "base/error.h"
#include "mirror/policy/allowances.h"
#include "mirror/upload/guarded_change.h"
#include "mirror/upload/removal.h"

namespace dae::mirror {
namespace {

using Kind = FilesChange::Kind;

class Removal : public ::testing::Test {
 protected:
  Removal() {
    ProjectDocument document;
    for (const char* name : {"demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl", "demo-2.0.tar.gz"}) {
      resolver::IndexFile file;
      file.name = name;
      file.sha256 = Digest::of(name).hex();
      document.page.files.push_back(file);
    }
    pages.apply("team", {{"demo", document, 0}}, 1000, "upload");
  }
  std::vector<std::string> change(Kind kind, const std::string& what, bool dry_run = false) {
    return change_files(pages, {kind, "team", what, "broken", "me"}, 2000, dry_run);
  }
  size_t files() {
    const auto document = pages.document("team", "demo");
    return document ? document->page.files.size() : 0;
  }
  TempDir dir;
  Catalog catalog{dir.path() / "catalog.db"};
  PageStore pages{catalog};
};

TEST_F(Removal, TakesAFileAVersionOrAProject) {
  EXPECT_EQ(change(Kind::remove, "demo-2.0.tar.gz"), (std::vector<std::string>{"demo-2.0.tar.gz"}));
  EXPECT_EQ(files(), 2u);
  EXPECT_EQ(change(Kind::remove, "Demo==1").size(), 2u);
  EXPECT_EQ(files(), 0u);
  EXPECT_THROW(change(Kind::remove, "demo"), Error);
  const auto audit = read_audit(catalog, "team", 10);
  ASSERT_EQ(audit.size(), 2u);
  EXPECT_EQ(audit[1].action, "remove");
  EXPECT_EQ(audit[1].reason, "broken");
}

TEST_F(Removal, YanksAndTakesItBack) {
  EXPECT_EQ(change(Kind::yank, "demo==1.0").size(), 2u);
  const auto document = pages.document("team", "demo");
  EXPECT_TRUE(document->page.files.at(0).yanked);
  EXPECT_EQ(document->page.files.at(0).yanked_reason, "broken");
  EXPECT_FALSE(document->page.files.at(2).yanked);
  EXPECT_EQ(change(Kind::yank, "demo").size(), 1u);
  EXPECT_EQ(change(Kind::unyank, "demo").size(), 3u);
  EXPECT_FALSE(pages.document("team", "demo")->page.files.at(0).yanked);
}

TEST_F(Removal, ADryRunChangesNothing) {
  EXPECT_EQ(change(Kind::remove, "demo", true).size(), 3u);
  EXPECT_EQ(files(), 3u);
}

TEST_F(Removal, RefusesWhatNamesNothing) {
  for (const char* what : {"", "a b", "../x", "other", "demo==7", "demo-7.0.tar.gz"}) {
    EXPECT_THROW(change(Kind::remove, what), Error) << what;
  }
  EXPECT_EQ(files(), 3u);
}

TEST_F(Removal, AChangeMadeFromAnOlderDocumentIsNotWritten) {
  const std::string before = pages.find("team", "demo")->document;
  change(Kind::remove, "demo-2.0.tar.gz");
  const std::string after = pages.find("team", "demo")->document;
  const auto none = [](Database&) {};
  EXPECT_THROW(apply_unless_overtaken(pages, "team", before, {"demo", std::nullopt, 0}, 3000, "late", none), Overtaken);
  EXPECT_EQ(files(), 2u);
  apply_unless_overtaken(pages, "team", after, {"demo", std::nullopt, 0}, 3000, "in time", none);
  EXPECT_EQ(files(), 0u);
}

}  // namespace
}  // namespace dae::mirror
