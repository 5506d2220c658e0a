#include "resolver/install/unpacked_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "base/archive.h"
#include "base/error.h"
#include "base/strings.h"
#include "resolver/install/parallel.h"

namespace dae::resolver {
namespace {

constexpr std::string_view kManifestHead = "dae-wheel 1";

std::string render_manifest(const CheckedWheel& wheel) {
  std::string out = fmt::format("{}\n{}\n{}\n", kManifestHead, wheel.dist_info, wheel.data_dir);
  for (const WheelFile& file : wheel.files) {
    out += fmt::format("{} {} {} {}\n", file.executable ? 'x' : '-', file.size_bytes,
                       file.hash.empty() ? "-" : file.hash, file.path);
  }
  return out + "end\n";
}

std::optional<CheckedWheel> parse_manifest(std::string_view text) {
  const std::vector<std::string> lines = split(text, '\n');
  if (lines.size() < 5 || lines[0] != kManifestHead || lines[lines.size() - 2] != "end") return std::nullopt;
  CheckedWheel out{lines[1], lines[2], {}};
  out.files.reserve(lines.size() - 5);
  for (size_t i = 3; i + 2 < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const size_t hash_at = line.find(' ', 2) + 1;
    const size_t path_at = line.find(' ', hash_at) + 1;
    if (hash_at == 0 || path_at == 0) return std::nullopt;
    const auto size_bytes = parse_int(line.substr(2, hash_at - 3));
    if (!size_bytes) return std::nullopt;
    const std::string_view hash = line.substr(hash_at, path_at - hash_at - 1);
    out.files.push_back({std::string(line.substr(path_at)), hash == "-" ? "" : std::string(hash),
                         static_cast<uint64_t>(*size_bytes), line[0] == 'x'});
  }
  return out;
}

Path entry_dir(const StorePaths& store, const std::string& digest_hex, const std::string& cache_tag) {
  return store.unpacked / (digest_hex + "-" + cache_tag);
}

// Hardly ever imported where an application runs, and a third of the modules of the large scientific packages:
// compiling them would take a third of the time. Whoever imports one gets it compiled then, as ever.
bool is_test_module(std::string_view path) {
  return path.find("/tests/") != std::string_view::npos;
}

// Modules that will stand in site-packages.
std::vector<std::string> modules_of(const CheckedWheel& wheel) {
  std::vector<std::string> out;
  const std::string data = wheel.data_dir + "/";
  for (const WheelFile& file : wheel.files) {
    if (!file.path.ends_with(".py") || file.path == ".py" || file.path.ends_with("/.py")) continue;
    const bool in_data = !wheel.data_dir.empty() && file.path.starts_with(data);
    const std::string_view rest = std::string_view(file.path).substr(in_data ? data.size() : 0);
    if (is_test_module(file.path)) continue;
    if (!in_data || rest.starts_with("purelib/") || rest.starts_with("platlib/")) out.push_back(file.path);
  }
  return out;
}

class Unpacking {
 public:
  Unpacking(const WheelToInstall& wheel, BlobStore& blobs, const StorePaths& store)
      : wheel_(wheel), blobs_(blobs), store_(store), dir_(".unpacking-", store.unpacked) {}

  void unpack() {
    make_dirs(tree());
    try {
      unpack_archive(blobs_.path(wheel_.digest), tree());
    } catch (const Error& error) {
      // The blob's path is a digest, which tells a person nothing.
      throw Error(error.kind(), error.message(), wheel_.file_name, error.hint()).because(error.cause());
    }
    checked_ = check_wheel(tree(), wheel_.file_name, wheel_.name, wheel_.version);
    for (const WheelFile& file : checked_.files) {
      if (std::ranges::any_of(file.path, [](char c) { return c == '\n' || c == '\r' || c == '\0'; })) {
        throw Error(ErrorKind::bad_input, "a file name with a line break", wheel_.file_name);
      }
    }
  }

  CompileJob compile_job(const std::string& cache_tag) const {
    CompileJob job{tree(), modules_of(checked_)};
    // Bytecode that the wheel brings was hashed with it; compiling over it would falsify that.
    std::erase_if(job.modules,
                  [&](const std::string& module) { return exists(tree() / bytecode_path(module, cache_tag)); });
    return job;
  }

