// Collections of archives: what is kept, asked, expected, pruned and packed.
#include "analyze/corpus/corpus.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "analyze/corpus/corpus_check.h"
#include "analyze/corpus/corpus_pack.h"
#include "analyze/corpus/expected.h"
#include "analyze/corpus/listing.h"
#include "analyze/corpus/merged.h"
#include "analyze/corpus/parallel.h"
#include "archives.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void Put(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

class CorpusTest : public testing::Test {
 protected:
  // An archive whose threads have that name.
  fs::path MakeArchive(const std::string& name) {
    const fs::path path = directory_ / (name + ".kts");
    WriteGuest(MakeGuest(3, name), path);
    return path;
  }

  Corpus Filled() {
    auto corpus = Corpus::OpenOrCreate(corpus_directory_);
    EXPECT_TRUE(corpus) << corpus.error().ToString();
    for (const char* name : {"beta", "alpha", "gamma"}) {
      const auto added =
          corpus->Add({MakeArchive(name), "", {"nightly", name}, "# made by hand\n"});
      EXPECT_TRUE(added) << added.error().ToString();
    }
    return *std::move(corpus);
  }

  std::vector<std::string> Names(const std::vector<CorpusEntry>& entries) {
    std::vector<std::string> names;
    for (const CorpusEntry& entry : entries) names.push_back(entry.name);
    return names;
  }

  std::vector<ArchiveCheck> Checked(const Corpus& corpus, const std::vector<Rule>& rules) {
    std::vector<ArchiveCheck> checks;
    const auto keep = [&](const ArchiveCheck& check) {
      checks.push_back(check);
      return Status();
    };
    EXPECT_TRUE(CheckCorpus(corpus, corpus.entries(), rules, {}, {2}, keep));
    return checks;
  }

  synthetic::TemporaryDirectory directory_;
  fs::path corpus_directory_ = directory_ / "corpus";
};

TEST_F(CorpusTest, KeepsArchivesWithNameTagsAndScenario) {
  const Corpus made = Filled();
  const auto corpus = Corpus::Open(corpus_directory_);
  ASSERT_TRUE(corpus) << corpus.error().ToString();
  EXPECT_THAT(Names(corpus->entries()), ElementsAre("alpha", "beta", "gamma"));
  const CorpusEntry& alpha = corpus->entries()[0];
  EXPECT_THAT(alpha.tags, ElementsAre("nightly", "alpha"));
  EXPECT_EQ(alpha.scenario, "# made by hand\n");
  EXPECT_EQ(Text(corpus->ArchiveOf(alpha)), Text(directory_ / "alpha.kts"));
  EXPECT_EQ(corpus->ArchiveOf(alpha).stem(), alpha.digest);
  EXPECT_THAT(Names(corpus->WithTags({"nightly", "beta"})), ElementsAre("beta"));
  EXPECT_EQ(corpus->Find("gamma")->digest,
            corpus->Find(corpus->Find("gamma")->digest.substr(0, 9))->digest);
  EXPECT_THAT(corpus->Find("gama").error().message(), HasSubstr("'gamma'"));
}

