// Selected files come into the blob store, or do not; sdists become wheels.
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
