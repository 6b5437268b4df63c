// fuzz_seeds DIRECTORY STATE: writes what fuzzers begin from, DIRECTORY/NAME/… for each: parts of
// the frozen machine STATE (an archive), and of what builders make.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "../libcore/ops/sample_messages.h"
#include "fixtures/sample/sample_guest.h"
#include "fixtures/sample/save_image_builder.h"
#include "fixtures/sample/stream_builder.h"
#include "fixtures/sample/temporary_directory.h"
#include "fixtures/synthetic/btf_builder.h"
#include "fixtures/synthetic/kcore_builder.h"
#include "fixtures/synthetic/kernel_builder.h"
#include "fixtures/synthetic/vmlinux_builder.h"
#include "libcore/archive/pack/pack_writer.h"
#include "libcore/archive/writer.h"
#include "libcore/image/vmcoreinfo.h"
#include "libcore/ops/json.h"
#include "libcore/ops/wire.h"
#include "libcore/qemu/device_sections.h"
#include "replay/frozen_machine.h"
#include "replay/gdb/packet.h"
#include "replay/vmcore/core_notes.h"
#include "replay/vmcore/export.h"
#include "sample_archive.h"

namespace ktstr::fuzz {
namespace {

namespace fs = std::filesystem;
using archive::SectionType;

class Seeds {
 public:
  explicit Seeds(fs::path directory) : directory_(std::move(directory)) {}

