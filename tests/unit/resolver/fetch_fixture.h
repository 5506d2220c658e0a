#pragma once
// Files that a fake index serves, and a blob store they are to come into.
#include "base/clock.h"
#include "environment_fixture.h"
#include "fake_index.h"

namespace dae::resolver::testing {

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
    return dae::testing::make_zip(
        {{"a-1.0/pyproject.toml",
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

}  // namespace dae::resolver::testing
