// Selected files come into the blob store, or do not; sdists become wheels.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>
#include <thread>

#include "base/clock.h"
#include "environment_fixture.h"
#include "fake_index.h"
#include "resolver/install/build.h"
#include "resolver/source/index.h"

namespace dae::resolver {
namespace {

using dae::testing::make_zip;
using testing::EnvironmentFixture;
using testing::FakeIndex;
using testing::WheelBuilder;

class Fetch : public EnvironmentFixture {
 protected:
  Selected selected(const std::string& file_name, const std::string& bytes) {
    index_.set_text("/" + file_name, bytes);
    Selected out;
    out.name = "a";
    out.version = "1.0";
    out.file.name = file_name;
    out.file.url = index_.url() + "/" + file_name;
    out.file.sha256 = Digest::of(bytes).hex();
    out.file.size_bytes = bytes.size();
    out.is_wheel = file_name.ends_with(".whl");
    return out;
  }
  std::vector<WheelToInstall> fetch(const std::vector<Selected>& wanted) {
    return fetch_selected(wanted, python_, *transport_, *blobs_, dir_.path() / "fetch-cache", *runner_, events_);
  }
  size_t blobs() const {
    size_t count = 0;
    blobs_->for_each([&](const Digest&, uint64_t) { ++count; });
    return count;
  }

  // A source distribution that builds itself: a back end in its own tree (PEP 517 `backend-path`), no dependencies.
  static std::string sdist(const std::string& backend_body) {
    return make_zip({{"a-1.0/pyproject.toml",
                      "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n"},
                     {"a-1.0/PKG-INFO", "Metadata-Version: 2.1\nName: a\nVersion: 1.0\n\n"},
                     {"a-1.0/backend.py", backend_body}});
  }
  static constexpr const char* kBackend = R"(
import zipfile, hashlib, base64
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "a-1.0-py3-none-any.whl"
    files = {"a.py": "BUILT = True\n",
             "a-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
             "a-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Dist: b>=2\n\n"}
    rows = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        rows += "%s,sha256=%s,%d\n" % (path, digest, len(text))
    files["a-1.0.dist-info/RECORD"] = rows + "a-1.0.dist-info/RECORD,,\n"
    with zipfile.ZipFile(wheel_directory + "/" + name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name
)";

