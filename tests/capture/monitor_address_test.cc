// The QMP socket of a QEMU that is known by its process.
#include "capture/qemu/monitor_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace ktstr {
namespace {

using Words = std::vector<std::string>;

TEST(MonitorAddressTest, IsFoundInEveryFormThatTheCommandLineHas) {
  EXPECT_EQ(MonitorOnCommandLine(Words{"qemu", "-qmp", "tcp:localhost:3636,server,nowait"}),
            "tcp:localhost:3636,server,nowait");
  EXPECT_EQ(MonitorOnCommandLine(Words{"qemu", "--qmp", "unix:/run/a.qmp,server=on"}),
            "unix:/run/a.qmp,server=on");
  EXPECT_EQ(MonitorOnCommandLine(Words{"qemu", "-mon", "chardev=m,mode=control", "-chardev",
                                       "socket,id=m,path=/run/a,,b,server=on,wait=off"}),
            "unix:/run/a,b");
  EXPECT_EQ(MonitorOnCommandLine(Words{"qemu", "-chardev", "socket,id=m,host=::1,port=44,server=on",
                                       "-mon", "m,mode=control"}),
            "tcp:[::1]:44");
}

TEST(MonitorAddressTest, AMonitorForPeopleOrOnADescriptorIsNone) {
  EXPECT_EQ(MonitorOnCommandLine(Words{"qemu", "-qmp", "stdio"}), std::nullopt);
  EXPECT_EQ(MonitorOnCommandLine(
                Words{"qemu", "-chardev", "socket,id=m,fd=3", "-mon", "chardev=m,mode=control"}),
            std::nullopt);
  EXPECT_EQ(MonitorOnCommandLine(Words{"qemu", "-chardev", "socket,id=m,path=/run/hmp", "-mon",
                                       "chardev=m,mode=readline"}),
            std::nullopt);
}

TEST(MonitorAddressTest, AProcessWithoutOneIsToldWhatToDo) {
  const auto address = MonitorOfProcess(getpid());
  ASSERT_FALSE(address);
  EXPECT_EQ(address.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(address.error().ToString(), testing::HasSubstr("-qmp unix:SOCKET,server=on"));
}

}  // namespace
}  // namespace ktstr
