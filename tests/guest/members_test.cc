// Every member that a walker looks for, held against the types of every kernel to be had: so that a
// rename is found here, and not by a user whose column is empty.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "analyze/index/tables.h"
#include "guest_kernels.h"
#include "libcore/walk/row/asked_members.h"
#include "replay/frozen_machine.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;

TypeInfo TypesOf(const std::string& kernel) {
  const fs::path file = StockKernelTypes(kernel);
  std::ifstream in(file, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  return TypeInfo::Parse(std::as_bytes(std::span(bytes))).value();
}

// A machine with sched_ext, in which each walker finds something, and whose kernel's types are
// those of 6.12 with sched_ext, which Debian's stock one lacks.
const GuestKernel& Machine() {
  static const auto archive = FrozenMachine::Open(fs::path(KTSTR_STATES) / "stall.kts").value();
  return *archive->Kernel().value();
}

// The walkers say what they look for while they walk.
std::vector<AskedMember> EveryMember() {
  const AskedMembers asked;
  KernelTables(Machine());
  return asked.All();
}

std::string NameOf(const AskedMember& member, const std::string& path) {
  return fmt::format("{}{}{}.{}", member.structure, member.part.empty() ? "" : ".", member.part,
                     path);
}

// A kernel without the structure lacks nothing.
bool HasStructure(const TypeInfo& types, const AskedMember& member) {
  const auto type = types.FindStruct(member.structure);
  return type && (member.part.empty() || types.FindMember(*type, member.part));
}

bool Has(const TypeInfo& types, const AskedMember& member, const std::string& path) {
  const auto type = types.FindStruct(member.structure);
  if (!type) return false;
  return types.FindMember(*type, member.part.empty() ? path : member.part + "." + path).has_value();
}

bool HasAny(const TypeInfo& types, const AskedMember& member) {
  return std::ranges::any_of(member.paths,
                             [&](const std::string& path) { return Has(types, member, path); });
}

// Names of kernels that are not asked here.
const std::set<std::string> kOfOtherKernels = {
    "kernfs_node.id.id",                   // before 5.5
    "pool_workqueue.delayed_works",        // before 5.16
    "task_struct.cpu",                     // before 5.16, and CentOS Stream 9
    "task_struct.cpus_allowed",            // before 5.3
    "task_struct.real_start_time",         // before 5.5
    "task_struct.stack_refcount.counter",  // before refcount_t
    "task_struct.state",                   // before 5.14
    "task_struct.scx.dsq_node.list",       // patches for kernels before 6.12
    "task_struct.scx.dsq_node.priq",
    "scx_sched.event_stats_cpu",  // 6.16 and 6.17
    "sched_rt_entity.my_q",       // with RT_GROUP_SCHED, which Debian does not build
};

// What the newest kernel has no more, or does not have as built by Debian, and what became of it.
const std::map<std::string, std::string> kGone = {
    {"bpf_htab.map_locked", "the locks that counted there are others since 6.15"},
    {"bpf_prog_aux.sleepable", "moved to bpf_prog in 6.8, where it is looked for first"},
    {"bpf_timer_kern.timer", "bpf_async_kern.cb since 6.10, which is looked for first"},
    {"rq.scx.bypass_dsq", "7.0 alone; in scx_sched_pcpu from 7.1 on"},
    {"rq.scx.cpus_to_kick",
     "of each scheduler in 7.3: scx_sched_pcpu, where it is looked for next"},
    {"rq.scx.cpus_to_kick_if_idle",
     "of each scheduler in 7.3: scx_sched_pcpu, where it is looked for next"},
    {"rq.scx.cpus_to_preempt",
     "of each scheduler in 7.3: scx_sched_pcpu, where it is looked for next"},
    {"rq.scx.cpus_to_wait",
     "of each scheduler in 7.3: scx_sched_pcpu, where it is looked for next"},
    {"rq.scx.ops_qseq", "no run queue counts that any more in 7.3"},
    {"sched_domain.span", "nothing marks the mask behind the domain since 7.0"},
    {"sched_rt_entity.my_q", "with RT_GROUP_SCHED only"},
    {"scx_sched.event_stats_cpu", "in scx_sched.pcpu since 6.18"},
    {"scx_sched.global_dsqs", "in scx_sched.pnode since 7.1"},
    {"tick_sched.inidle", "a bit of tick_sched.flags since 6.9"},
    {"tick_sched.tick_stopped", "a bit of tick_sched.flags since 6.9"},
};

class MembersTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    kernels_ = new std::map<std::string, TypeInfo>();
    for (const std::string& kernel : OtherKernels({"6.1", "6.12", "newest-6", "newest-7"})) {
      kernels_->emplace(kernel, TypesOf(kernel));
    }
    members_ = new std::vector<AskedMember>(EveryMember());
  }
  static std::map<std::string, TypeInfo>* kernels_;
  static std::vector<AskedMember>* members_;
};
std::map<std::string, TypeInfo>* MembersTest::kernels_ = nullptr;
std::vector<AskedMember>* MembersTest::members_ = nullptr;

TEST_F(MembersTest, WhatIsNeededIsInEveryKernel) {
  EXPECT_GT(members_->size(), 300u);
  for (const auto& [kernel, types] : *kernels_) {
    for (const AskedMember& member : *members_) {
      if (!member.needed || !HasStructure(types, member)) continue;
      EXPECT_TRUE(HasAny(types, member))
          << kernel << " has no "
          << NameOf(member, fmt::format("{}", fmt::join(member.paths, "|")));
    }
  }
}

TEST_F(MembersTest, EveryNameIsThatOfSomeKernel) {
  for (const AskedMember& member : *members_) {
    for (const std::string& path : member.paths) {
      const auto has = [&](const TypeInfo& types) { return Has(types, member, path); };
      const bool somewhere =
          has(*Machine().types().value()) ||
          std::ranges::any_of(*kernels_, [&](const auto& kernel) { return has(kernel.second); });
      EXPECT_NE(somewhere, kOfOtherKernels.contains(NameOf(member, path)))
          << NameOf(member, path) << (somewhere ? " is found after all" : " is nowhere");
    }
  }
}

TEST_F(MembersTest, WhatTheNewestKernelHasNoMoreIsKnown) {
  const auto newest = kernels_->find("newest-7");
  if (newest == kernels_->end()) GTEST_SKIP() << "not among the kernels that were asked for";
  for (const AskedMember& member : *members_) {
    const std::string name = NameOf(member, member.paths.front());
    EXPECT_NE(HasAny(newest->second, member), kGone.contains(name))
        << name << (kGone.contains(name) ? " is there after all" : " is gone, or has a new name");
  }
}

}  // namespace
}  // namespace ktstr
