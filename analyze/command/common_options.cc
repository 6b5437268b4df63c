#include "ktstr/analyze/command/common_options.h"

namespace ktstr {

void AddCorpusDirectory(CLI::App* command, std::string* directory) {
  command->add_option("DIR", *directory, "The corpus")->required()->type_name("");
}

void AddJobsOption(CLI::App* command, int* jobs) {
  command->add_option("--jobs", *jobs, "Archives at a time; 0: one per CPU")->type_name("N");
}

void AddTimeoutOption(CLI::App* command, double* seconds) {
  command->add_option("--timeout", *seconds, "Give a query up after that many seconds; 0: never")
      ->type_name("S")
      ->capture_default_str();
}

}  // namespace ktstr
