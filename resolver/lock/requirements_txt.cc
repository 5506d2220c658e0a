#include "resolver/lock/requirements_txt.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/lock/requirements_txt_lines.h"
#include "resolver/lock/requirements_txt_options.h"
#include "resolver/lock/requirements_txt_settings.h"
#include "resolver/lock/requirements_txt_source.h"

namespace dae::resolver {

namespace {

constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxFiles = 1000;  // a file may be included twice: thirty that include the next one twice are 2^30
constexpr uint64_t kMaxBytes = 4ull << 20;

// "sha256:ab…" in lower case; pip takes no weaker ones.
std::string checked_hash(const OptionUse& use) {
  const size_t colon = use.value.find(':');
  const std::string algorithm = use.value.substr(0, colon);
  const size_t digits = algorithm == "sha256" ? 64 : algorithm == "sha384" ? 96 : algorithm == "sha512" ? 128 : 0;
  if (colon == std::string::npos || digits == 0) {
    fail_at(use.value_offset, fmt::format("`{}` is no hash that can be checked", use.value.substr(0, 60)),
            "write `--hash=sha256:…`; sha384 and sha512 are known too");
  }
  const std::string hex = lower(std::string_view(use.value).substr(colon + 1));
  if (hex.size() != digits || hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
    fail_at(use.value_offset + colon + 1, fmt::format("a {} has {} hexadecimal digits", algorithm, digits));
  }
  return algorithm + ":" + hex;
}

class RequirementsReader {
 public:
  RequirementsReader(ProjectFile& out, const Path& main) : out_(out), app_dir_(main.parent_path()) {
    if (app_dir_.empty()) app_dir_ = ".";
  }

  void read(const Path& path, const std::string& label, std::string_view bytes, bool constraints) {
    const DecodedFile file = decode_requirements_file(bytes, label);
    const File previous = std::exchange(file_, {path, label, constraints});
    open_.push_back(normal(path));
    labels_.push_back(label);
    for (const LogicalLine& line : logical_lines(file.text)) {
      if (!line.text.empty()) read_line(line);
    }
    labels_.pop_back();
    open_.pop_back();
    file_ = previous;
  }

  void finish() {
    settings_.finish(out_.settings);
    if (!out_.settings.require_hashes) return;
    for (const RootRequirement& root : out_.requirements) {
      if (out_.hashes.contains(root.requirement.key) || root.requirement.url.find("#sha256=") != std::string::npos) {
        continue;
      }
      const std::string& name = root.requirement.name;
      throw Error(ErrorKind::bad_input,
                  fmt::format("`--require-hashes` asks for hashes, {} has none",
                              name.empty() ? "this requirement" : "`" + name + "`"),
                  root.origin, "`dae export` writes a file with all of them");
    }
  }

 private:
  struct File {
    Path path;
    std::string label;
    bool constraints = false;
  };

  static std::string normal(const Path& path) {
    std::error_code ignored;
    return std::filesystem::weakly_canonical(path, ignored).string();
  }

  std::string place(const LogicalLine& line, size_t offset) const {
    const Position position = line.position_of(offset);
    return fmt::format("{}:{}:{}", file_.label, position.line, position.column);
  }

  void read_line(const LogicalLine& written) {
    const LogicalLine line = with_variables(written);
    try {
      refuse_control_characters(line.text);
      const SplitLine split = split_line(line.text);
      if (split.requirement.empty()) {
        for (const OptionUse& use : split.options) option(line, written, use);
      } else {
        add(line, requirement_of_line(split.requirement, places()), false, split.options);
      }
    } catch (const Error& error) {
      if (!error.subject().empty() && error.message().find("column ") != 0) throw;  // has its place already
      const LineFault fault = line_fault(error);
      // The texts of the parsers quote what they read, and that may be a password.
      if (line.has_values) {
        throw Error(ErrorKind::bad_input, "this is not understood with the values of its variables",
                    place(line, fault.offset));
      }
      throw Error(error.kind(), fault.message, place(line, fault.offset), fault.hint);
    }
  }

  static void refuse_control_characters(std::string_view text) {
    for (size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if ((byte < 0x20 && byte != '\t') || byte == 0x7f) fail_at(i, "a control character");
    }
  }

  PathPlaces places() const {
    const Path dir = file_.path.parent_path();
    return {app_dir_, dir.empty() ? Path(".") : dir};
  }

  void option(const LogicalLine& line, const LogicalLine& written, const OptionUse& use) {
    if (use.name == "--requirement" || use.name == "--constraint") {
      include(line, written, use);
    } else if (use.name == "--editable") {
      Requirement requirement;
      try {
        requirement = editable_requirement(use.value, places());
      } catch (const Error& error) {
        const LineFault fault = line_fault(error);
        fail_at(use.value_offset + fault.offset, fault.message, fault.hint);
      }
      if (!use.marker.empty()) requirement.marker = marker_of(use);
      add(line, std::move(requirement), true, {});
    } else if (use.name == "--hash") {
      fail_at(use.offset, "`--hash` belongs behind a requirement");
    } else if (const std::string warning = settings_.apply(use, file_.path, out_.settings); !warning.empty()) {
      out_.warnings.push_back(place(line, use.offset) + ": " + warning);
    }
  }

