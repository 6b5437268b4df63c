// A user's own loader of a scheduler: loads the BPF object that it is given, enables it, and stays.
#include <bpf/libbpf.h>
#include <stdio.h>
#include <unistd.h>

static int MaySleep(bpf_program* program, long) {
  bpf_program__set_flags(program, bpf_program__flags(program) | BPF_F_SLEEPABLE);
  return 0;
}

int main(int argc, char** argv) {
  // libbpf 1.1 knows only callbacks that do not sleep.
  libbpf_prog_handler_opts options = {};
  options.sz = sizeof options;
  options.prog_setup_fn = MaySleep;
  libbpf_register_prog_handler("struct_ops.s+", BPF_PROG_TYPE_STRUCT_OPS, bpf_attach_type(0),
                               &options);
  bpf_object* object = argc == 2 ? bpf_object__open(argv[1]) : nullptr;
  if (object == nullptr) return 2;
  if (bpf_object__load(object) != 0) return 3;
  bpf_map* map;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS) continue;
    if (bpf_map__attach_struct_ops(map) == nullptr) return 4;
    printf("enabled\n");
    fflush(stdout);
    for (;;) pause();
  }
  return 5;
}
