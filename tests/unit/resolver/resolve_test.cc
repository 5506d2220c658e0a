#include "resolver/lock/resolve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>

#include "base/clock.h"
#include "base/error.h"
#include "resolver/lock/scopes.h"
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

TEST(MakeLock, MovesNothingBesideWhatIsUpgraded) {
  MemoryIndex index;
  index.add("a-1.0-py3-none-any.whl", {"shared"}).add("b-1.0-py3-none-any.whl", {"shared"});
  index.add("shared-1.0-py3-none-any.whl").add("apart-1.0-py3-none-any.whl");
  LockRequest request = request_for({"a", "b", "apart"}, {target("3.11"), target("3.12")});
  request.previous = locked(request, index);
  index.add("a-2.0-py3-none-any.whl", {"shared>=2"}).add("b-2.0-py3-none-any.whl", {"shared"});
  index.add("shared-2.0-py3-none-any.whl").add("apart-2.0-py3-none-any.whl");
  request.upgrade = {"a"};
  EXPECT_EQ(pins(locked(request, index)), "a 2.0\napart 1.0\nb 1.0\nshared 2.0\n");
}

TEST(MakeLock, TakesImportedPinsWhereThereAreNoOwn) {
  MemoryIndex index;
  index.add("a-1.0-py3-none-any.whl").add("a-2.0-py3-none-any.whl");
  index.add("b-1.0-py3-none-any.whl").add("b-2.0-py3-none-any.whl");
  LockRequest request = request_for({"b"}, {target("3.11")});
  request.previous = locked(request, index);
  request = request_for({"a", "b"}, {target("3.11")});
  request.previous = locked(request_for({"b"}, {target("3.11")}), index);
  request.imported = {{"a", Version::parse("1.0")}, {"b", Version::parse("1.0")}};
  EXPECT_EQ(pins(locked(request, index)), "a 1.0\nb 2.0\n");
}

TEST(MakeLock, RecordsTheCutoffAndWhatIsDeclared) {
  MemoryIndex index;
  index.add("a-1.0-py3-none-any.whl").add("a-2.0-py3-none-any.whl");
  index.page_of("a").files[0].upload_time = "2025-01-01T00:00:00Z";
  index.page_of("a").files[1].upload_time = "2026-01-01T00:00:00Z";
  LockRequest request = request_for({"a"}, {target("3.11")});
  request.cutoff = "2025-06-01T00:00:00Z";
  request.extras = {"Web_UI"};
  request.groups = {"dev", "docs"};
  request.default_groups = {"dev"};
  const Lock lock = locked(request, index);
  EXPECT_EQ(pins(lock), "a 1.0\n");
  EXPECT_EQ(lock.cutoff, request.cutoff);
  EXPECT_EQ(lock.extras, (std::vector<std::string>{"web-ui"}));
  EXPECT_EQ(lock.dependency_groups, (std::vector<std::string>{"dev", "docs"}));
  EXPECT_EQ(lock.default_groups, (std::vector<std::string>{"dev"}));
}

TEST(MakeLock, ObeysOverridesPoliciesAndFileKinds) {
  MemoryIndex index;
  index.add("a-1.0-py3-none-any.whl", {"b<2"}).add("b-1.0-py3-none-any.whl").add("b-2.0-py3-none-any.whl");
  index.add("a-1.0.tar.gz", {"b<2"});
  LockRequest request = request_for({"a"}, {target("3.11")});
  request.only_binary = {":all:"};
  EXPECT_FALSE(locked(request, index).packages[0].sdist.has_value());
  request.overrides.push_back({Requirement::parse("b>=2"), "pyproject.toml:9"});
  EXPECT_EQ(pins(locked(request, index)), "a 1.0\nb 2.0\n");
  request.overrides.clear();
  request.requirements.push_back({Requirement::parse("b"), "here:2"});
  request.selection = Selection::lowest;
  EXPECT_EQ(pins(locked(request, index)), "a 1.0\nb 1.0\n");
}

// Direct sources by hand: what a reference stands for, and what was asked.
class ScriptedSources : public DirectSources {
 public:
  std::map<std::string, DirectSource> sources;  // by the URL without revision and fragment
  std::vector<std::string> asked;

