#include "deployer/gateway.h"

#include <gtest/gtest.h>

#include <thread>

#include "agent_fixture.h"
#include "base/error.h"
#include "base/http_server.h"
#include "deployer/gateway_config.h"

namespace dae::deployer {
namespace {

Path templates() {
  return Path(DAE_SOURCE_DIR) / "share" / "nginx";
}

bool nginx_is_missing() {
  return !find_program("nginx", env_var("PATH").value_or("") + ":/usr/sbin");
}

// A port that was free a moment ago.
uint16_t free_port() {
  return start_http_server({}, {})->port();
}

GatewayApp app_at(const std::string& name, const Path& link) {
  GatewayApp app;
  app.app = name;
  app.socket_link = link;
  return app;
}

TEST(GatewayConfig, MakesTheFirstAppWithoutHostsTheDefault) {
  NginxOptions options{"/srv/g", templates(), "127.0.0.1", 8501};
  GatewayApp named = app_at("a", "/run/a.sock");
  named.hosts = {"a.example", "*.a.example"};
  const std::string text =
      nginx_config(options, {app_at("c", "/run/c.sock"), app_at("b", "/run/b.sock"), named}, false);
  EXPECT_NE(text.find("server_name a.example *.a.example;"), std::string::npos);
  EXPECT_NE(text.find("listen 127.0.0.1:8501 default_server;\n        server_name b b.localhost;"), std::string::npos);
  EXPECT_NE(text.find("listen 127.0.0.1:8501;\n        server_name c c.localhost;"), std::string::npos);
  EXPECT_EQ(text.find('@' + std::string("APP@")), std::string::npos);
  EXPECT_EQ(text.find("user root"), std::string::npos);
  EXPECT_EQ(text, nginx_config(options, {named, app_at("b", "/run/b.sock"), app_at("c", "/run/c.sock")}, false));
}

TEST(GatewayConfig, RefusesWhatNginxCouldMisread) {
  NginxOptions options{"/srv/g", templates(), "127.0.0.1", 8501};
  const auto refused = [&](const GatewayApp& app) {
    try {
      nginx_config(options, {app}, false);
      return false;
    } catch (const Error& error) {
      return error.kind() == ErrorKind::bad_input;
    }
  };
  GatewayApp app = app_at("a", "/run/a.sock");
  EXPECT_FALSE(refused(app));
  app.hosts = {"a.example; return 200"};
  EXPECT_TRUE(refused(app));
  app.hosts = {"a\nb"};
  EXPECT_TRUE(refused(app));
  app.hosts = {};
  app.static_files = {{"/static { }", "/srv/x"}};
  EXPECT_TRUE(refused(app));
  app.static_files = {{"/static", "/srv/$uri"}};
  EXPECT_TRUE(refused(app));
  app.static_files = {{"static", "/srv/x"}};
  EXPECT_TRUE(refused(app));
  app.static_files = {};
  app.socket_link = "/run/a\".sock";
  EXPECT_TRUE(refused(app));
}

class GatewayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (nginx_is_missing()) GTEST_SKIP() << "nginx is not installed: apt install nginx-light";
    options_ = {dir_.path() / "g", templates(), "127.0.0.1", free_port()};
    gateway_ = make_nginx_gateway(*runner_, options_);
  }
  void TearDown() override {
    if (gateway_) gateway_->stop();
  }

  std::unique_ptr<HttpServer> serve(const std::string& answer, const Path& socket) {
    ServerOptions options;
    options.unix_socket = socket;
    options.loops = 1;
    options.workers = 2;
    return start_http_server(options, {{"GET", "/{*}", [answer](const ServerRequest& request) {
                                          ServerResponse response = ServerResponse::text(200, answer);
                                          response.headers.add("X-Saw-Host", std::string(request.headers.get("host")));
                                          response.headers.add("X-Saw-Forwarded",
                                                               std::string(request.headers.get("x-forwarded-for")));
                                          return response;
                                        }}});
  }
  HttpResponse get(const std::string& path, const std::string& host = "") {
    HttpRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(options_.port) + path;
    if (!host.empty()) request.headers.set("Host", host);
    request.retries = 0;
    return transport_->send(request);
  }

