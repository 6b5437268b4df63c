#include "libcore/archive/page_table_builder.h"

namespace ktstr::archive {

void PageTableBuilder::AddStored() {
  Add(RunKind::kStored, 0, 1);
  ++stored_;
}

void PageTableBuilder::AddZero(uint64_t pages) {
  if (pages > 0) Add(RunKind::kZero, 0, pages);
}

void PageTableBuilder::AddDamaged() { Add(RunKind::kDamaged, 0, 1); }

void PageTableBuilder::AddLeftOut(LeftOutReason reason, uint64_t pages) {
  Add(RunKind::kLeftOut, static_cast<uint64_t>(reason), pages);
}

void PageTableBuilder::AddDuplicate(uint64_t stored) {
  const bool follows = pages_ > 0 && stored == argument_ + pages_;
  // A run of one can still become either kind.
  if (kind_ == RunKind::kSame && pages_ == 1 && follows) kind_ = RunKind::kSequence;
  if (kind_ == RunKind::kSequence && follows) {
    ++pages_;
  } else {
    Add(RunKind::kSame, stored, 1);
  }
}

void PageTableBuilder::AddRelocated(uint64_t stored, const Relocation& relocation) {
  const bool follows = pages_ > 0 && kind_ == RunKind::kRelocated && argument_ == stored &&
                       relocation_.Further(pages_) == relocation;
  if (!follows) {
    CloseRun();
    relocation_ = relocation;
  }
  Add(RunKind::kRelocated, stored, 1);
}

void PageTableBuilder::Add(RunKind kind, uint64_t argument, uint64_t pages) {
  if (pages_ == 0 || kind != kind_ || argument != argument_) {
    CloseRun();
    kind_ = kind;
    argument_ = argument;
  }
  pages_ += pages;
}

void PageTableBuilder::CloseRun() {
  if (pages_ == 0) return;
  runs_.PutVarint((pages_ - 1) << 3 | static_cast<uint64_t>(kind_));
  switch (kind_) {
    case RunKind::kSame:
    case RunKind::kSequence:
      runs_.PutVarint(stored_ - 1 - argument_);
      break;
    case RunKind::kRelocated:
      runs_.PutVarint(stored_ - 1 - argument_);
      PutRelocation(relocation_, runs_);
      break;
    case RunKind::kLeftOut:
      runs_.PutVarint(argument_);
      break;
    case RunKind::kStored:
    case RunKind::kZero:
    case RunKind::kDamaged:
      break;
  }
  ++run_count_;
  pages_ = 0;
}

std::vector<std::byte> PageTableBuilder::Finish() && {
  CloseRun();
  ByteSink payload;
  payload.Put<uint64_t>(run_count_);
  payload.PutBytes(runs_.bytes());
  return std::move(payload).Take();
}

}  // namespace ktstr::archive
