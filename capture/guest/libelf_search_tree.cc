// Two functions that the static libelf of elfutils 0.192 calls and does not have (sourceware bug
// 32293; later ones have them). They keep a tree of what elf_getdata_rawchunk() has read. Neither
// libbpf nor we call that, so the tree stays empty and nothing is to be done. Weak, for a 0.192
// that somebody has mended.

extern "C" {

[[gnu::weak]] void eu_search_tree_init(void* /*tree*/) {}

[[gnu::weak]] void eu_search_tree_fini(void* /*tree*/, void (* /*free_node*/)(void*)) {}

}  // extern "C"
