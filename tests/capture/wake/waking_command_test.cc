#include "capture/wake/waking_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ktstr {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr QemuFiles kFiles = {.qmp = 10, .port = 11, .ops = 12, .console = 13};

ArchiveMetadata Started(std::vector<std::string> words, std::string machine = "pc-q35-7.2") {
  ArchiveMetadata metadata;
  metadata.vmm_version = "QEMU 7.2.22";
  metadata.vmm_machine = std::move(machine);
  metadata.vmm_command_line = {"qemu-system-x86_64"};
  metadata.vmm_command_line.insert(metadata.vmm_command_line.end(), words.begin(), words.end());
  metadata.accelerator = "tcg";
  return metadata;
}

// The command line that wakes it, its words joined by blanks; the error where there is none.
std::string Woken(const ArchiveMetadata& metadata, WakingRequest request = {}) {
  if (request.accelerator.empty()) request.accelerator = "tcg";
  const auto command = WakingCommand::Make(metadata, request);
  if (!command) return command.error().ToString();
  return fmt::format("{} ", fmt::join(command->Words(kFiles), " "));
}

TEST(WakingCommandTest, TheMachineIsTheSameAndWaitsForItsDevices) {
  const std::string woken =
      Woken(Started({"-nodefaults", "-machine", "q35,memory-backend=ram", "-cpu", "max", "-smp",
                     "2", "-device", "virtio-rng-pci"}));
  EXPECT_THAT(woken, AllOf(HasSubstr("-machine pc-q35-7.2,memory-backend=ram "),
                           HasSubstr("-cpu max -smp 2 "), HasSubstr("-device virtio-rng-pci "),
                           HasSubstr("-accel tcg "), HasSubstr("-S -incoming defer ")));
}

TEST(WakingCommandTest, ATypeThatOlderArchivesDoNotSayIsThatOfTheVersion) {
  EXPECT_EQ(VersionedMachineType("q35", "QEMU 7.2.22"), "pc-q35-7.2");
  EXPECT_EQ(VersionedMachineType("pc", "QEMU 11.1.3"), "pc-i440fx-11.1");
  EXPECT_EQ(VersionedMachineType("pc-q35-6.0", "QEMU 7.2.22"), "pc-q35-6.0");
  EXPECT_EQ(VersionedMachineType("microvm", "QEMU 7.2.22"), "microvm");
  EXPECT_EQ(VersionedMachineType("q35", "Firecracker"), "");
  EXPECT_THAT(Woken(Started({"-machine", "q35"}, "")), HasSubstr("-machine pc-q35-7.2 "));
  EXPECT_THAT(Woken(Started({"-smp", "2"}, "")), HasSubstr("-machine pc-i440fx-7.2 "));
}

TEST(WakingCommandTest, RamIsOfOurOwnWhateverItWas) {
  EXPECT_THAT(Woken(Started({"-machine", "q35,memory-backend=m", "-object",
                             "memory-backend-file,id=m,size=1G,mem-path=/dev/shm/vm,prealloc=on"})),
              AllOf(HasSubstr("-object memory-backend-memfd,id=m,size=1G,share=on "),
                    Not(HasSubstr("/dev/shm"))));
  EXPECT_THAT(
      Woken(Started({"-machine", "q35", "-m", "512"})),
      AllOf(HasSubstr("-object memory-backend-memfd,id=ktstr-ram,size=536870912B,share=on "),
            HasSubstr("-machine memory-backend=ktstr-ram ")));
  EXPECT_THAT(Woken(Started({"-m", "size=1G,slots=2,maxmem=4G"})), HasSubstr("size=1073741824B"));
}

TEST(WakingCommandTest, WhatWasTheHostsIsReplacedAndPortsStayOpen) {
  const auto metadata =
      Started({"-nodefaults", "-daemonize",
               "-pidfile",    "/run/x",
               "-chardev",    "socket,id=qmp,fd=3",
               "-mon",        "chardev=qmp,mode=control",
               "-chardev",    "file,id=console,path=/proc/self/fd/8",
               "-serial",     "chardev:console",
               "-chardev",    "socket,id=port,fd=13",
               "-device",     "virtserialport,chardev=port,name=ktstr",
               "-chardev",    "socket,id=agent,path=/run/agent",
               "-device",     "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
               "-gdb",        "tcp::1234",
               "-kernel",     "./bzImage",
               "-append",     "quiet",
               "-initrd",     "/proc/self/fd/6",
               "-no-reboot"});
  const std::string woken = Woken(metadata);
  EXPECT_THAT(woken, AllOf(HasSubstr("-chardev null,id=console,logfile=/proc/self/fd/13,"),
                           HasSubstr("-serial chardev:console "),
                           HasSubstr("-chardev file,id=port,path=/dev/null "),
                           HasSubstr("-chardev file,id=agent,path=/dev/null "),
                           HasSubstr("-chardev null,id=qmp "), HasSubstr("-no-reboot ")));
  EXPECT_THAT(woken, AllOf(Not(HasSubstr("daemonize")), Not(HasSubstr("pidfile")),
                           Not(HasSubstr("bzImage")), Not(HasSubstr("fd/6")),
                           Not(HasSubstr("1234")), Not(HasSubstr("fd=13"))));
  EXPECT_THAT(Woken(metadata, {.ports = WakingPorts::kOurs}),
              AllOf(HasSubstr("-chardev socket,id=port,fd=11 "),
                    HasSubstr("-chardev file,id=agent,path=/dev/null ")));
  EXPECT_THAT(
      Woken(metadata, {.places = {.qmp_socket = "/a/qmp", .console_socket = "/a,b/console"}}),
      AllOf(HasSubstr("socket,path=/a,,b/console,server=on,wait=off,id=console,"),
            HasSubstr("socket,path=/a/qmp,server=on,wait=off,id=")));
}

