#include "ktstr/capture/capture_command.h"

#include <fmt/format.h>
#include <signal.h>

#include "ktstr/capture/command_line.h"
#include "ktstr/capture/progress_bar.h"

namespace ktstr {

namespace {

std::atomic<bool> interrupted = false;

// While one lives, SIGINT and SIGTERM only ask for the end.
class InterruptGuard {
 public:
  InterruptGuard() {
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted.store(true); };
    sigaction(SIGINT, &action, &old_int_);
    sigaction(SIGTERM, &action, &old_term_);
  }
  ~InterruptGuard() {
    sigaction(SIGINT, &old_int_, nullptr);
    sigaction(SIGTERM, &old_term_, nullptr);
  }

 private:
  struct sigaction old_int_, old_term_;
};

void PrintSummary(const std::string& output, const CaptureSummary& summary) {
  const ArchiveWriteSummary& archive = summary.archive;
  const uint64_t pages = archive.present_pages + archive.duplicate_pages + archive.zero_pages;
  for (const std::string& warning : summary.warnings) fmt::print(stderr, "warning: {}\n", warning);
  fmt::print(
      "{}: {}, {} pages of which {} are stored, {} are repeated and {} are zero; guest{} "
      "frozen for {} ms\n",
      output, FormatSize(archive.file_size), pages, archive.present_pages, archive.duplicate_pages,
      archive.zero_pages,
      summary.kernel_release.empty() ? "" : " with kernel " + summary.kernel_release,
      summary.frozen_for.count() / 1000);
}

}  // namespace

std::string PlainFormatter::make_option_opts(const CLI::Option* option) const {
  std::string text;
  if (option->get_type_size() != 0) text += " " + option->get_type_name();
  if (!option->get_default_str().empty()) {
    text += fmt::format(" (default: {})", option->get_default_str());
  }
  if (option->get_required()) text += " (required)";
  return text;
}

void AddArchiveOptions(CLI::App* app, ArchiveArguments* arguments) {
  app->add_option("-o,--output", arguments->output, "The archive to write, usually NAME.kts")
      ->type_name("FILE");
  app->add_flag("-f,--force", arguments->force, "Overwrite FILE if it exists");
  app->add_option("--tag", arguments->tags, "A note kept in the archive; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

Status RunCapture(QmpClient& qmp, const ArchiveArguments& arguments, CaptureOptions options) {
  options.output = arguments.output;
  options.overwrite = arguments.force;
  options.tags = KTSTR_TRY(ParseTags(arguments.tags));
  options.cancel = &interrupted;
  ProgressBar bar("writing " + arguments.output);
  options.progress = [&bar](uint64_t done, uint64_t all) { bar.Show(done, all); };
  const InterruptGuard guard;
  auto summary = Capture(qmp, options);
  bar.Clear();
  if (!summary) return Fail(std::move(summary).error());
  PrintSummary(arguments.output, *summary);
  return {};
}

}  // namespace ktstr
