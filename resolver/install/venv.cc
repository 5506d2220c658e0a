#include "resolver/install/venv.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace dae::resolver {
namespace {

// Single quotes keep every byte of a path as it is in sh; a quote in the path is closed, escaped and opened again.
std::string quoted_for_sh(const std::string& text) {
  return "'" + replace_all(text, "'", "'\\''") + "'";
}

// fish knows two escapes between single quotes: \\ and \'.
std::string quoted_for_fish(const std::string& text) {
  return "'" + replace_all(replace_all(text, "\\", "\\\\"), "'", "\\'") + "'";
}

std::string prompt_name(const Path& root) {
  // ".venv" says nothing: the folder it stands in does.
  const std::string own = root.filename().string();
  return own.starts_with('.') ? root.parent_path().filename().string() : own;
}

std::string activate_sh(const Path& root) {
  return fmt::format(R"sh(# source this file: . bin/activate
deactivate () {{
    if [ -n "${{_DAE_OLD_PATH+set}}" ]; then PATH="$_DAE_OLD_PATH"; export PATH; unset _DAE_OLD_PATH; fi
    if [ -n "${{_DAE_OLD_HOME+set}}" ]; then PYTHONHOME="$_DAE_OLD_HOME"; export PYTHONHOME; unset _DAE_OLD_HOME; fi
    if [ -n "${{_DAE_OLD_PS1+set}}" ]; then PS1="$_DAE_OLD_PS1"; unset _DAE_OLD_PS1; fi
    unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    hash -r 2>/dev/null || :
    if [ "${{1:-}}" != keep ]; then unset -f deactivate; fi
}}
deactivate keep
VIRTUAL_ENV={}
VIRTUAL_ENV_PROMPT={}
export VIRTUAL_ENV VIRTUAL_ENV_PROMPT
_DAE_OLD_PATH="$PATH"
PATH="$VIRTUAL_ENV/bin:$PATH"
export PATH
if [ -n "${{PYTHONHOME+set}}" ]; then _DAE_OLD_HOME="$PYTHONHOME"; unset PYTHONHOME; fi
if [ -z "${{VIRTUAL_ENV_DISABLE_PROMPT:-}}" ]; then _DAE_OLD_PS1="${{PS1:-}}"; PS1="($VIRTUAL_ENV_PROMPT) ${{PS1:-}}"; fi
hash -r 2>/dev/null || :
)sh",
                     quoted_for_sh(root.string()), quoted_for_sh(prompt_name(root)));
}

std::string activate_fish(const Path& root) {
  return fmt::format(R"fish(# source this file: source bin/activate.fish
function deactivate --description 'leave the virtual environment'
    if set -q _DAE_OLD_PATH; set -gx PATH $_DAE_OLD_PATH; set -e _DAE_OLD_PATH; end
    if set -q _DAE_OLD_HOME; set -gx PYTHONHOME $_DAE_OLD_HOME; set -e _DAE_OLD_HOME; end
    set -e VIRTUAL_ENV
    set -e VIRTUAL_ENV_PROMPT
    test "$argv[1]" = keep; or functions -e deactivate
end
deactivate keep
set -gx VIRTUAL_ENV {}
set -gx VIRTUAL_ENV_PROMPT {}
set -gx _DAE_OLD_PATH $PATH
set -gx PATH "$VIRTUAL_ENV/bin" $PATH
if set -q PYTHONHOME; set -gx _DAE_OLD_HOME $PYTHONHOME; set -e PYTHONHOME; end
)fish",
                     quoted_for_fish(root.string()), quoted_for_fish(prompt_name(root)));
}

std::string activate_csh(const Path& root) {
  return fmt::format(R"csh(# source this file: source bin/activate.csh
alias deactivate 'test $?_DAE_OLD_PATH != 0 && setenv PATH "$_DAE_OLD_PATH" && unset _DAE_OLD_PATH; unsetenv VIRTUAL_ENV; unalias deactivate; rehash'
setenv VIRTUAL_ENV {}
set _DAE_OLD_PATH="$PATH"
setenv PATH "$VIRTUAL_ENV/bin:$PATH"
unsetenv PYTHONHOME
rehash
)csh",
                     quoted_for_sh(root.string()));
}

void renew_file(const Path& path, const std::string& text) {
  if (read_file_if_exists(path) != text) write_file_atomic(path, text, 0644, Durability::none);
}

void renew_link(const Path& link, const std::string& target) {
  if (read_link(link) != target) symlink_atomic(target, link);
}

}  // namespace

void make_venv(const EnvLayout& layout, const Interpreter& python) {
  make_dirs(layout.root / "bin");
  make_dirs(layout.root / "include");
  make_dirs(layout.root / layout.site_packages());
  // Some extensions and build tools ask for lib64 by name; on 64-bit systems `venv` makes the same link.
  if (python.platform.ends_with("64")) renew_link(layout.root / "lib64", "lib");
  renew_link(layout.python(), python.real_executable.string());
  renew_link(layout.root / "bin/python3", "python");
  renew_link(layout.root / ("bin/python" + layout.python_version), "python");
  renew_file(layout.root / "bin/activate", activate_sh(layout.root));
  renew_file(layout.root / "bin/activate.fish", activate_fish(layout.root));
  renew_file(layout.root / "bin/activate.csh", activate_csh(layout.root));
  // Last: an interpreter takes the directory for an environment as soon as this file is there.
  renew_file(
      layout.root / "pyvenv.cfg",
      fmt::format("home = {}\ninclude-system-site-packages = false\nversion = {}\nexecutable = {}\n",
                  python.real_executable.parent_path().string(), python.version, python.real_executable.string()));
}

}  // namespace dae::resolver
