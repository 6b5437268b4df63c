#include "capture/qemu/device_state.h"

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "capture/qemu/handed_file.h"
#include "capture/system/memory_file.h"
#include "capture/system/system_error.h"

namespace ktstr {

Result<std::shared_ptr<const std::vector<std::byte>>> SaveDeviceState(Frozen& frozen) {
  if (frozen.saved_device_state() != nullptr) return frozen.saved_device_state();
  QmpClient& qmp = frozen.qmp();
  const UniqueFd file = KTSTR_TRY(MakeMemoryFile("device-state"));
  // QEMU picks a descriptor that is open for just what it wants to do.
  const UniqueFd for_writing(open(PathOfFd(file.get()).c_str(), O_WRONLY | O_CLOEXEC));
  if (!for_writing.valid()) return FailErrno("opening a memory file for the device state");
  frozen.OnResume([&qmp] { RemoveHandedFiles(qmp); });
  {
    const HandedFile handed = KTSTR_TRY(HandedFile::Give(qmp, for_writing.get()));
    // "live" would have QEMU give up its disk images.
    KTSTR_TRY(
        qmp.Execute("xen-save-devices-state", {{"filename", handed.path()}, {"live", false}}));
  }
  const off_t size = lseek(file.get(), 0, SEEK_END);
  if (size <= 0) return Fail(ErrorCode::kPeer, qmp.name() + " wrote no device state");
  auto bytes = KTSTR_TRY(ReadFirst(file.get(), size));
  frozen.saved_device_state() = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return frozen.saved_device_state();
}

}  // namespace ktstr
