// ktstr-analyze corpus pack, corpus unpack
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "analyze/command/common_options.h"
#include "analyze/command/corpus_command.h"
#include "analyze/corpus/corpus_pack.h"
#include "libcore/base/patient_bar.h"
#include "libcore/base/quantity.h"

namespace ktstr {

namespace {

struct PackArguments : CorpusArguments {
  std::string pack;
  PackOptions options;
};

std::string SummaryText(const PackArguments& arguments, const PackSummary& summary, size_t count) {
  const auto share = [](uint64_t part, uint64_t whole) {
    return whole == 0 ? 0.0 : 100.0 * double(part) / double(whole);
  };
  std::string text = fmt::format(
      "{}: {} archives of together {} in {} ({:.0f} %)\n"
      "{:.0f} % of their pages are in more than one of them\n",
      arguments.pack, count, FormatSize(summary.archive_bytes), FormatSize(summary.pack_bytes),
      share(summary.pack_bytes, summary.archive_bytes), share(summary.shared_pages, summary.pages));
  if (summary.not_rebuilt > 0) {
    text += fmt::format(
        "{} of them were written by another version of libzstd: kept as they are, nothing shared\n",
        summary.not_rebuilt);
  }
  return text;
}

Result<std::string> Pack(Session& session, PackArguments arguments) {
  const Corpus corpus = KTSTR_TRY(Corpus::Open(arguments.directory));
  if (corpus.entries().empty()) return Fail(ErrorCode::kNotFound, "the corpus is empty");
  PatientBar bar("packing");
  arguments.options.progress = [&bar](size_t done, size_t all) { bar.Set(done, all); };
  const PackSummary summary = KTSTR_TRY(PackCorpus(corpus, arguments.pack, arguments.options));
  if (!session.json()) return SummaryText(arguments, summary, corpus.entries().size());
  const nlohmann::ordered_json json = {{"pack", arguments.pack},
                                       {"archives", corpus.entries().size()},
                                       {"archive_bytes", summary.archive_bytes},
                                       {"pack_bytes", summary.pack_bytes},
                                       {"pages", summary.pages},
                                       {"shared_pages", summary.shared_pages},
                                       {"not_rebuilt", summary.not_rebuilt}};
  // A path need not be UTF-8.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<std::string> Unpack(Session&, const PackArguments& arguments) {
  PatientBar bar("unpacking");
  const Corpus corpus =
      KTSTR_TRY(UnpackCorpus(arguments.pack, arguments.directory,
                             [&bar](size_t done, size_t all) { bar.Set(done, all); }));
  return fmt::format("{}: {} archives\n", arguments.directory, corpus.entries().size());
}

void DeclarePack(Options* pack, Command* chosen) {
  auto pack_arguments = std::make_shared<PackArguments>();
  AddCorpusDirectory(pack, &pack_arguments->directory);
  pack->Add("PACK", &pack_arguments->pack, "The file, which must not be there yet")
      .Required()
      .TypeName("");
  pack->Add("--level", &pack_arguments->options.compression_level,
            "Compression of the shared pages, on zstd's scale")
      .BetweenShown(1, 22)
      .TypeName("N")
      .ShowDefault();
  pack->SetFooter(
      "Each archive has been made again from the pack, and compared, before it is there.");
  pack->OnChosen([chosen, pack_arguments] {
    *chosen = [pack_arguments](Session& session) { return Pack(session, *pack_arguments); };
  });
}

void DeclareUnpack(Options* unpack, Command* chosen) {
  auto unpack_arguments = std::make_shared<PackArguments>();
  unpack->Add("PACK", &unpack_arguments->pack, "The file")
      .Required()
      .TypeName("")
      .Files(".ktspack");
  unpack->Add("DIR", &unpack_arguments->directory, "A directory that is empty or not there")
      .Required()
      .TypeName("");
  unpack->OnChosen([chosen, unpack_arguments] {
    *chosen = [unpack_arguments](Session& session) { return Unpack(session, *unpack_arguments); };
  });
}

}  // namespace

void AddPackCommands(Options* corpus, Command* chosen) {
  corpus->AddSubcommand(
      "pack", "Write all of it into one file, in which pages that several archives have stand once",
      [chosen](Options* pack) { DeclarePack(pack, chosen); });
  corpus->AddSubcommand("unpack", "Make the corpus again, every archive bit for bit",
                        [chosen](Options* unpack) { DeclareUnpack(unpack, chosen); });
}

}  // namespace ktstr
