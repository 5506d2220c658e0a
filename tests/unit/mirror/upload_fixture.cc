#include "upload_fixture.h"

#include "base/archive.h"
#include "base/gzip.h"
#include "base/other_hashes.h"
#include "support/zip_writer.h"

namespace dae::mirror::testing {

std::string make_tar_gz(const std::vector<std::pair<std::string, std::string>>& files) {
  const TempDir dir;
  std::vector<TarEntry> entries;
  for (const auto& [name, bytes] : files)
    entries.push_back({.name = name, .source = {}, .bytes = bytes, .link_target = ""});
  write_tar(dir.path() / "x.tar", entries, 1'700'000'000);
  return gzip(read_file(dir.path() / "x.tar"));
}

std::string make_sdist(const std::string& name, const std::string& version, const std::string& more_metadata) {
  const std::string top = name + "-" + version + "/";
  return make_tar_gz(
      {{top + "PKG-INFO", "Metadata-Version: 2.2\nName: " + name + "\nVersion: " + version + "\n" + more_metadata},
       {top + "pyproject.toml", "[build-system]\nrequires = []\n"},
       {top + name + ".py", "x = 1\n"}});
}

std::string good_wheel(const std::string& distribution, const std::string& version, const std::string& code) {
  return dae::testing::WheelBuilder(distribution, version)
      .file(distribution + "/__init__.py", code)
      .requires_dist("other>=1")
      .requires_python(">=3.9")
      .bytes();
}

std::string form_body(const Fields& fields, const std::string& file_name, const std::string& bytes) {
  std::string body;
  for (const auto& [name, value] : fields) {
    body += "--frontier\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
  }
  body += "--frontier\r\nContent-Disposition: form-data; name=\"content\"; filename=\"" + file_name +
          "\"\r\nContent-Type: application/octet-stream\r\n\r\n" + bytes + "\r\n--frontier--\r\n";
  return body;
}

Fields usual_fields(const std::string& name, const std::string& version, const std::string& file_name,
                    const std::string& bytes) {
  Md5 md5;
  md5.update(bytes);
  Blake2b256 blake2;
  blake2.update(bytes);
  return {{":action", "file_upload"},
          {"protocol_version", "1"},
          {"name", name},
          {"version", version},
          {"filetype", file_name.ends_with(".whl") ? "bdist_wheel" : "sdist"},
          {"metadata_version", "2.1"},
          {"summary", ""},
          {"md5_digest", to_hex(md5.finish_bytes())},
          {"sha256_digest", Digest::of(bytes).hex()},
          {"blake2_256_digest", to_hex(blake2.finish_bytes())}};
}

UploadForm read_form(const Path& dir, const Fields& fields, const std::string& file_name, const std::string& bytes) {
  write_file_atomic(dir / "body", form_body(fields, file_name, bytes), 0644, Durability::none);
  remove_file(dir / "content");
  return read_upload_form(dir / "body", kFormType, dir / "content");
}

std::string basic(const std::string& password, const std::string& user) {
  return "Basic " + base64(user + ":" + password);
}

}  // namespace dae::mirror::testing
