#include "mirror/sync/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"

namespace dae::mirror::sync {
namespace {

constexpr int kStaleTries = 3;  // after 1, 2 and 4 seconds
constexpr int64_t kStalePauseMs = 1000;
constexpr int64_t kPollMs = 100;
constexpr double kBurstMs = 100;
// Projects whose page is here and whose files are not, for each transfer: what bounds memory.
constexpr size_t kOpenProjects = 4;

}  // namespace

Engine::Engine(EngineParts parts, std::deque<Task> tasks, SyncReport& report)
    : parts_(std::move(parts)),
      tasks_(std::move(tasks)),
      report_(report),
      progress_(parts_.events, parts_.clock, parts_.plan_only ? "looking at" : "syncing", parts_.index, tasks_.size()) {
}

void Engine::run() {
  while (!done()) {
    if (parts_.stop_requested && parts_.stop_requested()) {
      *stopped_ = report_.interrupted = true;
      break;
    }
    start_some();
    wait();
    if (!parts_.plan_only) parts_.publisher.publish_if_due();
    progress_.show(done_projects_);
  }
  if (!parts_.plan_only) parts_.publisher.publish();
  if (!report_.interrupted) progress_.finish();
}

bool Engine::done() const {
  return tasks_.empty() && ready_.empty() && delayed_.empty() && transfers_.empty();
}

void Engine::start_some() {
  const size_t most_open = static_cast<size_t>(parts_.settings.parallel) * kOpenProjects;
  while (true) {
    start_due();
    const bool asks_nobody =
        !tasks_.empty() && (tasks_.front().kind == Task::Kind::removed || tasks_.front().kind == Task::Kind::kept);
    if (!ready_.empty()) {
      if (!may_send()) return;
      Work work = std::move(ready_.front());
      ready_.pop_front();
      resume(std::move(work));
    } else if (!tasks_.empty() && open_projects_ < most_open && (asks_nobody || may_send())) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      begin(std::move(task));
    } else {
      return;
    }
  }
}

void Engine::start_due() {
  const int64_t now_ms = parts_.clock.monotonic_ms();
  while (!delayed_.empty() && delayed_.begin()->first <= now_ms) {
    ready_.push_back(std::move(delayed_.begin()->second));
    delayed_.erase(delayed_.begin());
  }
}

// Counts the request when it may be sent.
bool Engine::may_send() {
  if (transfers_.size() >= static_cast<size_t>(parts_.settings.parallel)) return false;
  if (parts_.settings.requests_per_second == 0) return true;
  const double now_ms = static_cast<double>(parts_.clock.monotonic_ms());
  if (next_send_ms_ > now_ms) return false;
  next_send_ms_ =
      std::max(next_send_ms_, now_ms - kBurstMs) + 1000.0 / static_cast<double>(parts_.settings.requests_per_second);
  return true;
}

void Engine::begin(Task task) {
  auto project = std::make_shared<Project>();
  project->task = std::move(task);
  project->report.project = project->task.project;
  ++open_projects_;
  if (const auto row = parts_.pages.find(parts_.index, project->task.project)) {
    if (row->present) project->listed = parts_.pages.document(Digest::parse(row->document));
    project->listed_serial = row->serial;
    project->validators = {row->etag, row->last_modified};
  }
  switch (project->task.kind) {
    case Task::Kind::removed:
      return remove(*project);
    case Task::Kind::kept:
      if (!project->listed) return remove(*project);  // somebody else did, a moment ago
      project->task.serial = project->listed_serial;
      return look(project, project->listed->page);
    case Task::Kind::added:
    case Task::Kind::changed:
      return send_page(project);
  }
}

void Engine::send_page(const ProjectPtr& project) {
  const bool conditional = parts_.conditional && project->listed && project->task.serial == 0;
  send({project, std::nullopt},
       parts_.upstream.page_request(project->task.project, conditional ? project->validators.etag : "",
                                    conditional ? project->validators.last_modified : ""));
}

void Engine::send(Work work, HttpRequest request) {
  const uint64_t id = ++last_id_;
  request.on_done = [completions = completions_, id] { completions->add(id); };
  Transfer& transfer = transfers_[id];
  transfer.work = std::move(work);
  try {
    transfer.answer = parts_.upstream.transport().send_async(std::move(request));
  } catch (const Error&) {  // a URL that cannot be used
    std::promise<HttpResponse> refused;
    refused.set_exception(std::current_exception());
    transfer.answer = refused.get_future();
    completions_->add(id);
  }
}

void Engine::resume(Work work) {
  if (!work.file) return send_page(work.project);
  send_file(*std::move(work.file));
}

void Engine::wait() {
  const int64_t now_ms = parts_.clock.monotonic_ms();
  int64_t pause_ms = kPollMs;
  if (!delayed_.empty()) pause_ms = std::min(pause_ms, delayed_.begin()->first - now_ms);
  if (!ready_.empty() || !tasks_.empty()) {
    const int64_t send_in_ms = static_cast<int64_t>(next_send_ms_) - now_ms + 1;
    if (next_send_ms_ > 0) pause_ms = std::min(pause_ms, send_in_ms);
  }
  if (transfers_.empty()) {
    if (!done()) parts_.clock.sleep_ms(std::max<int64_t>(0, pause_ms));
    return;
  }
  for (const uint64_t id : completions_->wait(std::max<int64_t>(0, pause_ms))) {
    auto node = transfers_.extract(id);
    take(std::move(node.mapped()));
  }
}

