#pragma once
// The option lines of a requirements file that choose indexes and files, in the order they come, as pip combines them.
#include <optional>
#include <string>
#include <vector>

#include "resolver/lock/project.h"
#include "resolver/lock/requirements_txt_options.h"

namespace dae::resolver {

class RequirementsSettings {
 public:
  // `file` names the option. What has no effect comes back as a warning, else "". Throws as fail_at() does.
  std::string apply(const OptionUse& use, const Path& file, ProjectSettings& out);
  void finish(ProjectSettings& out) const;

 private:
  void add_index(const OptionUse& use);
  std::string index_url_;
  std::vector<std::string> extra_index_urls_;
  bool no_index_ = false;
};

}  // namespace dae::resolver
