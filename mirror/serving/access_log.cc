#include "mirror/serving/access_log.h"

#include <fmt/format.h>
#include <signal.h>

#include <chrono>
#include <cstdio>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/value.h"

namespace dae::mirror {
namespace {

constexpr size_t kMostWaitingBytes = 16 << 20;
constexpr auto kCollect = std::chrono::milliseconds(200);

// What a client wrote, for a line in quotes: whoever reads the log sees one line and no end of the quotes in it.
std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const bool plain = c >= ' ' && c < 0x7f && c != '"' && c != '\\';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out + "\"";
}

// Tokens are sometimes sent in a query: it is not logged.
std::string_view without_query(std::string_view target) {
  return target.substr(0, target.find('?'));
}

std::string_view address_of(std::string_view remote) {
  const size_t colon = remote.rfind(':');
  return remote.empty() ? "-" : remote.substr(0, colon);
}

}  // namespace

std::string access_line(ServingConfig::LogFormat format, const ServerRequest& request, int status, uint64_t bytes,
                        int64_t duration_ms, int64_t now_ms) {
  const std::string_view target = without_query(request.target), agent = request.headers.get("User-Agent");
  if (format == ServingConfig::LogFormat::common) {
    // The form that log readers know from Apache ("combined"), in UTC.
    return fmt::format("{} - - [{}] {} {} {} {} {}\n", address_of(request.remote), format_utc(now_ms),
                       in_quotes(fmt::format("{} {} HTTP/1.1", request.method, target)), status, bytes,
                       in_quotes(request.headers.get("Referer")), in_quotes(agent));
  }
  const auto printable = [](std::string_view text) {
    const std::string safe = in_quotes(text);  // JSON is UTF-8: other bytes are escaped before
    return safe.substr(1, safe.size() - 2);
  };
  return canonical_json(Value::object({{"agent", printable(agent)},
                                       {"bytes", static_cast<int64_t>(bytes)},
                                       {"method", printable(request.method)},
                                       {"ms", duration_ms},
                                       {"remote", request.remote},
                                       {"status", status},
                                       {"target", printable(target)},
                                       {"time", format_utc(now_ms)}})) +
         "\n";
}

AccessLog::AccessLog(const ServingConfig& config) : file_(config.access_log), format_(config.log_format) {
  if (file_ == "-") {
    write("");
  } else {
    append_file(file_, "");  // a name that cannot be written is better told at the start
    ::signal(SIGHUP, SIG_IGN);
  }
  thread_ = std::thread([this] { run(); });
}

AccessLog::~AccessLog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void AccessLog::add(const ServerRequest& request, int status, uint64_t bytes, int64_t duration_ms) {
  const std::string line = access_line(format_, request, status, bytes, duration_ms, SystemClock().wall_ms());
  std::lock_guard lock(mutex_);
  if (waiting_.size() + line.size() > kMostWaitingBytes) {
    ++lost_lines_;
    return;
  }
  if (waiting_.empty()) wake_.notify_all();
  waiting_ += line;
}

void AccessLog::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_ || !waiting_.empty()) {
    wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    wake_.wait_for(lock, kCollect, [&] { return stopping_; });
    const std::string lines = std::exchange(waiting_, {});
    const uint64_t lost = std::exchange(lost_lines_, 0);
    lock.unlock();
    if (lost > 0) log_warn("the access log is slower than the answers", {{"lines lost", std::to_string(lost)}});
    if (!lines.empty()) write(lines);
    lock.lock();
  }
}

void AccessLog::write(const std::string& lines) {
  if (file_ == "-") {
    std::fwrite(lines.data(), 1, lines.size(), stdout);
    std::fflush(stdout);
    return;
  }
  try {
    append_file(file_, lines);
    failed_ = false;
  } catch (const Error& error) {
    // Said once: it is tried several times a second.
    if (!std::exchange(failed_, true)) log_error("the access log cannot be written", {{"why", error.what()}});
  }
}

}  // namespace dae::mirror
