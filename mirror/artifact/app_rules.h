#pragma once
// What names and values of an app may look like. They end up in paths, units, sockets and gateway files, so the reader
// of app.yaml and the reader of an artifact from a registry ask the same questions.
#include <string>
#include <string_view>

namespace dae::mirror {

bool is_app_name(std::string_view text);       // [a-z][a-z0-9-]{0,62}
bool is_instance_name(std::string_view text);  // the same with `_`
bool is_env_name(std::string_view text);       // [A-Za-z_][A-Za-z0-9_]*
bool is_batch(std::string_view text);          // "3" or "25%"
bool is_host_name(std::string_view text);      // labels, with `*.` or `.` in front for a wildcard
bool is_url_prefix(std::string_view text);     // "/static", "/a/b/": no `..`, no character a gateway file could misread
bool is_inner_path(std::string_view text);     // relative, without `..`, control characters and back-slashes
bool is_platform(std::string_view text);       // [a-z0-9_]+, as in a wheel's tag
bool is_python_minor(std::string_view text);   // "3.11"
bool is_wheel_file_name(std::string_view text);

}  // namespace dae::mirror
