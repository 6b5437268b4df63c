#include "libcore/host/host_kernel.h"

#include <elf.h>

#include <charconv>
#include <optional>
#include <string_view>

#include "libcore/base/text_file.h"

namespace ktstr {

namespace {

// "0x000000010ee8e000 1024": where the ELF note is, and its most bytes (vmcoreinfo_show,
// kernel/ksysfs.c).
std::optional<Pa> NoteAt(const HostFiles& files) {
  const auto text = ReadTextFile(files.vmcoreinfo);
  if (!text || !text->starts_with("0x")) return std::nullopt;
  uint64_t pa = 0;
  const auto [end, error] = std::from_chars(text->data() + 2, text->data() + text->size(), pa, 16);
  return error == std::errc() ? std::optional(Pa(pa)) : std::nullopt;
}

// The text of a note stands behind its header and name.
std::optional<Pa> TextOfNote(const GuestMemory& memory, Pa note) {
  const auto header = memory.ReadScalar<Elf64_Nhdr>(note);
  constexpr uint64_t kLongestName = 64;
  if (!header || header->n_namesz > kLongestName) return std::nullopt;
  return note + sizeof(Elf64_Nhdr) + (header->n_namesz + 3) / 4 * 4;
}

}  // namespace

GuestKernelOptions HostKernelOptions(const GuestMemory& memory, const HostFiles& files) {
  GuestKernelOptions options;
  const auto note = NoteAt(files);
  const auto text = note ? TextOfNote(memory, *note) : std::nullopt;
  if (!text || !Vmcoreinfo::ReadAt(memory, *text)) return options;
  options.vmcoreinfo_hints = {*text};
  options.hints_are_all = true;
  return options;
}

void ForgetHostKernel::operator()(GuestKernel* kernel) const {
  host->CheckMapping(nullptr);
  delete kernel;
}

Result<HostKernel> OpenHostKernel(HostMemory& host, GuestMemory& memory,
                                  const GuestKernelOptions& options) {
  HostKernel kernel(KTSTR_TRY(GuestKernel::Open(memory, {}, options)).release(), {&host});
  host.CheckMapping([kernel = kernel.get()](Pa pa) {
    return kernel->address_space().Walk(kernel->page_offset() + pa.value()).has_value();
  });
  return kernel;
}

}  // namespace ktstr