  FakeIndex index_;
  std::unique_ptr<Transport> transport_ = [] {
    HttpClientOptions options;
    options.retry_base_ms = 1;
    return make_http_client(options);
  }();
};

TEST_F(Fetch, SendsTheCredentialsOfAnIndexToItsFilesAndAsksForThemOnlyToDownload) {
  const Selected wheel = selected("a-1.0-py3-none-any.whl", WheelBuilder("a", "1.0").bytes());
  std::string url = index_.simple();
  url.insert(url.find("//") + 2, "alice:s3cret@");
  CredentialStore store;
  store.add({url});
  int asked = 0;
  FetchOptions options;
  options.credentials = [&]() -> CredentialStore& { return ++asked, store; };
  for (int i = 0; i < 2; ++i) {
    fetch_selected({wheel}, python_, *transport_, *blobs_, dir_.path() / "fetch-cache", *runner_, events_, options);
  }
  EXPECT_EQ(index_.last_header("/" + wheel.file.name, "Authorization"), "Basic " + base64("alice:s3cret"));
  EXPECT_EQ(asked, 1);
}

TEST_F(Fetch, AsksForFurtherCredentialsOnceWhenItIsRefused) {
  std::vector<Selected> wheels;
  int status = 401;
  for (const char* name : {"a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl", "c-1.0-py3-none-any.whl"}) {
    const std::string bytes = WheelBuilder({name[0]}, "1.0").bytes();
    wheels.push_back(selected(name, bytes));
    wheels.back().name = std::string(1, name[0]);
    index_.set("/" + wheels.back().file.name, {ServerResponse::text(200, bytes), false, "", status});
    status = status == 401 ? 403 : 404;
  }
  CredentialStore store;
  int asked = 0;
  store.add_when_refused([&] {
    ++asked;
    std::string url = index_.simple();
    url.insert(url.find("//") + 2, "alice:s3cret@");
    store.add({url});
  });
  FetchOptions options;
  options.credentials = [&]() -> CredentialStore& { return store; };
  fetch_selected(wheels, python_, *transport_, *blobs_, dir_.path() / "fetch-cache", *runner_, events_, options);
  EXPECT_EQ(blobs(), 3u);
  EXPECT_EQ(asked, 1);
}

TEST_F(Fetch, ARefusalStandsWhenNobodyKnowsBetter) {
  const std::string bytes = WheelBuilder("a", "1.0").bytes();
  const Selected wheel = selected("a-1.0-py3-none-any.whl", bytes);
  index_.set_status("/" + wheel.file.name, 403);
  CredentialStore store;
  std::string url = index_.simple();
  store.add_when_refused([&] { store.add({url.insert(url.find("//") + 2, "alice:wrong@")}); });
  FetchOptions options;
  options.credentials = [&]() -> CredentialStore& { return store; };
  const Error error = error_of([&] {
    fetch_selected({wheel}, python_, *transport_, *blobs_, dir_.path() / "fetch-cache", *runner_, events_, options);
  });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_EQ(index_.asked("/" + wheel.file.name), 2) << "once as a stranger, once with the credentials";
}

TEST_F(Fetch, BringsEveryFileOnceAndInstallable) {
  std::vector<Selected> wanted;
  for (int i = 0; i < 30; ++i) {
    WheelBuilder wheel("p" + std::to_string(i), "1.0");
    wheel.file("p" + std::to_string(i) + ".py", std::string(static_cast<size_t>(i) * 1000, '#'));
    wanted.push_back(selected(wheel.file_name(), wheel.bytes()));
    wanted.back().name = "P" + std::to_string(i);
  }
  const auto wheels = fetch(wanted);
  ASSERT_EQ(wheels.size(), 30u);
  EXPECT_EQ(wheels[7].name, "p7");
  EXPECT_EQ(wheels[7].digest.hex(), wanted[7].file.sha256);
  EXPECT_EQ(index_.asked(), 30);
  fetch(wanted);
  EXPECT_EQ(index_.asked(), 30) << "what is there is not fetched";
  install(wheels);
  EXPECT_TRUE(exists(site() / "p29.py"));
}

TEST_F(Fetch, StoresNothingThatIsNotWhatTheLockSays) {
  const std::string bytes = WheelBuilder("a", "1.0").bytes();
  Selected other_digest = selected("a-1.0-py3-none-any.whl", bytes);
  other_digest.file.sha256 = std::string(64, '3');
  EXPECT_EQ(error_of([&] { fetch({other_digest}); }).kind(), ErrorKind::verification);
  Selected too_large = selected("a-1.0-py3-none-any.whl", bytes);
  too_large.file.size_bytes = bytes.size() - 1;
  EXPECT_EQ(error_of([&] { fetch({too_large}); }).kind(), ErrorKind::verification);
  Selected too_small = selected("a-1.0-py3-none-any.whl", bytes);
  too_small.file.size_bytes = bytes.size() + 1;
  EXPECT_EQ(error_of([&] { fetch({too_small}); }).kind(), ErrorKind::verification);
  Selected without = selected("a-1.0-py3-none-any.whl", bytes);
  without.file.sha256 = "";
  EXPECT_EQ(error_of([&] { fetch({without}); }).kind(), ErrorKind::verification);
  EXPECT_EQ(blobs(), 0u);
}

TEST_F(Fetch, SaysWhatTheServerAnswered) {
  const Selected wanted = selected("a-1.0-py3-none-any.whl", "x");
  index_.remove("/a-1.0-py3-none-any.whl");
  EXPECT_EQ(error_of([&] { fetch({wanted}); }).kind(), ErrorKind::not_found);
  index_.set_status("/a-1.0-py3-none-any.whl", 403);
  const Error denied = error_of([&] { fetch({wanted}); });
  EXPECT_EQ(denied.kind(), ErrorKind::refused);
  EXPECT_EQ(denied.subject(), "a-1.0-py3-none-any.whl");
}

TEST_F(Fetch, TakesFilesFromThePathOfTheLock) {
  WheelBuilder wheel("a", "1.0");
  Selected local = selected(wheel.file_name(), wheel.bytes());
  local.file.url = "";
  local.file.path = (dir_.path() / "local.whl").string();
  write_file_atomic(local.file.path, wheel.bytes());
  EXPECT_TRUE(blobs_->has(fetch({local})[0].digest));
  write_file_atomic(local.file.path, "another");
  remove_all(dir_.path() / "blobs");
  EXPECT_EQ(error_of([&] { fetch({local}); }).kind(), ErrorKind::verification);
}

TEST_F(Fetch, AnSdistIsBuiltOnceAndItsMetadataComesFromTheSameBuild) {
  const std::string bytes = sdist(kBackend);
  Selected wanted = selected("a-1.0.zip", bytes);
  wanted.direct = true;

  const auto wheels = fetch({wanted});
  ASSERT_EQ(wheels.size(), 1u);
  EXPECT_EQ(wheels[0].file_name, "a-1.0-py3-none-any.whl");
  EXPECT_NE(wheels[0].digest.hex(), wanted.file.sha256);
  install(wheels);
  EXPECT_EQ(read_file(site() / "a.py"), "BUILT = True\n");
  const std::string direct_url = read_file(site() / "a-1.0.dist-info/direct_url.json");
  EXPECT_NE(direct_url.find("\"sha256\":\"" + wanted.file.sha256), std::string::npos) << direct_url;
  EXPECT_NE(direct_url.find(wanted.file.url), std::string::npos);

  IndexFile file;
  file.name = "a-1.0.zip";
  write_file_atomic(dir_.path() / "a-1.0.zip", bytes);
  // The wheel is kept: nothing is built any more.
  python_.real_executable = "/nonexistent/python";
  SourceBuilder builder(python_, *transport_, *blobs_, dir_.path() / "fetch-cache", *runner_, events_);
  const auto metadata = sdist_metadata_builder(builder);
  EXPECT_NE(metadata(file, dir_.path() / "a-1.0.zip").find("Requires-Dist: b>=2"), std::string::npos);
  EXPECT_EQ(fetch({wanted})[0].digest, wheels[0].digest);

  python_ = interpreter();
  const Selected broken =
      selected("a-1.0.zip", sdist("def build_wheel(*a, **k):\n    raise RuntimeError('no compiler here')\n"));
  const Error error = error_of([&] { fetch({broken}); });
  EXPECT_EQ(error.kind(), ErrorKind::failed);
  EXPECT_EQ(error.subject(), "a-1.0.zip");
  EXPECT_NE(error.cause().find("no compiler here"), std::string::npos) << error.cause();
}

// ---- what breaks on the way

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

TEST_F(FetchFromAfar, GoesOnWhereTheConnectionBroke) {
  const std::string bytes = noise(900'000);
  const Selected wanted = offer("a", {bytes, {300'000, 600'000}, {}});
  fetch({wanted});
  EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes);
  ASSERT_EQ(ranges().size(), 3u);
  EXPECT_EQ(ranges()[0], "");
  // What the client had taken from the broken answers is some beginning of what was sent.
  for (const size_t n : {1, 2}) EXPECT_TRUE(ranges()[n].starts_with("bytes=")) << ranges()[n];
  EXPECT_TRUE(parts().empty());
}

TEST_F(FetchFromAfar, BeginsAgainWhereTheServerKnowsNoRanges) {
  const std::string bytes = noise(500'000);
  fetch({offer("a", {bytes, {300'000}, {}, false})});
  EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes);
  EXPECT_EQ(asked_.begin()->second, 2);
}

TEST_F(FetchFromAfar, AsksAgainWhenTheServerIsBusy) {
  const std::string bytes = noise(1000);
  fetch({offer("a", {bytes, {}, {503, 429}})});
  EXPECT_TRUE(blobs_->has(Digest::of(bytes)));
  EXPECT_EQ(asked_.begin()->second, 3);
}

TEST_F(FetchFromAfar, KeepsWhatHasComeWhenTheServerGoesAwayAndGoesOnWithItLater) {
  const std::string bytes = noise(900'000);
  const Selected wanted = offer("a", {bytes, {300'000, 300'010, 300'020, 300'030, 300'040, 300'050, 300'060}, {}});
  const Error error = error_of([&] { fetch({wanted}); });
  EXPECT_EQ(error.kind(), ErrorKind::network);
  EXPECT_EQ(error.subject(), wanted.file.name);
  EXPECT_NE(error.cause().find(wanted.file.url), std::string::npos) << error.cause();
  EXPECT_NE(error.hint(), "");
  EXPECT_FALSE(blobs_->has(Digest::of(bytes)));
  ASSERT_TRUE(exists(part(wanted)));
  const auto kept = file_info(part(wanted))->size_bytes;
  EXPECT_GE(kept, 300'000u);
  offers_.begin()->second.cuts.clear();
  fetch({wanted});
  EXPECT_EQ(ranges().back(), "bytes=" + std::to_string(kept) + "-");
  EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes);
  EXPECT_TRUE(parts().empty());
}

TEST_F(FetchFromAfar, GoesOnAfterAKillAtAnyByte) {
  const std::string bytes = noise(400'000);
  for (const size_t had : {1u, 65'536u, 399'999u, 400'000u}) {
    const Selected wanted = offer("a", {bytes, {}, {}});
    write_file_atomic(part(wanted), bytes.substr(0, had));
    ranges_.clear();
    fetch({wanted});
    EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes) << had;
    if (had < bytes.size()) {
      EXPECT_EQ(ranges(), std::vector<std::string>{"bytes=" + std::to_string(had) + "-"});
    } else {
      EXPECT_TRUE(ranges().empty()) << "nothing was missing but the name";
    }
    blobs_->remove(Digest::of(bytes));
  }
}

TEST_F(FetchFromAfar, NeverTrustsWhatAnEarlierRunLeft) {
  const std::string bytes = noise(400'000);
  const Selected wanted = offer("a", {bytes, {}, {}});
  for (const std::string& left : {noise(100'000, 2), noise(400'000, 2), noise(500'000, 2)}) {
    write_file_atomic(part(wanted), left);
    fetch({wanted});
    EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes);
    blobs_->remove(Digest::of(bytes));
    EXPECT_TRUE(parts().empty());
  }
}

TEST_F(FetchFromAfar, EndsWithTheFirstByteTooMany) {
  Selected wanted = offer("a", {noise(8 << 20), {}, {}});
  wanted.file.size_bytes = 1000;
  const Error error = error_of([&] { fetch({wanted}); });
  EXPECT_EQ(error.kind(), ErrorKind::verification);
  EXPECT_EQ(error.subject(), wanted.file.name);
  EXPECT_TRUE(parts().empty());
}

TEST_F(FetchFromAfar, LeavesNothingOfAFileWithAnotherDigest) {
  Selected wanted = offer("a", {noise(300'000), {100'000}, {}});
  wanted.file.sha256 = std::string(64, '3');
  EXPECT_EQ(error_of([&] { fetch({wanted}); }).kind(), ErrorKind::verification);
  EXPECT_TRUE(parts().empty());
  EXPECT_EQ(blobs(), 0u);
}

TEST_F(FetchFromAfar, AsksAHostForNoMoreAtOnceThanItMay) {
  std::vector<Selected> wanted;
  for (int i = 0; i < 12; ++i) wanted.push_back(offer("p" + std::to_string(i), {noise(100, i + 1), {}, {}, true, 10}));
  FetchOptions options;
  options.max_per_host = 3;
  fetch_with(wanted, options);
  EXPECT_EQ(blobs(), 12u);
  EXPECT_LE(most_, 3);
  EXPECT_GT(most_, 1) << "they were fetched one after the other";
}

TEST_F(FetchFromAfar, BeginsWithTheLargest) {
  std::vector<Selected> wanted;
  for (int i : {2, 5, 1, 4, 3})
    wanted.push_back(offer("p" + std::to_string(i), {noise(1000u * static_cast<unsigned>(i)), {}, {}}));
  FetchOptions options;
  options.max_per_host = 1;
  fetch_with(wanted, options);
  ASSERT_EQ(order_.size(), 5u);
  for (size_t i = 0; i < 5; ++i) EXPECT_TRUE(order_[i].starts_with("/p" + std::to_string(5 - i))) << order_[i];
}

TEST_F(FetchFromAfar, TellsOfEachWheelOnceWhenItIsThere) {
  std::vector<Selected> wanted;
  for (int i = 0; i < 5; ++i) wanted.push_back(offer("p" + std::to_string(i), {noise(1000, i + 1), {}, {}}));
  wanted.push_back(wanted[0]);
  wanted.back().name = "again";
  fetch({wanted[4]});
  std::mutex mutex;
  std::vector<std::string> told;
  FetchOptions options;
  options.on_wheel = [&](const WheelToInstall& wheel) {
    std::scoped_lock lock(mutex);
    EXPECT_TRUE(blobs_->has(wheel.digest));
    told.push_back(wheel.name);
  };
  fetch_with(wanted, options);
  std::ranges::sort(told);
  EXPECT_EQ(told, (std::vector<std::string>{"again", "p0", "p1", "p2", "p3", "p4"}));
  EXPECT_EQ(order_.size(), 5u) << "one download for one file";
}

TEST_F(FetchFromAfar, ManyAtOnceFetchAFileOnce) {
  const std::string bytes = noise(3'000'000);
  const Selected wanted = offer("a", {bytes, {}, {}, true, 50});
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i) {
    others.emplace_back([&] {
      // As in another process: a client and a store of its own.
      const auto transport = make_http_client();
      const auto blobs = open_blob_store(dir_.path() / "blobs", Durability::none);
      NullSink quiet;
      fetch_selected({wanted}, python_, *transport, *blobs, dir_.path() / "fetch-cache", *runner_, quiet);
      EXPECT_EQ(blobs->read(Digest::of(bytes)), bytes);
    });
  }
  for (std::thread& other : others) other.join();
  EXPECT_EQ(order_.size(), 1u);
  EXPECT_TRUE(parts().empty());
}

TEST_F(FetchFromAfar, OneThatIsKilledDoesNotHoldUpTheOther) {
  const std::string bytes = noise(600'000);
  const Selected wanted = offer("a", {bytes, {}, {}, true, 20'000});
  const pid_t child = fork();
  if (child == 0) {
    try {
      const auto transport = make_http_client();
      fetch_selected({wanted}, python_, *transport, *blobs_, dir_.path() / "fetch-cache", *runner_, events_);
    } catch (const std::exception&) {
    }
    _exit(0);
  }
  while (!exists(part(wanted))) SystemClock().sleep_ms(1);
  {
    std::scoped_lock lock(mutex_);
    offers_.begin()->second.pause_ms = 0;
  }
  std::thread killer([&] {
    SystemClock().sleep_ms(100);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  });
  fetch({wanted});
  killer.join();
  EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes);
}

TEST_F(FetchFromAfar, NamesAllThatIsMissingOffline) {
  const std::vector<Selected> wanted{offer("a", {"1", {}, {}}), offer("b", {"2", {}, {}}), offer("c", {"3", {}, {}})};
  fetch({wanted[1]});
  FetchOptions options;
  options.offline = true;
  const Error error = error_of([&] { fetch_with(wanted, options); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_EQ(error.cause(), "a-1.0-py3-none-any.whl, c-1.0-py3-none-any.whl");
  EXPECT_EQ(fetch_with({wanted[1]}, options).size(), 1u);
  EXPECT_EQ(order_.size(), 1u);
}

TEST_F(FetchFromAfar, ABlobThatAPowerCutToreIsFetchedAgain) {
  const std::string bytes = noise(10'000);
  const Selected wanted = offer("a", {bytes, {}, {}});
  fetch({wanted});
  const Path path = blobs_->path(Digest::of(bytes));
  for (const size_t left : {0u, 5'000u}) {
    remove_file(path);
    write_file_atomic(path, bytes.substr(0, left));
    fetch({wanted});
    EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes);
  }
  EXPECT_EQ(order_.size(), 3u);
}

TEST_F(FetchFromAfar, NamesFileAndAddressButNoPassword) {
  Selected wanted = offer("a", {"x", {}, {}});
  offers_.clear();
  wanted.file.url.insert(wanted.file.url.find("//") + 2, "alice:s3cret@");
  const Error error = error_of([&] { fetch({wanted}); });
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  EXPECT_EQ(error.subject(), wanted.file.name);
  EXPECT_NE(error.cause().find("404"), std::string::npos) << error.cause();
  EXPECT_NE(error.cause().find(wanted.file.name), std::string::npos) << error.cause();
  EXPECT_EQ(std::string(error.what()).find("s3cret"), std::string::npos) << error.what();
}

}  // namespace
}  // namespace dae::resolver