  static Marker marker_of(const OptionUse& use) {
    try {
      return Marker::parse(use.marker);
    } catch (const Error& error) {
      const LineFault fault = line_fault(error);
      fail_at(use.marker_offset + fault.offset, fault.message, fault.hint);
    }
  }

  static std::string value_as_written(const LogicalLine& written, const std::string& option_name) {
    for (const OptionUse& use : split_line(written.text).options) {
      if (use.name == option_name) return use.value;
    }
    return written.text;
  }

  void include(const LogicalLine& line, const LogicalLine& written, const OptionUse& use) {
    // pip makes requirements of what a constraints file includes with -r; limits that say "install this" serve nobody.
    const bool constraints = file_.constraints || use.name == "--constraint";
    const std::string shown = line.has_values ? value_as_written(written, use.name) : use.value;
    if (use.value.find("://") != std::string::npos) {
      fail_at(use.value_offset, "requirements files are not fetched from the network",
              "download it and name the copy beside this file");
    }
    const Path next = file_.path.parent_path() / use.value;
    const std::string label =
        line.has_values ? shown : (Path(file_.label).parent_path() / use.value).lexically_normal().string();
    if (const auto begin = std::find(open_.begin(), open_.end(), normal(next)); begin != open_.end()) {
      std::vector<std::string> circle(labels_.begin() + (begin - open_.begin()), labels_.end());
      circle.push_back(circle.front());
      throw Error(ErrorKind::bad_input, fmt::format("`{}` includes itself: {}", circle.front(), join(circle, " -> ")),
                  place(line, use.offset));
    }
    if (open_.size() >= kMaxDepth) {
      throw Error(ErrorKind::bad_input, fmt::format("`{}`: -r and -c nest too deeply", shown), place(line, use.offset));
    }
    if (++files_ > kMaxFiles) {
      throw Error(ErrorKind::bad_input, fmt::format("`{}`: too many files are included", shown),
                  place(line, use.offset));
    }
    const auto bytes = read_file_if_exists(next, kMaxBytes);
    if (!bytes) {
      throw Error(ErrorKind::not_found, fmt::format("`{}` does not exist", shown), place(line, use.value_offset));
    }
    read(next, label, *bytes, constraints);
  }

  void add(const LogicalLine& line, Requirement requirement, bool editable, const std::vector<OptionUse>& options) {
    if (file_.constraints) check_constraint(requirement, editable);
    std::vector<std::string> hashes;
    for (const OptionUse& use : options) {
      if (use.name == "--hash") {
        hashes.push_back(checked_hash(use));
      } else if (use.name == "--config-settings" || use.name == "--global-option" || use.name == "--build-option") {
        out_.warnings.push_back(place(line, use.offset) +
                                fmt::format(": `{}` is ignored: builds take no settings from this file", use.name));
      } else {
        fail_at(use.offset, fmt::format("`{}` cannot follow a requirement", use.name),
                "only `--hash` can; other options stand on lines of their own");
      }
    }
    keep_hashes(requirement, hashes);
    (file_.constraints ? out_.constraints : out_.requirements)
        .push_back({std::move(requirement), fmt::format("{}:{}", file_.label, line.number), editable});
  }

  static void check_constraint(const Requirement& requirement, bool editable) {
    if (editable) fail_at(0, "a constraint cannot be editable");
    if (requirement.name.empty()) fail_at(0, "a constraint needs a name", "write `name @ address`");
    if (!requirement.extras.empty()) fail_at(0, "a constraint cannot have extras");
  }

  void keep_hashes(Requirement& requirement, const std::vector<std::string>& hashes) {
    if (hashes.empty()) return;
    if (requirement.name.empty()) {
      // Without a name there is nothing to keep them by but the address itself.
      if (hashes.size() > 1 || !hashes[0].starts_with("sha256:") || requirement.url.find('#') != std::string::npos) {
        fail_at(0, "only one sha256 can follow an address without a name", "write `name @ address`");
      }
      requirement.url += "#sha256=" + hashes[0].substr(7);
      return;
    }
    std::vector<std::string>& kept = out_.hashes[requirement.key];
    for (const std::string& hash : hashes) {
      if (std::find(kept.begin(), kept.end(), hash) == kept.end()) kept.push_back(hash);
    }
  }

  ProjectFile& out_;
  Path app_dir_;
  RequirementsSettings settings_;
  File file_;
  std::vector<std::string> open_, labels_;  // the files that are being read, outermost first
  size_t files_ = 0;
};

}  // namespace

void read_requirements_txt(const Path& path, const std::string& label, std::string_view bytes, ProjectFile& out) {
  RequirementsReader reader(out, path);
  reader.read(path, label, bytes, false);
  reader.finish();
}

}  // namespace dae::resolver
