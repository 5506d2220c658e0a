// Files that are sent while they come from an object store, and what clients get when it fails.
#include <gtest/gtest.h>

#include <condition_variable>
#include <thread>

#include "cached_blobs_fixture.h"
#include "fixture.h"
#include "mirror/index/file_store.h"
#include "mirror/registry/registry_routes.h"
#include "small_disk.h"
#include "support/error_of.h"

namespace dae::mirror {
namespace {

using dae::testing::error_of;
using testing::FakeIndex;
using testing::Machine;
using testing::MemoryObjects;
using testing::MutexLease;
using testing::object_key;
using testing::SmallDisk;
using testing::unreachable;

constexpr size_t kSize = 1u << 20, kPiece = 64u << 10;
const std::string kName = "demo-1.0.tar.gz";

// Gives out files as slowly as the test says.
class SlowObjects final : public ObjectStore {
 public:
  explicit SlowObjects(MemoryObjects& objects) : objects_(objects) {}
  void allow(uint64_t bytes) {
    std::lock_guard lock(mutex_);
    allowed_ = bytes;
    changed_.notify_all();
  }
  std::atomic<int> fetches{0};

  std::optional<ObjectInfo> get_file(const std::string& key, const Fetch& fetch) override {
    ++fetches;
    const auto object = objects_.get(key);
    if (!object) return std::nullopt;
    const auto begun = file_info(fetch.into);
    for (uint64_t done = begun ? begun->size_bytes : 0; done < object->bytes.size();) {
      wait_for(done + 1, fetch);
      const std::string_view piece = std::string_view(object->bytes).substr(done, kPiece);
      append_file(fetch.into, piece);
      done += piece.size();
      if (fetch.on_progress) fetch.on_progress(done, object->bytes.size());
    }
    return objects_.head(key);
  }

  std::optional<ObjectInfo> head(const std::string& key) override { return objects_.head(key); }
  std::optional<ObjectBytes> get(const std::string& key, uint64_t limit) override { return objects_.get(key, limit); }
  Fresh get_unless(const std::string& key, const std::string& etag, uint64_t limit) override {
    return objects_.get_unless(key, etag, limit);
  }
  std::string put(const std::string& key, std::string_view bytes) override { return objects_.put(key, bytes); }
  void put_files(const std::vector<ObjectFile>& files) override { objects_.put_files(files); }
  std::optional<std::string> put_if(const std::string& key, std::string_view bytes, const std::string& etag) override {
    return objects_.put_if(key, bytes, etag);
  }
  bool touch(const std::string& key) override { return objects_.touch(key); }
  void copy(const std::string& from, const std::string& to) override { objects_.copy(from, to); }
  void remove(const std::string& key) override { objects_.remove(key); }
  void list(const std::string& prefix, const std::function<void(const ObjectInfo&)>& visit) override {
    objects_.list(prefix, visit);
  }

 private:
  void wait_for(uint64_t bytes, const Fetch& fetch) {
    std::unique_lock lock(mutex_);
    while (allowed_ < bytes) {
      if (fetch.stop && *fetch.stop) throw Error(ErrorKind::interrupted, "the download was given up", "memory");
      changed_.wait_for(lock, std::chrono::milliseconds(5));
    }
  }

  MemoryObjects& objects_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t allowed_ = 0;
};

// One index that lists one file, and a machine that has not got it yet.
struct FilesFromObjects : ::testing::Test {
  void open_files(bool frozen) {
    config.indexes = {IndexConfig{.name = "pypi", .upstream = upstream.simple_url(), .frozen = frozen}};
    indexes["pypi"] = std::make_unique<PullThroughIndex>(
        config.indexes[0], std::make_unique<Upstream>(config.indexes[0], config, *transport, *runner, metrics), pages,
        clock, metrics, gate, policies.overlays());
    files = std::make_unique<FileStore>(indexes, pages, *here.blobs, metrics, gate, policies);
    ProjectChange change;
    change.project = "demo";
    change.document.emplace();
    resolver::IndexFile file;
    file.name = kName;
    file.sha256 = digest.hex();
    file.size_bytes = bytes.size();
    file.url = upstream.url() + "/files/" + kName;
    change.document->page.files.push_back(file);
    pages.apply("pypi", {change}, clock.wall_ms(), "test");
  }
  void put() { there.blobs->put(bytes); }
  static void wait_until(const std::function<bool()>& done) {
    for (int i = 0; i < 5000 && !done(); ++i) SystemClock().sleep_ms(1);
    EXPECT_TRUE(done());
  }

