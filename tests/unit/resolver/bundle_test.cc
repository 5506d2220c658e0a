#include "resolver/bundle/bundle.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/bundle/open.h"

namespace dae::resolver {
namespace {

Target target(const std::string& python, const std::string& platform) {
  return declared_target(python, platform);
}

LockedFile locked(const std::string& name, const std::string& bytes) {
  LockedFile out;
  out.name = name;
  out.url = "https://files.invalid/" + name;
  out.sha256 = Digest::of(bytes).hex();
  out.size_bytes = bytes.size();
  return out;
}

LockedPackage package(const std::string& name, const std::vector<LockedFile>& wheels) {
  LockedPackage out;
  out.name = name;
  out.version = "1.0";
  out.wheels = wheels;
  return out;
}

class BundleTest : public ::testing::Test {
 protected:
  BundleTest() {
    lock_.packages.push_back(package("pure", {locked("pure-1.0-py3-none-any.whl", "pure")}));
    lock_.packages.push_back(package("native", {locked("native-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", "nix"),
                                                locked("native-1.0-cp311-cp311-win_amd64.whl", "win")}));
    LockedPackage source = package("source", {});
    source.sdist = locked("source-1.0.tar.gz", "sdist");
    lock_.packages.push_back(source);
    lock_.packages.push_back(source);
    lock_.packages.back().name = "tree";
    lock_.packages.back().version = "";
    lock_.packages.back().sdist.reset();
    lock_.packages.back().directory = LockedDirectory{"lib", "", true};
    std::sort(lock_.packages.begin(), lock_.packages.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
  }

  // What is a file comes as it is; the rest is built into `built_tag` wheels.
  BundleContents collect(const std::vector<Target>& targets, const std::string& built_tag, bool build = true) {
    const BundleFetch fetch = [&](const std::vector<Selected>& selected) {
      std::vector<WheelToInstall> out;
      for (const Selected& what : selected) {
        if (what.is_wheel) {
          for (const char* bytes : {"pure", "nix", "win", "sdist"}) {
            if (Digest::of(bytes).hex() == what.file.sha256) blobs_->put(bytes);
          }
          out.push_back({what.name, what.version, what.file.name, Digest::parse(what.file.sha256), ""});
        } else {
          EXPECT_FALSE(what.directory && what.directory->editable);
          const std::string file = what.name + "-1.0-" + built_tag + ".whl";
          out.push_back({what.name, "1.0", file, blobs_->put("built " + file), "", "{\"url\":\"file:///home\"}"});
        }
      }
      return out;
    };
    const BundleInput input{lock_, render_lock(lock_), "dae test", target("3.11", "manylinux_2_36_x86_64"), build};
    return collect_bundle(plan_bundle(lock_, targets, {}), input, fetch, *blobs_);
  }

  static std::vector<std::string> paths(const BundleContents& contents) {
    std::vector<std::string> out;
    for (const BundleFile& file : contents.manifest.files) out.push_back(file.path);
    return out;
  }

  TempDir dir_;
  std::unique_ptr<BlobStore> blobs_ = open_blob_store(dir_.path() / "blobs");
  NullSink events_;
  Lock lock_;
};

TEST_F(BundleTest, HoldsTheUnionOfWhatTheTargetsSelect) {
  const Target nix = target("3.11", "manylinux_2_36_x86_64"), win = target("3.11", "win_amd64");
  const BundleContents both = collect({nix, win}, "py3-none-any");
  EXPECT_EQ(paths(both), (std::vector<std::string>{
                             "sdists/source-1.0.tar.gz", "wheels/native-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
                             "wheels/native-1.0-cp311-cp311-win_amd64.whl", "wheels/pure-1.0-py3-none-any.whl",
                             "wheels/source-1.0-py3-none-any.whl", "wheels/tree-1.0-py3-none-any.whl"}));
  EXPECT_TRUE(both.gaps.empty());
  EXPECT_EQ(paths(collect({win}, "py3-none-any")).size(), 5u);
}

TEST_F(BundleTest, TellsWhichTargetsABuiltWheelDoesNotServe) {
  const Target here = target("3.11", "manylinux_2_36_x86_64"), older = target("3.11", "manylinux_2_28_x86_64");
  const BundleContents contents = collect({here, older}, "cp311-cp311-linux_x86_64");
  ASSERT_EQ(contents.gaps.size(), 2u);
  EXPECT_EQ(contents.gaps[0].package, "source");
  EXPECT_EQ(contents.gaps[0].target, older.label());
  EXPECT_TRUE(contents.gaps[0].has_sdist);
  EXPECT_FALSE(contents.gaps[1].has_sdist);
  EXPECT_EQ(collect({here}, "py3-none-any", false).gaps.size(), 2u);
}

TEST_F(BundleTest, SaysNothingOfTheMachineItWasMadeOn) {
  const BundleContents contents = collect({target("3.11", "manylinux_2_36_x86_64")}, "py3-none-any");
  const std::string text = render_bundle_manifest(contents.manifest);
  EXPECT_EQ(text.find("/home"), std::string::npos);
  const BundleManifest again = parse_bundle_manifest(text, "bundle.json");
  EXPECT_EQ(render_bundle_manifest(again), text);
}

TEST_F(BundleTest, RequirementsNameBuiltWheelsByVersionAndDigest) {
  const BundleContents contents = collect({target("3.11", "manylinux_2_36_x86_64")}, "py3-none-any");
  std::string requirements;
  for (const TarEntry& entry : contents.entries)
    if (entry.name == "requirements.txt") requirements = entry.bytes;
  for (const char* file : {"source-1.0-py3-none-any.whl", "tree-1.0-py3-none-any.whl"}) {
    EXPECT_NE(requirements.find(Digest::of(std::string("built ") + file).hex()), std::string::npos) << requirements;
  }
  EXPECT_NE(requirements.find("tree==1.0"), std::string::npos);
  EXPECT_EQ(requirements.find(Digest::of("win").hex()), std::string::npos) << "a file that is not there";
}

TEST_F(BundleTest, FindsInAFolderWhatTheLockSelects) {
  const Target here = target("3.11", "manylinux_2_36_x86_64");
  write_bundle_folder(collect({here}, "py3-none-any"), dir_.path() / "out", false, events_);
  const OpenBundle bundle = open_bundle(dir_.path() / "out");
  const auto packages = packages_of_bundle(bundle, here, {}, dir_.path());
  ASSERT_EQ(packages.size(), 4u);
  for (const BundledPackage& one : packages) {
    EXPECT_FALSE(one.build);
    take_bundled(bundle, *one.file, *blobs_);
  }
  EXPECT_NE(packages[3].wheel.direct_url.find((dir_.path() / "lib").string()), std::string::npos);
  try {
    packages_of_bundle(bundle, target("3.11", "win_amd64"), {}, dir_.path());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("no file of `native 1.0` for python 3.11 on win_amd64"), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find(here.label()), std::string::npos);
  }
}

TEST_F(BundleTest, RefusesTwoFilesOfOneName) {
  LockedPackage other = package("pure2", {locked("pure-1.0-py3-none-any.whl", "other")});
  lock_.packages.push_back(other);
  EXPECT_THROW(plan_bundle(lock_, {target("3.11", "manylinux_2_36_x86_64")}, {}), Error);
}

TEST(RefusingTransport, LetsNothingOut) {
  const auto transport = make_refusing_transport("no network here");
  HttpRequest request;
  request.url = "http://user:secret@127.0.0.1:1/x";
  try {
    transport->send(request);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::refused);
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace dae::resolver
