// The bare environment: what `python -m venv` makes, without running Python; and shells in it.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "resolver/install/venv.h"
#include "scoped_env.h"

namespace dae::resolver {
namespace {

using testing::ScopedEnv;

class Venv : public ::testing::Test {
 protected:
  static const Interpreter& python() {
    static const Interpreter found = find_interpreter(*make_process_runner(), "", {});
    return found;
  }
  Path make(const Path& env) {
    make_venv(EnvLayout(env, python()), python());
    return env;
  }
  std::string output(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env = {}) {
    ProcessSpec spec;
    spec.argv = argv;
    spec.env = env;
    spec.env.emplace("PYTHONDONTWRITEBYTECODE", "1");
    const ProcessResult result = runner_->run(spec);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }
  // What an interpreter says about the environment it runs in; its place is written as "<env>".
  std::string facts(const Path& env) {
    return replace_all(
        output({(env / "bin/python").string(), "-c",
                "import json, site, sys, sysconfig\n"
                "print(json.dumps([sys.prefix, sys.exec_prefix, sys.base_prefix, sys.executable, sys.path[1:],\n"
                "  site.getsitepackages(), site.ENABLE_USER_SITE, sysconfig.get_paths(),\n"
                "  sysconfig.get_config_var('prefix')]))\n"}),
        env.string(), "<env>");
  }
  static std::map<std::string, std::string> tree(const Path& env) {
    std::map<std::string, std::string> out;
    for (const WalkEntry& entry : walk_tree(env)) {
      out[entry.relative] = entry.info.is_symlink() ? "-> " + *read_link(entry.path)
                            : entry.info.is_dir()   ? "directory"
                                                    : "file";
    }
    return out;
  }