  DirectSource& add(const std::string& url, const std::string& name, DirectSource::Kind kind) {
    DirectSource& out = sources[url];
    out.kind = kind;
    out.name = name;
    out.version = "1.0";
    out.metadata = "Metadata-Version: 2.2\nName: " + name + "\nVersion: 1.0\nRequires-Python: >=3.8\n";
    return out;
  }
  const DirectSource& resolve(const std::string& url, bool editable, const std::string& expected_name) override {
    asked.push_back((editable ? "-e " : "") + url);
    const size_t at = url.rfind('@');
    DirectSource& out = sources.at(url.substr(0, at > url.rfind('/') ? at : url.size()));
    if (out.kind == DirectSource::Kind::vcs && at != std::string::npos && url.size() - at == 41) {
      out.commit_id = url.substr(at + 1);
    }
    EXPECT_TRUE(expected_name.empty() || expected_name == out.name);
    return made_.emplace_back(out).kind == DirectSource::Kind::directory
               ? (made_.back().editable = editable, made_.back())
               : made_.back();
  }

 private:
  std::deque<DirectSource> made_;
};

RootRequirement direct_root(const std::string& name, const std::string& url, bool editable = false) {
  RootRequirement out;
  out.requirement.name = out.requirement.key = name;
  out.requirement.url = url;
  out.origin = "here:1";
  out.editable = editable;
  return out;
}

Lock locked_with(const LockRequest& request, MemoryIndex& index, ScriptedSources& sources) {
  return std::get<LockOutcome>(make_lock(request, index, {&sources, nullptr})).lock;
}

TEST(MakeLock, LocksRepositoriesFoldersAndAddresses) {
  MemoryIndex index;
  index.add("dep-1.0-py3-none-any.whl");
  ScriptedSources sources;
  DirectSource& git = sources.add("git+https://g.example/x.git", "from-git", DirectSource::Kind::vcs);
  git.url = "https://g.example/x.git";
  git.vcs = "git";
  git.requested_revision = "main";
  git.commit_id = std::string(40, 'a');
  git.metadata += "Requires-Dist: dep\n";
  sources.add("./lib", "in-tree", DirectSource::Kind::directory).path = "./lib";
  DirectSource& archive = sources.add("https://x.example/y.zip", "archived", DirectSource::Kind::archive);
  archive.url = "https://x.example/y.zip";
  archive.file_name = "y.zip";
  archive.sha256 = std::string(64, 'b');
  archive.size_bytes = 7;
  LockRequest request = request_for({}, {target("3.11"), target("3.12")});
  request.requirements = {direct_root("from-git", "git+https://g.example/x.git@main"), direct_root("", "./lib", true),
                          direct_root("archived", "https://x.example/y.zip")};
  const Lock lock = locked_with(request, index, sources);
  EXPECT_EQ(pins(lock), "archived 1.0\ndep 1.0\nfrom-git \nin-tree \n");
  EXPECT_EQ(lock.packages[0].archive->sha256, archive.sha256);
  EXPECT_EQ(lock.packages[0].archive->size_bytes, 7u);
  EXPECT_EQ(lock.packages[2].vcs, (LockedVcs{"git", "https://g.example/x.git", "", "main", std::string(40, 'a'), ""}));
  EXPECT_EQ(lock.packages[2].requires_python, ">=3.8");
  EXPECT_EQ(lock.packages[3].directory, (LockedDirectory{"./lib", "", true}));
  EXPECT_EQ(render_lock(parse_lock(render_lock(lock), "pylock.toml")), render_lock(lock));

  // Once more: the branch has moved, the lock has not.
  request.previous = lock;
  git.commit_id = std::string(40, 'f');
  EXPECT_EQ(render_lock(locked_with(request, index, sources)), render_lock(lock));
  EXPECT_NE(
      std::find(sources.asked.begin(), sources.asked.end(), "git+https://g.example/x.git@" + std::string(40, 'a')),
      sources.asked.end());
  git.commit_id = std::string(40, 'f');
  request.upgrade = {"from-git"};
  EXPECT_EQ(locked_with(request, index, sources).packages[2].vcs->commit_id, std::string(40, 'f'));
}

