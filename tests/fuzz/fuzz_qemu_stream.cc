// Proves: whatever the state of QEMU's devices holds (a guest fills buffers in it), taking it
// apart, and reading vCPUs and memory devices out of it, ends and stays within its bytes.
#include "capture/qemu/unplugged.h"
#include "capture/wake/incoming_stream.h"
#include "fuzz.h"
#include "libcore/qemu/device_sections.h"
#include "libcore/qemu/vcpu_state.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  const auto stream = fuzz::AsBytes(data, size);
  if (const auto sections = SplitDeviceState(stream)) {
    for (const DeviceSection& section : *sections) {
      const auto* begin = section.contents.data();
      fuzz::Require(section.contents.empty() ||
                        (begin >= stream.data() &&
                         begin + section.contents.size() <= stream.data() + stream.size()),
                    "a section is part of the stream");
    }
  }
  (void)ParseVcpus(stream);
  (void)IncomingStream(stream, "pc-q35-7.2");
  const VirtioMemDevice devices[] = {
      {.id = "vm0",
       .begin = Pa(uint64_t{1} << 32),
       .max_size = 64 << 20,
       .size = 2 << 20,
       .block_size = 2 << 20},
      {.id = "odd", .begin = Pa(123), .max_size = UINT64_MAX, .size = 1, .block_size = 0}};
  (void)FindUnplugged(devices, stream);
  return 0;
}
