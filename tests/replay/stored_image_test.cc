// Decoded symbols and types that are known by an archive's stored bytes: that these are looked at
// each time, and that no archive gets another's.
#include <cstring>
#include <fstream>
#include <set>

#include "fixtures/synthetic/kernel_builder.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/kernel/image_store.h"
#include "replay/frozen_machine.h"
#include "replay/snapshot_memory.h"
#include "snapshots.h"

namespace ktstr {
namespace {

using synthetic::BufferMemory;
using synthetic::KernelBuilder;
using synthetic::KernelOptions;
using synthetic::SyntheticGuest;

constexpr int kSymbols = 6000;  // more than GuestKernel finds too few to keep
constexpr size_t kFlips = 60;

SyntheticGuest Machine(const std::string& one_name = "symbol_0") {
  KernelOptions options;
  options.kaslr_offset = 0x1d400000;
  KernelBuilder builder(options);
  builder.types().Struct("thing", {{"u64", "first"}, {"u32", "second"}});
  builder.Data(one_name, 8);
  for (int i = 1; i < kSymbols; ++i) builder.Data("symbol_" + std::to_string(i), 8);
  return builder.Finish();
}

class StoredImageTest : public ArchivedGuestTest {
 protected:
  // What one machine says with the store, or without.
  struct Said {
    std::vector<std::string> symbols;
    std::set<std::string> types;
    std::string error;
    bool operator==(const Said&) const = default;
  };
  struct Looked {
    Said said;
    bool from_image = false;
    uint64_t frames = 0;  // that were decompressed
  };
  Looked Look(SnapshotMemory& memory, const ImageStore* store, GuestKernelOptions options = {}) {
    Looked looked;
    options.images = store;
    const auto vcpus = memory.archive().vcpus();
    const auto kernel = GuestKernel::Open(
        memory, vcpus.empty() ? std::span<const VcpuRegisters>(guest_.vcpus) : vcpus, options);
    if (!kernel) {
      looked.said.error = kernel.error().ToString();
      return looked;
    }
    looked.from_image = (*kernel)->is_from_image();
    looked.frames = memory.cache_statistics().reads;
    const SymbolTable& symbols = (*kernel)->symbols();
    for (size_t i = 0; i < symbols.size(); ++i) {
      looked.said.symbols.push_back(std::string(symbols.at(i).name) + " " +
                                    std::to_string(symbols.at(i).address));
    }
    if (const auto types = (*kernel)->types()) {
      for (const std::string_view name : (*types)->TypeNames()) looked.said.types.emplace(name);
    }
    if (store != nullptr) (*kernel)->KeepImage();
    return looked;
  }
  // A real machine, of which little is read beside what the list is about.
  Looked LookAtState() {
    const auto machine = FrozenMachine::Open(std::string(KTSTR_STATE_DIR) + "/stall.kts").value();
    return Look(machine->memory(), &store_, machine->kernel_options());
  }
  Looked Look(const GuestMemory& guest, const ImageStore* store) {
    SnapshotMemory memory(Archive(guest));
    return Look(memory, store);
  }
  void ExpectSame(const GuestMemory& guest) {
    const auto archive = Archive(guest);
    SnapshotMemory memory(archive), same(archive);
    EXPECT_EQ(Look(memory, &store_).said, Look(same, nullptr).said);
  }