  TempDir dir_{"dae-g"};
  std::unique_ptr<ProcessRunner> runner_ = make_process_runner();
  std::unique_ptr<Transport> transport_ = make_http_client();
  NginxOptions options_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(GatewayTest, SaysSoWhileNoAppIsThere) {
  gateway_->apply({});
  EXPECT_TRUE(gateway_->running());
  const auto answer = get("/");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "no app answers here under this name\n");
}

TEST_F(GatewayTest, SaysWhichAppDoesNotAnswer) {
  gateway_->apply({app_at("bubbler", dir_.path() / "web.sock")});
  const auto answer = get("/");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "the app `bubbler` does not answer on this node\n");
}

TEST_F(GatewayTest, FollowsTheLinkWithoutAReload) {
  const auto one = serve("one", dir_.path() / "1.sock"), two = serve("two", dir_.path() / "2.sock");
  symlink_atomic("1.sock", dir_.path() / "web.sock");
  gateway_->apply({app_at("bubbler", dir_.path() / "web.sock")});
  EXPECT_EQ(get("/").body, "one");
  symlink_atomic("2.sock", dir_.path() / "web.sock");
  EXPECT_EQ(get("/").body, "two");
}

TEST_F(GatewayTest, TellsTheAppWhoAsksAndForWhichHost) {
  const auto one = serve("one", dir_.path() / "1.sock");
  symlink_atomic("1.sock", dir_.path() / "web.sock");
  gateway_->apply({app_at("bubbler", dir_.path() / "web.sock")});
  const auto answer = get("/", "bubbler.example:81");
  EXPECT_EQ(answer.headers.get("X-Saw-Host"), "bubbler.example:81");
  EXPECT_EQ(answer.headers.get("X-Saw-Forwarded"), "127.0.0.1");
}

TEST_F(GatewayTest, ChoosesTheAppByHostAndServesStaticFilesItself) {
  const auto one = serve("one", dir_.path() / "1.sock"), two = serve("two", dir_.path() / "2.sock");
  make_dirs(dir_.path() / "static");
  write_file_atomic(dir_.path() / "static" / "style.css", "body {}");
  write_file_atomic(dir_.path() / "secret", "x");
  GatewayApp named = app_at("named", dir_.path() / "2.sock");
  named.hosts = {"named.example"};
  named.static_files = {{"/static", dir_.path() / "static"}};
  gateway_->apply({app_at("bubbler", dir_.path() / "1.sock")});
  gateway_->apply({app_at("bubbler", dir_.path() / "1.sock"), named});
  EXPECT_EQ(get("/").body, "one");
  EXPECT_EQ(get("/", "named.example").body, "two") << "the route is there as soon as apply() returns";
  const auto style = get("/static/style.css", "named.example");
  EXPECT_EQ(style.body, "body {}");
  EXPECT_EQ(style.headers.get("content-type"), "text/css");
  EXPECT_EQ(get("/static../secret", "named.example").body, "two");
}

TEST_F(GatewayTest, StillServesTheFilesOfTheReleaseBefore) {
  for (const char* name : {"current", "previous"}) {
    make_dirs(dir_.path() / name / "css");
    write_file_atomic(dir_.path() / name / "css" / (std::string(name) + ".css"), name);
    write_file_atomic(dir_.path() / name / "both.css", name);
  }
  GatewayApp app = app_at("bubbler", dir_.path() / "1.sock");
  app.static_files = {{"/st.tic", dir_.path() / "current"}};
  app.older_static_files = {{"/st.tic", dir_.path() / "previous"}};
  gateway_->apply({app});
  EXPECT_EQ(get("/st.tic/both.css").body, "current");
  EXPECT_EQ(get("/st.tic/css/current.css").body, "current");
  const auto older = get("/st.tic/css/previous.css");
  EXPECT_EQ(older.status, 200);
  EXPECT_EQ(older.body, "previous");
  EXPECT_EQ(older.headers.get("content-type"), "text/css");
  EXPECT_EQ(get("/st.tic/none.css").status, 404);
  EXPECT_EQ(get("/st.tic/%2e%2e/secret").status, 503) << "outside the prefix it is the app's";
}

