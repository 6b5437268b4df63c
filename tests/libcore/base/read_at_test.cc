// Proves: a read goes as far as the file does, and says why it went no further.
#include "libcore/base/read_at.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace ktstr {
namespace {

TEST(ReadFullyTest, EndsWhereTheFileEndsAndSaysWhatFailed) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::tmpfile(), fclose);
  const int fd = fileno(file.get());
  ASSERT_EQ(write(fd, "0123456789", 10), 10);
  std::array<std::byte, 4> out;
  const ReadCount whole = ReadFully(fd, 3, out);
  EXPECT_EQ(whole.bytes, 4u);
  EXPECT_EQ(whole.error, 0);
  EXPECT_EQ(out[0], std::byte('3'));
  const ReadCount part = ReadFully(fd, 8, out);
  EXPECT_EQ(part.bytes, 2u);
  EXPECT_EQ(part.error, 0);
  EXPECT_EQ(ReadFully(fd, 10, out).bytes, 0u);
  const ReadCount none = ReadFully(-1, 0, out);
  EXPECT_EQ(none.bytes, 0u);
  EXPECT_EQ(none.error, EBADF);
}

}  // namespace
}  // namespace ktstr
