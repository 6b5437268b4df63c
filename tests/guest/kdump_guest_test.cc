// Proves: what kdump saves of a machine that crashed, /proc/vmcore as it is and what makedumpfile
// makes of it, becomes an archive that tells who panicked, where each CPU was, and what was logged.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "analyze/index/index.h"
#include "analyze/text/output.h"
#include "capture/boot/cpio_writer.h"
#include "capture/run/program_files.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_tests.h"
#include "hand_started.h"
#include "replay/vmcore/import.h"

namespace ktstr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::vector<std::byte> CrashInitramfs() {
  CpioWriter cpio;
  cpio.AddFile("init", FileBytes(KTSTR_KDUMP_INIT), 0755);
  const auto files = ProgramFiles("/usr/bin/makedumpfile");
  EXPECT_OK(files);
  for (const GuestFile& file : *files) {
    cpio.AddFile(file.guest.substr(1), FileBytes(file.host), file.permissions);
  }
  return std::move(cpio).Finish();
}

class KdumpGuestTest : public testing::Test {
 protected:
  void SetUp() override {
    CpioWriter cpio;
    cpio.AddFile("init", FileBytes(KTSTR_KEXEC_INIT), 0755);
    cpio.AddFile("next", CrashInitramfs());
    cpio.AddFile("kernel", FileBytes(StockKernel("6.12")));
    const auto initramfs = std::move(cpio).Finish();
    std::ofstream(directory_ / "initrd", std::ios::binary)
        .write(reinterpret_cast<const char*>(initramfs.data()),
               static_cast<std::streamsize>(initramfs.size()));
    const auto machine =
        HandStarted::Start({.kernel_arguments = "crashkernel=192M -- crash",
                            .until = "the dump is written",
                            .memory_size = "512M",
                            .arguments = {"-initrd", directory_ / "initrd", "-object",
                                          "memory-backend-file,id=out,size=1G,share=on,mem-path=" +
                                              std::string(directory_ / "shared"),
                                          "-device", "ivshmem-plain,memdev=out"}});
    ASSERT_OK(machine);
    std::ifstream shared(directory_ / "shared", std::ios::binary);
    uint64_t head[6] = {};
    shared.read(reinterpret_cast<char*>(head), sizeof head);
    for (const auto& [name, at] : {std::pair("vmcore", 0), {"kdump", 2}, {"elf", 4}}) {
      std::string bytes(head[at + 1], '\0');
      shared.seekg(static_cast<std::streamoff>(head[at]));
      shared.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      std::ofstream(directory_ / name, std::ios::binary)
          .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
  }
  // Imports one of them, and looks at what there is to see.
  void Check(const std::string& name, const std::string& kind) {
    const auto dump = vmcore::OpenVmcore({directory_ / name}, {});
    ASSERT_OK(dump);
    EXPECT_THAT(dump->kind, StartsWith(kind));
    EXPECT_GT(dump->written_at_s, 1'700'000'000);
    const auto imported = vmcore::ImportVmcore(*dump, vmcore::CutOff::kRefuse, directory_ / "x.kts",
                                               {.overwrite = true});
    ASSERT_OK(imported);
    EXPECT_THAT(imported->warnings, ElementsAre());
    const auto machine = FrozenMachine::Open(directory_ / "x.kts");
    ASSERT_OK(machine);
    const auto index = OpenIndex(**machine, {.use_file = false});
    ASSERT_OK(index);
    const auto ask = [&index](const std::string& sql) {
      const auto rows = index->Query(sql);
      EXPECT_OK(rows);
      return rows && rows->rows.size() == 1 ? ToDisplay(rows->rows[0][0]) : "no single row";
    };
    EXPECT_EQ(ask("SELECT value FROM machine WHERE key = 'panic_cpu'"), "1");
    EXPECT_EQ(ask("SELECT group_concat(walker || ' ' || detail) FROM anomaly"), ToDisplay(Value()));
    EXPECT_EQ(ask("SELECT group_concat(n.cpu || ' ' || t.comm, ', ') FROM crash_note n JOIN task t "
                  "ON t.pid = n.pid"),
              "0 spins-on, 1 init");
    EXPECT_THAT(ask("SELECT group_concat(symbol, ' ') FROM (SELECT symbol FROM stack_frame f JOIN "
                    "task t USING (task_kva) WHERE t.pid = 1 AND f.cpu = 1 ORDER BY depth)"),
                HasSubstr("sysrq_handle_crash"));
    EXPECT_EQ(ask("SELECT count(*) FROM log WHERE text = 'sysrq: Trigger a crash'"), "1");
    EXPECT_THAT(ask("SELECT sentence FROM verdict LIMIT 1"), HasSubstr("panicked in init (1)"));
    if (name == "vmcore") return;
    EXPECT_NE(ask("SELECT sum(pages) FROM memory WHERE reason = 'free'"), ToDisplay(Value()));
  }

  const synthetic::TemporaryDirectory directory_;
};

TEST_F(KdumpGuestTest, TheKernelsOwnVmcoreAndWhatMakedumpfileMakesOfIt) {
  for (const auto& [name, kind] : {std::pair("vmcore", "ELF core of the kernel"),
                                   {"kdump", "kdump-compressed dump"},
                                   {"elf", "ELF core of the kernel"}}) {
    SCOPED_TRACE(name);
    Check(name, kind);
  }
}

}  // namespace
}  // namespace ktstr
