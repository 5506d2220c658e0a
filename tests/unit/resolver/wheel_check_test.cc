// Wheels that are not what they say are refused before anything of them is installed.
#include "environment_fixture.h"

#include "resolver/install/entry_points.h"

namespace dae::resolver {
namespace {

using dae::testing::make_zip;
using testing::EnvironmentFixture;
using testing::WheelBuilder;

class WheelCheck : public EnvironmentFixture {
 protected:
  WheelBuilder a() const { return WheelBuilder("a", "1.0").file("a.py", "X = 1\n"); }
  ErrorKind refused_with(const WheelToInstall& wheel) {
    const Error error = error_of([&] { install({wheel}); });
    EXPECT_EQ(error.subject(), wheel.file_name) << error.what();
    EXPECT_FALSE(exists(env_ / "dae-env.json")) << "the environment was touched";
    EXPECT_TRUE(list_dir(store_.unpacked).empty()) << "something stayed in the store";
    return error.kind();
  }
  ErrorKind refused_with(const WheelBuilder& wheel) { return refused_with(stored(wheel)); }
};

TEST_F(WheelCheck, FilesAndRecordHaveToAgree) {
  EXPECT_EQ(refused_with(a().no_record("a.py")), ErrorKind::verification);
  EXPECT_EQ(refused_with(a().record("a.py", "sha256=AAAA,6")), ErrorKind::verification);
  EXPECT_EQ(refused_with(a().record("a.py", ",6")), ErrorKind::verification);
  EXPECT_EQ(refused_with(a().record("a.py", "md5=AAAA,6")), ErrorKind::verification);
  const std::string hash = "sha256=" + digest_base64url(Digest::of("X = 1\n"));
  EXPECT_EQ(refused_with(a().record("a.py", hash + ",7")), ErrorKind::verification);
  EXPECT_EQ(refused_with(a().record("gone.py", hash + ",6")), ErrorKind::verification);
  EXPECT_EQ(refused_with(a().record("a.py", hash + ",6\na.py," + hash + ",6")), ErrorKind::bad_input);
  install({stored(a().record("a.py", hash + "=,6"))});  // padded, as some tools write it
}

TEST_F(WheelCheck, NamesAndVersionsHaveToAgree) {
  EXPECT_EQ(refused_with(stored("a-1.0-py3-none-any.whl", WheelBuilder("b", "1.0").bytes())), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(stored("a-1.0-py3-none-any.whl", WheelBuilder("a", "1.1").bytes())), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().file("b-1.0.dist-info/x", "")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().file("b-1.0.data/scripts/x", "")), ErrorKind::bad_input);
  // The same version in another spelling, and an unnormalised name.
  install({WheelToInstall{"some-pkg", "1.0", "Some.Pkg-1-py3-none-any.whl",
                          blobs_->put(WheelBuilder("Some.Pkg", "1").bytes()), ""}});
}

TEST_F(WheelCheck, AnUnknownFormatIsRefused) {
  EXPECT_EQ(refused_with(a().wheel_version("2.0")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().wheel_version("")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().data("libs/x", "")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(stored("a-1.0-py3-none-any.whl", make_zip({{"a.py", ""}}))), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(stored("a-1.0-py3-none-any.whl", "no zip at all")), ErrorKind::bad_input);
  install({stored(a().wheel_version("1.9"))});
}

TEST_F(WheelCheck, NoFileLandsOutside) {
  EXPECT_EQ(refused_with(a().file("../escape.py", "")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().file("/tmp/escape.py", "")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().data("data/../../../escape", "")), ErrorKind::bad_input);
}

class ProtectedNames : public WheelCheck, public ::testing::WithParamInterface<const char*> {};

TEST_P(ProtectedNames, TheEnvironmentsOwnFilesCannotBeReplaced) {
  const Error script = error_of([&] { install({stored(a().data(std::string("data/") + GetParam(), ""))}); });
  EXPECT_EQ(script.kind(), ErrorKind::refused);
  EXPECT_FALSE(exists(env_ / "dae-env.json"));
}
INSTANTIATE_TEST_SUITE_P(, ProtectedNames,
                         ::testing::Values("bin/python", "bin/Python3", "bin/python3.11", "bin/PYTHONW", "pyvenv.cfg",
                                           "dae-env.json"));

TEST_F(WheelCheck, NoScriptTakesTheInterpretersPlace) {
  for (const char* entry : {"python = a:x", "Python3.12 = a:x", "python3w = a:x"}) {
    const Error error =
        error_of([&] { install({stored(a().entry_points(std::string("[console_scripts]\n") + entry))}); });
    EXPECT_EQ(error.kind(), ErrorKind::refused) << entry;
  }
  EXPECT_EQ(error_of([&] { install({stored(a().data("scripts/python", "#!python\n"))}); }).kind(), ErrorKind::refused);
  install({stored(a().entry_points("[console_scripts]\npython-thing = a:x\npythonista = a:x\n"))});
}

TEST(EntryPoints, AreReadCaseSensitivelyAndWithoutExtras) {
  const auto found = script_entry_points(
      "# comment\n[console_scripts]\nRun = pkg.mod:Class.method [extra]\n; other\n[x]\na=b\n[gui_scripts]\ng=m:f\n",
      "x");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].name, "Run");
  EXPECT_EQ(found[0].module, "pkg.mod");
  EXPECT_EQ(found[0].object, "Class.method");
  EXPECT_EQ(found[1].name, "g");
}

TEST(EntryPoints, NothingButNamesGetsIntoAScript) {
  for (const char* bad : {"x = os:system('id')", "x = os;id:f", "x = a\tb:c", "x = a", "x = a:", "x = :f", "x = 1a:f",
                          "../x = a:f", "a/b = a:f", " = a:f", "no equals"}) {
    EXPECT_THROW(script_entry_points(std::string("[console_scripts]\n") + bad, "x"), Error) << bad;
  }
}

TEST(Shebang, IsPlainWhereTheKernelTakesItAndASmallShellScriptElsewhere) {
  EXPECT_EQ(shebang_for("/env/bin/python"), "#!/env/bin/python\n");
  EXPECT_TRUE(shebang_for("/" + std::string(123, 'x')).starts_with("#!/xxx"));
  EXPECT_TRUE(shebang_for("/" + std::string(124, 'x')).starts_with("#!/bin/sh\n'''exec' \"/xxx"));
  EXPECT_EQ(shebang_for("/a b/$HOME`x`"), "#!/bin/sh\n'''exec' \"/a b/\\$HOME\\`x\\`\" \"$0\" \"$@\"\n' '''\n");
  EXPECT_EQ(with_shebang("#!pythonw -u\nrest\n", "/p"), "#!/p\nrest\n");
}

TEST(Record, ReadsAndWritesTheCsvOfTheSpecification) {
  const auto rows = parse_record("b,sha256=x,1\r\n\"a, \"\"q\"\"\",,\n\n\"two\nlines\",h=1,0", "x");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1].path, "a, \"q\"");
  EXPECT_EQ(rows[2].path, "two\nlines");
  EXPECT_FALSE(rows[1].size_bytes);
  EXPECT_EQ(render_record(rows), "\"a, \"\"q\"\"\",,\nb,sha256=x,1\n\"two\nlines\",h=1,0\n");
  for (const char* bad : {"a", "a,b", "a,,x", "a,,-1", "\"a,,", "a,,\na,,"}) {
    EXPECT_THROW(parse_record(bad, "x"), Error) << bad;
  }
}

}  // namespace
}  // namespace dae::resolver
