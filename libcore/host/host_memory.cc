#include "libcore/host/host_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "libcore/archive/page_scan.h"
#include "libcore/base/read_at.h"
#include "libcore/base/text_file.h"

namespace ktstr {

namespace {

using std::chrono::steady_clock;

constexpr uint64_t kHostSlots = 1024;
// No processor of x86-64 has physical addresses beyond (MAXPHYADDR).
constexpr uint64_t kMostPhysical = uint64_t{1} << 52;
// include/uapi/linux/kernel-page-flags.h
constexpr uint64_t kHwpoison = uint64_t{1} << 19, kNoPage = uint64_t{1} << 20,
                   kOffline = uint64_t{1} << 23;

UniqueFd OpenToRead(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

Error NoKcore(const HostFiles& files, const std::string& why) {
  return Error(ErrorCode::kIo,
               fmt::format("the memory of this machine cannot be read: {} {}", files.kcore, why));
}

// What open() said, in terms of what can be done about it.
Error WhyNotOpened(const HostFiles& files, int error) {
  if (error == ENOENT) {
    return NoKcore(files,
                   "is not there: the kernel was built without CONFIG_PROC_KCORE, or this is a "
                   "container that hides it; run this on the machine itself");
  }
  if (error == EACCES) return NoKcore(files, "may be read by root alone");
  if (error != EPERM) return NoKcore(files, fmt::format("gives: {}", std::strerror(error)));
  // open_kcore (fs/proc/kcore.c) asks for CAP_SYS_RAWIO, then whether the kernel is locked down.
  const auto lockdown = ReadTextFile(files.lockdown);
  if (lockdown && lockdown->find("[confidentiality]") != std::string::npos) {
    return NoKcore(files,
                   "is refused by the kernel, which is locked down (lockdown=confidentiality)");
  }
  return NoKcore(files, geteuid() == 0 ? "takes the capability CAP_SYS_RAWIO, which this process "
                                         "does not have: run this outside of the container"
                                       : "may be read by root alone");
}

Status ReadKcore(int fd, uint64_t offset, std::span<std::byte> out) {
  const auto [bytes, error] = ReadFully(fd, offset, out);
  if (bytes == out.size()) return {};
  // EINVAL: at an offset that no file has.
  return Fail(error == 0 || error == EINVAL ? ErrorCode::kDamaged : ErrorCode::kIo,
              fmt::format("reading {} bytes at offset {:#x}: {}", out.size() - bytes,
                          offset + bytes, error == 0 ? "there are none" : std::strerror(error)));
}

}  // namespace

struct HostMemory::Page {
  alignas(64) std::array<std::byte, kPageSize> bytes;
};

// What was read last of the pages of one class; which slot a page has is fixed.
struct HostMemory::Slot {
  std::mutex mutex;
  Pfn pfn{~uint64_t{0}};
  steady_clock::time_point at;
  std::shared_ptr<const Page> page;
};

HostMemory::HostMemory(UniqueFd kcore, UniqueFd page_flags, uint64_t size, CoreParts parts)
    : kcore_(std::move(kcore)),
      page_flags_(std::move(page_flags)),
      size_(size),
      parts_(std::move(parts)),
      regions_(parts_.regions()),
      slots_(new Slot[kHostSlots]) {}

HostMemory::~HostMemory() = default;

Result<std::unique_ptr<HostMemory>> HostMemory::Open(const HostFiles& files) {
  UniqueFd kcore = OpenToRead(files.kcore);
  if (!kcore.valid()) return Fail(WhyNotOpened(files, errno));
  struct stat status = {};
  if (fstat(kcore.get(), &status) != 0) return Fail(WhyNotOpened(files, errno));
  if (!S_ISREG(status.st_mode)) {
    return Fail(NoKcore(files, "is no file: a container hides it; run this on the machine itself"));
  }
  const auto size = static_cast<uint64_t>(status.st_size);
  const CoreBytes bytes = {
      .read = [fd = kcore.get()](uint64_t offset,
                                 std::span<std::byte> out) { return ReadKcore(fd, offset, out); },
      .size = size};
  auto core = ReadElfCore(bytes);
  if (!core) {
    return Fail(std::move(core).error().Wrap(
        fmt::format("{} is not understood as this machine's memory", files.kcore)));
  }
  for (const ElfCore::Load& load : core->loads) {
    if (load.pa + load.memory_size <= kMostPhysical) continue;
    return Fail(ErrorCode::kDamaged,
                fmt::format("{} is not understood as this machine's memory: it says that there are "
                            "{:#x} bytes of RAM at {:#x}",
                            files.kcore, load.memory_size, load.pa));
  }
  CoreParts parts(*core);
  // Before Linux 4.11 no segment has one (fs/proc/kcore.c).
  if (!core->HasPhysicalAddresses() || parts.regions().empty()) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("{} does not say what its segments' physical addresses are", files.kcore));
  }
  return std::unique_ptr<HostMemory>(
      new HostMemory(std::move(kcore), OpenToRead(files.page_flags), size, std::move(parts)));
}

