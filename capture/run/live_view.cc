#include "capture/run/live_view.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include "libcore/base/safe_text.h"
#include "libcore/base/side_thread.h"

namespace ktstr {

namespace {

constexpr size_t kNameWidth = 24;
constexpr std::chrono::milliseconds kTick(500);

double Seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

size_t Columns(const Output& out) {
  winsize size = {};
  return ioctl(out.fd(), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string ResultText(const TestResult& result, bool timing) {
  std::string text = fmt::format(
      "{:<{}} {:<11} {:6.1f} s{}\n", SafeText(result.name), kNameWidth, VerdictName(result.verdict),
      std::chrono::duration<double>(result.duration).count(),
      result.began_from.empty() ? "" : fmt::format(", from {}", SafeText(result.began_from)));
  if (!result.cause.empty()) text += fmt::format("    {}\n", SafeText(result.cause));
  for (const std::string& problem : result.problems) {
    // Of an expectation the problem says it all; a trigger is named.
    const bool named = !result.trigger.empty() && result.trigger != "expectation";
    text += named ? fmt::format("    {}: {}\n", result.trigger, SafeText(problem))
                  : fmt::format("    {}\n", SafeText(problem));
  }
  for (const auto& archive : result.archives) {
    text += fmt::format("    kept {}\n", archive.string());
  }
  if (result.verdict == Verdict::kError) {
    text += fmt::format("    the log is {}\n", result.log.string());
  }
  if (timing && !result.steps.empty()) text += fmt::format("    {}\n", ToText(result.steps));
  return text;
}

LiveView::LiveView(Output& out, bool timing)
    : out_(out), terminal_(out.is_terminal()), timing_(timing) {
  if (terminal_) ticker_ = TryThread([this](std::stop_token stop) { Tick(std::move(stop)); });
}

void LiveView::Tick(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, stop, kTick, [&] { return stop.stop_requested(); })) Show("");
}

void LiveView::Step(const std::string& test, const std::string& step) {
  const std::lock_guard lock(mutex_);
  const auto [running, is_new] =
      running_.try_emplace(test, Running{step, std::chrono::steady_clock::now()});
  running->second.step = step;
  if (terminal_) {
    Show("");
  } else if (is_new) {
    Show(fmt::format("{:<{}} begins\n", SafeText(test), kNameWidth));
  }
}

void LiveView::Finish(const TestResult& result) {
  const std::lock_guard lock(mutex_);
  running_.erase(result.name);
  Show(ResultText(result, timing_));
}

void LiveView::Show(const std::string& lines) {
  std::string text = drawn_ > 0 ? fmt::format("\x1b[{}A\x1b[J", drawn_) : "";
  text += lines;
  drawn_ = 0;
  if (terminal_) {
    const size_t columns = Columns(out_);
    for (const auto& [test, running] : running_) {
      const double s = Seconds(std::chrono::steady_clock::now() - running.begun);
      const std::string line = fmt::format("{:<{}} {:5.1f} s  {}", SafeText(test), kNameWidth, s,
                                           SafeText(running.step));
      text += CutTo(line, columns > 1 ? columns - 1 : 1) + "\n";
      ++drawn_;
    }
  }
  // Tests go on although nobody hears of them: RunProgram tells of it at the end.
  std::ignore = out_.Write(text);
}

}  // namespace ktstr