  void add_bytecode(const CompileJob& job, const std::string& cache_tag) {
    for (const std::string& module : job.modules) {
      const std::string path = bytecode_path(module, cache_tag);
      if (const auto info = file_info(tree() / path)) checked_.files.push_back({path, "", info->size_bytes, false});
    }
    std::ranges::sort(checked_.files, {}, &WheelFile::path);
  }

  void publish(const std::string& cache_tag) {
    for (const WheelFile& file : checked_.files) set_mode(tree() / file.path, file.executable ? 0555 : 0444);
    write_file_atomic(dir_.path() / "manifest", render_manifest(checked_), 0444, Durability::none);
    set_mode(dir_.path(), 0755);
    const Path final_dir = entry_dir(store_, wheel_.digest.hex(), cache_tag);
    try {
      rename_path(dir_.path(), final_dir);
    } catch (const Error&) {
      // Another process was first: its entry is as good as ours. One without a readable manifest is debris.
      if (find_unpacked(store_, wheel_.digest.hex(), cache_tag)) return;
      remove_all(final_dir);
      rename_path(dir_.path(), final_dir);
    }
  }

 private:
  Path tree() const { return dir_.path() / "tree"; }
  const WheelToInstall& wheel_;
  BlobStore& blobs_;
  const StorePaths& store_;
  TempDir dir_;
  CheckedWheel checked_;
};

void unpack_missing(const std::vector<WheelToInstall>& missing, const Interpreter& python, BlobStore& blobs,
                    const StorePaths& store, EventSink& events) {
  make_dirs(store.unpacked);
  std::vector<std::unique_ptr<Unpacking>> work(missing.size());
  Activity unpacking(events, "unpacking", "", missing.size());
  std::atomic<uint64_t> done{0};
  parallel_for(missing.size(), cpu_threads(), [&](size_t i) {
    work[i] = std::make_unique<Unpacking>(missing[i], blobs, store);
    work[i]->unpack();
    ++done;
  });
  unpacking.progress(done, missing.size());
  unpacking.finish();
  std::vector<CompileJob> jobs;
  if (store.bytecode) {
    Activity compiling(events, "compiling", "", missing.size());
    for (const auto& item : work) jobs.push_back(item->compile_job(python.cache_tag));
    compile_bytecode(jobs, python);
    compiling.finish();
  }
  // Once for all of them, before any gets its final name: after a power cut an entry is whole or not there
  // (3 % of the time of unpacking 26 wheels).
  if (store.durable) sync_file_system(store.unpacked);
  for (size_t i = 0; i < work.size(); ++i) {
    if (store.bytecode) work[i]->add_bytecode(jobs[i], python.cache_tag);
    work[i]->publish(python.cache_tag);
  }
}

}  // namespace

std::optional<StoredWheel> find_unpacked(const StorePaths& store, const std::string& digest_hex,
                                         const std::string& cache_tag) {
  const Path dir = entry_dir(store, digest_hex, cache_tag);
  const auto text = read_file_if_exists(dir / "manifest");
  auto wheel = text ? parse_manifest(*text) : std::nullopt;
  if (!wheel) return std::nullopt;
  return StoredWheel{dir / "tree", std::move(*wheel)};
}

std::vector<StoredWheel> ensure_unpacked(const std::vector<WheelToInstall>& wheels, const Interpreter& python,
                                         BlobStore& blobs, const StorePaths& store, EventSink& events) {
  std::vector<std::optional<StoredWheel>> found(wheels.size());
  std::vector<WheelToInstall> missing;
  for (size_t i = 0; i < wheels.size(); ++i) {
    found[i] = find_unpacked(store, wheels[i].digest.hex(), python.cache_tag);
    const auto same = [&](const WheelToInstall& other) { return other.digest == wheels[i].digest; };
    if (!found[i] && std::ranges::none_of(missing, same)) missing.push_back(wheels[i]);
  }
  if (!missing.empty()) unpack_missing(missing, python, blobs, store, events);
  std::vector<StoredWheel> out;
  for (size_t i = 0; i < wheels.size(); ++i) {
    if (!found[i]) found[i] = find_unpacked(store, wheels[i].digest.hex(), python.cache_tag);
    if (!found[i]) {
      throw Error(ErrorKind::io, "the unpacked wheel vanished while it was needed", wheels[i].file_name,
                  "does something clean the store while installs run?");
    }
    out.push_back(std::move(*found[i]));
  }
  return out;
}

}  // namespace dae::resolver