TEST(MakeLock, NoticesAnArchiveThatChangedAtItsAddress) {
  MemoryIndex index;
  ScriptedSources sources;
  DirectSource& archive = sources.add("https://x.example/y.zip", "archived", DirectSource::Kind::archive);
  archive.url = "https://x.example/y.zip";
  archive.file_name = "y.zip";
  archive.sha256 = std::string(64, 'b');
  LockRequest request = request_for({}, {target("3.11")});
  request.requirements = {direct_root("archived", "https://x.example/y.zip")};
  request.previous = locked_with(request, index, sources);
  archive.sha256 = std::string(64, 'c');
  EXPECT_THROW(locked_with(request, index, sources), Error);
  request.upgrade = {"*"};
  EXPECT_EQ(locked_with(request, index, sources).packages[0].archive->sha256, archive.sha256);
}

LockRequest scoped_request(const std::vector<Target>& targets) {
  LockRequest request = request_for({"base"}, targets);
  request.requirements.push_back({Requirement::parse("web"), "here:2", false, "extra:web"});
  request.requirements.push_back({Requirement::parse("test"), "here:3", false, "group:dev"});
  request.extras = {"web"};
  request.groups = {"dev"};
  return request;
}

TEST(MakeLock, MarksWhatOnlyExtrasAndGroupsNeed) {
  MemoryIndex index;
  index.add("base-1.0-py3-none-any.whl", {"common"})
      .add("web-1.0-py3-none-any.whl", {"common", "both", "old; python_version < '3.12'"});
  index.add("test-1.0-py3-none-any.whl", {"both"}).add("common-1.0-py3-none-any.whl");
  index.add("both-1.0-py3-none-any.whl").add("old-1.0-py3-none-any.whl");
  const std::vector<Target> targets = {target("3.11"), target("3.12")};
  const Lock lock = locked(scoped_request(targets), index);
  EXPECT_EQ(pins(lock),
            "base 1.0\nboth 1.0 if 'web' in extras or 'dev' in dependency_groups\ncommon 1.0\n"
            "old 1.0 if python_version < '3.12' and 'web' in extras\ntest 1.0 if 'dev' in dependency_groups\n"
            "web 1.0 if 'web' in extras\n");
  EXPECT_EQ(select(lock, targets[1]).size(), 2u);
  EXPECT_EQ(select(lock, targets[0], {{"web"}, {}, false}).size(), 5u);
  EXPECT_EQ(select(lock, targets[1], {{"web"}, {"dev"}, false}).size(), 5u);
  LockRequest again = scoped_request(targets);
  again.previous = lock;
  EXPECT_EQ(render_lock(locked(again, index)), render_lock(lock));
}

TEST(MakeLock, SolvesExtrasAndGroupsTogether) {
  MemoryIndex index;
  index.add("base-1.0-py3-none-any.whl")
      .add("web-1.0-py3-none-any.whl", {"x<2"})
      .add("test-1.0-py3-none-any.whl", {"x>=2"});
  index.add("x-1.0-py3-none-any.whl").add("x-2.0-py3-none-any.whl");
  EXPECT_TRUE(std::holds_alternative<NoSolution>(make_lock(scoped_request({target("3.11")}), index)));
}

TEST(ScopeMarker, HoldsExactlyWhereAndForWhomItIsNeeded) {
  const std::vector<Target> targets = {target("3.10"), target("3.11"), target("3.11", "manylinux_2_36_aarch64")};
  const std::vector<Scopes> choices = {{}, {""}, {"extra:a"}, {"group:a"}, {"extra:a", "extra:b"}, {"", "extra:b"}};
  for (size_t code = 0; code < choices.size() * choices.size() * choices.size(); ++code) {
    const std::vector<Scopes> scopes = {choices[code % 6], choices[code / 6 % 6], choices[code / 36]};
    if (scopes[0].empty() && scopes[1].empty() && scopes[2].empty()) continue;
    const auto text = scope_marker(targets, scopes);
    ASSERT_TRUE(text.has_value());
    for (size_t i = 0; i < targets.size(); ++i) {
      for (const auto& [extras, groups] : std::vector<std::pair<Scopes, Scopes>>{
               {{}, {}}, {{"a"}, {}}, {{"b"}, {}}, {{}, {"a"}}, {{"a", "b"}, {"a"}}}) {
        bool wanted = scopes[i].count("") != 0;
        for (const std::string& name : extras) wanted = wanted || scopes[i].count("extra:" + name) != 0;
        for (const std::string& name : groups) wanted = wanted || scopes[i].count("group:" + name) != 0;
        const bool holds = text->empty() || Marker::parse(*text).evaluate(targets[i].markers(), extras, groups);
        EXPECT_EQ(holds, wanted) << *text << " for " << targets[i].label();
      }
    }
  }
}

