#include "capture/watch/screen.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

namespace ktstr {

namespace {

// Control sequences of every terminal since the VT100 (ECMA-48; the alternate screen is xterm's).
constexpr char kTake[] = "\033[?1049h\033[?25l";  // alternate screen, no cursor
constexpr char kGiveBack[] = "\033[?25h\033[?1049l";
constexpr char kHome[] = "\033[H", kClearLine[] = "\033[K", kClearBelow[] = "\033[J";

winsize SizeOf(const Output& to) {
  winsize size = {};
  ioctl(to.fd(), TIOCGWINSZ, &size);
  return size;
}

}  // namespace

Screen::Screen(Output& to) : to_(to), terminal_(to.is_terminal()) {
  if (terminal_) std::ignore = to_.Write(kTake);
}

Screen::~Screen() {
  if (!terminal_) return;
  std::ignore = to_.Write(kGiveBack);
  (void)Append(last_);
}

size_t Screen::width() const { return terminal_ ? SizeOf(to_).ws_col : 0; }

Status Screen::Show(const std::vector<std::string>& lines) {
  if (!terminal_) return Append(lines);
  last_ = lines;
  const size_t rows = SizeOf(to_).ws_row;
  std::string frame = kHome;
  size_t shown = lines.size();
  if (rows != 0 && lines.size() > rows) shown = rows - 1;
  for (size_t i = 0; i < shown; ++i) {
    frame += (i == 0 ? "" : "\n") + lines[i] + kClearLine;
  }
  if (shown < lines.size()) {
    frame += fmt::format("\n… {} more lines{}", lines.size() - shown, kClearLine);
  }
  frame += kClearBelow;
  return to_.Write(frame);
}

Status Screen::Append(const std::vector<std::string>& lines) {
  std::string block = first_ || terminal_ ? "" : "\n";
  first_ = false;
  for (const std::string& line : lines) block += line + "\n";
  return to_.Write(block);
}

}  // namespace ktstr
