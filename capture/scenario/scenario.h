// A scheduler test, as its file describes it (README.md).
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "capture/boot/guest_machine.h"
#include "capture/capture.h"
#include "capture/qemu/json_value.h"
#include "capture/qemu/machine_options.h"
#include "capture/scenario/trigger_spec.h"

namespace ktstr {

// Where a program that was built elsewhere has its libraries: a directory that it takes for "/".
struct ProgramRoot {
  std::filesystem::path host;  // on this machine; empty when the program is of this machine
  std::string guest;           // in the guest; empty until it is resolved, and when `host` is
};

// The loader of a scheduler, where programs of the guest's are named.
inline constexpr char kLoaderName[] = "scheduler-loader";

struct SchedulerSpec {
  // A BPF object: a path of this machine, or the name of one of ours ("vtime"). Empty with
  // `loader`.
  std::string object;
  // Initial values of its global variables and of members of its struct_ops.
  JsonValue variables = JsonValue::EmptyObject();
  // A program of the user's that loads a scheduler itself, with arguments.
  std::vector<std::string> loader;
  std::vector<GuestFile> files;  // what else the loader needs
  ProgramRoot root;              // of the loader
};

struct CgroupSpec {
  std::string path;                            // "/a/b"
  JsonValue files = JsonValue::EmptyObject();  // "cpu.weight" → 200
};

struct PayloadSpec {
  std::string name;
  std::filesystem::path program;  // on this machine
  std::vector<std::string> arguments;
  std::vector<GuestFile> files;  // what else it needs
  ProgramRoot root;
  bool loads_scheduler = false;  // what comes after its start waits until its scheduler is enabled
  JsonValue environment = JsonValue::EmptyObject();
  JsonValue setting = JsonValue::EmptyObject();  // capture/guest/task_setting.h
};

struct FileWrite {
  std::string path, text;
};

struct SignalSpec {
  std::string payload;  // its name, or kLoaderName
  int number = 0;
};

// A part of the test's time. What it asks for is done at its beginning.
struct PhaseSpec {
  std::string name;
  std::chrono::microseconds duration{};
  std::string until;                         // a payload whose end ends the phase sooner
  std::vector<std::string> start, stop;      // workers and payloads by name
  JsonValue set = JsonValue::EmptyObject();  // variables of the scheduler
  std::vector<FileWrite> writes;             // to files of the guest's
  std::vector<SignalSpec> signals;           // to programs of the guest's
};

// What must hold of a worker's tasks at the end, or of the frozen machine.
struct Expectation {
  // Of a worker; empty for a query.
  std::string worker;
  std::optional<std::chrono::microseconds> max_gap;  // no task went longer without a round
  std::optional<double> min_rounds_per_s;            // every task did so many
  std::optional<double> max_spread;  // of the tasks' rounds per second: (most - least) / mean
  // Over the machine, frozen at the end.
  std::string sql;
  bool wants_rows = false;  // else it must give none
  std::string message;      // what it means when it does not hold
  int line = 0;             // in the scenario's file
};

struct Scenario {
  std::string name;  // of its file, without .toml
  std::filesystem::path file;
  std::string description;

  // Of the machine; `kernel` is what the scenario names, to be resolved (kernel_choice.h).
  std::string kernel = "scx-small";
  MachineOptions machine;

  std::optional<SchedulerSpec> scheduler;
  std::vector<CgroupSpec> cgroups;
  std::vector<WorkerSpec> workers;
  std::vector<PayloadSpec> payloads;
  std::vector<PhaseSpec> phases;      // at least one
  std::vector<TriggerSpec> triggers;  // one of each that is always armed, and the scenario's own
  std::vector<Expectation> expectations;

  Keep keep = Keep::kAll;  // what of the memory an archive holds
  std::chrono::microseconds timeout = std::chrono::minutes(2);
  int64_t seed = 1;

  // The line in the file of the word that later turns out to be wrong; 0: unknown.
  int kernel_line = 0, scheduler_line = 0;
};

}  // namespace ktstr
