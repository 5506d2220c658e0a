#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace dae {
namespace {

TEST(Error, SaysSubjectMessageAndCauseInOneLine) {
  Error error(ErrorKind::network, "cannot fetch the page", "http://127.0.0.1/simple/");
  error.because("connection refused\nby peer");
  EXPECT_STREQ(error.what(), "http://127.0.0.1/simple/: cannot fetch the page: connection refused by peer");
}

TEST(Error, DoesNotRepeatASubjectThatTheMessageNames) {
  const Error error = os_error("cannot open `/x/y`", "/x/y", EACCES);
  EXPECT_EQ(error.kind(), ErrorKind::io);
  EXPECT_STREQ(error.what(), "cannot open `/x/y`: Permission denied");
}

TEST(Error, TakesAMissingFileForNotFound) {
  EXPECT_EQ(os_error("cannot open", "/x", ENOENT).kind(), ErrorKind::not_found);
}

TEST(Error, IsPrintedWithCauseAndHintOnLinesOfTheirOwn) {
  Error error(ErrorKind::bad_input, "unknown key `wokers`", "app.yaml:3:5", "did you mean `workers`?");
  error.because("first\nsecond");
  EXPECT_EQ(render_error(error),
            "error: app.yaml:3:5: unknown key `wokers`\n"
            "  because: first\n"
            "           second\n"
            "hint: did you mean `workers`?\n");
  EXPECT_EQ(render_error(Error(ErrorKind::failed, "it broke")), "error: it broke\n");
}

TEST(Error, HasTheDocumentedExitCodes) {
  EXPECT_EQ(exit_code(ErrorKind::failed), 1);
  EXPECT_EQ(exit_code(ErrorKind::network), 1);
  EXPECT_EQ(exit_code(ErrorKind::usage), 2);
  EXPECT_EQ(exit_code(ErrorKind::bad_input), 2);
  EXPECT_EQ(exit_code(ErrorKind::rolled_back), 3);
  EXPECT_EQ(exit_code(ErrorKind::inconclusive), 4);
  EXPECT_EQ(exit_code(ErrorKind::partial), 5);
  EXPECT_EQ(exit_code(ErrorKind::no_solution), 6);
  EXPECT_EQ(exit_code(ErrorKind::verification), 7);
  EXPECT_EQ(exit_code(ErrorKind::interrupted), 130);
}

TEST(ErrorDeathTest, ABrokenInvariantAbortsWithItsPlace) {
  EXPECT_DEATH(DAE_CHECK(1 == 2), "error_test.cc:[0-9]+: broken invariant: 1 == 2");
}

}  // namespace
}  // namespace dae
