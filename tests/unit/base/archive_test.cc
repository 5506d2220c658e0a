#include "base/archive.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <random>

#include "base/error.h"
#include "base/hash.h"
#include "base/process.h"

namespace dae {
namespace {

// One ustar member, made by hand: no proper tool writes the names these tests need.
std::string member(std::string_view name, char type, std::string_view content = "", std::string_view link = "",
                   uint64_t claimed_size = UINT64_MAX) {
  std::string header(512, '\0');
  const auto put = [&](size_t at, std::string_view text) { header.replace(at, text.size(), text); };
  char number[16];
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  const uint64_t size = claimed_size == UINT64_MAX ? content.size() : claimed_size;
  std::snprintf(number, sizeof number, "%011llo", static_cast<unsigned long long>(size));
  put(124, number);
  put(136, "00000000000");
  put(148, "        ");
  header[156] = type;
  put(157, link);
  put(257, std::string_view("ustar\00000", 8));
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  std::snprintf(number, sizeof number, "%06o", sum);
  put(148, std::string_view(number, 7));
  std::string out = header + std::string(content);
  out.resize((out.size() + 511) / 512 * 512, '\0');
  return out;
}

class Archive : public ::testing::Test {
 protected:
  Path tar(const std::string& members) {
    const Path path = dir_.path() / "t.tar";
    write_file_atomic(path, members + std::string(1024, '\0'), 0644, Durability::none);
    return path;
  }

  std::string refusal(const Path& archive, const ArchiveLimits& limits = {}, int strip = 0) {
    const Path out = dir_.path() / "out";
    remove_all(out);
    make_dirs(out);
    try {
      unpack_archive(archive, out, limits, strip);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input) << error.what();
      EXPECT_EQ(error.subject(), archive.string());
      return error.message();
    }
    return "accepted";
  }

  std::map<std::string, std::string> contents(const Path& archive) {
    std::map<std::string, std::string> out;
    read_archive(archive, {}, [&](const ArchiveEntry& entry, const ArchiveRead& read) {
      std::string text = entry.link_target.empty() ? "" : "-> " + entry.link_target;
      if (!entry.is_dir) read([&](std::string_view piece) { text += piece; });
      out[entry.name + (entry.executable ? "*" : "")] = text;
    });
    return out;
  }

