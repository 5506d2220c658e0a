#include "resolver/install/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/install/entry_points.h"
#include "resolver/install/owners.h"
#include "resolver/standards/direct_url.h"

namespace dae::resolver {
namespace {

constexpr const char* kInstaller = "dae\n";
// Files of the environment itself.
constexpr const char* kOurs[] = {"pyvenv.cfg", "dae-env.json", ".dae-lock"};

class Placing {
 public:
  Placing(const WheelToInstall& wheel, const StoredWheel& stored, const EnvLayout& layout)
      : wheel_(wheel), stored_(stored), layout_(layout), site_(layout.site_packages() + "/") {}

  WheelPlacement run() {
    for (const WheelFile& file : stored_.wheel.files) place_file(file);
    place_entry_points();
    write(site_ + stored_.wheel.dist_info + "/INSTALLER", kInstaller, false);
    // The specification wants direct_url.json for direct references, and forbids it for what comes from an index.
    if (!wheel_.direct_url.empty() || !wheel_.url.empty())
      write(site_ + stored_.wheel.dist_info + "/direct_url.json", direct_url(), false);
    std::ranges::sort(out_.files, {}, &Placement::target);
    out_.record = record();
    return std::move(out_);
  }

 private:
  void place_file(const WheelFile& file) {
    const CheckedWheel& wheel = stored_.wheel;
    // An installer's own files: what a wheel brings of them says nothing about this installation.
    for (const char* name : {"/INSTALLER", "/REQUESTED", "/direct_url.json"}) {
      if (file.path == wheel.dist_info + name) return;
    }
    if (wheel.data_dir.empty() || !file.path.starts_with(wheel.data_dir + "/")) {
      link(site_ + file.path, file, file.executable);
      return;
    }
    const std::string rest = file.path.substr(wheel.data_dir.size() + 1);
    const size_t slash = rest.find('/');
    const std::string scheme = rest.substr(0, slash), inner = rest.substr(slash + 1);
    if (scheme == "purelib" || scheme == "platlib") {
      link(site_ + inner, file, file.executable);
    } else if (scheme == "headers") {
      link(layout_.headers(distribution_of_stem()) + "/" + inner, file, file.executable);
    } else if (scheme == "scripts") {
      place_script(inner, file);
    } else {
      link(inner, file, file.executable);
    }
  }

  // Headers stand under the name as the wheel writes it, its underscores being dashes again: where pip puts them.
  std::string distribution_of_stem() const {
    return replace_all(stored_.wheel.dist_info.substr(0, stored_.wheel.dist_info.find('-')), "_", "-");
  }

  void place_script(const std::string& inner, const WheelFile& file) {
    const std::string target = "bin/" + inner;
    if (file.size_bytes < (64u << 20)) {
      const std::string text = read_file(stored_.tree / file.path);
      if (has_python_shebang(text)) {
        write(target, with_shebang(text, layout_.python()), true);
        return;
      }
    }
    link(target, file, true);
  }

  void place_entry_points() {
    const auto text = read_file_if_exists(stored_.tree / stored_.wheel.dist_info / "entry_points.txt", 16 << 20);
    if (!text) return;
    for (const EntryPoint& entry : script_entry_points(*text, wheel_.file_name)) {
      write("bin/" + entry.name, script_for(entry, layout_.python()), true);
    }
  }

  std::string direct_url() const {
    if (!wheel_.direct_url.empty()) return wheel_.direct_url;
    return render_direct_url(
        {wheel_.url.substr(0, wheel_.url.find('#')), "", DirectUrl::Archive{{{"sha256", wheel_.digest.hex()}}}});
  }

  void check_target(const std::string& target) {
    const Path path(target);
    const std::string normal = path.lexically_normal().generic_string();
    if (normal != target || target.starts_with("..") || path.is_absolute()) {
      throw Error(ErrorKind::refused, fmt::format("`{}` would be installed outside of the environment", target),
                  wheel_.file_name);
    }
    const bool ours = std::ranges::find(kOurs, target) != std::end(kOurs);
    if (ours || (path.parent_path() == "bin" && is_interpreter_name(path.filename().string()))) {
      throw Error(ErrorKind::refused, fmt::format("`{}` belongs to the environment itself", target), wheel_.file_name);
    }
  }

  // False: the wheel has it twice; the first stays, as a script of its own goes before a generated one.
  bool claim(const std::string& target) {
    check_target(target);
    return targets_.insert(target).second;
  }

  void link(const std::string& target, const WheelFile& file, bool executable) {
    if (!claim(target)) {
      throw Error(ErrorKind::bad_input, fmt::format("two files of the wheel go to `{}`", target), wheel_.file_name);
    }
    // Links share their mode: a script that is not executable in the store needs bytes of its own.
    if (executable && !file.executable) {
      out_.files.push_back({target, {}, read_file(stored_.tree / file.path), file.hash, file.size_bytes, true});
    } else {
      out_.files.push_back({target, stored_.tree / file.path, "", file.hash, file.size_bytes, executable});
    }
  }

  void write(const std::string& target, std::string bytes, bool executable) {
    if (!claim(target)) return;
    const uint64_t size_bytes = bytes.size();
    std::string hash = "sha256=" + digest_base64url(Digest::of(bytes));
    out_.files.push_back({target, {}, std::move(bytes), std::move(hash), size_bytes, executable});
  }

  std::string record() const {
    std::vector<RecordEntry> entries{{stored_.wheel.dist_info + "/RECORD", "", std::nullopt}};
    for (const Placement& file : out_.files) {
      // Bytecode may be made anew by anybody: it is listed to be removed, not to be verified.
      entries.push_back({record_relative(layout_, file.target), file.hash,
                         file.hash.empty() ? std::nullopt : std::optional(file.size_bytes)});
    }
    return render_record(std::move(entries));
  }

  const WheelToInstall& wheel_;
  const StoredWheel& stored_;
  const EnvLayout& layout_;
  const std::string site_;
  std::set<std::string> targets_;
  WheelPlacement out_;
};

}  // namespace

WheelPlacement place_wheel(const WheelToInstall& wheel, const StoredWheel& stored, const EnvLayout& layout) {
  return Placing(wheel, stored, layout).run();
}

}  // namespace dae::resolver
