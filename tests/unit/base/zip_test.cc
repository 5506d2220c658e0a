#include "base/zip.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "base/error.h"
#include "zip_bytes.h"

namespace dae {
namespace {

using namespace zip_bytes;
using namespace std::string_literals;

class Zips : public ::testing::Test {
 protected:
  Path file(const std::string& bytes) {
    const Path path = dir_.path() / ("z" + std::to_string(++files_) + ".zip");
    write_file_atomic(path, bytes, 0644, Durability::none);
    return path;
  }
  ZipFile opened(const Zip& zip) { return ZipFile::open(file(make(zip)), "s.whl"); }

  // What is said of it when it is opened or else when its members are read.
  std::string refusal(const std::string& bytes, const ZipLimits& limits = {}) {
    try {
      const ZipFile zip = ZipFile::open(file(bytes), "s.whl", limits);
      for (const ZipMember& member : zip.members()) {
        zip.read(member, [](std::string_view) {});
      }
      return "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input) << error.what();
      EXPECT_EQ(error.subject(), "s.whl");
      return error.message();
    }
  }
  std::string refusal(const Zip& zip, const ZipLimits& limits = {}) { return refusal(make(zip), limits); }
  std::string refusal_of(const Member& member) { return refusal(Zip{{{"first.txt", "1"}, member, {"z.txt", "z"}}}); }
  std::string refusal_of_name(const std::string& name) { return refusal_of({name, "n", 8, 1 << 11}); }