  TempDir dir_;
};

TEST_F(Archive, RefusesNamesThatLeaveTheDestination) {
  EXPECT_EQ(refusal(tar(member("../x", '0', "a"))), "the name `../x` is not safe");
  EXPECT_EQ(refusal(tar(member("a/../../x", '0', "a"))), "the name `a/../../x` is not safe");
  EXPECT_EQ(refusal(tar(member("/etc/x", '0', "a"))), "the name `/etc/x` is not safe");
  EXPECT_EQ(refusal(tar(member("a\\b", '0', "a"))), "the name `a\\b` is not safe");
  EXPECT_EQ(refusal(tar(member("a\nb", '0', "a"))), "the name `a\\x0ab` is not safe");
  EXPECT_EQ(refusal(tar(member("a\xc2\x9b"
                               "b",
                               '0', "a"))),
            "the name `a\\xc2\\x9bb` is not safe");
  EXPECT_FALSE(exists(dir_.path() / "x"));
}

TEST_F(Archive, DropsLeadingSlashesWhereThatIsAsked) {
  ArchiveLimits limits;
  limits.drop_leading_slashes = true;
  const Path into = dir_.path() / "into";
  make_dirs(into);
  const auto unpack = [&](const Path& archive) { unpack_archive(archive, into, limits); };
  unpack(tar(member("/top/x", '0', "a") + member("///top/y", '0', "b")));
  EXPECT_EQ(read_file(into / "top/x"), "a");
  EXPECT_EQ(read_file(into / "top/y"), "b");
  EXPECT_THROW(unpack(tar(member("/../z", '0', "a"))), Error);
  EXPECT_THROW(unpack(tar(member("/", '0', "a"))), Error);
  EXPECT_THROW(unpack(tar(member("two/x", '0', "a") + member("/two/x", '0', "b"))), Error);
  EXPECT_FALSE(exists(dir_.path() / "z"));
}

TEST_F(Archive, RefusesLinksThatLeaveTheDestination) {
  EXPECT_EQ(refusal(tar(member("l", '2', "", "/etc"))), "the link `l` leaves the archive (`/etc`)");
  EXPECT_EQ(refusal(tar(member("l", '2', "", ".."))), "the link `l` leaves the archive (`..`)");
  EXPECT_EQ(refusal(tar(member("a/l", '2', "", "../../x"))), "the link `a/l` leaves the archive (`../../x`)");
  // `d/l` is the root: what reads as the root itself is its parent.
  EXPECT_EQ(refusal(tar(member("d/l", '2', "", "..") + member("m", '2', "", "d/l/.."))),
            "the link `m` leaves the archive (`d/l/..`)");
  EXPECT_EQ(refusal(tar(member("d/l", '2', "", ".."))), "accepted");
}

TEST_F(Archive, JudgesLinksAfterComponentsAreDropped) {
  EXPECT_EQ(refusal(tar(member("top/l", '2', "", "../x"))), "accepted");
  EXPECT_EQ(refusal(tar(member("top/l", '2', "", "../x")), {}, 1), "the link `l` leaves the archive (`../x`)");
  EXPECT_EQ(refusal(tar(member("a/x", '0', "1") + member("b/x", '0', "2")), {}, 1), "`x` is in it twice");
}

TEST_F(Archive, RefusesToWriteThroughALink) {
  EXPECT_EQ(refusal(tar(member("d/", '5') + member("l", '2', "", "d") + member("l/x", '0', "a"))),
            "`l/x` would be written through the link `l`");
  EXPECT_EQ(refusal(tar(member("l/x", '0', "a") + member("l", '2', "", "d"))), "`l` is in it twice");
}

TEST_F(Archive, RefusesHardLinksDevicesAndPipes) {
  EXPECT_EQ(refusal(tar(member("a", '0', "x") + member("h", '1', "", "a"))), "`h` is a hard link");
  EXPECT_EQ(refusal(tar(member("c", '3'))), "`c` is a device, pipe or socket");
  EXPECT_EQ(refusal(tar(member("b", '4'))), "`b` is a device, pipe or socket");
  EXPECT_EQ(refusal(tar(member("p", '6'))), "`p` is a device, pipe or socket");
}

TEST_F(Archive, RefusesDuplicatesAndCaseCollisions) {
  EXPECT_EQ(refusal(tar(member("a", '0', "1") + member("./a", '0', "2"))), "`a` is in it twice");
  EXPECT_EQ(refusal(tar(member("Read", '0', "1") + member("rEAD", '0', "2"))),
            "the names `Read` and `rEAD` differ only in case");
  EXPECT_EQ(refusal(tar(member("Dir/a", '0', "1") + member("dir/b", '0', "2"))),
            "the names `Dir` and `dir` differ only in case");
  EXPECT_EQ(refusal(tar(member("a", '0', "1") + member("a/b", '0', "2"))), "`a` is a file and a directory");
  EXPECT_EQ(refusal(tar(member("a/", '5') + member("a/", '5'))), "accepted");
}

TEST_F(Archive, RefusesMoreThanTheLimits) {
  ArchiveLimits limits;
  limits.entries = 2;
  const std::string three = member("a", '0', "x") + member("b", '0', "x") + member("c", '0', "x");
  EXPECT_EQ(refusal(tar(three), limits), "more than 2 entries");
  limits = {};
  limits.entry_bytes = 3;
  EXPECT_EQ(refusal(tar(member("a", '0', "1234")), limits), "an entry is larger than 3 bytes");
  limits = {};
  limits.total_bytes = 6;
  EXPECT_EQ(refusal(tar(member("a", '0', "1234") + member("b", '0', "567")), limits), "unpacks to more than 6 bytes");
}

TEST_F(Archive, RefusesABombByItsRatio) {
  const Path bomb = dir_.path() / "bomb.tar.zst";
  const TarResult made = write_tar_zst(bomb, {{"zeros", {}, std::string(80u << 20, '\0'), false, ""}}, 0);
  ASSERT_GT(made.tar_size_bytes / made.zst_size_bytes, 1000u);
  EXPECT_EQ(refusal(bomb), "unpacks to more than 1000 times its size");
}

TEST_F(Archive, RefusesTruncatedArchives) {
  const std::string whole = member("a", '0', std::string(5000, 'x'));
  const Path cut = dir_.path() / "cut.tar";
  write_file_atomic(cut, whole.substr(0, 2000), 0644, Durability::none);
  EXPECT_EQ(refusal(cut), "the archive cannot be read");
  const Path packed = dir_.path() / "whole.tar.zst";
  write_tar_zst(packed, {{"a", {}, std::string(5000, 'x') + random_hex(3000), false, ""}}, 0);
  const std::string bytes = read_file(packed);
  write_file_atomic(cut, bytes.substr(0, bytes.size() / 2), 0644, Durability::none);
  EXPECT_EQ(refusal(cut), "the archive cannot be read");
  write_file_atomic(cut, "no archive at all, just some text", 0644, Durability::none);
  EXPECT_EQ(refusal(cut), "the archive cannot be read");
}

TEST_F(Archive, UnpacksWithPlainModesWhateverTheUmaskIs) {
  const Path packed = dir_.path() / "t.tar.zst";
  write_tar_zst(
      packed,
      {{"top/bin/run", {}, "#!", true, ""}, {"top/x", {}, "text", false, ""}, {"top/l", {}, "", false, "bin/run"}}, 0);
  const Path out = dir_.path() / "out";
  make_dirs(out);
  const mode_t before = ::umask(077);
  unpack_archive(packed, out, {}, 1);
  ::umask(before);
  EXPECT_EQ(read_file(out / "x"), "text");
  EXPECT_EQ(file_info(out / "x")->mode & 07777, 0644u);
  EXPECT_EQ(file_info(out / "bin/run")->mode & 07777, 0755u);
  EXPECT_EQ(file_info(out / "bin")->mode & 07777, 0755u);
  EXPECT_EQ(read_link(out / "l"), "bin/run");
  EXPECT_EQ(read_file(out / "l"), "#!");
}

TEST_F(Archive, ReadsBackWhatItWrote) {
  const std::string deep = std::string(90, 'd') + "/" + std::string(120, 'e') + "/" + std::string(200, 'f');
  const std::string accent = "caf\xC3\xA9.txt";
  const Path file = dir_.path() / "source";
  write_file_atomic(file, std::string(1'000'000, 'z'), 0644, Durability::none);
  const Path packed = dir_.path() / "t.tar.zst";
  write_tar_zst(packed,
                {{"empty", {}, "", false, ""},
                 {deep, {}, "deep", true, ""},
                 {accent, {}, "utf", false, ""},
                 {"big", file, "", false, ""},
                 {"link", {}, "", false, accent},
                 {std::string(99, 'a') + "/" + std::string(100, 'b'), {}, "split", false, ""}},
                1'700'000'000);
  const auto found = contents(packed);
  EXPECT_EQ(found.size(), 6u);
  EXPECT_EQ(found.at("empty"), "");
  EXPECT_EQ(found.at(deep + "*"), "deep");
  EXPECT_EQ(found.at(accent), "utf");
  EXPECT_EQ(found.at("big"), std::string(1'000'000, 'z'));
  EXPECT_EQ(found.at("link"), "-> " + accent);
  EXPECT_EQ(found.at(std::string(99, 'a') + "/" + std::string(100, 'b')), "split");
}

TEST_F(Archive, TheSameEntriesGiveTheSameBytesInAnyOrder) {
  std::vector<TarEntry> entries;
  for (int i = 0; i < 200; ++i) {
    entries.push_back(
        {"d" + std::to_string(i % 7) + "/f" + std::to_string(i), {}, std::string(1000, 'q'), i % 2 == 0, ""});
  }
  const TarResult first = write_tar_zst(dir_.path() / "1", entries, 1'600'000'000);
  std::shuffle(entries.begin(), entries.end(), std::mt19937(7));
  const mode_t before = ::umask(0);
  const TarResult second = write_tar_zst(dir_.path() / "2", entries, 1'600'000'000);
  ::umask(before);
  EXPECT_EQ(first.tar_sha256, second.tar_sha256);
  EXPECT_EQ(first.zst_sha256, second.zst_sha256);
  EXPECT_EQ(first.zst_sha256, sha256_file(dir_.path() / "1").hex());
  EXPECT_EQ(first.zst_size_bytes, file_info(dir_.path() / "1")->size_bytes);
  EXPECT_NE(first.tar_sha256, write_tar_zst(dir_.path() / "3", entries, 1'600'000'001).tar_sha256);
  // Without compression it is the very tar whose digest that was.
  const TarResult plain = write_tar(dir_.path() / "4", entries, 1'600'000'000);
  EXPECT_EQ(plain.tar_sha256, first.tar_sha256);
  EXPECT_EQ(plain.tar_sha256, sha256_file(dir_.path() / "4").hex());
  EXPECT_EQ(plain.tar_size_bytes, file_info(dir_.path() / "4")->size_bytes);
  EXPECT_EQ(list_archive(dir_.path() / "4").size(), entries.size());
}

// The uncompressed bytes are an identity: they may never change.
TEST_F(Archive, TheTarOfASmallTreeHasAFixedDigest) {
  const TarResult made = write_tar_zst(
      dir_.path() / "t", {{"app.py", {}, "print('x')\n", false, ""}, {"bin/run", {}, "#!/bin/sh\n", true, ""}},
      1'700'000'000);
  EXPECT_EQ(made.tar_size_bytes, 3072u);
  EXPECT_EQ(made.tar_sha256, "e05ac5c6e14fdd15e89389ef687d02225f968d2dabaf48ebab8274a6150fef4f");
}

TEST_F(Archive, OtherToolsReadOurTar) {
  const auto tar_program = find_program("tar"), zstd_program = find_program("zstd");
  if (!tar_program || !zstd_program) GTEST_SKIP() << "needs tar and zstd";
  const std::string deep = std::string(90, 'd') + "/" + std::string(120, 'e') + "/" + std::string(200, 'f');
  write_tar_zst(dir_.path() / "t.tar.zst", {{deep, {}, "deep", true, ""}, {"a", {}, "x", false, ""}}, 1'700'000'000);
  const auto runner = make_process_runner();
  ProcessSpec spec;
  spec.cwd = dir_.path();
  spec.argv = {"zstd", "-q", "-d", "t.tar.zst", "-o", "t.tar"};
  ASSERT_EQ(runner->run(spec).exit_code, 0);
  spec.argv = {"tar", "--utc", "--full-time", "-tvf", "t.tar"};
  const ProcessResult listed = runner->run(spec);
  ASSERT_EQ(listed.exit_code, 0) << listed.err;
  EXPECT_EQ(listed.err, "");
  EXPECT_EQ(
      listed.out,
      "-rw-r--r-- 0/0               1 2023-11-14 22:13:20 a\n-rwxr-xr-x 0/0               4 2023-11-14 22:13:20 " +
          deep + "\n");
}

TEST_F(Archive, RefusesToWriteWhatItWouldNotRead) {
  EXPECT_THROW(write_tar_zst(dir_.path() / "t", {{"../x", {}, "", false, ""}}, 0), Error);
  EXPECT_THROW(write_tar_zst(dir_.path() / "t", {{"a", {}, "", false, ""}, {"A", {}, "", false, ""}}, 0), Error);
  EXPECT_THROW(write_tar_zst(dir_.path() / "t", {{"l", {}, "", false, "/etc"}}, 0), Error);
}

TEST_F(Archive, GivesOneMember) {
  const Path packed = tar(member("a/METADATA", '0', "Name: x\n") + member("b", '0', "y"));
  EXPECT_EQ(read_archive_member(packed, "a/METADATA"), "Name: x\n");
  try {
    read_archive_member(packed, "c");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
  }
  EXPECT_THROW(read_archive_member(packed, "a/METADATA", 3), Error);
  EXPECT_THROW(read_archive_member(dir_.path() / "absent", "x"), Error);
}

// A stored zip of the given members, with their names in the central directory as given.
std::string zip(const std::vector<std::pair<std::string, std::string>>& members) {
  const auto le = [](uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
    return out;
  };
  const auto crc = [](std::string_view bytes) {
    uint32_t sum = 0xFFFFFFFFu;
    for (const char c : bytes) {
      sum ^= static_cast<unsigned char>(c);
      for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ (0xEDB88320u & (0u - (sum & 1u)));
    }
    return sum ^ 0xFFFFFFFFu;
  };
  std::string out, directory;
  for (const auto& [name, bytes] : members) {
    const std::string common = le(20, 2) + le(0, 2) + le(0, 2) + le(0, 2) + le(33, 2) + le(crc(bytes), 4) +
                               le(bytes.size(), 4) + le(bytes.size(), 4) + le(name.size(), 2) + le(0, 2);
    directory += "PK\x01\x02" + le(0x0314, 2) + common + le(0, 2) + le(0, 2) + le(0, 2) + le(0100644u << 16, 4) +
                 le(out.size(), 4) + name;
    out += "PK\x03\x04" + common + name + bytes;
  }
  return out + directory + "PK\x05\x06" + le(0, 4) + le(members.size(), 2) + le(members.size(), 2) +
         le(directory.size(), 4) + le(out.size(), 4) + le(0, 2);
}

TEST_F(Archive, ReadsZipsAndRefusesHostileOnes) {
  const Path path = dir_.path() / "t.whl";
  const auto write = [&](const std::string& bytes) { write_file_atomic(path, bytes, 0644, Durability::none); };
  write(zip({{"x/a.py", "print()"}, {"x-1.dist-info/METADATA", "Name: x\n"}}));
  EXPECT_EQ(contents(path).at("x/a.py"), "print()");
  EXPECT_EQ(read_archive_member(path, "x-1.dist-info/METADATA"), "Name: x\n");
  EXPECT_EQ(list_archive(path).size(), 2u);
  write(zip({{"../x", "a"}}));
  EXPECT_EQ(refusal(path), "the name `../x` is not safe");
  write(zip({{"METADATA", "Name: x\n"}, {"METADATA", "Name: y\n"}}));
  EXPECT_EQ(refusal(path), "`METADATA` is in it twice");
  EXPECT_THROW(read_archive_member(path, "METADATA"), Error);
}

TEST_F(Archive, ADamagedZipMemberIsNotAccepted) {
  std::string bytes = zip({{"a", "content"}});
  bytes[bytes.find("content")] = 'C';
  const Path path = dir_.path() / "t.zip";
  write_file_atomic(path, bytes, 0644, Durability::none);
  EXPECT_EQ(refusal(path), "the archive cannot be read");
}

TEST_F(Archive, EntriesMayBeSkipped) {
  const Path packed = tar(member("a", '0', std::string(3000, 'x')) + member("b", '0', "y"));
  std::vector<std::string> names;
  read_archive(packed, {}, [&](const ArchiveEntry& entry, const ArchiveRead&) { names.push_back(entry.name); });
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace dae
