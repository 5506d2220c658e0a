// What nginx finds on the disk is what the mirror answers, at every time and after every end of the mirror.
#include <gtest/gtest.h>

#include "base/gzip.h"
#include "fixture.h"
#include "mirror/catalog.h"
#include "mirror/index/page_store.h"
#include "mirror/policy/allowances.h"
#include "mirror/tree/state.h"

namespace dae::mirror {
namespace {

using namespace testing;

constexpr const char* kJson = "application/vnd.pypi.simple.v1+json";
constexpr int64_t kHourMs = 3'600'000;

ProjectDocument document_of(const std::string& project, const std::vector<std::string>& versions,
                            const std::string& uploaded = "") {
  ProjectDocument out;
  out.page.name = project;
  for (const std::string& version : versions) {
    resolver::IndexFile file;
    file.name = project + "-" + version + "-py3-none-any.whl";
    const std::string bytes = make_wheel(project, version);
    file.sha256 = Digest::of(bytes).hex();
    file.size_bytes = bytes.size();
    file.metadata_sha256 = Digest::of(metadata_text(project, version)).hex();
    file.has_metadata = true;
    file.upload_time = uploaded;
    out.page.files.push_back(std::move(file));
  }
  return out;
}

IndexConfig frozen_index(const std::string& name) {
  IndexConfig index;
  index.name = name;
  index.upstream = "http://127.0.0.1:1/simple/";
  index.frozen = true;
  return index;
}

class Tree : public ::testing::Test {
 protected:
  void start(const std::function<void(MirrorConfig&)>& adjust) {
    mirror = std::make_unique<TestMirror>("http://127.0.0.1:1/simple/", [&](MirrorConfig& config) {
      config.indexes = {frozen_index("main")};
      config.tree.enabled = true;
      adjust(config);
    });
    storage = mirror->config.storage;
    catalog = std::make_unique<Catalog>(storage / "catalog.db");
    blobs = open_blob_store(storage / "blobs");
    pages = std::make_unique<PageStore>(*catalog);
  }
  void start() {
    start([](MirrorConfig&) {});
  }
  void list(const std::string& index, const std::string& project, const std::vector<std::string>& versions,
            const std::string& uploaded = "") {
    for (const std::string& version : versions) {
      blobs->put(make_wheel(project, version));
      blobs->put(metadata_text(project, version));
    }
    pages->apply(index, {{project, document_of(project, versions, uploaded), 0}}, mirror->clock.wall_ms(), "test");
  }
  void remove(const std::string& index, const std::string& project) {
    pages->apply(index, {{project, std::nullopt, 0}}, mirror->clock.wall_ms(), "test");
  }
  Path live(const std::string& path) const { return storage / "www/live" / path; }
  std::optional<std::string> on_disk(const std::string& path) const { return read_file_if_exists(live(path)); }
  static Path mark(const std::string& project, const std::string& version) {
    const std::string sha256 = Digest::of(make_wheel(project, version)).hex();
    return "packages/" + sha256.substr(0, 2) + "/" + sha256 + "-" + project + "-" + version + "-py3-none-any.whl";
  }
  std::string answered(const std::string& path, const std::string& accept) {
    return mirror->get(path, {{"Accept", accept}}).body;
  }
  // Pages that clients shall not keep are in a folder of their own.
  static std::string folder_of(const std::string& index) {
    return index == "team" || index == "all" ? "checked/" : "pages/";
  }
  // Both forms of the page, and the packed ones, as the mirror answers.
  bool is_right(const std::string& index, const std::string& project) {
    const std::string base = folder_of(index) + index + "/" + project, url = "/" + index + "/simple/" + project + "/";
    for (const auto& [form, accept] : {std::pair(".json", kJson), std::pair(".html", "text/html")}) {
      const std::string wanted = answered(url, accept);
      if (on_disk(base + form) != wanted) return false;
      const auto packed = on_disk(base + form + ".gz");
      if (packed.has_value() != (wanted.size() > 1024)) return false;
      if (packed && gunzip(*packed, 1 << 20) != wanted) return false;
    }
    return true;
  }
  bool has_page(const std::string& index, const std::string& project) {
    return on_disk(folder_of(index) + index + "/" + project + ".json").has_value();
  }
  static bool soon(const std::function<bool()>& is_so) {
    SystemClock clock;
    const int64_t end_ms = clock.monotonic_ms() + 8'000;
    while (clock.monotonic_ms() < end_ms) {
      if (is_so()) return true;
      clock.sleep_ms(10);
    }
    return is_so();
  }
  // What was written to the catalog before has been followed.
  void settle() {
    list("main", "settled" + std::to_string(++settled_), {"1"});
    EXPECT_TRUE(soon([&] { return has_page("main", "settled" + std::to_string(settled_)); }));
  }

