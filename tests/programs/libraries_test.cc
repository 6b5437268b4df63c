// Which libraries of the system a program loads at each start, which a short question waits for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../analyze/run_program.h"

namespace ktstr {
namespace {

using testing::HasSubstr;
using testing::Not;

class LibrariesTest : public testing::TestWithParam<const char*> {
 protected:
  // As the dynamic linker lists them.
  std::string Libraries() const {
    return RunInShell("ldd " KTSTR_BIN_DIR "/" + std::string(GetParam())).out;
  }
};

// Each of them would bring the C++ library of the system into a program that has one within it.
TEST_P(LibrariesTest, NoneIsOfCpp) {
  if (!KTSTR_HAS_OWN_RUNTIME) GTEST_SKIP() << "programs use the C++ library of the system";
  EXPECT_THAT(Libraries(), HasSubstr("libzstd"));
  EXPECT_THAT(Libraries(), Not(HasSubstr("libstdc++")));
  EXPECT_THAT(Libraries(), Not(HasSubstr("libfmt")));
}

TEST_P(LibrariesTest, ThoseThatFewCommandsNeedAreLoadedByThem) {
  for (const char* library : {"libarchive", "libedit", "liblzo2", "libsnappy"}) {
    EXPECT_THAT(Libraries(), Not(HasSubstr(library)));
  }
}

TEST(LibrariesOfAnalyzeTest, NoneIsForOtherFiles) {
  if (!KTSTR_HAS_OWN_RUNTIME) GTEST_SKIP() << "libraries that are not used are loaded, too";
  const std::string libraries = RunInShell("ldd " KTSTR_BIN_DIR "/ktstr-analyze").out;
  EXPECT_THAT(libraries, Not(HasSubstr("libelf")));
  EXPECT_THAT(libraries, Not(HasSubstr("libz.so")));
}

INSTANTIATE_TEST_SUITE_P(Of, LibrariesTest,
                         testing::Values("ktstr-analyze", "ktstr-capture", "ktstr-replay",
                                         "ktstr-run"));

}  // namespace
}  // namespace ktstr