void Engine::take(Transfer transfer) {
  if (!transfer.work.file) return take_page(transfer.work.project, std::move(transfer.answer));
  if (transfer.work.file->part != FileWork::Part::bytes) {
    return take_sidecar(*transfer.work.file, std::move(transfer.answer));
  }
  take_file(*std::move(transfer.work.file), std::move(transfer.answer));
}

bool Engine::is_stale(const Project& project, const UpstreamPage& page) const {
  if (page.kind == UpstreamPage::Kind::absent) return project.task.serial > 0;
  return page.serial > 0 && page.serial < project.task.serial;
}

void Engine::take_page(const ProjectPtr& project, std::future<HttpResponse> answer) {
  UpstreamPage page;
  try {
    page = parts_.upstream.read_page(answer.get(), project->task.project);
    if (page.kind == UpstreamPage::Kind::unchanged && !project->listed) {
      throw Error(ErrorKind::network, "upstream answered 304 to an unconditional request");
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::io) throw;
    fail(*project, "", error.what());
    return finish(*project);
  }
  if (is_stale(*project, page)) {
    if (project->tries < kStaleTries) {
      delayed_.emplace(parts_.clock.monotonic_ms() + (kStalePauseMs << project->tries++), Work{project, std::nullopt});
      return;
    }
    if (page.kind != UpstreamPage::Kind::absent) {
      fail(*project, "",
           fmt::format("upstream's page is older than its list says: serial {}, not {}", page.serial,
                       project->task.serial));
      return finish(*project);
    }
  }
  switch (page.kind) {
    case UpstreamPage::Kind::absent:
      return remove(*project);
    case UpstreamPage::Kind::unchanged:
      return look(project, project->listed->page);
    case UpstreamPage::Kind::page:
      project->validators = {page.etag, page.last_modified};
      project->serial = page.serial;
      return look(project, page.page);
  }
}

// Also for a project that was listed a moment ago and has no page: there is nothing to remove then.
void Engine::remove(const Project& project) {
  if (project.listed) {
    ProjectReport report = project.report;
    report.what = "removed";
    for (const resolver::IndexFile& file : project.listed->page.files) report.gone.push_back(file.name);
    report_.add(std::move(report));
    if (!parts_.plan_only) parts_.publisher.add_change({project.task.project, std::nullopt, 0}, {});
  }
  --open_projects_;
  ++done_projects_;
}

bool Engine::held(const Digest& digest) {
  return parts_.plan_only ? parts_.blobs.has(digest) : parts_.publisher.holds(digest);
}

void Engine::look(const ProjectPtr& project, const resolver::ProjectPage& page) {
  project->serial = std::max(project->serial, project->task.serial);
  project->choice = choose(page, project->listed.get(), parts_.selector, parts_.clock.wall_ms());
  report_.left_out += project->choice.left_out;
  project->report.gone = project->choice.gone;
  project->report.what = !project->listed ? "new" : project->choice.same ? "unchanged" : "changed";
  if (!parts_.settings.on_demand) return bring_files(project);
  finish(*project);
}

void Engine::fail(Project& project, const std::string& file, const std::string& why) {
  project.failed = true;
  log_warn("a sync cannot bring a project",
           {{"index", parts_.index}, {"project", project.task.project}, {"file", file}, {"why", why}});
  report_.failures.push_back({project.task.project, file, why});
}

// A page never lists a file that is not here. Where some file cannot be had, the page stays as it is, but for what the
// upstream took back.
void Engine::finish(Project& project) {
  --open_projects_;
  ++done_projects_;
  ProjectDocument& document = project.choice.document;
  for (auto file = project.dropped.rbegin(); file != project.dropped.rend(); ++file) {
    document.page.files.erase(document.page.files.begin() + static_cast<std::ptrdiff_t>(*file));
  }
  report_.left_out += project.dropped.size();
  const bool looked_at = !project.report.what.empty();
  if (!project.failed && project.report.what == "unchanged") ++report_.unchanged;
  if (looked_at && (!project.failed || project.listed)) report_.add(project.report);
  if (parts_.plan_only) return;
  if (!project.failed) {
    const bool news = project.report.what != "unchanged" || project.serial != project.listed_serial ||
                      project.task.kind == Task::Kind::changed;
    if (!news) return;
    return parts_.publisher.add_change({project.task.project, std::move(document), project.serial},
                                       std::move(project.validators));
  }
  if (looked_at && project.listed) {
    parts_.publisher.add_change({project.task.project, what_remains(*project.listed, document), 0}, {});
  } else {
    parts_.publisher.add_doubt(project.task.project);
  }
}

}  // namespace dae::mirror::sync
