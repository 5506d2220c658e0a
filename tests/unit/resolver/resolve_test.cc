#include "resolver/lock/resolve.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "resolver/lock/target_markers.h"

namespace dae::resolver {
namespace {

Target target(const std::string& python, const std::string& platform = "manylinux_2_36_x86_64") {
  Target out;
  out.python_version = python;
  out.python_full_version = python + ".0";
  out.platform = platform;
  return out;
}

// An index in memory; metadata is made from what a version needs.
class MemoryIndex : public IndexClient {
 public:
  MemoryIndex& add(const std::string& file_name, const std::vector<std::string>& needs = {},
                   const std::string& requires_python = "") {
    const auto wheel = parse_wheel_name(file_name);
    const std::string name = wheel ? wheel->distribution : parse_sdist_name(file_name)->distribution;
    IndexFile file;
    file.name = file_name;
    file.url = "https://user:secret@files.example/" + file_name;
    file.sha256 = std::string(64, static_cast<char>('0' + pages_[name].files.size()));
    file.requires_python = requires_python;
    file.has_metadata = true;
    pages_[name].name = name;
    pages_[name].files.push_back(file);
    metadata_[file_name] = "Metadata-Version: 2.2\nName: " + name +
                           "\nVersion: " + (wheel ? wheel->version : parse_sdist_name(file_name)->version).text() +
                           "\n";
    for (const std::string& need : needs) metadata_[file_name] += "Requires-Dist: " + need + "\n";
    return *this;
  }
  ProjectPage& page_of(const std::string& name) { return pages_[name]; }

  std::shared_ptr<const PackedPage> page(const std::string& package) override {
    const auto found = pages_.find(package);
    return found == pages_.end() ? nullptr : PackedPage::make(found->second);
  }
  using IndexClient::metadata;
  std::shared_ptr<const PackedMetadata> metadata(const IndexFile& file, const std::string&) override {
    return PackedMetadata::make(metadata_.at(file.name), file.name);
  }
  using IndexClient::prefetch_metadata;
  void prefetch_pages(const std::vector<std::string>&) override {}
  void prefetch_metadata(const IndexFile&, const std::string&) override {}
  IndexStats stats() const override { return {}; }

