#include <gtest/gtest.h>

#include "base/error.h"
#include "resolver/standards/script_metadata.h"

namespace dae::resolver {
namespace {

std::optional<ScriptMetadata> read(const std::string& text) {
  return read_script_metadata(text, "app.py");
}

std::string failure(const std::string& text) {
  try {
    read(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ScriptMetadata, ReadsTheBlockWithItsPositions) {
  const auto script = read(
      "#!/usr/bin/env python3\n# /// script\n# requires-python = \">=3.11\"\n# dependencies = [\n#   \"flask>=3\",\n"
      "#   'rich',\n# ]\n#\n# [tool.dae]\n# prereleases = \"allow\"\n# ///\n\nimport flask\n");
  ASSERT_TRUE(script);
  EXPECT_EQ(script->requires_python, ">=3.11");
  ASSERT_EQ(script->dependencies.size(), 2u);
  EXPECT_EQ(script->dependencies[0].requirement.text(), "flask>=3");
  EXPECT_EQ(script->dependencies[1].position.line, 6u);
  EXPECT_EQ(script->dependencies[1].position.column, 5u);
  EXPECT_EQ(script->tool.at("dae").get_string("prereleases"), "allow");
}

TEST(ScriptMetadata, EndsAtTheLastClosingLineOfTheComment) {
  const auto script = read("# /// script\n# tool.x = '''\n# ///\n# '''\n# ///\n# more\n");
  ASSERT_TRUE(script);
  EXPECT_EQ(script->tool.get_string("x"), "///\n");
}

TEST(ScriptMetadata, ABlockThatDoesNotEndIsNone) {
  for (const char* text :
       {"", "import x\n", "# /// script\n# dependencies = []\n", "# /// script\n# ///\n",
        "# /// script \n# a = 1\n# ///\n", "#/// script\n# a = 1\n# ///\n", "# /// script\n# a = 1\n#b\n# ///\n",
        "# /// script\n# a = 1\n\n# ///\n", "# /// script\n# a = 1\n# /// \n", "  # /// script\n  # a = 1\n  # ///\n",
        "# /// scr_ipt\n# a = 1\n# ///\n"}) {
    EXPECT_FALSE(read(text)) << text;
  }
}

TEST(ScriptMetadata, PassesOverBlocksOfOtherTypes) {
  const auto script =
      read("# /// other\r\n# this is : no toml\r\n# ///\r\n\r\n# /// script\r\n# dependencies = ['a']\r\n# ///");
  ASSERT_TRUE(script);
  EXPECT_EQ(script->dependencies.size(), 1u);
  EXPECT_FALSE(read("# /// other\n# /// script\n# dependencies = ['a']\n# ///\n"));
}

TEST(ScriptMetadata, RefusesTwoBlocks) {
  const std::string block = "# /// script\n# dependencies = []\n# ///\n\n";
  EXPECT_NE(failure(block + block).find("app.py:5:1: there are two"), std::string::npos);
}

TEST(ScriptMetadata, SaysWhereItIsWrong) {
  EXPECT_NE(failure("# /// script\n# dependencies = [\"fl ask\"]\n# ///\n").find("app.py:2:19"), std::string::npos);
  EXPECT_NE(failure("\n# /// script\n# dependencies = ]\n# ///\n").find("app.py:3:1"), std::string::npos);
  EXPECT_NE(failure("# /// script\n# dependencies = 'x'\n# ///\n").find("must be a list"), std::string::npos);
  EXPECT_NE(failure("# /// script\n# requires-python = '3.11'\n# ///\n").find("no version specifier"),
            std::string::npos);
  EXPECT_NE(failure("# /// script\n# tool = 1\n# ///\n").find("must be a table"), std::string::npos);
}

}  // namespace
}  // namespace dae::resolver
