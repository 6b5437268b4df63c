#include "analyze/command/common_options.h"

namespace ktstr {

void AddCorpusDirectory(Options* command, std::string* directory) {
  command->Add("DIR", directory, "The corpus").Required().TypeName("");
}

void AddJobsOption(Options* command, int* jobs) {
  command->Add("--jobs", jobs, "Archives at a time; 0: one per CPU").TypeName("N");
}

void AddTimeoutOption(Options* command, double* seconds) {
  command->Add("--timeout", seconds, "Give a query up after that many seconds; 0: never")
      .TypeName("S")
      .ShowDefault();
}

}  // namespace ktstr
