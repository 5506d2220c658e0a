#pragma once
// A store of unpacked wheels and what tests ask of it.
#include <set>

#include "environment_fixture.h"
#include "resolver/install/unpacked_store.h"

namespace dae::resolver::testing {

class StoreFixture : public EnvironmentFixture {
 protected:
  std::vector<StoredWheel> unpack(const std::vector<WheelToInstall>& wheels) {
    return ensure_unpacked(wheels, python_, *blobs_, store_, events_);
  }
  StoredWheel unpack(const WheelBuilder& wheel) { return unpack({stored(wheel)}).at(0); }

  std::string tag() const { return store_tag(python_); }
  std::string layout_lib() const { return "lib/python" + python_.python_version(); }

  static std::vector<std::string> names(const std::vector<const char*>& list) { return {list.begin(), list.end()}; }
  static std::vector<std::string> files_of(const StoredWheel& wheel) { return names(read_stored_files(wheel).files); }

  // Entries alone, without the lock, the roots and the temporary directory.
  std::vector<std::string> entries() const {
    std::vector<std::string> out;
    for (const std::string& name : list_dir(store_.unpacked)) {
      if (name != "lock" && name != "roots" && name != "tmp") out.push_back(name);
    }
    return out;
  }
  std::vector<std::string> leftovers() const { return list_dir(store_.unpacked / "tmp"); }

  // The entry is what its lists and its RECORD say, and nothing else.
  static void expect_to_be_whole(const StoredWheel& wheel) {
    const StoredFiles lists = read_stored_files(wheel);
    std::set<std::string> files, dirs;
    for (const auto* list : {&lists.files, &lists.bytecode}) files.insert(list->begin(), list->end());
    for (const auto* list : {&lists.dirs, &lists.bytecode_dirs}) dirs.insert(list->begin(), list->end());
    for (const WalkEntry& entry : walk_tree(wheel.site())) {
      auto& expected = entry.info.is_dir() ? dirs : files;
      EXPECT_EQ(expected.erase(entry.relative), 1u) << entry.path;
      EXPECT_EQ(entry.info.mode & 0222, 0u) << entry.path << " is writable";
    }
    EXPECT_TRUE(files.empty() && dirs.empty());
    std::set<std::string> recorded;
    for (const RecordEntry& row : parse_record(read_file(wheel.site() / wheel.dist_info / "RECORD"), "RECORD")) {
      recorded.insert(row.path);
      if (row.hash.empty() || row.path.starts_with("../")) continue;
      EXPECT_EQ(row.hash, "sha256=" + digest_base64url(sha256_file(wheel.site() / row.path))) << row.path;
      EXPECT_EQ(row.size_bytes, file_info(wheel.site() / row.path)->size_bytes) << row.path;
    }
    for (const char* name : lists.files) EXPECT_TRUE(recorded.contains(name)) << name;
    for (const char* name : lists.bytecode) EXPECT_FALSE(recorded.contains(name)) << name;
    for (const StoredWheel::DataFile& file : wheel.data) {
      EXPECT_EQ(file.hash, "sha256=" + digest_base64url(sha256_file(wheel.dir / file.source))) << file.source;
      EXPECT_EQ(recorded.contains("../../../" + file.target), !file.rewrite) << file.target;
    }
  }
};

}  // namespace dae::resolver::testing
