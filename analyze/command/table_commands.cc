// Subcommands that show tables of the index: the columns that people ask for first, and in JSON and
// CSV all of them; with options that choose rows and columns.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "analyze/command/command.h"
#include "analyze/index/cells.h"
#include "analyze/index/sql_words.h"
#include "analyze/index/tables.h"
#include "analyze/text/schema.h"
#include "analyze/text/table_catalog.h"
#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

// What a command line says of which rows and columns.
struct Choice {
  std::string where, sort, part;
  std::vector<std::string> columns;
  size_t limit = 0;  // 0: all
  bool csv = false;
};

std::string QuotedName(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

std::vector<std::string> ShownColumns(const TablePart& part) {
  std::vector<std::string> names;
  for (const NamedColumn& column : part.columns) names.emplace_back(column.name);
  return names;
}

std::vector<std::string> TableColumns(const TablePart& part) {
  std::vector<std::string> names;
  for (const TableInfo* info : AllTableInfos()) {
    if (info->name != part.table) continue;
    for (const ColumnInfo& column : info->columns) names.emplace_back(column.name);
    return names;
  }
  // A view.
  if (const auto schema = SchemaOf(part.table)) {
    for (const auto& row : schema->columns.rows) names.push_back(TextOf(row[0]));
  }
  return names;
}

// The table with what is computed of it beside its own columns, so that all can be asked for by
// name; without those that `named` does not name: what nobody looks at need not be read.
std::string SourceOf(const TablePart& part, const std::string& named) {
  const bool computes = std::ranges::any_of(
      part.columns, [](const NamedColumn& column) { return column.sql != column.name; });
  if (!computes) return part.table;
  const auto words = SqlWords(named);
  std::vector<std::string> columns;
  for (const std::string& name : TableColumns(part)) {
    if (words.contains(name)) columns.push_back(QuotedName(name));
  }
  for (const NamedColumn& column : part.columns) {
    if (column.sql != column.name && words.contains(std::string_view(column.name))) {
      columns.push_back(fmt::format("{} AS {}", column.sql, column.name));
    }
  }
  return fmt::format("(SELECT {} FROM {})",
                     columns.empty() ? "*" : fmt::to_string(fmt::join(columns, ", ")), part.table);
}

// Every name that a column of it can be asked for by.
std::vector<std::string> ColumnNames(const TablePart& part) {
  std::vector<std::string> names = ShownColumns(part);
  for (std::string& name : TableColumns(part)) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

bool HasColumn(const TablePart& part, const std::string& name) {
  const std::vector<std::string> names = ColumnNames(part);
  return std::ranges::find(names, name) != names.end();
}

// "-pid": by pid, the largest first.
std::pair<std::string, bool> SortOf(const std::string& text) {
  return text.starts_with('-') ? std::pair(text.substr(1), true) : std::pair(text, false);
}

// The first of the columns that a choice names and that the part does not have.
std::optional<std::string> LackingColumn(const TablePart& part, const Choice& choice) {
  for (const std::string& name : choice.columns) {
    if (!HasColumn(part, name)) return name;
  }
  const std::string sort = SortOf(choice.sort).first;
  return choice.sort.empty() || HasColumn(part, sort) ? std::nullopt : std::optional(sort);
}

std::string SqlFor(const TablePart& part, const Choice& choice, bool all_columns) {
  std::vector<std::string> names = choice.columns;
  if (names.empty() && all_columns) names = TableColumns(part);
  if (names.empty()) names = ShownColumns(part);
  for (std::string& name : names) name = QuotedName(name);
  const std::string selected = fmt::format("{}", fmt::join(names, ", "));
  std::string rest;
  // A condition of somebody's own may be about the rows that are not shown else. It is in lines of
  // its own, so that a comment in it ends where it does.
  if (!choice.where.empty()) {
    rest += fmt::format(" WHERE (\n{}\n)", choice.where);
  } else if (!all_columns && *part.filter != 0) {
    rest += fmt::format(" WHERE {}", part.filter);
  }
  if (const auto [sort, descending] = SortOf(choice.sort); !sort.empty()) {
    rest += fmt::format(" ORDER BY {}{}", QuotedName(sort), descending ? " DESC" : "");
    if (*part.order != 0) rest += fmt::format(", {}", part.order);
  } else if (*part.order != 0) {
    rest += fmt::format(" ORDER BY {}", part.order);
  }
  return fmt::format("SELECT {} FROM {}{}", selected, SourceOf(part, selected + rest), rest);
}

// The parts that have what was chosen; a note says which have not. Errors: kInvalidArgument, where
// none has, with the nearest name.
Result<std::vector<const TablePart*>> PartsFor(Session& session, const TableCommand& command,
                                               const Choice& choice) {
  std::vector<const TablePart*> parts;
  std::vector<std::string> part_names, names;
  std::string lacking;
  for (const TablePart& part : command.parts) {
    part_names.emplace_back(part.name);
    if (!choice.part.empty() && choice.part != part.name) continue;
    if (const auto column = LackingColumn(part, choice)) {
      if (lacking.empty()) lacking = *column;
      for (std::string& name : ColumnNames(part)) names.push_back(std::move(name));
      session.Note(fmt::format("{}: left out, has no column '{}'", part.name, *column));
    } else {
      parts.push_back(&part);
    }
  }
  const auto unknown = [](const char* what, const std::string& word,
                          const std::vector<std::string>& all) {
    return Fail(ErrorCode::kInvalidArgument,
                UnknownWord(what, word, std::vector<std::string_view>(all.begin(), all.end())));
  };
  if (!parts.empty()) return parts;
  return lacking.empty() ? unknown("table", choice.part, part_names)
                         : unknown("column", lacking, names);
}

QueryLimits LimitsOf(const Choice& choice) {
  QueryLimits limits;
  if (choice.limit != 0) limits.max_rows = choice.limit;
  return limits;
}

Result<std::string> Json(Session& session, const std::vector<const TablePart*>& parts,
                         const Choice& choice) {
  std::string text;
  for (const TablePart* part : parts) {
    std::string rows = KTSTR_TRY(session.Answer(SqlFor(*part, choice, true), LimitsOf(choice)));
    rows.pop_back();  // its newline
    text += fmt::format("{}\"{}\": {}", text.empty() ? "{" : ",\n", part->name, rows);
  }
  return text + "}\n";
}

Result<std::string> Text(Session& session, const std::vector<const TablePart*>& parts,
                         const Choice& choice) {
  std::string text;
  for (const TablePart* part : parts) {
    std::string rows =
        KTSTR_TRY(session.AnswerPart(part->name, SqlFor(*part, choice, false), LimitsOf(choice)));
    text += (text.empty() ? "" : "\n") + rows;
  }
  return text;
}

Result<std::string> Answer(Session& session, const TableCommand& command, const Choice& choice) {
  if (choice.csv && session.json()) {
    return Fail(ErrorCode::kInvalidArgument, "--csv and --json exclude each other");
  }
  const std::vector<const TablePart*> parts = KTSTR_TRY(PartsFor(session, command, choice));
  if (choice.csv) {
    if (parts.size() > 1) {
      std::vector<std::string_view> names;
      for (const TablePart* part : parts) names.emplace_back(part->name);
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("--csv is one table, and there are {}: choose one with --table",
                              fmt::join(names, ", ")));
    }
    session.set_format(OutputFormat::kCsv);
    return session.Stream(SqlFor(*parts[0], choice, true), LimitsOf(choice));
  }
  if (command.parts.size() > 1) {
    auto answer = session.json() ? Json(session, parts, choice) : Text(session, parts, choice);
    const bool may_be_of_one = parts.size() > 1 && !choice.where.empty();
    if (answer || !may_be_of_one || answer.error().code() != ErrorCode::kInvalidArgument) {
      return answer;
    }
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} (--where is for all tables of this command; --table chooses one)",
                            answer.error().ToString()));
  }
  return session.Stream(SqlFor(*parts[0], choice, session.json()), LimitsOf(choice));
}