TEST_F(GatewayTest, ReloadsOnlyWhenTheRoutesChange) {
  gateway_->apply({app_at("bubbler", dir_.path() / "1.sock")});
  const auto config = file_info(options_.root / "conf" / "nginx.conf");
  gateway_->apply({app_at("bubbler", dir_.path() / "1.sock")});
  EXPECT_EQ(file_info(options_.root / "conf" / "nginx.conf")->inode, config->inode);
  gateway_->apply({});
  EXPECT_NE(file_info(options_.root / "conf" / "nginx.conf")->inode, config->inode);
}

TEST_F(GatewayTest, OutlivesItsObjectAndIsFoundAgain) {
  gateway_->apply({});
  const std::string pid = read_file(options_.root / "nginx.pid");
  gateway_.reset();
  const auto other_runner = make_process_runner();
  auto again = make_nginx_gateway(*other_runner, options_);
  EXPECT_TRUE(again->running());
  again->apply({});
  EXPECT_EQ(read_file(options_.root / "nginx.pid"), pid);
  again->stop();
  EXPECT_FALSE(again->running());
}

TEST_F(GatewayTest, TakesNoStrangerForItsNginx) {
  gateway_->apply({});
  gateway_->stop();
  write_file_atomic(options_.root / "nginx.pid", std::to_string(getpid()) + "\n");
  EXPECT_FALSE(gateway_->running());
  gateway_->apply({});
  EXPECT_TRUE(gateway_->running());
}

TEST_F(GatewayTest, NamesThePortThatIsInUse) {
  ServerOptions taken;
  taken.port = options_.port;
  const auto other = start_http_server(taken, {});
  try {
    gateway_->apply({});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::refused);
    EXPECT_NE(error.message().find(std::to_string(options_.port)), std::string::npos);
  }
}

// The point of it all: deployments under load lose nothing.
class SwitchUnderLoad : public AgentTest {};

TEST_F(SwitchUnderLoad, LosesNoRequest) {
  if (nginx_is_missing()) GTEST_SKIP() << "nginx is not installed: apt install nginx-light";
  const uint16_t port = free_port();
  const auto nginx = make_nginx_gateway(*runner_, {dir_.path() / "gateway", templates(), "127.0.0.1", port});
  used_gateway_ = nginx.get();
  options_.drain_ms = 5000;
  start_node();
  Release current = release("0");
  desire({current});
  ASSERT_TRUE(until([&] { return live(current); }));

  std::atomic<bool> stop{false};
  std::atomic<int> good{0}, bad{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      const auto client = make_http_client();
      while (!stop) {
        HttpRequest request;
        request.url = "http://127.0.0.1:" + std::to_string(port) + "/";
        request.retries = 0;
        try {
          const auto answer = client->send(request);
          ++(answer.ok() && answer.body.size() == 1 ? good : bad);
        } catch (const Error&) {
          ++bad;
        }
      }
    });
  }
  for (int round = 1; round <= 3; ++round) {
    current = release(std::to_string(round));
    desire({current});
    EXPECT_TRUE(until([&] { return live(current) && idle(); }));
  }
  stop = true;
  for (auto& client : clients) client.join();
  nginx->stop();
  EXPECT_EQ(bad, 0);
  EXPECT_GT(good, 100);
}

}  // namespace
}  // namespace dae::deployer
