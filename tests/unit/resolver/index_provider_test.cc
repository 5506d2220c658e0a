// The solver's view of an index: which versions there are for a target, and of which files.
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "resolver/source/index.h"

namespace dae::resolver {
namespace {

// Pages and metadata by hand.
class ScriptedClient final : public IndexClient {
 public:
  std::map<std::string, ProjectPage> pages;
  std::map<std::string, std::string> texts;  // METADATA by file name
  std::vector<std::string> prefetched;

  std::shared_ptr<const PackedPage> page(const std::string& package) override {
    const auto found = pages.find(package);
    return found == pages.end() ? nullptr : PackedPage::make(found->second, "http://index/");
  }
  using IndexClient::metadata;
  std::shared_ptr<const PackedMetadata> metadata(const IndexFile& file, const std::string&) override {
    const auto found = texts.find(file.name);
    if (found == texts.end()) throw Error(ErrorKind::failed, "only an sdist whose metadata needs a build", file.name);
    return PackedMetadata::make(found->second, file.name);
  }
  using IndexClient::prefetch_metadata;
  void prefetch_pages(const std::vector<std::string>&) override {}
  void prefetch_metadata(const IndexFile& file, const std::string&) override { prefetched.push_back(file.name); }
  IndexStats stats() const override { return {}; }

  IndexFile& add(const std::string& package, const std::string& name) {
    ProjectPage& page = pages[package];
    page.name = package;
    IndexFile file;
    file.name = name;
    file.url = "http://index/" + name;
    page.files.push_back(file);
    return page.files.back();
  }
};

class IndexProviderTest : public ::testing::Test {
 protected:
  static Target target() {
    Target out;
    out.python_version = "3.11";
    out.python_full_version = "3.11.7";
    out.platform = "manylinux_2_36_x86_64";
    return out;
  }
  std::vector<std::string> versions(const std::string& package) {
    std::vector<std::string> out;
    for (const Candidate& candidate : provider_->versions(package).candidates) {
      out.push_back(candidate.version.text() + (candidate.yanked ? " yanked" : ""));
    }
    return out;
  }
  std::vector<std::string> files(const std::string& package, const std::string& version) {
    std::vector<std::string> out;
    for (const IndexFile& file : provider_->files(package, Version::parse(version))) out.push_back(file.name);
    return out;
  }
  using Names = std::vector<std::string>;