  void Add(const std::string& fuzzer, std::string_view bytes) {
    const fs::path folder = directory_ / fuzzer;
    fs::create_directories(folder);
    std::ofstream file(folder / fmt::format("seed-{}", count_++), std::ios::binary);
    file.write(bytes.data(), std::streamsize(bytes.size()));
  }
  void Add(const std::string& fuzzer, std::span<const std::byte> bytes) {
    Add(fuzzer, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }

 private:
  fs::path directory_;
  int count_ = 0;
};

std::string TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The sample's archive, whole, and its sections.
void AddArchives(Seeds& seeds) {
  const SampleArchive& sample = SampleArchive::Get();
  seeds.Add("archive", std::string(1, '\0') + TextOf(sample.file));
  std::string sections = "\1";
  for (const SectionType type : {SectionType::kMetadata, SectionType::kVcpus, SectionType::kRegions,
                                 SectionType::kPageTable, SectionType::kFrames}) {
    sections += TextOf(sample.sections.at(type)) + "|KTS|";
  }
  seeds.Add("archive", sections);
}

// A few pages as dumps of each format, and what they are made of.
void AddDumps(Seeds& seeds) {
  const synthetic::TemporaryDirectory directory;
  const std::string archive = directory / "a.kts", dump = directory / "dump";
  const std::vector<VcpuRegisters> vcpus(2);
  const synthetic::BufferMemory memory = synthetic::MakeRandomMemory(8, 3);
  if (!WriteArchive(archive, {.memory = memory, .vcpus = vcpus}, {})) return;
  const auto machine = FrozenMachine::Open(archive);
  if (!machine) return;
  for (const auto format : {vmcore::ExportFormat::kElf, vmcore::ExportFormat::kKdump}) {
    for (const bool flattened : {false, true}) {
      const int fd = open(dump.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      Output output(fd);
      auto file = OutputFile::Create(directory / "file", OutputFile::Existing::kReplace);
      const bool kdump = format == vmcore::ExportFormat::kKdump;
      const auto target =
          flattened ? (kdump ? vmcore::ToFlattenedStream(output) : vmcore::ToStream(output))
                    : vmcore::ToFile(*std::move(file));
      (void)vmcore::ExportMachine(**machine, *target, {.format = format});
      close(fd);
      std::ifstream made(flattened ? fs::path(dump) : directory / "file", std::ios::binary);
      seeds.Add("vmcore",
                std::string(1, '\0') + std::string(std::istreambuf_iterator<char>(made), {}));
    }
  }
  const ArchiveReader& reader = (*machine)->archive();
  const vmcore::OwnNotes own = {
      .metadata = reader.metadata(),
      .vcpus = {reader.vcpus().begin(), reader.vcpus().end()},
      .regions = {reader.regions().begin(), reader.regions().end()},
      .absent = {{{Pfn(1), Pfn(2)}, PageFate::kNotCaptured, LeftOutReason::kFree}}};
  const auto notes = vmcore::MakeCoreNotes(own, "OSRELEASE=6.12\n");
  if (notes) seeds.Add("vmcore", "\1" + TextOf(*notes));
  seeds.Add("vmcore",
            "\3"
            "0:4K\n" +
                std::string(kPageSize - 5, 'x'));
}

// What QEMU and libvirt save.
void AddSaved(Seeds& seeds) {
  synthetic::StreamBuilder builder("pc-q35-7.2", {"events"});
  builder.Begin({{"pc.ram", 4 * kPageSize}, {"pc.bios", kPageSize}});
  builder.Part({{"pc.ram", 0, 1}, {"pc.ram", 1, 2}, {"pc.bios", 0, 3}});
  builder.End({{"pc.ram", 1, 4}, {"pc.ram", 2, 0}});
  const std::string stream = builder.Finish();
  const std::string whole(1, '\0');
  seeds.Add("vmcore", whole + stream);
  seeds.Add("vmcore", whole + synthetic::SaveHeader() + stream);
  seeds.Add("vmcore", whole + synthetic::SaveHeader({.compression = 1}) + "\x1f\x8b\x08");
}

// A running kernel's memory.
void AddKcore(Seeds& seeds) {
  const synthetic::BufferMemory memory = synthetic::MakeRandomMemory(8, 3);
  const auto kcore = synthetic::KcoreOf(memory);
  seeds.Add("vmcore", "\4" + synthetic::VmcoreinfoFileOf(Pa(0x1018)) + TextOf(kcore));
}

void AddNumber(std::string& stream, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) stream += char(value >> shift);
}

// The state of the machine's devices without those that have much (the screen's memory): of the
// rest each byte means something.
void AddDevices(const FrozenMachine& machine, Seeds& seeds) {
  constexpr size_t kMuch = 16 << 10;
  const auto state = machine.archive().ReadDeviceState();
  const auto sections = state ? SplitDeviceState(*state)
                              : Result<std::vector<DeviceSection>>(std::vector<DeviceSection>());
  if (!sections) return;
  std::string stream = "QEVM";
  AddNumber(stream, 3);
  uint32_t number = 0;
  for (const DeviceSection& section : *sections) {
    if (section.contents.size() > kMuch) continue;
    stream += '\4';
    AddNumber(stream, ++number);
    stream += char(section.name.size());
    stream += section.name;
    AddNumber(stream, section.instance);
    AddNumber(stream, section.version);
    stream += TextOf(section.contents);
    stream += '\x7e';
    AddNumber(stream, number);
  }
  seeds.Add("qemu_stream", stream + '\0');
}

void AddPacks(const fs::path& work, Seeds& seeds) {
  const SampleArchive& sample = SampleArchive::Get();
  Sections other = sample.sections;
  const AssembledArchive one(sample, sample.sections), two(sample, other);
  const fs::path path = work / "x.ktspack";
  if (!WritePack(path, {{"archives/1.kts", one.path()}, {"archives/2.kts", two.path()}},
                 {{"a/b.toml", "x = 1\n"}})) {
    return;
  }
  std::ifstream file(path, std::ios::binary);
  const std::string pack{std::istreambuf_iterator<char>(file), {}};
  seeds.Add("pack", pack);
  seeds.Add("corpus", "\1" + pack);
}

// BTF of BPF objects and modules, where it lies in pages that follow one another.
void AddBtf(const FrozenMachine& machine, const TypeInfo& kernels, Seeds& seeds) {
  constexpr std::array<uint8_t, 4> kBegin = {0x9f, 0xeb, 1, 0};
  constexpr size_t kMost = 24 << 10, kEnough = 12;
  size_t found = 0;
  const GuestMemory& memory = machine.memory();
  for (const MemoryRegion& region : memory.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end && found < kEnough; pfn = pfn + 1) {
      const PageView page = memory.View(pfn);
      if (!page.readable() || std::memcmp(page.data(), kBegin.data(), kBegin.size()) != 0) continue;
      std::array<uint32_t, 6> header;
      std::memcpy(header.data(), page.data(), sizeof header);
      const uint64_t size = uint64_t{header[1]} + header[4] + header[5];
      if (size > kMost) continue;
      std::vector<std::byte> raw(size);
      if (!memory.Read(pfn.pa(), raw)) continue;
      if (!TypeInfo::Parse(raw) && !TypeInfo::ParseSplit(raw, kernels)) continue;
      seeds.Add("btf", raw);
      ++found;
    }
  }
  synthetic::BtfBuilder builder;
  builder.Struct("list_head", {{"list_head *", "next"}, {"u32:3", "bits"}, {"char[16]", "name"}});
  builder.Union("either", {{"u64", "a"}, {"list_head", ""}, {"@kptr list_head *", "p", "tag"}});
  builder.Enum("colour", {{"RED", 1}, {"BLUE", -1}});
  builder.Typedef("alias", "list_head");
  builder.SelfContaining("self");
  builder.Section(".bss", {{"u64", "counter"}, {"list_head", "head"}});
  seeds.Add("btf", builder.Build());
}

// The first symbols of the kernel's own tables, as the head of fuzz_kallsyms says where they are.
void AddKallsyms(const GuestKernel& kernel, Seeds& seeds) {
  if (!kernel.vmcoreinfo()) return;
  const auto tables = KallsymsTables::From(*kernel.vmcoreinfo());
  if (!tables || !tables->offsets) return;
  constexpr uint32_t kSymbols = 120;
  std::string image;
  std::array<uint16_t, 7> at = {};
  const auto put = [&](size_t index, Kva from, size_t size) {
    image.resize((image.size() + 7) & ~size_t{7});
    at[index] = uint16_t(image.size());
    std::vector<std::byte> bytes(size);
    if (kernel.Read(from, bytes)) image += TextOf(bytes);
  };
  at[1] = 0;
  image.assign(reinterpret_cast<const char*>(&kSymbols), sizeof kSymbols);
  image.resize(8);
  put(0, tables->names, 1500);
  put(2, tables->token_table, 1200);
  put(3, tables->token_index, 512);
  put(5, *tables->offsets, kSymbols * sizeof(uint32_t));
  if (tables->relative_base) put(6, *tables->relative_base, 8);
  std::string head(2, '\0');
  head[0] = tables->relative_base ? 2 : 0;
  head.append(reinterpret_cast<const char*>(at.data()), sizeof at);
  head.append(4, '\0');
  seeds.Add("kallsyms", head + image);
}

void AddNotes(const FrozenMachine& machine, const GuestKernel& kernel, Seeds& seeds) {
  if (!kernel.vmcoreinfo()) return;
  const Pa at = kernel.vmcoreinfo()->pa();
  std::vector<std::byte> note(kPageSize - at.page_offset());
  if (machine.memory().Read(at, note)) seeds.Add("vmcoreinfo", note);
}

// Changes at random places, a few and many, for each walker. Of machines fewer, since each input
// finds its kernel anew; with registers as they are and changed.
void AddWalks(Seeds& seeds) {
  constexpr char kWalkers = 24;
  std::mt19937_64 random(1);
  const auto changes = [&random](size_t count) {
    std::string words;
    for (size_t i = 0; i < count; ++i) {
      const uint64_t word = random();
      words.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
    return words;
  };
  for (char walker = 0; walker < kWalkers; ++walker) {
    for (const size_t count : {4, 32}) seeds.Add("walk", walker + changes(count));
    for (char machine = 0; machine < 2; ++machine) {
      const std::string registers = walker % 2 == 0 ? std::string(4, '\0') : "\4\7\2\77";
      seeds.Add("machine", std::string{machine, walker} + registers + changes(16));
    }
  }
}

void AddMessages(Seeds& seeds) {
  for (const OpRequest& request : SampleRequests()) {
    seeds.Add("request", "J" + ToJson(request));
    if (const auto frame = EncodeRequest(request)) seeds.Add("request", "B" + TextOf(*frame));
  }
  for (const OpReply& reply : SampleReplies()) {
    seeds.Add("request", "j" + ToJson(reply));
    if (const auto frame = EncodeReply(reply)) seeds.Add("request", "b" + TextOf(*frame));
  }
}

// What QEMU says, up to an answer to each question that the fuzzer asks.
// What gdb sends, each packet in a piece of its own.
void AddGdbSessions(Seeds& seeds) {
  std::string session;
  for (const char* packet :
       {"qSupported:xmlRegisters=i386", "QStartNoAckMode", "?", "Hg0",
        "qXfer:features:read:target.xml:0,ffb", "qfThreadInfo", "qsThreadInfo", "g", "p10",
        "m1000,40", "x2000,40", "T2", "qThreadExtraInfo,2", "qRcmd,68656c70", "vCont;c:1", "D"}) {
    const std::string bytes = GdbPacket(packet);
    session += static_cast<char>(bytes.size());
    session += bytes;
  }
  seeds.Add("gdb_session", session);
}

void AddTalk(Seeds& seeds) {
  const std::string greeting =
      R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}}})"
      "\n"
      R"({"return": {}, "id": 1})"
      "\n"
      R"({"event": "STOP", "data": {"a": [1, 2.5, null]}})"
      "\n";
  seeds.Add("qmp", greeting + R"({"return": {"status": "running"}, "id": 2})"
                              "\n"
                              R"({"return": [{"name": "pc-q35-7.2", "is-default": true}], "id": 3})"
                              "\n");
  seeds.Add("qmp", greeting + R"({"error": {"class": "X", "desc": "no"}, "id": 2})"
                              "\n");
  seeds.Add("qmp",
            "FlatView #0\n AS \"memory\", root: system\n Root memory region: system\n"
            "  0000000000000000-000000000009ffff (prio 0, ram): pc.ram\n"
            "  00000000000a0000-00000000000bffff (prio 1, i/o): vga @00000000000a0000 KVM\n");
  seeds.Add("qmp",
            "CPU#0\nRAX=0 RDI=ff RIP=ffffffff81000000\nGDT=     fffffe0000001000 0000007f\n");
  seeds.Add("gdb_stub",
            "$#00$OK#9a$T05thread:01;#07$T05thread:01;watch:ffffffff82a3c5d0;#65$OK#9a");
  seeds.Add("gdb_stub", "+$S05#b8+$W00#b7$E01#a6$p01.02#83");
}

