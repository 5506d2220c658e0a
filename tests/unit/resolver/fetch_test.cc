// Selected files come into the blob store, or do not; sdists become wheels.
#include "fetch_fixture.h"
#include "resolver/install/build.h"

namespace dae::resolver {
namespace {

using dae::testing::error_of;
using testing::Fetch;
using testing::WheelBuilder;

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

}  // namespace
}  // namespace dae::resolver
