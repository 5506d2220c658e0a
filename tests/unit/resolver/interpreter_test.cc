// Interpreters: probed once, remembered, launchers seen through.
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/value.h"
#include "resolver/install/interpreter.h"
#include "resolver/install/interpreter_probe.h"
#include "scoped_env.h"

namespace dae::resolver {
namespace {

using testing::ScopedEnv;

class InterpreterTest : public ::testing::Test {
 protected:
  // An executable that answers the probe with a made-up interpreter. Shell built-ins only: PATH may hold nothing else.
  Path fake(const std::string& name, const std::string& version, int bits = 64) {
    make_dirs(bin());
    const std::string path = (bin() / name).string();
    write_file_atomic(
        path,
        "#!/bin/sh\necho x >>" + (dir_.path() / "runs").string() +
            "\necho '{\"implementation\": \"cpython\", \"cache_tag\": \"cpython-3\", \"executable\": \"" + path +
            "\", \"real_executable\": \"" + path + "\", \"version\": \"" + version +
            "\", \"libc\": \"glibc 2.31\", \"platform\": \"linux-x86_64\", \"bits\": " + std::to_string(bits) + "}'\n",
        0755);
    return path;
  }
  Path bin() const { return dir_.path() / "bin"; }
  size_t runs() const { return read_file_if_exists(dir_.path() / "runs").value_or("").size() / 2; }

