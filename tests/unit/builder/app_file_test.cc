#include "builder/app_file.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dae::builder {
namespace {

constexpr const char* kFull = R"(name: bubbler
python: ">=3.11,<3.13"
targets:
  - {python: "3.11", platform: manylinux_2_36_x86_64}
instances:
  web:      {type: web, wsgi: "app:app", workers: 4, health: {path: /healthz, interval: 1s, passes: 3}}
  indexer:  {type: daemon, command: "python indexer.py", count: 2}
  nightly:  {type: cron, schedule: "0 3 * * *", command: "python nightly.py"}
  users:    {type: service, command: "python users.py"}
env: {FLASK_ENV: production}
resources: [mysql, memcache]
protected_files: [secrets/*.key]
static: {/static: static/}
gateway: {hosts: [bubbler.example]}
build:  {exclude: ["tests/**"], steps: ["npm run build"]}
ci:     {steps: ["python -m pytest -q --junitxml=report.xml"], reports: [report.xml]}
hooks:  {before_build: ["make css"], after_switch: "python warm.py"}
rollout:
  pre:  {group: pre,  bake: 30s}
  prod: {group: prod, batches: [1, 25%, 100%], bake: 45s, max_fail: 1, confirm: manual, gates: [health]}
)";

// `rest` follows the name and one instance in the first two lines.
std::string with(const std::string& rest) {
  return "name: a\ninstances: {web: {wsgi: 'app:app'}}\n" + rest;
}

AppFile parse(const std::string& text) {
  return parse_app_file(parse_yaml(text, "app.yaml"), "/app");
}

Error fault(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error;
  }
  ADD_FAILURE() << "accepted:\n" << text;
  return Error(ErrorKind::failed, "accepted");
}

std::string told(const std::string& text) {
  return fault(text).what();
}

TEST(AppFile, ReadsEveryKeyOfTheContract) {
  const AppFile app = parse(kFull);
  const mirror::AppConfig& config = app.config;
  EXPECT_EQ(app.dir, "/app");
  EXPECT_EQ(config.name, "bubbler");
  EXPECT_EQ(config.python, ">=3.11,<3.13");
  ASSERT_EQ(config.targets.size(), 1u);
  EXPECT_EQ(config.targets[0].second, "manylinux_2_36_x86_64");
  ASSERT_EQ(config.instances.size(), 4u);
  EXPECT_EQ(config.instances[0].wsgi, "app:app");
  EXPECT_EQ(config.instances[0].workers, 4);
  EXPECT_EQ(config.instances[0].health.path, "/healthz");
  EXPECT_EQ(config.instances[0].health.interval_ms, 1000);
  EXPECT_EQ(config.instances[1].count, 2);
  EXPECT_EQ(config.instances[1].command, "python indexer.py");
  EXPECT_EQ(config.instances[2].schedule, "0 3 * * *");
  EXPECT_EQ(config.instances[3].type, "service");
  EXPECT_EQ(config.env.at("FLASK_ENV"), "production");
  EXPECT_EQ(config.resources, (std::vector<std::string>{"mysql", "memcache"}));
  EXPECT_EQ(config.static_files.at("/static"), "static/");
  EXPECT_EQ(config.gateway_hosts, std::vector<std::string>{"bubbler.example"});
  EXPECT_EQ(config.hooks.at("after_switch"), std::vector<std::string>{"python warm.py"});
  ASSERT_EQ(config.stages.size(), 2u);
  EXPECT_EQ(config.stages[0].bake_ms, 30'000);
  EXPECT_EQ(config.stages[1].batches, (std::vector<std::string>{"1", "25%", "100%"}));
  EXPECT_EQ(config.stages[1].max_fail, 1);
  EXPECT_EQ(config.stages[1].confirm, "manual");
  EXPECT_EQ(app.exclude, std::vector<std::string>{"tests/**"});
  EXPECT_EQ(app.build_steps, std::vector<std::string>{"npm run build"});
  EXPECT_EQ(app.protected_files, std::vector<std::string>{"secrets/*.key"});
  EXPECT_EQ(app.ci_steps.size(), 1u);
  EXPECT_EQ(app.ci_reports, std::vector<std::string>{"report.xml"});
}

TEST(AppFile, WhatItReadsTravelsInTheArtifact) {
  const AppFile app = parse(kFull);
  const Document travelled{"config", to_value(app.config)};
  EXPECT_EQ(to_value(mirror::app_config_from_value(travelled)), travelled.root);
}

TEST(AppFile, AnInstanceCalledWebNeedsNoType) {
  EXPECT_EQ(parse(with("")).config.instances[0].type, "web");
  EXPECT_EQ(told("name: a\ninstances:\n  api: {wsgi: 'app:app'}\n"),
            "app.yaml:3:8: missing key `type` in `instances.api`");
}

TEST(AppFile, UnknownKeysAreToldWithTheNearestKnownOne) {
  const Error top = fault(with("enviroment: {}\nresuorces: []\n"));
  EXPECT_STREQ(top.what(), "app.yaml:3:1: unknown key `enviroment`");
  const Error near = fault(with("resuorces: []\n"));
  EXPECT_STREQ(near.what(), "app.yaml:3:1: unknown key `resuorces`");
  EXPECT_EQ(near.hint(), "did you mean `resources`?");
  const Error inner = fault("name: a\ninstances:\n  web:\n    wsgi: 'a:b'\n    wokers: 2\n");
  EXPECT_STREQ(inner.what(), "app.yaml:5:5: unknown key `wokers` in `instances.web`");
  EXPECT_EQ(inner.hint(), "did you mean `workers`?");
  EXPECT_EQ(fault(with("rollout:\n  pre: {bkae: 1s}\n")).hint(), "did you mean `bake`?");
  EXPECT_EQ(fault(with("build: {exlude: []}\n")).hint(), "did you mean `exclude`?");
  EXPECT_EQ(fault("name: a\ninstances: {web: {wsgi: 'a:b', health: {pth: /}}}\n").hint(), "did you mean `path`?");
}

TEST(AppFile, RefusesBadNames) {
  EXPECT_EQ(told("name: Bubbler\ninstances: {}\n"), "app.yaml:1:7: `Bubbler` is not an app's name");
  EXPECT_EQ(told("name: ../x\n"), "app.yaml:1:7: `../x` is not an app's name");
  EXPECT_EQ(told("name: " + std::string(64, 'a') + "\n"),
            "app.yaml:1:7: `" + std::string(64, 'a') + "` is not an app's name");
  EXPECT_EQ(told("instances: {}\n"), "app.yaml:1:1: missing key `name`");
  EXPECT_EQ(told("name: 12\n"), "app.yaml:1:7: `name` must be a string, found an integer");
  EXPECT_EQ(told("name: a\ninstances:\n  'a/b': {type: web}\n"), "app.yaml:3:3: `a/b` is not an instance's name");
}

TEST(AppFile, RefusesBadPythonAndTargets) {
  EXPECT_EQ(told(with("python: 3.10\n")), "app.yaml:3:9: `python` must be a string, found a number");
  EXPECT_EQ(told(with("python: '>=3.x'\n")), "app.yaml:3:9: `>=3.x` is not a version specifier");
  EXPECT_EQ(told(with("targets: [{python: '3', platform: x}]\n")), "app.yaml:3:20: `3` is not a Python version");
  EXPECT_EQ(told(with("targets: [{python: '3.11', platform: Linux-x}]\n")),
            "app.yaml:3:38: `Linux-x` is not a platform tag");
  EXPECT_EQ(told(with("targets: [{python: '3.11'}]\n")), "app.yaml:3:11: missing key `platform` in `targets[0]`");
  EXPECT_EQ(told(with("targets:\n  - {python: '3.11', platform: a}\n  - {python: '3.11', platform: a}\n")),
            "app.yaml:5:5: target `3.11 a` is listed twice");
}

TEST(AppFile, RefusesBadInstances) {
  const auto instance = [](const std::string& body) { return told("name: a\ninstances:\n  web: {" + body + "}\n"); };
  EXPECT_EQ(instance(""), "app.yaml:3:3: `instances.web` needs `wsgi` or `command`");
  EXPECT_EQ(instance("type: wbe"), "app.yaml:3:15: `wbe` is no type of instance");
  EXPECT_EQ(instance("wsgi: app"), "app.yaml:3:15: `app` is not a WSGI application");
  EXPECT_EQ(instance("wsgi: 'a b:c'"), "app.yaml:3:15: `a b:c` is not a WSGI application");
  EXPECT_EQ(instance("wsgi: 'a:b', workers: 0"), "app.yaml:3:31: `instances.web.workers` must be between 1 and 1000");
  EXPECT_EQ(instance("command: 'x \"y'").substr(0, 15), "app.yaml:3:18: ");
  EXPECT_EQ(instance("wsgi: 'a:b', health: {path: x}"), "app.yaml:3:37: `x` is not a path of a URL");
  EXPECT_EQ(instance("wsgi: 'a:b', health: {interval: 5}"),
            "app.yaml:3:41: `instances.web.health.interval` must be a duration, found an integer");
  EXPECT_EQ(instance("wsgi: 'a:b', health: {interval: 1ms}"),
            "app.yaml:3:41: `instances.web.health.interval` must be between 10ms and 1h");
  EXPECT_EQ(instance("type: daemon"), "app.yaml:3:8: missing key `command` in `instances.web`");
  EXPECT_EQ(instance("type: daemon, command: x, schedule: y"),
            "app.yaml:3:35: unknown key `schedule` in `instances.web`");
  EXPECT_EQ(told("name: a\ninstances: {}\n"), "app.yaml:2:12: `instances` is empty: there is nothing to run");
  EXPECT_EQ(told("name: a\n"), "app.yaml:1:1: missing key `instances`");
  EXPECT_EQ(told("name: a\ninstances: {web: x}\n"), "app.yaml:2:18: `instances.web` must be a mapping, found a string");
}

TEST(AppFile, ChecksCronSchedules) {
  const auto schedule = [](const std::string& text) {
    return "name: a\ninstances:\n  n: {type: cron, command: x, schedule: '" + text + "'}\n";
  };
  for (const char* good : {"0 3 * * *", "*/5 * * * *", "1,2,30-40/5 0-6 1 1-12 7"}) {
    EXPECT_EQ(parse(schedule(good)).config.instances[0].schedule, good);
  }
  for (const char* bad : {"0 3 * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *", "daily"}) {
    EXPECT_EQ(told(schedule(bad)), std::string("app.yaml:3:41: `") + bad + "` is not a cron schedule");
  }
}