void AddCorpora(Seeds& seeds) {
  seeds.Add("corpus",
            std::string(1, '\0') +
                "1.kts\nx|KTS|1.toml\nname = \"one\"\ntags = [\"a\"]\nscenario = \"s\"\n");
  seeds.Add("index", "\1DELETE FROM vcpu; INSERT INTO task(pid, comm) VALUES ('x', NULL)");
  seeds.Add("index",
            "\1DROP TABLE index_key; CREATE VIEW index_key AS SELECT 1 AS digest, 2 AS schema");
  seeds.Add("index", "\1INSERT INTO stack_frame(task_kva, depth, kind) VALUES (NULL, 1, 2)");
  seeds.Add("index", std::string(1, '\0') + std::string("\20\0\0\0\377\144\20\0\0\1", 10));
}

void AddVmlinux(const fs::path& work, Seeds& seeds) {
  const fs::path path = work / "vmlinux";
  if (!synthetic::WriteVmlinux(path, {.symbols = {{"_text", 0xffffffff81000000, 'T'},
                                                  {"init_task", 0xffffffff82000000, 'D'}},
                                      .btf = synthetic::BtfBuilder().Build(),
                                      .build_id = {1, 2, 3}})) {
    return;
  }
  std::ifstream file(path, std::ios::binary);
  seeds.Add("vmlinux", std::string{std::istreambuf_iterator<char>(file), {}});
}

