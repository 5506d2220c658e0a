#include "resolver/install/store_unpack.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "resolver/install/owners.h"
#include "resolver/install/record.h"
#include "resolver/install/store_entry.h"
#include "resolver/install/store_hash.h"
#include "resolver/install/store_origin.h"

namespace dae::resolver {
namespace {

constexpr const char* kInstaller = "dae\n";
constexpr std::string_view kSite = "site/";
// A part is what a thread takes at a time: enough to forget the cost of taking it, few enough bytes that the last ones
// keep all threads busy.
constexpr uint64_t kPartBytes = 2 << 20, kFileCost = 16 << 10;
constexpr uint64_t kLongestScript = 64 << 20, kLongFile = 16 << 20;
constexpr mode_t kPlainFile = 0444, kProgram = 0555, kSealedDir = 0555;

std::string sha256_of(std::string_view bytes) {
  return "sha256=" + digest_base64url(Digest::of(bytes));
}

std::string below_site(std::string_view path) {
  return std::string(path.substr(kSite.size()));
}

}  // namespace

StoreUnpack::StoreUnpack(const WheelToInstall& wheel, const Interpreter& python, BlobStore& blobs,
                         const StorePaths& store, const Path& work)
    : wheel_(wheel), python_(python), blobs_(blobs), store_(store), dir_(work / wheel.digest.hex()) {}

size_t StoreUnpack::open() {
  to_ = Dir::open(dir_, true);
  if (store_.bytecode && link_source_entry()) return 0;
  try {
    open_archive();
  } catch (const Error& error) {
    rethrow(error);
  }
  return parts_.size();
}

void StoreUnpack::open_archive() {
  zip_ = ZipFile::open(blobs_.path(wheel_.digest), wheel_.file_name);
  checked_ = check_wheel(*zip_, wheel_.name, wheel_.version, EnvLayout("/", python_));
  for (const std::string& dir : checked_.dirs) {
    to_->make_dir(dir.c_str());
    if (dir.starts_with(kSite)) dirs_.push_back(below_site(dir));
  }
  out_.dist_info = checked_.dist_info;
  out_.entry_points = std::move(checked_.entry_points);
  plan_parts();
}

void StoreUnpack::plan_parts() {
  uint64_t cost = kPartBytes;
  for (size_t i = 0; i < checked_.files.size(); ++i) {
    if (cost >= kPartBytes) {
      parts_.emplace_back(i, i);
      cost = 0;
    }
    cost += kFileCost + std::max(checked_.files[i].member->size_bytes, checked_.files[i].member->packed_bytes);
    parts_.back().second = i + 1;
  }
}

bool StoreUnpack::is_long(size_t part) const {
  return checked_.files[parts_[part].second - 1].member->size_bytes >= kLongFile;
}

void StoreUnpack::unpack_part(size_t part) {
  try {
    for (size_t i = parts_[part].first; i < parts_[part].second; ++i) unpack_file(checked_.files[i]);
  } catch (const Error& error) {
    rethrow(error);
  }
}

void StoreUnpack::unpack_file(PlacedFile& file) {
  const ZipMember& member = *file.member;
  const bool is_script = file.path.starts_with("data/scripts/") && member.size_bytes <= kLongestScript;
  RecordHash hash(file.hash);
  OriginScan origins;
  std::optional<Dir::Writer> out;
  if (!file.path.empty()) {
    out = to_->create(file.path.c_str(), file.executable ? kProgram : kPlainFile);
    if (!out) throw_broken_wheel(fmt::format("`{}` is there twice", member.name), wheel_.file_name);
  }
  std::optional<BesideHash> beside;
  if (member.size_bytes >= kLongFile) beside.emplace(hash);
  bool is_first = true;
  zip_->read(member, [&](std::string_view piece) {
    if (beside) {
      beside->update(piece);
    } else {
      hash.update(piece);
    }
    if (!out) return;
    if (is_first && is_script && has_python_shebang(piece)) {
      const std::scoped_lock lock(mutex_);
      rewritten_.push_back(file.path);
    }
    is_first = false;
    origins.feed(piece);
    out->write(piece);
  });
  if (beside) beside->finish();
  std::string sha256 = hash.sha256_if_equal();
  if (sha256.empty())
    throw_unverified_wheel(fmt::format("`{}` is not what RECORD says", member.name), wheel_.file_name);
  file.hash = std::move(sha256);
  if (!origins.found().empty() && file.path.starts_with(kSite)) note_origins(file, origins.found());
}

void StoreUnpack::note_origins(const PlacedFile& file, const std::vector<std::string>& suffixes) {
  const std::string_view inner = std::string_view(file.path).substr(kSite.size());
  const std::string_view dir = inner.substr(0, inner.find('/') == std::string_view::npos ? 0 : inner.rfind('/'));
  for (const std::string& suffix : suffixes) {
    const auto target = resolve_origin(dir, suffix);
    // The root of site-packages holds other wheels' files as well.
    if (target && !target->empty() && std::ranges::binary_search(checked_.dirs, std::string(kSite) + *target)) {
      continue;
    }
    if (target && target->empty() && dir.empty()) continue;
    const std::scoped_lock lock(mutex_);
    movable_ = false;
  }
}

void StoreUnpack::finish_files() {
  if (!zip_) return;  // linked from an entry that has it all
  for (const PlacedFile& file : checked_.files) {
    if (!file.path.empty()) out_.size_bytes += file.member->size_bytes;
    if (file.path.starts_with(kSite)) files_.emplace_back(below_site(file.path), file.member->size_bytes);
  }
  out_.movable = movable_;
  out_.data = checked_.data;
  std::map<std::string_view, const std::string*> hashes;
  for (const PlacedFile& file : checked_.files) hashes.emplace(file.path, &file.hash);
  for (StoredWheel::DataFile& file : out_.data) {
    file.hash = *hashes.at(file.source);
    file.rewrite = std::ranges::find(rewritten_, file.source) != rewritten_.end();
  }
  write_record();
  std::ranges::sort(files_);
  std::set<StoredWheel::Top, decltype([](const auto& a, const auto& b) { return a.name < b.name; })> tops;
  for (const auto& [path, size_bytes] : files_) {
    tops.insert({path.substr(0, path.find('/')), path.find('/') != std::string::npos});
  }
  out_.tops.assign(tops.begin(), tops.end());
  zip_.reset();
}

void StoreUnpack::write_record() {
  const EnvLayout layout("/", python_);
  const std::string installer = out_.dist_info + "/INSTALLER", record = out_.dist_info + "/RECORD";
  std::vector<RecordEntry> rows{{record, "", std::nullopt}, {installer, sha256_of(kInstaller), 4}};
  for (const PlacedFile& file : checked_.files) {
    if (file.path.starts_with(kSite)) rows.push_back({below_site(file.path), file.hash, file.member->size_bytes});
  }
  for (const StoredWheel::DataFile& file : out_.data) {
    if (!file.rewrite) rows.push_back({record_relative(layout, file.target), file.hash, file.size_bytes});
  }
  const std::string text = render_record(std::move(rows));
  to_->write_new((std::string(kSite) + installer).c_str(), kInstaller, kPlainFile);
  to_->write_new((std::string(kSite) + record).c_str(), text, kPlainFile);
  files_.emplace_back(installer, 4);
  files_.emplace_back(record, text.size());
  out_.size_bytes += 4 + text.size();
}

bool StoreUnpack::link_source_entry() {
  StorePaths plain = store_;
  plain.bytecode = false;
  const auto source = find_unpacked(plain, wheel_.digest.hex(), store_tag(python_));
  if (!source || source->bytecode) return false;
  const StoredFiles lists = read_stored_files(*source);
  const Dir from = Dir::open(source->dir);
  std::set<std::string> dirs{"site", "data"};
  for (const char* dir : lists.dirs) dirs.insert(std::string(kSite) + dirs_.emplace_back(dir));
  for (const StoredWheel::DataFile& file : source->data) {
    for (Path dir = Path(file.source).parent_path(); !dir.empty(); dir = dir.parent_path()) dirs.insert(dir.string());
  }
  for (const std::string& dir : dirs) to_->make_dir(dir.c_str());
  const auto link = [&](const std::string& path) {
    if (from.hard_link(path.c_str(), *to_, path.c_str()) == Dir::Linked::done) return;
    if (from.copy(path.c_str(), *to_, path.c_str(), {kPlainFile, kProgram}) == Dir::Linked::done) return;
    throw Error(ErrorKind::io, "cannot be linked", (source->dir / path).string());
  };
  for (const char* file : lists.files) {
    link(std::string(kSite) + file);
    files_.emplace_back(file, 0);
  }
  for (const StoredWheel::DataFile& file : source->data) link(file.source);
  out_ = *source;
  return true;
}

CompileJob StoreUnpack::compile_job() {
  CompileJob job{dir_ / "site", {}};
  std::set<std::string> brought;
  for (const auto& [path, size_bytes] : files_) {
    if (path.ends_with(".pyc")) brought.insert(path);
  }
  std::set<std::string, std::less<>> known(dirs_.begin(), dirs_.end());
  for (const auto& [path, size_bytes] : files_) {
    if (!is_worth_compiling(path)) continue;
    // Bytecode that the wheel brings was hashed with it; compiling over it would falsify that.
    const std::string compiled = bytecode_path(path, python_.cache_tag);
    if (brought.contains(compiled)) continue;
    job.modules.push_back({path, size_bytes});
    std::string dir = compiled.substr(0, compiled.rfind('/'));
    if (!known.insert(dir).second) continue;
    to_->make_dir((std::string(kSite) + dir).c_str());
    bytecode_dirs_.push_back(std::move(dir));
  }
  return job;
}

void StoreUnpack::add_bytecode(const CompileJob& job) {
  const std::scoped_lock lock(mutex_);
  out_.size_bytes += job.bytecode_bytes;
  bytecode_.insert(bytecode_.end(), job.bytecode.begin(), job.bytecode.end());
}

void StoreUnpack::publish() {
  FileLists lists{dirs_, {}, bytecode_dirs_, bytecode_};
  for (const auto& [path, size_bytes] : files_) lists.files.push_back(path);
  out_.bytecode = store_.bytecode;
  std::ranges::sort(bytecode_);
  to_->write_new("files", render_file_lists(lists), kPlainFile);
  to_->write_new("manifest", render_manifest(out_), kPlainFile);
  for (const auto* dirs : {&dirs_, &bytecode_dirs_}) {
    for (const std::string& dir : *dirs) to_->set_mode((std::string(kSite) + dir).c_str(), kSealedDir);
  }
  to_->set_mode("site", kSealedDir);
  const EntryName name{wheel_.digest.hex(), store_tag(python_), store_.bytecode};
  const Path final_dir = store_.unpacked / name.text();
  for (int attempt = 0;; ++attempt) {
    try {
      return rename_path(dir_, final_dir);
    } catch (const Error&) {
      // Another process was first: its entry is as good as ours. One without a readable manifest is debris.
      if (find_unpacked(store_, name.digest_hex, name.tag)) return;
      if (attempt == 3) throw;
      try {
        rename_path(final_dir, dir_.string() + fmt::format("-old-{}", attempt));
      } catch (const Error&) {
        // Somebody else moves it out of the way.
      }
    }
  }
}

// Blobs are not flushed to the disk: after a power cut one may be half there under its name.
void StoreUnpack::rethrow(const Error& error) const {
  const bool of_contents = error.kind() == ErrorKind::bad_input || error.kind() == ErrorKind::verification;
  if (of_contents && blobs_.has(wheel_.digest) && !blobs_.verify(wheel_.digest)) {
    blobs_.remove(wheel_.digest);
    throw Error(ErrorKind::verification, "the kept file was damaged on this machine, and has been removed",
                wheel_.file_name, "run the same again: it is downloaded anew")
        .because(error.message());
  }
  // The blob's path is a digest, which tells a person nothing.
  throw Error(error.kind(), error.message(), wheel_.file_name, error.hint()).because(error.cause());
}

}  // namespace dae::resolver