TEST(AppFile, RefusesWhatNothingActsOnYet) {
  EXPECT_EQ(told(with("gateway: {template: nginx.conf.j2}\n")),
            "app.yaml:3:11: `gateway.template` is not supported yet");
  EXPECT_EQ(told(with("gateway: {hooks: {server: x}}\n")), "app.yaml:3:11: `gateway.hooks` is not supported yet");
  EXPECT_EQ(told("name: a\ninstances:\n  u: {type: service, protocol: thrift, interface: u.thrift, handler: 'a:b'}\n"),
            "app.yaml:3:22: `instances.u.protocol` is not supported yet");
  EXPECT_EQ(told(with("rollout: {prod: {gates: [health, errors]}}\n")),
            "app.yaml:3:34: gate `errors` is not supported yet");
}

TEST(AppFile, RefusesBadEnvironmentAndResources) {
  EXPECT_EQ(told(with("env: {PORT2: 80}\n")), "app.yaml:3:14: `env.PORT2` must be a string, found an integer");
  EXPECT_EQ(told(with("env: {A-B: x}\n")), "app.yaml:3:7: `A-B` is not the name of an environment variable");
  EXPECT_EQ(told(with("env: {DAE_APP: x}\n")), "app.yaml:3:7: `DAE_APP` is set by dae itself");
  EXPECT_EQ(told(with("resources: [mysql, mysql]\n")), "app.yaml:3:20: `mysql` is listed twice");
  EXPECT_EQ(told(with("resources: [My SQL]\n")), "app.yaml:3:13: `My SQL` is not a resource's name");
}

