// ktstr-analyze FILE print TYPE ADDRESS|SYMBOL [FIELD]
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "analyze/command/command.h"
#include "libcore/base/safe_text.h"
#include "libcore/image/type_text.h"
#include "libcore/walk/value/typed_value.h"
#include "libcore/walk/value/value_json.h"
#include "libcore/walk/value/value_path.h"
#include "libcore/walk/value/value_text.h"

namespace ktstr {

namespace {

struct PrintArguments {
  std::string type, where, field;
  std::optional<uint32_t> cpu;
};

// A name that the user gave and that does not exist is wrong usage.
Error AsUsage(const Error& error) {
  if (error.code() != ErrorCode::kNotFound) return error;
  return Error(ErrorCode::kInvalidArgument, error.ToString());
}

// The same error with the option that mends it, where one does.
Error WithOption(const Error& error, MemorySource& memory, const PrintArguments& arguments) {
  const auto with = [&](std::string_view hint) {
    return Error(error.code(), fmt::format("{} ({})", error.ToString(), hint));
  };
  if (!memory.FindType(arguments.type)) {
    const bool names_origin = arguments.type.find('@') != std::string::npos;
    return names_origin ? error : with("of a BPF program, a BPF map or a module: TYPE@NAME");
  }
  const bool per_cpu = memory.FindPerCpu(arguments.where, 0).has_value();
  if (!arguments.cpu) return per_cpu ? with("--cpu N") : error;
  if (per_cpu) return error;
  return memory.FindAddress(arguments.where) ? with("leave out --cpu") : error;
}

struct Found {
  TypedPlace place;
  const TypeInfo* types;
  SpecialFields* special;
};

Result<Found> Find(MemorySource& memory, const PrintArguments& arguments) {
  const GuestKernel* kernel = KTSTR_TRY(memory.Kernel());
  const NamedType type = KTSTR_TRY(memory.FindType(arguments.type));
  const Kva kva = KTSTR_TRY(memory.FindAddress(arguments.where, arguments.cpu));
  return Found{
      KTSTR_TRY(FindPlace(*kernel, *type.types, type.id, kva, arguments.field, type.pointers)),
      type.types, type.special};
}

Result<std::string> Json(MemorySource& memory, const PrintArguments& arguments,
                         const Found& found) {
  const auto& [place, of, special] = found;
  const TypeInfo& types = *of;
  std::string value;
  if (place.member.is_bit_field()) {
    const Value cell = KTSTR_TRY(ReadValue(*KTSTR_TRY(memory.Kernel()), types, place));
    // A number, or the name of an enumerator.
    const auto* number = std::get_if<int64_t>(&cell);
    const auto* name = std::get_if<std::string>(&cell);
    value = number != nullptr ? std::to_string(*number)
            : name != nullptr ? TextToJson(*name)
                              : "null";
  } else {
    value = KTSTR_TRY(ReadJson(*KTSTR_TRY(memory.Kernel()), types, place, special));
  }
  const std::string head =
      fmt::format(R"({{"type":{},"address":"{}","field":{},"value":{}}})",
                  TextToJson(TypeText(types, place.member.type)), ToText(Hex(place.kva())),
                  arguments.field.empty() ? "null" : TextToJson(arguments.field), value);
  // Over a parser, for lines that people can read as well.
  const auto document = nlohmann::ordered_json::parse(head, nullptr, false);
  if (document.is_discarded()) return head + "\n";
  return document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<std::string> Text(MemorySource& memory, const PrintArguments& arguments,
                         const Found& found) {
  const auto& [place, of, special] = found;
  const TypeInfo& types = *of;
  const ValueTextOptions options = {
      .symbolize = [&memory](Kva kva) { return memory.Symbolize(kva).value_or(std::nullopt); },
      .special = special};
  std::string head = fmt::format("{} at {}", SafeText(TypeText(types, place.member.type)),
                                 ToText(Hex(place.kva())));
  if (const auto symbol = memory.Symbolize(place.kva()).value_or(std::nullopt)) {
    head += fmt::format(" <{}>", SafeText(*symbol));
  }
  if (!arguments.field.empty()) head += fmt::format(", {}", SafeText(arguments.field));
  return head + "\n" + ValueText(*KTSTR_TRY(memory.Kernel()), types, place, options);
}

Result<std::string> Print(Session& session, const PrintArguments& arguments) {
  MemorySource& memory = *KTSTR_TRY(session.Memory());
  const auto found = Find(memory, arguments);
  if (!found) return Fail(AsUsage(WithOption(found.error(), memory, arguments)));
  return session.json() ? Json(memory, arguments, *found) : Text(memory, arguments, *found);
}

void DeclarePrint(Options* print, Command* chosen) {
  auto arguments = std::make_shared<PrintArguments>();
  print
      ->Add("TYPE", &arguments->type,
            "Such as task_struct or rq; task_ctx@NAME of a BPF program, BPF map or module")
      .Required()
      .TypeName("");
  print->Add("WHERE", &arguments->where, "An address 0x… or a symbol").Required().TypeName("");
  print->Add("FIELD", &arguments->field, "A path such as se.vruntime or mm->owner->comm")
      .TypeName("");
  print->Add("--cpu", &arguments->cpu, "Whose instance of a per-CPU symbol").TypeName("N");
  print->SetFooter(
      "In FIELD '.' enters a structure, '->' follows a pointer, '[n]' takes an element of an\n"
      "array or of what a pointer points to, in a BPF program's types also one into an arena.\nTo "
      "a shell '>' means something else: quote it.\n\n"
      "Examples:\n"
      "  ktstr-analyze demo.kts print task_struct init_task\n"
      "  ktstr-analyze demo.kts print rq runqueues 'curr->comm' --cpu 1");
  print->OnChosen([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Print(session, *arguments); };
  });
}

}  // namespace

void AddPrintCommand(Options* app, Command* chosen) {
  app->AddSubcommand("print", "A structure in memory, by the kernel's types",
                     [chosen](Options* print) { DeclarePrint(print, chosen); });
}

}  // namespace ktstr