  ScriptedClient client_;
  std::unique_ptr<IndexProvider> provider_ = make_index_provider(client_, target());
};

TEST_F(IndexProviderTest, ListsUsableVersionsNewestFirst) {
  client_.add("a", "a-1.0-py3-none-any.whl");
  client_.add("a", "a-1.10.tar.gz");
  client_.add("a", "a-1.9-cp311-cp311-manylinux_2_17_x86_64.whl");
  client_.add("a", "a-2.0-cp312-cp312-manylinux_2_17_x86_64.whl");
  client_.add("a", "a-2.1-cp311-cp311-win_amd64.whl");
  client_.add("a", "not a package file.txt");
  client_.add("a", "other-3.0-py3-none-any.whl");
  EXPECT_EQ(versions("a"), (Names{"1.10", "1.9", "1.0"}));
}

TEST_F(IndexProviderTest, FilesComeBestFirstAndTheSdistLast) {
  client_.add("a", "a-1.0.tar.gz");
  client_.add("a", "a-1.0-py3-none-any.whl");
  client_.add("a", "a-1.0-2-cp311-cp311-manylinux_2_17_x86_64.whl");
  client_.add("a", "a-1.0-10-cp311-cp311-manylinux_2_17_x86_64.whl");
  client_.add("a", "a-1.0-cp310-cp310-manylinux_2_17_x86_64.whl");
  EXPECT_EQ(files("a", "1.0"),
            (Names{"a-1.0-10-cp311-cp311-manylinux_2_17_x86_64.whl", "a-1.0-2-cp311-cp311-manylinux_2_17_x86_64.whl",
                   "a-1.0-py3-none-any.whl", "a-1.0.tar.gz"}));
  EXPECT_TRUE(files("a", "9").empty());
}

TEST_F(IndexProviderTest, YankedFilesCountOnlyWhereNothingElseIsLeft) {
  client_.add("a", "a-1.0-py3-none-any.whl").yanked = true;
  client_.add("a", "a-2.0-py3-none-any.whl").yanked = true;
  client_.add("a", "a-2.0.tar.gz");
  EXPECT_EQ(versions("a"), (Names{"2.0", "1.0 yanked"}));
  EXPECT_EQ(files("a", "2.0"), (Names{"a-2.0.tar.gz"}));
}

TEST_F(IndexProviderTest, RequiresPythonFiltersFilesAndABrokenOneDoesNot) {
  client_.add("a", "a-1.0-py3-none-any.whl").requires_python = ">=3.8";
  client_.add("a", "a-2.0-py3-none-any.whl").requires_python = ">=3.12";
  client_.add("a", "a-0.9-py3-none-any.whl").requires_python = "whatever";
  EXPECT_EQ(versions("a"), (Names{"1.0", "0.9"}));
}

TEST_F(IndexProviderTest, SaysWhyThereIsNothing) {
  EXPECT_EQ(provider_->versions("missing").note, "not in the index");
  client_.add("wheels", "wheels-1.0-cp311-cp311-win_amd64.whl");
  EXPECT_EQ(provider_->versions("wheels").note, "no wheel for python 3.11 on manylinux_2_36_x86_64 and no sdist");
  client_.add("new", "new-1.0-py3-none-any.whl").requires_python = ">=3.12";
  EXPECT_EQ(provider_->versions("new").note, "no version for python 3.11.7 (needs >=3.12)");
  client_.pages["bad"].status = "quarantined";
  client_.pages["bad"].status_reason = "malware";
  EXPECT_EQ(provider_->versions("bad").note, "quarantined by the index: malware");
  client_.pages["empty"].name = "empty";
  EXPECT_EQ(provider_->versions("empty").note, "no files in the index");
}

TEST_F(IndexProviderTest, ReadsDependenciesOfTheBestWheel) {
  client_.add("a", "a-1.0.tar.gz");
  client_.add("a", "a-1.0-py3-none-any.whl");
  client_.texts["a-1.0-py3-none-any.whl"] =
      "Metadata-Version: 2.1\nName: a\nVersion: 1.0\nProvides-Extra: Fast_Mode\n"
      "Requires-Dist: b>=2\nRequires-Dist: c; extra == 'fast-mode'\n\n";
  const Dependencies& found = provider_->dependencies("a", Version::parse("1.0"));
  EXPECT_EQ(found.unusable, "");
  ASSERT_EQ(found.list.size(), 2u);
  EXPECT_EQ(found.list[0].name, "b");
  EXPECT_EQ(found.provides_extra, (Names{"fast-mode"}));
}

TEST_F(IndexProviderTest, WithoutAFittingWheelTheOneForTheNearestPlatformTellsWhatIsNeeded) {
  client_.add("a", "a-1.0.tar.gz");
  for (const char* tags : {"cp38-cp38-win_amd64", "cp38-cp38-macosx_10_9_x86_64", "cp37-cp37m-manylinux1_i686",
                           "cp38-cp38-manylinux1_x86_64", "cp39-cp39-win32"}) {
    const std::string name = "a-1.0-" + std::string(tags) + ".whl";
    client_.add("a", name);
    client_.texts[name] = "Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Dist: other\n\n";
  }
  client_.texts["a-1.0-cp38-cp38-manylinux1_x86_64.whl"] =
      "Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Dist: nearest\n\n";
  const Dependencies& found = provider_->dependencies("a", Version::parse("1.0"));
  ASSERT_EQ(found.list.size(), 1u);
  EXPECT_EQ(found.list[0].name, "nearest");
}

TEST_F(IndexProviderTest, UnusableVersionsSayWhy) {
  client_.add("a", "a-1.0-py3-none-any.whl");
  client_.texts["a-1.0-py3-none-any.whl"] = "Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Python: >=3.13\n\n";
  client_.add("a", "a-2.0-py3-none-any.whl");
  client_.texts["a-2.0-py3-none-any.whl"] = "Metadata-Version: 2.1\nName: a\nVersion: 2.0\nRequires-Dist: b >>> 1\n\n";
  client_.add("a", "a-3.0.tar.gz");
  EXPECT_EQ(provider_->dependencies("a", Version::parse("1.0")).unusable, "requires python >=3.13");
  EXPECT_TRUE(provider_->dependencies("a", Version::parse("2.0")).unusable.starts_with("metadata is broken: "));
  EXPECT_EQ(provider_->dependencies("a", Version::parse("3.0")).unusable, "only an sdist whose metadata needs a build");
}

TEST_F(IndexProviderTest, PrefetchesMetadataOfKnownPackagesOnly) {
  client_.add("a", "a-1.0-py3-none-any.whl");
  provider_->prefetch_metadata("a", Version::parse("1.0"));
  EXPECT_TRUE(client_.prefetched.empty());
  provider_->versions("a");
  provider_->prefetch_metadata("a", Version::parse("1.0"));
  EXPECT_EQ(client_.prefetched, (Names{"a-1.0-py3-none-any.whl"}));
}

TEST_F(IndexProviderTest, ADirectReferenceStandsBesideWhatTheIndexHas) {
  client_.add("a", "a-9.0-py3-none-any.whl");
  const std::string hex(64, 'c');
  const Candidate candidate = provider_->direct("a", "https://host/dir/a-1.5-py3-none-any.whl#sha256=" + hex);
  EXPECT_EQ(candidate.version.text(), "1.5");
  EXPECT_EQ(versions("a"), (Names{"9.0"})) << "what the index has is told apart by the caller";
  const auto found = provider_->files("a", candidate.version);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].url, "https://host/dir/a-1.5-py3-none-any.whl");
  EXPECT_EQ(found[0].sha256, hex);
  EXPECT_THROW(provider_->direct("a", "https://host/b-1.0-py3-none-any.whl"), Error);
  EXPECT_THROW(provider_->direct("a", "https://host/a-1.0-cp312-cp312-win32.whl"), Error);
  EXPECT_THROW(provider_->direct("a", "git+https://host/a.git"), Error);
}