  ScopedEnv pythonpath_{"PYTHONPATH", ""};
  TempDir dir_;
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
};

TEST_F(Venv, HasWhatTheModuleMakesButForJustifiedDifferences) {
  const Path ours = make(dir_.path() / "ours"), theirs = dir_.path() / "theirs";
  ProcessSpec spec;
  spec.argv = {python().real_executable.string(), "-m", "venv", "--without-pip", theirs.string()};
  if (runner_->run(spec).exit_code != 0) GTEST_SKIP() << "no venv module here";
  std::map<std::string, std::string> made = tree(ours), expected = tree(theirs);
  // A folder for headers of a version, empty: wheels bring theirs to include/site.
  std::erase_if(expected, [](const auto& item) { return item.first.starts_with("include/"); });
  // The module makes the interpreter by which it was started the file that the others lead to, and leads it to that
  // one's link; ours is always `python`, and leads to the end of all links at once.
  for (auto* tree : {&made, &expected}) {
    for (auto& [name, what] : *tree) {
      if (name.starts_with("bin/python") && what.starts_with("->")) what = "an interpreter";
      if (name.find("thon") != std::string::npos && name.starts_with("bin/\xf0")) what = "";  // a joke of 3.14
    }
    std::erase_if(*tree, [](const auto& item) { return item.second.empty(); });
  }
  // For programs with an interpreter inside, as virtualenv and uv have it; for repositories, as Python 3.13 has it.
  EXPECT_EQ(made.erase("bin/activate_this.py"), 1u);
  EXPECT_EQ(made.erase(".gitignore"), 1u);
  expected.erase(".gitignore");
  EXPECT_EQ(made, expected);
  EXPECT_EQ(facts(ours), facts(theirs));
  EXPECT_EQ(std::filesystem::canonical(ours / "bin/python3"), std::filesystem::canonical(theirs / "bin/python3"));
  EXPECT_EQ(read_file(ours / ".gitignore"), "*\n");
}

TEST_F(Venv, ItsFileHasTheKeysThatAreRead) {
  const Path env = make(dir_.path() / "project/.venv");
  std::map<std::string, std::string> keys;
  for (const std::string& line : split_lines(trim(read_file(env / "pyvenv.cfg")))) {
    const size_t equals = line.find(" = ");
    ASSERT_NE(equals, std::string::npos) << line;
    keys[line.substr(0, equals)] = line.substr(equals + 3);
  }
  EXPECT_EQ(keys["home"], python().real_executable.parent_path());
  EXPECT_EQ(keys["executable"], python().real_executable);
  EXPECT_EQ(keys["version"], python().version);
  EXPECT_EQ(keys["include-system-site-packages"], "false");
  EXPECT_EQ(keys["prompt"], "project");
}

TEST_F(Venv, MakingItTwiceChangesNothingAndMendsWhatIsBroken) {
  const Path env = make(dir_.path() / "env");
  const auto before = tree(env);
  const std::string cfg = read_file(env / "pyvenv.cfg");
  remove_file(env / "bin/python");
  remove_file(env / "bin/activate");
  write_file_atomic(env / "pyvenv.cfg", "home = /nowhere\n");
  write_file_atomic(env / ".gitignore", "# mine\n");
  make(env);
  EXPECT_EQ(tree(env), before);
  EXPECT_EQ(read_file(env / "pyvenv.cfg"), cfg);
  EXPECT_EQ(read_file(env / ".gitignore"), "# mine\n") << "somebody's own choice";
}

TEST_F(Venv, TheInterpretersOwnPrefixIsNoPlaceForOne) {
  Interpreter system = python();
  system.base_prefix = (dir_.path() / "usr").string();
  make_dirs(system.base_prefix);
  EXPECT_THROW(make_venv(EnvLayout(system.base_prefix, system), system), Error);
  EXPECT_TRUE(list_dir(system.base_prefix).empty());
  EXPECT_THROW(EnvLayout(dir_.path() / "a:b", python()), Error);
  EXPECT_THROW(EnvLayout(dir_.path() / "a\nb", python()), Error);
}

class VenvIn : public Venv, public ::testing::WithParamInterface<std::string> {};

INSTANTIATE_TEST_SUITE_P(Places, VenvIn,
                         ::testing::Values("plain", "with blanks in it", "it's \"quoted\"", "$HOME `id` $(id)",
                                           "üñí-ço∂e-日本", "back\\slash", "bang!bang", "per%cent", "semi;colon&",
                                           "(paren)[x]*?", std::string(200, 'l') + "/" + std::string(200, 'o')));

// Runs `script` with "{}" for the activation script, and compares what it prints line by line.
struct Shell {
  const char *name, *option, *script, *activate;
};

TEST_P(VenvIn, ShellsEnterAndLeaveIt) {
  const Path env = make(dir_.path() / GetParam() / ".venv");
  EXPECT_EQ(trim(output({(env / "bin/python").string(), "-c", "import sys; print(sys.prefix)"})), env.string());
  const char* posix =
      "set -eu; PS1='$ '; PYTHONHOME=/h; export PYTHONHOME; . \"$ACTIVATE\"; printf '%s\\n' \"$VIRTUAL_ENV\" "
      "\"$VIRTUAL_ENV_PROMPT\" \"${PYTHONHOME:-none}\"; command -v python; deactivate; printf '%s\\n' \"$PATH\" "
      "\"${VIRTUAL_ENV:-none}\" \"$PYTHONHOME\" \"$PS1\"";
  const char* fish =
      "set -gx PYTHONHOME /h; source $ACTIVATE; echo $VIRTUAL_ENV; echo $VIRTUAL_ENV_PROMPT; set -q PYTHONHOME; or "
      "echo none; command -v python; deactivate; string join : $PATH; set -q VIRTUAL_ENV; or echo none; echo "
      "$PYTHONHOME; echo '$ '";
  // A line at a time: csh knows no alias that the same line makes.
  write_file_atomic(dir_.path() / "script",
                    "set prompt='$ '\nsetenv PYTHONHOME /h\nsource \"$ACTIVATE:q\"\necho \"$VIRTUAL_ENV:q\"\necho "
                    "\"$VIRTUAL_ENV_PROMPT:q\"\nif (! $?PYTHONHOME) echo none\nwhich python\ndeactivate\necho "
                    "\"$PATH:q\"\nif (! $?VIRTUAL_ENV) echo none\necho \"$PYTHONHOME:q\"\necho \"$prompt:q\"\n");
  const char* powershell =
      "function prompt { '$ ' }; $env:PYTHONHOME = '/h'; . $env:ACTIVATE; $env:VIRTUAL_ENV; $env:VIRTUAL_ENV_PROMPT; "
      "if (-not (Test-Path env:PYTHONHOME)) { 'none' }; (Get-Command python).Source; deactivate; $env:PATH; "
      "if (-not (Test-Path env:VIRTUAL_ENV)) { 'none' }; $env:PYTHONHOME; prompt";
  const std::string csh = (dir_.path() / "script").string();
  const Shell shells[] = {{"sh", "-c", posix, "activate"},
                          {"bash", "-c", posix, "activate"},
                          {"dash", "-c", posix, "activate"},
                          {"zsh", "-fc", posix, "activate"},
                          {"fish", "-Nc", fish, "activate.fish"},
                          {"tcsh", "-f", csh.c_str(), "activate.csh"},
                          {"pwsh", "-Command", powershell, "Activate.ps1"}};
  const std::string path = env_var("PATH").value_or("");
  for (const Shell& shell : shells) {
    const auto program = find_program(shell.name);
    if (!program) continue;
    const std::string text =
        output({program->string(), shell.option, shell.script},
               {{"ACTIVATE", (env / "bin" / shell.activate).string()}, {"HOME", dir_.path().string()}});
    const std::string expected = join({env.string(), Path(GetParam()).filename().string(), "none",
                                       (env / "bin/python").string(), path, "none", "/h", "$ ", ""},
                                      "\n");
    EXPECT_EQ(text, expected) << shell.name;
  }
}

TEST_P(VenvIn, ARunningInterpreterEntersIt) {
  const Path env = make(dir_.path() / GetParam() / ".venv");
  const EnvLayout layout(env, python());
  write_file_atomic(env / layout.site_packages() / "inside.py", "X = 'inside'\n");
  const std::string text = output({python().real_executable.string(), "-c",
                                   "import os, runpy, sys\nrunpy.run_path(os.environ['SCRIPT'])\nimport inside\n"
                                   "print(inside.X, sys.prefix == os.environ['VIRTUAL_ENV'])"},
                                  {{"SCRIPT", (env / "bin/activate_this.py").string()}});
  EXPECT_EQ(text, "inside True\n");
}

// Where there is no PowerShell: what a path could break out of.
TEST_F(Venv, PowerShellGetsThePathBetweenSingleQuotes) {
  const Path env = make(dir_.path() / "it's $(id) `id` \u2019 \"x\"" / ".venv");
  const std::string text = read_file(env / "bin/Activate.ps1");
  const std::string inside = (dir_.path() / "it''s $(id) `id` \u2019\u2019 \"x\"" / ".venv").string();
  EXPECT_NE(text.find("\n$env:VIRTUAL_ENV = '" + inside + "'\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\n$env:VIRTUAL_ENV_PROMPT = 'it''s $(id) `id` \u2019\u2019 \"x\"'\n"), std::string::npos)
      << text;
  EXPECT_EQ(std::ranges::count(text, '{'), std::ranges::count(text, '}'));
}

TEST_F(Venv, ThePromptNamesItAndRunsNothing) {
  const Path env = make(dir_.path() / "$(touch ran)" / ".venv");
  const auto bash = find_program("bash");
  if (!bash) GTEST_SKIP() << "no bash here";
  ProcessSpec spec;
  spec.argv = {bash->string(), "--norc", "-i"};
  spec.cwd = dir_.path();
  spec.env = {{"ACTIVATE", (env / "bin/activate").string()}, {"HISTFILE", ""}, {"PS1", ""}};
  spec.stdin_bytes = "PS1='> '; . \"$ACTIVATE\"\necho \"prompt: ${PS1@P}\"\nexit\n";
  const ProcessResult result = runner_->run(spec);
  EXPECT_NE(result.out.find("prompt: (_(touch ran)) > "), std::string::npos) << result.out << result.err;
  EXPECT_FALSE(exists(dir_.path() / "ran"));
}

}  // namespace
}  // namespace dae::resolver