  std::vector<std::filesystem::path> Lists() const {
    std::vector<std::filesystem::path> lists;
    for (const auto& entry : std::filesystem::directory_iterator(store_path_)) {
      if (entry.path().extension() == ".stored") lists.push_back(entry.path());
    }
    return lists;
  }
  static std::string TextOf(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void Put(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }

  const std::filesystem::path store_path_ = directory_ / "cache" / "images";
  ImageStore store_{store_path_};
  SyntheticGuest guest_ = Machine();
};

TEST_F(StoredImageTest, AnArchiveThatWasLookedAtIsNotDecompressedAgain) {
  const Looked decoded = LookAtState();
  EXPECT_FALSE(decoded.from_image);
  ASSERT_EQ(Lists().size(), 1u);
  const auto path = Lists()[0];
  const Looked known = LookAtState();
  EXPECT_TRUE(known.from_image);
  EXPECT_EQ(known.said, decoded.said);
  // Who does not have the list reads the bytes, once.
  std::filesystem::remove(path);
  const Looked read = LookAtState();
  EXPECT_TRUE(read.from_image);
  EXPECT_EQ(read.said, decoded.said);
  EXPECT_GT(read.frames, known.frames + 50);
  EXPECT_EQ(LookAtState().frames, known.frames);
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  // Not a list that others can write, nor one that a link leads to.
  std::filesystem::permissions(path, std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);
  EXPECT_EQ(LookAtState().frames, read.frames);
  const std::filesystem::path elsewhere = directory_ / "elsewhere";
  const std::string whole = TextOf(path);
  std::filesystem::remove(path);
  Put(elsewhere, whole);
  std::filesystem::create_symlink(elsewhere, path);
  EXPECT_EQ(LookAtState().frames, read.frames);
  EXPECT_EQ(TextOf(elsewhere), whole);
}

TEST_F(StoredImageTest, AnotherMachineThatClaimsTheBuildIsNotOnTheList) {
  Look(*guest_.memory, &store_);
  const std::string list = TextOf(Lists().at(0));
  EXPECT_EQ(list.size(), sizeof(ImageDigest));
  // Its frames are whole, and say that they are of the build whose file there is.
  const SyntheticGuest renamed = Machine("other_0");
  for (int i = 0; i < 2; ++i) {
    ExpectSame(*renamed.memory);
    EXPECT_EQ(Lists().size(), 2u);
    for (const auto& each : Lists()) EXPECT_EQ(TextOf(each).size(), sizeof(ImageDigest));
  }
  EXPECT_EQ(Look(*guest_.memory, &store_).said, Look(*guest_.memory, nullptr).said);
}

TEST_F(StoredImageTest, AMachineThatDiffersInOneByteIsAnother) {
  Look(*guest_.memory, &store_);
  const std::string list = TextOf(Lists().at(0));
  std::vector<Pfn> pages;
  for (const MemoryRegion& region : guest_.memory->regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      if (guest_.memory->View(pfn).fate() == PageFate::kPresent) pages.push_back(pfn);
    }
  }
  ASSERT_GT(pages.size(), 30u);
  for (size_t i = 0; i < kFlips; ++i) {
    const Pa at = pages[i * (pages.size() - 1) / (kFlips - 1)].pa() + 17 * i;
    const auto byte = guest_.memory->ReadScalar<uint8_t>(at).value();
    guest_.memory->Put<uint8_t>(at, byte ^ 1);
    ExpectSame(*guest_.memory);
    guest_.memory->Put<uint8_t>(at, byte);
  }
}

TEST_F(StoredImageTest, AFlippedByteOfAFrameIsNoticed) {
  Look(*guest_.memory, &store_);
  const uint64_t size = Archive(*guest_.memory)->file_size();
  int opened = 0, damaged = 0;
  for (size_t i = 0; i < kFlips; ++i) {
    const uint64_t offset = i * (size - 1) / (kFlips - 1);
    Damage(offset);
    if (auto archive = ArchiveReader::Open(directory_ / "x.kts")) {
      ++opened;
      const std::shared_ptr<const ArchiveReader> shared = *std::move(archive);
      SnapshotMemory memory(shared), same(shared);
      const Looked looked = Look(memory, &store_), alone = Look(same, nullptr);
      EXPECT_EQ(looked.said, alone.said) << offset;
      damaged += same.damaged_views() > 0;
      EXPECT_TRUE(looked.from_image || same.damaged_views() > 0) << offset;
    }
    Damage(offset);
  }
  EXPECT_GT(opened, 10);
  EXPECT_GT(damaged, 3);
}

TEST_F(StoredImageTest, WhatIsWrittenToAfterwardsIsRead) {
  Look(*guest_.memory, &store_);
  SnapshotMemory memory(Archive(*guest_.memory));
  for (const MemoryRegion& region : memory.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      // Somewhere there is a name.
      const PageView page = memory.View(pfn);
      if (!page.readable()) continue;
      const std::string_view text(reinterpret_cast<const char*>(page.data()), kPageSize);
      const size_t at = text.find("second");
      if (at != text.npos) std::memcpy(memory.Writable(pfn).value() + at, "SECOND", 6);
    }
  }
  ASSERT_FALSE(memory.WrittenPages().empty());
  GuestKernelOptions options;
  options.images = &store_;
  const auto kernel = GuestKernel::Open(memory, guest_.vcpus, options);
  ASSERT_TRUE(kernel);
  EXPECT_TRUE((*(*kernel)->types())->FindMember("thing", "SECOND"));
  EXPECT_FALSE((*(*kernel)->types())->FindMember("thing", "second"));
}

TEST_F(StoredImageTest, ADamagedListIsOfNoHarm) {
  Look(*guest_.memory, &store_);
  const auto path = Lists().at(0);
  const std::string whole = TextOf(path);
  const Looked known = Look(*guest_.memory, &store_);
  for (const std::string& text :
       {std::string(), whole.substr(1), whole + "x", std::string(whole.rbegin(), whole.rend()),
        std::string(StoredImages::kMost * whole.size(), 'y'), std::string(1 << 20, '\0')}) {
    Put(path, text);
    const Looked looked = Look(*guest_.memory, &store_);
    EXPECT_EQ(looked.said, known.said);
    EXPECT_TRUE(looked.from_image);
    EXPECT_LE(std::filesystem::file_size(path), StoredImages::kMost * whole.size());
    EXPECT_NE(TextOf(path).find(whole), std::string::npos);
  }
}

class ReadStoredTest : public ArchivedGuestTest {
 protected:
  static std::optional<std::string> Stored(const SnapshotMemory& memory, std::vector<Pfn> pages) {
    std::string all;
    const bool known = memory.ReadStored(pages, [&all](std::span<const std::byte> piece) {
      all.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    });
    return known ? std::optional(all) : std::nullopt;
  }
};

TEST_F(ReadStoredTest, PagesThatDifferAreStoredOtherwise) {
  const auto guest = synthetic::MakeSampleGuest();
  const SnapshotMemory memory(Archive(guest.memory));
  // Those that can be read, in pairs.
  std::vector<Pfn> pages;
  for (const MemoryRegion& region : memory.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      if (memory.View(pfn).readable()) pages.push_back(pfn);
    }
  }
  int same = 0;
  for (const Pfn a : pages) {
    for (const Pfn b : pages) {
      const auto one = Stored(memory, {a, b}), other = Stored(memory, {b, a});
      ASSERT_TRUE(one && other);
      if (*one != *other) continue;
      ++same;
      EXPECT_EQ(std::memcmp(memory.View(a).data(), memory.View(b).data(), kPageSize), 0);
    }
  }
  EXPECT_GE(same, int(pages.size()));
  EXPECT_NE(Stored(memory, {pages[0]}), Stored(memory, {pages[0], pages[0]}));
}

TEST_F(ReadStoredTest, WhatCannotBeReadOrWasWrittenToIsNotStored) {
  const auto guest = synthetic::MakeSampleGuest();
  SnapshotMemory memory(Archive(guest.memory));
  EXPECT_TRUE(Stored(memory, {Pfn(7)}));
  EXPECT_FALSE(Stored(memory, {Pfn(7), Pfn(31)}));    // not captured
  EXPECT_FALSE(Stored(memory, {Pfn(7), Pfn(0x40)}));  // outside
  ASSERT_TRUE(memory.Writable(Pfn(7)));
  EXPECT_FALSE(Stored(memory, {Pfn(7)}));
  // A memory that knows of no such thing.
  EXPECT_FALSE(guest.memory.ReadStored({}, [](std::span<const std::byte>) {}));
}

}  // namespace
}  // namespace ktstr
