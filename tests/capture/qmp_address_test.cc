#include "capture/qemu/qmp_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "fixtures/sample/temporary_directory.h"

namespace ktstr {
namespace {

const QmpAddress kLocal = {.host = "localhost", .port = "3636"};

TEST(QmpAddressTest, IsWrittenAsPeopleAndQemuWriteIt) {
  for (const char* path :
       {"/run/vm.qmp", "unix:/run/vm.qmp", "unix:/run/vm.qmp,server=on,wait=off"}) {
    EXPECT_EQ(ParseQmpAddress(path).value(), QmpAddress{.path = "/run/vm.qmp"}) << path;
  }
  for (const char* tcp : {"localhost:3636", "tcp:localhost:3636", ":3636", "tcp::3636,server=on",
                          "localhost:3636,server=on,wait=off"}) {
    EXPECT_EQ(ParseQmpAddress(tcp).value(), kLocal) << tcp;
  }
  EXPECT_EQ(ParseQmpAddress("tcp:[::1]:4444,server=on").value(),
            (QmpAddress{.host = "::1", .port = "4444"}));
}

TEST(QmpAddressTest, APathMayHaveColonsAndCommas) {
  for (const char* path : {"./vm:1", "/run/a,b", "vm.qmp", "vm:port", "vm:123456"}) {
    EXPECT_EQ(ParseQmpAddress(path).value(), QmpAddress{.path = path}) << path;
  }
}

TEST(QmpAddressTest, AFileThatIsThereIsAPath) {
  const synthetic::TemporaryDirectory directory;
  const std::string file = directory / "vm:1";
  std::ofstream{file};
  EXPECT_EQ(ParseQmpAddress(file).value(), QmpAddress{.path = file});
}

TEST(QmpAddressTest, LibvirtsGuestsAreNamed) {
  EXPECT_EQ(ParseQmpAddress("libvirt:web").value(), QmpAddress{.domain = "web"});
}

TEST(QmpAddressTest, TcpWantsAPort) {
  for (const char* text : {"tcp:localhost", "tcp:localhost:http", "tcp:"}) {
    const auto address = ParseQmpAddress(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(address.error().ToString(), testing::HasSubstr("tcp:HOST:PORT"));
  }
}

}  // namespace
}  // namespace ktstr
