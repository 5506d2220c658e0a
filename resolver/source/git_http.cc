#include "resolver/source/git_http.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <git2.h>
#include <git2/sys/transport.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/hash.h"
#include "base/http.h"

namespace dae::resolver::git {
namespace {

constexpr uint64_t kMaxRefsBytes = 256ull << 20;
constexpr uint64_t kMaxPackBytes = 8ull << 30;
constexpr size_t kMaxRequestBytes = 64 << 20;
constexpr std::string_view kRefs = "/info/refs?service=git-upload-pack";

struct Subtransport {
  git_smart_subtransport base;
  HttpConversation* conversation;
};

// One exchange: what is written is the request, the first read sends it.
struct Stream {
  git_smart_subtransport_stream base;
  HttpConversation* conversation;
  git_smart_service_t service;
  std::string request;
  bool sent = false;
  std::string refs;  // answer to UPLOADPACK_LS
  size_t refs_read = 0;
  std::unique_ptr<TempDir> dir;  // answer to UPLOADPACK
  Fd pack;
};

// The action, with its exception kept for whoever called libgit2.
template <typename Action>
int guarded(HttpConversation* conversation, const Action& action) noexcept {
  try {
    action();
    return 0;
  } catch (...) {
    if (!conversation->error) conversation->error = std::current_exception();
    git_error_set_str(GIT_ERROR_NET, "the conversation with the server failed");
    return -1;
  }
}

void send_request(Stream& stream) {
  stream.sent = true;
  if (stream.service == GIT_SERVICE_UPLOADPACK_LS) {
    stream.refs = stream.conversation->refs();
    return;
  }
  stream.dir = std::make_unique<TempDir>("dae-git-");
  const Path spool = stream.dir->path() / "answer";
  stream.conversation->upload_pack(std::exchange(stream.request, {}), spool);
  stream.pack.reset(open(spool.c_str(), O_RDONLY | O_CLOEXEC));
  if (!stream.pack.valid()) throw os_error("cannot read what git sent", spool, errno);
}

int stream_read(git_smart_subtransport_stream* raw, char* buffer, size_t room, size_t* got) {
  auto& stream = *reinterpret_cast<Stream*>(raw);
  *got = 0;
  return guarded(stream.conversation, [&] {
    if (!stream.sent) send_request(stream);
    if (stream.service == GIT_SERVICE_UPLOADPACK_LS) {
      *got = std::min(room, stream.refs.size() - stream.refs_read);
      std::memcpy(buffer, stream.refs.data() + stream.refs_read, *got);
      stream.refs_read += *got;
      return;
    }
    ssize_t count = 0;
    do {
      count = ::read(stream.pack.get(), buffer, room);
    } while (count < 0 && errno == EINTR);
    if (count < 0) throw os_error("cannot read what git sent", "", errno);
    *got = static_cast<size_t>(count);
  });
}

int stream_write(git_smart_subtransport_stream* raw, const char* bytes, size_t size) {
  auto& stream = *reinterpret_cast<Stream*>(raw);
  return guarded(stream.conversation, [&] {
    if (std::exchange(stream.sent, false)) stream.request.clear();
    if (stream.request.size() + size > kMaxRequestBytes)
      throw Error(ErrorKind::failed, "git asks for too much at once");
    stream.request.append(bytes, size);
  });
}

void stream_free(git_smart_subtransport_stream* raw) {
  delete reinterpret_cast<Stream*>(raw);
}

int subtransport_action(git_smart_subtransport_stream** out, git_smart_subtransport* raw, const char*,
                        git_smart_service_t service) {
  auto& transport = *reinterpret_cast<Subtransport*>(raw);
  return guarded(transport.conversation, [&] {
    if (service != GIT_SERVICE_UPLOADPACK_LS && service != GIT_SERVICE_UPLOADPACK) {
      throw Error(ErrorKind::refused, "only fetching is done here");
    }
    auto stream = std::make_unique<Stream>();
    stream->base = {raw, stream_read, stream_write, stream_free};
    stream->conversation = transport.conversation;
    stream->service = service;
    *out = &stream.release()->base;
  });
}

int subtransport_close(git_smart_subtransport*) {
  return 0;
}

void subtransport_free(git_smart_subtransport* raw) {
  delete reinterpret_cast<Subtransport*>(raw);
}

int make_subtransport(git_smart_subtransport** out, git_transport*, void* payload) {
  auto made = std::make_unique<Subtransport>();
  made->base = {subtransport_action, subtransport_close, subtransport_free};
  made->conversation = static_cast<HttpConversation*>(payload);
  *out = &made.release()->base;
  return 0;
}

void append_to(const Fd& file, std::string_view bytes, const Path& name) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw os_error("cannot write", name, errno);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

}  // namespace

HttpConversation::HttpConversation(const std::string& url, Transport& transport, ProcessRunner& runner,
                                   EventSink& events)
    : transport_(transport), runner_(runner), events_(events) {
  const Url parts = parse_url(url);
  url_ = parts.text();
  while (url_.ends_with('/')) url_.pop_back();
  label_ = url_;
  if (parts.user_info.empty()) return;
  const size_t colon = parts.user_info.find(':');
  login_ = Login{percent_decode(parts.user_info.substr(0, colon)),
                 colon == std::string::npos ? "" : percent_decode(parts.user_info.substr(colon + 1))};
}

int HttpConversation::make_transport(git_transport** out, git_remote* owner, void* payload) {
  git_smart_subtransport_definition definition{make_subtransport, 1, payload};
  return git_transport_smart(out, owner, &definition);
}

void HttpConversation::refuse(const HttpResponse& answer) const {
  const std::string said = fmt::format("the server answered {} {}", answer.status, http_reason(answer.status));
  if (answer.status == 401 || answer.status == 403) {
    throw Error(ErrorKind::refused,
                login_ ? "the repository cannot be read with these credentials" : "the repository wants credentials",
                label_, "put them in your netrc file, or in git's credential helper")
        .because(said);
  }
  if (answer.status == 404 || answer.status == 410) {
    throw Error(ErrorKind::not_found, "there is no git repository at this address", label_,
                "check the spelling; servers also answer so when it is private and no credentials were given")
        .because(said);
  }
  throw Error(ErrorKind::network, "the git repository cannot be read", label_).because(said);
}

HttpResponse HttpConversation::send(HttpRequest request) {
  if (login_) request.headers.set("Authorization", "Basic " + base64(login_->user + ":" + login_->password));
  HttpResponse answer = transport_.send(request);
  if (answer.status == 401 && !login_ && !std::exchange(asked_helpers_, true)) {
    login_ = stored_login(label_, runner_);
    if (login_) return send(std::move(request));
  }
  if (!answer.ok()) refuse(answer);
  return answer;
}

std::string HttpConversation::refs() {
  HttpRequest request;
  request.url = url_ + std::string(kRefs);
  request.body_limit_bytes = kMaxRefsBytes;
  request.headers.add("Accept", "application/x-git-upload-pack-advertisement");
  HttpResponse answer = send(std::move(request));
  if (answer.headers.get("Content-Type") != "application/x-git-upload-pack-advertisement") {
    throw Error(ErrorKind::not_found, "no git repository answers at this address", label_,
                "the address of a repository often ends in `.git`");
  }
  // git goes on where it was sent to; credentials stay with the host they were meant for.
  if (answer.effective_url.ends_with(kRefs)) {
    const std::string moved = parse_url(answer.effective_url).text();
    if (parse_url(moved).origin() != parse_url(url_).origin()) login_.reset();
    url_ = moved.substr(0, moved.size() - kRefs.size());
  }
  return std::move(answer.body);
}

void HttpConversation::upload_pack(std::string body, const Path& spool) {
  const Fd file(open(spool.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.valid()) throw os_error("cannot make a file", spool, errno);
  Activity activity(events_, "fetching", label_, 0, true);
  uint64_t received_bytes = 0;
  HttpRequest request;
  request.method = "POST";
  request.url = url_ + "/git-upload-pack";
  request.body = std::move(body);
  request.body_limit_bytes = kMaxPackBytes;
  request.headers.add("Content-Type", "application/x-git-upload-pack-request");
  request.headers.add("Accept", "application/x-git-upload-pack-result");
  request.on_body = [&](std::string_view bytes) {
    append_to(file, bytes, spool);
    received_bytes += bytes.size();
    activity.progress(received_bytes);
  };
  const HttpResponse answer = send(std::move(request));
  if (received_bytes == 0) append_to(file, answer.body, spool);  // a transport without streaming
  activity.finish();
}

}  // namespace dae::resolver::git
