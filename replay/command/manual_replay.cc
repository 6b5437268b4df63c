// What the manual page of ktstr-replay says beyond its help.
#include "replay/command/replay_command.h"

namespace ktstr {

Manual ReplayManual() {
  Manual manual;
  manual.brief = "read and change the kernel memory of a frozen machine";
  manual.description =
      "ARCHIVE is a file that ktstr-capture(1) or ktstr-run(1) wrote. Its pages are decompressed "
      "as they are read, and what is written is kept in private copies of them: ARCHIVE is never "
      "changed. The same requests are answered by ktstr-capture ops of a machine that runs.";
  manual.sections = {
      {"FILES",
       "",
       {{"ARCHIVE.kts", "A frozen machine."},
        {"NEW.kts", "A changed copy of it, which names ARCHIVE as its parent."}}},
      {"EXAMPLES",
       "Read a variable of the kernel, and change it in a copy:\n"
       "  echo '{\"direction\":\"read\",\"entries\":[{\"target\":{\"symbol\":\"jiffies\"},"
       "\"value\":{\"u64\":0}}]}' |\n"
       "    ktstr-replay ops demo.kts --request -\n"
       "  ktstr-replay ops demo.kts --request write.json --save changed.kts",
       {}}};
  manual.see_also = {"ktstr-analyze(1)", "ktstr-capture(1)", "ktstr-run(1)"};
  return manual;
}

}  // namespace ktstr
