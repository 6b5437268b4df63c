// What the manual page of ktstr-analyze says beyond its help.
#include "analyze/command/command.h"

namespace ktstr {

Manual AnalyzeManual() {
  Manual manual;
  manual.brief = "ask a frozen Linux machine what was going on";
  manual.description =
      "FILE is an archive that ktstr-capture(1) or ktstr-run(1) wrote: the memory, the registers "
      "and the\n"
      "devices of a Linux guest at one moment. No vmlinux, no debug information and no live guest "
      "are needed: the kernel in the archive says itself where everything is.\n\n"
      "Without a command the answer is a summary of one screen. Each command that follows FILE "
      "asks one question; options may stand before or behind it. All that the kernel's scheduling "
      "state consists of is a table that sql and shell can query; the command schema lists tables, "
      "views and functions, and describes one of them. What could not be read is NULL, and the "
      "table anomaly says why.\n\n"
      "With --live in place of FILE the machine that this runs on is asked, through /proc/kcore, "
      "while it runs; nothing is kept of it. Rows are of different moments then. A table that "
      "looks "
      "damaged is read up to three times; what is not damaged each time at the same place is "
      "called torn in the table anomaly, and no rule takes it for a fault.\n\n"
      "diff, schema, corpus and completion may stand without FILE before them.";
  manual.sections = {
      {"FILES",
       "",
       {{"FILE.kts", "An archive. It is never changed."},
        {"/proc/kcore, /proc/kpageflags, /sys/kernel/vmcoreinfo",
         "What --live reads: memory, which pages of it the kernel does not give away, and where "
         "the "
         "kernel tells of itself."},
        {"FILE.kts.index",
         "Its tables, as a SQLite file. It is written at the first question and can be deleted at "
         "any time. Where the archive's directory is read-only it is in ~/.cache/ktstr."},
        {"~/.cache/ktstr/images",
         "Symbols and types of kernels that were looked at, to be decoded once for each build; at "
         "most 512 MiB. They can be deleted at any time."},
        {"FILE.html", "What report writes, unless it is given another name."},
        {"~/.local/state/ktstr/history", "What was typed in shell."}}},
      {"ENVIRONMENT",
       "",
       {{"KTSTR_PAGER, PAGER",
         "What shows an answer that is longer than the terminal; without either less -FRX, cat for "
         "nothing."},
        {"NO_COLOR", "Set to anything: no colours."},
        {"XDG_CACHE_HOME", "Its directory ktstr stands for ~/.cache/ktstr."},
        {"XDG_STATE_HOME", "Its directory ktstr stands for ~/.local/state/ktstr."}}},
      {"EXAMPLES",
       "Which tasks waited longest for a CPU, and what one of them was in the middle of:\n"
       "  ktstr-analyze demo.kts sql \"SELECT comm, queue, waiting_ns FROM runnable LIMIT 5\"\n"
       "  ktstr-analyze demo.kts stack 1\n\n"
       "What sched_ext does on this machine now, to paste into an issue tracker:\n"
       "  ktstr-analyze --live dump --markdown\n\n"
       "Hold all archives of a directory against the built-in rules, for a CI system:\n"
       "  ktstr-analyze corpus check states --junit check.xml",
       {}}};
  manual.see_also = {"ktstr-capture(1)", "ktstr-replay(1)", "ktstr-run(1)", "sqlite3(1)"};
  return manual;
}

}  // namespace ktstr