void DeclareTable(Options* table, const TableCommand& command, Command* chosen) {
  auto choice = std::make_shared<Choice>();
  const auto names = [&command] {
    std::vector<std::string> all;
    for (const TablePart& part : command.parts) {
      for (std::string& name : ColumnNames(part)) all.push_back(std::move(name));
    }
    return all;
  };
  table
      ->Add("--where", &choice->where,
            "Only rows for which this holds: SQL over the table's columns, shown or not")
      .TypeName("SQL");
  table->Add("--columns", &choice->columns, "These columns ('schema TABLE' lists all there are)")
      .TypeName("NAME,...")
      .Delimiter(',')
      .OneEach()
      .Offer(names);
  table->Add("--sort", &choice->sort, "By this column; --sort=-COLUMN: the largest first")
      .TypeName("COLUMN")
      .Offer(names);
  table->Add("--limit", &choice->limit, "The first rows only, and say when there are more; 0: all")
      .TypeName("ROWS");
  table->Add("--csv", &choice->csv, "Comma-separated values (RFC 4180), with all columns");
  if (command.parts.size() > 1) {
    table->Add("--table", &choice->part, "This one of its tables")
        .TypeName("NAME")
        .Offer([&command] {
          std::vector<std::string> all;
          for (const TablePart& part : command.parts) all.emplace_back(part.name);
          return all;
        });
  }
  table->OnChosen([chosen, &command, choice] {
    *chosen = [&command, choice](Session& session) { return Answer(session, command, *choice); };
  });
}

}  // namespace

void AddTableCommands(Options* app, Command* chosen) {
  for (const TableCommand& command : TableCommands()) {
    app->AddSubcommand(command.name, command.help, [chosen, &command](Options* table) {
      DeclareTable(table, command, chosen);
    });
  }
}

}  // namespace ktstr