TEST_F(CorpusTest, RefusesWhatIsThereAlreadyAndWhatIsDamaged) {
  Corpus corpus = Filled();
  const auto again = corpus.Add({directory_ / "beta.kts", "other", {}, ""});
  EXPECT_EQ(again.error().code(), ErrorCode::kExists);
  EXPECT_THAT(again.error().message(), HasSubstr("as 'beta'"));
  const fs::path delta = MakeArchive("delta");
  EXPECT_EQ(corpus.Add({delta, "beta", {}, ""}).error().code(), ErrorCode::kExists);
  EXPECT_EQ(corpus.Add({delta, "../x", {}, ""}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(corpus.Add({delta, "x", {"two words"}, ""}).error().code(),
            ErrorCode::kInvalidArgument);
  {
    std::fstream stream(delta, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(64);  // in the first memory frame
    stream.put('\x55');
  }
  EXPECT_EQ(corpus.Add({delta, "", {}, ""}).error().code(), ErrorCode::kDamaged);
  EXPECT_EQ(corpus.entries().size(), 3u);
  EXPECT_EQ(Corpus::Open(corpus_directory_)->entries().size(), 3u);
  EXPECT_EQ(Corpus::Open(directory_.path()).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Corpus::OpenOrCreate(directory_.path()).error().code(), ErrorCode::kExists);
}

TEST_F(CorpusTest, AnArchiveWhoseAddingWasInterruptedCanBeAddedAgain) {
  Corpus corpus = Filled();
  const CorpusEntry beta = *corpus.Find("beta");
  fs::remove(fs::path(corpus.ArchiveOf(beta)).replace_extension(".toml"));
  auto reopened = Corpus::Open(corpus_directory_);
  ASSERT_TRUE(reopened);
  EXPECT_THAT(reopened->unlisted(), ElementsAre(corpus.ArchiveOf(beta)));
  ASSERT_TRUE(reopened->Add({directory_ / "beta.kts", "", {}, ""}));
  EXPECT_TRUE(reopened->unlisted().empty());
  EXPECT_EQ(Corpus::Open(corpus_directory_)->entries().size(), 3u);
}

TEST_F(CorpusTest, OneQueryAsksAllOfThem) {
  Corpus corpus = Filled();
  const char* kQuery =
      "SELECT archive, count(*) FROM task WHERE comm = archive GROUP BY archive ORDER BY archive";
  const auto ask = [&](const std::string& sql) {
    const auto merged = OpenMerged(corpus, {2});
    EXPECT_TRUE(merged) << merged.error().ToString();
    EXPECT_TRUE(merged->failures.empty());
    const auto answer = merged->database.Query(sql);
    EXPECT_TRUE(answer) << answer.error().ToString();
    std::string text;
    for (const auto& row : answer->rows) {
      text += std::get<std::string>(row[0]) + " " + std::to_string(std::get<int64_t>(row[1])) + ";";
    }
    return text;
  };
  EXPECT_EQ(ask(kQuery), "alpha 3;beta 3;gamma 3;");
  // Views are there, each over its own archive, and so is the search through the log.
  EXPECT_EQ(ask("SELECT archive, count(*) FROM cpu_now GROUP BY archive"),
            ask("SELECT archive, count(*) FROM cpu GROUP BY archive"));
  EXPECT_EQ(ask("SELECT archive, count(*) FROM log_text WHERE log_text MATCH 'line' GROUP BY 1 "
                "ORDER BY 1"),
            "alpha 1;beta 1;gamma 1;");
  // What is added and removed afterwards is seen.
  ASSERT_TRUE(corpus.Remove(*corpus.Find("beta")));
  ASSERT_TRUE(corpus.Add({MakeArchive("delta"), "", {}, ""}));
  EXPECT_EQ(ask(kQuery), "alpha 3;delta 3;gamma 3;");
  EXPECT_EQ(ask("SELECT name, 1 FROM archive ORDER BY name"), "alpha 1;delta 1;gamma 1;");
  EXPECT_EQ(ask("SELECT archive, count(*) FROM log_text WHERE log_text MATCH 'line' GROUP BY 1 "
                "ORDER BY 1"),
            "alpha 1;delta 1;gamma 1;");
}

TEST_F(CorpusTest, AQueryLeavesOutWhatCannotBeOpenedAndTriesItAgain) {
  const Corpus corpus = Filled();
  const fs::path alpha = corpus.ArchiveOf(*corpus.Find("alpha"));
  const std::string whole = Text(alpha);
  const auto names = [](const MergedIndex& merged) {
    const auto answer = merged.database.Query("SELECT DISTINCT archive FROM task ORDER BY 1");
    std::string text;
    for (const auto& row : answer->rows) text += std::get<std::string>(row[0]) + " ";
    return text;
  };
  fs::resize_file(alpha, 100);
  // The second time nothing is merged any more: what failed fails again.
  for (int time = 0; time < 2; ++time) {
    const auto merged = OpenMerged(corpus, {2});
    ASSERT_TRUE(merged) << merged.error().ToString();
    EXPECT_EQ(names(*merged), "beta gamma ");
    ASSERT_EQ(merged->failures.size(), 1u);
    EXPECT_EQ(merged->failures.first().code(), ErrorCode::kDamaged);
    EXPECT_THAT(merged->failures.Text(3), HasSubstr("alpha: "));
    EXPECT_THAT(merged->failures.Text(3), HasSubstr("\n1 of 3 archives could not be read; "));
  }
  Put(alpha, whole);
  const auto mended = OpenMerged(corpus, {2});
  ASSERT_TRUE(mended) << mended.error().ToString();
  EXPECT_TRUE(mended->failures.empty());
  EXPECT_EQ(names(*mended), "alpha beta gamma ");
}

TEST_F(CorpusTest, AQueryOfNothingThatCanBeOpenedFails) {
  const Corpus corpus = Filled();
  for (const CorpusEntry& entry : corpus.entries()) fs::resize_file(corpus.ArchiveOf(entry), 100);
  const auto merged = OpenMerged(corpus, {2});
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code(), ErrorCode::kDamaged);
  EXPECT_THAT(merged.error().message(), HasSubstr("alpha: "));
  EXPECT_FALSE(fs::exists(corpus_directory_ / "merged.index"));
}

TEST_F(CorpusTest, RulesAreCheckedOverAllOfThem) {
  const Corpus corpus = Filled();
  const auto rules = *ParseRules(R"(
[[rule]]
name = "no_beta"
message = "nobody is called beta"
sql = "SELECT pid FROM task WHERE comm = 'beta'"
[[rule]]
name = "memory"
message = "memory can be asked"
sql = "SELECT 1 WHERE size_of('task_struct') < 8"
)",
                                 "r.toml");
  const auto checks = Checked(corpus, rules);
  CorpusCheckText text;
  for (const ArchiveCheck& check : checks) text.Add(check);
  EXPECT_EQ(text.Text(0),
            "archive  hold  fail  not_applicable  failing\n"
            "alpha       2     0               0\n"
            "beta        1     1               0  no_beta\n"
            "gamma       2     0               0\n"
            "3 archives: all rules hold in 2\n");
  EXPECT_EQ(ForCi(checks[1], Severity::kWarning).size(), 2u);
}

TEST_F(CorpusTest, JsonOfACheckIsWrittenInPiecesAndIsOneDocument) {
  const Corpus corpus = Filled();
  fs::resize_file(corpus.ArchiveOf(*corpus.Find("beta")), 100);
  CorpusCheckJson json;
  std::string text;
  for (const ArchiveCheck& check : Checked(corpus, BuiltInRules())) text += json.Add(check);
  text += json.End();
  const auto document = nlohmann::ordered_json::parse(text);
  ASSERT_EQ(document.size(), 3u);
  EXPECT_EQ(document[0]["archive"], "alpha");
  EXPECT_EQ(document[0]["rules"].size(), BuiltInRules().size());
  EXPECT_TRUE(document[1].contains("error"));
  EXPECT_EQ(text, document.dump(2) + "\n");
  EXPECT_EQ(CorpusCheckJson().End(), "[]\n");
}

TEST_F(CorpusTest, ACheckEndsWhereItsResultsCannotBeTaken) {
  const Corpus corpus = Filled();
  size_t told = 0;
  const Status status = CheckCorpus(corpus, corpus.entries(), {}, {}, {2}, [&](const auto&) {
    ++told;
    return Status(Fail(ErrorCode::kIo, "the disk is full"));
  });
  EXPECT_EQ(status.error().code(), ErrorCode::kIo);
  EXPECT_EQ(told, 1u);
}

TEST_F(CorpusTest, AnArchiveThatCannotBeReadIsAnError) {
  const Corpus corpus = Filled();
  fs::resize_file(corpus.ArchiveOf(*corpus.Find("beta")), 100);
  const auto checks = Checked(corpus, BuiltInRules());
  EXPECT_EQ(checks[0].error, "");
  EXPECT_NE(checks[1].error, "");
  EXPECT_EQ(checks[2].error, "");
  const auto ci = ForCi(checks[1], Severity::kWarning);
  ASSERT_EQ(ci.size(), 1u);
  EXPECT_EQ(ci[0].outcome, CaseResult::Outcome::kError);
}

TEST_F(CorpusTest, AnswersThatChangeAreDifferences) {
  const Corpus corpus = Filled();
  Put(corpus_directory_ / "questions" / "names.sql",
      "SELECT DISTINCT comm FROM task ORDER BY comm");
  const auto questions = QuestionsOf(corpus);
  ASSERT_TRUE(questions) << questions.error().ToString();
  EXPECT_EQ(questions->back().name, "names");
  const CorpusEntry beta = *corpus.Find("beta");
  const auto compare = [&] { return *CompareWithExpected(corpus, beta, *questions, 0, {}); };

  EXPECT_EQ(compare().size(), questions->size());
  EXPECT_TRUE(compare()[0].unknown);
  ASSERT_TRUE(UpdateExpected(corpus, beta, *questions, 0, {}));
  EXPECT_TRUE(compare().empty());

  const fs::path names = corpus.ExpectedOf(beta) / "names.csv";
  EXPECT_THAT(Text(names), HasSubstr("beta"));
  Put(names, "comm\nbeta\nnobody\n");
  Put(corpus.ExpectedOf(beta) / "old.csv", "x\n");
  const auto differences = compare();
  ASSERT_EQ(differences.size(), 2u);
  EXPECT_EQ(differences[0].question, "names");
  EXPECT_THAT(differences[0].lines, testing::Contains("-nobody"));
  EXPECT_EQ(differences[1].question, "old");
  ASSERT_TRUE(UpdateExpected(corpus, beta, *questions, 0, {}));
  EXPECT_TRUE(compare().empty());

  Put(corpus_directory_ / "questions" / "findings.sql", "SELECT 1");
  EXPECT_EQ(QuestionsOf(corpus).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(CorpusTest, TheListingTellsWhatEachArchiveSays) {
  const Corpus corpus = Filled();
  fs::resize_file(corpus.ArchiveOf(*corpus.Find("beta")), 100);
  ArchiveFailures failures;
  const auto rows = ListCorpus(corpus, corpus.entries(), &failures);
  ASSERT_TRUE(rows) << rows.error().ToString();
  EXPECT_EQ(failures.size(), 1u);
  EXPECT_EQ(rows->rows[1].name, "beta");
  EXPECT_EQ(rows->rows[1].bytes, 100);
  EXPECT_EQ(rows->rows[1].captured_at_ns, std::nullopt);
  EXPECT_EQ(rows->rows[2].name, "gamma");
  const CorpusRow& alpha = rows->rows[0];
  EXPECT_EQ(alpha.name, "alpha");
  EXPECT_EQ(alpha.tags, "nightly alpha");
  EXPECT_EQ(alpha.captured_at, "2023-11-14T22:13:20Z");
  EXPECT_EQ(alpha.trigger, "manual");
  EXPECT_EQ(alpha.has_scenario, 1);
  EXPECT_EQ(uint64_t(alpha.bytes.value()), fs::file_size(directory_ / "alpha.kts"));
}

TEST_F(CorpusTest, PackAndUnpackGiveBackEveryFile) {
  const Corpus corpus = Filled();
  ASSERT_TRUE(UpdateExpected(corpus, *corpus.Find("beta"), *QuestionsOf(corpus), 0, {}));
  const fs::path pack = directory_ / "x.ktspack";
  const auto summary = PackCorpus(corpus, pack, {});
  ASSERT_TRUE(summary) << summary.error().ToString();
  EXPECT_GT(summary->shared_pages, summary->pages / 2);

  const fs::path again = directory_ / "again";
  const auto unpacked = UnpackCorpus(pack, again);
  ASSERT_TRUE(unpacked) << unpacked.error().ToString();
  EXPECT_EQ(Names(unpacked->entries()), Names(corpus.entries()));
  size_t files = 0;
  for (const auto& file : fs::recursive_directory_iterator(corpus_directory_)) {
    if (!file.is_regular_file() || file.path().extension() == ".index") continue;
    const fs::path twin = again / fs::relative(file.path(), corpus_directory_);
    EXPECT_TRUE(Text(twin) == Text(file.path())) << twin;
    ++files;
  }
  EXPECT_GE(files, 3u + 3u + 1u + 4u);
  EXPECT_EQ(UnpackCorpus(pack, again).error().code(), ErrorCode::kExists);
}

TEST_F(CorpusTest, APackCannotWriteOutsideOfItsDirectory) {
  for (const char* name : {"../x.toml", "/x.toml", "a/../../x.toml", ""}) {
    const fs::path pack = directory_ / "bad.ktspack";
    fs::remove(pack);
    ASSERT_TRUE(WritePack(pack, {}, {{name, "x"}}));
    EXPECT_EQ(UnpackCorpus(pack, directory_ / "out").error().code(), ErrorCode::kDamaged) << name;
  }
}

TEST(ForEachInOrderTest, TakesResultsInOrderAndEndsAtTheFirstError) {
  std::vector<size_t> taken;
  const auto work = [](size_t i) { return i * i; };
  ASSERT_TRUE(ForEachInOrder<size_t>(100, {4}, work, [&](size_t i, size_t result) -> Status {
    EXPECT_EQ(result, i * i);
    taken.push_back(i);
    return {};
  }));
  EXPECT_EQ(taken.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(taken));
  taken.clear();
  EXPECT_FALSE(ForEachInOrder<size_t>(100, {4}, work, [&](size_t i, size_t) -> Status {
    taken.push_back(i);
    if (i == 7) return Fail(ErrorCode::kIo, "full");
    return {};
  }));
  EXPECT_EQ(taken.size(), 8u);
  EXPECT_TRUE(ForEachInOrder<size_t>(0, {}, work, [](size_t, size_t) { return Status(); }));
}

}  // namespace
}  // namespace ktstr
