#include "replay/gdb/registers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "replay/gdb/packet.h"

namespace ktstr {

namespace {

using Get = uint64_t (*)(const VcpuRegisters&);

struct DescribedRegister {
  std::string_view name;
  int bits;
  std::string_view type, group;
  Get get = nullptr;                                 // null: no archive keeps it
  std::optional<RegisterGroup> part = std::nullopt;  // without which it is not known
};

struct RegisterFeature {
  std::string_view name;
  std::vector<DescribedRegister> registers;
};

template <Gpr kGpr>
uint64_t General(const VcpuRegisters& vcpu) {
  return vcpu.reg(kGpr);
}
template <auto kMember>
uint64_t Plain(const VcpuRegisters& vcpu) {
  return vcpu.*kMember;
}
template <auto kSegment>
uint64_t Selector(const VcpuRegisters& vcpu) {
  return (vcpu.*kSegment).selector;
}
template <auto kPart>
uint64_t Base(const VcpuRegisters& vcpu) {
  return (vcpu.*kPart).base;
}
template <auto kPart>
uint64_t Limit(const VcpuRegisters& vcpu) {
  return (vcpu.*kPart).limit;
}

using R = VcpuRegisters;

// The order within a feature is free: gdb finds registers by their names. Those of the first three
// features must all be there.
std::vector<RegisterFeature> MakeFeatures() {
  std::vector<RegisterFeature> features;
  features.push_back({"org.gnu.gdb.i386.core", {{"rax", 64, "int64", "", General<Gpr::kRax>},
                                                {"rbx", 64, "int64", "", General<Gpr::kRbx>},
                                                {"rcx", 64, "int64", "", General<Gpr::kRcx>},
                                                {"rdx", 64, "int64", "", General<Gpr::kRdx>},
                                                {"rsi", 64, "int64", "", General<Gpr::kRsi>},
                                                {"rdi", 64, "int64", "", General<Gpr::kRdi>},
                                                {"rbp", 64, "data_ptr", "", General<Gpr::kRbp>},
                                                {"rsp", 64, "data_ptr", "", General<Gpr::kRsp>},
                                                {"r8", 64, "int64", "", General<Gpr::kR8>},
                                                {"r9", 64, "int64", "", General<Gpr::kR9>},
                                                {"r10", 64, "int64", "", General<Gpr::kR10>},
                                                {"r11", 64, "int64", "", General<Gpr::kR11>},
                                                {"r12", 64, "int64", "", General<Gpr::kR12>},
                                                {"r13", 64, "int64", "", General<Gpr::kR13>},
                                                {"r14", 64, "int64", "", General<Gpr::kR14>},
                                                {"r15", 64, "int64", "", General<Gpr::kR15>},
                                                {"rip", 64, "code_ptr", "", Plain<&R::rip>},
                                                {"eflags", 32, "flags", "", Plain<&R::rflags>},
                                                {"cs", 32, "int32", "", Selector<&R::cs>},
                                                {"ss", 32, "int32", "", Selector<&R::ss>},
                                                {"ds", 32, "int32", "", Selector<&R::ds>},
                                                {"es", 32, "int32", "", Selector<&R::es>},
                                                {"fs", 32, "int32", "", Selector<&R::fs>},
                                                {"gs", 32, "int32", "", Selector<&R::gs>}}});
  auto& core = features.back().registers;
  constexpr std::array<std::string_view, 8> kX87 = {"st0", "st1", "st2", "st3",
                                                    "st4", "st5", "st6", "st7"};
  for (const std::string_view name : kX87) core.push_back({name, 80, "i387_ext", ""});
  for (const std::string_view name :
       {"fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"}) {
    core.push_back({name, 32, "int", "float"});
  }
  RegisterFeature sse{"org.gnu.gdb.i386.sse", {}};
  constexpr std::array<std::string_view, 16> kXmm = {
      "xmm0", "xmm1", "xmm2",  "xmm3",  "xmm4",  "xmm5",  "xmm6",  "xmm7",
      "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"};
  for (const std::string_view name : kXmm) sse.registers.push_back({name, 128, "uint128", ""});
  sse.registers.push_back({"mxcsr", 32, "int", "vector"});
  features.push_back(std::move(sse));
  features.push_back({"org.gnu.gdb.i386.segments",
                      {{"fs_base", 64, "uint64", "", Base<&R::fs>},
                       {"gs_base", 64, "uint64", "", Base<&R::gs>, RegisterGroup::kGsBase}}});
  features.push_back(
      {"org.ktstr.x86-64.system",
       {{"k_gs_base", 64, "uint64", "system", Plain<&R::kernel_gs_base>,
         RegisterGroup::kKernelGsBase},
        {"cr0", 64, "uint64", "system", Plain<&R::cr0>, RegisterGroup::kControl},
        {"cr2", 64, "data_ptr", "system", Plain<&R::cr2>, RegisterGroup::kControl},
        {"cr3", 64, "uint64", "system", Plain<&R::cr3>, RegisterGroup::kControl},
        {"cr4", 64, "uint64", "system", Plain<&R::cr4>, RegisterGroup::kControl},
        {"efer", 64, "uint64", "system", Plain<&R::efer>, RegisterGroup::kSystemCalls},
        {"star", 64, "uint64", "system", Plain<&R::star>, RegisterGroup::kSystemCalls},
        {"lstar", 64, "code_ptr", "system", Plain<&R::lstar>, RegisterGroup::kSystemCalls},
        {"cstar", 64, "code_ptr", "system", Plain<&R::cstar>, RegisterGroup::kSystemCalls},
        {"fmask", 64, "uint64", "system", Plain<&R::fmask>, RegisterGroup::kSystemCalls},
        {"tsc", 64, "uint64", "system", Plain<&R::tsc>, RegisterGroup::kTsc},
        {"gdt_base", 64, "data_ptr", "system", Base<&R::gdt>, RegisterGroup::kDescriptors},
        {"gdt_limit", 32, "int32", "system", Limit<&R::gdt>, RegisterGroup::kDescriptors},
        {"idt_base", 64, "data_ptr", "system", Base<&R::idt>, RegisterGroup::kDescriptors},
        {"idt_limit", 32, "int32", "system", Limit<&R::idt>, RegisterGroup::kDescriptors},
        {"tr", 32, "int32", "system", Selector<&R::tr>, RegisterGroup::kDescriptors},
        {"tr_base", 64, "data_ptr", "system", Base<&R::tr>, RegisterGroup::kDescriptors},
        {"ldt", 32, "int32", "system", Selector<&R::ldt>, RegisterGroup::kDescriptors},
        {"ldt_base", 64, "data_ptr", "system", Base<&R::ldt>, RegisterGroup::kDescriptors}}});
  return features;
}

const std::vector<RegisterFeature>& Features() {
  static const std::vector<RegisterFeature> features = MakeFeatures();
  return features;
}

const std::vector<DescribedRegister>& Described() {
  static const std::vector<DescribedRegister> all = [] {
    std::vector<DescribedRegister> registers;
    for (const RegisterFeature& feature : Features()) {
      registers.insert(registers.end(), feature.registers.begin(), feature.registers.end());
    }
    return registers;
  }();
  return all;
}

// Bits of EFLAGS by their names in the processor's manual.
std::string FlagsXml() {
  constexpr std::pair<std::string_view, int> kFlags[] = {
      {"CF", 0},  {"PF", 2},   {"AF", 4},   {"ZF", 6},  {"SF", 7},  {"TF", 8},
      {"IF", 9},  {"DF", 10},  {"OF", 11},  {"NT", 14}, {"RF", 16}, {"VM", 17},
      {"AC", 18}, {"VIF", 19}, {"VIP", 20}, {"ID", 21}};
  std::string xml = "<flags id=\"flags\" size=\"4\">";
  for (const auto& [name, bit] : kFlags) {
    xml += fmt::format("<field name=\"{}\" start=\"{}\" end=\"{}\"/>", name, bit, bit);
  }
  return xml + "</flags>";
}

std::string MakeXml() {
  std::string xml =
      "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">"
      "<architecture>i386:x86-64</architecture>";
  for (const RegisterFeature& feature : Features()) {
    xml += fmt::format("\n<feature name=\"{}\">", feature.name);
    if (&feature == &Features().front()) xml += FlagsXml();
    for (const DescribedRegister& one : feature.registers) {
      const std::string group = one.group.empty() ? "" : fmt::format(" group=\"{}\"", one.group);
      xml += fmt::format("\n<reg name=\"{}\" bitsize=\"{}\" type=\"{}\"{}/>", one.name, one.bits,
                         one.type, group);
    }
    xml += "</feature>";
  }
  return xml + "</target>\n";
}

}  // namespace

size_t GdbRegisterCount() { return Described().size(); }

GdbRegisterValues GdbNoValues() { return GdbRegisterValues(GdbRegisterCount()); }

GdbRegisterValues GdbValuesOf(const VcpuRegisters& vcpu) {
  GdbRegisterValues values = GdbNoValues();
  for (size_t i = 0; i < values.size(); ++i) {
    const DescribedRegister& one = Described()[i];
    if (one.get != nullptr && (!one.part || vcpu.Knows(*one.part))) values[i] = one.get(vcpu);
  }
  return values;
}

GdbRegisterValues GdbValuesOfCrash(const VcpuRegisters& saved) {
  // What stands before x87 in the first feature, which struct user_regs_struct has all of.
  constexpr size_t kSaved = 24;
  GdbRegisterValues values = GdbValuesOf(saved);
  std::fill(values.begin() + kSaved, values.end(), std::nullopt);
  SetGdbRegister(values, "gs_base", saved.gs.base);
  return values;
}

void SetGdbRegister(GdbRegisterValues& values, std::string_view name, uint64_t value) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (Described()[i].name == name) values[i] = value;
  }
}

std::string GdbRegisterHex(const GdbRegisterValues& values, size_t number) {
  const size_t bytes = static_cast<size_t>(Described()[number].bits) / 8;
  if (number >= values.size() || !values[number]) return std::string(2 * bytes, 'x');
  std::string little_endian;
  for (size_t i = 0; i < bytes; ++i) {
    little_endian += static_cast<char>(i < 8 ? *values[number] >> (8 * i) : 0);
  }
  return GdbHex(little_endian);
}

std::string GdbRegistersHex(const GdbRegisterValues& values) {
  std::string all;
  for (size_t i = 0; i < GdbRegisterCount(); ++i) all += GdbRegisterHex(values, i);
  return all;
}

const std::string& GdbTargetXml() {
  static const std::string xml = MakeXml();
  return xml;
}

}  // namespace ktstr
