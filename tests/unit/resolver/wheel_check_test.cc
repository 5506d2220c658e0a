// Wheels that are not what they say are refused before anything of them is installed.
#include "resolver/install/entry_points.h"
#include "store_fixture.h"

namespace dae::resolver {
namespace {

using dae::testing::error_of;
using dae::testing::make_zip;
using testing::StoreFixture;
using testing::WheelBuilder;

class WheelCheck : public StoreFixture {
 protected:
  WheelBuilder a() const { return WheelBuilder("a", "1.0").file("a.py", "X = 1\n"); }
  Error refusal_of(const WheelToInstall& wheel) {
    const Error error = error_of([&] { unpack({wheel}); });
    EXPECT_EQ(error.subject(), wheel.file_name) << error.what();
    EXPECT_TRUE(entries().empty() && leftovers().empty()) << "something stayed in the store";
    return error;
  }
  ErrorKind refused_with(const WheelToInstall& wheel) { return refusal_of(wheel).kind(); }
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
  const std::string other = "sha256=" + digest_base64url(Digest::of("X = 2\n"));
  EXPECT_EQ(refused_with(a().record("a.py", other + ",6")), ErrorKind::verification);
  EXPECT_EQ(refused_with(a().record("a.py", other + ",")), ErrorKind::verification);
  // What an installer writes itself is not kept, but has to be right nevertheless.
  EXPECT_EQ(
      refused_with(a().file("a-1.0.dist-info/INSTALLER", "pip").record("a-1.0.dist-info/INSTALLER", other + ",3")),
      ErrorKind::verification);
  unpack(a().record("a.py", hash + "=,6"));  // padded, as some tools write it
}

TEST_F(WheelCheck, NamesAndVersionsHaveToAgree) {
  EXPECT_EQ(refused_with(stored("a-1.0-py3-none-any.whl", WheelBuilder("b", "1.0").bytes())), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(stored("a-1.0-py3-none-any.whl", WheelBuilder("a", "1.1").bytes())), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().file("b-1.0.dist-info/x", "")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().file("b-1.0.data/scripts/x", "")), ErrorKind::bad_input);
  // The same version in another spelling, and an unnormalised name.
  unpack({WheelToInstall{"some-pkg", "1.0", "Some.Pkg-1-py3-none-any.whl",
                         blobs_->put(WheelBuilder("Some.Pkg", "1").bytes()), ""}});
}

TEST_F(WheelCheck, AnUnknownFormatIsRefused) {
  EXPECT_EQ(refused_with(a().wheel_version("2.0")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().wheel_version("")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().data("libs/x", "")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().data("scripts", "")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(stored("a-1.0-py3-none-any.whl", make_zip({{"a.py", ""}}))), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(stored("a-1.0-py3-none-any.whl", "no zip at all")), ErrorKind::bad_input);
  unpack(a().wheel_version("1.9"));
}

TEST_F(WheelCheck, NoFileLandsOutside) {
  EXPECT_EQ(refused_with(a().file("../escape.py", "")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().file("/tmp/escape.py", "")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().data("data/../../../escape", "")), ErrorKind::bad_input);
}

TEST_F(WheelCheck, NoTwoFilesGoToOnePlace) {
  const std::string packages = "data/lib/python" + python_.python_version() + "/site-packages/";
  for (const WheelBuilder& wheel :
       {a().data("purelib/a.py", ""), a().data("platlib/a.py", ""),
        a().data("purelib/b.py", "").data("platlib/b.py", ""), a().data(packages + "a.py", ""),
        a().data("scripts/x", "").data("data/bin/x", "")}) {
    const Error error = refusal_of(stored(wheel));
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    EXPECT_NE(error.message().find("go to the same place"), std::string::npos) << error.what();
    EXPECT_NE(error.message().find("a-1.0.data/"), std::string::npos) << error.what();
  }
  for (const WheelBuilder& wheel :
       {a().data("purelib/a.py/x", ""), a().data("data/bin", ""), a().data("data/lib", ""),
        a().data("data/include", ""), a().data("data/lib/python" + python_.python_version(), ""),
        a().data("data/share", "").data("data/share/x", "")}) {
    const Error error = refusal_of(stored(wheel));
    EXPECT_EQ(error.kind(), ErrorKind::bad_input) << error.what();
  }
}

TEST_F(WheelCheck, NothingGoesIntoTheMetadataOfAnotherOrOfTheInstaller) {
  EXPECT_EQ(refused_with(a().data("purelib/b-1.0.dist-info/METADATA", "")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().data("purelib/a-1.0.dist-info/RECORD", "")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().data("platlib/a-1.0.dist-info/INSTALLER", "")), ErrorKind::bad_input);
  EXPECT_EQ(refused_with(a().data("purelib/a-1.0.dist-info/METADATA", "")), ErrorKind::bad_input);
  unpack(a().data("purelib/a-1.0.dist-info/extra", ""));
}

class ProtectedNames : public WheelCheck, public ::testing::WithParamInterface<const char*> {};

TEST_P(ProtectedNames, TheEnvironmentsOwnFilesCannotBeReplaced) {
  EXPECT_EQ(refused_with(a().data(std::string("data/") + GetParam(), "")), ErrorKind::refused);
}
INSTANTIATE_TEST_SUITE_P(, ProtectedNames,
                         ::testing::Values("bin/python", "bin/Python3", "bin/python3.11", "bin/PYTHONW", "pyvenv.cfg",
                                           "dae-env.json", ".dae-lock", "bin/activate", "bin/Activate.ps1",
                                           "bin/activate_this.py"));

TEST_F(WheelCheck, NoScriptTakesTheInterpretersPlace) {
  for (const char* entry : {"python = a:x", "Python3.12 = a:x", "python3w = a:x", "activate.fish = a:x"}) {
    EXPECT_EQ(refused_with(a().entry_points(std::string("[console_scripts]\n") + entry)), ErrorKind::refused) << entry;
  }
  EXPECT_EQ(refused_with(a().data("scripts/python", "#!python\n")), ErrorKind::refused);
  unpack(a().entry_points("[console_scripts]\npython-thing = a:x\npythonista = a:x\nactivate-it = a:x\n"));
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
