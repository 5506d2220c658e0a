#include "resolver/install/venv_scripts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace dae::resolver {
namespace {

// Single quotes keep every byte of a path as it is in sh; a quote in the path is closed, escaped and opened again.
std::string quoted_for_sh(const std::string& text) {
  return "'" + replace_all(text, "'", "'\\''") + "'";
}

// csh looks for events of its history between single quotes, too.
std::string quoted_for_csh(const std::string& text) {
  return replace_all(quoted_for_sh(text), "!", "\\!");
}

// fish knows two escapes between single quotes: \\ and \'.
std::string quoted_for_fish(const std::string& text) {
  return "'" + replace_all(replace_all(text, "\\", "\\\\"), "'", "\\'") + "'";
}

// PowerShell doubles a quote between single quotes, and takes typographic ones for the same.
std::string quoted_for_powershell(const std::string& text) {
  std::string out = replace_all(text, "'", "''");
  for (const char* quote : {"\u2018", "\u2019", "\u201a", "\u201b"})
    out = replace_all(out, quote, std::string(quote) + quote);
  return "'" + out + "'";
}

// Shells expand what stands in a prompt each time they print it: the name of a folder must not become a command.
std::string harmless_in_a_prompt(std::string name) {
  std::ranges::replace_if(
      name, [](char c) { return std::string_view("$`\\%!").find(c) != std::string_view::npos; }, '_');
  return name;
}

}  // namespace

std::string prompt_name(const Path& root) {
  const std::string own = root.filename().string();
  return own.starts_with('.') ? root.parent_path().filename().string() : own;
}

std::string activate_sh(const Path& root) {
  const std::string name = prompt_name(root);
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
if [ -z "${{VIRTUAL_ENV_DISABLE_PROMPT:-}}" ]; then _DAE_OLD_PS1="${{PS1:-}}"; PS1={}"${{PS1:-}}"; fi
hash -r 2>/dev/null || :
)sh",
                     quoted_for_sh(root.string()), quoted_for_sh(name),
                     quoted_for_sh("(" + harmless_in_a_prompt(name) + ") "));
}

std::string activate_fish(const Path& root) {
  return fmt::format(R"fish(# source this file: source bin/activate.fish
function deactivate --description 'leave the virtual environment'
    if set -q _DAE_OLD_PATH; set -gx PATH $_DAE_OLD_PATH; set -e _DAE_OLD_PATH; end
    if set -q _DAE_OLD_HOME; set -gx PYTHONHOME $_DAE_OLD_HOME; set -e _DAE_OLD_HOME; end
    if functions -q _dae_old_prompt
        functions -e fish_prompt
        functions -c _dae_old_prompt fish_prompt
        functions -e _dae_old_prompt
    end
    functions -e _dae_status
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
if test -z "$VIRTUAL_ENV_DISABLE_PROMPT"; and functions -q fish_prompt
    functions -c fish_prompt _dae_old_prompt
    function _dae_status; return $argv[1]; end
    function fish_prompt
        set -l last $status
        printf '(%s) ' "$VIRTUAL_ENV_PROMPT"
        _dae_status $last
        _dae_old_prompt
    end
end
)fish",
                     quoted_for_fish(root.string()), quoted_for_fish(prompt_name(root)));
}

std::string activate_csh(const Path& root) {
  const std::string name = prompt_name(root);
  return fmt::format(R"csh(# source this file: source bin/activate.csh
alias deactivate 'test $?_DAE_OLD_PATH != 0 && setenv PATH "$_DAE_OLD_PATH:q" && unset _DAE_OLD_PATH; test $?_DAE_OLD_HOME != 0 && setenv PYTHONHOME "$_DAE_OLD_HOME:q" && unset _DAE_OLD_HOME; test $?_DAE_OLD_PROMPT != 0 && set prompt="$_DAE_OLD_PROMPT:q" && unset _DAE_OLD_PROMPT; unsetenv VIRTUAL_ENV; unsetenv VIRTUAL_ENV_PROMPT; test "\!:*" != keep && unalias deactivate; rehash'
deactivate keep
setenv VIRTUAL_ENV {}
setenv VIRTUAL_ENV_PROMPT {}
set _DAE_OLD_PATH="$PATH:q"
setenv PATH "${{VIRTUAL_ENV:q}}/bin:${{PATH:q}}"
if ($?PYTHONHOME) then
    set _DAE_OLD_HOME="$PYTHONHOME:q"
    unsetenv PYTHONHOME
endif
if ($?prompt && ! $?VIRTUAL_ENV_DISABLE_PROMPT) then
    set _DAE_OLD_PROMPT="$prompt:q"
    set prompt={}"$prompt:q"
endif
rehash
)csh",
                     quoted_for_csh(root.string()), quoted_for_csh(name),
                     quoted_for_csh("(" + harmless_in_a_prompt(name) + ") "));
}

std::string activate_ps1(const Path& root) {
  return fmt::format(R"ps(# dot-source this file: . bin/Activate.ps1
function global:deactivate([switch]$Keep) {{
    if ($null -ne $global:_DAE_OLD_PATH) {{ $env:PATH = $global:_DAE_OLD_PATH }}
    if ($null -ne $global:_DAE_OLD_HOME) {{ $env:PYTHONHOME = $global:_DAE_OLD_HOME }}
    if ($null -ne $global:_DAE_OLD_PROMPT) {{ Set-Item function:global:prompt $global:_DAE_OLD_PROMPT }}
    $global:_DAE_OLD_PATH = $global:_DAE_OLD_HOME = $global:_DAE_OLD_PROMPT = $null
    foreach ($name in 'VIRTUAL_ENV', 'VIRTUAL_ENV_PROMPT') {{
        if (Test-Path "env:$name") {{ Remove-Item "env:$name" }}
    }}
    if (-not $Keep) {{ Remove-Item function:deactivate }}
}}
deactivate -Keep
$env:VIRTUAL_ENV = {}
$env:VIRTUAL_ENV_PROMPT = {}
$global:_DAE_OLD_PATH = $env:PATH
$env:PATH = "$env:VIRTUAL_ENV/bin:$env:PATH"
if (Test-Path env:PYTHONHOME) {{
    $global:_DAE_OLD_HOME = $env:PYTHONHOME
    Remove-Item env:PYTHONHOME
}}
if (-not $env:VIRTUAL_ENV_DISABLE_PROMPT) {{
    $global:_DAE_OLD_PROMPT = $function:prompt
    function global:prompt {{ "($env:VIRTUAL_ENV_PROMPT) " + (& $global:_DAE_OLD_PROMPT) }}
}}
)ps",
                     quoted_for_powershell(root.string()), quoted_for_powershell(prompt_name(root)));
}

std::string activate_this_py(const std::string& site) {
  return fmt::format(R"py("""For a running interpreter: runpy.run_path("<environment>/bin/activate_this.py")."""
import os
import site
import sys

scripts = os.path.dirname(os.path.abspath(__file__))
root = os.path.dirname(scripts)
os.environ["PATH"] = os.pathsep.join([scripts] + [p for p in os.environ.get("PATH", "").split(os.pathsep) if p])
os.environ["VIRTUAL_ENV"] = root
before = list(sys.path)
site.addsitedir(os.path.join(root, "{}"))
# What the environment has goes before what the interpreter had.
sys.path[:] = [p for p in sys.path if p not in before] + before
sys.prefix = sys.exec_prefix = root
)py",
                     site);
}

}  // namespace dae::resolver
