#include "replay/vmcore/save_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "libcore/base/unique_fd.h"
#include "replay/vmcore/archive_library.h"

namespace ktstr::vmcore {

namespace {

constexpr std::string_view kWhole = "LibvirtQemudSave", kPart = "LibvirtQemudPart";
constexpr uint32_t kKnownVersion = 2;
// enum virQEMUSaveFormat, from 1 on.
constexpr std::array<const char*, 5> kCompressions = {"gzip", "bzip2", "xz", "lzop", "zstd"};
constexpr uint32_t kSparse = 6;

// struct _virQEMUSaveHeader, in the byte order of the machine that wrote it.
struct SaveHeader {
  char magic[16];
  uint32_t version, data_len, was_running, compressed, cookie_offset, unused[14];
};
static_assert(sizeof(SaveHeader) == 92);

bool BeginsWith(std::span<const std::byte> bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

// For what is decompressed.
std::string TemporaryDirectory() {
  const char* named = std::getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/var/tmp";
}

// A file without a name.
Result<UniqueFd> NamelessFile(const std::string& directory) {
  UniqueFd fd(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd.valid()) return fd;
  return Fail(ErrorCode::kIo, fmt::format("making a file in {} to decompress into: {}", directory,
                                          std::strerror(errno)));
}

struct ArchiveEnd {
  const ArchiveLibrary* library;
  void operator()(struct archive* a) const { library->read_free(a); }
};

// What libarchive asks for the compressed bytes.
struct Source {
  const ArchiveLibrary* library;
  const DumpFile* dump;
  uint64_t at;
  std::vector<std::byte> buffer;
};

la_ssize_t ReadSource(struct archive* a, void* data, const void** out) {
  auto& source = *static_cast<Source*>(data);
  const uint64_t left = source.dump->size() - std::min(source.dump->size(), source.at);
  const auto bytes = std::span(source.buffer).first(std::min<uint64_t>(left, source.buffer.size()));
  if (const Status read = source.dump->ReadAt(source.at, bytes); !read) {
    source.library->set_error(a, EIO, "%s", read.error().ToString().c_str());
    return -1;
  }
  source.at += bytes.size();
  *out = bytes.data();
  return static_cast<la_ssize_t>(bytes.size());
}

// That one alone: for others that a file claims to be made by, libarchive would start programs. It
// does for lzop, where Debian builds it without that library.
Status AllowFilter(const ArchiveLibrary& library, struct archive* a,
                   const std::string& compression) {
  int allowed = ARCHIVE_FATAL;
  if (compression == "gzip") allowed = library.read_support_filter_gzip(a);
  if (compression == "bzip2") allowed = library.read_support_filter_bzip2(a);
  if (compression == "xz") allowed = library.read_support_filter_xz(a);
  if (compression == "lzop") allowed = library.read_support_filter_lzop(a);
  if (compression == "zstd") allowed = library.read_support_filter_zstd(a);
  if (allowed >= ARCHIVE_WARN) return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("it is compressed by {}, which this system's libarchive does not know",
                          compression));
}

Status WriteAll(int fd, std::span<const std::byte> bytes, const std::string& directory) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      return Fail(ErrorCode::kIo, fmt::format("decompressing into {}, which must have room for all "
                                              "of the machine's memory (TMPDIR names another): {}",
                                              directory, std::strerror(errno)));
    }
    bytes = bytes.subspan(static_cast<size_t>(wrote));
  }
  return {};
}

}  // namespace

bool IsSaveImage(std::span<const std::byte> begin) {
  return BeginsWith(begin, kWhole) || BeginsWith(begin, kPart);
}

Result<SaveImage> ReadSaveImage(const DumpFile& dump) {
  SaveHeader header;
  const auto bytes = std::as_writable_bytes(std::span(&header, 1));
  KTSTR_TRY(dump.ReadAt(0, bytes));
  if (BeginsWith(bytes, kPart)) {
    return Fail(ErrorCode::kDamaged, "libvirt has not written it to its end");
  }
  if (header.version > 0xffff) {
    for (uint32_t* field : {&header.version, &header.data_len, &header.was_running,
                            &header.compressed, &header.cookie_offset}) {
      *field = __builtin_bswap32(*field);
    }
  }
  if (header.compressed == kSparse) {
    return Fail(ErrorCode::kUnsupported,
                "it is in libvirt's sparse format, which is not known: save it with "
                "save_image_format = \"raw\" in qemu.conf");
  }
  if (header.version > kKnownVersion || header.compressed > kCompressions.size()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("it is of libvirt's version {}, compressed by way {}", header.version,
                            header.compressed));
  }
  if (header.data_len > dump.size() - sizeof header) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("it says that its XML has {} bytes", header.data_len));
  }
  return SaveImage{
      .stream_at = sizeof header + header.data_len,
      .was_running = header.was_running != 0,
      .compression = header.compressed == 0 ? "" : kCompressions[header.compressed - 1]};
}

Result<std::unique_ptr<DumpFile>> DecompressStream(const DumpFile& dump, const SaveImage& image,
                                                   uint64_t most) {
  const std::string directory = TemporaryDirectory();
  const UniqueFd made = KTSTR_TRY(NamelessFile(directory));
  const ArchiveLibrary* const library = KTSTR_TRY(ArchiveLibrary::Load());
  const std::unique_ptr<struct archive, ArchiveEnd> reader(library->read_new(), {library});
  KTSTR_TRY(AllowFilter(*library, reader.get(), image.compression));
  library->read_support_format_raw(reader.get());
  constexpr size_t kStep = 256 << 10;
  Source source = {library, &dump, image.stream_at, std::vector<std::byte>(kStep)};
  const auto bad = [&](const char* what) {
    const char* why = library->error_string(reader.get());
    return Fail(ErrorCode::kDamaged, fmt::format("{} what is compressed by {}: {}", what,
                                                 image.compression, why ? why : "unknown"));
  };
  struct archive_entry* entry = nullptr;
  if (library->read_open(reader.get(), &source, nullptr, ReadSource, nullptr) != ARCHIVE_OK ||
      library->read_next_header(reader.get(), &entry) < ARCHIVE_WARN) {
    return bad("cannot read");
  }
  std::vector<std::byte> bytes(kStep);
  uint64_t size = 0;
  for (;;) {
    const la_ssize_t got = library->read_data(reader.get(), bytes.data(), bytes.size());
    if (got < 0) return bad("cannot decompress");
    if (got == 0) break;
    size += static_cast<uint64_t>(got);
    if (size > most) {
      return Fail(ErrorCode::kDamaged,
                  fmt::format("decompressed it is larger than {} bytes", most));
    }
    KTSTR_TRY(WriteAll(made.get(), std::span(bytes).first(static_cast<size_t>(got)), directory));
  }
  auto file = KTSTR_TRY(DumpFile::Open(fmt::format("/proc/self/fd/{}", made.get())));
  return std::make_unique<DumpFile>(std::move(file));
}

}  // namespace ktstr::vmcore