TEST(Cutoff, IsAMomentADayOrAnAge) {
  const int64_t now = parse_utc("2026-02-10T12:00:00.500Z");
  EXPECT_EQ(cutoff_from("2026-01-31T12:00:00+02:00", now), "2026-01-31T10:00:00Z");
  EXPECT_EQ(cutoff_from("2026-01-31", now), "2026-02-01T00:00:00Z");
  for (const char* text :
       {"7 days", "7d", "1 week", "P7D", "P1W", "168h", "6 days 24 hours", "7 days ago", "P6DT24H"}) {
    EXPECT_EQ(cutoff_from(text, now), "2026-02-03T12:00:00Z") << text;
  }
  for (const char* text : {"", "soon", "7", "days", "-3 days", "1 month", "2 years", "P1M", "P", "99999999999 days",
                           "90000 weeks", "2026-13-01", "7 day s"}) {
    EXPECT_THROW(cutoff_from(text, now), Error) << text;
  }
}

TEST(LockInputDigest, CoversPoliciesScopesAndCutoffsAsWritten) {
  const LockRequest base = request_for({"a"}, {target("3.11")});
  const std::string digest = lock_input_digest(base);
  const auto differs = [&](const std::function<void(LockRequest&)>& change) {
    LockRequest other = base;
    change(other);
    return lock_input_digest(other) != digest;
  };
  EXPECT_TRUE(differs([](LockRequest& r) { r.requirements[0].scope = "extra:x"; }));
  EXPECT_TRUE(differs([](LockRequest& r) { r.requirements[0].editable = true; }));
  EXPECT_TRUE(differs([](LockRequest& r) { r.overrides = r.requirements; }));
  EXPECT_TRUE(differs([](LockRequest& r) { r.extras = {"x"}; }));
  EXPECT_TRUE(differs([](LockRequest& r) { r.groups = {"x"}; }));
  EXPECT_TRUE(differs([](LockRequest& r) { r.default_groups = {"x"}; }));
  EXPECT_TRUE(differs([](LockRequest& r) { r.selection = Selection::lowest; }));
  EXPECT_TRUE(differs([](LockRequest& r) { r.prereleases = PrereleaseMode::allow; }));
  EXPECT_TRUE(differs([](LockRequest& r) { r.no_binary = {"a"}; }));
  EXPECT_TRUE(differs([](LockRequest& r) { r.index_rules = {"no index"}; }));
  LockRequest one = base, other = base;
  one.exclude_newer = other.exclude_newer = "7 days";
  one.cutoff = "2026-01-01T00:00:00Z";
  other.cutoff = "2026-01-02T00:00:00Z";
  EXPECT_EQ(lock_input_digest(one), lock_input_digest(other));
  ProjectSettings settings;
  settings.indexes = {{"corp", "https://user:secret@corp.example/simple/", true}};
  settings.index_of = {{"a", "corp"}};
  EXPECT_EQ(index_rules(settings),
            (std::vector<std::string>{"index corp https://corp.example/simple/ pinned", "from a corp"}));
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

TEST(TargetMarkers, SayNoMoreThanTellsTheTargetsApart) {
  const std::vector<Target> targets = {target("3.11"), target("3.11", "manylinux_2_36_aarch64"),
                                       target("3.11", "win_amd64"), target("3.12", "macosx_14_0_arm64")};
  EXPECT_EQ(distinguishing_marker(targets, {true, true, false, false}), "sys_platform == 'linux'");
  EXPECT_EQ(distinguishing_marker(targets, {false, false, true, false}), "sys_platform == 'win32'");
  EXPECT_EQ(distinguishing_marker(targets, {true, true, true, false}), "python_version < '3.12'");
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
