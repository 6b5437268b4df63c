#include "libcore/base/patient_bar.h"

#include <gtest/gtest.h>

#include "terminal.h"

namespace ktstr {
namespace {

TEST(PatientBarTest, IsDrawnOnceItsPatienceIsOverAndTakenOffAtTheEnd) {
  Terminal terminal([] {
    {
      PatientBar bar("working", std::chrono::milliseconds(1));
      bar.Set(1, 4);
      (void)getchar();
      bar.Set(3, 4);
      (void)getchar();
    }
    (void)write(STDERR_FILENO, "done", 4);
    (void)getchar();
  });
  EXPECT_TRUE(terminal.Shows("working [##########..............................]  25%"));
  terminal.Type("\n");
  EXPECT_TRUE(terminal.Shows(" 75%")) << terminal.text();
  terminal.Type("\n");
  EXPECT_TRUE(terminal.Shows("\r\x1b[Kdone")) << terminal.text();
  terminal.Type("\n");
  EXPECT_EQ(terminal.ExitCode(), 0);
}

TEST(PatientBarTest, WorkThatIsShortHasNone) {
  Terminal terminal([] {
    { PatientBar("working", std::chrono::hours(1)).Set(1, 4); }
    (void)write(STDERR_FILENO, "done", 4);
  });
  EXPECT_TRUE(terminal.Shows("done"));
  EXPECT_EQ(terminal.text(), "done");
}

}  // namespace
}  // namespace ktstr