TEST(WakingCommandTest, AMachineThatWasWokenBeforeIsWokenInTheSameWay) {
  auto once = WakingCommand::Make(
      Started({"-nodefaults", "-machine", "q35", "-m", "1G", "-serial", "stdio"}),
      {.accelerator = "tcg", .places = {.qmp_socket = "/a/qmp", .console_socket = "/a/console"}});
  ASSERT_TRUE(once);
  auto metadata = Started({});
  metadata.vmm_command_line = once->Words(kFiles);
  const auto twice = WakingCommand::Make(
      metadata,
      {.accelerator = "tcg", .places = {.qmp_socket = "/a/qmp", .console_socket = "/a/console"}});
  ASSERT_TRUE(twice) << twice.error().ToString();
  auto first = once->Words(kFiles), second = twice->Words(kFiles);
  std::ranges::sort(first);
  std::ranges::sort(second);
  EXPECT_EQ(first, second);
}

TEST(WakingCommandTest, NetworksLeadNowhere) {
  const auto command = WakingCommand::Make(
      Started({"-netdev", "user,id=n,hostfwd=tcp::2222-:22", "-netdev", "tap,id=t,ifname=tap0"}),
      {.accelerator = "tcg"});
  ASSERT_TRUE(command);
  EXPECT_THAT(fmt::format("{}", fmt::join(command->Words(kFiles), " ")),
              AllOf(HasSubstr("-netdev user,id=n,restrict=on"),
                    HasSubstr("-netdev user,id=t,restrict=on"), Not(HasSubstr("2222"))));
  EXPECT_THAT(command->notes(), ElementsAre(HasSubstr("network (user)"), HasSubstr("(tap)")));
}

TEST(WakingCommandTest, WhatTheArchiveDoesNotHaveIsRefusedByName) {
  EXPECT_THAT(
      Woken(Started({"-drive", "file=/x.img,if=virtio"})),
      AllOf(HasSubstr("it has a disk ('-drive file=/x.img,if=virtio')"), HasSubstr("--disks")));
  EXPECT_THAT(Woken(Started({"/x.img"})), HasSubstr("it has a disk ('/x.img')"));
  EXPECT_THAT(Woken(Started({"-drive", "file=/x.img,if=virtio"}), {.with_disks = true}),
              AllOf(HasSubstr("-drive file=/x.img,if=virtio "), HasSubstr("-snapshot ")));
  EXPECT_THAT(
      Woken(Started({"-blockdev", "driver=file,node-name=a,filename=/x"}), {.with_disks = true}),
      HasSubstr("would be written to"));
  EXPECT_THAT(Woken(Started({"-fsdev", "local,id=f,path=/"})), HasSubstr("-fsdev local"));
  EXPECT_THAT(Woken(Started({"-device", "vfio-pci,host=01:00.0"})), HasSubstr("'vfio-pci'"));
  EXPECT_THAT(Woken(Started({"-device", "vhost-user-fs-pci,chardev=c,tag=t"})),
              HasSubstr("'vhost-user-fs-pci'"));
  EXPECT_THAT(Woken(Started({"-object", "memory-backend-file,mem-path=/x"})),
              HasSubstr("no size or no id"));
  ArchiveMetadata nothing = Started({});
  nothing.vmm_command_line.clear();
  EXPECT_THAT(Woken(nothing), HasSubstr("no command line"));
  EXPECT_THAT(Woken(Started({"-machine", "q35"}, "")), Not(HasSubstr("cannot")));
  ArchiveMetadata other = Started({"-machine", "q35"}, "");
  other.vmm_version = "";
  EXPECT_THAT(Woken(other), HasSubstr("does not say what machine 'q35' was"));
}

TEST(WakingCommandTest, TheAcceleratorKeepsWhatWasSaidOfIt) {
  const auto metadata =
      Started({"-enable-kvm", "-accel", "tcg,thread=single", "-machine", "q35,accel=kvm:tcg"});
  EXPECT_THAT(Woken(metadata), AllOf(HasSubstr("-accel tcg,thread=single "),
                                     Not(HasSubstr("enable-kvm")), Not(HasSubstr("accel=kvm"))));
  EXPECT_THAT(Woken(metadata, {.accelerator = "kvm"}), HasSubstr("-accel kvm "));
}

}  // namespace
}  // namespace ktstr