  std::unique_ptr<TestMirror> mirror;
  Path storage;
  std::unique_ptr<Catalog> catalog;
  std::unique_ptr<BlobStore> blobs;
  std::unique_ptr<PageStore> pages;
  int settled_ = 0;
};

TEST_F(Tree, PagesAreWhatTheMirrorAnswers) {
  start();
  list("main", "demo", {"1", "2", "3", "4", "5", "6"});
  list("main", "small", {"1"});
  EXPECT_TRUE(soon([&] { return is_right("main", "demo") && is_right("main", "small"); }));
  EXPECT_TRUE(soon([&] {
    return on_disk("lists/main.json") == answered("/main/simple/", kJson) &&
           on_disk("lists/main.html") == answered("/main/simple/", "text/html");
  }));
}

TEST_F(Tree, FilesAreLinksToTheirBlobs) {
  start();
  list("main", "demo", {"1"});
  EXPECT_TRUE(soon([&] { return on_disk(mark("demo", "1")) == make_wheel("demo", "1"); }));
  EXPECT_EQ(on_disk(mark("demo", "1").string() + ".metadata"), metadata_text("demo", "1"));
  // What is collected or quarantined is gone here with it.
  blobs->remove(Digest::of(make_wheel("demo", "1")));
  EXPECT_EQ(on_disk(mark("demo", "1")), std::nullopt);
}

TEST_F(Tree, WhatIsRemovedGoes) {
  start();
  list("main", "demo", {"1", "2"});
  list("main", "other", {"1"});
  ASSERT_TRUE(soon([&] { return is_right("main", "demo") && has_page("main", "other"); }));
  list("main", "demo", {"2"});
  remove("main", "other");
  EXPECT_TRUE(
      soon([&] { return is_right("main", "demo") && !on_disk(mark("demo", "1")) && !has_page("main", "other"); }));
  EXPECT_TRUE(on_disk(mark("demo", "2")));
  EXPECT_FALSE(on_disk(mark("other", "1")));
  EXPECT_TRUE(soon([&] { return on_disk("lists/main.json") == answered("/main/simple/", kJson); }));
}

TEST_F(Tree, ManyChangesAtOnceAreFollowed) {
  start();
  std::vector<ProjectChange> changes;
  for (int i = 0; i < 300; ++i) {
    const std::string project = "p" + std::to_string(i);
    changes.push_back({project, document_of(project, {"1"}), 0});
  }
  pages->apply("main", changes, mirror->clock.wall_ms(), "test");
  EXPECT_TRUE(soon([&] { return is_right("main", "p0") && is_right("main", "p299") && is_right("main", "p150"); }));
  for (ProjectChange& change : changes) change.document = document_of(change.project, {"1", "2"});
  pages->apply("main", changes, mirror->clock.wall_ms(), "test");
  EXPECT_TRUE(soon([&] { return is_right("main", "p0") && is_right("main", "p299") && is_right("main", "p150"); }));
}

TEST_F(Tree, PagesThatUpstreamMustBeAskedForAreNotThere) {
  start([](MirrorConfig& config) {
    IndexConfig pull = frozen_index("pypi");
    pull.frozen = false;
    config.indexes.push_back(pull);
    add_team_and_overlay(config, {});
  });
  list("team", "ours", {"1"});
  list("pypi", "theirs", {"1"});
  settle();
  EXPECT_TRUE(soon([&] { return is_right("all", "ours") && is_right("team", "ours"); }));
  EXPECT_FALSE(has_page("pypi", "theirs"));
  EXPECT_FALSE(has_page("all", "theirs"));
  EXPECT_FALSE(on_disk("lists/all.json"));
  EXPECT_TRUE(on_disk("lists/team.json"));
  // A file is what its name says, whoever lists it.
  EXPECT_TRUE(on_disk(mark("theirs", "1")));
}

TEST_F(Tree, ANameThatBecomesPrivateIsTakenFromTheOthers) {
  start([](MirrorConfig& config) {
    config.indexes.push_back(frozen_index("pypi"));
    add_team_and_overlay(config, {});
  });
  list("pypi", "demo", {"1"});
  ASSERT_TRUE(soon([&] { return is_right("all", "demo") && is_right("pypi", "demo") && on_disk(mark("demo", "1")); }));
  list("team", "demo", {"2"});
  EXPECT_TRUE(soon([&] { return is_right("all", "demo") && is_right("team", "demo") && !has_page("pypi", "demo"); }));
  EXPECT_FALSE(on_disk(mark("demo", "1")));
  EXPECT_TRUE(soon([&] { return on_disk("lists/pypi.html") == answered("/pypi/simple/", "text/html"); }));
  remove("team", "demo");
  EXPECT_TRUE(soon([&] { return is_right("all", "demo") && is_right("pypi", "demo") && on_disk(mark("demo", "1")); }));
}

TEST_F(Tree, APageIsTheMirrorsBeforeTimeChangesIt) {
  start([](MirrorConfig& config) { config.indexes[0].policy.cooldown_uploaded_ms = 24 * kHourMs; });
  const std::string uploaded = format_utc(mirror->clock.wall_ms() - 2 * kHourMs);
  list("main", "demo", {"1"}, uploaded);
  EXPECT_TRUE(soon([&] { return is_right("main", "demo"); }));  // without the file
  EXPECT_FALSE(on_disk(mark("demo", "1")));
  EXPECT_EQ(mirror->get("/main/simple/demo/").headers.get("Cache-Control"), "public, max-age=600");
  mirror->clock.advance_ms(21 * kHourMs + kHourMs * 2 / 3 - 10'000);  // 1,210 s before
  settle();
  EXPECT_TRUE(has_page("main", "demo"));
  EXPECT_EQ(mirror->get("/main/simple/demo/").headers.get("Cache-Control"), "public, max-age=600");
  mirror->clock.advance_ms(6'000);
  EXPECT_TRUE(soon([&] { return !has_page("main", "demo"); }));
  mirror->clock.advance_ms(kHourMs);
  EXPECT_TRUE(soon([&] { return is_right("main", "demo") && on_disk(mark("demo", "1")); }));
  EXPECT_NE(on_disk("pages/main/demo.html")->find("demo-1-py3"), std::string::npos);
}

TEST_F(Tree, WhatIsAllowedIsThereUntilItsTimeIsOver) {
  start([](MirrorConfig& config) { config.indexes[0].policy.cooldown_uploaded_ms = 1000 * kHourMs; });
  list("main", "demo", {"1"}, format_utc(mirror->clock.wall_ms()));
  ASSERT_TRUE(soon([&] { return is_right("main", "demo"); }));
  const int64_t now_ms = mirror->clock.wall_ms();
  allow(*catalog, {"main", "demo", {"1", now_ms + 5 * kHourMs, {}}, "me", "urgent"}, now_ms);
  EXPECT_TRUE(soon([&] { return is_right("main", "demo") && on_disk(mark("demo", "1")); }));
  mirror->clock.advance_ms(5 * kHourMs - 600'000);
  EXPECT_TRUE(soon([&] { return !has_page("main", "demo") && !on_disk(mark("demo", "1")); }));
}

TEST_F(Tree, ADenyListThatChangesIsFollowed) {
  TempDir advisories;
  start([&](MirrorConfig& config) { config.indexes[0].policy.deny_osv = {advisories.path()}; });
  list("main", "evil", {"1"});
  list("main", "good", {"1"});
  ASSERT_TRUE(soon([&] { return is_right("main", "evil") && on_disk(mark("evil", "1")); }));
  write_file_atomic(advisories.path() / "MAL-1.json",
                    R"({"id":"MAL-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"PyPI",)"
                    R"("name":"evil"},"versions":["1"]}]})");
  mirror->clock.advance_ms(4'000);
  EXPECT_TRUE(soon([&] { return !on_disk(mark("evil", "1")) && is_right("main", "evil"); }));
  EXPECT_TRUE(on_disk(mark("good", "1")));
  remove_file(advisories.path() / "MAL-1.json");
  mirror->clock.advance_ms(4'000);
  EXPECT_TRUE(soon([&] { return on_disk(mark("evil", "1")) && is_right("main", "evil"); }));
}

TEST_F(Tree, WhatChangedWhileTheMirrorWasDownIsNotServedByTheNextOne) {
  start();
  list("main", "demo", {"1", "2"});
  list("main", "gone", {"1"});
  list("main", "same", {"1"});
  ASSERT_TRUE(soon([&] { return is_right("main", "demo") && has_page("main", "gone") && is_right("main", "same"); }));
  const auto before = file_info(live("pages/main/same.json"));
  mirror->stop();
  EXPECT_TRUE(has_page("main", "demo"));  // nginx goes on
  list("main", "demo", {"2"});
  remove("main", "gone");
  mirror->restart();
  EXPECT_TRUE(soon([&] { return is_right("main", "demo"); }));
  EXPECT_FALSE(on_disk(mark("demo", "1")));
  EXPECT_FALSE(has_page("main", "gone"));
  // What stayed was not written again.
  EXPECT_EQ(file_info(live("pages/main/same.json"))->inode, before->inode);
}

TEST_F(Tree, AMirrorThatDoesNotWantItTakesItOff) {
  start();
  list("main", "demo", {"1"});
  ASSERT_TRUE(soon([&] { return has_page("main", "demo"); }));
  mirror->stop();
  mirror->config.tree.enabled = false;
  mirror->restart();
  EXPECT_FALSE(has_page("main", "demo"));
}

TEST_F(Tree, AnotherConfigurationMakesItAnew) {
  start();
  list("main", "demo", {"1"}, format_utc(mirror->clock.wall_ms()));
  ASSERT_TRUE(soon([&] { return on_disk(mark("demo", "1")).has_value(); }));
  mirror->stop();
  mirror->config.indexes[0].policy.cooldown_uploaded_ms = 24 * kHourMs;
  mirror->restart();
  EXPECT_TRUE(soon([&] { return is_right("main", "demo"); }));
  EXPECT_FALSE(on_disk(mark("demo", "1")));
}

TEST_F(Tree, AStateThatIsDamagedMakesItAnew) {
  start();
  list("main", "demo", {"1"});
  ASSERT_TRUE(soon([&] { return has_page("main", "demo"); }));
  mirror->stop();
  write_file_atomic(storage / "www/state.db", "no database");
  mirror->restart();
  EXPECT_TRUE(soon([&] { return is_right("main", "demo"); }));
}

TEST_F(Tree, AFileThatComesWhenItIsAskedForIsThereAfterwards) {
  start([](MirrorConfig& config) { config.indexes[0].frozen = false; });
  pages->apply("main", {{"demo", document_of("demo", {"1"}), 0}}, mirror->clock.wall_ms(), "test");
  catalog->write([&](Database& db) { db.execute("UPDATE freshness SET fresh_until_ms = 9000000000000000"); });
  const std::string sha256 = Digest::of(make_wheel("demo", "1")).hex();
  SystemClock().sleep_ms(300);
  EXPECT_FALSE(on_disk(mark("demo", "1")));
  blobs->put(make_wheel("demo", "1"));
  const std::string url = "/packages/" + sha256.substr(0, 2) + "/" + sha256 + "/demo-1-py3-none-any.whl";
  EXPECT_EQ(mirror->get(url, {{"X-Dae-Accel", "on"}}).status, 200);
  EXPECT_TRUE(soon([&] { return on_disk(mark("demo", "1")).has_value(); }));
}

// Pages of the same second and size must not have the same validator.
TEST_F(Tree, TheTimeOfAFileIsOfItsBytes) {
  start();
  const auto written = [&](const std::string& version) {
    list("main", "demo", {version});
    EXPECT_TRUE(soon(
        [&] { return on_disk("pages/main/demo.json").value_or("").find("demo-" + version) != std::string::npos; }));
    return *file_info(live("pages/main/demo.json"));
  };
  const FileInfo first = written("1"), second = written("2"), again = written("1");
  EXPECT_EQ(first.size_bytes, second.size_bytes);
  EXPECT_NE(first.mtime_ns, second.mtime_ns);
  EXPECT_EQ(first.mtime_ns, again.mtime_ns);
}

}  // namespace
}  // namespace dae::mirror