int Run(const fs::path& directory, const std::string& state) {
  const auto machine = FrozenMachine::Open(state);
  if (!machine) {
    fmt::print(stderr, "fuzz_seeds: {}\n", machine.error().ToString());
    return 3;
  }
  const auto kernel = (*machine)->Kernel();
  const auto types = kernel ? (*kernel)->types() : Result<const TypeInfo*>(nullptr);
  if (!kernel || !types) {
    fmt::print(stderr, "fuzz_seeds: {} has no kernel that can be read\n", state);
    return 3;
  }
  const synthetic::TemporaryDirectory work;
  Seeds seeds(directory);
  AddArchives(seeds);
  AddKcore(seeds);
  AddSaved(seeds);
  AddDumps(seeds);
  AddDevices(**machine, seeds);
  AddPacks(work.path(), seeds);
  AddBtf(**machine, **types, seeds);
  AddKallsyms(**kernel, seeds);
  AddNotes(**machine, **kernel, seeds);
  AddWalks(seeds);
  AddMessages(seeds);
  AddGdbSessions(seeds);
  AddTalk(seeds);
  AddCorpora(seeds);
  AddVmlinux(work.path(), seeds);
  return 0;
}

}  // namespace
}  // namespace ktstr::fuzz

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: fuzz_seeds DIRECTORY STATE\n");
    return 2;
  }
  return ktstr::fuzz::Run(argv[1], argv[2]);
}