TEST(AppFile, RefusesPathsThatLeaveTheApp) {
  EXPECT_EQ(told(with("static: {/s: ../..}\n")), "app.yaml:3:14: `../..` is not a folder inside the app");
  EXPECT_EQ(told(with("static: {/s: /etc}\n")), "app.yaml:3:14: `/etc` is not a folder inside the app");
  EXPECT_EQ(told(with("static: {s: s}\n")), "app.yaml:3:10: `s` is not a URL prefix");
  EXPECT_EQ(told(with("static: {'/s; root /': s}\n")), "app.yaml:3:10: `/s; root /` is not a URL prefix");
  EXPECT_EQ(told(with("build: {exclude: [../x]}\n")), "app.yaml:3:19: `../x` is not a pattern inside the app");
  EXPECT_EQ(told(with("protected_files: [/x]\n")), "app.yaml:3:19: `/x` is not a pattern inside the app");
  EXPECT_EQ(told(with("ci: {reports: [../x]}\n")), "app.yaml:3:16: `../x` is not a file inside the app");
}

TEST(AppFile, RefusesBadHostsHooksAndSteps) {
  EXPECT_EQ(told(with("gateway: {hosts: ['a b']}\n")), "app.yaml:3:19: `a b` is not a host name");
  const Error hook = fault(with("hooks: {before_biuld: []}\n"));
  EXPECT_STREQ(hook.what(), "app.yaml:3:9: unknown key `before_biuld` in `hooks`");
  EXPECT_EQ(hook.hint(), "did you mean `before_build`?");
  EXPECT_EQ(told(with("build: {steps: ['']}\n")), "app.yaml:3:17: the command is empty");
  EXPECT_EQ(told(with("hooks: {after_build: ['a', \"b 'c\"]}\n")).substr(0, 15), "app.yaml:3:28: ");
}