  TempDir dir_;
  ScopedEnv cache_{"DAE_CACHE_DIR", (dir_.path() / "cache").string()};
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
};

TEST_F(InterpreterTest, IsProbedOnceUntilTheFileChanges) {
  const Path path = fake("python3", "3.12.1");
  EXPECT_EQ(probe_interpreter(*runner_, path).version, "3.12.1");
  EXPECT_EQ(probe_interpreter(*runner_, path).version, "3.12.1");
  EXPECT_EQ(runs(), 1u);
  fake("python3", "3.12.22");
  EXPECT_EQ(probe_interpreter(*runner_, path).version, "3.12.22");
}

TEST_F(InterpreterTest, NamesItsTarget) {
  const Target glibc = probe_interpreter(*runner_, fake("a", "3.12.1")).target();
  EXPECT_EQ(glibc.platform, "manylinux_2_31_x86_64");
  EXPECT_EQ(glibc.python_version, "3.12");
  EXPECT_EQ(glibc.python_full_version, "3.12.1");
  Interpreter musl = probe_interpreter(*runner_, fake("b", "3.12.1"));
  musl.libc = "musl 1.2.4";
  EXPECT_EQ(musl.target().platform, "musllinux_1_2_x86_64");
  musl.libc = "";
  EXPECT_EQ(musl.target().platform, "linux_x86_64");
  EXPECT_EQ(probe_interpreter(*runner_, fake("c", "3.12.1", 32)).platform, "linux_i686");
  musl.platform = "linux_armv8l";  // a 32-bit interpreter on a 64-bit kernel
  musl.libc = "glibc 2.31";
  EXPECT_GE(TagSet(musl.target()).rank("cp312-cp312-manylinux2014_armv7l"), 0);
}

TEST_F(InterpreterTest, RefusesWhatIsNoUsablePython) {
  EXPECT_THROW(probe_interpreter(*runner_, dir_.path() / "absent"), Error);
  EXPECT_THROW(probe_interpreter(*runner_, fake("old", "3.7.9")), Error);
  write_file_atomic(bin() / "broken", "#!/bin/sh\necho 'command not found' >&2\nexit 127\n", 0755);
  try {
    probe_interpreter(*runner_, bin() / "broken");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    EXPECT_EQ(error.cause(), "command not found");
  }
}

TEST_F(InterpreterTest, TheActivePythonGoesFirstThenTheNewestThatFits) {
  fake("python3", "3.10.4");
  fake("python3.9", "3.9.1");
  fake("python3.11", "3.11.2");
  fake("python3.12", "3.12.3");
  const ScopedEnv path("PATH", bin().string());
  const auto find = [&](const std::string& wanted, const std::string& specifiers) {
    return find_interpreter(*runner_, wanted, SpecifierSet::parse(specifiers)).version;
  };
  EXPECT_EQ(find("", ""), "3.10.4");
  EXPECT_EQ(find("", ">=3.11"), "3.12.3");
  EXPECT_EQ(find("", ">=3.11,<3.12"), "3.11.2");
  EXPECT_EQ(find("3.9", ""), "3.9.1");
  EXPECT_EQ(find("python3.12", ""), "3.12.3");
  EXPECT_EQ(find("3.11.2", ""), "3.11.2");
  EXPECT_EQ(find((bin() / "python3.9").string(), ""), "3.9.1");
  EXPECT_THROW(find((bin() / "python3.9").string(), ">=3.10"), Error);
  try {
    find("", ">=3.14");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_NE(error.cause().find("3.12.3 (" + (bin() / "python3.12").string() + ")"), std::string::npos)
        << error.cause();
  }
  EXPECT_THROW(find("three", ""), Error);
}

TEST_F(InterpreterTest, VersionsBesideAVersionManagersShimsAreFound) {
  make_dirs(dir_.path() / "shims");
  make_dirs(dir_.path() / "versions/3.13.2/bin");
  rename_path(fake("python3", "3.13.2"), dir_.path() / "versions/3.13.2/bin/python3");
  const ScopedEnv path("PATH", (dir_.path() / "shims").string());
  EXPECT_EQ(find_interpreter(*runner_, "3.13", {}).version, "3.13.2");
}

TEST_F(InterpreterTest, ALauncherIsAskedAgainWhenWhatSteersItChanges) {
  const Path path = fake("python3", "3.12.1");
  probe_interpreter(*runner_, path);
  const ScopedEnv version("PYENV_VERSION", "3.11.0");
  probe_interpreter(*runner_, path);
  EXPECT_EQ(runs(), 2u);
}

TEST_F(InterpreterTest, ProbesARealInterpreterAndSeesThroughAVenv) {
  if (!exists("/usr/bin/python3")) GTEST_SKIP() << "no python here";
  const Interpreter python = probe_interpreter(*runner_, "/usr/bin/python3");
  EXPECT_TRUE(python.cache_tag.starts_with("cpython-3"));
  EXPECT_TRUE(python.platform.starts_with("linux_"));
  validate_target(python.target());
  ProcessSpec venv;
  venv.argv = {"/usr/bin/python3", "-m", "venv", "--without-pip", (dir_.path() / "venv").string()};
  if (runner_->run(venv).exit_code != 0) GTEST_SKIP() << "no venv module here";
  const Interpreter inside = probe_interpreter(*runner_, dir_.path() / "venv/bin/python");
  EXPECT_EQ(inside.real_executable, python.real_executable);
}

// A program of 64 or 32 bits whose header names `loader`, after the tables of the ELF specification.
std::string elf(const std::string& loader, bool wide, unsigned machine, unsigned flags) {
  std::string out(wide ? 64 + 56 : 52 + 32, '\0');
  const auto put = [&out](size_t at, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; ++i) out[at + i] = static_cast<char>(value >> (8 * i));
  };
  const size_t head = wide ? 64 : 52, entry = wide ? 56 : 32, word = wide ? 8 : 4;
  out.replace(0, 4,
              "\x7f"
              "ELF");
  put(4, wide ? 2 : 1, 1);
  put(5, 1, 1);
  put(18, machine, 2);
  put(wide ? 32 : 28, head, word);
  put(wide ? 48 : 36, flags, 4);
  put(wide ? 54 : 42, entry, 2);
  put(wide ? 56 : 44, 1, 2);
  put(head, 3, 4);
  put(head + (wide ? 8 : 4), out.size(), word);
  put(head + (wide ? 32 : 16), loader.size() + 1, word);
  return out + loader + '\0';
}

TEST_F(InterpreterTest, TheLoaderThatTheExecutableNamesTellsMuslAndItsVersion) {
  if (!exists("/usr/bin/python3")) GTEST_SKIP() << "no python here";
  const auto libc_of = [&](const std::string& program) {
    write_file_atomic(dir_.path() / "program", program, 0644);
    ProcessSpec spec;
    spec.argv = {"/usr/bin/python3", "-I", "-c", kInterpreterProbe, (dir_.path() / "program").string()};
    return parse_json(runner_->run(spec).out, "probe").root.at("libc").as_string();
  };
  const std::string musl = (dir_.path() / "ld-musl-x86_64.so.1").string();
  write_file_atomic(
      musl, "#!/bin/sh\nprintf 'musl libc (x86_64)\\nVersion 1.2.4\\nDynamic Program Loader\\n' >&2\nexit 1\n", 0755);
  EXPECT_EQ(libc_of(elf(musl, true, 62, 0)), "musl 1.2.4");
  EXPECT_EQ(libc_of(elf(musl, false, 3, 0)), "musl 1.2.4");
  EXPECT_EQ(libc_of(elf((dir_.path() / "absent-musl").string(), true, 62, 0)), "");
  // All others are asked themselves, but a soft-float ARM has no manylinux.
  const std::string own = libc_of(elf("/lib64/ld-linux-x86-64.so.2", true, 62, 0));
  EXPECT_EQ(libc_of(elf("/lib/ld-linux-armhf.so.3", false, 40, 0x05000400)), own);
  EXPECT_EQ(libc_of(elf("/lib/ld-linux.so.3", false, 40, 0x05000200)), "");
  EXPECT_EQ(libc_of("#!/bin/sh\n"), own);
  EXPECT_EQ(libc_of(elf(musl, true, 62, 0).substr(0, 70)), own);  // cut short
}

}  // namespace
}  // namespace dae::resolver
