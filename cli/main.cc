#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "cli/context.h"

namespace {

int run(int argc, char** argv) {
  dae::cli::Context context;
  try {
    dae::cli::Parsed parsed = dae::cli::parse_command_line(dae::cli::command_table(), argc, argv, context.globals);
    if (!parsed.action) return parsed.exit_code;
    if (!context.globals.directory.empty()) std::filesystem::current_path(context.globals.directory);
    dae::log_setup(context.globals.verbose ? dae::LogLevel::debug : dae::LogLevel::info, context.globals.json);
    context.runner = dae::make_process_runner();
    context.events = dae::make_progress_sink(context.globals.quiet  ? dae::ProgressStyle::quiet
                                             : context.globals.json ? dae::ProgressStyle::json
                                                                    : dae::default_progress_style());
    int code = parsed.action(context);
    std::fflush(stdout);
    return code;
  } catch (const dae::Error& error) {
    context.events.reset();  // a bar on the last line must not mix with the message
    std::fputs(dae::render_error(error).c_str(), stderr);
    return dae::exit_code(error.kind());
  } catch (const std::filesystem::filesystem_error& error) {
    std::fputs(dae::render_error(dae::Error(dae::ErrorKind::io, error.what())).c_str(), stderr);
    return dae::exit_code(dae::ErrorKind::io);
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv);
}