 private:
  std::map<std::string, ProjectPage> pages_;
  std::map<std::string, std::string> metadata_;
};

LockRequest request_for(const std::vector<std::string>& requirements, const std::vector<Target>& targets) {
  LockRequest request;
  for (const std::string& text : requirements) request.requirements.push_back({Requirement::parse(text), "here:1"});
  request.targets = targets;
  request.requires_python = ">=3.9";
  request.index_urls = {"https://user:secret@index.example/simple/"};
  return request;
}

Lock locked(const LockRequest& request, MemoryIndex& index) {
  auto outcome = make_lock(request, index);
  return std::get<LockOutcome>(std::move(outcome)).lock;
}

std::string pins(const Lock& lock) {
  std::string out;
  for (const LockedPackage& package : lock.packages) {
    out += package.name + " " + package.version + (package.marker.empty() ? "" : " if " + package.marker) + "\n";
  }
  return out;
}

TEST(MakeLock, ListsEveryFileOfATargetAndNoCredentials) {
  MemoryIndex index;
  index.add("a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", {"b"}).add("a-1.0-cp311-cp311-win_amd64.whl", {"b"});
  index.add("a-1.0-py3-none-any.whl", {"b"}).add("a-1.0.tar.gz", {"b"}).add("b-2.0-py3-none-any.whl", {}, ">=3.8");
  const Lock lock = locked(request_for({"a"}, {target("3.11")}), index);
  ASSERT_EQ(lock.packages.size(), 2u);
  ASSERT_EQ(lock.packages[0].wheels.size(), 2u);
  EXPECT_EQ(lock.packages[0].wheels[0].name, "a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl");
  EXPECT_EQ(lock.packages[0].sdist->name, "a-1.0.tar.gz");
  EXPECT_EQ(lock.packages[0].dependencies, (std::vector<std::string>{"b"}));
  EXPECT_EQ(lock.packages[1].requires_python, ">=3.8");
  EXPECT_EQ(render_lock(lock).find("secret"), std::string::npos);
  EXPECT_EQ(lock.environments,
            (std::vector<std::string>{"sys_platform == 'linux' and platform_machine == 'x86_64' and "
                                      "implementation_name == 'cpython' and python_version == '3.11'"}));
  EXPECT_EQ(select(parse_lock(render_lock(lock), "pylock.toml"), target("3.11")).size(), 2u);
}

TEST(MakeLock, MarksWhatOnlySomeTargetsNeed) {
  MemoryIndex index;
  index.add("a-1.0-py3-none-any.whl", {"tomli; python_version < '3.11'", "arm; platform_machine == 'aarch64'"});
  index.add("tomli-2.0-py3-none-any.whl").add("arm-1.0-py3-none-any.whl");
  const std::vector<Target> targets = {target("3.10"), target("3.11"), target("3.12"),
                                       target("3.12", "manylinux_2_36_aarch64")};
  const Lock lock = locked(request_for({"a"}, targets), index);
  EXPECT_EQ(pins(lock), "a 1.0\narm 1.0 if platform_machine == 'aarch64'\ntomli 2.0 if python_version < '3.11'\n");
  for (const Target& t : targets)
    EXPECT_EQ(select(lock, t).size(), t.python_version == "3.11" ? 1u : t == targets[2] ? 1u : 2u);
}

TEST(MakeLock, KeepsTargetsTogetherWherePossible) {
  MemoryIndex index;
  index.add("a-1.0-py3-none-any.whl").add("a-2.0-py3-none-any.whl", {}, ">=3.12");
  EXPECT_EQ(pins(locked(request_for({"a"}, {target("3.11"), target("3.12")}), index)), "a 1.0\n");
  EXPECT_EQ(pins(locked(request_for({"a", "a>=2; python_version >= '3.12'"}, {target("3.11"), target("3.12")}), index)),
            "a 1.0 if python_version < '3.12'\na 2.0 if python_version >= '3.12'\n");
}

TEST(MakeLock, ChangesNothingWhenLockedAgain) {
  MemoryIndex index;
  index.add("a-1.0-py3-none-any.whl").add("a-2.0-py3-none-any.whl", {}, ">=3.12").add("b-1.0-py3-none-any.whl");
  LockRequest request = request_for({"a", "b", "a>=2; python_version >= '3.12'"}, {target("3.11"), target("3.12")});
  const std::string first = render_lock(locked(request, index));
  index.add("a-1.5-py3-none-any.whl").add("a-3.0-py3-none-any.whl", {}, ">=3.12").add("b-2.0-py3-none-any.whl");
  request.previous = parse_lock(first, "pylock.toml");
  EXPECT_EQ(render_lock(locked(request, index)), first);
  request.upgrade = {"B"};
  EXPECT_EQ(pins(locked(request, index)),
            "a 1.0 if python_version < '3.12'\na 2.0 if python_version >= '3.12'\nb 2.0\n");
  request.upgrade = {"*"};
  EXPECT_EQ(pins(locked(request, index)),
            "a 1.5 if python_version < '3.12'\na 3.0 if python_version >= '3.12'\nb 2.0\n");
}

TEST(MakeLock, NamesTheTargetItFailsFor) {
  MemoryIndex index;
  index.add("a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl");
  const auto outcome = make_lock(request_for({"a"}, {target("3.11"), target("3.12")}), index);
  const auto& lines = std::get<NoSolution>(outcome).lines;
  EXPECT_EQ(lines.front().origin, "python 3.12 on manylinux_2_36_x86_64");
  EXPECT_EQ(lines.back().origin, "a");
}

TEST(MakeLock, RefusesFilesWithoutADigest) {
  MemoryIndex index;
  index.add("a-1.0-py3-none-any.whl");
  index.page_of("a").files[0].sha256.clear();
  try {
    make_lock(request_for({"a"}, {target("3.11")}), index);
    FAIL() << "must not be locked";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::verification);
    EXPECT_FALSE(error.hint().empty());
  }
}

TEST(MakeLock, RefusesVersionsThatOnlyTheCLibraryTellsApart) {
  MemoryIndex index;
  index.add("a-2.0-cp311-cp311-manylinux_2_17_x86_64.whl").add("a-1.0-cp311-cp311-musllinux_1_1_x86_64.whl");
  EXPECT_THROW(make_lock(request_for({"a"}, {target("3.11"), target("3.11", "musllinux_1_2_x86_64")}), index), Error);
}

TEST(MakeLock, AppliesConstraints) {
  MemoryIndex index;
  index.add("a-1.0-py3-none-any.whl", {"b"}).add("b-1.0-py3-none-any.whl").add("b-2.0-py3-none-any.whl");
  LockRequest request = request_for({"a"}, {target("3.11")});
  request.constraints.push_back({Requirement::parse("b<2"), "limits.txt:1"});
  EXPECT_EQ(pins(locked(request, index)), "a 1.0\nb 1.0\n");
}

TEST(LockInputDigest, ChangesWithWhatDecidesTheLockOnly) {
  const LockRequest base = request_for({"a", "b>=1"}, {target("3.11")});
  const std::string digest = lock_input_digest(base);
  LockRequest same = request_for({"b>=1", "a"}, {target("3.11")});
  same.targets[0].python_full_version = "3.11.9";
  same.index_urls = {"https://elsewhere.example/simple/"};
  EXPECT_EQ(lock_input_digest(same), digest);
  EXPECT_NE(lock_input_digest(request_for({"a", "b>=2"}, {target("3.11")})), digest);
  EXPECT_NE(lock_input_digest(request_for({"a", "b>=1"}, {target("3.12")})), digest);
  LockRequest python = base;
  python.requires_python = ">=3.10";
  EXPECT_NE(lock_input_digest(python), digest);
}

TEST(TargetMarkers, HoldForTheChosenTargetsAndNoOther) {
  std::vector<Target> targets;
  for (const char* python : {"3.10", "3.11", "3.12"}) {
    for (const char* platform : {"manylinux_2_36_x86_64", "manylinux_2_36_aarch64"}) {
      targets.push_back(target(python, platform));
    }
  }
  for (unsigned bits = 1; bits < (1u << targets.size()); ++bits) {
    std::vector<bool> chosen;
    for (size_t i = 0; i < targets.size(); ++i) chosen.push_back((bits >> i & 1) != 0);
    const auto text = distinguishing_marker(targets, chosen);
    ASSERT_TRUE(text.has_value());
    for (size_t i = 0; i < targets.size(); ++i) {
      const bool holds = text->empty() || Marker::parse(*text).evaluate(targets[i].markers());
      EXPECT_EQ(holds, chosen[i]) << *text << " for " << targets[i].label();
    }
  }
}

TEST(TargetMarkers, AreShort) {
  const std::vector<Target> targets = {target("3.9"), target("3.10"), target("3.11"), target("3.12")};
  EXPECT_EQ(distinguishing_marker(targets, {true, true, true, true}), "");
  EXPECT_EQ(distinguishing_marker(targets, {true, false, false, false}), "python_version < '3.10'");
  EXPECT_EQ(distinguishing_marker(targets, {false, true, true, true}), "python_version >= '3.10'");
  EXPECT_EQ(distinguishing_marker(targets, {false, true, false, false}), "python_version == '3.10'");
}

}  // namespace
}  // namespace dae::resolver