TEST(AppFile, RefusesBadRollouts) {
  const auto stage = [](const std::string& body) { return told(with("rollout: {prod: {" + body + "}}\n")); };
  EXPECT_EQ(stage("batches: [0]"), "app.yaml:3:28: `0` is not a batch");
  EXPECT_EQ(stage("batches: [1, 101%]"), "app.yaml:3:31: `101%` is not a batch");
  EXPECT_EQ(stage("batches: []"), "app.yaml:3:27: `rollout.prod.batches` must be a list that is not empty");
  EXPECT_EQ(stage("confirm: maybe"), "app.yaml:3:27: `rollout.prod.confirm` must be `auto` or `manual`");
  EXPECT_EQ(stage("max_fail: -1"), "app.yaml:3:28: `rollout.prod.max_fail` must be between 0 and 1000000");
  EXPECT_EQ(stage("bake: long"), "app.yaml:3:24: `rollout.prod.bake` must be a duration, found `long`");
  EXPECT_EQ(told(with("rollout:\n  a: {group: g}\n  b: {group: g}\n")),
            "app.yaml:5:3: stages `a` and `b` both use the group `g`");
}

TEST(AppFile, AStageUsesTheGroupOfItsName) {
  EXPECT_EQ(parse(with("rollout: {canary: {}}\n")).config.stages[0].group, "canary");
  EXPECT_TRUE(parse(with("")).config.stages.empty());
}

TEST(AppFile, IsFoundInAParentFolder) {
  const TempDir dir;
  const Path deep = dir.path() / "a/b";
  make_dirs(deep);
  try {
    find_app_file(deep);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
  }
  write_file_atomic(dir.path() / "app.yaml", with(""), 0644, Durability::none);
  EXPECT_EQ(find_app_file(deep).dir, dir.path());
  EXPECT_EQ(find_app_file(deep / "").config.name, "a");
}

class CheckApp : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    make_dirs((dir_.path() / name).parent_path());
    write_file_atomic(dir_.path() / name, text, 0644, Durability::none);
  }
  std::vector<std::string> findings(const std::string& text) {
    std::vector<std::string> out;
    for (const Finding& finding : check_app(parse_app_file(parse_yaml(text, "app.yaml"), dir_.path()))) {
      out.push_back((finding.error ? "error " : "warning ") + finding.where + ": " + finding.message);
    }
    return out;
  }
  TempDir dir_;
};

TEST_F(CheckApp, IsSilentAboutAnAppThatIsWhole) {
  write("app.py", "app = 1\n");
  write("pyproject.toml", "");
  write("pylock.toml", "");
  write("static/x.css", "");
  EXPECT_EQ(findings(with("static: {/static: static/}\n")), std::vector<std::string>{});
}

TEST_F(CheckApp, TellsWhatIsMissingWithItsPlace) {
  EXPECT_EQ(
      findings(with("static: {/static: static/}\n")),
      (std::vector<std::string>{"error app.yaml: neither `pyproject.toml` nor `pip-req.txt` names the dependencies",
                                "error app.yaml:2:25: there is no module `app`: neither `app.py` nor `app/__init__.py`",
                                "error app.yaml:3:19: there is no folder `static/`"}));
}

TEST_F(CheckApp, TellsWhatWouldNotRun) {
  write("app.py", "application = 1\n");
  write("pip-req.txt", "");
  const std::string text =
      "name: a\ninstances:\n  web: {wsgi: 'app:application'}\n  api: {type: web, wsgi: 'app:missing'}\n"
      "  job: {type: cron, schedule: '0 3 * * *', command: 'python job.py'}\n";
  EXPECT_EQ(findings(text), (std::vector<std::string>{
                                "warning app.yaml: there is no lock yet",
                                "error app.yaml:4:8: the gateway leads to one web instance, and `web` is that one",
                                "warning app.yaml:4:26: `app.py` does not seem to define `missing`",
                                "warning app.yaml:5:8: nodes do not run cron instances yet: `job` will not start",
                                "error app.yaml:5:53: there is no file `job.py`"}));
}

TEST_F(CheckApp, TellsOfStaticFilesThatAreNotInTheArtifact) {
  write("app.py", "app = 1\n");
  write("pyproject.toml", "");
  write("pylock.toml", "");
  write("dist/x.css", "");
  EXPECT_EQ(findings(with("static: {/d: dist}\nbuild: {exclude: [dist]}\n")),
            std::vector<std::string>{"error app.yaml:3:14: `dist` is left out of the artifact"});
}

TEST_F(CheckApp, TellsOfSocketPathsThatAreTooLong) {
  write("app.py", "app = 1\n");
  write("pyproject.toml", "");
  write("pylock.toml", "");
  const std::string name(63, 'a');
  const auto found = findings("name: " + name + "\ninstances:\n  " + name + ": {type: web, wsgi: 'app:app'}\n");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].substr(0, 60), "error app.yaml:3:68: its socket would have a path of 156 cha");
}

}  // namespace
}  // namespace dae::builder
