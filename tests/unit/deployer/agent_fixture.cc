#include "agent_fixture.h"

#include <signal.h>

#include "base/error.h"

namespace dae::deployer {
namespace {

// Answers VERSION; finishes what it has accepted after TERM; STATUS, CRASH, SLEEP_MS and READY_AFTER_MS make it behave
// badly.
constexpr const char* kServer = R"(
import os, signal, socket, sys, threading, time
env = os.environ
started = time.monotonic()
if "CRASH" in env:
    print("about to fail", flush=True)
    sys.exit(int(env["CRASH"]))
path = sys.argv[1]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(path)
listener.listen(512)
listener.settimeout(0.02)
stopping = []
signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))

def serve(connection):
    with connection:
        connection.settimeout(10)
        request = b""
        while b"\r\n\r\n" not in request:
            piece = connection.recv(65536)
            if not piece:
                return
            request += piece
        target = request.split(b" ", 2)[1].decode()
        if target == "/exit":
            os._exit(9)
        if target == "/slow":
            time.sleep(0.5)
        status = env.get("STATUS", "200")
        if time.monotonic() - started < int(env.get("READY_AFTER_MS", "0")) / 1000:
            status = "503"
        if os.path.exists("unhealthy"):
            status = "500"
        body = env["VERSION"].encode()
        connection.sendall(b"HTTP/1.1 %s X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status.encode(), len(body)) + body)

threads = []
while not stopping:
    try:
        connection, _ = listener.accept()
    except TimeoutError:
        continue
    thread = threading.Thread(target=serve, args=(connection,))
    thread.start()
    threads = [t for t in threads if t.is_alive()] + [thread]
listener.close()
for thread in threads:
    thread.join()
)";

// The interpreter itself: a version manager's shim in the PATH takes longer to start than the server.
const std::string& python() {
  static const std::string program = [] {
    ProcessSpec spec;
    spec.argv = {"python3", "-c", "import sys; print(sys.executable, end='')"};
    return make_process_runner()->run(spec).out;
  }();
  return program;
}

}  // namespace

void RecordingGateway::apply(const std::vector<GatewayApp>& wanted) {
  if (refuse) throw Error(ErrorKind::bad_input, "the gateway says no");
  apps = wanted;
  ++applied;
  running_ = true;
}

void ScriptedPreparer::prepare(const Release& release, const NodeLayout& layout, PrepareProgress& progress) {
  ++prepared;
  SystemClock().sleep_ms(delay_ms);
  if (fail) throw Error(ErrorKind::network, "cannot reach the mirror");
  progress.step = PrepareProgress::linking;
  const Path dir = layout.release(release.app, release.id);
  make_dirs(dir / "source" / "static");
  make_dirs(dir / "env" / "bin");
  write_file_atomic(dir / "source" / "app.py", kServer, 0644, Durability::none);
  write_file_atomic(dir / "source" / "static" / "style.css", release.version, 0644, Durability::none);
}

AgentTest::AgentTest() {
  options_.node = "n1";
  options_.group = "pre";
  options_.root = dir_.path();
  options_.drain_ms = 3000;
  options_.settle_ms = 30;
  options_.keep = 1;
  options_.ready_deadline_ms = 3000;
  transport_ = make_http_client();
  runner_ = make_process_runner();
}

void AgentTest::start_node() {
  node_.reset();
  // A new runner knows no children: what the next agent process would see.
  supervisor_ = make_process_supervisor(*runner_, options_.root / "instances");
  node_ = std::make_unique<NodeReconciler>(options_, *transport_, clock_, *supervisor_, *used_gateway_, preparer_);
  node_->start_gateway();
}

void AgentTest::TearDown() {
  if (!supervisor_) return;
  node_.reset();
  for (const std::string& id : supervisor_->list()) {
    const auto process = supervisor_->status(id).process;
    if (process.pid > 1) runner_->signal(process, SIGKILL, true);
  }
}

Release AgentTest::release(const std::string& version, const std::map<std::string, std::string>& env,
                           const std::string& app) const {
  Release out;
  out.app = app;
  out.version = version;
  out.artifact = Digest::of(version).oci();
  out.repository = "apps/" + app;
  out.config.name = app;
  out.config.version = version;
  out.config.env = env;
  out.config.env["VERSION"] = version;
  out.config.static_files["/static"] = "static/";
  mirror::Instance web;
  web.name = "web";
  web.command = python() + " -ISB app.py $DAE_SOCKET";
  web.health.interval_ms = 20;
  web.health.passes = 2;
  out.config.instances.push_back(web);
  out.id = release_id(out);
  return out;
}

void AgentTest::add_daemon(Release& release, const std::string& name, int64_t count, const std::string& command) {
  mirror::Instance daemon;
  daemon.name = name;
  daemon.type = "daemon";
  daemon.command = command;
  daemon.count = count;
  release.config.instances.push_back(daemon);
  release.id = release_id(release);
}

void AgentTest::desire(const std::vector<Release>& releases) {
  Desired desired;
  desired.revision = ++revision_;
  for (const Release& item : releases) desired.apps[item.app].release = item;
  node_->apply(desired);
}

bool AgentTest::until(const std::function<bool()>& condition, int64_t limit_ms) {
  for (const int64_t end_ms = clock_.monotonic_ms() + limit_ms; clock_.monotonic_ms() <= end_ms; clock_.sleep_ms(5)) {
    node_->tick();
    if (condition()) return true;
  }
  return false;
}

bool AgentTest::live(const Release& release) {
  return node_->observed().apps[release.app].live == release.id;
}

ObservedRelease AgentTest::seen(const Release& release) {
  Observed observed = node_->observed();
  for (const ObservedRelease& item : observed.apps[release.app].releases) {
    if (item.release == release.id) return item;
  }
  return {};
}

std::string AgentTest::ask(const std::string& app, const std::string& path) {
  HttpRequest request;
  request.url = "http://localhost" + path;
  request.unix_socket = (options_.root / "run" / app / "web.sock").string();
  request.retries = 0;
  request.timeout_ms = 5000;
  try {
    return transport_->send(request).body;
  } catch (const Error&) {
    return "";
  }
}

}  // namespace dae::deployer
