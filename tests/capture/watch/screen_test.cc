#include "capture/watch/screen.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "capture/system/memory_file.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {
namespace {

constexpr char kTake[] = "\033[?1049h\033[?25l", kGiveBack[] = "\033[?25h\033[?1049l";

// A terminal of so many columns and rows.
class Terminal {
 public:
  Terminal(uint16_t columns, uint16_t rows) : keyboard_(posix_openpt(O_RDWR | O_NOCTTY)) {
    grantpt(keyboard_.get());
    unlockpt(keyboard_.get());
    terminal_ = UniqueFd(open(ptsname(keyboard_.get()), O_WRONLY | O_NOCTTY | O_CLOEXEC));
    screen_.emplace(terminal_.get());
    const winsize size = {rows, columns, 0, 0};
    ioctl(keyboard_.get(), TIOCSWINSZ, &size);
  }

  Output& screen() { return *screen_; }
  // What was shown since the call before. A terminal hands text over when it likes, in pieces; the
  // mark behind it says that all of it is here.
  std::string Shown() {
    constexpr char kMark = '\a';
    EXPECT_TRUE(screen_->Write({&kMark, 1}));
    std::string shown;
    char buffer[4096];
    while (!shown.ends_with(kMark)) {
      const ssize_t n = read(keyboard_.get(), buffer, sizeof buffer);
      if (n <= 0) return shown;
      shown.append(buffer, n);
    }
    shown.pop_back();
    return shown;
  }

 private:
  UniqueFd keyboard_, terminal_;
  std::optional<Output> screen_;
};

TEST(ScreenTest, ATerminalIsRefreshedInPlaceAndGivenBackWithTheLastBlock) {
  Terminal terminal(80, 24);
  {
    Screen screen(terminal.screen());
    EXPECT_EQ(screen.width(), 80u);
    ASSERT_TRUE(screen.Show({"one", "two"}));
    EXPECT_EQ(terminal.Shown(), std::string(kTake) + "\033[Hone\033[K\r\ntwo\033[K\033[J");
    ASSERT_TRUE(screen.Show({"three"}));
    EXPECT_EQ(terminal.Shown(), "\033[Hthree\033[K\033[J");
  }
  EXPECT_EQ(terminal.Shown(), std::string(kGiveBack) + "three\r\n");
}

TEST(ScreenTest, LinesThatDoNotFitAreCounted) {
  Terminal terminal(80, 3);
  Screen screen(terminal.screen());
  terminal.Shown();
  ASSERT_TRUE(screen.Show({"1", "2", "3"}));
  EXPECT_EQ(terminal.Shown(), "\033[H1\033[K\r\n2\033[K\r\n3\033[K\033[J");
  ASSERT_TRUE(screen.Show({"1", "2", "3", "4"}));
  EXPECT_EQ(terminal.Shown(), "\033[H1\033[K\r\n2\033[K\r\n… 2 more lines\033[K\033[J");
}

TEST(ScreenTest, ElsewhereBlocksFollowEachOther) {
  const UniqueFd file = *MakeMemoryFile("screen");
  Output to(file.get());
  {
    Screen screen(to);
    EXPECT_EQ(screen.width(), 0u);
    ASSERT_TRUE(screen.Show({"one", "two"}));
    ASSERT_TRUE(screen.Show({"three"}));
  }
  EXPECT_EQ(*ReadTail(file.get(), 1000), "one\ntwo\n\nthree\n");
}

}  // namespace
}  // namespace ktstr
