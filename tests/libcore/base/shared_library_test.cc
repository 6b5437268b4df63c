// Libraries that are loaded by name: those that are there, and what is said of others.
#include "libcore/base/shared_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ktstr {
namespace {

TEST(SharedLibraryTest, AFunctionOfALibraryCanBeCalled) {
  const auto library = SharedLibrary::Load("libm.so.6", "a root");
  ASSERT_TRUE(library) << library.error().ToString();
  double (*root)(double) = nullptr;
  ASSERT_TRUE(library->Find("sqrt", root));
  EXPECT_EQ(root(4), 2);
}

TEST(SharedLibraryTest, WhoLacksALibraryIsToldWhatForAndWhich) {
  const auto library = SharedLibrary::Load("libktstr-none.so.9", "typing at a terminal");
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(library.error().ToString(),
              testing::HasSubstr("typing at a terminal takes libktstr-none.so.9, which cannot be "
                                 "loaded: libktstr-none.so.9: cannot open shared object file"));
}

TEST(SharedLibraryTest, ALibraryThatLacksAFunctionIsAnotherOne) {
  const auto library = SharedLibrary::Load("libm.so.6", "a root");
  ASSERT_TRUE(library);
  void (*none)() = nullptr;
  const Status found = library->Find("no_such_function_of_libm", none);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(found.error().ToString(), testing::HasSubstr("no_such_function_of_libm"));
  EXPECT_EQ(none, nullptr);
}

}  // namespace
}  // namespace ktstr
