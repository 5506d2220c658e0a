#pragma once
#include "base/clock.h"
#include "fetch_fixture.h"

#include <random>

namespace dae::resolver::testing {

// One server for files that come in pieces, late, or not at all.
class FetchFromAfar : public Fetch {
 protected:
  struct Offer {
    std::string bytes;
    std::vector<size_t> cuts;   // the n-th answer ends after so many bytes; past the end: whole
    std::vector<int> statuses;  // the n-th answer, before any bytes
    bool ranges = true;
    int pause_ms = 0;
  };
  Selected offer(const std::string& name, Offer offer) {
    Selected out;
    out.name = name;
    out.version = "1.0";
    out.is_wheel = true;
    out.file.name = name + "-1.0-py3-none-any.whl";
    out.file.url = server_->url() + "/" + out.file.name;
    out.file.sha256 = Digest::of(offer.bytes).hex();
    out.file.size_bytes = offer.bytes.size();
    std::scoped_lock lock(mutex_);
    offers_["/" + out.file.name] = std::move(offer);
    return out;
  }
  static std::string noise(size_t size, int seed = 1) {
    std::minstd_rand random(static_cast<unsigned>(seed));
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(random() >> 8);
    return out;
  }
  std::vector<WheelToInstall> fetch_with(const std::vector<Selected>& wanted, const FetchOptions& options) {
    return fetch_selected(wanted, python_, *transport_, *blobs_, dir_.path() / "fetch-cache", *runner_, events_,
                          options);
  }
  std::vector<std::string> parts() const { return list_dir(dir_.path() / "blobs" / "tmp"); }
  Path part(const Selected& item) const { return blobs_->part(Digest::parse(item.file.sha256)); }
  std::vector<std::string> ranges() const {
    std::scoped_lock lock(mutex_);
    return ranges_;
  }

  ServerResponse answer(const ServerRequest& request) {
    Offer offer;
    size_t number = 0;
    {
      std::scoped_lock lock(mutex_);
      const auto found = offers_.find(request.path);
      if (found == offers_.end()) return ServerResponse::not_found();
      number = static_cast<size_t>(asked_[request.path]++);
      order_.push_back(request.path);
      ranges_.emplace_back(request.headers.get("Range"));
      offer = found->second;
      most_ = std::max(most_, ++now_);
    }
    SystemClock().sleep_ms(offer.pause_ms);
    {
      std::scoped_lock lock(mutex_);
      --now_;
    }
    if (number < offer.statuses.size() && offer.statuses[number] != 200) {
      ServerResponse out = ServerResponse::text(offer.statuses[number], "not now");
      out.headers.add("Retry-After", "0");
      return out;
    }
    size_t first = 0;
    const std::string range(request.headers.get("Range"));
    if (offer.ranges && range.starts_with("bytes=")) first = std::stoul(range.substr(6));
    ServerResponse out = ServerResponse::text(first > 0 ? 206 : 200, "", "application/octet-stream");
    if (first > 0) {
      out.headers.add("Content-Range", "bytes " + std::to_string(first) + "-" + std::to_string(offer.bytes.size() - 1) +
                                           "/" + std::to_string(offer.bytes.size()));
    }
    const size_t end = number < offer.cuts.size() ? std::max(first, offer.cuts[number]) : offer.bytes.size();
    const bool cut = end < offer.bytes.size();
    out.stream = [piece = offer.bytes.substr(first, end - first), cut](const auto& write) {
      write(piece);
      // The chunked body has no end then: the client sees a broken connection.
      if (cut) throw Error(ErrorKind::failed, "cut");
    };
    return out;
  }
  std::unique_ptr<HttpServer> serve() {
    ServerOptions options;
    options.loops = 2;
    std::vector<Route> routes;
    routes.push_back({"GET", "/{*}", [this](const ServerRequest& request) { return answer(request); }});
    return start_http_server(std::move(options), std::move(routes));
  }

  mutable std::mutex mutex_;
  std::map<std::string, Offer> offers_;
  std::map<std::string, int> asked_;
  std::vector<std::string> order_, ranges_;
  int now_ = 0, most_ = 0;
  std::unique_ptr<HttpServer> server_ = serve();
};

}  // namespace dae::resolver::testing