CoreBytes HostMemory::Bytes() const {
  return {.read =
              [this](uint64_t offset, std::span<std::byte> out) {
                // The kernel reads through one buffer for each open file, and does not see to it
                // that two threads have their turns (read_kcore_iter, fs/proc/kcore.c, in 7.3 too):
                // one would get the other's page.
                const std::scoped_lock lock(kcore_mutex_);
                return ReadKcore(kcore_.get(), offset, out);
              },
          .size = size_};
}

bool HostMemory::HasRefusingFlags(Pfn pfn) const {
  uint64_t flags = 0;
  const auto bytes = std::as_writable_bytes(std::span<uint64_t, 1>(&flags, 1));
  if (!page_flags_.valid() ||
      ReadFully(page_flags_.get(), pfn.value() * sizeof flags, bytes).bytes != sizeof flags) {
    return false;
  }
  return (flags & (kHwpoison | kNoPage | kOffline)) != 0;
}

bool HostMemory::IsRefused(Pfn pfn) const {
  // The question leads through page tables, which may be zeros as well.
  static thread_local bool asking = false;
  if (HasRefusingFlags(pfn)) return true;
  if (!is_mapped_ || asking) return false;
  asking = true;
  const bool mapped = is_mapped_(pfn.pa());
  asking = false;
  return !mapped;
}

PageView HostMemory::View(Pfn pfn) const {
  if (regions_.Find(pfn) == nullptr) return PageView::Outside();
  Slot& slot = slots_[pfn.value() % kHostSlots];
  {
    const std::scoped_lock lock(slot.mutex);
    if (slot.pfn == pfn && steady_clock::now() - slot.at < kFresh) {
      return PageView::Present(slot.page->bytes.data(), slot.page);
    }
  }
  auto page = std::make_shared_for_overwrite<Page>();
  const auto at = steady_clock::now();
  // What the kernel cannot read without a fault (EFAULT), or not at all.
  if (!parts_.ReadPage(Bytes(), pfn, page->bytes)) {
    return PageView::NotCaptured(LeftOutReason::kExcluded);
  }
  if (archive::IsZeroPage(page->bytes.data())) {
    return IsRefused(pfn) ? PageView::NotCaptured(LeftOutReason::kExcluded) : PageView::Zero();
  }
  const std::byte* data = page->bytes.data();
  const std::scoped_lock lock(slot.mutex);
  slot.pfn = pfn;
  slot.at = at;
  slot.page = page;
  return PageView::Present(data, std::move(page));
}

Result<std::byte*> HostMemory::Writable(Pfn pfn) {
  return Fail(ErrorCode::kReadOnly,
              fmt::format("the page at {:#x} is this machine's own, which is not written to",
                          pfn.pa().value()));
}

}  // namespace ktstr
