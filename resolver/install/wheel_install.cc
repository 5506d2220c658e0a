#include "resolver/install/wheel_install.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>

#include "base/error.h"
#include "resolver/install/parallel.h"
#include "resolver/install/record.h"

namespace dae::resolver {
namespace {

constexpr const char* kSplit = ".dae-split.tmp";
constexpr const char* kRecordPart = ".dae-record.tmp";

bool is_below(const Path& dir, const std::string& path) {
  return path.starts_with(dir.string() + "/");
}

}  // namespace

// A wheel that is being installed.
struct WheelLinker::Source {
  const StoredWheel& stored;
  std::vector<GeneratedFile> generated;
  std::string record = stored.dist_info + "/RECORD";
  mutable std::map<std::string, RecordEntry> rows = {};
  mutable std::optional<Dir> open_entry = {}, open_site = {};

  const Dir& entry() const { return open_entry ? *open_entry : open_entry.emplace(Dir::open(stored.dir)); }
  const Dir& site() const { return open_site ? *open_site : open_site.emplace(Dir::open(stored.site())); }
  // There may be hundreds of wheels at a time, and not as many open directories.
  void close() const {
    open_entry.reset();
    open_site.reset();
  }

  // What RECORD says of a file of site/; null for bytecode.
  const RecordEntry* row(const std::string& name) const {
    if (rows.empty()) {
      const Path path = stored.site() / record;
      for (const RecordEntry& one : parse_record(read_file(path), path.string())) rows.emplace(one.path, one);
    }
    const auto found = rows.find(name);
    return found == rows.end() ? nullptr : &found->second;
  }
};

WheelLinker::WheelLinker(const EnvLayout& layout, const StorePaths& store, Owners& owners, bool repair)
    : layout_(layout),
      store_(std::filesystem::absolute(store.unpacked).lexically_normal()),
      wanted_(store.link_mode),
      bytecode_(store.bytecode),
      threads_(store.link_threads),
      owners_(owners),
      conflicts_(layout, owners, repair),
      files_(wanted_ == LinkMode::symlink ? LinkMode::automatic : wanted_),
      root_(Dir::open(layout.root)),
      site_(Dir::open(layout.root / layout.site_packages(), true)) {}

void WheelLinker::install(const std::vector<Job>& jobs, const std::function<void(size_t)>& on_done) {
  size_t done = 0;
  const auto count = [&] { on_done(++done); };
  if (wanted_ != LinkMode::symlink) return install_together(jobs, count);
  // Links to directories become directories on the way: each wheel has to see what the one before has left.
  for (const Job& job : jobs) install_together({job}, count);
}

void WheelLinker::install_together(const std::vector<Job>& jobs, const std::function<void()>& on_done) {
  std::vector<Source> sources;
  for (const Job& job : jobs) sources.push_back({job.stored, generated_files(job.wheel, job.stored, layout_)});
  std::vector<LinkWork::Wheel> wheels;
  for (const Source& source : sources) {
    owners_.expect(source.stored.dist_info);
    put_record(source);
    source.close();
    wheels.push_back({&source.stored, &source.generated, !by_symlink(source.stored)});
  }
  const LinkWork work(wheels, bytecode_, files_.mode() != LinkMode::hardlink);
  const std::vector<Rest> rest = link_pieces(sources, work, on_done);
  for (size_t i = 0; i < sources.size(); ++i) {
    const Source& source = sources[i];
    owners_.learn(source.stored.dist_info);
    if (by_symlink(source.stored)) {
      link_tops(source);
      for (const StoredWheel::DataFile& file : source.stored.data) link_data_file(source, file);
    }
    for (const auto& [is_data, index] : rest[i]) {
      if (is_data) {
        link_data_file(source, source.stored.data[index]);
      } else {
        link_site_file(source, work.names(i)[index]);
      }
    }
    write_generated(source);
    source.close();
  }
}

std::vector<WheelLinker::Rest> WheelLinker::link_pieces(const std::vector<Source>& sources, const LinkWork& work,
                                                        const std::function<void()>& on_done) {
  const std::vector<LinkPiece>& pieces = work.pieces();
  std::vector<Rest> of_piece(pieces.size()), out(sources.size());
  std::vector<size_t> missing(sources.size());
  for (const LinkPiece& piece : pieces) ++missing[piece.wheel];
  std::mutex mutex;
  for (const size_t count : missing) {
    if (count == 0) on_done();
  }
  parallel_for(pieces.size(), threads_ != 0 ? threads_ : work.threads(), [&](size_t i) {
    link_piece(sources[pieces[i].wheel], work, pieces[i], of_piece[i]);
    const std::scoped_lock lock(mutex);
    if (--missing[pieces[i].wheel] == 0) on_done();
  });
  for (size_t i = 0; i < pieces.size(); ++i) {
    Rest& rest = out[pieces[i].wheel];
    rest.insert(rest.end(), of_piece[i].begin(), of_piece[i].end());
  }
  std::ranges::for_each(out, [](Rest& rest) { std::ranges::sort(rest); });
  return out;
}

// In any thread. What two wheels want, or what stands there already, is the rest.
void WheelLinker::link_piece(const Source& source, const LinkWork& work, const LinkPiece& piece, Rest& rest) {
  const StoredWheel& stored = source.stored;
  const Dir from = Dir::open(piece.data ? stored.dir : stored.site());
  DirTrail trail;
  for (size_t i = piece.begin; i < piece.end; ++i) {
    const char* name = piece.data ? stored.data[i].source.c_str() : work.names(piece.wheel)[i];
    const char* target = piece.data ? stored.data[i].target.c_str() : name;
    if (piece.data ? stored.data[i].rewrite : name == source.record) continue;
    if (work.is_shared(piece, target)) {
      rest.emplace_back(piece.data, i);
      continue;
    }
    trail.enter(target, [&](const char* dir) {
      if (piece.data) {
        root_.make_dir(dir);
      } else {
        need_dir(dir);
      }
    });
    if (files_.put(from, name, piece.data ? root_ : site_, target) == Dir::Linked::taken) {
      rest.emplace_back(piece.data, i);
    }
  }
}

void WheelLinker::put_record(const Source& source) {
  const std::string& dir = source.stored.dist_info;
  if (source.generated.empty() && by_symlink(source.stored)) return link_entry(source, dir, true);
  need_dir(dir.c_str());
  // Half a RECORD could not be read by whoever has to remove what it lists.
  const std::string part = dir + "/" + kRecordPart;
  const auto put = [&] {
    if (source.generated.empty()) return files_.put(source.site(), source.record.c_str(), site_, part.c_str());
    return site_.write_new(part.c_str(), record_with(source.stored, source.generated, layout_), 0644);
  };
  if (put() != Dir::Linked::done) {
    site_.remove(part.c_str());  // of a run that was killed
    put();
  }
  site_.rename(part.c_str(), source.record.c_str());
}

void WheelLinker::link_tops(const Source& source) {
  for (const StoredWheel::Top& top : source.stored.tops) {
    if (top.name != source.stored.dist_info) {
      link_entry(source, top.name, top.is_dir);
    } else if (!source.generated.empty()) {
      link_children(source, top.name);
    }
  }
}

// One link for a file or a whole directory; a directory that others have too becomes one of links.
void WheelLinker::link_entry(const Source& source, const std::string& name, bool is_dir) {
  if (symlinks_.put(source.site(), name.c_str(), site_, name.c_str()) == Dir::Linked::done) return;
  if (!is_dir) return settle_site(source, name);
  need_dir(name.c_str());
  link_children(source, name);
}

void WheelLinker::link_children(const Source& source, const std::string& name) {
  for (const std::string& child : source.site().list(name.c_str())) {
    const std::string path = name + "/" + child;
    const auto info = source.site().info(path.c_str());
    link_entry(source, path, info && info->is_dir());
  }
}

void WheelLinker::link_site_file(const Source& source, const char* name) {
  DirTrail().enter(name, [&](const char* dir) { need_dir(dir); });
  if (files_.put(source.site(), name, site_, name) == Dir::Linked::taken) settle_site(source, name);
}

void WheelLinker::link_data_file(const Source& source, const StoredWheel::DataFile& file) {
  if (file.rewrite) return;  // it is among the generated
  FileLinker& linker = by_symlink(source.stored) ? symlinks_ : files_;
  need_parents(file.target);
  const auto put = [&] { return linker.put(source.entry(), file.source.c_str(), root_, file.target.c_str()); };
  if (put() == Dir::Linked::taken) settle(source, file.target, file.hash, file.size_bytes, put);
}

void WheelLinker::write_generated(const Source& source) {
  for (const GeneratedFile& file : source.generated) {
    need_parents(file.target);
    const auto put = [&] { return root_.write_new(file.target.c_str(), file.bytes, file.executable ? 0755 : 0644); };
    if (put() == Dir::Linked::taken) settle(source, file.target, file.hash, file.bytes.size(), put);
  }
}

void WheelLinker::settle_site(const Source& source, const std::string& name) {
  if (name == source.record) return;  // it was the first
  FileLinker& linker = by_symlink(source.stored) ? symlinks_ : files_;
  const auto put = [&] { return linker.put(source.site(), name.c_str(), site_, name.c_str()); };
  const RecordEntry* row = source.row(name);
  if (row != nullptr) {
    return settle(source, layout_.site_packages() + "/" + name, row->hash, row->size_bytes.value_or(0), put);
  }
  site_.remove(name.c_str());  // bytecode: whoever made it, ours is as good
  put();
}

void WheelLinker::settle(const Source& source, const std::string& target, const std::string& hash, uint64_t size_bytes,
                         const std::function<Dir::Linked()>& put) {
  if (conflicts_.settle(target, hash, size_bytes, source.stored.dist_info) == Conflicts::Verdict::keep) return;
  root_.remove(target.c_str());
  put();
}

bool WheelLinker::restore(const WheelToInstall& wheel, const StoredWheel& stored, const std::string& target) {
  const std::string site = layout_.site_packages() + "/";
  FileLinker& linker = by_symlink(stored) ? symlinks_ : files_;
  root_.remove(target.c_str());
  for (const GeneratedFile& file : generated_files(wheel, stored, layout_)) {
    if (file.target == target) {
      root_.write_new(target.c_str(), file.bytes, file.executable ? 0755 : 0644);
      return true;
    }
  }
  for (const StoredWheel::DataFile& file : stored.data) {
    if (file.target == target && !file.rewrite) {
      linker.put(Dir::open(stored.dir), file.source.c_str(), root_, target.c_str());
      return true;
    }
  }
  if (!target.starts_with(site) || !file_info(stored.site() / target.substr(site.size()))) return false;
  const std::string name = target.substr(site.size());
  linker.put(Dir::open(stored.site()), name.c_str(), site_, name.c_str());
  return true;
}

LinkMode WheelLinker::mode() const {
  if (symlinks_.used()) return symlinks_.mode();
  return files_.used() ? files_.mode() : LinkMode::automatic;
}

// A real directory of site-packages, whatever stood there. From any thread.
void WheelLinker::need_dir(const char* name) {
  if (site_.make_dir(name)) return;
  const auto info = site_.info(name);
  if (!info || !info->is_dir()) make_way_for_dir(name);
}

void WheelLinker::make_way_for_dir(const char* name) {
  const std::scoped_lock lock(split_mutex_);
  const auto info = site_.info(name);
  if (info && info->is_dir()) return;  // another thread was here
  const auto leads_to = site_.read_link(name);
  if (!leads_to) refuse("a file is in the way of a directory", site_.path() / name);
  const auto behind = file_info(*leads_to);
  if (!is_below(store_, *leads_to) || (behind && !behind->is_dir())) {
    refuse("a link is in the way of a directory", site_.path() / name);
  }
  split(name, *leads_to);
}

// Instead of the link to another wheel's directory, a directory of links to what is in it. Exchanged in one step:
// at every moment that wheel is whole.
void WheelLinker::split(const std::string& name, const std::string& leads_to) {
  remove_all(site_.path() / kSplit);
  site_.make_dir(kSplit);
  if (exists(leads_to)) {
    for (const std::string& child : Dir::open(leads_to).list(".")) {
      site_.symlink(leads_to + "/" + child, (std::string(kSplit) + "/" + child).c_str());
    }
  }
  if (!site_.exchange(kSplit, name.c_str())) {
    remove_all(site_.path() / kSplit);
    throw Error(ErrorKind::refused, "two wheels share it, and this file system cannot exchange a link for a directory",
                site_.path() / name, "use another link mode");
  }
  site_.remove(kSplit);
}

void WheelLinker::need_parents(const std::string& target) {
  const size_t end = target.rfind('/');
  if (end == std::string::npos || !made_.insert(target.substr(0, end)).second) return;
  for (size_t slash = target.find('/'); slash != std::string::npos; slash = target.find('/', slash + 1)) {
    root_.make_dir(target.substr(0, slash).c_str());
  }
}

void WheelLinker::refuse(const std::string& what, const Path& path) const {
  throw Error(ErrorKind::refused, what, path.string(), "remove it, or the environment; the next install makes it anew");
}

}  // namespace dae::resolver
