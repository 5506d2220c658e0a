// The store of unpacked wheels: what an entry holds, and who makes it.
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "base/dir.h"
#include "store_fixture.h"

namespace dae::resolver {
namespace {

using dae::testing::error_of;
using testing::fancy_wheel;
using testing::StoreFixture;
using testing::WheelBuilder;

class Store : public StoreFixture {
 protected:
  static const StoredWheel::DataFile& data_of(const StoredWheel& wheel, const std::string& target) {
    return *std::ranges::find(wheel.data, target, &StoredWheel::DataFile::target);
  }
};

TEST_F(Store, AnEntryHoldsOneOfEverythingInItsPlace) {
  const StoredWheel wheel = unpack(fancy_wheel().file("ünïcode/ÿ — “x”.py", "Y = 1\n"));
  expect_to_be_whole(wheel);
  EXPECT_EQ(wheel.dist_info, "Fancy_Pkg-1.0.dist-info");
  EXPECT_TRUE(wheel.movable);
  EXPECT_FALSE(wheel.bytecode);
  EXPECT_FALSE(wheel.record_is_final());
  std::string tops;
  for (const StoredWheel::Top& top : wheel.tops) tops += top.name + (top.is_dir ? "/ " : " ");
  EXPECT_EQ(tops, "Fancy_Pkg-1.0.dist-info/ fancy/ fancy_plat.py fancy_pure.py ünïcode/ ");
  EXPECT_EQ(files_of(wheel),
            (std::vector<std::string>{"Fancy_Pkg-1.0.dist-info/INSTALLER", "Fancy_Pkg-1.0.dist-info/METADATA",
                                      "Fancy_Pkg-1.0.dist-info/RECORD", "Fancy_Pkg-1.0.dist-info/WHEEL",
                                      "Fancy_Pkg-1.0.dist-info/entry_points.txt", "fancy/__init__.py",
                                      "fancy/data, with \"quotes\".txt", "fancy/sub/deep.py", "fancy/tool.sh",
                                      "fancy_plat.py", "fancy_pure.py", "ünïcode/ÿ — “x”.py"}));
  EXPECT_EQ(names(read_stored_files(wheel).dirs),
            (std::vector<std::string>{"Fancy_Pkg-1.0.dist-info", "fancy", "fancy/sub", "ünïcode"}));
  EXPECT_EQ(read_file(wheel.site() / wheel.dist_info / "INSTALLER"), "dae\n");
  EXPECT_EQ(file_info(wheel.site() / "fancy/tool.sh")->mode & 0777, 0555u);
  EXPECT_EQ(file_info(wheel.site() / "fancy/__init__.py")->mode & 0777, 0444u);

  ASSERT_EQ(wheel.data.size(), 4u);
  EXPECT_TRUE(data_of(wheel, "bin/fancy-script").rewrite);
  EXPECT_FALSE(data_of(wheel, "bin/fancy-shell").rewrite);
  EXPECT_TRUE(data_of(wheel, "bin/fancy-shell").executable);
  EXPECT_EQ(data_of(wheel, "share/fancy/readme.txt").size_bytes, 8u);
  EXPECT_EQ(data_of(wheel, "include/site/python" + python_.python_version() + "/fancy-pkg/fancy.h").source,
            "data/headers/fancy.h");
  ASSERT_EQ(wheel.entry_points.size(), 3u);
  EXPECT_EQ(wheel.entry_points[1].object, "App.run");
}

TEST_F(Store, ARecordWithoutScriptsIsTheEnvironmentsAsItStands) {
  const StoredWheel wheel = unpack(WheelBuilder("a", "1").file("a.py", "").data("data/share/x", "x"));
  expect_to_be_whole(wheel);
  EXPECT_TRUE(wheel.record_is_final());
  std::vector<std::string> paths;
  for (const RecordEntry& row : parse_record(read_file(wheel.site() / "a-1.dist-info/RECORD"), "")) {
    paths.push_back(row.path);
  }
  EXPECT_EQ(paths, (std::vector<std::string>{"../../../share/x", "a-1.dist-info/INSTALLER", "a-1.dist-info/METADATA",
                                             "a-1.dist-info/RECORD", "a-1.dist-info/WHEEL", "a.py"}));
}

TEST_F(Store, WhatAnInstallerWritesIsNotTakenFromTheWheel) {
  const std::string info = "a-1.dist-info/";
  const StoredWheel wheel = unpack(WheelBuilder("a", "1")
                                       .file(info + "INSTALLER", "pip\n")
                                       .file(info + "REQUESTED", "")
                                       .file(info + "direct_url.json", "{}")
                                       .no_record(info + "RECORD.jws")
                                       .file(info + "RECORD.jws", "signed")
                                       .file(info + "licenses/LICENSE", "do as you like\n")
                                       .file(info + "sboms/a.json", "{}"));
  expect_to_be_whole(wheel);
  EXPECT_EQ(files_of(wheel),
            (std::vector<std::string>{info + "INSTALLER", info + "METADATA", info + "RECORD", info + "WHEEL",
                                      info + "licenses/LICENSE", info + "sboms/a.json"}));
  EXPECT_EQ(read_file(wheel.site() / info / "INSTALLER"), "dae\n");
}

TEST_F(Store, DataBelowSitePackagesJoinsTheRest) {
  const std::string packages = "/python" + python_.python_version() + "/site-packages/";
  const StoredWheel wheel = unpack(WheelBuilder("a", "1")
                                       .file("pkg/__init__.py", "")
                                       .data("data/lib" + packages + "pkg/x.py", "")
                                       .data("data/lib64" + packages + "pkg/y.py", ""));
  expect_to_be_whole(wheel);
  EXPECT_TRUE(wheel.data.empty());
  EXPECT_TRUE(exists(wheel.site() / "pkg/x.py") && exists(wheel.site() / "pkg/y.py"));
}

TEST_F(Store, LaunchersThatAWheelBringsForItsEntryPointsAreReplaced) {
  const StoredWheel wheel = unpack(WheelBuilder("a", "1")
                                       .data("scripts/tool", "#!/bin/sh\n")
                                       .data("scripts/tool.EXE", "MZ")
                                       .data("scripts/tool-script.py", "#!python\n")
                                       .data("scripts/tool.pya", "")
                                       .data("scripts/more", "#!/bin/sh\n")
                                       .data("data/bin/own", "#!/bin/sh\n")
                                       .entry_points("[console_scripts]\ntool = a:x\nother = a:x\nother = a:y\n"
                                                     "[gui_scripts]\nown = a:z\n"));
  expect_to_be_whole(wheel);
  ASSERT_EQ(wheel.entry_points.size(), 2u);
  EXPECT_EQ(wheel.entry_points[0].name, "tool");
  EXPECT_EQ(wheel.entry_points[1].name, "other");
  EXPECT_EQ(wheel.entry_points[1].object, "x");
  ASSERT_EQ(wheel.data.size(), 2u);
  EXPECT_EQ(wheel.data[0].target, "bin/more");
  EXPECT_EQ(wheel.data[1].target, "bin/own") << "no script, but a file of its own";
}

TEST_F(Store, BytecodeIsMadeOnceAndNeverOverThatOfTheWheel) {
  store_.bytecode = true;
  const std::string brought = "pkg/__pycache__/own." + python_.cache_tag + ".pyc";
  const WheelBuilder builder = WheelBuilder("a", "1")
                                   .file("pkg/__init__.py", "X = 1\n")
                                   .file("pkg/own.py", "")
                                   .file(brought, "brought")
                                   .file("pkg/broken.py", "def")
                                   .file("pkg/tests/test_a.py", "")
                                   .file("top.py", "")
                                   .data("purelib/pure/x.py", "");
  const StoredWheel wheel = unpack(builder);
  expect_to_be_whole(wheel);
  EXPECT_TRUE(wheel.bytecode);
  const StoredFiles lists = read_stored_files(wheel);
  const std::string end = "." + python_.cache_tag + ".pyc";
  EXPECT_EQ(names(lists.bytecode), (std::vector<std::string>{"__pycache__/top" + end, "pkg/__pycache__/__init__" + end,
                                                             "pure/__pycache__/x" + end}));
  EXPECT_EQ(names(lists.bytecode_dirs), (std::vector<std::string>{"pure/__pycache__", "__pycache__"}));
  EXPECT_EQ(read_file(wheel.site() / brought), "brought");
  // PEP 552: hash-based, and not checked against the source.
  EXPECT_EQ(read_file(wheel.site() / lists.bytecode[0]).substr(4, 4), std::string("\1\0\0\0", 4));
}

TEST_F(Store, ManyModulesAreCompiledInBatches) {
  store_.bytecode = true;
  std::vector<WheelToInstall> wheels;
  for (const int modules : {0, 1, 399, 450, 3}) {
    WheelBuilder builder("a" + std::to_string(modules), "1");
    for (int i = 0; i < modules; ++i) builder.file("m" + std::to_string(i) + ".py", "X = 1\n");
    wheels.push_back(stored(builder));
  }
  std::vector<size_t> compiled;
  for (const StoredWheel& wheel : unpack(wheels)) {
    expect_to_be_whole(wheel);
    compiled.push_back(read_stored_files(wheel).bytecode.size());
  }
  EXPECT_EQ(compiled, (std::vector<size_t>{0, 1, 399, 450, 3}));
}

TEST_F(Store, LongerHashesInRecordAreComparedAndReplaced) {
  const auto row = [](Sha512::Length length, const std::string& bytes) {
    Sha512 hash(length);
    hash.update(bytes);
    return (length == Sha512::Length::bits_512 ? "sha512=" : "sha384=") + base64url_nopad(hash.finish_bytes()) + ",";
  };
  using Length = Sha512::Length;
  const WheelBuilder builder = WheelBuilder("a", "1").file("a.py", "X = 1\n").data("data/share/x", "x");
  const std::string x = row(Length::bits_384, "x");
  expect_to_be_whole(unpack(
      WheelBuilder(builder).record("a.py", row(Length::bits_512, "X = 1\n") + "6").record("a-1.data/data/share/x", x)));
  for (const Length length : {Length::bits_512, Length::bits_384}) {
    const WheelToInstall wrong = stored(WheelBuilder(builder).record("a.py", row(length, "X = 2\n") + "6"));
    EXPECT_EQ(error_of([&] { unpack({wrong}); }).kind(), ErrorKind::verification);
  }
}

TEST_F(Store, BytecodeIsAddedToAnEntryWithoutUnpackingAgain) {
  const WheelToInstall wheel = stored(fancy_wheel());
  const StoredWheel source = unpack({wheel}).at(0);
  blobs_->remove(wheel.digest);
  store_.bytecode = true;
  const StoredWheel compiled = unpack({wheel}).at(0);
  expect_to_be_whole(compiled);
  EXPECT_EQ(entries(),
            (std::vector<std::string>{wheel.digest.hex() + "-" + tag(), wheel.digest.hex() + "-" + tag() + "-source"}));
  EXPECT_EQ(read_stored_files(compiled).bytecode.size(), 4u);
  EXPECT_EQ(file_info(source.site() / "fancy/sub/deep.py")->inode,
            file_info(compiled.site() / "fancy/sub/deep.py")->inode);
  EXPECT_EQ(read_file(source.site() / source.dist_info / "RECORD"),
            read_file(compiled.site() / source.dist_info / "RECORD"));
  EXPECT_GT(compiled.size_bytes, source.size_bytes);
  EXPECT_EQ(compiled.data.size(), 4u);
  EXPECT_EQ(compiled.entry_points.size(), 3u);
  // Who wants none takes that without where there is one, else either.
  store_.bytecode = false;
  EXPECT_EQ(find_unpacked(store_, wheel.digest.hex(), tag())->dir, source.dir);
  remove_all(source.dir);
  EXPECT_EQ(find_unpacked(store_, wheel.digest.hex(), tag())->dir, compiled.dir);
}

TEST_F(Store, AFileLargerThanMemoryShouldHoldIsWrittenInPieces) {
  std::string bytes;
  for (int i = 0; bytes.size() < (17u << 20); ++i) bytes += std::to_string(i) + "\n";
  const StoredWheel wheel = unpack(WheelBuilder("a", "1").file("big.txt", bytes));
  expect_to_be_whole(wheel);
  EXPECT_EQ(sha256_file(wheel.site() / "big.txt"), Digest::of(bytes));
  const std::string other = "sha256=" + digest_base64url(Digest::of(bytes + "x"));
  const WheelToInstall wrong = stored(WheelBuilder("a", "2").file("big.txt", bytes).record("big.txt", other + ","));
  EXPECT_EQ(error_of([&] { unpack({wrong}); }).kind(), ErrorKind::verification);
}

TEST_F(Store, ManySmallFilesAreUnpackedByAllThreads) {
  WheelBuilder builder("a", "1");
  for (int i = 0; i < 1000; ++i) {
    builder.file("pkg" + std::to_string(i % 7) + "/m" + std::to_string(i) + ".py", std::to_string(i));
  }
  const StoredWheel wheel = unpack(builder);
  expect_to_be_whole(wheel);
  EXPECT_EQ(read_stored_files(wheel).files.size(), 1004u);
}

TEST_F(Store, AnEntryWithoutAReadableManifestIsMadeAnew) {
  const WheelToInstall wheel = stored(fancy_wheel());
  const StoredWheel before = unpack({wheel}).at(0);
  const std::string manifest = read_file(before.dir / "manifest");
  for (const std::string& damaged : {std::string(), manifest.substr(0, manifest.size() / 2), "x" + manifest,
                                     manifest + "more\n", std::string(manifest.size(), '\0')}) {
    write_file_atomic(before.dir / "manifest", damaged);
    EXPECT_FALSE(find_unpacked(store_, wheel.digest.hex(), tag()));
    expect_to_be_whole(unpack({wheel}).at(0));
    EXPECT_EQ(read_file(before.dir / "manifest"), manifest);
    EXPECT_TRUE(leftovers().empty());
  }
  write_file_atomic(before.dir / "files", "dae-wheel-files 2");
  EXPECT_THROW(read_stored_files(before), Error);
}

TEST_F(Store, ADamagedBlobIsRemovedAndTheUserTold) {
  const WheelToInstall wheel = stored(fancy_wheel());
  const Path path = blobs_->path(wheel.digest);
  std::string bytes = read_file(path);
  bytes[bytes.find("PURE = 1")] = 'X';
  set_mode(path, 0644);
  write_file_atomic(path, bytes);
  const Error error = error_of([&] { unpack({wheel}); });
  EXPECT_EQ(error.kind(), ErrorKind::verification);
  EXPECT_EQ(error.subject(), wheel.file_name);
  EXPECT_NE(error.message().find("damaged on this machine"), std::string::npos) << error.what();
  EXPECT_FALSE(blobs_->has(wheel.digest));
  EXPECT_TRUE(entries().empty() && leftovers().empty());
  unpack(fancy_wheel());  // its bytes are put again
}

TEST_F(Store, AMissingBlobIsToldByTheWheelsName) {
  WheelToInstall wheel = stored(fancy_wheel());
  blobs_->remove(wheel.digest);
  EXPECT_EQ(error_of([&] { unpack({wheel}); }).subject(), wheel.file_name);
}

TEST_F(Store, TheFirstWrongWheelByNameIsToldAndTheOthersStay) {
  const auto wrong = [&](const std::string& name) {
    return stored(WheelBuilder(name, "1").file("x.py", "").no_record("x.py"));
  };
  Unpacker unpacker(python_, *blobs_, store_, events_);
  for (const WheelToInstall& wheel : {wrong("zebra"), stored(WheelBuilder("good", "1")), wrong("cat"), wrong("dog"),
                                      stored(WheelBuilder("fine", "1"))}) {
    unpacker.add(wheel);
    unpacker.add(wheel);
  }
  EXPECT_EQ(error_of([&] { unpacker.finish(); }).subject(), "cat-1-py3-none-any.whl");
  EXPECT_EQ(entries().size(), 2u);
  EXPECT_TRUE(leftovers().empty());
  unpacker.finish();
  unpack(WheelBuilder("good", "1"));
}

TEST_F(Store, AnUnpackerThatIsNotFinishedLeavesNothing) {
  store_.bytecode = true;
  {
    Unpacker unpacker(python_, *blobs_, store_, events_);
    for (int i = 0; i < 20; ++i) unpacker.add(stored(WheelBuilder("a" + std::to_string(i), "1").file("a.py", "")));
  }
  EXPECT_TRUE(entries().empty() && leftovers().empty());
}

TEST_F(Store, ThreadsUnpackTheSameWheelsAtOnce) {
  std::vector<WheelToInstall> wheels;
  for (int i = 0; i < 10; ++i) {
    wheels.push_back(stored(WheelBuilder("a" + std::to_string(i), "1").file("pkg/a.py", "X = 1\n").file("b", "")));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (const StoredWheel& wheel : ensure_unpacked(wheels, python_, *blobs_, store_, events_)) {
        EXPECT_TRUE(exists(wheel.site() / "pkg/a.py"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(entries().size(), 10u);
  EXPECT_TRUE(leftovers().empty());
  for (const StoredWheel& wheel : unpack(wheels)) expect_to_be_whole(wheel);
}

TEST_F(Store, ProcessesUnpackTheSameWheelsAtOnce) {
  store_.bytecode = true;
  std::vector<WheelToInstall> wheels;
  for (int i = 0; i < 4; ++i) {
    wheels.push_back(stored(WheelBuilder("a" + std::to_string(i), "1").file("pkg/a.py", "X = 1\n").file("b", "")));
  }
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    children.push_back(fork());
    if (children.back() != 0) continue;
    try {
      _exit(unpack(wheels).size() == 4 ? 0 : 1);
    } catch (const std::exception& error) {
      fprintf(stderr, "in the child: %s\n", error.what());
      _exit(2);
    }
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(entries().size(), 4u);
  EXPECT_TRUE(leftovers().empty());
  for (const StoredWheel& wheel : unpack(wheels)) expect_to_be_whole(wheel);
}

TEST_F(Store, ADurableOneIsTheSame) {
  store_.durable = store_.bytecode = true;
  expect_to_be_whole(unpack(fancy_wheel()));
}

TEST_F(Store, AnInterpreterWithoutTheLockHasEntriesOfItsOwn) {
  Interpreter free = python_;
  free.free_threaded = true;
  EXPECT_EQ(store_tag(free), python_.cache_tag + "t");
  EXPECT_EQ(store_tag(python_), python_.cache_tag);
}

}  // namespace
}  // namespace dae::resolver
