// A secret that a guest's program has in its memory and in a file is in a whole archive, and in
// none that is to be without it: --keep kernel, and ktstr-replay scrub.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <string>

#include "analyze/html/html_report.h"
#include "analyze/index/index.h"
#include "capture/capture.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_tests.h"
#include "libcore/base/text_file.h"
#include "replay/scrub.h"
#include "secret.h"

namespace ktstr {
namespace {

constexpr char kSecretUser[] = "/memory_user";

// Every byte of the archive's file as zstd -dc gives it (pages), and as it stands there.
std::string AllOf(const std::string& path) {
  const std::string file = ReadTextFile(path).value();
  std::string all = file;
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                   ZSTD_freeDCtx);
  std::string piece(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer in = {file.data(), file.size(), 0};
  while (in.pos < in.size) {
    ZSTD_outBuffer out = {piece.data(), piece.size(), 0};
    const size_t left = ZSTD_decompressStream(context.get(), &out, &in);
    EXPECT_FALSE(ZSTD_isError(left)) << ZSTD_getErrorName(left);
    if (ZSTD_isError(left)) break;
    all.append(piece, 0, out.pos);
  }
  return all;
}

std::string Secret() {
  uint8_t bytes[kSecretSize];
  MakeSecret(bytes);
  return {reinterpret_cast<const char*>(bytes), kSecretSize};
}

size_t Count(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

class SecretGuestTest : public testing::Test {
 protected:
  void SetUp() override {
    MachineOptions options;
    options.kernel = AnyKernel("6.12");
    options.files = {{KTSTR_MEMORY_USER, kSecretUser, 0755}};
    auto machine = BootWithWork(options, "spin:1,sleep:2");
    ASSERT_TRUE(machine) << machine.error().ToString();
    machine_ = *std::move(machine);
    const auto ran = machine_->RunProgram({kSecretUser, "secret"}, "");
    ASSERT_TRUE(ran) << ran.error().ToString();
    ASSERT_EQ((*ran)["status"], 0) << ran->dump();
  }

  std::string Capture(const std::string& name, Keep keep) {
    CaptureOptions options;
    options.output = (directory_ / name).string();
    options.keep = keep;
    options.pid = machine_->qemu().pid();
    const auto summary = ktstr::Capture(machine_->qmp(), options);
    EXPECT_TRUE(summary) << summary.error().ToString();
    return options.output;
  }

  synthetic::TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
};

TEST_F(SecretGuestTest, IsNotInAnArchiveThatIsToBeWithoutIt) {
  const std::string secret = Secret();
  const std::string whole = Capture("whole.kts", Keep::kAll);
  // Pages that are equal are stored once.
  EXPECT_GE(Count(AllOf(whole), secret), kPageSize / kSecretSize);
  EXPECT_EQ(Count(AllOf(Capture("kernel.kts", Keep::kKernel)), secret), 0u);
  // A report has what it shows, and no other memory of the machine that it is made of.
  const auto index = OpenIndex(whole, {});
  ASSERT_TRUE(index) << index.error().ToString();
  const auto report = HtmlReport(*index, whole);
  ASSERT_TRUE(report) << report.error().ToString();
  EXPECT_EQ(Count(*report, secret), 0u);
  EXPECT_EQ(Count(ReadTextFile(whole + ".index").value(), secret), 0u);

  const auto machine = FrozenMachine::Open(whole);
  ASSERT_TRUE(machine) << machine.error().ToString();
  const std::string public_path = (directory_ / "public.kts").string();
  const auto scrubbed = ScrubMachine(**machine, public_path, {"jiffies_64"});
  ASSERT_TRUE(scrubbed) << scrubbed.error().ToString();
  EXPECT_EQ(Count(AllOf(public_path), secret), 0u);
  // The stock kernel has certificates in its keyrings.
  EXPECT_GT(scrubbed->keys, 0u);
  EXPECT_GT(scrubbed->archive.left_out_pages.at(LeftOutReason::kScrubbed), 0u);

  // What is left is a machine of which everything that was not taken out can be asked.
  const auto rest = FrozenMachine::Open(public_path);
  ASSERT_TRUE(rest) << rest.error().ToString();
  const auto kernel = (*rest)->Kernel();
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  const auto jiffies = (*kernel)->symbols().Find("jiffies_64");
  ASSERT_TRUE(jiffies);
  const auto value = (*kernel)->Read<uint64_t>(Kva(jiffies->address));
  ASSERT_FALSE(value) << "it was to be taken out";
  EXPECT_THAT(value.error().ToString(), testing::HasSubstr("scrubbed"));
  EXPECT_TRUE((*rest)->archive().ReadDeviceState()->empty());
  EXPECT_TRUE((*rest)->archive().metadata().vmm_command_line.empty());
}

}  // namespace
}  // namespace ktstr