TEST_F(IndexProviderTest, HidesWhatWasUploadedAfterTheCutoff) {
  client_.add("a", "a-1.0-py3-none-any.whl").upload_time = "2024-01-01T00:00:00Z";
  client_.add("a", "a-2.0-py3-none-any.whl").upload_time = "2024-01-01T00:00:00.001Z";
  client_.add("a", "a-2.0.tar.gz").upload_time = "2023-01-01T00:00:00Z";
  client_.add("a", "a-3.0-py3-none-any.whl").upload_time = "2024-06-01T00:00:00Z";
  client_.add("b", "b-1.0-py3-none-any.whl");
  ProviderOptions options;
  options.cutoff_ms = parse_utc("2024-01-01T00:00:00Z");
  provider_ = make_index_provider(client_, target(), options);
  EXPECT_EQ(versions("a"), (Names{"2.0", "1.0"}));
  EXPECT_EQ(files("a", "2.0"), (Names{"a-2.0.tar.gz"})) << "the wheel came later";
  ASSERT_EQ(provider_->versions("a").hidden_by_cutoff.size(), 1u);
  EXPECT_EQ(provider_->versions("a").hidden_by_cutoff[0].text(), "3.0");
  EXPECT_TRUE(versions("b").empty()) << "an index that does not say when cannot be trusted to be old";
  EXPECT_NE(provider_->versions("b").note.find("does not say when"), std::string::npos);
}

TEST_F(IndexProviderTest, WheelsOrSdistsCanBeRuledOutPerPackage) {
  client_.add("a", "a-1.0-py3-none-any.whl");
  client_.add("a", "a-2.0.tar.gz");
  client_.add("b", "b-1.0-py3-none-any.whl");
  client_.add("b", "b-2.0.tar.gz");
  ProviderOptions options;
  options.no_binary = {"a"};
  options.only_binary = {"b"};
  provider_ = make_index_provider(client_, target(), options);
  EXPECT_EQ(versions("a"), (Names{"2.0"}));
  EXPECT_TRUE(provider_->versions("a").candidates[0].sdist_only);
  EXPECT_EQ(versions("b"), (Names{"1.0"}));
}

TEST_F(IndexProviderTest, SeveralDirectReferencesOfOnePackageAreToldApart) {
  client_.texts["a-1.0-py3-none-any.whl"] = "Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Dist: x\n";
  client_.texts["a-2.0-py3-none-any.whl"] = "Metadata-Version: 2.1\nName: a\nVersion: 2.0\nRequires-Dist: y\n";
  provider_->direct("a", "https://host/a-1.0-py3-none-any.whl");
  provider_->direct("a", "https://host/a-2.0-py3-none-any.whl");
  EXPECT_EQ(provider_->dependencies("a", Version::parse("1.0")).list.at(0).name, "x");
  EXPECT_EQ(provider_->dependencies("a", Version::parse("2.0")).list.at(0).name, "y");
  EXPECT_EQ(provider_->direct_source("a", Version::parse("2.0")), nullptr);
}

}  // namespace
}  // namespace dae::resolver