  const std::string bytes = std::string(kSize, 'x') + "end";
  const Digest digest = Digest::of(bytes);
  TempDir dir;
  ManualClock clock{SystemClock().wall_ms()};
  MemoryObjects objects{clock};
  SlowObjects slow{objects};
  MutexLease lease;
  Machine here{slow, lease, clock}, there{objects, lease, clock};
  FakeIndex upstream;
  MirrorConfig config = default_mirror_config(dir.path() / "storage");
  std::unique_ptr<Transport> transport = make_http_client();
  std::unique_ptr<ProcessRunner> runner = make_process_runner();
  Metrics metrics;
  Gate gate{64};
  Catalog catalog{config.storage / "catalog.db"};
  PageStore pages{catalog};
  Policies policies{{IndexConfig{.name = "pypi"}}, catalog, pages, clock};
  Indexes indexes;
  std::unique_ptr<FileStore> files;
};

TEST_F(FilesFromObjects, TheFirstBytesAreSentBeforeTheLastHaveCome) {
  open_files(true);
  put();
  slow.allow(kPiece);
  const auto growing = files->open(digest, kName);
  ASSERT_TRUE(growing);
  EXPECT_EQ(growing->size_bytes(), bytes.size());
  EXPECT_EQ(growing->readable_bytes(), kPiece);
  EXPECT_EQ(files->open(digest, kName), growing) << "however many ask";
  EXPECT_FALSE(here.blobs->is_near(digest));
  slow.allow(bytes.size());
  wait_until([&] { return growing->state() != GrowingFile::State::growing; });
  EXPECT_EQ(growing->state(), GrowingFile::State::whole);
  EXPECT_FALSE(files->open(digest, kName)) << "it is a file like any other";
  EXPECT_EQ(read_file(files->path(files->package(digest, kName))), bytes);
  EXPECT_EQ(slow.fetches, 1);
}

TEST_F(FilesFromObjects, WhoWaitsForTheWholeFileDoesNotKeepOthersFromStreamingIt) {
  open_files(true);
  put();
  std::thread whole([&] { EXPECT_EQ(read_file(here.blobs->path(digest)), bytes); });
  wait_until([&] { return slow.fetches == 1; });
  std::shared_ptr<GrowingFile> growing;
  std::thread reader([&] { growing = files->open(digest, kName); });
  SystemClock().sleep_ms(30);  // it joins what is under way
  slow.allow(kPiece);
  reader.join();
  ASSERT_TRUE(growing);
  EXPECT_EQ(growing->state(), GrowingFile::State::growing);
  slow.allow(bytes.size());
  whole.join();
  EXPECT_EQ(slow.fetches, 1);
}

TEST_F(FilesFromObjects, SizesNeedNoFetch) {
  open_files(true);
  put();
  EXPECT_EQ(files->size_bytes(digest, kName), bytes.size());
  EXPECT_EQ(slow.fetches, 0);
}

TEST_F(FilesFromObjects, WrongBytesBreakOffAndAreFetchedFromUpstreamInstead) {
  open_files(false);
  put();
  upstream.set_file(kName, bytes);
  objects.damage(object_key(digest), std::string(bytes.size(), 'y'));
  slow.allow(kPiece);
  const auto growing = files->open(digest, kName);
  ASSERT_TRUE(growing);
  slow.allow(bytes.size());
  wait_until([&] { return growing->state() != GrowingFile::State::growing; });
  EXPECT_EQ(growing->state(), GrowingFile::State::broken);
  EXPECT_EQ(read_file(files->path(files->package(digest, kName))), bytes);
  EXPECT_EQ(objects.get(object_key(digest))->bytes, bytes);
  EXPECT_EQ(here.blobs->quarantined().size(), 1u);
  EXPECT_EQ(upstream.files, 1);
}

TEST_F(FilesFromObjects, WrongBytesThatNobodyElseHasAreGone) {
  open_files(true);
  put();
  objects.damage(object_key(digest), std::string(bytes.size(), 'y'));
  slow.allow(bytes.size());
  EXPECT_EQ(error_of([&] { files->package(digest, kName); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(here.blobs->quarantined().size(), 1u);
  EXPECT_FALSE(here.blobs->has(digest));
}

TEST_F(FilesFromObjects, WrongBytesOfAFileThatIsReadAtOnceAreOurTroubleNotTheClients) {
  open_files(true);
  put();
  objects.damage(object_key(digest), std::string(bytes.size(), 'y'));
  slow.allow(bytes.size());
  EXPECT_EQ(error_of([&] { files->path(digest); }).kind(), ErrorKind::network);
  EXPECT_FALSE(here.blobs->has(digest));
}

TEST_F(FilesFromObjects, WhatAnotherMachineHasFetchedIsNotAskedOfUpstream) {
  open_files(false);
  slow.allow(bytes.size());
  upstream.set_file(kName, bytes);
  EXPECT_EQ(files->package(digest, kName), digest);
  EXPECT_EQ(upstream.files, 1);
  EXPECT_TRUE(there.blobs->has(digest));
  remove_file(here.file(digest));
  EXPECT_EQ(files->package(digest, kName), digest);
  EXPECT_EQ(upstream.files, 1);
}

TEST_F(FilesFromObjects, AStopEndsTheFetchAndTheNextGoesOnWithIt) {
  open_files(true);
  put();
  slow.allow(kPiece);
  ASSERT_TRUE(files->open(digest, kName));
  files.reset();
  const std::vector<std::string> left = here.leftovers();
  ASSERT_EQ(left, std::vector<std::string>{digest.hex() + ".object"});
  EXPECT_EQ(file_info(here.dir.path() / "cache" / "tmp" / left[0])->size_bytes, kPiece);
  slow.allow(bytes.size());
  EXPECT_EQ(here.blobs->read(digest), bytes);
  EXPECT_TRUE(here.leftovers().empty());
}

TEST_F(FilesFromObjects, ClientsGet502ForWhatIsNotNearWhileTheObjectStoreIsDown) {
  open_files(true);
  ServerOptions options;
  options.loops = 1;
  const auto server =
      start_http_server(options, {{.method = "GET", .pattern = "/file", .handle = [&](const ServerRequest&) {
                                     ServerResponse response;
                                     response.growing = files->open(digest, kName);
                                     if (!response.growing) response.file = files->path(digest);
                                     return response;
                                   }}});
  const auto status = [&] {
    HttpRequest request;
    request.url = server->url() + "/file";
    request.retries = 0;
    return transport->send(std::move(request)).status;
  };
  put();
  objects.set_before([](const std::string&, const std::string&) { throw unreachable(); });
  EXPECT_EQ(status(), 502);
  objects.set_before({});
  slow.allow(bytes.size());
  EXPECT_EQ(status(), 200);
  objects.set_before([](const std::string&, const std::string&) { throw unreachable(); });
  EXPECT_EQ(status(), 200) << "it is near now";
}

// The registry, with one blob that is not near.
struct RegistryOfObjects : FilesFromObjects {
  RegistryOfObjects() {
    open_files(true);
    put();
    registry.link_blob("team/app", ContentDigest::parse(digest.oci()), digest);
    std::vector<Route> routes;
    add_registry_routes(routes, service);
    ServerOptions options;
    options.loops = 1;
    server = start_http_server(options, std::move(routes));
  }
  HttpRequest request(const std::string& method = "GET", Headers headers = {}) {
    HttpRequest request;
    request.method = method;
    request.url = server->url() + "/v2/team/app/blobs/" + digest.oci();
    request.headers = std::move(headers);
    request.retries = 0;
    return request;
  }

  RegistryStore registry{catalog, clock};
  Uploads uploads{catalog, *here.blobs, clock, dir.path() / "uploads", 1u << 30};
  AnswerCache answers{catalog, clock, dir.path()};
  RegistryService service{registry, uploads, *here.blobs, 1u << 30, false, answers, nullptr};
  std::unique_ptr<HttpServer> server;
};

TEST_F(RegistryOfObjects, ABlobIsSentWhileItComes) {
  service.flights = &files->flights();
  const HttpResponse head = transport->send(request("HEAD"));
  EXPECT_EQ(head.headers.get("Content-Length"), std::to_string(bytes.size()));
  EXPECT_EQ(slow.fetches, 0);
  std::atomic<uint64_t> received{0};
  HttpRequest get = request();
  get.on_body = [&](std::string_view piece) { received += piece.size(); };
  slow.allow(kPiece);
  auto answer = transport->send_async(std::move(get));
  wait_until([&] { return received == kPiece; });
  EXPECT_FALSE(here.blobs->is_near(digest));
  slow.allow(bytes.size());
  EXPECT_EQ(answer.get().status, 200);
  EXPECT_EQ(received, bytes.size());
  EXPECT_EQ(transport->send(request()).body, bytes);
  EXPECT_EQ(transport->send(request("GET", {{"Range", "bytes=1-2"}})).body, bytes.substr(1, 2));
  EXPECT_EQ(slow.fetches, 1);
}

TEST_F(RegistryOfObjects, APartOfABlobWaitsUntilTheWholeIsRight) {
  service.flights = &files->flights();
  slow.allow(bytes.size());
  EXPECT_EQ(transport->send(request("GET", {{"Range", "bytes=1-2"}})).body, bytes.substr(1, 2));
  EXPECT_TRUE(here.blobs->is_near(digest));
}

TEST_F(RegistryOfObjects, WrongBytesAreNotThere) {
  slow.allow(bytes.size());
  objects.damage(object_key(digest), std::string(bytes.size(), 'y'));
  EXPECT_EQ(transport->send(request()).status, 404);
  EXPECT_EQ(here.blobs->quarantined().size(), 1u);
}

TEST_F(RegistryOfObjects, ClientsAreToldToTryAgainWhileTheObjectStoreIsDown) {
  objects.set_before([](const std::string&, const std::string&) { throw unreachable(); });
  EXPECT_EQ(transport->send(request()).status, 503);
}

TEST(CachedBlobsOnAFullDisk, NothingHalfStaysAndItWorksWhenThereIsRoomAgain) {
  SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "cannot mount here";
  ManualClock clock{SystemClock().wall_ms()};
  MemoryObjects objects{clock};
  MutexLease lease;
  Machine there{objects, lease, clock};
  const std::string bytes(2u << 20, 'x');
  const Digest digest = there.blobs->put(bytes);
  const auto blobs = open_cached_blobs(disk.path() / "cache", objects, lease, clock);
  disk.fill();
  EXPECT_EQ(error_of([&] { blobs->path(digest); }).kind(), ErrorKind::io);
  EXPECT_EQ(error_of([&] { blobs->put("other bytes"); }).kind(), ErrorKind::io);
  EXPECT_FALSE(blobs->is_near(digest));
  EXPECT_TRUE(list_dir(disk.path() / "cache" / "tmp").empty());
  remove_file(disk.path() / "filler");
  EXPECT_EQ(blobs->read(digest), bytes);
}

}  // namespace
}  // namespace dae::mirror