  TempDir dir_;
  int files_ = 0;
};

TEST_F(Zips, ReadsStoredAndDeflatedMembers) {
  const std::string text(100'000, 'x');
  const ZipFile zip = opened(
      Zip{{{"a.txt", text}, {"d/b.txt", "stored", 0}, {"d/empty", ""}, {"bin/run", "#!", 8, 0, 0100755u << 16}}});
  ASSERT_EQ(zip.members().size(), 4u);
  EXPECT_EQ(zip.members()[0].name, "a.txt");
  EXPECT_EQ(zip.members()[0].size_bytes, 100'000u);
  EXPECT_LT(zip.members()[0].packed_bytes, 1000u);
  EXPECT_FALSE(zip.members()[0].executable);
  EXPECT_TRUE(zip.members()[3].executable);
  EXPECT_EQ(zip.read(zip.members()[0]), text);
  EXPECT_EQ(zip.read(*zip.find("d/b.txt")), "stored");
  EXPECT_EQ(zip.read(*zip.find("d/empty")), "");
  EXPECT_EQ(zip.find("d"), nullptr);
  EXPECT_EQ(zip.find("nothing"), nullptr);
}

TEST_F(Zips, ModesWithoutATypeMakeNothingExecutable) {
  const ZipFile zip = opened(Zip{{{"a", "1", 8, 0, 0755u << 16}, {"b", "1", 8, 0, 0100711u << 16}}});
  EXPECT_FALSE(zip.members()[0].executable);
  EXPECT_TRUE(zip.members()[1].executable);
}

TEST_F(Zips, ReadsDirectoriesAndNamesInUnicode) {
  const ZipFile zip = opened(Zip{{{"dir/", "", 0, 0, (040755u << 16) | 0x10}, {"dir/größe.txt", "u", 8, 1 << 11}}});
  EXPECT_TRUE(zip.members()[0].is_dir);
  EXPECT_EQ(zip.members()[0].name, "dir");
  EXPECT_EQ(zip.find("dir"), nullptr);
  EXPECT_EQ(zip.read(*zip.find("dir/größe.txt")), "u");
}

TEST_F(Zips, ReadsEmptyArchivesAndThoseWithAComment) {
  EXPECT_TRUE(opened({}).members().empty());
  Zip zip{{{"a", "1"}}};
  zip.comment = "made by hand";
  EXPECT_EQ(refusal(zip), "accepted");
}

TEST_F(Zips, ReadsZip64EndRecordsAndSizes) {
  Zip zip{{{"a", "one"}, {"b", "two"}}};
  zip.members[1].sizes_in_zip64 = true;
  zip.zip64 = true;
  zip.entries = 0xffff;
  zip.directory_at = 0xffffffff;
  zip.directory_at64 = make(Zip{zip.members}).rfind("PK\1\2", make(Zip{zip.members}).rfind("PK\1\2") - 1);
  zip.directory_bytes = 0xffffffff;
  const ZipFile file = opened(zip);
  EXPECT_EQ(file.read(*file.find("b")), "two");
}

TEST_F(Zips, ReadsAZip64FieldThatRepeatsTheSizesOfTheLocalHeader) {
  Member member{"a", "text", 0};
  member.local_extra = field(1, put(4, 8) + put(4, 8));
  EXPECT_EQ(refusal_of(member), "accepted");
  member.local_extra = field(1, put(4, 8) + put(5, 8));
  EXPECT_EQ(refusal_of(member), "the zip64 field of `a` does not fit its header");
}

TEST_F(Zips, ReadsDataDescriptorsOfEveryForm) {
  for (const int bytes : {12, 16, 20, 24}) {
    Member member{"a", "some text"};
    member.descriptor_bytes = bytes;
    member.sizes_in_zip64 = bytes >= 20;
    EXPECT_EQ(refusal_of(member), "accepted") << bytes;
    member.sizes_in_zip64 = bytes < 20;
    EXPECT_EQ(refusal_of(member), "the data descriptor of `a` is wrong") << bytes;
  }
}

TEST_F(Zips, MembersComeInTheOrderOfTheirBytes) {
  const std::string bytes = make(Zip{{{"b", "1", 0}, {"a", "2", 0}}});
  const size_t directory = bytes.find("PK\1\2");
  std::string turned = bytes.substr(0, directory) + bytes.substr(directory + 47, 47) + bytes.substr(directory, 47) +
                       bytes.substr(directory + 94);
  const ZipFile zip = ZipFile::open(file(turned), "s.whl");
  EXPECT_EQ(zip.members()[0].name, "b");
  EXPECT_EQ(zip.read(*zip.find("a")), "2");
}

TEST_F(Zips, LongMembersComeInPieces) {
  std::string text;
  uint32_t random = 1;
  for (size_t i = 0; i < ZipFile::kWholeBytes + 12'345; ++i) {
    random = random * 1664525 + 1013904223;
    text += static_cast<char>('a' + (random >> 24) % 16);
  }
  const ZipFile zip = opened(Zip{{{"deflated", text}, {"stored", text, 0}}});
  for (const ZipMember& member : zip.members()) {
    std::string got;
    size_t pieces = 0;
    zip.read(member, [&](std::string_view piece) {
      EXPECT_LE(piece.size(), ZipFile::kWholeBytes);
      got += piece;
      ++pieces;
    });
    EXPECT_GT(pieces, 1u);
    EXPECT_TRUE(got == text);
    EXPECT_TRUE(zip.read(member) == text);
    EXPECT_THROW(zip.read(member, 1000), Error);
  }
}

TEST_F(Zips, AMemberIsReadWhileAnotherIsHandled) {
  const ZipFile zip = opened(Zip{{{"a", "outer"}, {"b", "inner"}}});
  zip.read(zip.members()[0], [&](std::string_view outer) {
    EXPECT_EQ(zip.read(zip.members()[1]), "inner");
    EXPECT_EQ(outer, "outer");
  });
}

TEST_F(Zips, ManyThreadsReadDifferentMembers) {
  Zip made;
  for (int i = 0; i < 200; ++i) {
    made.members.push_back({"f" + std::to_string(i), std::string(static_cast<size_t>(i) * 700, static_cast<char>(i)),
                            static_cast<uint16_t>(i % 3 == 0 ? 0 : 8)});
  }
  made.members.push_back({"long", std::string(ZipFile::kWholeBytes + 1, 'l')});
  const ZipFile zip = opened(made);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (size_t i = thread % 2; i < made.members.size(); i += 2) {
        if (zip.read(*zip.find(made.members[i].name)) != made.members[i].bytes) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(Zips, RefusesWhatIsNoArchive) {
  EXPECT_EQ(refusal(""s), "it is no ZIP archive: there is no end record");
  EXPECT_EQ(refusal("hello"s), "it is no ZIP archive: there is no end record");
  EXPECT_EQ(refusal(std::string(100'000, 'x')), "it is no ZIP archive: there is no end record");
  EXPECT_THROW(ZipFile::open(dir_.path() / "absent.zip", "s.whl"), Error);
  EXPECT_THROW(ZipFile::open(dir_.path(), "s.whl"), Error);
  const Path pipe = dir_.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(ZipFile::open(pipe, "s.whl"), Error);
}

TEST_F(Zips, RefusesEveryTruncation) {
  const std::string bytes = make(Zip{{{"a", "one"}, {"b", "two", 0}}});
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_NE(refusal(bytes.substr(0, length)), "accepted") << length;
  }
}

TEST_F(Zips, RefusesBytesThatBelongToNoMember) {
  Zip zip{{{"a", "1"}}};
  zip.before = "#!/bin/sh\n";
  EXPECT_EQ(refusal(zip), "the ZIP archive begins with 10 bytes that belong to no member");
  zip = {{{"a", "1"}}};
  zip.after = "x";
  EXPECT_EQ(refusal(zip), "the end record of the ZIP archive is not at its end");
  zip = {{{"a", "1"}}};
  zip.in_front_of_end = "x";
  EXPECT_EQ(refusal(zip), "the ZIP archive's directory is not directly in front of its end record");
  Member member{"a", "1"};
  member.behind = "gap";
  EXPECT_EQ(refusal_of(member), "3 bytes behind `a` belong to no member");
  member.behind = "";
  member.descriptor_bytes = 16;
  member.behind = "gap";
  EXPECT_EQ(refusal_of(member), "the data descriptor of `a` is wrong");
}

TEST_F(Zips, RefusesMembersTheDirectoryDoesNotKnow) {
  Zip zip{{{"a", "1", 0}, {"hidden", "2", 0}, {"b", "3", 0}}};
  zip.members[1].only_local = true;
  EXPECT_EQ(refusal(zip), "37 bytes behind `a` belong to no member");
  std::swap(zip.members[0], zip.members[1]);
  EXPECT_EQ(refusal(zip), "the ZIP archive begins with 37 bytes that belong to no member");
  zip = {{{"a", "1", 0}, {"b", "3", 0}}};
  zip.entries = 1;
  EXPECT_EQ(refusal(zip), "the ZIP archive's directory has more entries than the end record says");
  zip.entries = 3;
  EXPECT_EQ(refusal(zip), "the ZIP archive's directory is damaged");
}

TEST_F(Zips, RefusesTwoEndRecords) {
  const std::string inner = make(Zip{{{"inner", "1"}}});
  Zip zip{{{"a", "1"}}};
  zip.comment = inner;
  EXPECT_EQ(refusal(zip), "the ZIP archive has two end records");
  zip.comment = "PK\5\6 is in the comment";
  EXPECT_EQ(refusal(zip), "the end record of the ZIP archive is not at its end");
  // One whose comment is the rest of the file.
  zip.comment = "";
  const std::string plain = make(zip);
  Zip wrapped{{{"a", "PK\5\6"s + std::string(16, '\0') + put(0, 2) + "tail", 0}}};
  const std::string bytes = make(wrapped);
  const size_t at = bytes.find("PK\5\6");
  wrapped.members[0].bytes.replace(20, 2, put(bytes.size() - at - 22, 2));
  EXPECT_EQ(refusal(wrapped), "the ZIP archive has two end records");
}

TEST_F(Zips, RefusesMembersThatOverlap) {
  // Two names for one run of bytes.
  Zip zip{{{"aa", "1", 0}, {"bb", "2", 0}}};
  zip.members[1].header_at = 0;
  EXPECT_EQ(refusal(zip), "`aa` overlaps what follows it");
  // A local header quoted inside another member.
  Member inner{"b", "2", 0};
  const std::string quoted = make(Zip{{inner}}).substr(0, 32);
  zip = {{{"a", quoted, 0}, {"b", "2", 0}}};
  zip.members[1].header_at = 31;
  EXPECT_EQ(refusal(zip), "`a` overlaps what follows it");
}

TEST_F(Zips, RefusesLocalHeadersThatContradictTheDirectory) {
  const auto with = [](const auto& change) {
    Member member{"a", "text"};
    change(member);
    return member;
  };
  const std::string start = "the directory and the local header of `a` disagree on its ";
  EXPECT_EQ(refusal_of(with([](Member& m) { m.local_name = "b"; })), start + "name");
  EXPECT_EQ(refusal_of(with([](Member& m) { m.local_name = "a2"; })), start + "name");
  EXPECT_EQ(refusal_of(with([](Member& m) { m.local_flags = 2; })), start + "flags");
  EXPECT_EQ(refusal_of(with([](Member& m) { m.local_flags = 8; })), start + "flags");
  EXPECT_EQ(refusal_of(with([](Member& m) { m.local_method = 0; })), start + "method");
  EXPECT_EQ(refusal_of(with([](Member& m) { m.local_crc = 1; })), start + "CRC");
  EXPECT_EQ(refusal_of(with([](Member& m) { m.local_crc = 0; })), start + "CRC");
  EXPECT_EQ(refusal_of(with([](Member& m) { m.local_size = 5; })), start + "size");
  EXPECT_EQ(refusal_of(with([](Member& m) { m.local_packed = 5; })), start + "size");
  std::string bytes = make(Zip{{{"a", "text"}}});
  bytes[0] = 'X';
  EXPECT_EQ(refusal(bytes), "`a` has no local header");
  const auto later = [&](const auto& change) {
    Member member{"a", "text"};
    member.descriptor_bytes = 16;
    change(member);
    return member;
  };
  EXPECT_EQ(refusal_of(later([](Member& m) { m.local_crc = 1; })), start + "CRC");
  EXPECT_EQ(refusal_of(later([](Member& m) { m.local_size = 1; })), start + "size");
  EXPECT_EQ(refusal_of(later([](Member& m) { m.descriptor_crc = 1; })), "the data descriptor of `a` is wrong");
  EXPECT_EQ(refusal_of(later([](Member& m) { m.method = 0; })), "`a` is stored and its size is told behind it only");
}

TEST_F(Zips, RefusesWhatItCannotUnpack) {
  EXPECT_EQ(refusal_of({"a", "1", 8, 1}), "`a` is encrypted");
  EXPECT_EQ(refusal_of({"a", "1", 8, 1 << 6}), "`a` is encrypted");
  EXPECT_EQ(refusal_of({"a", "1", 8, 1 << 13}), "`a` is encrypted");
  EXPECT_EQ(refusal_of({"a", "1", 8, 1 << 5}), "`a` has flags of unknown meaning (0x0020)");
  EXPECT_EQ(refusal_of({"a", "1", 12}), "`a` is packed by the unknown method 12");
  EXPECT_EQ(refusal_of({"a", "1", 99}), "`a` is packed by the unknown method 99");
  Zip zip{{{"a", "1"}}};
  zip.disk = 1;
  EXPECT_EQ(refusal(zip), "the ZIP archive is one of several disks");
}

TEST_F(Zips, RefusesNamesThatAreNotSafe) {
  for (const char* name :
       {"/etc/x", "../x", "a/../x", "a/..", "./a", "a//b", "a\\b", "a/./b", "C:/x", "c:x", "..", ".", "a\x7f"}) {
    EXPECT_EQ(refusal_of_name(name), "the name `"s + (name == "a\x7f"s ? "a\\x7f" : name) + "` is not safe");
  }
  EXPECT_EQ(refusal_of_name("a\0b"s), "the name `a\\x00b` is not safe");
  EXPECT_EQ(refusal_of_name("a\nb"), "the name `a\\x0ab` is not safe");
  EXPECT_EQ(refusal_of_name("a\x1b[2Jb"), "the name `a\\x1b[2Jb` is not safe");
  EXPECT_EQ(refusal_of_name("a\xff"), "the name `a\\xff` is not safe");
  EXPECT_EQ(refusal_of_name(std::string(256, 'n')), "the name `" + std::string(201, 'n') + "…` is not safe");
  EXPECT_EQ(refusal_of_name(""), "a member of the ZIP archive has no name");
  EXPECT_EQ(refusal_of({"größe", "n", 8, 0}), "the name `größe` is not ASCII and not marked as UTF-8");
  EXPECT_EQ(refusal_of({"gr\x94\xe1"
                        "e",
                        "n", 8, 0}),
            "the name `gr\\x94\\xe1e` is not ASCII and not marked as UTF-8");
}

TEST_F(Zips, RefusesASecondName) {
  Member member{"a", "1"};
  member.extra = field(0x7075, "\1" + put(crc_of("a"), 4) + "b");
  EXPECT_EQ(refusal_of(member), "`a` has a second name, `b`");
  member.local_extra = member.extra;
  member.extra = "";
  EXPECT_EQ(refusal_of(member), "`a` has a second name, `b`");
  member.local_extra = field(0x7075, "\1" + put(crc_of("a"), 4) + "a");
  member.extra = member.local_extra;
  EXPECT_EQ(refusal_of(member), "accepted");
}

TEST_F(Zips, RefusesNamesThatMeetOnADisk) {
  EXPECT_EQ(refusal(Zip{{{"a", "1"}, {"a", "2"}}}), "`a` is in it twice");
  EXPECT_EQ(refusal(Zip{{{"Read", "1"}, {"rEAD", "2"}}}), "the names `Read` and `rEAD` differ only in case");
  EXPECT_EQ(refusal(Zip{{{"D/a", "1"}, {"d/b", "2"}}}), "the names `D` and `d` differ only in case");
  EXPECT_EQ(refusal(Zip{{{"a", "1"}, {"a/b", "2"}}}), "`a` is a file and a directory");
  EXPECT_EQ(refusal(Zip{{{"a/b", "1"}, {"a", "2"}}}), "`a` is a file and a directory");
  EXPECT_EQ(refusal(Zip{{{"a/", "", 0, 0, 0}, {"a/", "", 0, 0, 0}}}), "`a` is in it twice");
  EXPECT_EQ(refusal(Zip{{{"a/b", "1"}, {"a/", "", 0, 0, 0}}}), "accepted");
}

TEST_F(Zips, RefusesLinksAndDevices) {
  EXPECT_EQ(refusal_of({"a", "/etc", 0, 0, 0120777u << 16}), "`a` is a link");
  for (const uint32_t type : {0010000u, 0020000u, 0060000u, 0140000u}) {
    EXPECT_EQ(refusal_of({"a", "", 0, 0, type << 16}), "`a` is neither a file nor a directory");
  }
  EXPECT_EQ(refusal_of({"a", "", 0, 0, 0040755u << 16}), "`a` is a file and a directory");
  EXPECT_EQ(refusal_of({"a/", "", 0, 0, 0100755u << 16}), "`a/` is a file and a directory");
  EXPECT_EQ(refusal_of({"a/", "x", 0, 0, 0}), "the directory `a/` has contents");
}

TEST_F(Zips, RefusesZip64ThatLies) {
  Zip zip{{{"a", "1"}}};
  zip.zip64 = true;
  EXPECT_EQ(refusal(zip), "the ZIP archive has a zip64 end record that its end record does not ask for");
  zip.entries = 0xffff;
  EXPECT_EQ(refusal(zip), "accepted");
  zip.entries64 = 2;
  EXPECT_EQ(refusal(zip), "the ZIP archive's directory is damaged");
  zip.entries = 1;
  EXPECT_EQ(refusal(zip), "the end record and the zip64 end record contradict each other");
  zip = {{{"a", "1"}}};
  zip.zip64 = true;
  zip.entries = 0xffff;
  zip.directory_at64 = 0;
  EXPECT_EQ(refusal(zip), "the end record and the zip64 end record contradict each other");
  Member member{"a", "1"};
  member.extra = field(1, put(1, 8));
  EXPECT_EQ(refusal_of(member), "the zip64 field of `a` does not fit its header");
  member.size = 0xffffffff;
  member.extra = field(1, put(1, 4));
  EXPECT_EQ(refusal_of(member), "the zip64 field of `a` does not fit its header");
  member.extra = field(1, put(1, 8)) + field(1, put(2, 8));
  EXPECT_EQ(refusal_of(member), "`a` has two zip64 fields");
  member.extra = field(1, put(1ull << 62, 8));
  EXPECT_EQ(refusal_of(member), "`a` unpacks to more than 4294967296 bytes");
  member.extra = "\1\0\x20\0"s;
  EXPECT_EQ(refusal_of(member), "the extra fields of `a` are damaged");
}

TEST_F(Zips, RefusesMoreThanTheLimitsBeforeUnpacking) {
  ZipLimits limits;
  limits.members = 2;
  EXPECT_EQ(refusal(Zip{{{"a", ""}, {"b", ""}, {"c", ""}}}, limits), "the ZIP archive has more than 2 members");
  limits = {};
  limits.member_bytes = 3;
  EXPECT_EQ(refusal(Zip{{{"a", "1234"}}}, limits), "`a` unpacks to more than 3 bytes");
  limits = {};
  limits.total_bytes = 6;
  EXPECT_EQ(refusal(Zip{{{"a", "1234"}, {"b", "567"}}}, limits), "the ZIP archive unpacks to more than 6 bytes");
  Member bomb{"a", "1"};
  bomb.size = 100u << 20;
  EXPECT_EQ(refusal(Zip{{bomb}}), "the ZIP archive unpacks to more than 1000 times its size");
}

TEST_F(Zips, RefusesContentsThatAreNotAsDeclared) {
  const std::string text(5000, 't'), longer(ZipFile::kWholeBytes + 5000, 't');
  for (const std::string& bytes : {text, longer}) {
    const auto size = static_cast<uint32_t>(bytes.size());
    Member member{"a", bytes};
    member.crc = 1;
    EXPECT_EQ(refusal_of(member), "`a` is damaged: its CRC does not match");
    member.method = 0;
    EXPECT_EQ(refusal_of(member), "`a` is damaged: its CRC does not match");
    member = {"a", bytes};
    member.size = size - 1;
    EXPECT_EQ(refusal_of(member), "`a` unpacks to more than it says");
    member.size = size + 1;
    EXPECT_EQ(refusal_of(member), "`a` unpacks to less than it says");
    member = {"a", bytes};
    member.packed = deflate(bytes) + "x";
    EXPECT_EQ(refusal_of(member), "`a` has bytes behind its end");
    member.packed = deflate(bytes);
    member.packed.pop_back();
    EXPECT_NE(refusal_of(member), "accepted");  // libdeflate goes on with zeros, zlib stops
    member.packed = std::string(bytes.size() / 100, '\xff');
    EXPECT_EQ(refusal_of(member), "`a` is damaged: what it holds is no deflate stream");
  }
  Member member{"a", "123", 0};
  member.size = 4;
  EXPECT_EQ(refusal_of(member), "`a` is stored, but its two sizes differ");
  member = {"a", "1"};
  for (int i = 0; i < 1000; ++i) member.packed += "\0\0\0\xff\xff"s;
  member.packed += deflate("1");
  EXPECT_EQ(refusal_of(member), "`a` is much larger packed than unpacked");
}

}  // namespace
}  // namespace dae
