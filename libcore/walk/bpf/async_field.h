// What runs later for BPF programs: bpf_timer and bpf_wq in their values (kernel/bpf/helpers.c).
//
// Either is a struct bpf_async_kern (6.1: bpf_timer_kern), which points to a struct bpf_hrtimer or
// bpf_work from the time at which a program initialised it. These have the hrtimer or work_struct,
// and, since 6.10 in a struct bpf_async_cb, the program and the function of it that runs.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "libcore/walk/code/text_symbols.h"
#include "libcore/walk/row/enum_text.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/value/special_fields.h"

namespace ktstr {

class BpfAsyncFields {
 public:
  explicit BpfAsyncFields(const Walk& walk);

  // "armed", whether it will expire; then "expires_ns", when at the latest, by the clock "base" as
  // in the table timer. "running" when its callback runs. "callback" and "program", null before a
  // program has set one; of a timer that no program has initialised nothing but that it is not
  // armed.
  std::vector<ValueFact> TimerFacts(Kva kva);
  // "pending", whether it is queued to run; "callback" and "program".
  std::vector<ValueFact> WorkFacts(Kva kva);

 private:
  struct AsyncMembers : Fields {
    explicit AsyncMembers(const Walk& walk) : Fields(walk, "bpf_async_kern") {}
    MaybeMember object = Maybe("cb");
  };
  struct OldTimerMembers : Fields {
    explicit OldTimerMembers(const Walk& walk) : Fields(walk, "bpf_timer_kern") {}
    MaybeMember object = Maybe("timer");
  };
  struct TimerMembers : Fields {
    explicit TimerMembers(const Walk& walk) : Fields(walk, "bpf_hrtimer") {}
    MaybeMember program = Maybe("cb.prog", "prog"),
                function = Maybe("cb.callback_fn", "callback_fn");
    // hrtimer.state became is_queued in 7.1.
    MaybeMember timer = Maybe("timer"), queued = Maybe("timer.is_queued", "timer.state"),
                base = Maybe("timer.base"), expires = Maybe("timer.node.expires");
  };
  struct WorkMembers : Fields {
    explicit WorkMembers(const Walk& walk) : Fields(walk, "bpf_work") {}
    MaybeMember program = Maybe("cb.prog"), function = Maybe("cb.callback_fn"),
                data = Maybe("work.data.counter");
  };
  struct ClockBaseMembers : Fields {
    explicit ClockBaseMembers(const Walk& walk) : Fields(walk, "hrtimer_clock_base") {}
    MaybeMember index = Maybe("index"), running = Maybe("running");
  };
  struct ProgMembers : Fields {
    explicit ProgMembers(const Walk& walk) : Fields(walk, "bpf_prog") {}
    MaybeMember aux = Maybe("aux");
  };
  struct AuxMembers : Fields {
    explicit AuxMembers(const Walk& walk) : Fields(walk, "bpf_prog_aux") {}
    MaybeMember name = Maybe("name");
  };

  // The bpf_hrtimer or bpf_work behind a field; null when there is none, nothing when that cannot
  // be told.
  std::optional<Kva> ObjectOf(Kva field) const;
  void AddCallback(std::optional<Kva> function, std::optional<Kva> program,
                   std::vector<ValueFact>& facts);
  std::string ProgramName(Kva program) const;  // as JSON
  std::string CallbackName(Kva function);      // as JSON

  Walk walk_;
  AsyncMembers async_{walk_};
  OldTimerMembers old_timer_{walk_};
  TimerMembers timer_{walk_};
  WorkMembers work_{walk_};
  ClockBaseMembers clock_base_{walk_};
  ProgMembers prog_{walk_};
  AuxMembers aux_{walk_};
  EnumText clock_names_;
  // Made when the first name is asked for. What is wrong with code is the walkers' of stacks.
  Anomalies of_code_{""};
  std::unique_ptr<TextSymbols> text_;
};

}  // namespace ktstr
