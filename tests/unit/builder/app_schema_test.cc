// share/app.schema.json is for editors; nothing of ours reads it, so only a test keeps it equal to the reader.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "builder/app_file.h"
#include "hooks/hooks.h"

namespace dae::builder {
namespace {

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> keys_of(const Value& schema) {
  std::vector<std::string> out;
  for (const auto& item : schema.at("properties").as_object()) out.push_back(item.first);
  return sorted(out);
}

// The reader lists its keys when it meets one that is like none of them.
std::vector<std::string> keys_read(const std::string& text) {
  try {
    parse_app_file(parse_yaml(text, "app.yaml"), "/app");
  } catch (const Error& error) {
    constexpr std::string_view kStart = "known keys: ";
    EXPECT_TRUE(error.hint().starts_with(kStart)) << error.what();
    std::vector<std::string> names;
    for (const std::string& name : split(error.hint().substr(kStart.size()), ',')) {
      const std::string bare(trim(name));
      if (std::find(names.begin(), names.end(), bare) == names.end()) names.push_back(bare);
    }
    return sorted(names);
  }
  ADD_FAILURE() << "accepted: " << text;
  return {};
}

class AppSchema : public ::testing::Test {
 protected:
  Value schema_ = read_json_file(Path(DAE_SOURCE_DIR) / "share/app.schema.json").root;
  const Value& definition(const char* name) { return schema_.at("$defs").at(name); }
  const Value& section(const char* name) { return schema_.at("properties").at(name); }
  static std::string with(const std::string& rest) {
    return "name: a\ninstances: {web: {wsgi: 'app:app'}}\n" + rest + "\n";
  }
  static std::string instance(const std::string& body) {
    return "name: a\ninstances: {x: {" + body + ", qqqqqqqqqqqq: 1}}\n";
  }
};

TEST_F(AppSchema, NamesTheKeysThatAreRead) {
  EXPECT_EQ(keys_of(schema_), keys_read(with("qqqqqqqqqqqq: 1")));
  for (const char* name : {"build", "ci", "gateway", "hooks"}) {
    EXPECT_EQ(keys_of(section(name)), keys_read(with(std::string(name) + ": {qqqqqqqqqqqqqqqqqqqqqqqq: 1}"))) << name;
  }
  EXPECT_EQ(keys_of(definition("stage")), keys_read(with("rollout: {pre: {qqqqqqqqqqqq: 1}}")));
  EXPECT_EQ(keys_of(definition("target")),
            keys_read(with("targets: [{python: '3.11', platform: x, qqqqqqqqqqqqqqq: 1}]")));
  EXPECT_EQ(keys_of(definition("web")), keys_read(instance("type: web, wsgi: 'a:b'")));
  EXPECT_EQ(keys_of(definition("daemon")), keys_read(instance("type: daemon, command: x")));
  EXPECT_EQ(keys_of(definition("cron")), keys_read(instance("type: cron, command: x, schedule: '* * * * *'")));
  EXPECT_EQ(keys_of(definition("service")), keys_read(instance("type: service, command: x")));
  EXPECT_EQ(keys_of(definition("health")),
            keys_read("name: a\ninstances: {web: {wsgi: 'a:b', health: {qqqqqqqqqqqq: 1}}}\n"));
}

TEST_F(AppSchema, NamesEveryHookPoint) {
  EXPECT_EQ(keys_of(section("hooks")), sorted(hooks::hook_points()));
}

}  // namespace
}  // namespace dae::builder
