// Proves: whatever a pack holds under right checksums, opening it and giving back its archives and
// files ends, writes no more than it says, and stays within its bytes.
#include "archive_checksums.h"
#include "fixtures/sample/temporary_directory.h"
#include "fuzz.h"
#include "libcore/archive/pack/pack_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr;
  const auto bytes = fuzz::AsBytes(data, size);
  std::vector<std::byte> file(bytes.begin(), bytes.end());
  fuzz::RepairPack(file);
  const fuzz::MemoryFile pack(file);
  const auto reader = PackReader::Open(pack.path());
  if (!reader) return 0;
  (void)(*reader)->ReadFiles();
  static const synthetic::TemporaryDirectory directory;
  for (size_t i = 0; i < std::min<size_t>((*reader)->archives().size(), 4); ++i) {
    const std::filesystem::path out = directory / "out.kts";
    if ((*reader)->Extract(i, out, 1)) {
      fuzz::Require(std::filesystem::file_size(out) == (*reader)->archives()[i].file_size,
                    "an archive has the size that the pack says");
    }
    std::filesystem::remove(out);
  }
  return 0;
}
