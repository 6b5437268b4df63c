#include "libcore/walk/bpf/async_field.h"

#include "libcore/walk/value/value_json.h"

namespace ktstr {

namespace {

// HRTIMER_STATE_ENQUEUED, include/linux/hrtimer.h, and true where it is a bool.
constexpr uint64_t kQueued = 1;
// WORK_STRUCT_PENDING_BIT is 0, include/linux/workqueue.h.
constexpr uint64_t kWorkPending = 1;

const char* BooleanText(bool value) { return value ? "true" : "false"; }

}  // namespace

BpfAsyncFields::BpfAsyncFields(const Walk& walk)
    : walk_(walk), clock_names_(walk.types, {"hrtimer_base_type"}, "HRTIMER_BASE_") {}

std::vector<ValueFact> BpfAsyncFields::TimerFacts(Kva kva) {
  const auto at = ObjectOf(kva);
  if (!at) return {};
  if (at->is_null()) return {{"armed", "false"}};
  CellReader timer(walk_, *at, "a BPF timer");
  std::vector<ValueFact> facts;
  const auto queued = timer.Unsigned(timer_.queued);
  const bool armed = queued && (*queued & kQueued) != 0;
  if (queued) facts.push_back({"armed", BooleanText(armed)});
  if (armed) {
    if (const auto expires = timer.Integer(timer_.expires)) {
      facts.push_back({"expires_ns", std::to_string(*expires)});
    }
  }
  if (const auto base_at = timer.Pointer(timer_.base); base_at && !base_at->is_null()) {
    CellReader base(walk_, *base_at, "a BPF timer's clock");
    if (const auto index = base.Integer(clock_base_.index)) {
      facts.push_back({"base", TextToJson(clock_names_.NameOf(*index))});
    }
    const auto running = base.Pointer(clock_base_.running);
    if (running && timer_.timer && *running == *at + timer_.timer->offset) {
      facts.push_back({"running", "true"});
    }
  }
  AddCallback(timer.Pointer(timer_.function), timer.Pointer(timer_.program), facts);
  return facts;
}

std::vector<ValueFact> BpfAsyncFields::WorkFacts(Kva kva) {
  const auto at = ObjectOf(kva);
  if (!at) return {};
  if (at->is_null()) return {{"pending", "false"}};
  CellReader work(walk_, *at, "a BPF program's work");
  std::vector<ValueFact> facts;
  if (const auto data = work.Unsigned(work_.data)) {
    facts.push_back({"pending", BooleanText((*data & kWorkPending) != 0)});
  }
  AddCallback(work.Pointer(work_.function), work.Pointer(work_.program), facts);
  return facts;
}

std::optional<Kva> BpfAsyncFields::ObjectOf(Kva field) const {
  const MaybeMember& member = async_.object ? async_.object : old_timer_.object;
  return CellReader(walk_, field, "a BPF program's timer or work").Pointer(member);
}

void BpfAsyncFields::AddCallback(std::optional<Kva> function, std::optional<Kva> program,
                                 std::vector<ValueFact>& facts) {
  if (function) facts.push_back({"callback", CallbackName(*function)});
  if (program) facts.push_back({"program", ProgramName(*program)});
}

std::string BpfAsyncFields::ProgramName(Kva program) const {
  if (program.is_null()) return "null";
  const auto aux = CellReader(walk_, program, "a BPF program").Pointer(prog_.aux);
  if (!aux || aux->is_null()) return "null";
  const auto name = CellReader(walk_, *aux, "a BPF program").Text(aux_.name);
  return name ? TextToJson(*name) : "null";
}

std::string BpfAsyncFields::CallbackName(Kva function) {
  if (function.is_null()) return "null";
  if (text_ == nullptr) text_ = std::make_unique<TextSymbols>(walk_.NotingIn(of_code_));
  const auto place = text_->Find(function);
  if (!place || place->symbol.empty()) return TextToJson(ToText(Hex(function)));
  return TextToJson(BpfFunctionName(place->symbol));
}

}  // namespace ktstr
