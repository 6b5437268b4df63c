// Archives of sample guests as files and bytes, for the tests of this directory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "fixtures/sample/sample_guest.h"
#include "libcore/archive/format.h"
#include "libcore/archive/reader.h"
#include "libcore/archive/writer.h"

namespace ktstr::archive {

using Bytes = std::vector<std::byte>;

Bytes ReadFile(const std::filesystem::path& path);
void WriteFile(const std::filesystem::path& path, std::span<const std::byte> bytes);

// Writes the guest's archive and returns the digest; a failure fails the test.
std::string WriteSample(const std::filesystem::path& path, const synthetic::SampleGuest& guest,
                        const ArchiveWriteOptions& options = {});

// The error of opening `path`, in full; "" when it opens.
std::string OpenError(const std::filesystem::path& path);

// Writes `from` anew to `to`, with each section's decoded payload as `change` leaves it, and with
// all checksums right.
void Reseal(const std::filesystem::path& from, const std::filesystem::path& to,
            const std::function<void(SectionType, Bytes&)>& change);

// Compares all that can be read from the archive with the guest it was made of. A part that is said
// to be damaged is no difference: this finds only wrong answers. Returns "" or what is wrong.
std::string WrongAnswer(const ArchiveReader& archive, const synthetic::SampleGuest& truth);

}  // namespace ktstr::archive
