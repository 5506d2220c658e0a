#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/log.h"
#include "base/table.h"
#include "base/value.h"

namespace dae {
namespace {

std::string logged(const std::function<void()>& body) {
  ::testing::internal::CaptureStderr();
  body();
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, WritesOneLineWithFieldsAndMasksSecrets) {
  log_setup(LogLevel::info, false);
  const std::string line = logged([] {
    log_info("fetched", {{"url", "https://me:pw@host/x"}, {"api_token", "abc"}, {"file", "a b"}, {"n", "1"}});
    log_debug("unseen");
  });
  EXPECT_EQ(line.substr(24), " info fetched url=https://***@host/x api_token=*** file=\"a b\" n=1\n");
}

TEST(Log, LetsNobodyForgeALine) {
  log_setup(LogLevel::info, false);
  const std::string line = logged([] { log_warn("bad\nname", {{"name", "x\n2026 info ok"}}); });
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST(Log, WritesJsonWhenAskedTo) {
  log_setup(LogLevel::debug, true);
  const std::string line = logged([] { log_debug("fetched", {{"password", "x"}, {"file", "a \"b\""}}); });
  log_setup(LogLevel::info, false);
  const Value value = parse_json(line, "log").root;
  EXPECT_EQ(value.get_string("level"), "debug");
  EXPECT_EQ(value.get_string("message"), "fetched");
  EXPECT_EQ(value.get_string("password"), "***");
  EXPECT_EQ(value.get_string("file"), "a \"b\"");
}

TEST(Log, RedactsTheUserOfUrlsOnly) {
  EXPECT_EQ(redact_url("https://user:pass@host/x"), "https://***@host/x");
  EXPECT_EQ(redact_url("https://a@b@host"), "https://***@host");
  EXPECT_EQ(redact_url("http://host/a@b"), "http://host/a@b");
  EXPECT_EQ(redact_url("see http://u:p@h/ and http://u:p@i/"), "see http://***@h/ and http://***@i/");
  EXPECT_EQ(redact_url("me@example"), "me@example");
}

TEST(Table, PadsToTheWidestCellInCharacters) {
  Table table({"app", "restarts", "state"}, {Align::left, Align::right});
  EXPECT_TRUE(table.empty());
  table.add({"bubbler", "0", "live"});
  table.add({"käse", "12"});
  EXPECT_EQ(table.render(),
            "app      restarts  state\n"
            "bubbler         0  live\n"
            "käse           12\n");
}

}  // namespace
}  // namespace dae
