#include "sample_archive.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "fixtures/sample/sample_guest.h"
#include "fixtures/sample/temporary_directory.h"
#include "fuzz.h"
#include "libcore/archive/container.h"
#include "libcore/archive/section_writer.h"
#include "libcore/archive/writer.h"
#include "libcore/base/output_file.h"

namespace ktstr::fuzz {

namespace {

const std::filesystem::path& Place() {
  static const synthetic::TemporaryDirectory directory;
  return directory.path();
}

std::vector<std::byte> ReadWhole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

SampleArchive TakeApart() {
  const std::filesystem::path path = Place() / "sample.kts";
  const synthetic::SampleGuest guest = synthetic::MakeSampleGuest();
  (void)WriteArchive(path, guest.contents(), {}).value();
  const archive::InputFile input = archive::InputFile::Open(path).value();
  const archive::Container container = ReadContainer(input).value();
  SampleArchive sample;
  sample.frames = ReadWhole(path);
  sample.frames.resize(container.frame_offsets.back());
  sample.entries = {{archive::kHeaderSize, 0}};
  for (uint64_t i = 0; i < container.frame_count(); ++i) {
    const bool last = i + 1 == container.frame_count();
    sample.entries.push_back({uint32_t(container.frame_offsets[i + 1] - container.frame_offsets[i]),
                              uint32_t(last ? container.last_frame_bytes : container.frame_bytes)});
  }
  for (const archive::DirectoryEntry& section : container.sections) {
    const archive::SectionPayload payload = ReadSection(input, section).value();
    sample.sections[section.type].assign(payload.bytes().begin(), payload.bytes().end());
  }
  return sample;
}

}  // namespace

struct AssembledArchive::File {
  OutputFile output;
};

const SampleArchive& SampleArchive::Get() {
  static SampleArchive sample = TakeApart();
  if (sample.file.empty()) {
    sample.file = ReadWhole(AssembledArchive(sample, sample.sections).path());
  }
  return sample;
}

AssembledArchive::AssembledArchive(const SampleArchive& sample, const Sections& sections)
    : file_(std::make_unique<File>(
          File{OutputFile::Create(Place() / "x.kts", OutputFile::Existing::kReplace).value()})) {
  Require(file_->output.Append(sample.frames).has_value(), "the sample's frames can be written");
  archive::SectionWriter writer(file_->output, sample.entries);
  for (const auto& [type, payload] : sections) {
    Require(writer.Add(type, payload).has_value(), "a section can be written");
  }
  (void)writer.Finish().value();
  path_ = file_->output.Readable().value();
}

AssembledArchive::~AssembledArchive() = default;

}  // namespace ktstr::fuzz
