// Output: whole, or with a reason.
#include "libcore/base/output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>

namespace ktstr {
namespace {

using testing::HasSubstr;

class Pipe {
 public:
  explicit Pipe(int flags = 0) { EXPECT_EQ(pipe2(ends_, flags), 0); }
  ~Pipe() {
    CloseReader();
    close(ends_[1]);
  }
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void CloseReader() {
    if (ends_[0] >= 0) close(ends_[0]);
    ends_[0] = -1;
  }

 private:
  int ends_[2];
};

std::string ReadAll(int fd, size_t size) {
  std::string text(size, '\0');
  for (size_t at = 0; at < size;) {
    const ssize_t got = read(fd, text.data() + at, size - at);
    if (got <= 0) return text.substr(0, at);
    at += size_t(got);
  }
  return text;
}

TEST(OutputTest, WritesAllToAPipeThatTakesALittleAtATime) {
  for (const int flags : {0, O_NONBLOCK}) {
    const Pipe pipe(flags);
    Output output(pipe.writer());
    const std::string text(1 << 20, 'x');
    std::thread writer([&] { EXPECT_TRUE(output.Write(text)); });
    // The reader's end may wait.
    fcntl(pipe.reader(), F_SETFL, 0);
    EXPECT_EQ(ReadAll(pipe.reader(), text.size()), text);
    writer.join();
    EXPECT_FALSE(output.lost());
  }
}

TEST(OutputTest, RemembersThatSomethingIsLost) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  Output output(full);
  const Status first = output.Write("a");
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code(), ErrorCode::kIo);
  EXPECT_THAT(first.error().message(), HasSubstr("No space left on device"));
  // Later output would make a whole of what has a hole.
  EXPECT_FALSE(output.Write(""));
  ASSERT_TRUE(output.lost());
  EXPECT_EQ(output.lost()->message(), first.error().message());
  close(full);
}

TEST(OutputTest, TakesAReaderThatHasGoneForTheEnd) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  Output output(pipe.writer());
  EXPECT_TRUE(output.has_reader());
  pipe.CloseReader();
  EXPECT_TRUE(output.Write("a"));
  EXPECT_FALSE(output.has_reader());
  EXPECT_FALSE(output.lost());
}

}  // namespace
}  // namespace ktstr
