// ktstr-replay verify ARCHIVE: whether every bit is what it was, and what damage touches.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libcore/archive/verify.h"
#include "libcore/base/output.h"
#include "libcore/base/quantity.h"
#include "libcore/base/safe_text.h"
#include "libcore/walk/memory/page_classes.h"
#include "replay/command/replay_command.h"
#include "replay/frozen_machine.h"

namespace ktstr {

namespace {

using archive::SectionType;

// What a section holds, and who asks for it.
std::string SectionText(SectionType type) {
  switch (type) {
    case SectionType::kMetadata:
      return "section META: what is known of the capture. Touched: tables machine, derivation and "
             "tag; resume and what-if";
    case SectionType::kVcpus:
      return "section VCPU: the vCPUs' registers. Touched: table vcpu, the stacks of tasks on a "
             "CPU";
    case SectionType::kRegions:
    case SectionType::kPageTable:
    case SectionType::kFrames:
      return fmt::format(
          "section {}: where pages are. Touched: everything; salvage finds the pages",
          type == SectionType::kRegions     ? "RGNS"
          : type == SectionType::kPageTable ? "PAGE"
                                            : "FRMS");
    case SectionType::kDeviceState:
      return "section DEVS: the devices' state. Touched: resume and what-if";
  }
  return "a section that this program does not know. Touched: nothing that it answers";
}

std::string Bytes(const DamagedPart& part) {
  return fmt::format("{} at {:#x}", FormatSize(part.size), part.offset);
}

// Pages by what they are used for.
using PagesByUse = std::map<LeftOutReason, std::vector<Pfn>>;

std::string UseText(LeftOutReason use) {
  switch (use) {
    case LeftOutReason::kNone:
      return "the kernel's own. Touched: tables that are made of them, which ktstr-analyze names";
    case LeftOutReason::kFree:
      return "free. Touched: nothing but 'read' of these addresses";
    default:
      return fmt::format("{}. Touched: 'read' and 'print' of these addresses",
                         LeftOutReasonName(use));
  }
}

std::string AddressesText(const std::vector<Pfn>& pages) {
  constexpr size_t kShown = 8;
  std::vector<std::string> shown;
  for (const Pfn pfn : pages) {
    if (shown.size() == kShown) break;
    shown.push_back(fmt::format("{:#x}", pfn.pa().value()));
  }
  const std::string rest =
      pages.size() > kShown ? fmt::format(" and {} more", pages.size() - kShown) : "";
  return fmt::format("{} page{} at {}{}", pages.size(), pages.size() == 1 ? "" : "s",
                     fmt::join(shown, ", "), rest);
}

// The pages of one frame, by use where the kernel's account of them can be read.
std::string FrameText(const std::vector<Pfn>& pages, const PageClasses* classes) {
  if (classes == nullptr) return "      " + AddressesText(pages) + "\n";
  PagesByUse by_use;
  for (const Pfn pfn : pages) by_use[classes->Of(pfn)].push_back(pfn);
  std::string text;
  for (const auto& [use, some] : by_use) {
    text += fmt::format("      {}: {}\n", AddressesText(some), UseText(use));
  }
  return text;
}

std::string DamageText(const std::string& path, const Verification& verification) {
  const auto machine = FrozenMachine::Open(path, FrozenMachine::Damage::kAccept);
  std::vector<uint64_t> frames;
  for (const DamagedPart& part : verification.damaged) {
    if (part.frame) frames.push_back(*part.frame);
  }
  std::map<uint64_t, std::vector<Pfn>> pages;
  std::optional<PageClasses> classes;
  if (machine && !frames.empty()) {
    for (const auto& [pfn, frame] : (*machine)->archive().PagesOfFrames(frames)) {
      pages[frame].push_back(pfn);
    }
    if (const auto kernel = (*machine)->Kernel()) {
      if (auto read = PageClasses::Read(**kernel)) classes.emplace(*std::move(read));
    }
  }
  std::string text;
  for (const DamagedPart& part : verification.damaged) {
    if (part.frame) {
      text += fmt::format("  memory frame {}, {}\n{}", *part.frame, Bytes(part),
                          FrameText(pages[*part.frame], classes ? &*classes : nullptr));
    } else if (part.section) {
      text += fmt::format("  {} ({})\n", SectionText(*part.section), Bytes(part));
    } else {
      text += fmt::format("  {}. Touched: everything; salvage finds what is intact\n",
                          SafeText(part.why));
    }
  }
  return text;
}

Result<ExitCode> Run(const std::string& path) {
  const Verification verification = KTSTR_TRY(VerifyArchive(path));
  const std::string name = SafeText(path);
  if (verification.is_whole()) {
    KTSTR_TRY(
        Output::Standard().Write(fmt::format("{}: whole: {} memory frames, {} sections\n", name,
                                             verification.frames, verification.sections)));
    return ExitCode::kDone;
  }
  const size_t parts = verification.damaged.size();
  KTSTR_TRY(Output::Standard().Write(
      fmt::format("{}: damaged: {} part{}\n{}'ktstr-replay salvage {} NEW.kts' recovers what is "
                  "intact\n",
                  name, parts, parts == 1 ? "" : "s", DamageText(path, verification), name)));
  return ExitCode::kAnswerIsNo;
}

void DeclareVerify(Options* verify, Result<ExitCode>* result) {
  auto path = std::make_shared<std::string>();
  verify->Add("ARCHIVE", path.get(), "The archive (.kts)").Required().TypeName("").Files(".kts");
  verify->SetFooter(
      "Every bit of an archive is under a checksum. What is damaged is named, with the addresses\n"
      "of the pages in it and the questions that it touches; all others are answered as ever.\n\n"
      "Exit codes: 0 whole, 1 damaged, 2 wrong usage, 3 no archive, 4 the system refused.");
  verify->OnChosen([path, result] { *result = Run(*path); });
}

}  // namespace

void AddVerifyCommand(Options* app, Result<ExitCode>* result) {
  app->AddSubcommand("verify", "Says whether an archive is whole, and what its damage touches",
                     [result](Options* verify) { DeclareVerify(verify, result); });
}

}  // namespace ktstr
